//! Everything from one database into another: moving, backing up, restoring.
//!
//! A backup is an `SQLite` database of our own schema, wherever it was taken. So one engine (`copy`)
//! moves a team from a directory to `PostgreSQL` or back, takes a backup of `PostgreSQL`, and restores any
//! backup into either. A backup of a directory alone is made by `SQLite` itself, page by page.
//!
//! * `source` says how what is read stays the same meanwhile, `target` how nobody ever finds half of
//!   it, `incoming` how a file comes to its place whole.
//! * A move keeps the log's epoch, and clients go on at their cursors. A restore gives it a new one:
//!   clients may have seen what the backup does not hold, and must not take one history for another.
//!
//! The trade-off: starting again means starting over, and every row passes through this process. In
//! return there is no state between "empty" and "all of it", and what arrives has been compared.

mod copy;
mod end;
mod error;
mod file;
pub(crate) mod incoming;
mod source;
mod tables;
mod target;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests;

use std::path::{Path, PathBuf};

use switchback_core::Seq;
use tempfile::TempDir;

pub use error::TransferError;

use self::source::Source;
use self::target::Target;
use crate::postgres::Server;
use crate::{Database, seed};

/// What a transfer is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Looks at a backup before it is used; nobody knows how long.
    Inspecting,
    /// Copies rows.
    Copying,
    /// Reads them again and compares.
    Checking,
    /// Writes a file; counted in bytes.
    Writing,
}

/// How far a transfer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What it does.
    pub stage: Stage,
    /// With which table, if with one.
    pub table: &'static str,
    /// Rows or bytes.
    pub done: u64,
    /// Of so many; 0 if nobody knows.
    pub total: u64,
}

/// Is told of progress, a few times a second or more often.
pub type OnProgress<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// What a table holds, in short.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fingerprint {
    /// How many rows.
    pub rows: u64,
    /// SHA-256 over all of them.
    pub hash: [u8; 32],
}

/// A table as it was read and as it was found afterwards.
#[derive(Debug, Clone)]
pub struct TableReport {
    /// Which.
    pub name: &'static str,
    /// As it was read, after what could not be kept was replaced.
    pub source: Fingerprint,
    /// As it stands now.
    pub target: Fingerprint,
}

/// What was copied.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Each table.
    pub tables: Vec<TableReport>,
    /// The epoch at the target, and the log's last event.
    pub head: (String, Seq),
    /// Texts in which U+0000 was replaced by U+FFFD, because `PostgreSQL` cannot hold it.
    pub replaced: u64,
}

impl Report {
    /// All rows.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.target.rows).sum()
    }

    /// Rows of one table.
    pub fn rows_of(&self, name: &str) -> u64 {
        self.tables.iter().filter(|table| table.name == name).map(|table| table.target.rows).sum()
    }

    /// The names of tables that did not arrive as they were.
    pub fn differing(&self) -> String {
        let differs = self.tables.iter().filter(|table| table.source != table.target);
        differs.map(|table| table.name).collect::<Vec<_>>().join(", ")
    }
}

/// A backup that was written.
#[derive(Debug, Clone)]
pub struct Backup {
    /// Where.
    pub path: PathBuf,
    /// How large.
    pub size_bytes: u64,
    /// The log's last event in it.
    pub head: Seq,
    /// Messages in it, deleted ones included.
    pub messages: u64,
}

/// Copies a workspace into an empty database, as it is: clients go on at their cursors. No server
/// may run on the source, and none can be started on the target before it is done.
pub async fn migrate(
    from: &Database,
    to: &Database,
    on_progress: OnProgress<'_>,
) -> Result<Report, TransferError> {
    if is_same(from, to) {
        return Err(TransferError::Same(from.to_string()));
    }
    let source = Source::to_leave(from).await?;
    let target = Target::new(to).await?;
    transfer(source, target, None, on_progress).await.map(|(report, _)| report)
}

/// Copies a backup into an empty database under a new epoch: every client starts afresh.
pub async fn restore(
    file: &Path,
    to: &Database,
    on_progress: OnProgress<'_>,
) -> Result<Report, TransferError> {
    let (scratch, _private) = scratch(to)?;
    let target = Target::new(to).await?;
    let source = match Source::backup(file, &scratch, on_progress).await {
        Ok(source) => source,
        Err(error) => {
            target.give_up().await;
            return Err(error);
        }
    };
    transfer(source, target, Some(seed::new_epoch()), on_progress).await.map(|(report, _)| report)
}

/// Where an older backup can be copied to and brought up to date. It holds private messages: outside of
/// a data directory it has a directory of its own that nobody else can enter.
fn scratch(to: &Database) -> Result<(PathBuf, Option<TempDir>), TransferError> {
    const NAME: &str = "restored.db";
    if let Database::Directory(data_dir) = to {
        return Ok((data_dir.join(NAME), None));
    }
    let failed = |source| TransferError::File { path: std::env::temp_dir(), source };
    let private = tempfile::tempdir().map_err(failed)?;
    Ok((private.path().join(NAME), Some(private)))
}

/// Writes everything, as of one moment, into a file; servers run on. `replace`: even if there is a
/// file of that name. It is there when it is whole, and not before.
pub async fn backup(
    from: &Database,
    file: &Path,
    replace: bool,
    on_progress: OnProgress<'_>,
) -> Result<Backup, TransferError> {
    if !replace && file.exists() {
        return Err(TransferError::Exists { path: file.to_owned() });
    }
    if let Some(beside) = incoming::beside(file) {
        let beside = beside.display().to_string();
        return Err(TransferError::LiveFile { path: file.to_owned(), beside });
    }
    let address = match from {
        Database::Directory(data_dir) => {
            return file::backup(&source::database_file(data_dir)?, file, on_progress).await;
        }
        Database::Postgres(address) => address.clone(),
    };
    let source = Source::snapshot(&Server::new(address)).await?;
    let (report, size_bytes) = transfer(source, Target::file(file).await?, None, on_progress).await?;
    let (messages, head) = (report.rows_of(tables::MESSAGES), report.head.1);
    Ok(Backup { path: file.to_owned(), size_bytes: size_bytes.unwrap_or_default(), head, messages })
}

async fn transfer(
    mut source: Source,
    mut target: Target,
    epoch: Option<String>,
    on_progress: OnProgress<'_>,
) -> Result<(Report, Option<u64>), TransferError> {
    let copied = copy::copy(&mut source.end, &mut target.end, epoch, on_progress).await;
    let done = match copied {
        Ok(report) => target.keep().await.map(|size_bytes| (report, size_bytes)),
        Err(error) => {
            target.give_up().await;
            Err(error)
        }
    };
    // Held until here: nobody has written to the source before the target was whole.
    source.close().await;
    done
}

/// As far as the addresses tell. Two spellings of one `PostgreSQL` database are noticed as well: it is
/// not empty.
fn is_same(from: &Database, to: &Database) -> bool {
    match (from, to) {
        (Database::Directory(from), Database::Directory(to)) => {
            let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
            real(from) == real(to)
        }
        (Database::Postgres(from), Database::Postgres(to)) => from.is_same(to),
        _ => false,
    }
}
