//! Messages: history by page, and one by its id. Writing goes through `/chat`.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use switchback_core::wire::{History, Message};
use switchback_core::{MessageId, RoomId, Seq, limits};
use switchback_storage::HistoryRange;

use super::super::caller::{Caller, Secret};
use super::super::decode::At;
use super::super::openapi::ReadProblems;
use super::super::problem::{Answer, Refused};
use crate::app::App;
use crate::ops::Refusal;

/// Which page, as asked for. Texts, so that a refusal can name the one at fault.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Page {
    before: Option<String>,
    after: Option<String>,
    around: Option<String>,
    limit: Option<String>,
}

/// A page of a room's history: the newest messages, or those before, after or around a `seq`.
#[utoipa::path(
    get, path = "/rooms/{id}/messages", tag = "messages",
    params(
        ("id" = RoomId, Path, description = "Which room"),
        ("before" = Option<u64>, Query, description = "Those just before this `seq`"),
        ("after" = Option<u64>, Query, description = "Those just after this `seq`"),
        ("around" = Option<u64>, Query, description = "Those around this `seq`, with it"),
        ("limit" = Option<usize>, Query, description = "How many, 1 to 100; 50 if left out"),
    ),
    responses((status = 200, body = History), ReadProblems)
)]
pub(super) async fn history(
    State(app): State<App>,
    Secret(secret): Secret,
    room: Answer<At<RoomId>>,
    page: Result<Query<Page>, QueryRejection>,
) -> Response {
    match asked(room, page) {
        Ok((room, range, limit)) => match app.ops.history(&secret, room, range, limit).await {
            Ok(page) => ([(CONTENT_TYPE, "application/json")], page).into_response(),
            Err(refusal) => Refused::from(refusal).into_response(),
        },
        // A stranger is told that before anything else.
        Err(wrong) => match app.ops.identify(&secret).await {
            Ok(_) => *wrong,
            Err(refusal) => Refused::from(refusal).into_response(),
        },
    }
}

/// What a request for a page asks for, or the answer that says what is wrong with it.
fn asked(
    room: Answer<At<RoomId>>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<(RoomId, HistoryRange, usize), Box<Response>> {
    let At(room) = room.map_err(|refused| Box::new(refused.into_response()))?;
    let Query(page) = page.map_err(|rejection| Box::new(rejection.into_response()))?;
    let refused = |refusal: Refusal| Box::new(Refused::from(refusal).into_response());
    Ok((room, page.range().map_err(refused)?, page.limit().map_err(refused)?))
}

/// One message.
#[utoipa::path(
    get, path = "/messages/{id}", tag = "messages", params(("id" = MessageId, Path, description = "Which")),
    responses((status = 200, body = Message), ReadProblems)
)]
pub(super) async fn get(
    State(app): State<App>,
    Caller(caller): Caller,
    At(message): At<MessageId>,
) -> Answer<Json<Message>> {
    Ok(Json(app.ops.message(&caller, message).await?))
}

impl Page {
    fn range(&self) -> Result<HistoryRange, Refusal> {
        let asked = [("before", &self.before), ("after", &self.after), ("around", &self.around)];
        let mut asked = asked.into_iter().filter_map(|(field, text)| Some((field, text.as_deref()?)));
        let Some((field, text)) = asked.next() else { return Ok(HistoryRange::Latest) };
        if let Some((second, _)) = asked.next() {
            return Err(Refusal::field(second, format!("give `{field}` or `{second}`, not both")));
        }
        let seq: Seq = number(field, text)?;
        Ok(match field {
            "before" => HistoryRange::Before(seq),
            "after" => HistoryRange::After(seq),
            _ => HistoryRange::Around(seq),
        })
    }

    fn limit(&self) -> Result<usize, Refusal> {
        page_size(self.limit.as_deref(), limits::HISTORY_PAGE_DEFAULT, limits::HISTORY_PAGE_MESSAGES)
    }
}

/// How many messages a page is asked to hold.
pub(super) fn page_size(asked: Option<&str>, default: usize, most: usize) -> Result<usize, Refusal> {
    let Some(text) = asked else { return Ok(default) };
    let limit = usize::try_from(number("limit", text)?).unwrap_or(usize::MAX);
    if limit == 0 || limit > most {
        return Err(Refusal::field("limit", format!("`limit` must be 1 to {most}")));
    }
    Ok(limit)
}

pub(super) fn number(field: &'static str, text: &str) -> Result<u64, Refusal> {
    text.parse().map_err(|_| Refusal::field(field, format!("`{field}` must be a whole number, 0 or more")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(before: Option<&str>, after: Option<&str>, limit: Option<&str>) -> Page {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Page { before: own(before), after: own(after), around: None, limit: own(limit) }
    }

    #[test]
    fn a_page_lies_on_one_side_of_one_place() {
        assert_eq!(page(None, None, None).range(), Ok(HistoryRange::Latest));
        assert_eq!(page(Some("7"), None, None).range(), Ok(HistoryRange::Before(7)));
        let field = |page: Page| page.range().err().and_then(|refusal| refusal.0.field);
        assert_eq!(field(page(Some("7"), Some("8"), None)).as_deref(), Some("after"));
        assert_eq!(field(page(Some("-7"), None, None)).as_deref(), Some("before"));
    }

    #[test]
    fn a_page_holds_one_to_a_hundred() {
        let limit = |text: &str| page(None, None, Some(text)).limit();
        assert_eq!(page(None, None, None).limit(), Ok(50));
        assert_eq!(limit("100"), Ok(100));
        assert!(["0", "101", "x", "", "99999999999999999999"].into_iter().all(|text| limit(text).is_err()));
    }
}
