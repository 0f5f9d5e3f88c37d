//! What the tests say all the time: frames as JSON, clients with short timings, and reading until.

use std::time::Duration;

use serde_json::{Value, json};
use switchback_client::{
    Client, ClientConfig, Credential, EventStream, Handle, Status, Timings, Transport, TransportPolicy,
    Update,
};
use switchback_core::wire::{Command, Event, EventBody};
use switchback_core::{Cursor, Nonce, RoomId};
use tokio::time::timeout;
use uuid::Uuid;

use crate::fake::Fake;

/// Longer than any test waits.
pub(crate) const LONG: Duration = Duration::from_mins(1);
/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(10);

const ME: &str = "00000000-0000-0000-0000-000000000001";
const ROOM: &str = "00000000-0000-0000-0000-000000000002";

pub(crate) fn timings() -> Timings {
    Timings {
        hello_websocket: Duration::from_millis(400),
        hello_sse: Duration::from_millis(800),
        chain: Duration::from_secs(3),
        watchdog: Duration::from_secs(30),
        command_answer: Duration::from_secs(10),
        reconnect_base: Duration::from_millis(10),
        reconnect_max: Duration::from_millis(50),
        transport_memory: LONG,
        probe: LONG,
        probe_soon: LONG,
        batch_wait_s: 5,
    }
}

pub(crate) fn config(fake: &Fake) -> ClientConfig {
    let mut config = ClientConfig::new(fake.url(), Credential::Token("t".to_owned()));
    config.timings = timings();
    config.cursor = Some(cursor("e.0"));
    config
}

pub(crate) fn connect(fake: &Fake) -> (Handle, EventStream) {
    Client::connect(&config(fake)).unwrap()
}

pub(crate) fn connect_by(fake: &Fake, transport: Transport) -> (Handle, EventStream) {
    let config = ClientConfig { transports: TransportPolicy::Only(transport), ..config(fake) };
    Client::connect(&config).unwrap()
}

pub(crate) fn cursor(text: &str) -> Cursor {
    text.parse().unwrap()
}

/// The next update; a test that waits in vain fails.
pub(crate) async fn next(stream: &mut EventStream) -> Update {
    timeout(PATIENCE, stream.next()).await.unwrap().unwrap()
}

/// Reads until an update is the one wanted.
pub(crate) async fn until<T>(stream: &mut EventStream, mut wanted: impl FnMut(&Update) -> Option<T>) -> T {
    loop {
        if let Some(found) = wanted(&next(stream).await) {
            return found;
        }
    }
}

pub(crate) async fn live(stream: &mut EventStream) -> Transport {
    until(stream, |update| match update {
        Update::Status(Status::Live { transport }) => Some(*transport),
        _ => None,
    })
    .await
}

/// The next so many events, with whatever else comes between them.
pub(crate) async fn events(stream: &mut EventStream, count: usize) -> Vec<Event> {
    let mut events = Vec::new();
    while events.len() < count {
        if let Update::Event(event) = next(stream).await {
            events.push(*event);
        }
    }
    events
}

pub(crate) fn seqs(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.seq).collect()
}

pub(crate) fn bodies(events: &[Event]) -> Vec<String> {
    let body = |event: &Event| match &event.body {
        EventBody::MessagePosted { message } => message.body.clone(),
        other => format!("{other:?}"),
    };
    events.iter().map(body).collect()
}

pub(crate) fn post(body: &str) -> Command {
    Command::MessagePost {
        room: RoomId::from_uuid(ROOM.parse().unwrap()),
        nonce: Nonce::from_uuid(Uuid::now_v7()),
        body: body.parse().unwrap(),
        reply_to: None,
    }
}

pub(crate) fn hello(way: &str, epoch: &str, cursor: &str) -> Value {
    json!({
        "type": "hello", "session": ME, "user": ME, "epoch": epoch, "cursor": cursor, "heartbeat_ms": 20_000,
        "transport": way, "version": "0",
        "limits": {"command_bytes": 65_536, "message_body_bytes": 16_000},
    })
}

/// The room's counter equals `seq` in this log.
pub(crate) fn posted(seq: usize, nonce: &str, body: &str) -> Value {
    json!({
        "type": "message.posted", "seq": seq, "n": seq, "room": ROOM, "at": 0, "actor": ME,
        "message": message(seq, nonce, body),
    })
}

pub(crate) fn message(seq: usize, nonce: &str, body: &str) -> Value {
    json!({
        "id": nonce, "room": ROOM, "author": ME, "seq": seq, "at": 0, "edited_at": null, "body": body,
        "html": "", "nonce": nonce, "reply_to": null, "reactions": [], "mentions": [],
        "mentions_room": false, "deleted": false,
    })
}

pub(crate) fn user() -> Value {
    json!({"id": ME, "handle": "ada", "name": "Ada", "role": "owner", "active": true, "created_at": 0})
}

pub(crate) fn snapshot(cursor: &str) -> Value {
    json!({
        "cursor": cursor, "workspace": {"name": "w"}, "me": user(), "users": [user()], "rooms": [],
        "presence": [],
    })
}

pub(crate) fn error(id: &Value, code: &str, retry: bool, retry_after_ms: Option<u64>) -> Value {
    let mut error = json!({"type": "error", "id": id, "code": code, "detail": code, "retry": retry});
    if let Some(ms) = retry_after_ms {
        error["retry_after_ms"] = ms.into();
    }
    error
}

/// The same as a problem.
pub(crate) fn problem(error: &Value) -> Value {
    let mut problem = error.clone();
    problem["type"] = "urn:switchback:error:x".into();
    problem["title"] = "x".into();
    problem["status"] = 503.into();
    problem
}
