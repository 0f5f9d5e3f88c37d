//! The same scripted conversation over WebSocket, event stream with POST, and batches yields the
//! identical list of events: live as they happen, and again when the log is replayed.

use std::collections::HashMap;

use serde_json::{Value, json};
use switchback_client::{EventStream, Handle, Transport, TransportPolicy, Update};
use switchback_core::wire::{Command, Event};
use switchback_core::{MessageId, Nonce, RoomId};
use tokio::time::timeout;
use uuid::Uuid;

use crate::kit::http::{Events, frames};
use crate::kit::server::Account;
use crate::kit::{PATIENCE, Server, WebSocket};

const WAYS: [Transport; 3] = [Transport::Websocket, Transport::Sse, Transport::Batch];

#[tokio::test]
async fn the_conversation_is_the_same_whatever_carries_it() {
    let mut told = Vec::new();
    for way in WAYS {
        let server = Server::start().await;
        let (ada, bob) = server.people().await;
        let (hers, mut she_sees) = ada.connect(TransportPolicy::Only(way)).await;
        let (his, mut he_sees) = bob.connect(TransportPolicy::Only(way)).await;
        let last = converse(&hers, &his, ada.general().await.parse().unwrap()).await;
        let hers = events_up_to(&mut she_sees, last).await;
        let his = events_up_to(&mut he_sees, last).await;
        assert!(hers.len() > 10, "{way:?}");
        told.push((without_chance(&hers), without_chance(&his)));
    }
    assert_eq!(told[0], told[1], "WebSocket and event stream differ");
    assert_eq!(told[0], told[2], "WebSocket and batches differ");
}

#[tokio::test]
async fn a_replay_is_byte_for_byte_the_same_on_every_way_in() {
    let server = Server::start().await;
    let (ada, bob) = server.people().await;
    let (hers, mut she_sees) = ada.connect(TransportPolicy::Auto).await;
    let (his, _he_sees) = bob.connect(TransportPolicy::Auto).await;
    let last = converse(&hers, &his, ada.general().await.parse().unwrap()).await;
    events_up_to(&mut she_sees, last).await;
    for who in [&ada, &bob] {
        let websocket = replay_websocket(who).await;
        assert!(websocket.len() > 10);
        assert_eq!(websocket, replay_event_stream(who).await);
        assert_eq!(websocket, replay_batches(who).await);
    }
}

/// Everything that two people can do to each other's messages; the `seq` of the last event.
async fn converse(hers: &Handle, his: &Handle, room: RoomId) -> u64 {
    let first = say(hers, room, "Do we ship on *Monday*?", None).await;
    let second = say(his, room, "Yes, @ada. @room: on Monday.", Some(first)).await;
    let edit = Command::MessageEdit { message: second, body: "Yes, on Monday.".parse().unwrap() };
    his.send(edit).await.unwrap();
    for emoji in ["\u{1f44d}", "\u{1f389}"] {
        let add = Command::ReactionAdd { message: second, emoji: emoji.parse().unwrap() };
        hers.send(add.clone()).await.unwrap();
        assert_eq!(hers.send(add).await.unwrap().seq, None, "it is there already");
    }
    let remove = Command::ReactionRemove { message: second, emoji: "\u{1f389}".parse().unwrap() };
    hers.send(remove).await.unwrap();
    let third = say(hers, room, "```rust\nfn main() {}\n```", None).await;
    hers.send(Command::MessageDelete { message: third }).await.unwrap();
    let fourth = hers.send(post(room, "Good.", Some(second))).await.unwrap();
    his.send(Command::ReadMark { room, seq: fourth.seq.unwrap() }).await.unwrap();
    his.send(post(room, "See you.", None)).await.unwrap().seq.unwrap()
}

fn post(room: RoomId, body: &str, reply_to: Option<MessageId>) -> Command {
    let nonce = Nonce::from_uuid(Uuid::now_v7());
    Command::MessagePost { room, nonce, body: body.parse().unwrap(), reply_to }
}

async fn say(handle: &Handle, room: RoomId, body: &str, reply_to: Option<MessageId>) -> MessageId {
    handle.send(post(room, body, reply_to)).await.unwrap().message.unwrap().id
}

async fn events_up_to(stream: &mut EventStream, last: u64) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        if let Update::Event(event) = timeout(PATIENCE, stream.next()).await.unwrap().unwrap() {
            let done = event.seq >= last;
            events.push(*event);
            if done {
                return events;
            }
        }
    }
}

/// Ids and times are different each time: ids become numbers in the order in which they appear, and
/// live events and replayed ones differ in how far a message has come, so only what was said stays.
fn without_chance(events: &[Event]) -> Vec<Value> {
    let mut names = HashMap::new();
    events.iter().map(|event| renamed(&json!(event), &mut names)).collect()
}

fn renamed(value: &Value, names: &mut HashMap<String, usize>) -> Value {
    match value {
        Value::String(text) if Uuid::parse_str(text).is_ok() => {
            let next = names.len();
            json!(*names.entry(text.clone()).or_insert(next))
        }
        Value::Array(values) => values.iter().map(|value| renamed(value, names)).collect(),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| {
                let chance = matches!(name.as_str(), "at" | "edited_at" | "created_at") && value.is_i64();
                // Mentions name people by id inside the HTML.
                let html = name == "html";
                let value = if chance || html { json!("-") } else { renamed(value, names) };
                (name.clone(), value)
            };
            fields.iter().map(field).collect()
        }
        other => other.clone(),
    }
}

fn is_event(frame: &Value) -> bool {
    frame["type"].as_str().is_some_and(|kind| kind.contains('.'))
}

async fn replay_websocket(who: &Account) -> Vec<String> {
    let path = format!("/chat?after={}", who.origin().await);
    let mut socket = WebSocket::open(who.address, &path, &who.authorization()).await;
    let mut events = Vec::new();
    loop {
        let frame = socket.json().await;
        match frame["type"].as_str() {
            Some("ready") => return events,
            _ if is_event(&frame) => events.push(frame.to_string()),
            _ => {}
        }
    }
}

async fn replay_event_stream(who: &Account) -> Vec<String> {
    let path = format!("/chat?after={}", who.origin().await);
    let mut stream = Events::open(who.address, &path, &who.authorization()).await;
    let mut events = Vec::new();
    loop {
        let (frame, id) = stream.next().await.unwrap();
        match frame["type"].as_str() {
            Some("ready") => return events,
            _ if is_event(&frame) => {
                assert!(id.unwrap().ends_with(&format!(".{}", frame["seq"])));
                events.push(frame.to_string());
            }
            _ => {}
        }
    }
}

async fn replay_batches(who: &Account) -> Vec<String> {
    let mut after = who.origin().await;
    let mut events = Vec::new();
    loop {
        let answer = who.get(&format!("/chat?mode=batch&wait=0&after={after}")).await;
        let frames = frames(&answer.body);
        let ready = frames.iter().find(|frame| frame["type"] == "ready").unwrap();
        let brought = frames.iter().filter(|frame| is_event(frame)).count();
        events.extend(frames.iter().filter(|frame| is_event(frame)).map(ToString::to_string));
        if brought == 0 {
            return events;
        }
        ready["cursor"].as_str().unwrap().clone_into(&mut after);
    }
}
