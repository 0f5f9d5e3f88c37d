//! Texts with rules: a value of one of these types is valid, so nobody checks again.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits;

mod emoji;
#[cfg(test)]
mod tests;

/// Why a text was refused; the sentence says what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadText {
    /// Nothing but white space.
    #[error("must not be empty")]
    Empty,
    /// Over its limit.
    #[error("is too long: {actual} {unit}, the limit is {limit}")]
    TooLong {
        /// What was sent.
        actual: usize,
        /// What is allowed.
        limit: usize,
        /// `bytes` or `characters`.
        unit: &'static str,
    },
    /// Under its limit.
    #[error("is too short: at least {0} characters")]
    TooShort(usize),
    /// Breaks a rule of its own.
    #[error("{0}")]
    Malformed(&'static str),
}

impl BadText {
    /// Whether this is a matter of length (413 and `too_long`) rather than of form.
    pub const fn is_too_long(&self) -> bool {
        matches!(self, Self::TooLong { .. })
    }
}

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Checks and takes a text.
            pub fn new(text: &str) -> Result<Self, BadText> {
                $check(text).map(Self)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadText;

            fn from_str(text: &str) -> Result<Self, BadText> {
                Self::new(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                <String as utoipa::PartialSchema>::schema()
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {}
    };
}

macro_rules! shown {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), self.0)
            }
        }
    };
}

macro_rules! hidden {
    ($name:ident) => {
        /// Never shows the text: it must not reach a log.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({} bytes)"), self.0.len())
            }
        }
    };
}

text_type!(
    /// How people call each other: `@ada`. 1 to 32 of `a-z 0-9 . _ -`, beginning with a letter or
    /// digit and ending with one, kept in lower case. `room` is taken by the mention of everybody.
    Handle,
    check_handle
);
text_type!(
    /// A person's name as shown.
    DisplayName,
    check_display_name
);
text_type!(
    /// The workspace's name as shown.
    WorkspaceName,
    check_workspace_name
);
text_type!(
    /// A room's name as shown after `#`; unique among rooms without regard to ASCII case.
    RoomName,
    check_room_name
);
text_type!(
    /// A room's topic: one line, may be empty.
    Topic,
    check_topic
);
text_type!(
    /// What a token is for: one line.
    Label,
    check_label
);
text_type!(
    /// What somebody wrote, as Markdown: not blank, at most [`limits::MESSAGE_BODY_BYTES`]. Line
    /// ends are `\n`, trailing white space is cut.
    MessageBody,
    check_message_body
);
text_type!(
    /// One emoji of a reaction, as Unicode text.
    Emoji,
    check_emoji
);
text_type!(
    /// A password as typed.
    Password,
    check_password
);

shown!(Handle);
shown!(DisplayName);
shown!(WorkspaceName);
shown!(RoomName);
shown!(Topic);
shown!(Label);
shown!(Emoji);
hidden!(MessageBody);
hidden!(Password);

fn check_handle(text: &str) -> Result<String, BadText> {
    const RULE: BadText = BadText::Malformed(
        "may hold letters a-z, digits, dot, underscore and hyphen, and begins and ends with a letter or digit",
    );
    let text = text.trim().to_ascii_lowercase();
    at_most_chars(&text, limits::HANDLE_CHARS)?;
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    if text.is_empty() {
        return Err(BadText::Empty);
    }
    if !text.chars().all(inner) || !edge(text.chars().next()) || !edge(text.chars().last()) {
        return Err(RULE);
    }
    if text == "room" {
        return Err(BadText::Malformed("`room` is reserved: @room mentions everybody"));
    }
    Ok(text)
}

fn check_display_name(text: &str) -> Result<String, BadText> {
    one_line(text, limits::DISPLAY_NAME_CHARS)
}

fn check_workspace_name(text: &str) -> Result<String, BadText> {
    one_line(text, limits::WORKSPACE_NAME_CHARS)
}

fn check_room_name(text: &str) -> Result<String, BadText> {
    let sign = |c: char| c == '#' || c.is_whitespace();
    one_line(text.trim_start_matches(sign), limits::ROOM_NAME_CHARS)
}

fn check_topic(text: &str) -> Result<String, BadText> {
    if text.trim().is_empty() {
        return Ok(String::new());
    }
    one_line(text, limits::TOPIC_CHARS)
}

fn check_label(text: &str) -> Result<String, BadText> {
    one_line(text, limits::LABEL_CHARS)
}

fn check_message_body(text: &str) -> Result<String, BadText> {
    if text.len() > limits::MESSAGE_BODY_BYTES {
        return Err(BadText::TooLong {
            actual: text.len(),
            limit: limits::MESSAGE_BODY_BYTES,
            unit: "bytes",
        });
    }
    if text.contains('\0') {
        return Err(BadText::Malformed("must not contain the character U+0000"));
    }
    let text = if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(text)
    };
    let text = text.trim_end();
    if text.trim().is_empty() {
        return Err(BadText::Empty);
    }
    Ok(text.to_owned())
}

fn check_emoji(text: &str) -> Result<String, BadText> {
    if text.is_empty() {
        return Err(BadText::Empty);
    }
    if text.len() > limits::EMOJI_BYTES {
        return Err(BadText::TooLong { actual: text.len(), limit: limits::EMOJI_BYTES, unit: "bytes" });
    }
    if !emoji::is_one(text) {
        return Err(BadText::Malformed("must be one emoji"));
    }
    Ok(text.to_owned())
}

fn check_password(text: &str) -> Result<String, BadText> {
    if text.chars().count() < limits::PASSWORD_MIN_CHARS {
        return Err(BadText::TooShort(limits::PASSWORD_MIN_CHARS));
    }
    if text.len() > limits::PASSWORD_MAX_BYTES {
        return Err(BadText::TooLong {
            actual: text.len(),
            limit: limits::PASSWORD_MAX_BYTES,
            unit: "bytes",
        });
    }
    Ok(text.to_owned())
}

fn one_line(text: &str, limit: usize) -> Result<String, BadText> {
    let text = text.trim();
    if text.is_empty() {
        return Err(BadText::Empty);
    }
    at_most_chars(text, limit)?;
    // Direction overrides let one person's name swallow its surroundings.
    let bad = |c: char| {
        c.is_control()
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
    };
    if text.chars().any(bad) {
        return Err(BadText::Malformed("must be one line without control characters"));
    }
    Ok(text.to_owned())
}

fn at_most_chars(text: &str, limit: usize) -> Result<(), BadText> {
    let actual = text.chars().count();
    if actual > limit {
        return Err(BadText::TooLong { actual, limit, unit: "characters" });
    }
    Ok(())
}
