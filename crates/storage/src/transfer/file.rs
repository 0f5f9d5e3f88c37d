//! A backup of a data directory, made by `SQLite` itself beside a running server.
//!
//! `VACUUM INTO` reads one snapshot of the database and writes it, without gaps and without what was
//! deleted, into a new file. It holds up neither readers nor the writer; the WAL grows until it has
//! ended. Why not row by row, as with `PostgreSQL`: pages are faster, and indexes come with them.

use std::path::Path;
use std::time::Duration;

use sqlx::{Connection as _, SqliteConnection};
use switchback_core::Seq;

use super::error::{TransferError, reading, writing};
use super::incoming::Incoming;
use super::{Backup, OnProgress, Progress, Stage};
use crate::sqlite;

/// How often the growing file is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

pub(super) async fn backup(
    database: &Path,
    place: &Path,
    on_progress: OnProgress<'_>,
) -> Result<Backup, TransferError> {
    let mut conn = sqlite::connect_beside(database).await.map_err(reading)?;
    if sqlite::schema_version(&mut conn).await.map_err(reading)?.is_none() {
        return Err(TransferError::Empty { database: database.display().to_string() });
    }
    let incoming = Incoming::new(place)?;
    let total = size_bytes(&mut conn).await.map_err(reading)?;
    vacuum_into(&mut conn, &incoming, total, on_progress).await?;
    // A stopped server's file is left as whole as it was found.
    conn.close().await.map_err(reading)?;
    on_progress(Progress { stage: Stage::Checking, table: "", done: 0, total: 0 });
    let (head, messages) = look_at(&incoming).await.map_err(writing)?;
    let size_bytes = incoming.put_in_place()?;
    Ok(Backup { path: place.to_owned(), size_bytes, head, messages })
}

async fn vacuum_into(
    conn: &mut SqliteConnection,
    incoming: &Incoming,
    total: u64,
    on_progress: OnProgress<'_>,
) -> Result<(), TransferError> {
    let path = incoming.path().to_str().map(str::to_owned).ok_or_else(|| TransferError::File {
        path: incoming.path().to_owned(),
        source: std::io::Error::new(std::io::ErrorKind::InvalidInput, "its name is not UTF-8"),
    })?;
    let mut vacuum = std::pin::pin!(sqlx::query("VACUUM INTO $1").bind(path).execute(conn));
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            // Who waits is told at once what is done, however soon it is.
            biased;
            _ = look.tick() => {
                let done = std::fs::metadata(incoming.path()).map_or(0, |file| file.len()).min(total);
                on_progress(Progress { stage: Stage::Writing, table: "", done, total });
            }
            done = &mut vacuum => return done.map(drop).map_err(writing),
        }
    }
}

/// What the file will hold, more or less.
async fn size_bytes(conn: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    let sql = "SELECT (page_count - freelist_count) * page_size \
               FROM pragma_page_count, pragma_freelist_count, pragma_page_size";
    let size: i64 = sqlx::query_scalar(sql).fetch_one(conn).await?;
    Ok(u64::try_from(size).unwrap_or_default())
}

/// Makes it one file without a WAL, and reads all of it once: the head, and the number of messages.
async fn look_at(incoming: &Incoming) -> Result<(Seq, u64), sqlx::Error> {
    let mut conn = sqlite::connect_beside(incoming.path()).await?;
    sqlx::query("PRAGMA journal_mode = DELETE").execute(&mut conn).await?;
    let said: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut conn).await?;
    if said != "ok" {
        return Err(sqlx::Error::Protocol(format!("the copy is not whole: {said}")));
    }
    let sql = "SELECT (SELECT seq FROM log_head), (SELECT count(*) FROM messages)";
    let (head, messages): (i64, i64) = sqlx::query_as(sql).fetch_one(&mut conn).await?;
    conn.close().await?;
    Ok((u64::try_from(head).unwrap_or_default(), u64::try_from(messages).unwrap_or_default()))
}
