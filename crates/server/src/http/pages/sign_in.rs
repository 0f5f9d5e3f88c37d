//! Signing in and out by plain forms.

use askama::Template;
use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use switchback_core::wire::SignInRequest;

use super::super::assets::assets;
use super::super::caller::known;
use super::super::cookies;
use super::super::visitor::Visitor;
use super::form::{FormErrors, decode};
use super::{headers, page, refused, status};
use crate::app::App;
use crate::ops::Refusal;

const FIELDS: [&str; 2] = ["handle", "password"];

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'p> {
    assets: &'p str,
    workspace: &'p str,
    handle: &'p str,
    next: &'p str,
    errors: FormErrors,
}

#[derive(Template)]
#[template(path = "waiting.html")]
struct Waiting<'p> {
    assets: &'p str,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Next {
    next: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SignInForm {
    handle: String,
    password: String,
    next: String,
}

/// The form; for whoever is signed in already, the chat.
pub(super) async fn show(State(app): State<App>, Query(next): Query<Next>, headers: HeaderMap) -> Response {
    let next = local(&next.next).unwrap_or_default();
    match known(&app.ops, &headers).await {
        Ok(Some(_)) => Redirect::to(target(next)).into_response(),
        Ok(None) => draw(&app, "", next, None).await,
        Err(refusal) => refused(&refusal),
    }
}

/// Signs in, or shows the form again.
pub(super) async fn submit(
    State(app): State<App>,
    visitor: Visitor,
    form: Result<Form<SignInForm>, FormRejection>,
) -> Response {
    let SignInForm { handle, password, next } = match decode(form) {
        Ok(form) => form,
        Err(page) => return *page,
    };
    let next = local(&next).unwrap_or_default();
    let typed = handle.trim().trim_start_matches('@').to_owned();
    match app.ops.sign_in(SignInRequest { handle: typed, password }, visitor.peer).await {
        Ok(signed_in) => {
            (cookies::set(&signed_in.secret, visitor.https), Redirect::to(target(next))).into_response()
        }
        Err(refusal) => draw(&app, &handle, next, Some(&refusal)).await,
    }
}

/// Ends the session, if there is one, and forgets its cookie.
pub(super) async fn sign_out(State(app): State<App>, headers: HeaderMap) -> Response {
    let ended = async {
        match known(&app.ops, &headers).await? {
            Some(caller) => app.ops.sign_out(&caller).await,
            None => Ok(()),
        }
    };
    match ended.await {
        Ok(()) => (cookies::clear(), Redirect::to("/sign-in")).into_response(),
        Err(refusal) => refused(&refusal),
    }
}

/// A path to go on to after signing in; only our own, of shapes that we know.
pub(super) fn local(path: &str) -> Option<&str> {
    let ours = path.starts_with("/room/") || path.starts_with("/message/");
    let plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-'));
    (ours && plain).then_some(path)
}

fn target(next: &str) -> &str {
    if next.is_empty() { "/" } else { next }
}

async fn draw(app: &App, handle: &str, next: &str, refusal: Option<&Refusal>) -> Response {
    let (assets, workspace) = match surroundings(app).await {
        Ok(Some(surroundings)) => surroundings,
        Ok(None) => return page(StatusCode::OK, &Waiting { assets: &assets().prefix }),
        Err(refusal) => return refused(&refusal),
    };
    let errors = refusal.map(|refusal| FormErrors::from_refusal(refusal, &FIELDS)).unwrap_or_default();
    let status = refusal.map_or(StatusCode::OK, status);
    let mut response = page(status, &SignIn { assets, workspace: &workspace, handle, next, errors });
    if let Some(refusal) = refusal {
        response.headers_mut().extend(headers(refusal));
    }
    response
}

/// `None`: nobody owns this workspace yet.
async fn surroundings(app: &App) -> Result<Option<(&'static str, String)>, Refusal> {
    if app.ops.needs_setup().await? {
        return Ok(None);
    }
    Ok(Some((&assets().prefix, app.ops.workspace().await?.name)))
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn only_our_own_places_are_gone_on_to() {
        for path in ["/room/0198-ab", "/message/x"] {
            assert_eq!(local(path), Some(path));
        }
        for path in [
            "",
            "/",
            "//evil.example",
            "/room/../..//evil",
            "/room/a?b",
            "https://evil.example/room/a",
            "/room/%0a",
        ] {
            assert_eq!(local(path), None, "{path}");
        }
    }
}
