//! Requests of programs taken apart: JSON bodies and ids in addresses, with refusals that say what
//! was wrong, where, and what would be right.

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use switchback_core::UserId;
use switchback_core::wire::ErrorCode;

use super::problem::{Answer, Refused};
use crate::app::App;
use crate::limits;

/// A JSON body.
#[derive(Debug)]
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, _app: &App) -> Result<Self, Refused> {
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !content_type.is_some_and(is_json) {
            let detail = "send the body as JSON with `Content-Type: application/json`";
            return Err(
                Refused::new(ErrorCode::BadRequest, detail).with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
            );
        }
        let body = Limited::new(request.into_body(), limits::JSON_BYTES).collect().await;
        let body = body.map_err(|error| broken_off(error.is::<LengthLimitError>()))?;
        parse(&body.to_bytes()).map(Self)
    }
}

/// Ids and the like in the address. What is no id names nothing.
#[derive(Debug)]
pub(super) struct At<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for At<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refused> {
        let found = Path::<T>::from_request_parts(parts, app).await;
        found.map(|Path(found)| Self(found)).map_err(|_| Refused::no_such_address())
    }
}

/// A person in the address: an id, or `me`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) enum Who {
    /// Whoever asks.
    Me,
    /// Somebody by id.
    User(UserId),
}

impl Who {
    /// Their id, where `me` is this one.
    pub(super) const fn or(self, me: UserId) -> UserId {
        match self {
            Self::Me => me,
            Self::User(user) => user,
        }
    }
}

impl TryFrom<String> for Who {
    type Error = uuid::Error;

    fn try_from(text: String) -> Result<Self, uuid::Error> {
        if text == "me" { Ok(Self::Me) } else { text.parse().map(Self::User) }
    }
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn broken_off(too_long: bool) -> Refused {
    if too_long {
        let detail = format!("the body is too long: at most {} bytes", limits::JSON_BYTES);
        return Refused::new(ErrorCode::TooLong, detail);
    }
    Refused::new(ErrorCode::BadJson, "the body ended too early")
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Answer<T> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut deserializer);
    // What is wrong with the whole comes before what is wrong with a part of it.
    if let Err(error) = serde_json::from_slice::<IgnoredAny>(body) {
        return Err(Refused::new(ErrorCode::BadJson, format!("the body is not JSON: {error}")));
    }
    // Serde would read a list as a struct, field by field.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Refused::new(ErrorCode::BadJson, "the body must be a JSON object"));
    }
    read.map_err(|error| {
        let path = error.path().to_string();
        refused(error.inner(), Some(path.as_str()).filter(|path| *path != "."))
    })
}

fn refused(error: &serde_json::Error, path: Option<&str>) -> Refused {
    let whole = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    let message = whole.strip_suffix(&position).unwrap_or(&whole);
    let missing = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
    let Some(field) = join(path, missing) else {
        return Refused::new(ErrorCode::BadRequest, format!("{message}{position}"));
    };
    // The text types of `core` say so themselves.
    let code = if message.starts_with("is too long") { ErrorCode::TooLong } else { ErrorCode::BadRequest };
    let detail = match missing {
        Some(_) => format!("`{field}` is missing"),
        None if is_sentence(message) => format!("`{field}` {message}{position}"),
        None if error.is_data() => format!("`{field}`: {message}{position}"),
        // Where a name of a few is wanted, serde says only that it found something else.
        None => format!("`{field}` has the wrong type{position}"),
    };
    Refused::new(code, detail).with_field(field)
}

/// Whether the message goes on after the field's name ("must not be empty").
fn is_sentence(message: &str) -> bool {
    ["is ", "must ", "may "].iter().any(|verb| message.starts_with(verb))
}

fn join(path: Option<&str>, missing: Option<&str>) -> Option<String> {
    match (path, missing) {
        (None, None) => None,
        (Some(one), None) | (None, Some(one)) => Some(one.to_owned()),
        (Some(path), Some(missing)) => Some(format!("{path}.{missing}")),
    }
}

#[cfg(test)]
mod tests {
    use switchback_core::wire::{CreateInvitationRequest, CreateRoomRequest, OpenDirectRequest};

    use super::*;

    fn check<T: DeserializeOwned + std::fmt::Debug>(
        body: &str,
        status: u16,
        field: Option<&str>,
        words: &str,
    ) {
        let Err(refused) = parse::<T>(body.as_bytes()) else { panic!("{body} was accepted") };
        let problem = refused.problem();
        assert_eq!((problem.status, problem.field.as_deref()), (status, field), "{body}: {problem:?}");
        assert!(problem.detail.contains(words), "{body}: {}", problem.detail);
    }

    #[test]
    fn the_field_at_fault_is_named() {
        check::<CreateRoomRequest>(r#"{"kind":"public"}"#, 422, Some("name"), "`name` is missing");
        check::<CreateRoomRequest>(
            r#"{"kind":"public","name":" "}"#,
            422,
            Some("name"),
            "`name` must not be empty at line 1",
        );
        check::<CreateRoomRequest>(r#"{"kind":"secret","name":"a"}"#, 422, Some("kind"), "unknown variant");
        check::<CreateRoomRequest>(r#"{"kind":"public","name":7}"#, 422, Some("name"), "expected a string");
        check::<OpenDirectRequest>(r#"{"users":["x"]}"#, 422, Some("users[0]"), "UUID");
        check::<CreateInvitationRequest>(r#"{"max_uses":-1}"#, 422, Some("max_uses"), "-1");
        let long = format!(r#"{{"kind":"public","name":"{}"}}"#, "a".repeat(81));
        check::<CreateRoomRequest>(&long, 413, Some("name"), "the limit is 80");
    }

    #[test]
    fn what_is_not_a_json_object_is_told_so() {
        check::<CreateRoomRequest>("", 400, None, "not JSON: EOF");
        check::<CreateRoomRequest>("{", 400, None, "line 1 column 1");
        check::<CreateRoomRequest>(r#"{"kind":"public","name":"a"} x"#, 400, None, "trailing characters");
        check::<CreateRoomRequest>("7", 400, None, "must be a JSON object");
        check::<CreateRoomRequest>(r#"["public","a",null]"#, 400, None, "must be a JSON object");
        check::<CreateRoomRequest>("\u{0}", 400, None, "not JSON");
    }

    #[test]
    fn json_is_known_by_its_media_type() {
        assert!(is_json("application/json") && is_json("Application/JSON; charset=utf-8"));
        assert!(!is_json("text/plain") && !is_json("application/jsonx") && !is_json(""));
    }
}
