//! The fields of a command, taken one by one, so that each error can name the field at fault and
//! say what would be right. A derived `Deserialize` would be shorter and know neither.
//!
//! The whole text is read first: at most `limits::COMMAND_BYTES`, and of bounded depth. Of duplicate
//! keys the last wins, unknown ones are never looked at, `null` is absent.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{CommandError, CommandId, ErrorCode};
use crate::text::BadText;
use crate::{Seq, limits};

/// Fields of an ordinary command.
const USUAL_FIELDS: usize = 8;

/// A JSON object whose fields are being taken.
pub(super) struct Fields<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

/// As much of a JSON value as a command may have for a field; a text is where it was read, unless it
/// has escapes.
enum Value<'a> {
    Null,
    Bool,
    /// With the number, if it is a whole one of 64 bits with sign.
    Number(Option<i64>),
    Text(Cow<'a, str>),
    List,
    Object,
}

/// Field `name` has the wrong type or a value that is not allowed; `rule` completes the sentence.
pub(super) fn bad(name: &str, rule: &str) -> CommandError {
    CommandError::new(ErrorCode::BadRequest, format!("`{name}` {rule}")).with_field(name)
}

impl<'a> Fields<'a> {
    /// Reads a JSON object.
    pub(super) fn parse(json: &'a [u8]) -> Result<Self, CommandError> {
        if json.len() > limits::COMMAND_BYTES {
            let detail = format!(
                "a command is too long: {} bytes, the limit is {}",
                json.len(),
                limits::COMMAND_BYTES
            );
            return Err(CommandError::new(ErrorCode::TooLong, detail));
        }
        let mut fields = Vec::with_capacity(USUAL_FIELDS);
        let mut reader = serde_json::Deserializer::from_slice(json);
        let read = reader.deserialize_any(Any { into: Some(&mut fields) });
        match read.and_then(|value| reader.end().map(|()| value)) {
            Ok(Value::Object) => Ok(Self(fields)),
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
            Some(Value::Text(text)) if text.len() <= limits::COMMAND_ID_BYTES => {
                Ok(Some(CommandId::Text(text.into_owned())))
            }
            Some(Value::Number(Some(number))) => Ok(Some(CommandId::Number(number))),
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
    pub(super) fn text(&mut self, name: &str, what: &str) -> Result<Cow<'a, str>, CommandError> {
        match self.required(name, what)? {
            Value::Text(text) => Ok(text),
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
        match self.required(name, WHAT)? {
            Value::Number(Some(seq)) => Seq::try_from(seq).ok(),
            _ => None,
        }
        .ok_or_else(|| bad(name, &format!("must be {WHAT}")))
    }

    /// A field that may be left out.
    pub(super) fn optional<T>(
        &mut self,
        name: &str,
        take: fn(&mut Self, &str) -> Result<T, CommandError>,
    ) -> Result<Option<T>, CommandError> {
        if self.find(name).is_none_or(|at| matches!(self.0[at].1, Value::Null)) {
            return Ok(None);
        }
        take(self, name).map(Some)
    }

    fn required(&mut self, name: &str, what: &str) -> Result<Value<'a>, CommandError> {
        self.take(name).ok_or_else(|| bad(name, &format!("is missing; it must be {what}")))
    }

    fn take(&mut self, name: &str) -> Option<Value<'a>> {
        let at = self.find(name)?;
        match std::mem::replace(&mut self.0[at].1, Value::Null) {
            Value::Null => None,
            value => Some(value),
        }
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.0.iter().rposition(|(field, _)| field == name)
    }
}

fn kind(value: &Value<'_>) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool => "true or false",
        Value::Number(_) => "a number",
        Value::Text(_) => "a text",
        Value::List => "a list",
        Value::Object => "an object",
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any { into: None })
    }
}

/// Any value. What an object has goes into a list, if there is one.
struct Any<'l, 'de> {
    into: Option<&'l mut Vec<(Cow<'de, str>, Value<'de>)>>,
}

impl<'de> Visitor<'de> for Any<'_, 'de> {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value<'de>, E> {
        Ok(Value::Bool)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value<'de>, E> {
        Ok(Value::Number(Some(number)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value<'de>, E> {
        Ok(Value::Number(number.try_into().ok()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value<'de>, E> {
        Ok(Value::Number(None))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value<'de>, A::Error> {
        while list.next_element::<Value<'de>>()?.is_some() {}
        Ok(Value::List)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<Value<'de>, A::Error> {
        while let Some((name, value)) = object.next_entry::<Value<'de>, Value<'de>>()? {
            if let (Value::Text(name), Some(fields)) = (name, &mut self.into) {
                fields.push((name, value));
            }
        }
        Ok(Value::Object)
    }
}
