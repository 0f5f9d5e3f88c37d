//! What a program gets when its request is not carried out: a problem (RFC 9457) with the status
//! of its code, and the headers that go with it.
//!
//! A few refusals are HTTP's own and have no code of ours (405, 415, 408): they take the nearest
//! one, and a status and title of their own.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use switchback_core::wire::{CommandError, ErrorCode, Problem};

use crate::ops::Refusal;

const MS_PER_S: u64 = 1_000;

/// What `Retry-After` says, in seconds: what the refusal knows, or a moment where it does not.
pub(super) fn wait_s(code: ErrorCode, retry_after_ms: Option<u64>) -> Option<u64> {
    let a_moment = (code == ErrorCode::Unavailable).then_some(1);
    retry_after_ms.map(|wait_ms| wait_ms.div_ceil(MS_PER_S)).or(a_moment)
}

/// A refusal on its way to a program.
#[derive(Debug)]
pub(crate) struct Refused(Box<Problem>);

/// What a handler for programs answers.
pub(super) type Answer<T> = Result<T, Refused>;

impl Refused {
    /// With this code and a sentence that says what would be right.
    pub(crate) fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self(Box::new(CommandError::new(code, detail).into()))
    }

    /// Names the field at fault.
    pub(super) fn with_field(mut self, field: impl Into<String>) -> Self {
        self.0.field = Some(field.into());
        self
    }

    /// A status that none of our codes has.
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = status.as_u16();
        status.canonical_reason().unwrap_or_default().clone_into(&mut self.0.title);
        self
    }

    /// A part of the address is not an id.
    pub(super) fn no_such_address() -> Self {
        Self::new(
            ErrorCode::NotFound,
            "there is nothing at this address; GET /api/v1/openapi.json lists what there is",
        )
    }

    /// Its code.
    #[cfg(test)]
    pub(super) fn problem(&self) -> &Problem {
        &self.0
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self(Box::new((*refusal.0).into()))
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let problem = *self.0;
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let content = [(CONTENT_TYPE, "application/problem+json"), (CACHE_CONTROL, "no-store")];
        let mut response = (status, content, body).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(wait_s) = wait_s(problem.code, problem.retry_after_ms) {
            headers.insert(RETRY_AFTER, HeaderValue::from(wait_s));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_tells_status_and_when_to_come_back() {
        let response = Refused::from(Refusal::rate_limited("slowly", 1_500)).into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[RETRY_AFTER], "2");
        let response = Refused::new(ErrorCode::Unavailable, "later").into_response();
        assert_eq!(
            (response.status().as_u16(), &response.headers()[RETRY_AFTER]),
            (503, &HeaderValue::from(1))
        );
        let response = Refused::new(ErrorCode::Unauthorized, "who?").into_response();
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer");
        let response =
            Refused::new(ErrorCode::BadRequest, "form").with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(
            (response.problem().status, response.problem().title.as_str()),
            (415, "Unsupported Media Type")
        );
    }
}
