//! What is peculiar to `SQLite`: opening, pragmas, migrations, the write transaction, error codes,
//! the checkpoint at the end.
//!
//! One connection writes at a time ([`Express`]'s, or else the writer's own), several read ([`Moments`]', and
//! those for a single question). WAL lets them not wait for each other; `synchronous=FULL`
//! syncs the WAL at each commit, which is what an acknowledgement stands for. There is no memory
//! mapping: an IO error under a mapped page is a signal that ends the process, an error code is
//! not.

mod express;
mod moments;

use std::io::ErrorKind;
use std::path::Path;

use rusqlite::OpenFlags;
use sqlx::error::DatabaseError;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, SqlSafeStr as _, SqliteConnection, SqlitePool};
use switchback_core::Seq;
use switchback_core::wire::Timestamp;

use crate::db::{for_sqlite, values};
use crate::{OpenError, limits};

#[cfg(test)]
pub(crate) use express::Setter;
pub(crate) use express::{Done, Express, Group};
pub(crate) use moments::Moments;

/// The database's name in the data directory.
pub(crate) const FILE: &str = "switchback.db";

/// The WAL is moved into the database when it has so many pages (16 MiB): often written ones are moved once.
const WAL_PAGES: u32 = 4_096;
/// The WAL is cut back to this size after a checkpoint, in bytes.
const WAL_KEPT_BYTES: u32 = 64 * 1024 * 1024;

/// Opens the connection that writes; makes the file if there is none.
pub(crate) async fn connect_writer(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    writer_options(path).create_if_missing(true).connect().await
}

/// Opens what is there beside a running server, to copy it.
pub(crate) async fn connect_beside(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    options(path).connect().await
}

/// Opens a file that nobody writes and that must stay as it is.
pub(crate) async fn connect_unchanged(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    options(path).read_only(true).immutable(true).connect().await
}

/// Opens an empty file to be filled in one go. There is no way back in it: whoever fails throws it
/// away. References are looked at once, at the end.
pub(crate) async fn connect_filling(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    options(path)
        .foreign_keys(false)
        .journal_mode(SqliteJournalMode::Off)
        .synchronous(SqliteSynchronous::Off)
        .locking_mode(SqliteLockingMode::Exclusive)
        .connect()
        .await
}

/// Opens it again. An empty file in place of one that is gone would hide the loss.
pub(crate) async fn reconnect_writer(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    writer_options(path).connect().await
}

fn writer_options(path: &Path) -> SqliteConnectOptions {
    let options = options(path).journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
    writer_pragmas().into_iter().fold(options, |options, (name, value)| options.pragma(name, value))
}

