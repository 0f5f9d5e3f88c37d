//! Asking the index, and holding what it says against the messages as they are now.

use sqlx::AssertSqlSafe;
use switchback_core::wire::Timestamp;
use switchback_core::{MessageId, Seq, UserId};

use super::{Found, SearchFor, entry};
use crate::db::{Conn, Row, values};
use crate::read::hydrate;
use crate::{Error, limits};

/// How a database's index is asked.
struct Dialect {
    /// The log's head, and how far the index has come, if it is of this log.
    state: &'static str,
    /// Positions of messages with these words (`$1`) from one (`$2`) to before another (`$3`), newest first.
    candidates: &'static str,
    /// The same by the index alone, where that is another query: for what is not among the newest. A planner that
    /// knows of a limit reads the messages backwards, however rare a word is.
    by_index: Option<&'static str>,
    /// Of which text of message `m` the words are.
    edited_at: &'static str,
}

const SQLITE: Dialect = Dialect {
    state: "SELECT h.seq AS head, c.seq AS indexed FROM log_head h \
            LEFT JOIN found.cursor c ON c.epoch = h.epoch WHERE h.id = 1",
    candidates: "SELECT rowid AS seq FROM found.words WHERE words MATCH $1 \
                 AND rowid >= $2 AND rowid < $3 ORDER BY rowid DESC",
    by_index: None,
    edited_at: "SELECT w.edited_at FROM found.words w WHERE w.rowid = m.seq",
};
const POSTGRES: Dialect = Dialect {
    state: "SELECT h.seq AS head, c.seq AS indexed FROM log_head h \
            LEFT JOIN search_cursor c ON c.epoch = h.epoch WHERE h.id = 1",
    candidates: "SELECT seq FROM search_words WHERE words @@ CAST($1 AS tsquery) \
                 AND seq >= $2 AND seq < $3 ORDER BY seq DESC",
    by_index: Some(
        "SELECT seq FROM (SELECT seq FROM search_words WHERE words @@ CAST($1 AS tsquery) \
         AND seq >= $2 AND seq < $3 OFFSET 0) found ORDER BY seq DESC",
    ),
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
    let state = conn.one(dialect.state, values![]).await?;
    let (head, indexed): (Seq, Option<Seq>) = (state.get("head")?, state.get("indexed")?);
    let indexed_to = indexed.unwrap_or_default();
    let mut found = Found { messages: Vec::new(), before: None, indexed_to, head };
    let Some(expression) = expression else { return Ok(found) };
    let mut until = before.unwrap_or(Seq::MAX);
    if let Some(at) = asked.until {
        until = until.min(position(conn, at, head).await?);
    }
    let since = match asked.since {
        Some(at) => position(conn, at, head).await?,
        None => 0,
    };
    let until = until.min(indexed_to + 1);
    let mut words = Words { dialect, expression, viewer, since };
    let (ids, before) = words.newest(conn, until, limit).await?;
    let mut messages = hydrate::messages(conn, &ids).await?;
    found.messages = ids.iter().filter_map(|id| messages.remove(id)).collect();
    found.before = before;
    Ok(found)
}

/// What is asked of the index, and by whom.
struct Words {
    dialect: Dialect,
    expression: String,
    viewer: UserId,
    since: Seq,
}

/// So many times as many candidates are looked at next: whoever sees most of them has a page at once, whoever
/// sees few does not ask for ever.
const LOOK_FURTHER: usize = 4;

impl Words {
    /// The newest messages before a position, and, if there may be more, before which to go on. The newest
    /// candidates are looked at first, however many there are.
    async fn newest(
        &mut self,
        conn: &mut Conn,
        mut until: Seq,
        limit: usize,
    ) -> Result<(Vec<MessageId>, Option<Seq>), Error> {
        let (mut hits, mut looked_at, mut stretch) = (Vec::new(), 0, limit + 1);
        let mut further = self.near(until);
        loop {
            hits.extend(self.visible(conn, until, stretch, limit + 1 - hits.len()).await?);
            if hits.len() > limit {
                hits.truncate(limit);
                let before = hits.last().map(|(seq, _)| *seq);
                return Ok((ids(hits), before));
            }
            looked_at += stretch;
            match self.candidate(conn, until, stretch).await? {
                Some(last) if looked_at < limits::SEARCH_CANDIDATES => until = last,
                Some(last) => return Ok((ids(hits), Some(last))),
                None => match further.take() {
                    Some(since) => until = self.far(since),
                    None => return Ok((ids(hits), None)),
                },
            }
            stretch = (stretch * LOOK_FURTHER).min(limits::SEARCH_CANDIDATES - looked_at).max(1);
        }
    }

    /// Where there is another query for what is not among the newest: looks at those first. Answers with how far
    /// back to look afterwards.
    fn near(&mut self, until: Seq) -> Option<Seq> {
        let near = until.saturating_sub(limits::SEARCH_NEAR_EVENTS);
        if self.dialect.by_index.is_none() || near <= self.since {
            return None;
        }
        Some(std::mem::replace(&mut self.since, near))
    }

    /// From here on by the index, back to `since`. Answers with what lies before the newest.
    fn far(&mut self, since: Seq) -> Seq {
        if let Some(by_index) = self.dialect.by_index {
            self.dialect.candidates = by_index;
        }
        std::mem::replace(&mut self.since, since)
    }

    /// Of the newest candidates before a position, so many of them, those that may be seen and whose words
    /// still are the message's.
    async fn visible(
        &self,
        conn: &mut Conn,
        until: Seq,
        stretch: usize,
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
        let bound = values![self.expression.clone(), self.since, until, stretch, self.viewer, limit];
        let hit = |row: &Row| Ok((row.get("seq")?, row.get("id")?));
        conn.all(sql, bound).await?.iter().map(hit).collect()
    }

    /// The candidate of this number before a position, if there are so many.
    async fn candidate(&self, conn: &mut Conn, until: Seq, number: usize) -> Result<Option<Seq>, Error> {
        let sql = AssertSqlSafe(format!("{} LIMIT 1 OFFSET $4", self.dialect.candidates));
        let bound = values![self.expression.clone(), self.since, until, number - 1];
        conn.all(sql, bound).await?.first().map(|row| row.get("seq")).transpose()
    }
}

fn ids(hits: Vec<(Seq, MessageId)>) -> Vec<MessageId> {
    hits.into_iter().map(|(_, id)| id).collect()
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
