//! Who may see is decided at delivery: what ends a credential or a membership ends what is open.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::kit::http::{Events, request};
use crate::kit::server::{Account, PASSWORD};
use crate::kit::{Connection, Server, WebSocket, post};

/// "At once", on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(3);

/// A WebSocket and an event stream that are live.
async fn listen(address: std::net::SocketAddr, headers: &str) -> (WebSocket, Events) {
    let mut socket = WebSocket::open(address, "/chat", headers).await;
    socket.until("ready").await;
    let mut events = Events::open(address, "/chat", headers).await;
    while events.next().await.unwrap().0["type"] != "ready" {}
    (socket, events)
}

/// Both end at once, for this reason, and for good.
async fn assert_ended((mut socket, mut events): (WebSocket, Events), reason: &str) {
    let (frames, closed) = timeout(AT_ONCE, socket.closed()).await.unwrap();
    let bye = frames.last().unwrap();
    assert_eq!(
        (bye["type"].as_str(), bye["reason"].as_str(), &bye["retry_ms"]),
        (Some("bye"), Some(reason), &Value::Null)
    );
    assert_eq!(closed.code, 1008, "{closed:?}");
    let mut last = Value::Null;
    while let Some((frame, _)) = timeout(AT_ONCE, events.next()).await.unwrap() {
        last = frame;
    }
    assert_eq!((last["type"].as_str(), last["reason"].as_str()), (Some("bye"), Some(reason)));
}

async fn sign_in(account: &Account) -> String {
    let body = json!({"handle": account.handle, "password": PASSWORD}).to_string();
    let answer =
        Connection::open(account.address).await.exchange(request("POST", "/api/v1/session", "", &body)).await;
    let cookie = answer.head.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    format!("Cookie: {cookie}\r\nOrigin: http://chat.test\r\n")
}

#[tokio::test]
async fn signing_out_ends_the_sessions_connections_and_no_others() {
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    let (this, other) = (sign_in(&ada).await, sign_in(&ada).await);
    let listening = listen(ada.address, &this).await;
    let (mut other_socket, _) = listen(ada.address, &other).await;
    let (mut by_token, _) = listen(ada.address, &ada.authorization()).await;
    let sign_out = request("DELETE", "/api/v1/session", &this, "");
    assert_eq!(Connection::open(ada.address).await.exchange(sign_out).await.status, 204);
    assert_ended(listening, "signed_out").await;
    for socket in [&mut other_socket, &mut by_token] {
        socket.command(&json!({"id": 1, "type": "ping"})).await;
        assert_eq!(socket.until("ack").await["id"], 1);
    }
    let again = request("GET", "/api/v1/session", &this, "");
    assert_eq!(Connection::open(ada.address).await.exchange(again).await.status, 401);
}

#[tokio::test]
async fn ending_a_token_ends_its_connections() {
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    let made = ada.request("POST", "/api/v1/tokens", r#"{"label":"another"}"#).await;
    assert_eq!(made.status, 201, "{made:?}");
    let made = made.json();
    let headers = format!("Authorization: Bearer {}\r\n", made["token"].as_str().unwrap());
    let listening = listen(ada.address, &headers).await;
    let path = format!("/api/v1/tokens/{}", made["info"]["id"].as_str().unwrap());
    assert_eq!(ada.request("DELETE", &path, "").await.status, 204);
    assert_ended(listening, "signed_out").await;
}

#[tokio::test]
async fn deactivating_somebody_ends_their_connections_and_keeps_them_out() {
    let server = Server::start().await;
    let (ada, bob) = server.people().await;
    let listening = listen(bob.address, &bob.authorization()).await;
    let (mut hers, _) = listen(ada.address, &ada.authorization()).await;
    let waiting = tokio::spawn({
        let bob = bob.clone();
        async move {
            let begun = Instant::now();
            let answer = bob.get("/chat?mode=batch&wait=25").await;
            (answer, begun.elapsed())
        }
    });
    let path = format!("/api/v1/users/{}", bob.id().await);
    // The batch has to be under way before its reader is deactivated.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(ada.request("PATCH", &path, r#"{"active":false}"#).await.status, 200);
    assert_ended(listening, "deactivated").await;
    assert_eq!(hers.until("user.updated").await["user"]["active"], false);
    let (answer, took) = waiting.await.unwrap();
    assert!(took < Duration::from_secs(10), "a waiting batch ends, too: {took:?} {answer:?}");
    assert_eq!(bob.get("/api/v1/session").await.status, 401);
    let socket = crate::kit::websocket::handshake("/chat", &bob.authorization());
    assert_eq!(Connection::open(bob.address).await.exchange(socket).await.status, 401);
}

#[tokio::test]
async fn who_was_removed_from_a_room_hears_that_and_nothing_after_it() {
    let server = Server::start().await;
    let (ada, bob) = server.people().await;
    let made = ada.request("POST", "/api/v1/rooms", r#"{"kind":"private","name":"design"}"#).await.json();
    let room = made["id"].as_str().unwrap().to_owned();
    let member = format!("/api/v1/rooms/{room}/members/{}", bob.id().await);
    assert_eq!(ada.request("PUT", &member, "").await.status, 204);
    let (mut his, _) = listen(bob.address, &bob.authorization()).await;
    ada.command(&post(1, &room, "welcome")).await;
    assert_eq!(his.until("message.posted").await["message"]["body"], "welcome");
    assert_eq!(ada.request("DELETE", &member, "").await.status, 204);
    ada.command(&post(2, &room, "now that he is gone")).await;
    ada.command(&post(3, &ada.general().await, "for all")).await;
    let mut left = his.json().await;
    while left["type"] == "presence" {
        left = his.json().await;
    }
    assert_eq!((left["type"].as_str(), left["room"].as_str()), (Some("member.left"), Some(room.as_str())));
    let next = his.until("message.posted").await;
    assert_eq!(next["message"]["body"], "for all");
    // Neither does the log tell him afterwards.
    let path = format!("/chat?mode=batch&wait=0&after={}", bob.origin().await);
    assert!(!bob.get(&path).await.body.contains("now that he is gone"));
    assert_eq!(bob.get(&format!("/api/v1/rooms/{room}/messages")).await.status, 404);
}