/// Of a connection that writes.
fn writer_pragmas() -> [(&'static str, String); 3] {
    [
        // What is deleted is overwritten, not left in unused parts of the file.
        ("secure_delete", "ON".to_owned()),
        ("wal_autocheckpoint", WAL_PAGES.to_string()),
        ("journal_size_limit", WAL_KEPT_BYTES.to_string()),
    ]
}

/// Of every connection.
fn pragmas() -> [(&'static str, String); 2] {
    [
        ("temp_store", "MEMORY".to_owned()),
        // Negative: in KiB.
        ("cache_size", format!("-{}", limits::PAGE_CACHE_KIB)),
    ]
}

/// Opens what is there without sqlx, to be used by one thread at a time. An empty file in place of one that is gone would
/// hide the loss: so never made here.
fn open_direct(path: &Path) -> rusqlite::Result<rusqlite::Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = rusqlite::Connection::open_with_flags(path, flags)?;
    for (name, value) in pragmas() {
        conn.pragma_update(None, name, value)?;
    }
    Ok(conn)
}

/// The connections for one query. They are opened when they are first needed, and kept.
pub(crate) fn readers(path: &Path) -> SqlitePool {
    pool(path, at_most(limits::READERS))
}

/// The connections for several queries that must agree with each other.
pub(crate) fn moments(path: &Path) -> Moments {
    Moments::of(path, at_most(limits::MOMENTS))
}

/// So many connections, unless a simulation wants fewer.
fn at_most(most: u32) -> u32 {
    #[cfg(feature = "simulation")]
    let most = most.min(crate::simulation::readers());
    most
}

/// The connection for who comes in. Everybody does, and so it comes to know everybody's part of the
/// database: one such cache is enough.
pub(crate) fn desk(path: &Path) -> SqlitePool {
    pool(path, 1)
}

/// The connections that search: they read the database, with the index beside it as `found`.
pub(crate) fn searchers(path: &Path, index: &Path) -> SqlitePool {
    let index = index.to_string_lossy().into_owned();
    pool_options(limits::SEARCHERS)
        .after_connect(move |conn, _| {
            let attach = sqlx::query("ATTACH DATABASE $1 AS found").bind(index.clone());
            Box::pin(async move { attach.execute(conn).await.map(drop) })
        })
        .connect_lazy_with(options(path).pragma("query_only", "ON"))
}

/// Of the connection that writes the index (see `search::sqlite`).
pub(crate) fn index_pragmas() -> impl Iterator<Item = (&'static str, String)> {
    let own = [("journal_mode", "WAL".to_owned()), ("synchronous", "NORMAL".to_owned())];
    own.into_iter().chain(writer_pragmas()).chain(pragmas())
}

fn pool(path: &Path, most: u32) -> SqlitePool {
    pool_options(most).connect_lazy_with(options(path).pragma("query_only", "ON"))
}

fn pool_options(most: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(most)
        .acquire_timeout(limits::READER_WAIT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

fn options(path: &Path) -> SqliteConnectOptions {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(limits::BUSY_TIMEOUT)
        .statement_cache_capacity(limits::STATEMENT_CACHE);
    pragmas().into_iter().fold(options, |options, (name, value)| options.pragma(name, value))
}

/// Every migration in order; what is listed here is never changed, only added to.
fn migrator() -> Migrator {
    let migration = |version, name: &'static str, sql: &'static str| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(vec![
        migration(1, "init", include_str!("../../../migrations/sqlite/0001_init.sql")),
        migration(2, "private names", include_str!("../../../migrations/sqlite/0002_private_names.sql")),
        migration(3, "nonces in order", include_str!("../../../migrations/sqlite/0003_nonces_in_order.sql")),
        migration(
            4,
            "events by position",
            include_str!("../../../migrations/sqlite/0004_events_by_position.sql"),
        ),
    ])
}

/// The schema that this version knows.
pub(crate) fn known_schema() -> i64 {
    migrator().iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// Whether there are migrations to run. A schema from the future is refused.
pub(crate) async fn is_behind(conn: &mut SqliteConnection, path: &Path) -> Result<bool, OpenError> {
    let known = known_schema();
    let found = schema_version(conn).await?.unwrap_or_default();
    if found > known {
        return Err(OpenError::NewerSchema { database: path.display().to_string(), found, known });
    }
    Ok(found < known)
}

/// The schema that a database has, if it has one of ours.
pub(crate) async fn schema_version(conn: &mut SqliteConnection) -> Result<Option<i64>, sqlx::Error> {
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'")
            .fetch_one(&mut *conn)
            .await?;
    if tables == 0 {
        return Ok(None);
    }
    sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(conn).await
}

/// Brings the schema up to date. A table that is made anew is gone for a moment, and what refers to it is
/// right again only at the end: so references are looked at then.
pub(crate) async fn migrate(conn: &mut SqliteConnection) -> Result<(), OpenError> {
    let are_kept: bool = sqlx::query_scalar("PRAGMA foreign_keys").fetch_one(&mut *conn).await?;
    sqlx::query("PRAGMA foreign_keys = OFF").execute(&mut *conn).await?;
    migrator().run_direct(None, conn, false).await?;
    if are_kept {
        let lost: Option<String> =
            sqlx::query_scalar("SELECT \"table\" FROM pragma_foreign_key_check LIMIT 1")
                .fetch_optional(&mut *conn)
                .await?;
        if let Some(table) = lost {
            return Err(MigrateError::Source(format!("{table} refers to what is not there").into()).into());
        }
        sqlx::query("PRAGMA foreign_keys = ON").execute(conn).await?;
    }
    Ok(())
}

/// Makes durable what a killed server left in the WAL: a commit whose sync it did not live to see is
/// in the database for whoever reads it now, and a post that is sent again is answered from it.
pub(crate) async fn sync_wal(path: &Path) -> Result<(), OpenError> {
    let wal = path.with_file_name(format!("{FILE}-wal"));
    let synced = async { tokio::fs::File::open(&wal).await?.sync_all().await };
    match synced.await {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(OpenError::Directory { path: wal, source })
        }
        _ => Ok(()),
    }
}

/// Takes the write lock and reads the head.
pub(crate) async fn begin_write(conn: &mut SqliteConnection) -> Result<SqliteRow, sqlx::Error> {
    sqlx::query("BEGIN IMMEDIATE; SELECT seq, at FROM log_head WHERE id = 1").fetch_one(conn).await
}

/// Moves the head, if it moves, and syncs.
pub(crate) async fn commit_write(
    conn: &mut SqliteConnection,
    head: Option<(Seq, Timestamp)>,
) -> Result<(), sqlx::Error> {
    let done = match head {
        Some((seq, at)) => {
            let sql = "UPDATE log_head SET seq = $1, at = $2 WHERE id = 1; COMMIT";
            for_sqlite(sql, values![seq, at]).execute(conn).await
        }
        None => sqlx::query("COMMIT").execute(conn).await,
    };
    done.map(drop)
}

/// Primary result codes that speak of the surroundings, not of the statement or the file: busy,
/// locked, out of memory, read-only, IO error, full, cannot open, protocol (locking).
const PASSING_CODES: [i64; 8] = [5, 6, 7, 8, 10, 13, 14, 15];
/// Extended codes carry the primary one in their low byte.
const PRIMARY_CODE_MASK: i64 = 0xff;

/// Whether an operator or time can mend it.
pub(crate) fn is_passing(error: &dyn DatabaseError) -> bool {
    let code = error.code().and_then(|code| code.parse::<i64>().ok());
    code.is_some_and(is_passing_code)
}

/// The same of a code.
pub(crate) fn is_passing_code(code: i64) -> bool {
    PASSING_CODES.contains(&(code & PRIMARY_CODE_MASK))
}

/// Moves the WAL into the database file, so that a stopped server leaves one whole file behind.
pub(crate) async fn checkpoint(conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(conn).await?;
    Ok(())
}
