//! What can go wrong, sorted by what the caller can do about it.

use std::path::PathBuf;

use sqlx::postgres::PgDatabaseError;

use crate::{postgres, sqlite};

/// A read or write was not done. Nothing of it was written, except perhaps where it is
/// `Unavailable`: if the connection to the database broke while it committed, nobody can know.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Does not exist, or the asker is not a member and may not know. The word names the thing
    /// (`room`, `message`, `user`, ...).
    #[error("{0} not found")]
    NotFound(&'static str),
    /// Contradicts what is there; `field` is at fault, the sentence says how.
    #[error("{detail}")]
    Conflict {
        /// The field at fault (`nonce`, `name`, `handle`, ...).
        field: &'static str,
        /// For people.
        detail: &'static str,
    },
    /// Known but not possible in this state (archived room, last owner, not the author).
    #[error("{0}")]
    Forbidden(&'static str),
    /// An invitation that is used up, expired or revoked.
    #[error("{0}")]
    Gone(&'static str),
    /// Cannot be written or read now (disk full, writer's queue full, database restarting, shutting
    /// down); try later. A post may be tried again as it is: its nonce keeps it from being twice.
    #[error("storage is not available: {0}")]
    Unavailable(String),
    /// A defect or a damaged database.
    #[error("database error: {0}")]
    Database(#[source] sqlx::Error),
}

impl From<sqlx::Error> for Error {
    /// Sorts what an operator can mend (space, permissions, a busy disk) from what nobody can.
    fn from(error: sqlx::Error) -> Self {
        if is_passing(&error) { Self::Unavailable(error.to_string()) } else { Self::Database(error) }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::of_sqlite(&error, error.to_string())
    }
}

impl Error {
    /// The same as the sentence `text` says it.
    pub(crate) fn of_sqlite(error: &rusqlite::Error, text: String) -> Self {
        let code = error.sqlite_error().map(|error| error.extended_code.into());
        if code.is_some_and(sqlite::is_passing_code) {
            Self::Unavailable(text)
        } else {
            Self::Database(sqlx::Error::Protocol(text))
        }
    }
}

fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => {
            if error.try_downcast_ref::<PgDatabaseError>().is_some() {
                postgres::is_passing(error.as_ref())
            } else {
                sqlite::is_passing(error.as_ref())
            }
        }
        _ => false,
    }
}

/// Why a store could not be opened; each sentence tells what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made or read.
    #[error("cannot use the data directory {path}: {source}")]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another server holds the lock.
    #[error(
        "another Switchback server is running on {path}; stop it first, or give this one its own --data-dir"
    )]
    InUse {
        /// Which.
        path: PathBuf,
    },
    /// The database was written by a newer version.
    #[error(
        "the database {database} was written by a newer Switchback (its schema is {found}, this version knows {known}); use that version or a newer one"
    )]
    NewerSchema {
        /// Which.
        database: String,
        /// In the database.
        found: i64,
        /// In this binary.
        known: i64,
    },
    /// Nothing there, and not asked to make it.
    #[error("there is no Switchback database in {path}")]
    Missing {
        /// Where.
        path: PathBuf,
    },
    /// A migration or restore into it was interrupted.
    #[error(
        "a migration or restore into {database} has not finished, so there is nothing to serve yet; run it again (it starts over), or {instead} to begin with an empty database"
    )]
    Unfinished {
        /// Which.
        database: String,
        /// What to do for an empty database.
        instead: String,
    },
    /// No `PostgreSQL` answers there, or it lets us not in.
    #[error("cannot connect to the database {database}: {source}")]
    Connect {
        /// Which, without its password.
        database: String,
        /// Why.
        source: sqlx::Error,
    },
    /// A `PostgreSQL` that cannot keep what it must.
    #[error("the database {database} cannot be used: {reason}")]
    Unsuitable {
        /// Which.
        database: String,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// The database itself failed.
    #[error("cannot open the database: {0}")]
    Database(#[from] sqlx::Error),
    /// A migration failed.
    #[error("cannot bring the database up to date: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
}
