//! Rooms, direct conversations, and who is in them.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use switchback_core::RoomId;
use switchback_core::wire::{
    CreateRoomRequest, MemberList, OpenDirectRequest, RoomList, RoomView, UpdateRoomRequest,
};

use super::super::caller::Caller;
use super::super::decode::{At, Body, Who};
use super::super::openapi::{ReadProblems, WriteProblems};
use super::super::problem::Answer;
use crate::app::App;

/// The rooms the caller may see: public ones, and those they are in.
#[utoipa::path(
    get, path = "/rooms", tag = "rooms",
    responses((status = 200, body = RoomList), ReadProblems)
)]
pub(super) async fn list(State(app): State<App>, Caller(caller): Caller) -> Answer<Json<RoomList>> {
    Ok(Json(RoomList { rooms: app.ops.rooms(&caller).await? }))
}

/// Make a room with the caller in it.
#[utoipa::path(
    post, path = "/rooms", tag = "rooms", request_body = CreateRoomRequest,
    responses((status = 201, body = RoomView), WriteProblems)
)]
pub(super) async fn create(
    State(app): State<App>,
    Caller(caller): Caller,
    Body(request): Body<CreateRoomRequest>,
) -> Answer<(StatusCode, Json<RoomView>)> {
    Ok((StatusCode::CREATED, Json(app.ops.create_room(&caller, request).await?)))
}

/// One room, and how the caller stands to it.
#[utoipa::path(
    get, path = "/rooms/{id}", tag = "rooms", params(("id" = RoomId, Path, description = "Which")),
    responses((status = 200, body = RoomView), ReadProblems)
)]
pub(super) async fn get(
    State(app): State<App>,
    Caller(caller): Caller,
    At(room): At<RoomId>,
) -> Answer<Json<RoomView>> {
    Ok(Json(app.ops.room(&caller, room).await?))
}

/// Change a room's name or topic; close it or open it again.
#[utoipa::path(
    patch, path = "/rooms/{id}", tag = "rooms", params(("id" = RoomId, Path, description = "Which")),
    request_body = UpdateRoomRequest, responses((status = 200, body = RoomView), WriteProblems)
)]
pub(super) async fn update(
    State(app): State<App>,
    Caller(caller): Caller,
    At(room): At<RoomId>,
    Body(request): Body<UpdateRoomRequest>,
) -> Answer<Json<RoomView>> {
    Ok(Json(app.ops.update_room(&caller, room, request).await?))
}

/// Who is in a room.
#[utoipa::path(
    get, path = "/rooms/{id}/members", tag = "rooms", params(("id" = RoomId, Path, description = "Which")),
    responses((status = 200, body = MemberList), ReadProblems)
)]
pub(super) async fn members(
    State(app): State<App>,
    Caller(caller): Caller,
    At(room): At<RoomId>,
) -> Answer<Json<MemberList>> {
    Ok(Json(MemberList { members: app.ops.members(&caller, room).await? }))
}

/// Join a room, or bring somebody into one.
#[utoipa::path(
    put, path = "/rooms/{id}/members/{user}", tag = "rooms",
    params(
        ("id" = RoomId, Path, description = "Which room"),
        ("user" = String, Path, description = "Who: an id, or `me`"),
    ),
    responses((status = 204, description = "In the room"), WriteProblems)
)]
pub(super) async fn add_member(
    State(app): State<App>,
    Caller(caller): Caller,
    At((room, who)): At<(RoomId, Who)>,
) -> Answer<StatusCode> {
    app.ops.add_member(&caller, room, who.or(caller.user.id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Leave a room, or send somebody away.
#[utoipa::path(
    delete, path = "/rooms/{id}/members/{user}", tag = "rooms",
    params(
        ("id" = RoomId, Path, description = "Which room"),
        ("user" = String, Path, description = "Who: an id, or `me`"),
    ),
    responses((status = 204, description = "No longer in the room"), WriteProblems)
)]
pub(super) async fn remove_member(
    State(app): State<App>,
    Caller(caller): Caller,
    At((room, who)): At<(RoomId, Who)>,
) -> Answer<StatusCode> {
    app.ops.remove_member(&caller, room, who.or(caller.user.id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Open the conversation with these people, making it if need be.
#[utoipa::path(
    post, path = "/direct", tag = "rooms", request_body = OpenDirectRequest,
    responses((status = 200, body = RoomView), WriteProblems)
)]
pub(super) async fn open_direct(
    State(app): State<App>,
    Caller(caller): Caller,
    Body(request): Body<OpenDirectRequest>,
) -> Answer<Json<RoomView>> {
    Ok(Json(app.ops.open_direct(&caller, request).await?))
}
