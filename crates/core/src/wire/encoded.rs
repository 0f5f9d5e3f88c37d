//! Histories of messages that were encoded before: read and encoded once, and sent to many.

use std::ops::Range;
use std::sync::Arc;

use super::Message;

/// Messages of a room that follow each other, encoded once for as many answers as they will be in.
#[derive(Debug)]
pub struct EncodedMessages {
    /// With commas between them.
    json: Arc<[u8]>,
    /// Where in it each of them ends.
    ends: Vec<usize>,
}

/// Some of them, side by side.
#[derive(Debug, Clone)]
pub struct EncodedStretch {
    json: Arc<[u8]>,
    bytes: Range<usize>,
}

impl EncodedMessages {
    /// Encodes them.
    pub fn of(messages: &[Message]) -> Result<Self, serde_json::Error> {
        let (mut json, mut ends) = (Vec::new(), Vec::with_capacity(messages.len()));
        for message in messages {
            if !json.is_empty() {
                json.push(b',');
            }
            serde_json::to_writer(&mut json, message)?;
            ends.push(json.len());
        }
        Ok(Self { json: json.into(), ends })
    }

    /// The length of their text, in bytes.
    pub fn size_bytes(&self) -> usize {
        self.json.len()
    }

    /// Those at these places, which must be there.
    pub fn stretch(&self, places: Range<usize>) -> EncodedStretch {
        debug_assert!(places.end <= self.ends.len(), "{places:?} of {}", self.ends.len());
        let end = |place: usize| self.ends.get(place).copied().unwrap_or_default();
        let bytes = match places {
            Range { start, end: after } if start >= after => 0..0,
            Range { start: 0, end: after } => 0..end(after - 1),
            Range { start, end: after } => end(start - 1) + 1..end(after - 1),
        };
        EncodedStretch { json: Arc::clone(&self.json), bytes }
    }

    /// The same as messages of their own.
    #[must_use]
    pub fn part(&self, places: Range<usize>) -> Self {
        if places == (0..self.ends.len()) {
            return Self { json: Arc::clone(&self.json), ends: self.ends.clone() };
        }
        let stretch = self.stretch(places.clone());
        let from = stretch.bytes.start;
        let ends = self.ends.get(places).unwrap_or_default();
        Self { json: stretch.text().into(), ends: ends.iter().map(|end| end - from).collect() }
    }

    /// These, and then others. Both are some.
    #[must_use]
    pub fn then(&self, others: &Self) -> Self {
        let from = self.json.len() + 1;
        let ends = self.ends.iter().copied().chain(others.ends.iter().map(|end| from + end));
        Self { json: [&*self.json, &*others.json].join(&b',').into(), ends: ends.collect() }
    }
}

impl EncodedStretch {
    fn text(&self) -> &[u8] {
        self.json.get(self.bytes.clone()).unwrap_or_default()
    }
}

/// A [`History`](super::History) whose messages are encoded already.
#[derive(Debug, Clone)]
pub struct EncodedHistory {
    /// The messages, in stretches that follow each other; none of them is empty.
    pub messages: Vec<EncodedStretch>,
    /// Whether there are older ones.
    pub has_before: bool,
    /// Whether there are newer ones.
    pub has_after: bool,
}

/// How a history begins.
const START: &[u8] = b"{\"messages\":[";

impl EncodedHistory {
    /// The same bytes as of the [`History`](super::History) with these messages.
    pub fn encode(&self) -> Vec<u8> {
        let Self { messages, has_before, has_after } = self;
        let end = format!("],\"has_before\":{has_before},\"has_after\":{has_after}}}");
        let messages_bytes = messages.iter().map(|stretch| stretch.bytes.len() + 1).sum::<usize>();
        let mut json = Vec::with_capacity(START.len() + messages_bytes + end.len());
        json.extend_from_slice(START);
        for (place, stretch) in messages.iter().enumerate() {
            if place > 0 {
                json.push(b',');
            }
            json.extend_from_slice(stretch.text());
        }
        json.extend_from_slice(end.as_bytes());
        json
    }
}
