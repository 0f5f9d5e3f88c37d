//! Where a transfer reads from: a consistent state of everything, which nobody changes meanwhile.
//!
//! * A data directory: under its lock (no server runs) and in a write transaction (no admin command
//!   writes). Nothing is written.
//! * `PostgreSQL`, to move away from: in one snapshot, with the head's table locked. Every write
//!   transaction of every server begins at that table, so none begins before the copy has ended.
//! * `PostgreSQL`, for a backup: in one snapshot, and nobody waits.
//! * A backup: read as it is, without so much as opening it for writing.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::TryStreamExt as _;
use sqlx::error::DatabaseError;
use sqlx::{PgConnection, SqliteConnection};

use super::end::End;
use super::error::{TransferError, reading};
use super::incoming::{Incoming, beside};
use super::{OnProgress, Progress, Stage};
use crate::postgres::{self, Server};
use crate::store::{must_be_finished, take_lock};
use crate::{Database, Error, OpenError, limits, sqlite};

/// How often it is looked whether everybody has left.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A database that is read, and what must be held until it has been.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) end: End,
    /// A data directory's lock.
    _lock: Option<File>,
    /// A copy that was brought up to date.
    _copy: Option<Incoming>,
}

impl Source {
    /// Everything that is to move away from here.
    pub(super) async fn to_leave(database: &Database) -> Result<Self, TransferError> {
        match database {
            Database::Directory(data_dir) => Self::directory(data_dir).await,
            Database::Postgres(address) => {
                let mut end = postgres_end(&Server::new(address.clone())).await?;
                must_be_left(&mut end, &address.to_string()).await?;
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ; LOCK TABLE log_head IN EXCLUSIVE MODE";
                end.run(begin).await.map_err(reading)?;
                Ok(Self { end, _lock: None, _copy: None })
            }
        }
    }

    /// A moment of a database that is in use.
    pub(super) async fn snapshot(server: &Server) -> Result<Self, TransferError> {
        let mut end = postgres_end(server).await?;
        end.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.map_err(reading)?;
        Ok(Self { end, _lock: None, _copy: None })
    }

    async fn directory(data_dir: &Path) -> Result<Self, TransferError> {
        let path = database_file(data_dir)?;
        let lock = take_lock(data_dir).map_err(|error| match error {
            OpenError::InUse { path } => TransferError::SourceServed { path },
            other => other.into(),
        })?;
        let mut conn = sqlite::reconnect_writer(&path).await.map_err(reading)?;
        must_be_current(&mut conn, &path).await?;
        let mut end = End::Sqlite(conn);
        end.run("BEGIN IMMEDIATE").await.map_err(reading)?;
        Ok(Self { end, _lock: Some(lock), _copy: None })
    }

    /// Lets go of it. What was held is free, whatever the connection has to say.
    pub(super) async fn close(self) {
        if let Err(error) = self.end.close().await {
            tracing::debug!(%error, "the source was not closed in good order");
        }
    }

    /// A backup, after a look at whether it is one and is whole. `scratch`: where a copy can be made
    /// if its schema is an older one.
    pub(super) async fn backup(
        path: &Path,
        scratch: &Path,
        on_progress: OnProgress<'_>,
    ) -> Result<Self, TransferError> {
        let file = std::fs::metadata(path);
        let file = file.map_err(|source| TransferError::File { path: path.to_owned(), source })?;
        if !file.is_file() {
            return Err(TransferError::NotABackup { path: path.to_owned() });
        }
        if let Some(beside) = beside(path) {
            let beside = beside.display().to_string();
            return Err(TransferError::LiveFile { path: path.to_owned(), beside });
        }
        let mut conn = sqlite::connect_unchanged(path).await.map_err(|error| unreadable(path, error))?;
        must_be_ours(&mut conn, path).await?;
        on_progress(Progress { stage: Stage::Inspecting, table: "", done: 0, total: 0 });
        must_be_whole(&mut conn, path).await?;
        if !sqlite::is_behind(&mut conn, path).await? {
            return Ok(Self { end: End::Sqlite(conn), _lock: None, _copy: None });
        }
        let (conn, copy) = up_to_date(path, scratch).await?;
        Ok(Self { end: End::Sqlite(conn), _lock: None, _copy: Some(copy) })
    }
}

