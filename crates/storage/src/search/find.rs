//! Asking the index, and holding what it says against the messages as they are now.

use sqlx::AssertSqlSafe;
use switchback_core::wire::Timestamp;
use switchback_core::{MessageId, Seq, UserId};

use super::{Found, SearchFor, entry};
use crate::db::{Conn, Row, values};
use crate::read::hydrate;
use crate::store::head;
use crate::{Error, limits};

/// How a database's index is asked.
struct Dialect {
    /// How far the index has come, if it is of this log.
    cursor: &'static str,
    /// Positions of messages with these words (`$1`) from one (`$2`) to before another (`$3`), newest first.
    candidates: &'static str,
    /// Of which text of message `m` the words are.
    edited_at: &'static str,
}

const SQLITE: Dialect = Dialect {
    cursor: "SELECT c.seq FROM found.cursor c JOIN log_head h ON h.epoch = c.epoch",
    candidates: "SELECT rowid AS seq FROM found.words WHERE words MATCH $1 \
                 AND rowid >= $2 AND rowid < $3 ORDER BY rowid DESC",
    edited_at: "SELECT w.edited_at FROM found.words w WHERE w.rowid = m.seq",
};
const POSTGRES: Dialect = Dialect {
    cursor: "SELECT c.seq FROM search_cursor c JOIN log_head h ON h.epoch = c.epoch",
    candidates: "SELECT seq FROM search_words WHERE words @@ CAST($1 AS tsquery) \
                 AND seq >= $2 AND seq < $3 ORDER BY seq DESC",
    edited_at: "SELECT w.edited_at FROM search_words w WHERE w.seq = m.seq",
};

pub(super) async fn page(
    conn: &mut Conn,
    viewer: UserId,
    asked: &SearchFor,
    before: Option<Seq>,
    limit: usize,
) -> Result<Found, Error> {
    let is_postgres = conn.postgres().is_some();
    let (dialect, expression) = if is_postgres {
        // What is rare and what is common must not be looked for in the same way.
        conn.run("SET LOCAL plan_cache_mode = force_custom_plan", values![]).await?;
        (POSTGRES, entry::tsquery(asked))
    } else {
        (SQLITE, entry::fts5(asked))
    };
    let head = head(conn).await?;
    let indexed_to = match conn.maybe(dialect.cursor, values![]).await? {
        Some(row) => row.get("seq")?,
        None => 0,
    };
    let mut found = Found { messages: Vec::new(), before: None, indexed_to, head };
    let Some(expression) = expression else { return Ok(found) };
    let until = match asked.until {
        Some(at) => position(conn, at, head).await?.min(before.unwrap_or(Seq::MAX)),
        None => before.unwrap_or(Seq::MAX),
    };
    let since = match asked.since {
        Some(at) => position(conn, at, head).await?,
        None => 0,
    };
    let words = Words { dialect, expression, since, until };
    let mut hits = words.visible(conn, viewer, limit + 1).await?;
    if hits.len() > limit {
        hits.truncate(limit);
        found.before = hits.last().map(|(seq, _)| *seq);
    } else {
        found.before = words.last_candidate(conn).await?;
    }
    let ids: Vec<MessageId> = hits.into_iter().map(|(_, id)| id).collect();
    let mut messages = hydrate::messages(conn, &ids).await?;
    found.messages = ids.iter().filter_map(|id| messages.remove(id)).collect();
    Ok(found)
}

/// What is asked of the index.
struct Words {
    dialect: Dialect,
    expression: String,
    since: Seq,
    until: Seq,
}

impl Words {
    /// Of the newest candidates those that `viewer` may see and whose words still are the message's.
    async fn visible(
        &self,
        conn: &mut Conn,
        viewer: UserId,
        limit: usize,
    ) -> Result<Vec<(Seq, MessageId)>, Error> {
        let Dialect { candidates, edited_at, .. } = self.dialect;
        // CROSS JOIN keeps SQLite from turning the two around. Our own SQL; every value is bound.
        let sql = AssertSqlSafe(format!(
            "SELECT m.seq, m.id FROM ({candidates} LIMIT $4) c CROSS JOIN messages m \
             WHERE m.seq = c.seq AND m.deleted_seq IS NULL \
             AND m.room_id IN (SELECT id FROM rooms WHERE kind = 'public' \
             UNION ALL SELECT room_id FROM memberships WHERE user_id = $5) \
             AND (m.edited_at IS NULL OR m.edited_at = ({edited_at})) ORDER BY m.seq DESC LIMIT $6"
        ));
        let Self { expression, since, until, .. } = self;
        let most = limits::SEARCH_CANDIDATES;
        let bound = values![expression.clone(), *since, *until, most, viewer, limit];
        let hit = |row: &Row| Ok((row.get("seq")?, row.get("id")?));
        conn.all(sql, bound).await?.iter().map(hit).collect()
    }

    /// The last one that was looked at, if it is one of as many as may be: there may be more.
    async fn last_candidate(&self, conn: &mut Conn) -> Result<Option<Seq>, Error> {
        let sql = AssertSqlSafe(format!("{} LIMIT 1 OFFSET $4", self.dialect.candidates));
        let Self { expression, since, until, .. } = self;
        let bound = values![expression.clone(), *since, *until, limits::SEARCH_CANDIDATES - 1];
        conn.all(sql, bound).await?.first().map(|row| row.get("seq")).transpose()
    }
}

/// The first event's position at this time or later; that after the head if there is none. The log's times
/// never go back, and so it is halved until it is found.
async fn position(conn: &mut Conn, at: Timestamp, head: Seq) -> Result<Seq, Error> {
    let sql = "SELECT at FROM events WHERE seq >= $1 ORDER BY seq LIMIT 1";
    let (mut low, mut high) = (1, head + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let is_before = match conn.maybe(sql, values![middle]).await? {
            Some(row) => row.get::<Timestamp>("at")? < at,
            None => false,
        };
        if is_before { low = middle + 1 } else { high = middle }
    }
    Ok(low)
}
