//! The least program that keeps a workspace up to date from a snapshot and events, as the protocol's
//! page says it: a reference beside the web client's reducer, for clients that have none.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::record::{Record, What};
use crate::truth::Fresh;

/// Rooms and messages, by their ids.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct State {
    me: String,
    rooms: BTreeMap<String, Value>,
    messages: BTreeMap<String, Value>,
}

/// What is kept of a room.
const ROOM: [&str; 8] = ["name", "topic", "archived", "n", "last_seq", "read_seq", "unread", "mentions"];
/// What is kept of a message beside its reactions.
const MESSAGE: [&str; 10] =
    ["id", "room", "author", "seq", "at", "edited_at", "body", "html", "nonce", "deleted"];

fn kept(thing: &Value, fields: &[&str]) -> Value {
    fields
        .iter()
        .map(|field| ((*field).to_owned(), thing[*field].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn message(of: &Value) -> Value {
    let mut message = kept(of, &MESSAGE);
    let pairs = of["reactions"].as_array().into_iter().flatten().flat_map(|reaction| {
        let users = reaction["users"].as_array().into_iter().flatten();
        users.map(|user| format!("{} {}", text(&reaction["emoji"]), text(user)))
    });
    let mut pairs: Vec<String> = pairs.collect();
    pairs.sort();
    message["reactions"] = json!(pairs);
    message
}

impl State {
    pub(crate) fn of(snapshot: &Value, messages: &[Value]) -> Self {
        let rooms = snapshot["rooms"].as_array().into_iter().flatten();
        Self {
            me: text(&snapshot["me"]["id"]),
            rooms: rooms.map(|room| (text(&room["id"]), kept(room, &ROOM))).collect(),
            messages: messages.iter().map(|of| (text(&of["id"]), message(of))).collect(),
        }
    }

    /// `None` where a client was told to start over: its older messages are to be loaded again.
    pub(crate) fn replayed(record: &Record) -> Option<Self> {
        let mut state = Self::of(&record.begun, &[]);
        for told in &record.told {
            match &told.what {
                What::Event(event) => state.event(event),
                What::Reset(_) => return None,
                What::Hello(_) => {}
            }
        }
        Some(state)
    }

    pub(crate) fn fresh(fresh: &Fresh) -> Self {
        Self::of(&fresh.snapshot, &fresh.messages)
    }

    /// What is not the same, in a few words.
    pub(crate) fn difference(&self, other: &Self) -> Option<String> {
        let pairs = [(&self.rooms, &other.rooms), (&self.messages, &other.messages)];
        for (ours, theirs) in pairs {
            let keys = ours.keys().chain(theirs.keys());
            if let Some(key) = keys.into_iter().find(|key| ours.get(*key) != theirs.get(*key)) {
                let show = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
                return Some(format!("replayed {}, fresh {}", show(ours.get(key)), show(theirs.get(key))));
            }
        }
        None
    }

    fn event(&mut self, event: &Value) {
        let kind = text(&event["type"]);
        let Some(room) = self.rooms.get_mut(&text(&event["room"])) else { return };
        if event["n"].is_u64() {
            room["n"] = event["n"].clone();
        }
        if kind == "read.marked" {
            for field in ["read_seq", "unread", "mentions"] {
                room[field] = event[field].clone();
            }
        }
        let of = &event["message"];
        let unread = of["author"] != *self.me && of["seq"].as_u64() > room["read_seq"].as_u64();
        let count = room["unread"].as_u64().unwrap_or_default();
        match kind.as_str() {
            "message.posted" => {
                room["last_seq"] = of["seq"].clone();
                room["unread"] = (count + u64::from(unread)).into();
                self.messages.insert(text(&of["id"]), message(of));
            }
            "message.deleted" => {
                room["unread"] = (count - u64::from(unread)).into();
                self.messages.insert(text(&of["id"]), message(of));
            }
            "message.edited" => {
                // It carries the message as it stood when it was rendered; reactions go by their own.
                let old = self.messages.get(&text(&of["id"]));
                let mut new = message(of);
                if let Some(old) = old {
                    if old["deleted"] == true || old["edited_at"].as_u64() > of["edited_at"].as_u64() {
                        return;
                    }
                    new["reactions"] = old["reactions"].clone();
                }
                self.messages.insert(text(&of["id"]), new);
            }
            "reaction.added" | "reaction.removed" => self.reaction(event, kind == "reaction.added"),
            _ => {}
        }
    }

    fn reaction(&mut self, event: &Value, is_there: bool) {
        let Some(message) = self.messages.get_mut(&text(&event["message"])) else { return };
        let pair = json!(format!("{} {}", text(&event["emoji"]), text(&event["user"])));
        let Some(pairs) = message["reactions"].as_array_mut() else { return };
        pairs.retain(|other| *other != pair);
        if is_there && message["deleted"] == false {
            message["reactions"].as_array_mut().unwrap().push(pair);
            message["reactions"].as_array_mut().unwrap().sort_by_key(text);
        }
    }
}
