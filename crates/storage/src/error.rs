//! What can go wrong, sorted by what the caller can do about it.

use std::path::PathBuf;

/// A read or write was not done. Nothing of it was written.
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
    /// Cannot be written or read now (disk full, writer's queue full, shutting down); try later.
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

/// `SQLite`'s primary result codes that speak of the surroundings, not of the statement or the file:
/// busy, locked, out of memory, read-only, IO error, full, cannot open, protocol (locking).
const PASSING_SQLITE_CODES: [i64; 8] = [5, 6, 7, 8, 10, 13, 14, 15];
/// `SQLite`'s extended codes carry the primary one in their low byte.
const PRIMARY_CODE_MASK: i64 = 0xff;

fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => {
            let code = error.code().and_then(|code| code.parse::<i64>().ok());
            code.is_some_and(|code| PASSING_SQLITE_CODES.contains(&(code & PRIMARY_CODE_MASK)))
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
        "the database {path} was written by a newer Switchback (its schema is {found}, this version knows {known}); use that version or a newer one"
    )]
    NewerSchema {
        /// Which.
        path: PathBuf,
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
    /// The database itself failed.
    #[error("cannot open the database: {0}")]
    Database(#[from] sqlx::Error),
    /// A migration failed.
    #[error("cannot bring the database up to date: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
}
