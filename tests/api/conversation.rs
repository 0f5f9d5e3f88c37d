//! The same scripted conversation over WebSocket, event stream with POST, and batches yields the
//! identical list of events: live as they happen, and again when the log is replayed.

use std::collections::HashMap;

use serde_json::{Value, json};
use switchback_client::{EventStream, Handle, Transport, TransportPolicy, Update};
use switchback_core::wire::{Ack, Command, Event};
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
        let (hers, his) = converse(&ada, &bob, TransportPolicy::Only(way)).await;
        assert!(hers.len() > 10 && his.len() > 10, "{way:?}");
        told.push((without_chance(&hers), without_chance(&his)));
    }
    assert_eq!(told[0], told[1], "WebSocket and event stream differ");
    assert_eq!(told[0], told[2], "WebSocket and batches differ");
}

#[tokio::test]
async fn a_replay_is_byte_for_byte_the_same_on_every_way_in() {
    let server = Server::start().await;
    let (ada, bob) = server.people().await;
    converse(&ada, &bob, TransportPolicy::Auto).await;
    for who in [&ada, &bob] {
        let websocket = replay_websocket(who).await;
        assert!(websocket.len() > 10);
        assert_eq!(websocket, replay_event_stream(who).await);
        assert_eq!(websocket, replay_batches(who).await);
    }
}

/// Somebody who talks and listens.
struct Talker {
    handle: Handle,
    stream: EventStream,
    events: Vec<Event>,
}

impl Talker {
    async fn connect(who: &Account, transports: TransportPolicy) -> Self {
        let (handle, stream) = who.connect(transports).await;
        Self { handle, stream, events: Vec::new() }
    }

    /// Reads on to this event.
    async fn hears(&mut self, seq: u64) {
        while self.events.last().is_none_or(|event| event.seq < seq) {
            if let Update::Event(event) = timeout(PATIENCE, self.stream.next()).await.unwrap().unwrap() {
                self.events.push(*event);
            }
        }
    }
}

/// A command that both hear of before the next one is given: an event shows its message as it stands
/// when it is sent, and the message must stand the same each time.
async fn step(speaker: &mut Talker, listener: &mut Talker, command: Command) -> Ack {
    let ack = speaker.handle.send(command).await.unwrap();
    if let Some(seq) = ack.seq {
        speaker.hears(seq).await;
        listener.hears(seq).await;
    }
    ack
}

/// Everything that two people can do to each other's messages; what each of them heard.
async fn converse(ada: &Account, bob: &Account, transports: TransportPolicy) -> (Vec<Event>, Vec<Event>) {
    let room: RoomId = ada.general().await.parse().unwrap();
    let mut ada = Talker::connect(ada, transports).await;
    let mut bob = Talker::connect(bob, transports).await;
    let (ada, bob) = (&mut ada, &mut bob);
    let first = said(&step(ada, bob, post(room, "Do we ship on *Monday*?", None)).await);
    let second = said(&step(bob, ada, post(room, "Yes, @ada. @room: on Monday.", Some(first))).await);
    step(bob, ada, Command::MessageEdit { message: second, body: "Yes, on Monday.".parse().unwrap() }).await;
    for emoji in ["\u{1f44d}", "\u{1f389}"] {
        let add = Command::ReactionAdd { message: second, emoji: emoji.parse().unwrap() };
        step(ada, bob, add.clone()).await;
        assert_eq!(step(ada, bob, add).await.seq, None, "it is there already");
    }
    let remove = Command::ReactionRemove { message: second, emoji: "\u{1f389}".parse().unwrap() };
    step(ada, bob, remove).await;
    let third = said(&step(ada, bob, post(room, "```rust\nfn main() {}\n```", None)).await);
    step(ada, bob, Command::MessageDelete { message: third }).await;
    let fourth = step(ada, bob, post(room, "Good.", Some(second))).await;
    // Only he hears of what he has read.
    let read = Command::ReadMark { room, seq: fourth.seq.unwrap() };
    let read = bob.handle.send(read).await.unwrap().seq.unwrap();
    bob.hears(read).await;
    step(bob, ada, post(room, "See you.", None)).await;
    (std::mem::take(&mut ada.events), std::mem::take(&mut bob.events))
}

fn post(room: RoomId, body: &str, reply_to: Option<MessageId>) -> Command {
    let nonce = Nonce::from_uuid(Uuid::now_v7());
    Command::MessagePost { room, nonce, body: body.parse().unwrap(), reply_to }
}

fn said(ack: &Ack) -> MessageId {
    ack.message.as_ref().unwrap().id
}

/// Ids and times are different each time: ids become numbers in the order in which they appear.
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
