//! Pages that the server draws: the chat's empty shell, and the way in (sign-in, set-up,
//! invitation), which works without JavaScript.
//!
//! Every page leaves through [`page`], so every page has the same strict policy. What cannot be
//! shown becomes a page too, with the status of the refusal behind it.

mod entry;
mod form;
mod shell;
mod sign_in;

use askama::Template;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderMap, StatusCode};
use switchback_core::wire::ErrorCode;

use super::assets::assets;
use super::problem::wait_s;
use crate::app::App;
use crate::limits;
use crate::ops::Refusal;

/// Nothing but our own files, no inline script or style, no frame around us, and no HTML into the
/// document but through the two named Trusted Types policies.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types lit-html switchback-message",
);

#[derive(Template)]
#[template(path = "not_found.html")]
struct NotFound<'p> {
    assets: &'p str,
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'p> {
    assets: &'p str,
    status: u16,
    heading: &'p str,
    detail: &'p str,
}

/// The routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/", get(shell::shell))
        .route("/room/{id}", get(shell::shell))
        .route("/message/{id}", get(shell::shell))
        .route("/sign-in", get(sign_in::show).post(sign_in::submit))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/setup/{token}", get(entry::show_setup).post(entry::submit_setup))
        .route("/join/{token}", get(entry::show_join).post(entry::submit_join))
        .layer(DefaultBodyLimit::max(limits::FORM_BYTES))
}

/// A page at an address that leads nowhere.
pub(super) fn not_found() -> Response {
    page(StatusCode::NOT_FOUND, &NotFound { assets: &assets().prefix })
}

/// A page for what could not be done.
pub(super) fn error(status: StatusCode, heading: &str, detail: &str) -> Response {
    page(status, &ErrorPage { assets: &assets().prefix, status: status.as_u16(), heading, detail })
}

/// A page for a refusal that belongs to no form.
pub(super) fn refused(refusal: &Refusal) -> Response {
    if refusal.code() == ErrorCode::NotFound {
        return not_found();
    }
    let mut response = error(status(refusal), refusal.code().title(), &sentence(&refusal.0.detail));
    response.headers_mut().extend(headers(refusal));
    response
}

/// A drawn page, with this status.
fn page(status: StatusCode, template: &impl Template) -> Response {
    let drawn = template.render().unwrap_or_else(|error| {
        tracing::error!(%error, "a page could not be drawn");
        "This page could not be drawn; the server's log says why.".to_owned()
    });
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (CONTENT_SECURITY_POLICY, POLICY),
    ];
    (status, headers, drawn).into_response()
}

fn status(refusal: &Refusal) -> StatusCode {
    StatusCode::from_u16(refusal.code().status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// What goes along with a refusal's status.
fn headers(refusal: &Refusal) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if refusal.code() == ErrorCode::Unauthorized {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(wait_s) = wait_s(refusal.code(), refusal.0.retry_after_ms) {
        headers.insert(RETRY_AFTER, HeaderValue::from(wait_s));
    }
    headers
}

/// For people: begins with a capital letter and ends with a full stop.
fn sentence(detail: &str) -> String {
    let mut characters = detail.chars();
    let first: String = characters.next().map(char::to_uppercase).into_iter().flatten().collect();
    let end = if detail.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", characters.as_str())
}
