//! What is so in the end: the database's file, read by another program than the product (Python's
//! `sqlite3`), and what the server tells each person afresh.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

/// The truth about a workspace.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Truth {
    pub(crate) events: Vec<Event>,
    pub(crate) messages: Vec<Message>,
    pub(crate) reactions: Vec<(String, String, String)>,
    /// Room, person, up to where.
    pub(crate) reads: Vec<(String, String, u64)>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Event {
    pub(crate) seq: u64,
    pub(crate) kind: String,
    pub(crate) room: Option<String>,
    pub(crate) actor: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) n: Option<u64>,
    pub(crate) detail: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Message {
    pub(crate) seq: u64,
    pub(crate) id: String,
    pub(crate) room: String,
    pub(crate) author: String,
    pub(crate) nonce: String,
    pub(crate) body: String,
    pub(crate) deleted_seq: Option<u64>,
}

impl Truth {
    pub(crate) async fn read(data_dir: &Path) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/faults/truth.py");
        let file = data_dir.join("switchback.db");
        let text = crate::server::run("python3", &[script, file.to_str().unwrap()]).await;
        serde_json::from_str(&text).unwrap()
    }

    /// Whether this person is shown this event. All are in all rooms.
    pub(crate) fn shows(event: &Event, user: &str) -> bool {
        event.kind != "read.marked" || event.actor.as_deref() == Some(user)
    }
}

/// What a person gets who comes in now.
#[derive(Debug, Clone)]
pub(crate) struct Fresh {
    pub(crate) snapshot: Value,
    /// Every message that there is, by the pages of the history.
    pub(crate) messages: Vec<Value>,
}
