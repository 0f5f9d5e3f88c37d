//! What one client did and was told, as it came. It decides nothing: `check` judges.

use serde_json::Value;

use crate::plan::Way;

#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) name: String,
    /// Whose device.
    pub(crate) user: String,
    pub(crate) way: Way,
    /// The snapshot that it began with.
    pub(crate) begun: Value,
    pub(crate) told: Vec<Told>,
    pub(crate) given: Vec<Given>,
    /// What must not come in these runs: a refusal to serve, a frame that cannot be read.
    pub(crate) unwanted: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// Since the run began.
    pub(crate) at_ms: u64,
    pub(crate) what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// A connection began at this cursor.
    Hello(String),
    Event(Value),
    /// Start over, with this snapshot.
    Reset(Value),
}

/// A command and what became of it.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) command: Value,
    /// Of the first answer and of every one after it, where it was sent again on purpose.
    pub(crate) acks: Vec<Ack>,
    /// The server said no, and will say no again.
    pub(crate) refused: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ack {
    /// `None`: it had no effect of its own.
    pub(crate) seq: Option<u64>,
    /// The message that it was about.
    pub(crate) message: Option<String>,
}

impl Given {
    pub(crate) fn kind(&self) -> &str {
        self.text("type")
    }

    pub(crate) fn text(&self, field: &str) -> &str {
        self.command[field].as_str().unwrap_or_default()
    }

    pub(crate) fn settled(&self) -> bool {
        !self.acks.is_empty() || self.refused.is_some()
    }
}

impl Record {
    pub(crate) fn events(&self) -> impl DoubleEndedIterator<Item = &Value> {
        self.told.iter().filter_map(|told| match &told.what {
            What::Event(event) => Some(event),
            _ => None,
        })
    }

    /// The longest time without an event between two times.
    pub(crate) fn silence_ms(&self, from_ms: u64, to_ms: u64) -> u64 {
        let heard = self.told.iter().filter(|told| matches!(told.what, What::Event(_)));
        let within = heard.map(|told| told.at_ms).filter(|at| (from_ms..=to_ms).contains(at));
        let fold = |(longest, last): (u64, u64), at: u64| (longest.max(at - last), at);
        within.chain([to_ms]).fold((0, from_ms), fold).0
    }
}

/// The position in a cursor.
pub(crate) fn seq_of(cursor: &str) -> u64 {
    cursor.split_once('.').and_then(|(_, seq)| seq.parse().ok()).unwrap_or_default()
}
