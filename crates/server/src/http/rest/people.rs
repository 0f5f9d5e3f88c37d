//! People: who there is, and what may be changed about them.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use switchback_core::wire::{ChangePasswordRequest, UpdateUserRequest, User, UserList};

use super::super::caller::Caller;
use super::super::decode::{At, Body, Who};
use super::super::openapi::{ReadProblems, WriteProblems};
use super::super::problem::Answer;
use crate::app::App;

/// Everybody, deactivated people too.
#[utoipa::path(
    get, path = "/users", tag = "people",
    responses((status = 200, body = UserList), ReadProblems)
)]
pub(super) async fn list(State(app): State<App>, Caller(caller): Caller) -> Answer<Json<UserList>> {
    Ok(Json(UserList { users: app.ops.users(&caller).await? }))
}

/// One person.
#[utoipa::path(
    get, path = "/users/{id}", tag = "people",
    params(("id" = String, Path, description = "Who: an id, or `me`")),
    responses((status = 200, body = User), ReadProblems)
)]
pub(super) async fn get(
    State(app): State<App>,
    Caller(caller): Caller,
    At(who): At<Who>,
) -> Answer<Json<User>> {
    Ok(Json(app.ops.user(&caller, who.or(caller.user.id)).await?))
}

/// Change one's own name; for admins also others' names, roles, and whether they can sign in.
#[utoipa::path(
    patch, path = "/users/{id}", tag = "people",
    params(("id" = String, Path, description = "Who: an id, or `me`")),
    request_body = UpdateUserRequest, responses((status = 200, body = User), WriteProblems)
)]
pub(super) async fn update(
    State(app): State<App>,
    Caller(caller): Caller,
    At(who): At<Who>,
    Body(request): Body<UpdateUserRequest>,
) -> Answer<Json<User>> {
    Ok(Json(app.ops.update_user(&caller, who.or(caller.user.id), request).await?))
}

/// Change one's own password; ends one's other sessions.
#[utoipa::path(
    put, path = "/users/me/password", tag = "people", request_body = ChangePasswordRequest,
    responses((status = 204, description = "Changed"), WriteProblems)
)]
pub(super) async fn change_password(
    State(app): State<App>,
    Caller(caller): Caller,
    Body(request): Body<ChangePasswordRequest>,
) -> Answer<StatusCode> {
    app.ops.change_password(&caller, request).await?;
    Ok(StatusCode::NO_CONTENT)
}
