//! Who may see is decided at delivery, on connections that are open.

use serde_json::json;
use switchback_core::wire::{Role, RoomKind};
use switchback_storage::{Credential, UserChange};

use crate::kit::{TestServer, post};

#[tokio::test]
async fn a_room_is_heard_from_joining_to_leaving() {
    let server = TestServer::start().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let general = server.general(&ada).await;
    let secret = server.room(&ada, RoomKind::Private, "secret").await;
    let mut live = server.websocket(&bob, "").await;
    live.next_of("ready").await;

    server.say(&ada, secret, "before").await;
    server.store.add_member(ada.id, secret, bob.id).await.unwrap();
    let joined = live.event().await;
    assert_eq!(joined["type"], "member.joined");
    assert_eq!(joined["room_info"]["name"], "secret");
    let seq = server.say(&ada, secret, "inside").await["seq"].clone();
    assert_eq!(live.event().await["seq"], seq);

    server.store.remove_member(ada.id, secret, bob.id).await.unwrap();
    let left = live.event().await;
    assert_eq!((&left["type"], &left["user"]), (&json!("member.left"), &json!(bob.id)));
    assert_eq!(left["room_info"]["name"], json!(null), "what it is called now is not bob's business");
    server.say(&ada, secret, "after").await;
    let seq = server.say(&ada, general, "to all").await["seq"].clone();
    assert_eq!(live.event().await["seq"], seq, "something of the room came after leaving it");
    assert_eq!(server.command(&bob, &post(secret, "let me in")).await.0, 404);
}

#[tokio::test]
async fn the_founder_of_a_room_sees_it_from_its_first_event() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let mut live = server.websocket(&ada, "").await;
    live.next_of("ready").await;
    server.room(&ada, RoomKind::Private, "new").await;
    let kinds = [live.event().await["type"].clone(), live.event().await["type"].clone()];
    assert_eq!(kinds, [json!("room.created"), json!("member.joined")]);
}

#[tokio::test]
async fn deactivation_ends_every_connection_for_good() {
    let server = TestServer::start().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let mut socket = server.websocket(&bob, "").await;
    let mut stream = server.event_stream(&bob, "").await;
    let change = UserChange { active: Some(false), ..UserChange::default() };
    server.store.update_user(Some(ada.id), bob.id, change).await.unwrap();
    let bye = json!({"type": "bye", "reason": "deactivated", "retry_ms": null});
    assert_eq!(socket.next_of("bye").await, bye);
    assert_eq!(socket.next().await, json!({"type": "close", "code": 1008}));
    assert_eq!(stream.next_of("bye").await, bye);
    assert_eq!(stream.try_next().await, None);
    assert_eq!(server.command(&bob, &json!({"type": "ping"})).await.0, 401);
}

#[tokio::test]
async fn an_ended_token_ends_its_connections_and_no_others() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let other = switchback_server::secrets::new_secret();
    let info = server.store.create_token(ada.id, other.hash, "other".to_owned()).await.unwrap();
    let phone = crate::kit::Person { id: ada.id, token: other.text };
    let mut staying = server.websocket(&ada, "").await;
    let mut ending = server.event_stream(&phone, "").await;
    staying.next_of("ready").await;
    let request = http::Request::delete(format!("/api/v1/tokens/{}", info.id))
        .header("host", "test")
        .header("authorization", format!("Bearer {}", ada.token))
        .body(http_body_util::Full::default())
        .unwrap();
    assert_eq!(server.fetch(request).await.0, 204);
    assert_eq!(ending.next_of("bye").await["reason"], "signed_out");
    assert_eq!(ending.try_next().await, None);
    staying.send(&json!({"id": 1, "type": "ping"})).await;
    staying.next_of("ack").await;
    assert!(
        server
            .store
            .alive(&[ada.id])
            .await
            .unwrap()
            .iter()
            .all(|(_, left)| *left != Credential::Token(info.id))
    );
}

#[tokio::test]
async fn who_signs_out_right_after_leaving_is_let_in_by_no_way() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let ping = json!({"type": "ping"});
    // Comes twice: the second time nobody is asked who she is, and so when she speaks.
    for _ in 0..2 {
        server.event_stream(&ada, "").await.next_of("ready").await;
        assert_eq!(server.command(&ada, &ping).await.0, 200);
    }
    let sign_out = http::Request::delete("/api/v1/session")
        .header("host", "test")
        .header("authorization", format!("Bearer {}", ada.token))
        .body(http_body_util::Full::default())
        .unwrap();
    assert_eq!(server.fetch(sign_out).await.0, 204);
    assert_eq!(server.command(&ada, &ping).await.0, 401);
    for query in ["", "?mode=batch&wait=0"] {
        let back = http::Request::get(format!("/chat{query}"))
            .header("host", "test")
            .header("accept", "text/event-stream")
            .header("authorization", format!("Bearer {}", ada.token))
            .body(http_body_util::Full::default())
            .unwrap();
        assert_eq!(server.fetch(back).await.0, 401);
    }
}

#[tokio::test]
async fn a_password_set_by_another_process_ends_the_sessions_that_are_open() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let secret = switchback_server::secrets::new_secret();
    server.store.create_session(ada.id, secret.hash, "browser".to_owned()).await.unwrap();
    let browser = crate::kit::Person { id: ada.id, token: secret.text };
    let mut session = server.websocket(&browser, "").await;
    let mut token = server.websocket(&ada, "").await;
    token.next_of("ready").await;
    let admin =
        switchback_storage::Store::open(server.dir(), switchback_storage::OpenMode::Admin).await.unwrap();
    admin.set_password(ada.id, "another".to_owned(), None).await.unwrap();
    assert_eq!(session.next_of("bye").await["reason"], "signed_out");
    token.send(&json!({"id": 1, "type": "ping"})).await;
    token.next_of("ack").await;
}

#[tokio::test]
async fn a_role_that_was_taken_away_counts_no_more_on_an_open_connection() {
    let server = TestServer::start().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let general = server.general(&ada).await;
    let message = server.say(&ada, general, "mine").await["message"]["id"].clone();
    let mut live = server.websocket(&bob, "").await;
    live.next_of("ready").await;
    let change = UserChange { role: Some(Role::Member), ..UserChange::default() };
    server.store.update_user(Some(ada.id), bob.id, change).await.unwrap();
    live.send(&json!({"id": 1, "type": "message.delete", "message": message})).await;
    assert_eq!(live.next_of("error").await["code"], "forbidden");
}
