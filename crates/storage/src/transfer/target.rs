//! Where a transfer writes to: an empty database, which stays empty until everything has arrived.
//!
//! * A file is made under another name (see `incoming`).
//! * `PostgreSQL` gets everything in one transaction. Before it a table is made that says so, which
//!   the transaction's end takes away: whoever finds it knows that this database is being filled, or
//!   that filling it was interrupted; the tables are empty then.
//!
//! Starting again thus always means starting over. What it costs is the time of the copy; what it
//! saves is knowing how far another process had come.

use std::fs::File;
use std::path::Path;

use futures_util::TryStreamExt as _;
use sqlx::error::DatabaseError;
use sqlx::{AssertSqlSafe, PgConnection, raw_sql};

use super::end::End;
use super::error::{TransferError, writing};
use super::incoming::{Incoming, beside};
use super::source::has_head;
use super::tables::TABLES;
use crate::postgres::{Server, UNFINISHED};
use crate::store::{make_directory, take_lock};
use crate::{Database, OpenError, PostgresAddress, sqlite};

/// An empty database in a transaction, and what becomes of it.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) end: End,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// In the end moved there, with a data directory's lock held until then.
    File { incoming: Incoming, _lock: Option<File> },
    /// In the end committed.
    Postgres,
}

impl Target {
    pub(super) async fn new(database: &Database) -> Result<Self, TransferError> {
        match database {
            Database::Directory(data_dir) => {
                make_directory(data_dir)?;
                let lock = take_lock(data_dir).map_err(|error| match error {
                    OpenError::InUse { path } => {
                        TransferError::TargetBusy { place: path.display().to_string() }
                    }
                    other => other.into(),
                })?;
                let path = data_dir.join(sqlite::FILE);
                if let Some(there) = Some(path.clone()).filter(|path| path.exists()).or_else(|| beside(&path))
                {
                    let instead = format!("choose another directory, or move {} away", there.display());
                    return Err(TransferError::Occupied { database: database.to_string(), instead });
                }
                Self::in_file(Incoming::new(&path)?, Some(lock)).await
            }
            Database::Postgres(address) => Self::in_postgres(address).await,
        }
    }

    /// A database in a file of its own.
    pub(super) async fn file(path: &Path) -> Result<Self, TransferError> {
        Self::in_file(Incoming::new(path)?, None).await
    }

    async fn in_file(incoming: Incoming, lock: Option<File>) -> Result<Self, TransferError> {
        let mut conn = sqlite::connect_filling(incoming.path()).await.map_err(writing)?;
        sqlite::migrate(&mut conn).await?;
        let mut end = End::Sqlite(conn);
        // Tables that were made anew have left unused pages, of which nobody would see that they are damaged.
        end.run("VACUUM").await.map_err(writing)?;
        end.run("BEGIN").await.map_err(writing)?;
        Ok(Self { end, place: Place::File { incoming, _lock: lock } })
    }

    async fn in_postgres(address: &PostgresAddress) -> Result<Self, TransferError> {
        let server = Server::new(address.clone());
        let mut conn = server.connect_transfer().await?;
        must_be_empty(&mut conn, address).await?;
        if server.is_behind(&mut conn).await? {
            server.migrate(&mut conn).await?;
        }
        let sql = format!("CREATE TABLE IF NOT EXISTS {UNFINISHED} (id BIGINT PRIMARY KEY)");
        raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.map_err(writing)?;
        let sql = format!("BEGIN; LOCK TABLE {UNFINISHED} IN EXCLUSIVE MODE");
        let locked = raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await;
        locked.map_err(|error| busy(address, error))?;
        // A server that was just starting may have been faster, or waits here until all is done.
        let sql = "LOCK TABLE log_head, workspace, rooms, events IN ACCESS EXCLUSIVE MODE";
        raw_sql(sql).execute(&mut conn).await.map_err(writing)?;
        must_be_empty(&mut conn, address).await?;
        Ok(Self { end: End::Postgres(conn), place: Place::Postgres })
    }

    /// Everything has arrived: from here on it is a workspace. A file's size in bytes.
    pub(super) async fn keep(self) -> Result<Option<u64>, TransferError> {
        let Self { mut end, place } = self;
        match place {
            Place::File { incoming, _lock } => {
                end.run("COMMIT").await.map_err(writing)?;
                must_refer_to_something(&mut end).await?;
                end.close().await.map_err(writing)?;
                incoming.put_in_place().map(Some)
            }
            Place::Postgres => {
                let commit = format!("DROP TABLE {UNFINISHED}; COMMIT");
                end.run(AssertSqlSafe(commit)).await.map_err(writing)?;
                finish(end).await;
                Ok(None)
            }
        }
    }

    /// Gives everything up, and leaves the database as empty as it was. A file is removed with `self`.
    pub(super) async fn give_up(self) {
        let Self { mut end, place } = self;
        if matches!(place, Place::Postgres)
            && let Err(error) = end.run(AssertSqlSafe(format!("ROLLBACK; DROP TABLE {UNFINISHED}"))).await
        {
            tracing::warn!(%error, "the database is empty, but is still marked as being filled");
        }
        // The file goes after the connection to it.
        if let Err(error) = end.close().await {
            tracing::debug!(%error, "the target was not closed in good order");
        }
        drop(place);
    }
}

async fn must_be_empty(conn: &mut PgConnection, address: &PostgresAddress) -> Result<(), TransferError> {
    if !has_head(conn).await.map_err(|error| busy(address, error))? {
        return Ok(());
    }
    let instead = "make another database (CREATE DATABASE), or drop this one's tables".to_owned();
    Err(TransferError::Occupied { database: address.to_string(), instead })
}

/// `PostgreSQL`'s code for a lock that was not to be had in time. What a killed transfer held is free
/// before that.
const LOCK_NOT_AVAILABLE: &str = "55P03";

fn busy(address: &PostgresAddress, error: sqlx::Error) -> TransferError {
    let code = error.as_database_error().and_then(DatabaseError::code);
    if code.as_deref() == Some(LOCK_NOT_AVAILABLE) {
        return TransferError::TargetBusy { place: address.to_string() };
    }
    writing(error)
}

/// Each row refers to rows that are there. `PostgreSQL` has looked at each as it came.
async fn must_refer_to_something(end: &mut End) -> Result<(), TransferError> {
    let dangling: Vec<_> =
        end.stream("PRAGMA foreign_key_check".to_owned()).try_collect().await.map_err(writing)?;
    match dangling.len() {
        0 => Ok(()),
        rows => Err(TransferError::Dangling { rows }),
    }
}

/// So that a server's first queries are planned for what is there now. Without it they are planned
/// when the database gets around to it.
async fn finish(mut end: End) {
    let tables: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
    let analyze = format!("ANALYZE {}", tables.join(", "));
    if let Err(error) = end.run(AssertSqlSafe(analyze)).await {
        tracing::warn!(%error, "everything is there, but the database's statistics are not up to date");
    }
    if let Err(error) = end.close().await {
        tracing::debug!(%error, "the target was not closed in good order");
    }
}
