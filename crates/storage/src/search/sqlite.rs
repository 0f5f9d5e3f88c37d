//! The index of a data directory: a file of its own, with FTS5.
//!
//! It is extended by one connection in pages, each with its cursor in one transaction. `synchronous=NORMAL` is
//! enough: a power failure may take the last pages, never tear one apart, and what was lost is read again.
//! It is searched through connections that read the database and have this file attached.
//!
//! `secure-delete` and `secure_delete` overwrite what an edit or a deletion takes out, in the words and in the
//! text beside them (without which FTS5 could not know what to take out). What is in the WAL goes with the next
//! checkpoint, as with the database itself.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, Row, params};
use sqlx::SqlitePool;
use switchback_core::wire::Timestamp;
use switchback_core::{Epoch, RoomId, UserId};

use super::entry::Entry;
use super::{FORMAT, Indexed};
use crate::db::{Conn, Held};
use crate::place::Place;
use crate::{Error, limits, sqlite};

/// The index's name in the data directory.
const FILE: &str = "search.db";

/// See the module.
#[derive(Debug)]
pub(crate) struct Index {
    shared: Arc<Shared>,
    /// Connections that search; made when somebody does, and again after the file was.
    readers: Mutex<Option<(u64, SqlitePool)>>,
}

#[derive(Debug)]
struct Shared {
    database: PathBuf,
    file: PathBuf,
    epoch: Epoch,
    state: Mutex<State>,
    /// How often the file was opened, for those who search: they do not wait for a page to be written.
    opened: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    open: Option<Open>,
    closed: bool,
}

#[derive(Debug)]
struct Open {
    /// Reads the database.
    database: Connection,
    /// Writes the index.
    index: Connection,
    place: Place,
}

/// On which side something went wrong.
enum Failure {
    Database(rusqlite::Error),
    Index(rusqlite::Error),
}

impl Index {
    pub(super) fn beside(database: &Path, epoch: Epoch) -> Self {
        let (database, file) = (database.to_owned(), database.with_file_name(FILE));
        let (state, opened) = (Mutex::default(), AtomicU64::new(0));
        let shared = Shared { database, file, epoch, state, opened };
        Self { shared: Arc::new(shared), readers: Mutex::default() }
    }

    pub(super) async fn next(&self) -> Result<Indexed, Error> {
        self.run(Shared::next).await
    }

    /// For queries that find something and read it.
    pub(super) async fn snapshot(&self) -> Result<Conn, Error> {
        if self.shared.opened.load(Ordering::Acquire) == 0 {
            self.run(|shared, state| shared.ready(state).map(drop)).await?;
        }
        let opened = self.shared.opened.load(Ordering::Acquire);
        let pool = {
            let mut readers = lock(&self.readers);
            match &*readers {
                Some((of, pool)) if *of == opened => pool.clone(),
                // Connections to a file that is no longer the index end with their pool.
                _ => {
                    let pool = sqlite::searchers(&self.shared.database, &self.shared.file);
                    readers.insert((opened, pool)).1.clone()
                }
            }
        };
        Ok(Conn::Sqlite(Held::Snapshot(pool.begin().await?)))
    }

    /// A search has found the file damaged: it is made again with the next page.
    pub(super) async fn discard(&self) {
        let discarded = self.run(|shared, state| {
            state.open = None;
            shared.remove().map_err(|error| failed(&error))
        });
        if let Err(error) = discarded.await {
            tracing::warn!(%error, "the damaged search index could not be removed");
        }
    }

    pub(super) async fn close(&self) {
        let readers = lock(&self.readers).take();
        if let Some((_, pool)) = readers {
            pool.close().await;
        }
        let closed = self.run(|_, state| {
            state.closed = true;
            state.open = None;
            Ok(())
        });
        drop(closed.await);
    }

    /// On a thread that may wait for a disk.
    async fn run<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Shared, &mut State) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let shared = Arc::clone(&self.shared);
        let done = tokio::task::spawn_blocking(move || {
            let mut state = lock(&shared.state);
            if state.closed {
                return Err(Error::Unavailable("the store is closed".to_owned()));
            }
            run(&shared, &mut state)
        });
        done.await.unwrap_or_else(|error| Err(Error::Unavailable(format!("the search index: {error}"))))
    }
}

