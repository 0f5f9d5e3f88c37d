//! Why a transfer did not happen; each sentence tells what to do.

use std::path::PathBuf;

use super::Report;
use crate::{Error, OpenError};

/// Nothing was changed at the source, and there is no half workspace at the target.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// One of the two databases cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A server runs on the source: what it wrote meanwhile would be left behind.
    #[error(
        "a Switchback server is running on {path}: stop it first, so that nothing is written there meanwhile"
    )]
    SourceServed {
        /// Which directory.
        path: PathBuf,
    },
    /// The same, as far as one can see it from `PostgreSQL`.
    #[error(
        "{connections} other connections of Switchback to {database} are open: stop every server on it first, so that nothing is written there meanwhile"
    )]
    SourceConnected {
        /// Which.
        database: String,
        /// How many.
        connections: i64,
    },
    /// The directory that is to be filled has a server, or another transfer fills it.
    #[error("another Switchback process (a server, a migration or a restore) is at work on {place}")]
    TargetBusy {
        /// Which.
        place: String,
    },
    /// From and to are one.
    #[error("{0} is both where to read and where to write; name two databases")]
    Same(String),
    /// Nothing is ever written over.
    #[error("{database} already holds a workspace, and nothing is written over it; {instead}")]
    Occupied {
        /// Which.
        database: String,
        /// What to do.
        instead: String,
    },
    /// There is nothing to copy.
    #[error("{database} holds no workspace")]
    Empty {
        /// Which.
        database: String,
    },
    /// Written by an older version, and not ours to change.
    #[error(
        "{database} was last used by an older Switchback: start this version's server on it once, which brings it up to date, stop it, and try again"
    )]
    OlderSchema {
        /// Which.
        database: String,
    },
    /// Not one of our files.
    #[error("{path} is not a Switchback backup")]
    NotABackup {
        /// Which.
        path: PathBuf,
    },
    /// A server's own database file, whose newest part is in another file.
    #[error(
        "{path} has {beside} beside it: it is a server's database, not a backup; `switchback migrate --from sqlite:DIRECTORY` copies a whole data directory"
    )]
    LiveFile {
        /// Which.
        path: PathBuf,
        /// What lies there.
        beside: String,
    },
    /// One of our files, but not whole.
    #[error("the backup {path} is damaged ({detail}); take another one")]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What the database says.
        detail: String,
    },
    /// A backup never replaces another by accident.
    #[error("{path} exists; choose another name, or say --force to replace it")]
    Exists {
        /// Which.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("cannot use {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The source failed.
    #[error("reading failed: {0}")]
    Reading(#[source] Error),
    /// The target failed.
    #[error("writing failed, and nothing was kept of it: {0}")]
    Writing(#[source] Error),
    /// What was written is not what was read. It was given up.
    #[error("what was written differs from what was read, and nothing was kept of it: {}", .0.differing())]
    Differs(Box<Report>),
    /// Rows refer to others that do not exist.
    #[error("{rows} rows refer to something that is not there: the source is damaged; nothing was kept")]
    Dangling {
        /// How many.
        rows: usize,
    },
}

/// While the source is read.
pub(super) fn reading(error: impl Into<Error>) -> TransferError {
    TransferError::Reading(error.into())
}

/// While the target is written.
pub(super) fn writing(error: impl Into<Error>) -> TransferError {
    TransferError::Writing(error.into())
}
