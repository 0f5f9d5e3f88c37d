//! Positions in the log. A cursor is `<epoch>.<seq>`: which history, and how far into it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits;

/// A position in the log: 0 is before the first event, the first event is 1, and there are no gaps.
pub type Seq = u64;

/// Names one history of the log: 1 to 16 lower-case letters and digits. A restored backup or a
/// cut log gets a new one, so that an old cursor cannot be mistaken for a position in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch {
    bytes: [u8; limits::EPOCH_CHARS],
    len: u8,
}

impl Epoch {
    /// The epoch's text.
    pub fn as_str(&self) -> &str {
        // Only ASCII is ever stored, so this cannot fail; an empty text is the harmless answer.
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }
}

/// Why a text is not an [`Epoch`] or a [`Cursor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a cursor is `<epoch>.<seq>`: 1 to 16 letters a-z or digits, a dot, a number")]
pub struct BadCursor;

impl FromStr for Epoch {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if text.is_empty() || text.len() > limits::EPOCH_CHARS || !text.bytes().all(valid) {
            return Err(BadCursor);
        }
        let mut bytes = [0; limits::EPOCH_CHARS];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        let len = u8::try_from(text.len()).map_err(|_| BadCursor)?;
        Ok(Self { bytes, len })
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Epoch({self})")
    }
}

/// How far a reader has come: everything up to and including `seq` of the history `epoch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// Which history.
    pub epoch: Epoch,
    /// The last event seen.
    pub seq: Seq,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.seq)
    }
}

impl FromStr for Cursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        let (epoch, seq) = text.split_once('.').ok_or(BadCursor)?;
        // `u64::from_str` would take a leading `+`; a cursor has exactly one spelling.
        if seq.is_empty() || !seq.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BadCursor);
        }
        if seq.len() > 1 && seq.starts_with('0') {
            return Err(BadCursor);
        }
        // The database keeps `seq` as a signed 64-bit integer.
        let seq: Seq = seq.parse().map_err(|_| BadCursor)?;
        if i64::try_from(seq).is_err() {
            return Err(BadCursor);
        }
        Ok(Self { epoch: epoch.parse()?, seq })
    }
}

macro_rules! serde_as_text {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Cursor {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        <String as utoipa::PartialSchema>::schema()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Cursor {}

serde_as_text!(Epoch);
serde_as_text!(Cursor);
