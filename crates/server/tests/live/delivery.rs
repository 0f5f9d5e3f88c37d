//! What is said arrives, the same over every transport.

use serde_json::{Value, json};

use crate::kit::{TestServer, is_event, post};

#[tokio::test]
async fn every_transport_says_hello_then_ready_then_who_is_there() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    for (mut live, transport) in
        [(server.websocket(&ada, "").await, "websocket"), (server.event_stream(&ada, "").await, "sse")]
    {
        let hello = live.next().await;
        assert_eq!(hello["type"], "hello");
        assert_eq!(hello["transport"], transport);
        assert_eq!(hello["user"], json!(ada.id));
        let ready = live.next().await;
        assert_eq!((&ready["type"], &ready["cursor"]), (&json!("ready"), &hello["cursor"]));
        let presence = live.next().await;
        assert_eq!(presence["full"], true);
        assert_eq!(presence["changes"][0], json!({"user": ada.id, "state": "online"}));
    }
    let frames = server.batch(&ada, "?mode=batch&wait=0").await;
    let kinds: Vec<_> = frames.iter().map(|frame| frame["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["hello", "presence", "ready"]);
    assert_eq!(frames[0]["transport"], "batch");
}

#[tokio::test]
async fn the_same_events_come_over_every_transport() {
    let server = TestServer::start().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let general = server.general(&ada).await;
    let mut socket = server.websocket(&bob, "").await;
    let mut stream = server.event_stream(&bob, "").await;
    let cursor = socket.next_of("ready").await["cursor"].as_str().unwrap().to_owned();
    stream.next_of("ready").await;

    let message = server.say(&ada, general, "hello **world**").await["message"]["id"].clone();
    server.command(&ada, &json!({"type": "message.edit", "message": message, "body": "hello"})).await;
    server.command(&bob, &json!({"type": "reaction.add", "message": message, "emoji": "👍"})).await;
    let deletion = server.command(&ada, &json!({"type": "message.delete", "message": message})).await.1;

    let mut seen = [Vec::new(), Vec::new()];
    for (events, live) in seen.iter_mut().zip([&mut socket, &mut stream]) {
        while events.last().and_then(|event: &Value| event["seq"].as_u64()) != deletion["seq"].as_u64() {
            events.push(live.event().await);
        }
    }
    let kinds: Vec<_> = seen[0].iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["message.posted", "message.edited", "reaction.added", "message.deleted"]);
    assert_eq!(seen[0], seen[1], "not the same over WebSocket and event stream");
    let batch = server.batch(&bob, &format!("?mode=batch&after={cursor}")).await;
    let batch: Vec<_> = batch.into_iter().filter(is_event).collect();
    let outline = |event: &Value| (event["type"].clone(), event["seq"].clone(), event["n"].clone());
    // What is replayed shows today's state, so only what happened is the same, not every text.
    assert!(batch.iter().map(outline).eq(seen[0].iter().map(outline)), "{batch:?}");
}

#[tokio::test]
async fn a_batch_waits_for_news_and_ends_with_where_to_go_on() {
    let server = TestServer::start().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let general = server.general(&ada).await;
    let first = server.batch(&bob, "?mode=batch&wait=0").await;
    let ready = first.last().unwrap();
    let (cursor, seen) = (ready["cursor"].as_str().unwrap(), &ready["seen"]);
    // Bob's own coming online is told first.
    let query = format!("?mode=batch&wait=20&after={cursor}&seen={seen}");
    let online = server.batch(&bob, &query).await;
    assert_eq!(online[1]["changes"][0]["state"], "online");
    let (cursor, seen) = (&online.last().unwrap()["cursor"], &online.last().unwrap()["seen"]);
    let query = format!("?mode=batch&wait=20&after={}&seen={seen}", cursor.as_str().unwrap());
    let (batch, answer) = tokio::join!(server.batch(&bob, &query), async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        server.say(&ada, general, "news").await
    });
    let kinds: Vec<_> = batch.iter().map(|frame| frame["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["hello", "message.posted", "ready"]);
    assert_eq!(batch[1]["seq"], answer["seq"]);
    let next = batch[2]["cursor"].as_str().unwrap();
    assert!(next.ends_with(&format!(".{}", answer["seq"])));
}

#[tokio::test]
async fn commands_on_a_socket_are_answered_in_order_and_bad_ones_leave_it_open() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let general = server.general(&ada).await;
    let mut socket = server.websocket(&ada, "").await;
    socket.send(&json!({"id": "a", "type": "ping"})).await;
    assert_eq!(socket.next_of("ack").await["id"], "a");
    socket.send(&json!({"id": "b", "type": "dance"})).await;
    assert_eq!(socket.next_of("error").await["code"], "unknown_command");
    socket.send(&json!({"id": "c", "type": "message.edit", "message": general, "body": "x"})).await;
    let error = socket.next_of("error").await;
    assert_eq!(
        (&error["id"], &error["code"], &error["retry"]),
        (&json!("c"), &json!("not_found"), &json!(false))
    );
    let command = post(general, "one");
    socket.send(&command).await;
    let ack = socket.next_of("ack").await;
    assert_eq!(ack["message"]["html"], "<p>one</p>");
    // The retry, on another transport: the first answer, and nothing new.
    let (status, again) = server.command(&ada, &command).await;
    assert_eq!((status, &again), (200, &ack));
    let mut other = command.clone();
    other["body"] = json!("two");
    assert_eq!(server.command(&ada, &other).await.0, 409);
}

#[tokio::test]
async fn typing_is_heard_in_the_room_by_others_alone_and_moves_no_cursor() {
    let server = TestServer::start().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let general = server.general(&ada).await;
    let mut bobs = server.websocket(&bob, "").await;
    let mut adas = server.websocket(&ada, "").await;
    bobs.next_of("ready").await;
    adas.next_of("ready").await;
    adas.send(&json!({"type": "typing", "room": general})).await;
    let typing = bobs.next_of("typing").await;
    assert_eq!(typing, json!({"type": "typing", "room": general, "user": ada.id}));
    adas.send(&json!({"type": "typing", "room": ada.id})).await;
    // Ada hears no typing of her own before the answer to the bad one.
    loop {
        let frame = adas.next().await;
        assert_ne!(frame["type"], "typing");
        if frame["type"] == "error" {
            break;
        }
    }
}

#[tokio::test]
async fn presence_is_told_when_it_changes() {
    let server = TestServer::start().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let mut bobs = server.websocket(&bob, "").await;
    bobs.next_of("presence").await;
    let mut adas = server.websocket(&ada, "").await;
    bobs.tells(&json!({"user": ada.id, "state": "online"})).await;
    adas.send(&json!({"type": "presence", "state": "away"})).await;
    bobs.tells(&json!({"user": ada.id, "state": "away"})).await;
}
