//! The index on `PostgreSQL`: a `tsvector` for each message, in a table of its own.
//!
//! Every node offers to extend it, one does: it holds the cursor's row for as long as it writes a page, and the
//! others go home. `synchronous_commit` is off: what a power failure takes is read again.

use sqlx::{Connection as _, PgConnection, Postgres, Row as _, raw_sql};
use switchback_core::{Epoch, RoomId, UserId};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::entry::Entry;
use super::{FORMAT, Indexed};
use crate::postgres::{Server, has_ended, in_time};
use crate::{Error, limits};

/// See the module.
#[derive(Debug)]
pub(crate) struct Index {
    server: Server,
    epoch: Epoch,
    /// The connection that writes, while it is good.
    conn: Mutex<Option<PgConnection>>,
}

impl Index {
    pub(super) fn new(server: Server, epoch: Epoch) -> Self {
        Self { server, epoch, conn: Mutex::default() }
    }

    pub(super) async fn next(&self) -> Result<Indexed, Error> {
        let mut held = self.conn.lock().await;
        let mut conn = match held.take() {
            Some(conn) => conn,
            None => self.server.connect_indexer().await?,
        };
        let done = in_time(extend(&mut conn, &self.epoch.to_string())).await;
        // After trouble, a new connection costs less than knowing in which state this one is.
        if done.is_ok() {
            *held = Some(conn);
        }
        Ok(done?)
    }

    pub(super) async fn close(&self) {
        if let Some(conn) = self.conn.lock().await.take()
            && let Err(error) = in_time(conn.close()).await
            && !has_ended(&error)
        {
            tracing::debug!(%error, "the connection that indexes was not closed in good order");
        }
    }
}

async fn extend(conn: &mut PgConnection, epoch: &str) -> Result<Indexed, sqlx::Error> {
    let sql = "SELECT c.epoch, c.format, c.seq, h.seq AS head FROM search_cursor c, log_head h";
    let state = sqlx::query(sql).fetch_one(&mut *conn).await?;
    let (from, head): (i64, i64) = (state.try_get("seq")?, state.try_get("head")?);
    let (is_ours, format) =
        (state.try_get::<String, _>("epoch")? == epoch, state.try_get::<i64, _>("format")?);
    let newer = is_ours && format > FORMAT;
    if newer || (is_ours && format == FORMAT && from == head) {
        return Ok(indexed(from, head, 0, newer));
    }
    let mut page = conn.begin().await?;
    let sql = "SELECT epoch, format, seq FROM search_cursor WHERE id = 1 FOR UPDATE SKIP LOCKED";
    let Some(cursor) = sqlx::query(sql).fetch_optional(&mut *page).await? else {
        return Ok(indexed(from, head, 0, true));
    };
    let head: i64 = sqlx::query_scalar("SELECT seq FROM log_head WHERE id = 1").fetch_one(&mut *page).await?;
    let from: i64 = cursor.try_get("seq")?;
    // Ahead of the log: somebody put an older copy of the database back.
    let is_ours = cursor.try_get::<String, _>("epoch")? == epoch
        && cursor.try_get::<i64, _>("format")? == FORMAT
        && from <= head;
    let from = if is_ours { from } else { 0 };
    if !is_ours {
        raw_sql("TRUNCATE search_words").execute(&mut *page).await?;
    }
    let most = i64::try_from(limits::INDEX_PAGE_EVENTS).unwrap_or(i64::MAX);
    let through = head.min(from.saturating_add(most));
    let entries = read(&mut page, from, through).await?;
    write(&mut page, &entries).await?;
    sqlx::query("UPDATE search_cursor SET epoch = $1, format = $2, seq = $3 WHERE id = 1")
        .bind(epoch)
        .bind(FORMAT)
        .bind(through)
        .execute(&mut *page)
        .await?;
    page.commit().await?;
    Ok(indexed(through, head, entries.len(), false))
}

fn indexed(through: i64, head: i64, messages: usize, by_another: bool) -> Indexed {
    Indexed {
        through: u64::try_from(through).unwrap_or_default(),
        head: u64::try_from(head).unwrap_or_default(),
        messages: u64::try_from(messages).unwrap_or(u64::MAX),
        by_another,
    }
}

/// New messages, and older ones that were changed.
const READ: &str = "SELECT m.seq, m.room_id, m.author_id, m.body, m.edited_at, \
     m.deleted_seq IS NOT NULL AS deleted FROM messages m WHERE m.seq > $1 AND m.seq <= $2 \
     UNION ALL SELECT m.seq, m.room_id, m.author_id, m.body, m.edited_at, m.deleted_seq IS NOT NULL \
     FROM messages m WHERE m.seq <= $1 AND m.id IN (SELECT subject FROM events \
     WHERE seq > $1 AND seq <= $2 AND kind IN ('message.edited', 'message.deleted'))";

async fn read(conn: &mut PgConnection, from: i64, through: i64) -> Result<Vec<Entry>, sqlx::Error> {
    let rows = sqlx::query::<Postgres>(READ).bind(from).bind(through).fetch_all(conn).await?;
    let entry = |row: &sqlx::postgres::PgRow| {
        Ok(Entry {
            seq: u64::try_from(row.try_get::<i64, _>("seq")?).unwrap_or_default(),
            room: RoomId::from_uuid(row.try_get::<Uuid, _>("room_id")?),
            author: UserId::from_uuid(row.try_get::<Uuid, _>("author_id")?),
            body: row.try_get("body")?,
            edited_at: row.try_get("edited_at")?,
            deleted: row.try_get("deleted")?,
        })
    };
    rows.iter().map(entry).collect()
}

async fn write(conn: &mut PgConnection, entries: &[Entry]) -> Result<(), sqlx::Error> {
    let seq = |entry: &Entry| i64::try_from(entry.seq).unwrap_or(i64::MAX);
    let (gone, there): (Vec<&Entry>, Vec<&Entry>) = entries.iter().partition(|entry| entry.deleted);
    if !gone.is_empty() {
        sqlx::query("DELETE FROM search_words WHERE seq = ANY($1)")
            .bind(gone.into_iter().map(seq).collect::<Vec<_>>())
            .execute(&mut *conn)
            .await?;
    }
    if there.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO search_words (seq, edited_at, words) \
               SELECT e.seq, e.edited_at, CAST(e.words AS tsvector) \
               FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS e (seq, edited_at, words) \
               ON CONFLICT (seq) DO UPDATE SET edited_at = EXCLUDED.edited_at, words = EXCLUDED.words";
    sqlx::query(sql)
        .bind(there.iter().map(|entry| seq(entry)).collect::<Vec<_>>())
        .bind(there.iter().map(|entry| entry.edited_at).collect::<Vec<_>>())
        .bind(there.iter().map(|entry| entry.vector()).collect::<Vec<_>>())
        .execute(conn)
        .await?;
    Ok(())
}
