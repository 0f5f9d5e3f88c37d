//! How people come in for the first time: the set-up page for the owner, the invitation page for
//! everybody else. The secret is the last part of the address, and the form posts to it.

use askama::Template;
use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use serde::Deserialize;
use switchback_core::WorkspaceName;
use switchback_core::wire::{ErrorCode, JoinRequest, SetupRequest};

use super::super::assets::assets;
use super::super::cookies;
use super::super::visitor::Visitor;
use super::form::{AccountForm, FormErrors, decode};
use super::{headers, page, refused, status};
use crate::app::App;
use crate::ops::{Refusal, SignedIn};

const FIELDS: [&str; 4] = ["workspace", "name", "handle", "password"];

#[derive(Template)]
#[template(path = "setup.html")]
struct SetUp<'p> {
    assets: &'p str,
    workspace: &'p str,
    name: &'p str,
    handle: &'p str,
    errors: FormErrors,
}

#[derive(Template)]
#[template(path = "join.html")]
struct Join<'p> {
    assets: &'p str,
    workspace: &'p str,
    invited_by: &'p str,
    name: &'p str,
    handle: &'p str,
    errors: FormErrors,
}

#[derive(Template)]
#[template(path = "gone.html")]
struct Gone<'p> {
    assets: &'p str,
    reason: &'p str,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SetupForm {
    workspace: String,
    name: String,
    handle: String,
    password: String,
}

/// The set-up form, as long as nobody owns this workspace.
pub(super) async fn show_setup(State(app): State<App>) -> Response {
    match app.ops.needs_setup().await {
        Ok(true) => draw_setup(StatusCode::OK, &SetupForm::default(), FormErrors::default()),
        Ok(false) => page(StatusCode::GONE, &Gone { assets: &assets().prefix, reason: "set_up" }),
        Err(refusal) => refused(&refusal),
    }
}

/// Makes the owner, or shows the form again.
pub(super) async fn submit_setup(
    State(app): State<App>,
    Path(token): Path<String>,
    visitor: Visitor,
    form: Result<Form<SetupForm>, FormRejection>,
) -> Response {
    let form = match decode(form) {
        Ok(form) => form,
        Err(page) => return *page,
    };
    let mut errors = FormErrors::default();
    let Some(request) = form.check(token, &mut errors) else {
        return draw_setup(StatusCode::UNPROCESSABLE_ENTITY, &form, errors);
    };
    match app.ops.set_up(request, visitor.peer).await {
        Ok(signed_in) => entered(&signed_in, visitor.https),
        Err(refusal) => closed(&refusal).unwrap_or_else(|| {
            let errors = FormErrors::from_refusal(&refusal, &FIELDS);
            with_headers(draw_setup(status(&refusal), &form, errors), &refusal)
        }),
    }
}

/// The invitation's form.
pub(super) async fn show_join(State(app): State<App>, Path(token): Path<String>) -> Response {
    match draw_join(&app, &token, StatusCode::OK, &AccountForm::default(), FormErrors::default()).await {
        Ok(page) => page,
        Err(refusal) => closed(&refusal).unwrap_or_else(|| refused(&refusal)),
    }
}

/// Makes the account, or shows the form again.
pub(super) async fn submit_join(
    State(app): State<App>,
    Path(token): Path<String>,
    visitor: Visitor,
    form: Result<Form<AccountForm>, FormRejection>,
) -> Response {
    let form = match decode(form) {
        Ok(form) => form,
        Err(page) => return *page,
    };
    let joined = join(&app, &token, visitor, &form).await;
    joined.unwrap_or_else(|refusal| closed(&refusal).unwrap_or_else(|| refused(&refusal)))
}

async fn join(app: &App, token: &str, visitor: Visitor, form: &AccountForm) -> Result<Response, Refusal> {
    let mut errors = FormErrors::default();
    let Some(account) = form.check(&mut errors) else {
        return draw_join(app, token, StatusCode::UNPROCESSABLE_ENTITY, form, errors).await;
    };
    let request = JoinRequest {
        token: token.to_owned(),
        handle: account.handle,
        name: account.name,
        password: account.password,
    };
    match app.ops.join(request, visitor.peer).await {
        Ok(signed_in) => Ok(entered(&signed_in, visitor.https)),
        Err(refusal) => {
            let errors = FormErrors::from_refusal(&refusal, &FIELDS);
            let drawn = draw_join(app, token, status(&refusal), form, errors).await?;
            Ok(with_headers(drawn, &refusal))
        }
    }
}

impl SetupForm {
    fn check(&self, token: String, errors: &mut FormErrors) -> Option<SetupRequest> {
        let workspace = errors.take("workspace", WorkspaceName::new(&self.workspace));
        let Self { name, handle, password, .. } = self;
        let account = AccountForm { name: name.clone(), handle: handle.clone(), password: password.clone() };
        let account = account.check(errors)?;
        Some(SetupRequest {
            token,
            workspace: workspace?,
            handle: account.handle,
            name: account.name,
            password: account.password,
        })
    }
}

fn draw_setup(status: StatusCode, form: &SetupForm, errors: FormErrors) -> Response {
    let SetupForm { workspace, name, handle, .. } = form;
    page(status, &SetUp { assets: &assets().prefix, workspace, name, handle, errors })
}

async fn draw_join(
    app: &App,
    token: &str,
    status: StatusCode,
    form: &AccountForm,
    errors: FormErrors,
) -> Result<Response, Refusal> {
    let (_, inviter) = app.ops.invitation(token).await?;
    let workspace = app.ops.workspace().await?.name;
    let AccountForm { name, handle, .. } = form;
    let (invited_by, assets) = (inviter.name.as_str(), assets().prefix.as_str());
    Ok(page(status, &Join { assets, workspace: &workspace, invited_by, name, handle, errors }))
}

fn entered(signed_in: &SignedIn, https: bool) -> Response {
    (cookies::set(&signed_in.secret, https), Redirect::to("/")).into_response()
}

/// The page for a link that leads nowhere (any more). `None`: the link is not at fault.
fn closed(refusal: &Refusal) -> Option<Response> {
    match refusal.code() {
        ErrorCode::NotFound => Some(refused(refusal)),
        ErrorCode::Gone => {
            let reason = reason(&refusal.0.detail);
            Some(page(StatusCode::GONE, &Gone { assets: &assets().prefix, reason }))
        }
        _ => None,
    }
}

/// Why a link is closed, from the store's sentence about it.
fn reason(detail: &str) -> &'static str {
    [("expired", "expired"), ("used up", "used_up"), ("owner", "set_up")]
        .into_iter()
        .find(|(word, _)| detail.contains(word))
        .map_or("revoked", |(_, reason)| reason)
}

fn with_headers(mut response: Response, refusal: &Refusal) -> Response {
    response.headers_mut().extend(headers(refusal));
    response
}
