//! Errors as peers see them: `error` frames on a WebSocket, RFC 9457 problems over HTTP.

use serde::{Deserialize, Serialize};

use super::CommandId;

/// What went wrong, for programs. Each has one HTTP status and one answer to "try again?".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Not JSON, or not a JSON object.
    BadJson,
    /// A field is missing or has the wrong type or a value that is not allowed; `field` names it.
    BadRequest,
    /// No such command.
    UnknownCommand,
    /// No or no valid credential.
    Unauthorized,
    /// Known, but not allowed.
    Forbidden,
    /// Does not exist, or the asker may not know that it does.
    NotFound,
    /// Contradicts what is there: a nonce with another body, a name that is taken.
    Conflict,
    /// Was there, is used up or expired.
    Gone,
    /// Over a limit; `detail` says which.
    TooLong,
    /// Too often; wait `retry_after_ms`.
    RateLimited,
    /// Cannot be done now (disk full, shutting down); nothing was written.
    Unavailable,
    /// A defect of the server; it is in its log.
    Internal,
}

impl ErrorCode {
    /// The HTTP status (RFC 9110 15).
    pub const fn status(self) -> u16 {
        match self {
            Self::BadJson | Self::UnknownCommand => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::Gone => 410,
            Self::TooLong => 413,
            Self::BadRequest => 422,
            Self::RateLimited => 429,
            Self::Internal => 500,
            Self::Unavailable => 503,
        }
    }

    /// Whether the same request may succeed later.
    pub const fn retry(self) -> bool {
        matches!(self, Self::RateLimited | Self::Unavailable | Self::Internal)
    }

    /// Whether the peer did not speak the protocol, rather than ask for what cannot be.
    pub const fn is_malformed(self) -> bool {
        matches!(self, Self::BadJson | Self::BadRequest | Self::UnknownCommand)
    }

    /// A short title for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::BadJson => "Not a JSON object",
            Self::BadRequest => "A field is missing or wrong",
            Self::UnknownCommand => "Unknown command",
            Self::Unauthorized => "Not signed in",
            Self::Forbidden => "Not allowed",
            Self::NotFound => "Not found",
            Self::Conflict => "Conflicts with what is there",
            Self::Gone => "No longer valid",
            Self::TooLong => "Too long",
            Self::RateLimited => "Too many requests",
            Self::Unavailable => "Not possible right now",
            Self::Internal => "Internal error",
        }
    }

    /// The code's text, as on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadJson => "bad_json",
            Self::BadRequest => "bad_request",
            Self::UnknownCommand => "unknown_command",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Gone => "gone",
            Self::TooLong => "too_long",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

/// A command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandError {
    /// The command's `id`, if it could be read.
    pub id: Option<CommandId>,
    /// For programs.
    pub code: ErrorCode,
    /// For people: what was wrong and what would be right.
    pub detail: String,
    /// Whether the same command may succeed later.
    pub retry: bool,
    /// The field at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Wait this long before trying again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl CommandError {
    /// An error without field or waiting time.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { id: None, code, detail: detail.into(), retry: code.retry(), field: None, retry_after_ms: None }
    }

    /// Names the field at fault.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Says which command it answers.
    #[must_use]
    pub fn with_id(mut self, id: Option<CommandId>) -> Self {
        self.id = id;
        self
    }
}

/// An RFC 9457 problem, sent as `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// `urn:switchback:error:<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Short, for people.
    pub title: String,
    /// The HTTP status again.
    pub status: u16,
    /// For people: what was wrong and what would be right.
    pub detail: String,
    /// For programs.
    pub code: ErrorCode,
    /// Whether the same request may succeed later.
    pub retry: bool,
    /// The field at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Wait this long before trying again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The command's `id`, for commands by POST.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<CommandId>,
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        Self {
            kind: format!("urn:switchback:error:{}", error.code.as_str()),
            title: error.code.title().to_owned(),
            status: error.code.status(),
            detail: error.detail,
            code: error.code,
            retry: error.retry,
            field: error.field,
            retry_after_ms: error.retry_after_ms,
            id: error.id,
        }
    }
}
