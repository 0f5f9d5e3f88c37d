//! One's own API tokens.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use switchback_core::TokenId;
use switchback_core::wire::{CreateTokenRequest, CreateTokenResponse, TokenList};

use super::super::caller::Caller;
use super::super::decode::{At, Body};
use super::super::openapi::{ReadProblems, WriteProblems};
use super::super::problem::Answer;
use crate::app::App;

/// The caller's tokens, newest first.
#[utoipa::path(
    get, path = "/tokens", tag = "tokens",
    responses((status = 200, body = TokenList), ReadProblems)
)]
pub(super) async fn list(State(app): State<App>, Caller(caller): Caller) -> Answer<Json<TokenList>> {
    Ok(Json(TokenList { tokens: app.ops.tokens(&caller).await? }))
}

/// Make a token; its secret is in this answer alone.
#[utoipa::path(
    post, path = "/tokens", tag = "tokens", request_body = CreateTokenRequest,
    responses((status = 201, body = CreateTokenResponse), WriteProblems)
)]
pub(super) async fn create(
    State(app): State<App>,
    Caller(caller): Caller,
    Body(request): Body<CreateTokenRequest>,
) -> Answer<(StatusCode, Json<CreateTokenResponse>)> {
    Ok((StatusCode::CREATED, Json(app.ops.create_token(&caller, request).await?)))
}

/// End one of the caller's tokens, and its open connections.
#[utoipa::path(
    delete, path = "/tokens/{id}", tag = "tokens", params(("id" = TokenId, Path, description = "Which")),
    responses((status = 204, description = "Ended"), WriteProblems)
)]
pub(super) async fn end(
    State(app): State<App>,
    Caller(caller): Caller,
    At(token): At<TokenId>,
) -> Answer<StatusCode> {
    app.ops.end_token(&caller, token).await?;
    Ok(StatusCode::NO_CONTENT)
}