/// The database in a data directory, which must be there.
pub(super) fn database_file(data_dir: &Path) -> Result<PathBuf, TransferError> {
    let path = data_dir.join(sqlite::FILE);
    must_be_finished(&path)?;
    if path.is_file() { Ok(path) } else { Err(OpenError::Missing { path: data_dir.to_owned() }.into()) }
}

async fn must_be_current(conn: &mut SqliteConnection, path: &Path) -> Result<(), TransferError> {
    let database = path.display().to_string();
    if sqlite::schema_version(conn).await.map_err(reading)?.is_none() {
        return Err(TransferError::Empty { database });
    }
    if sqlite::is_behind(conn, path).await? { Err(TransferError::OlderSchema { database }) } else { Ok(()) }
}

async fn postgres_end(server: &Server) -> Result<End, TransferError> {
    let database = server.address().to_string();
    let mut conn = server.connect_transfer().await?;
    server.must_be_finished(&mut conn).await?;
    if !has_head(&mut conn).await.map_err(reading)? {
        return Err(TransferError::Empty { database });
    }
    if server.is_behind(&mut conn).await? {
        return Err(TransferError::OlderSchema { database });
    }
    Ok(End::Postgres(conn))
}

/// Whether there is a workspace in a `PostgreSQL` database.
pub(super) async fn has_head(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    if postgres::schema_version(conn).await?.is_none() {
        return Ok(false);
    }
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM log_head)").fetch_one(conn).await
}

/// The lock keeps servers from writing while the copy lasts; one that runs on would write into the
/// abandoned database afterwards. One that has just been stopped is seen for a moment longer.
async fn must_be_left(end: &mut End, database: &str) -> Result<(), TransferError> {
    let deadline = Instant::now() + limits::TRANSFER_LEAVING;
    loop {
        let connections = others(end).await.map_err(reading)?;
        if connections == 0 {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(TransferError::SourceConnected { database: database.to_owned(), connections });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Connections to the same database that go by the same name.
async fn others(end: &mut End) -> Result<i64, Error> {
    let sql = "SELECT count(*) AS connections FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid() \
               AND application_name = current_setting('application_name')";
    let row = end.stream(sql.to_owned()).try_next().await?;
    row.ok_or(sqlx::Error::RowNotFound)?.get("connections")
}

/// Whether this is a database of ours at all.
async fn must_be_ours(conn: &mut SqliteConnection, path: &Path) -> Result<(), TransferError> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' \
               AND name IN ('_sqlx_migrations', 'log_head', 'workspace', 'events', 'messages')";
    let found: i64 =
        sqlx::query_scalar(sql).fetch_one(conn).await.map_err(|error| unreadable(path, error))?;
    if found == 5 { Ok(()) } else { Err(TransferError::NotABackup { path: path.to_owned() }) }
}

/// Looks at every page and every index.
async fn must_be_whole(conn: &mut SqliteConnection, path: &Path) -> Result<(), TransferError> {
    let check = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(conn).await;
    let said: String = check.map_err(|error| unreadable(path, error))?;
    if said == "ok" { Ok(()) } else { Err(TransferError::Damaged { path: path.to_owned(), detail: said }) }
}

/// `SQLite`'s primary codes for a damaged file and for one that is no database.
const CORRUPT: i64 = 11;
const NOT_A_DATABASE: i64 = 26;

fn unreadable(path: &Path, error: sqlx::Error) -> TransferError {
    let path = path.to_owned();
    let code = error.as_database_error().and_then(DatabaseError::code);
    match code.and_then(|code| code.parse::<i64>().ok()).map(|code| code & 0xff) {
        Some(NOT_A_DATABASE) => TransferError::NotABackup { path },
        Some(CORRUPT) => TransferError::Damaged { path, detail: "its pages do not fit together".to_owned() },
        _ => reading(error),
    }
}

/// A copy of an older backup with today's schema: the file itself stays as it is.
async fn up_to_date(path: &Path, scratch: &Path) -> Result<(SqliteConnection, Incoming), TransferError> {
    let copy = Incoming::new(scratch)?;
    let failed = |source| TransferError::File { path: copy.path().to_owned(), source };
    tokio::fs::copy(path, copy.path()).await.map_err(failed)?;
    let mut conn = sqlite::connect_beside(copy.path()).await.map_err(reading)?;
    sqlite::migrate(&mut conn).await?;
    Ok((conn, copy))
}
