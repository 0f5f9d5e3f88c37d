//! Coming in and going out: set-up, invitation, sign-in, one's sessions.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use switchback_core::SessionId;
use switchback_core::wire::{JoinRequest, SessionList, SessionResponse, SetupRequest, SignInRequest};

use super::super::caller::Caller;
use super::super::cookies;
use super::super::decode::{At, Body};
use super::super::openapi::{EntryProblems, ReadProblems, WriteProblems};
use super::super::problem::Answer;
use super::super::visitor::Visitor;
use crate::app::App;
use crate::ops::SignedIn;

/// Make the owner and name the workspace, once.
#[utoipa::path(
    post, path = "/setup", tag = "session", security(()), request_body = SetupRequest,
    responses((status = 201, body = SessionResponse, description = "The owner, signed in by cookie"), EntryProblems)
)]
pub(super) async fn set_up(
    State(app): State<App>,
    visitor: Visitor,
    Body(request): Body<SetupRequest>,
) -> Answer<impl IntoResponse> {
    let signed_in = app.ops.set_up(request, visitor.peer).await?;
    Ok(entered(StatusCode::CREATED, signed_in, visitor.https))
}

/// Make an account by invitation.
#[utoipa::path(
    post, path = "/join", tag = "session", security(()), request_body = JoinRequest,
    responses((status = 201, body = SessionResponse, description = "The account, signed in by cookie"), EntryProblems)
)]
pub(super) async fn join(
    State(app): State<App>,
    visitor: Visitor,
    Body(request): Body<JoinRequest>,
) -> Answer<impl IntoResponse> {
    let signed_in = app.ops.join(request, visitor.peer).await?;
    Ok(entered(StatusCode::CREATED, signed_in, visitor.https))
}

/// Sign in by handle and password.
#[utoipa::path(
    post, path = "/session", tag = "session", security(()), request_body = SignInRequest,
    responses((status = 200, body = SessionResponse, description = "Signed in by cookie"), EntryProblems)
)]
pub(super) async fn sign_in(
    State(app): State<App>,
    visitor: Visitor,
    Body(request): Body<SignInRequest>,
) -> Answer<impl IntoResponse> {
    let signed_in = app.ops.sign_in(request, visitor.peer).await?;
    Ok(entered(StatusCode::OK, signed_in, visitor.https))
}

/// Who is signed in, and in which session.
#[utoipa::path(
    get, path = "/session", tag = "session",
    responses((status = 200, body = SessionResponse), ReadProblems)
)]
pub(super) async fn current(State(app): State<App>, Caller(caller): Caller) -> Answer<Json<SessionResponse>> {
    Ok(Json(app.ops.session(&caller).await?))
}

/// Sign out: ends the session or token in use, and its open connections.
#[utoipa::path(
    delete, path = "/session", tag = "session",
    responses((status = 204, description = "Signed out, the cookie is cleared"), WriteProblems)
)]
pub(super) async fn sign_out(State(app): State<App>, Caller(caller): Caller) -> Answer<impl IntoResponse> {
    app.ops.sign_out(&caller).await?;
    Ok((StatusCode::NO_CONTENT, cookies::clear(), ()))
}

/// Where the caller is signed in.
#[utoipa::path(
    get, path = "/sessions", tag = "session",
    responses((status = 200, body = SessionList), ReadProblems)
)]
pub(super) async fn list(State(app): State<App>, Caller(caller): Caller) -> Answer<Json<SessionList>> {
    Ok(Json(SessionList { sessions: app.ops.sessions(&caller).await? }))
}

/// End one of the caller's sessions, and its open connections.
#[utoipa::path(
    delete, path = "/sessions/{id}", tag = "session", params(("id" = SessionId, Path, description = "Which")),
    responses((status = 204, description = "Ended"), WriteProblems)
)]
pub(super) async fn end(
    State(app): State<App>,
    Caller(caller): Caller,
    At(session): At<SessionId>,
) -> Answer<StatusCode> {
    app.ops.end_session(&caller, session).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn entered(status: StatusCode, signed_in: SignedIn, https: bool) -> impl IntoResponse {
    (status, cookies::set(&signed_in.secret, https), Json(signed_in.response))
}
