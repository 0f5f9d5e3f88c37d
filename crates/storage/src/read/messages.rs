//! Messages by page and by id.

use switchback_core::wire::{History, Message};
use switchback_core::{MessageId, RoomId, Seq, UserId, limits};

use crate::db::{Conn, Row, values};
use crate::read::hydrate::{self, message_sql};
use crate::read::rooms;
use crate::tx::found;
use crate::{Error, HistoryPage, HistoryRange, Reached, Store};

impl Store {
    /// A page of a room that this person may see, oldest first, tombstones included. `limit` is
    /// taken as 1 to `limits::HISTORY_PAGE_MESSAGES`.
    pub async fn history(
        &self,
        viewer: UserId,
        room: RoomId,
        range: HistoryRange,
        limit: usize,
    ) -> Result<HistoryPage, Error> {
        let limit = limit.clamp(1, limits::HISTORY_PAGE_MESSAGES);
        self.at_one_moment(move |conn| Box::pin(history(conn, viewer, room, range, limit))).await
    }

    /// How far a room has come since it had come so far, if messages were posted in it and nothing else has
    /// happened. Every event of a room counts, so there are as many new messages then as events.
    pub async fn only_posts(&self, room: RoomId, since: Reached) -> Result<Option<Reached>, Error> {
        let sql = "SELECT n, last_seq, (SELECT count(*) FROM messages WHERE room_id = $1 AND seq > $2) AS posts \
                   FROM rooms WHERE id = $1";
        let row = self.reader().await?.maybe(sql, values![room, since.last_seq]).await?;
        let Some(row) = row else { return Ok(None) };
        let (now, posts): (_, u64) = (rooms::reached(&row)?, row.get("posts")?);
        Ok((since.n + posts == now.n).then_some(now))
    }

    /// Whether messages were posted in a room between two moments of it, and nothing else has happened.
    pub async fn only_posts_between(
        &self,
        room: RoomId,
        since: Reached,
        until: Reached,
    ) -> Result<bool, Error> {
        let sql = "SELECT count(*) AS posts FROM messages WHERE room_id = $1 AND seq > $2 AND seq <= $3";
        let values = values![room, since.last_seq, until.last_seq];
        let posts: u64 = self.reader().await?.one(sql, values).await?.get("posts")?;
        Ok(since.n + posts == until.n)
    }

    /// One message of a room that this person may see.
    pub async fn message(&self, viewer: UserId, message: MessageId) -> Result<Message, Error> {
        self.at_one_moment(move |conn| Box::pin(seen(conn, viewer, message))).await
    }
}

async fn history(
    conn: &mut Conn,
    viewer: UserId,
    room: RoomId,
    range: HistoryRange,
    limit: usize,
) -> Result<HistoryPage, Error> {
    let reached = rooms::must_see(conn, viewer, room).await?;
    let messages = page(conn, room, range, limit).await?;
    let (has_before, has_after) = neighbours(conn, room, range, &messages).await?;
    Ok(HistoryPage { history: History { messages, has_before, has_after }, reached })
}

async fn seen(conn: &mut Conn, viewer: UserId, message: MessageId) -> Result<Message, Error> {
    let message = one(conn, message).await?;
    match rooms::must_see(conn, viewer, message.room).await {
        Err(Error::NotFound(_)) => Err(Error::NotFound("message")),
        seen => seen.map(|_| message),
    }
}

/// One message, whoever asks.
pub(crate) async fn one(conn: &mut Conn, id: MessageId) -> Result<Message, Error> {
    found(hydrate::messages(conn, &[id]).await?.remove(&id), "message")
}

/// A page's messages, oldest first.
async fn page(
    conn: &mut Conn,
    room: RoomId,
    range: HistoryRange,
    limit: usize,
) -> Result<Vec<Message>, Error> {
    let rows = match range {
        HistoryRange::Latest => before(conn, room, Seq::MAX, limit).await?,
        HistoryRange::Before(seq) => before(conn, room, seq, limit).await?,
        HistoryRange::After(seq) => after(conn, room, seq, limit).await?,
        HistoryRange::Around(seq) => {
            // Half on each side, and what one side lacks is given to the other.
            let mut older = before(conn, room, seq.saturating_add(1), limit).await?;
            let newer = after(conn, room, seq, limit).await?;
            let keep = (limit - (limit / 2).min(newer.len())).min(older.len());
            older.drain(..older.len() - keep);
            older.extend(newer.into_iter().take(limit - keep));
            older
        }
    };
    hydrate::filled(conn, &rows).await
}

async fn before(conn: &mut Conn, room: RoomId, seq: Seq, limit: usize) -> Result<Vec<Row>, Error> {
    let sql = concat!(message_sql!(), "WHERE m.room_id = $2 AND m.seq < $3 ORDER BY m.seq DESC LIMIT $4");
    let mut rows = conn.all(sql, values![limits::REPLY_EXCERPT_CHARS, room, seq, limit]).await?;
    rows.reverse();
    Ok(rows)
}

async fn after(conn: &mut Conn, room: RoomId, seq: Seq, limit: usize) -> Result<Vec<Row>, Error> {
    let sql = concat!(message_sql!(), "WHERE m.room_id = $2 AND m.seq > $3 ORDER BY m.seq LIMIT $4");
    conn.all(sql, values![limits::REPLY_EXCERPT_CHARS, room, seq, limit]).await
}

/// Whether there are older and newer messages than the page's.
async fn neighbours(
    conn: &mut Conn,
    room: RoomId,
    range: HistoryRange,
    messages: &[Message],
) -> Result<(bool, bool), Error> {
    // An empty page stands where it was asked for.
    let (first, last) = match (messages.first(), messages.last(), range) {
        (Some(first), Some(last), _) => (first.seq, last.seq),
        (_, _, HistoryRange::Latest) => return Ok((false, false)),
        (_, _, HistoryRange::Before(seq)) => (seq, seq.saturating_sub(1)),
        (_, _, HistoryRange::After(seq)) => (seq.saturating_add(1), seq),
        (_, _, HistoryRange::Around(seq)) => (seq, seq),
    };
    let sql = "SELECT EXISTS (SELECT 1 FROM messages WHERE room_id = $1 AND seq < $2) AS older, \
               EXISTS (SELECT 1 FROM messages WHERE room_id = $1 AND seq > $3) AS newer";
    let row = conn.one(sql, values![room, first, last]).await?;
    Ok((row.get("older")?, row.get("newer")?))
}
