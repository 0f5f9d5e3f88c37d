//! HTTP/2: sockets over extended CONNECT (RFC 8441) and event streams beside each other.

use http_body_util::{BodyExt as _, Full};
use serde_json::json;
use switchback_server::limits;

use crate::kit::{Live, TestServer, post};
use crate::wire::{Wire, extended_connect};

/// A window that a few messages fill.
const SMALL_WINDOW_BYTES: u32 = 4 * 1024;
/// More than every buffer between the two together.
const MANY: usize = 1_000;
const AT_ONCE: usize = 50;

#[tokio::test]
async fn another_protocol_is_not_implemented() {
    let server = TestServer::over(Wire::Http2).await;
    let ada = server.person("ada").await;
    let status = async |protocol| server.request(extended_connect(protocol, &ada.token, "")).await.status();
    assert_eq!(status("connect-udp").await, 501);
    assert_eq!(status("websocket").await, 200);
}

#[tokio::test]
async fn one_connection_carries_many_streams_of_both_kinds() {
    for wire in [Wire::Http2, Wire::TlsHttp2] {
        let server = TestServer::over(wire).await;
        let (ada, bob) = (server.person("ada").await, server.person("bob").await);
        let general = server.general(&ada).await;
        let mut connection = server.http2(65_535).await;
        let mut all = Vec::new();
        for _ in 0..8 {
            all.push(server.websocket_on(&mut connection, &bob, "").await);
            all.push(server.event_stream_on(&mut connection, &bob, "").await);
        }
        for live in &mut all {
            live.next_of("ready").await;
        }
        all[0].send(&post(general, "from one of them")).await;
        assert_eq!(all[0].next_of("ack").await["message"]["body"], "from one of them");
        // One that ends does not take the others along.
        let gone = all.pop();
        drop(gone);
        let seq = server.say(&ada, general, "to all").await["seq"].clone();
        for live in &mut all {
            while live.event().await["seq"] != seq {}
        }
    }
}

#[tokio::test]
async fn a_stream_that_is_read_late_misses_nothing_and_holds_nobody_up() {
    let server = TestServer::over(Wire::Http2).await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let general = server.general(&ada).await;
    let mut connection = server.http2(SMALL_WINDOW_BYTES).await;
    let mut socket = server.websocket_on(&mut connection, &bob, "").await;
    let mut stream = server.event_stream_on(&mut connection, &bob, "").await;
    socket.next_of("ready").await;
    stream.next_of("ready").await;
    let mut prompt = server.websocket(&ada, "").await;
    prompt.next_of("ready").await;
    let mut seqs = Vec::new();
    while seqs.len() < MANY {
        for n in 0..AT_ONCE {
            prompt.send(&post(general, &format!("{n}: {}", "x".repeat(400)))).await;
        }
        for _ in 0..AT_ONCE {
            seqs.push(prompt.next_of("ack").await["seq"].clone());
        }
    }
    for late in [&mut socket, &mut stream] {
        for seq in &seqs {
            assert_eq!(late.event().await["seq"], *seq);
        }
    }
}

#[tokio::test]
async fn every_answer_goes_out_in_pieces_by_which_progress_is_seen() {
    let server = TestServer::over(Wire::Http2).await;
    let request = http::Request::get("/api/v1/openapi.json").header("host", "test");
    let mut body = server.request(request.body(Full::default()).unwrap()).await.into_body();
    let mut pieces = Vec::new();
    while let Some(frame) = body.frame().await {
        pieces.push(frame.unwrap().into_data().unwrap());
    }
    assert!(pieces.len() > 2 && pieces.iter().all(|piece| piece.len() <= limits::HTTP2_CHUNK_BYTES));
    let whole: serde_json::Value = serde_json::from_slice(&pieces.concat()).unwrap();
    assert!(whole["openapi"].is_string());
}

#[tokio::test]
async fn somebody_who_is_no_longer_allowed_is_told_on_every_stream() {
    for wire in [Wire::Http2, Wire::TlsHttp1, Wire::TlsHttp2] {
        let server = TestServer::over(wire).await;
        let (ada, bob) = (server.person("ada").await, server.person("bob").await);
        let mut socket = server.websocket(&bob, "").await;
        let mut stream = server.event_stream(&bob, "").await;
        socket.next_of("ready").await;
        stream.next_of("ready").await;
        let change = switchback_storage::UserChange {
            active: Some(false),
            ..switchback_storage::UserChange::default()
        };
        server.store.update_user(Some(ada.id), bob.id, change).await.unwrap();
        assert_eq!(socket.next_of("bye").await["reason"], "deactivated");
        assert_eq!(socket.next().await, json!({"type": "close", "code": 1008}));
        assert_eq!(socket.try_next().await, None);
        assert_eq!(stream.next_of("bye").await["reason"], "deactivated");
        assert_eq!(stream.try_next().await, None);
    }
}

#[tokio::test]
async fn a_planned_stop_says_bye_on_every_stream() {
    for wire in [Wire::Http2, Wire::TlsHttp1, Wire::TlsHttp2] {
        let mut server = TestServer::over(wire).await;
        let ada = server.person("ada").await;
        let mut socket = server.websocket(&ada, "").await;
        let mut stream = server.event_stream(&ada, "").await;
        socket.next_of("ready").await;
        stream.next_of("ready").await;
        let running = server.stop();
        assert_eq!(socket.next_of("bye").await["reason"], "going_away");
        assert_eq!(socket.next().await, json!({"type": "close", "code": 1001}));
        ended(&mut socket).await;
        assert_eq!(stream.next_of("bye").await["reason"], "going_away");
        ended(&mut stream).await;
        let took = std::time::Instant::now();
        running.await.unwrap();
        assert!(took.elapsed() < std::time::Duration::from_secs(5), "{wire:?}: {:?}", took.elapsed());
    }
}

async fn ended(live: &mut Live) {
    assert_eq!(live.try_next().await, None);
}
