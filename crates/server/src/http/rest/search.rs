//! Searching in what the caller may see.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;
use switchback_core::limits;
use switchback_core::wire::SearchResults;

use super::super::caller::Caller;
use super::super::openapi::SearchProblems;
use super::super::problem::{Answer, Refused};
use super::messages::{number, page_size};
use crate::app::App;
use crate::ops::Refusal;

/// What is looked for, as asked. Texts, so that a refusal can name the one at fault.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    q: Option<String>,
    before: Option<String>,
    limit: Option<String>,
}

/// Messages that hold these words, newest first, of those that the caller may see.
#[utoipa::path(
    get, path = "/search", tag = "messages",
    params(
        ("q" = String, Query, description = "Words that must all be there, `\"phrases\"`, `from:@handle`, \
         `in:#room`, `after:YYYY-MM-DD`, `before:YYYY-MM-DD`"),
        ("before" = Option<u64>, Query, description = "Those before this `seq`: the answer's `before`"),
        ("limit" = Option<usize>, Query, description = "How many, 1 to 50; 25 if left out"),
    ),
    responses((status = 200, body = SearchResults), SearchProblems)
)]
pub(super) async fn search(
    State(app): State<App>,
    Caller(caller): Caller,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Answer<Json<SearchResults>> {
    let Query(asked) = asked.map_err(|error| Refused::from(Refusal::field("q", error.body_text())))?;
    let before = asked.before.as_deref().map(|text| number("before", text)).transpose()?;
    let (most, default) = (limits::SEARCH_PAGE_MESSAGES, limits::SEARCH_PAGE_DEFAULT);
    let limit = page_size(asked.limit.as_deref(), default, most)?;
    let text = asked.q.as_deref().unwrap_or_default();
    Ok(Json(app.ops.search(&caller, text, before, limit).await?))
}
