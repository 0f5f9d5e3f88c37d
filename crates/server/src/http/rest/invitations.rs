//! Invitation links, for admins.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use switchback_core::InvitationId;
use switchback_core::wire::{CreateInvitationRequest, Invitation, InvitationList};

use super::super::caller::Caller;
use super::super::decode::{At, Body};
use super::super::openapi::{ReadProblems, WriteProblems};
use super::super::problem::Answer;
use super::super::visitor::Visitor;
use crate::app::App;

/// Invitations, newest first. For admins.
#[utoipa::path(
    get, path = "/invitations", tag = "invitations",
    responses((status = 200, body = InvitationList), ReadProblems)
)]
pub(super) async fn list(State(app): State<App>, Caller(caller): Caller) -> Answer<Json<InvitationList>> {
    Ok(Json(InvitationList { invitations: app.ops.invitations(&caller).await? }))
}

/// Make an invitation; its link is in this answer alone. For admins.
#[utoipa::path(
    post, path = "/invitations", tag = "invitations", request_body = CreateInvitationRequest,
    responses((status = 201, body = Invitation), WriteProblems)
)]
pub(super) async fn create(
    State(app): State<App>,
    Caller(caller): Caller,
    visitor: Visitor,
    Body(request): Body<CreateInvitationRequest>,
) -> Answer<(StatusCode, Json<Invitation>)> {
    let invitation = app.ops.invite(&caller, request, &visitor.base_url).await?;
    Ok((StatusCode::CREATED, Json(invitation)))
}

/// End an invitation. For admins.
#[utoipa::path(
    delete, path = "/invitations/{id}", tag = "invitations",
    params(("id" = InvitationId, Path, description = "Which")),
    responses((status = 204, description = "The link no longer works"), WriteProblems)
)]
pub(super) async fn revoke(
    State(app): State<App>,
    Caller(caller): Caller,
    At(invitation): At<InvitationId>,
) -> Answer<StatusCode> {
    app.ops.revoke_invitation(&caller, invitation).await?;
    Ok(StatusCode::NO_CONTENT)
}
