//! A scripted conversation of two people, for every test that asks whether it is the same elsewhere:
//! on another way in, through a proxy, on another database.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};
use switchback_client::{EventStream, Handle, Update};
use switchback_core::wire::{Ack, Command, Event};
use switchback_core::{MessageId, Nonce, RoomId};
use tokio::time::timeout;
use uuid::Uuid;

/// What must come comes within this time, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Somebody who talks and listens.
pub(crate) struct Talker {
    handle: Handle,
    stream: EventStream,
    events: Vec<Event>,
}

impl Talker {
    pub(crate) fn new(handle: Handle, stream: EventStream) -> Self {
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
pub(crate) async fn converse(room: RoomId, mut ada: Talker, mut bob: Talker) -> (Vec<Event>, Vec<Event>) {
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

/// What is the same in every run: ids become numbers in the order in which they appear, positions
/// count from the first one, times are left out.
pub(crate) fn without_chance(events: &[Event]) -> Vec<Value> {
    let first = |position: fn(&Event) -> Option<u64>| events.iter().find_map(position).unwrap_or_default();
    let mut names =
        Names { seq: first(|event| Some(event.seq)), n: first(|event| event.n), ids: HashMap::new() };
    events.iter().map(|event| names.renamed("", &json!(event))).collect()
}

struct Names {
    seq: u64,
    n: u64,
    ids: HashMap<String, usize>,
}

impl Names {
    fn renamed(&mut self, name: &str, value: &Value) -> Value {
        match value {
            // Mentions name people by id inside the HTML.
            _ if name == "html" => json!("-"),
            Value::Number(_) if matches!(name, "at" | "edited_at" | "created_at") => json!("-"),
            Value::Number(seq) if matches!(name, "seq" | "read_seq") => {
                json!(seq.as_u64().unwrap() - self.seq)
            }
            Value::Number(n) if name == "n" => json!(n.as_u64().unwrap() - self.n),
            Value::String(text) if Uuid::parse_str(text).is_ok() => {
                let next = self.ids.len();
                json!(*self.ids.entry(text.clone()).or_insert(next))
            }
            Value::Array(values) => values.iter().map(|value| self.renamed("", value)).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(name, value)| (name.clone(), self.renamed(name, value))).collect()
            }
            other => other.clone(),
        }
    }
}
