//! A planned stop.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::kit::TestServer;

#[tokio::test]
async fn everyone_is_told_when_to_come_back_each_at_another_time() {
    let mut server = TestServer::start().await;
    let ada = server.person("ada").await;
    let mut sockets = Vec::new();
    for _ in 0..20 {
        let mut socket = server.websocket(&ada, "").await;
        socket.next_of("ready").await;
        sockets.push(socket);
    }
    let mut stream = server.event_stream(&ada, "").await;
    stream.next_of("presence").await;
    let started = Instant::now();
    let running = server.stop();
    let mut retries = HashSet::new();
    for socket in &mut sockets {
        let bye = socket.next_of("bye").await;
        assert_eq!(bye["reason"], "going_away");
        retries.insert(bye["retry_ms"].as_u64().unwrap());
        assert_eq!(socket.next().await, json!({"type": "close", "code": 1001}));
        assert_eq!(socket.try_next().await, None);
    }
    assert!(retries.len() > 10, "not spread: {retries:?}");
    assert_eq!(stream.next_of("bye").await["reason"], "going_away");
    assert_eq!(stream.try_next().await, None);
    running.await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(10), "the drain took {:?}", started.elapsed());
}
