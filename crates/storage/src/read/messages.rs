//! Messages by page and by id.

use switchback_core::wire::{History, Message};
use switchback_core::{MessageId, RoomId, Seq, UserId, limits};

use crate::db::{Conn, Row, values};
use crate::read::{hydrate, rooms};
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
        let mut conn = self.at_one_moment().await?;
        let reached = rooms::must_see(&mut conn, viewer, room).await?;
        let ids = page(&mut conn, room, range, limit).await?;
        let (has_before, has_after) = neighbours(&mut conn, room, range, &ids).await?;
        let ids: Vec<MessageId> = ids.into_iter().map(|(_, id)| id).collect();
        let mut messages = hydrate::messages(&mut conn, &ids).await?;
        let messages = ids.iter().filter_map(|id| messages.remove(id)).collect();
        Ok(HistoryPage { history: History { messages, has_before, has_after }, reached })
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

    /// One message of a room that this person may see.
    pub async fn message(&self, viewer: UserId, message: MessageId) -> Result<Message, Error> {
        let mut conn = self.at_one_moment().await?;
        let message = one(&mut conn, message).await?;
        match rooms::must_see(&mut conn, viewer, message.room).await {
            Err(Error::NotFound(_)) => Err(Error::NotFound("message")),
            seen => seen.map(|_| message),
        }
    }
}

/// One message, whoever asks.
pub(crate) async fn one(conn: &mut Conn, id: MessageId) -> Result<Message, Error> {
    found(hydrate::messages(conn, &[id]).await?.remove(&id), "message")
}

/// Positions and ids of a page, oldest first.
async fn page(
    conn: &mut Conn,
    room: RoomId,
    range: HistoryRange,
    limit: usize,
) -> Result<Vec<(Seq, MessageId)>, Error> {
    match range {
        HistoryRange::Latest => before(conn, room, Seq::MAX, limit).await,
        HistoryRange::Before(seq) => before(conn, room, seq, limit).await,
        HistoryRange::After(seq) => after(conn, room, seq, limit).await,
        HistoryRange::Around(seq) => {
            // Half on each side, and what one side lacks is given to the other.
            let mut older = before(conn, room, seq.saturating_add(1), limit).await?;
            let newer = after(conn, room, seq, limit).await?;
            let keep = (limit - (limit / 2).min(newer.len())).min(older.len());
            older.drain(..older.len() - keep);
            older.extend(newer.into_iter().take(limit - keep));
            Ok(older)
        }
    }
}

async fn before(
    conn: &mut Conn,
    room: RoomId,
    seq: Seq,
    limit: usize,
) -> Result<Vec<(Seq, MessageId)>, Error> {
    let sql = "SELECT seq, id FROM messages WHERE room_id = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3";
    let rows = conn.all(sql, values![room, seq, limit]).await?;
    rows.iter().rev().map(position).collect()
}

async fn after(
    conn: &mut Conn,
    room: RoomId,
    seq: Seq,
    limit: usize,
) -> Result<Vec<(Seq, MessageId)>, Error> {
    let sql = "SELECT seq, id FROM messages WHERE room_id = $1 AND seq > $2 ORDER BY seq LIMIT $3";
    conn.all(sql, values![room, seq, limit]).await?.iter().map(position).collect()
}

fn position(row: &Row) -> Result<(Seq, MessageId), Error> {
    Ok((row.get("seq")?, row.get("id")?))
}

/// Whether there are older and newer messages than the page's.
async fn neighbours(
    conn: &mut Conn,
    room: RoomId,
    range: HistoryRange,
    ids: &[(Seq, MessageId)],
) -> Result<(bool, bool), Error> {
    // An empty page stands where it was asked for.
    let (first, last) = match (ids.first(), ids.last(), range) {
        (Some((first, _)), Some((last, _)), _) => (*first, *last),
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
