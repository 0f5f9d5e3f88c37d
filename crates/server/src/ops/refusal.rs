//! Why something was not done, as the peer hears it. The one place that sorts the store's errors.

use switchback_core::text::BadText;
use switchback_core::wire::{CommandError, ErrorCode};
use switchback_storage::Error;

/// An operation was not carried out; nothing of it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.detail)]
pub struct Refusal(pub Box<CommandError>);

impl Refusal {
    /// With this code and a sentence that says what would be right.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self(Box::new(CommandError::new(code, detail)))
    }

    /// Known, but not allowed.
    pub fn forbidden(detail: &'static str) -> Self {
        Self::new(ErrorCode::Forbidden, detail)
    }

    /// No or no valid credential.
    pub fn unauthorized(detail: &'static str) -> Self {
        Self::new(ErrorCode::Unauthorized, detail)
    }

    /// A field has a value that is not allowed.
    pub fn field(field: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(CommandError::new(ErrorCode::BadRequest, detail).with_field(field)))
    }

    /// A field's text breaks its rule.
    pub fn text(field: &'static str, bad: &BadText) -> Self {
        let code = if bad.is_too_long() { ErrorCode::TooLong } else { ErrorCode::BadRequest };
        Self(Box::new(CommandError::new(code, format!("{field} {bad}")).with_field(field)))
    }

    /// Too often.
    pub fn rate_limited(detail: impl Into<String>, retry_after_ms: u64) -> Self {
        let mut error = CommandError::new(ErrorCode::RateLimited, detail);
        error.retry_after_ms = Some(retry_after_ms);
        Self(Box::new(error))
    }

    /// For programs.
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound(what) => Self::new(ErrorCode::NotFound, not_found(what)),
            Error::Conflict { field, detail } => {
                Self(Box::new(CommandError::new(ErrorCode::Conflict, detail).with_field(field)))
            }
            Error::Forbidden(detail) => Self::new(ErrorCode::Forbidden, detail),
            Error::Gone(detail) => Self::new(ErrorCode::Gone, detail),
            Error::Unavailable(reason) => {
                tracing::warn!(%reason, "the database could not be used");
                let detail = "this cannot be saved or read right now, and nothing was written; try again";
                Self::new(ErrorCode::Unavailable, detail)
            }
            Error::Database(error) => {
                tracing::error!(%error, "the database failed");
                Self::new(ErrorCode::Internal, "something is wrong with the server; its log says what")
            }
        }
    }
}

/// The same sentence for what does not exist and what the asker may not know of.
fn not_found(what: &'static str) -> String {
    match what {
        "room" => "there is no such room, or you are not in it".to_owned(),
        "message" => "there is no such message, or you are not in its room".to_owned(),
        other => format!("there is no such {other}"),
    }
}
