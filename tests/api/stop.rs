//! A planned stop: everybody is told when to come back, what is under way is finished, and the
//! process is gone in time.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::kit::http::{Events, frames};
use crate::kit::server::Account;
use crate::kit::{Connection, Server, WebSocket, post};

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_told_when_to_come_back_each_at_another_time() {
    let mut server = Server::start().await;
    let (ada, bob) = server.people().await;
    let mut sockets = Vec::new();
    for _ in 0..20 {
        let mut socket = WebSocket::open(ada.address, "/chat", &ada.authorization()).await;
        socket.until("ready").await;
        sockets.push(socket);
    }
    let mut stream = Events::open(bob.address, "/chat", &bob.authorization()).await;
    while stream.next().await.unwrap().0["type"] != "ready" {}
    let batch = tokio::spawn(batches_until_bye(bob.clone()));
    sleep(Duration::from_millis(300)).await;
    let begun = Instant::now();
    server.signal("TERM").await;
    let mut times = BTreeSet::new();
    for socket in &mut sockets {
        let (frames, closed) = socket.closed().await;
        let bye = frames.last().unwrap();
        assert_eq!((bye["type"].as_str(), bye["reason"].as_str()), (Some("bye"), Some("going_away")));
        times.insert(bye["retry_ms"].as_u64().unwrap());
        assert_eq!(closed.code, 1001);
    }
    assert!(times.len() > 10, "they come back all at once: {times:?}");
    let mut last = Value::Null;
    while let Some((frame, _)) = stream.next().await {
        last = frame;
    }
    assert_eq!((last["reason"].as_str(), last["retry_ms"].is_u64()), (Some("going_away"), true));
    assert_eq!(batch.await.unwrap()["reason"], "going_away");
    assert!(server.ended().await.success());
    assert!(begun.elapsed() < Duration::from_secs(11), "{:?}", begun.elapsed());
}

/// Asks for batch after batch; the `bye` that ends them.
async fn batches_until_bye(who: Account) -> Value {
    let mut path = "/chat?mode=batch&wait=0".to_owned();
    loop {
        let frames = frames(&who.get(&path).await.body);
        if let Some(bye) = frames.iter().find(|frame| frame["type"] == "bye") {
            return bye.clone();
        }
        let ready = frames.iter().find(|frame| frame["type"] == "ready").unwrap();
        let cursor = ready["cursor"].as_str().unwrap();
        path = format!("/chat?mode=batch&wait=25&after={cursor}&seen={}", ready["seen"]);
    }
}

/// A command whose body never comes: it does not end by itself.
async fn half_a_request(who: &Account) -> Connection {
    let mut connection = Connection::open(who.address).await;
    let head =
        "POST /chat HTTP/1.1\r\nHost: chat.test\r\nContent-Type: application/json\r\nContent-Length: 10\r\n";
    connection.send(format!("{head}{}\r\n{{", who.authorization())).await;
    connection
}

#[tokio::test]
async fn after_a_stop_everything_is_still_there() {
    let mut server = Server::start().await;
    let (ada, _) = server.people().await;
    let room = ada.general().await;
    let posted = ada.command(&post(1, &room, "remember this")).await;
    server.signal("INT").await;
    assert!(server.ended().await.success());
    server.restart().await;
    let history = ada.get(&format!("/api/v1/rooms/{room}/messages")).await.json();
    assert_eq!(history["messages"][0]["body"], "remember this");
    assert_eq!(history["messages"][0], posted.json()["message"]);
    let files: BTreeSet<_> = std::fs::read_dir(server.data_dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(files.contains("switchback.db") && files.contains("README.txt"), "{files:?}");
}

#[tokio::test]
async fn a_peer_that_does_not_go_is_not_waited_for_for_ever() {
    let mut server = Server::start_with(&["--drain-seconds", "1"]).await;
    let (ada, _) = server.people().await;
    let _half = half_a_request(&ada).await;
    sleep(Duration::from_millis(200)).await;
    let begun = Instant::now();
    server.signal("TERM").await;
    assert!(server.ended().await.success());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut server = Server::start().await;
    let (ada, _) = server.people().await;
    let _half = half_a_request(&ada).await;
    sleep(Duration::from_millis(200)).await;
    let begun = Instant::now();
    server.signal("TERM").await;
    crate::kit::until("the first signal is seen", async || server.said().contains("stopping")).await;
    server.signal("TERM").await;
    let status = server.ended().await;
    assert!(!status.success() && begun.elapsed() < Duration::from_secs(4), "{status} {:?}", begun.elapsed());
}
