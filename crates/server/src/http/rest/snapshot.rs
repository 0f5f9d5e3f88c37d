//! Everything a client needs to draw, and the workspace's name.

use axum::Json;
use axum::extract::State;
use switchback_core::wire::{Snapshot, UpdateWorkspaceRequest, Workspace};

use super::super::caller::Caller;
use super::super::decode::Body;
use super::super::openapi::{ReadProblems, WriteProblems};
use super::super::problem::Answer;
use crate::app::App;

/// Everything a client needs to draw, as of one moment, and the cursor from which events go on.
#[utoipa::path(
    get, path = "/snapshot", tag = "workspace",
    responses((status = 200, body = Snapshot), ReadProblems)
)]
pub(super) async fn snapshot(State(app): State<App>, Caller(caller): Caller) -> Answer<Json<Snapshot>> {
    Ok(Json(app.ops.snapshot(&caller).await?))
}

/// Give the workspace another name. For admins.
#[utoipa::path(
    patch, path = "/workspace", tag = "workspace", request_body = UpdateWorkspaceRequest,
    responses((status = 200, body = Workspace), WriteProblems)
)]
pub(super) async fn update_workspace(
    State(app): State<App>,
    Caller(caller): Caller,
    Body(request): Body<UpdateWorkspaceRequest>,
) -> Answer<Json<Workspace>> {
    Ok(Json(app.ops.update_workspace(&caller, request).await?))
}