impl Shared {
    fn next(&self, state: &mut State) -> Result<Indexed, Error> {
        match self.ready(state)?.extend() {
            // Somebody put an older copy of the database back: what follows is another story.
            Ok(indexed) if indexed.through > indexed.head => {
                tracing::warn!("the search index is ahead of the log and is made again");
                self.extend_anew(state)
            }
            Ok(indexed) => Ok(indexed),
            Err(Failure::Index(error)) if is_damaged(&error) => {
                tracing::warn!(%error, "the search index is damaged and is made again");
                self.extend_anew(state)
            }
            Err(failure) => Err(failure.sorted()),
        }
    }

    fn extend_anew(&self, state: &mut State) -> Result<Indexed, Error> {
        state.open = None;
        self.remove().map_err(|error| failed(&error))?;
        self.ready(state)?.extend().map_err(Failure::sorted)
    }

    /// Opens the file if it is not open, or no longer the one that is there.
    fn ready<'s>(&self, state: &'s mut State) -> Result<&'s mut Open, Error> {
        if state.open.as_ref().is_some_and(|open| open.place.check().is_err()) {
            tracing::warn!("the search index was taken away and is made again");
            state.open = None;
        }
        if state.open.is_none() {
            let index = match self.open_index() {
                Ok(index) => index,
                Err(error) if is_damaged(&error) => {
                    tracing::warn!(%error, "the search index cannot be read and is made again");
                    self.remove().map_err(|error| failed(&error))?;
                    self.open_index().map_err(|error| Failure::Index(error).sorted())?
                }
                Err(error) => return Err(Failure::Index(error).sorted()),
            };
            let database = self.open_database().map_err(|error| Failure::Database(error).sorted())?;
            state.open = Some(Open { database, index, place: Place::of(self.file.clone()) });
            self.opened.fetch_add(1, Ordering::AcqRel);
        }
        state.open.as_mut().ok_or_else(|| Error::Unavailable("the search index is not open".to_owned()))
    }

    fn open_database(&self) -> rusqlite::Result<Connection> {
        let database = Connection::open_with_flags(&self.database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        database.busy_timeout(limits::BUSY_TIMEOUT)?;
        Ok(database)
    }

    /// The index of this log by today's rules, empty if need be.
    fn open_index(&self) -> rusqlite::Result<Connection> {
        let index = self.connect()?;
        let sql = "SELECT 1 FROM cursor WHERE epoch = ?1 AND format = ?2";
        let is_ours =
            match index.query_row(sql, params![self.epoch.to_string(), FORMAT], |_| Ok(())).optional() {
                Ok(found) => found.is_some(),
                Err(error) if is_damaged(&error) => return Err(error),
                // An empty file, or one of other rules.
                Err(_) => false,
            };
        if is_ours {
            return Ok(index);
        }
        drop(index);
        self.remove().map_err(|_| rusqlite::Error::InvalidPath(self.file.clone()))?;
        let mut index = self.connect()?;
        let empty = index.transaction()?;
        empty.execute_batch(SCHEMA)?;
        empty.execute(
            "INSERT INTO cursor (id, epoch, format, seq) VALUES (1, ?1, ?2, 0)",
            params![self.epoch.to_string(), FORMAT],
        )?;
        empty.commit()?;
        Ok(index)
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let index = Connection::open(&self.file)?;
        index.busy_timeout(limits::BUSY_TIMEOUT)?;
        for (name, value) in sqlite::index_pragmas() {
            index.pragma_update(None, name, value)?;
        }
        Ok(index)
    }

    fn remove(&self) -> std::io::Result<()> {
        for end in ["", "-wal", "-shm"] {
            let path = self.file.with_file_name(format!("{FILE}{end}"));
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Words are those of `core::search`, with spaces between them: the simplest tokenizer takes them as they are.
/// What a word begins with is looked up (`prefix`), not put together from all words that begin so.
const SCHEMA: &str = "
    CREATE TABLE cursor (
        id     INTEGER PRIMARY KEY CHECK (id = 1),
        epoch  TEXT    NOT NULL,
        format INTEGER NOT NULL,
        seq    INTEGER NOT NULL
    ) STRICT;
    CREATE VIRTUAL TABLE words USING fts5(
        text, edited_at UNINDEXED, tokenize = \"ascii tokenchars ':'\", prefix = '2 3 4 5 6', columnsize = 0
    );
    INSERT INTO words (words, rank) VALUES ('secure-delete', 1);
";

impl Open {
    /// Writes down what is next in the log.
    fn extend(&mut self) -> Result<Indexed, Failure> {
        let sql = "SELECT seq FROM cursor WHERE id = 1";
        let from: i64 = self.index.query_row(sql, [], |row| row.get(0)).map_err(Failure::Index)?;
        let (entries, through, head) = self.read(from).map_err(Failure::Database)?;
        let messages = entries.len();
        if through > from {
            self.write(&entries, through).map_err(Failure::Index)?;
        }
        Ok(Indexed {
            through: u64::try_from(through).unwrap_or_default(),
            head: u64::try_from(head).unwrap_or_default(),
            messages: u64::try_from(messages).unwrap_or(u64::MAX),
            by_another: false,
        })
    }

    /// What a stretch of the log is about, up to where, and where the log's head is.
    fn read(&mut self, from: i64) -> rusqlite::Result<(Vec<Entry>, i64, i64)> {
        let snapshot = self.database.transaction()?;
        let head: i64 = snapshot.query_row("SELECT seq FROM log_head WHERE id = 1", [], |row| row.get(0))?;
        let page = i64::try_from(limits::INDEX_PAGE_EVENTS).unwrap_or(i64::MAX);
        let through = head.min(from.saturating_add(page)).max(from);
        let mut entries = Vec::new();
        for sql in [POSTED, CHANGED] {
            let mut statement = snapshot.prepare_cached(sql)?;
            for entry in statement.query_map(params![from, through], entry)? {
                entries.push(entry?);
            }
        }
        Ok((entries, through, head))
    }

    fn write(&mut self, entries: &[Entry], through: i64) -> rusqlite::Result<()> {
        let page = self.index.transaction()?;
        {
            let mut remove = page.prepare_cached("DELETE FROM words WHERE rowid = ?1")?;
            let mut add =
                page.prepare_cached("REPLACE INTO words (rowid, text, edited_at) VALUES (?1, ?2, ?3)")?;
            for entry in entries {
                let seq = i64::try_from(entry.seq).unwrap_or(i64::MAX);
                if entry.deleted {
                    remove.execute(params![seq])?;
                } else {
                    add.execute(params![seq, entry.text(), entry.edited_at])?;
                }
            }
            page.prepare_cached("UPDATE cursor SET seq = ?1 WHERE id = 1")?.execute(params![through])?;
        }
        page.commit()
    }
}

/// New messages; what was deleted since is not worth a row.
const POSTED: &str = "SELECT m.seq, m.room_id, m.author_id, m.body, m.edited_at, FALSE \
     FROM messages m WHERE m.seq > ?1 AND m.seq <= ?2 AND m.deleted_seq IS NULL";
/// Older ones that were changed.
const CHANGED: &str = "SELECT m.seq, m.room_id, m.author_id, m.body, m.edited_at, m.deleted_seq IS NOT NULL \
     FROM messages m JOIN (SELECT DISTINCT subject FROM events WHERE seq > ?1 AND seq <= ?2 \
     AND kind IN ('message.edited', 'message.deleted')) e ON m.id = e.subject WHERE m.seq <= ?1";

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        seq: u64::try_from(row.get::<_, i64>(0)?).unwrap_or_default(),
        room: RoomId::from_uuid(row.get(1)?),
        author: UserId::from_uuid(row.get(2)?),
        body: row.get(3)?,
        edited_at: row.get::<_, Option<Timestamp>>(4)?,
        deleted: row.get(5)?,
    })
}

impl Failure {
    fn sorted(self) -> Error {
        match self {
            Self::Database(error) => error.into(),
            Self::Index(error) => Error::of_sqlite(&error, format!("the search index: {error}")),
        }
    }
}

/// Whether a search failed because a file is damaged.
pub(super) fn is_damage(error: &Error) -> bool {
    let Error::Database(sqlx::Error::Database(error)) = error else { return false };
    let code = error.code().and_then(|code| code.parse::<i32>().ok());
    code.is_some_and(|code| {
        let code = rusqlite::ffi::Error::new(code).code;
        matches!(code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    })
}

fn failed(error: &std::io::Error) -> Error {
    Error::Unavailable(format!("the search index: {error}"))
}

fn is_damaged(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

fn lock<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}
