//! A server of one's own, raw HTTP, raw WebSocket, and proxies that behave badly.

pub(crate) mod base;
pub(crate) mod certificates;
pub(crate) mod http;
#[path = "../../shared/port.rs"]
pub(crate) mod port;
pub(crate) mod proxy;
pub(crate) mod server;
pub(crate) mod websocket;

use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) use http::Connection;
pub(crate) use port::Port;
pub(crate) use server::{Role, Server};
pub(crate) use websocket::WebSocket;

/// What must come comes within this time, a heartbeat too, also on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn new_nonce() -> String {
    Uuid::now_v7().to_string()
}

pub(crate) fn post(id: u64, room: &str, body: &str) -> Value {
    json!({"id": id, "type": "message.post", "room": room, "nonce": new_nonce(), "body": body})
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
