//! The fields of a command, taken one by one, so that each error can name the field at fault and
//! say what would be right. A derived `Deserialize` would be shorter and know neither.
//!
//! The whole text is read into a tree first: at most `limits::COMMAND_BYTES`, and of bounded
//! depth. Of duplicate keys the last wins, unknown ones are never looked at, `null` is absent.

use std::str::FromStr;

use serde_json::{Map, Value};

use super::{CommandError, CommandId, ErrorCode};
use crate::text::BadText;
use crate::{Seq, limits};

/// A JSON object whose fields are being taken.
pub(super) struct Fields(Map<String, Value>);

/// Field `name` has the wrong type or a value that is not allowed; `rule` completes the sentence.
pub(super) fn bad(name: &str, rule: &str) -> CommandError {
    CommandError::new(ErrorCode::BadRequest, format!("`{name}` {rule}")).with_field(name)
}

impl Fields {
    /// Reads a JSON object.
    pub(super) fn parse(json: &[u8]) -> Result<Self, CommandError> {
        if json.len() > limits::COMMAND_BYTES {
            let detail = format!(
                "a command is too long: {} bytes, the limit is {}",
                json.len(),
                limits::COMMAND_BYTES
            );
            return Err(CommandError::new(ErrorCode::TooLong, detail));
        }
        match serde_json::from_slice(json) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(other) => {
                let detail =
                    format!("a command is a JSON object such as {{\"type\":\"ping\"}}, not {}", kind(&other));
                Err(CommandError::new(ErrorCode::BadJson, detail))
            }
            // The parser's sentence ends in line and column and never quotes a text.
            Err(error) => {
                Err(CommandError::new(ErrorCode::BadJson, format!("a command is a JSON object: {error}")))
            }
        }
    }

    /// The command's `id`.
    pub(super) fn id(&mut self) -> Result<Option<CommandId>, CommandError> {
        match self.take("id") {
            None => Ok(None),
            Some(Value::String(text)) if text.len() <= limits::COMMAND_ID_BYTES => {
                Ok(Some(CommandId::Text(text)))
            }
            Some(Value::Number(number)) if number.is_i64() => Ok(number.as_i64().map(CommandId::Number)),
            Some(_) => {
                let rule = format!(
                    "must be a text of at most {} bytes or a whole number of 64 bits with sign",
                    limits::COMMAND_ID_BYTES
                );
                Err(bad("id", &rule))
            }
        }
    }

    /// A text; `what` says which are right.
    pub(super) fn text(&mut self, name: &str, what: &str) -> Result<String, CommandError> {
        match self.required(name, what)? {
            Value::String(text) => Ok(text),
            other => Err(bad(name, &format!("must be {what}, not {}", kind(&other)))),
        }
    }

    /// A text with rules of its own.
    pub(super) fn checked<T>(
        &mut self,
        name: &str,
        what: &str,
        check: fn(&str) -> Result<T, BadText>,
    ) -> Result<T, CommandError> {
        check(&self.text(name, what)?).map_err(|refused| {
            let code = if refused.is_too_long() { ErrorCode::TooLong } else { ErrorCode::BadRequest };
            CommandError::new(code, format!("`{name}` {refused}")).with_field(name)
        })
    }

    /// An id of something.
    pub(super) fn id_of<T: FromStr>(&mut self, name: &str) -> Result<T, CommandError> {
        const WHAT: &str = "a UUID such as \"01890a5d-ac96-774b-bcce-b302099a8057\"";
        self.text(name, WHAT)?.parse().map_err(|_| bad(name, &format!("must be {WHAT}")))
    }

    /// A position in the log; the database keeps it as a signed 64-bit integer.
    pub(super) fn seq(&mut self, name: &str) -> Result<Seq, CommandError> {
        const WHAT: &str = "a whole number, 0 or more: a position in the log";
        self.required(name, WHAT)?
            .as_i64()
            .and_then(|seq| Seq::try_from(seq).ok())
            .ok_or_else(|| bad(name, &format!("must be {WHAT}")))
    }

    /// A field that may be left out.
    pub(super) fn optional<T>(
        &mut self,
        name: &str,
        take: fn(&mut Self, &str) -> Result<T, CommandError>,
    ) -> Result<Option<T>, CommandError> {
        if self.0.get(name).is_none_or(Value::is_null) {
            return Ok(None);
        }
        take(self, name).map(Some)
    }

    fn required(&mut self, name: &str, what: &str) -> Result<Value, CommandError> {
        self.take(name).ok_or_else(|| bad(name, &format!("is missing; it must be {what}")))
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
