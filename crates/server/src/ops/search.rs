//! Searching: a query in words becomes one in ids, and the store answers it.

use switchback_core::search::{BadQuery, Query};
use switchback_core::wire::{CommandError, ErrorCode, SearchResults};
use switchback_core::{RoomId, Seq, UserId};
use switchback_storage::{Identity, SearchFor};

use super::{Ops, Refusal};

/// Where a query stands in a request.
const FIELD: &str = "q";

impl Ops {
    /// Messages that the caller may see now and that match, newest first.
    pub(crate) async fn search(
        &self,
        caller: &Identity,
        text: &str,
        before: Option<Seq>,
        limit: usize,
    ) -> Result<SearchResults, Refusal> {
        let viewer = caller.user.id;
        self.inner.limiters.search(viewer)?;
        let query = Query::parse(text).map_err(|bad| refusal(&bad))?;
        let asked = self.looked_up(viewer, query).await?;
        self.inner.index.catch_up().await?;
        let found = self.store().search(viewer, &asked, before, limit).await?;
        Ok(SearchResults {
            messages: found.messages,
            before: found.before,
            indexed_to: found.indexed_to,
            complete: found.indexed_to >= found.head,
        })
    }

    async fn looked_up(&self, viewer: UserId, query: Query) -> Result<SearchFor, Refusal> {
        let Query { phrases, from, room, since, until } = query;
        let author = match &from {
            Some(handle) => {
                let known = self.store().users_by_handle(std::slice::from_ref(handle)).await?;
                let user = known.first().ok_or_else(|| nothing(format!("nobody is called @{handle}")))?;
                Some(user.id)
            }
            None => None,
        };
        let rooms: Option<Vec<RoomId>> = match &room {
            Some(name) => {
                let rooms = self.store().rooms_named(viewer, name).await?;
                if rooms.is_empty() {
                    return Err(nothing(format!("there is no room #{name}, or you are not in it")));
                }
                Some(rooms)
            }
            None => None,
        };
        Ok(SearchFor { phrases, author, rooms, since, until })
    }
}

fn nothing(detail: String) -> Refusal {
    Refusal::field(FIELD, detail)
}

fn refusal(bad: &BadQuery) -> Refusal {
    let (code, detail) = match bad {
        BadQuery::TooLong { .. } => (ErrorCode::TooLong, format!("`{FIELD}` {bad}")),
        BadQuery::Empty | BadQuery::Filter { .. } => (ErrorCode::BadRequest, bad.to_string()),
    };
    Refusal(Box::new(CommandError::new(code, detail).with_field(FIELD)))
}
