//! The store itself: what opening, closing and asking for the state of it mean.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use switchback_core::{Epoch, Seq};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::db::{Conn, Held, Moments, Origin, Readers, values};
use crate::place::Place;
use crate::postgres::{Line, Server};
use crate::read::access::Asked;
use crate::search::Index;
use crate::together::Together;
use crate::transfer::incoming;
use crate::turn::{Reading, turn};
use crate::tx::Tx;
use crate::writer::{Ended, Follower, Writer};
use crate::{
    Admission, Database, Error, OpenError, Reader, SecretHash, WriterStats, limits, postgres, seed, sqlite,
};

/// How a process stands to the data directory. `PostgreSQL` has none: there every process may do
/// everything beside every other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// Takes the directory's lock, creates what is missing, runs migrations.
    Server,
    /// An admin command beside a running or stopped server: holds no lock. Creates and migrates
    /// what is missing, unless a server is running.
    Admin,
}

/// Everything Switchback remembers. Cheap to clone; all clones are one store.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    epoch: Epoch,
    readers: Readers,
    moments: Moments,
    gate: Arc<Together<Asked, Option<Reader>>>,
    desk: Arc<Together<SecretHash, Option<Admission>>>,
    /// For the desk alone: each connection that asks for everybody comes to hold everybody in its cache.
    desk_readers: Readers,
    writer: Writer,
    index: Index,
    /// A database server that several nodes may share.
    server: Option<Server>,
}

/// Held by the one server that runs on a data directory.
const LOCK_FILE: &str = "switchback.lock";
const README_FILE: &str = "README.txt";

const README: &str = "\
This is the data directory of a Switchback server.

switchback.db      everything: accounts, rooms, messages, the log (an SQLite database)
switchback.db-wal  the newest part of it, while a server runs or after it was killed
switchback.db-shm  a scratch file of the same
search.db          which words stand in which message (and search.db-wal, search.db-shm): made of the above,
                   made again if it is not there, no part of a backup
switchback.lock    empty; locked while a server runs, so that two cannot run on the same data

The first two belong together: never copy, move or delete one without the other. For a backup, while
a server runs or not: `switchback backup FILE --data-dir THIS_DIRECTORY`. To put it back:
`switchback restore FILE --data-dir ANOTHER_DIRECTORY`. The files hold private messages: keep this
directory readable for the server's user only.

switchback.db.incoming, if it is here, is a migration or restore that has not finished: run it
again, or remove the file.
";

impl Store {
    /// Opens the data directory's database, and makes both if need be.
    pub async fn open(data_dir: &Path, mode: OpenMode) -> Result<Self, OpenError> {
        make_directory(data_dir)?;
        let lock = match mode {
            OpenMode::Server => Some(take_lock(data_dir)?),
            OpenMode::Admin => None,
        };
        let path = data_dir.join(sqlite::FILE);
        must_be_finished(&path)?;
        let mut conn = sqlite::connect_writer(&path).await?;
        if sqlite::is_behind(&mut conn, &path).await? {
            // Never under the feet of a running server.
            let _migrating = if lock.is_none() { Some(take_lock(data_dir)?) } else { None };
            sqlite::migrate(&mut conn).await?;
        }
        sqlite::sync_wal(&path).await?;
        let (readers, desk) = (sqlite::readers(&path), sqlite::desk(&path));
        let (readers, desk) = (Readers::Sqlite(readers), Readers::Sqlite(desk));
        let moments = Moments::Sqlite(sqlite::moments(&path));
        Self::start(Conn::from(conn), readers, moments, desk, Origin::Sqlite(Place::of(path)), lock).await
    }

    /// [`Store::open_database`] for a server, with patience (`limits::POSTGRES_START`) for a
    /// `PostgreSQL` that is only just starting.
    pub async fn open_patiently(database: &Database) -> Result<Self, OpenError> {
        let until = Instant::now() + limits::POSTGRES_START;
        loop {
            match Self::open_database(database, OpenMode::Server).await {
                Err(OpenError::Connect { database, source })
                    if postgres::comes_later(&source) && Instant::now() < until =>
                {
                    tracing::info!(%database, error = %source, "waiting for the database");
                    tokio::time::sleep(limits::POSTGRES_START_EVERY).await;
                }
                opened => return opened,
            }
        }
    }

    /// Opens a database wherever it is. On `PostgreSQL` any number of servers may run on one, and
    /// `mode` makes no difference.
    pub async fn open_database(database: &Database, mode: OpenMode) -> Result<Self, OpenError> {
        let server = match database {
            Database::Directory(data_dir) => return Self::open(data_dir, mode).await,
            Database::Postgres(address) => Server::new(address.clone()),
        };
        let conn = server.open_writer().await?;
        let pool = server.readers();
        let readers = Readers::Postgres(pool.clone());
        let (moments, desk) = (Moments::Postgres(pool), readers.clone());
        Self::start(Conn::from(conn), readers, moments, desk, Origin::Postgres(server), None).await
    }

    async fn start(
        conn: Conn,
        readers: Readers,
        moments: Moments,
        desk_readers: Readers,
        origin: Origin,
        lock: Option<File>,
    ) -> Result<Self, OpenError> {
        let mut tx = Tx::new(conn);
        let head = seed::seed(&mut tx).await.map_err(database)?;
        let (server, index) = match &origin {
            Origin::Sqlite(place) => (None, Index::beside(place, head.epoch)),
            Origin::Postgres(server) => {
                server.expect(head.epoch);
                (Some(server.clone()), Index::on(server.clone(), head.epoch))
            }
        };
        let writer = Writer::start(tx, head.seq, origin, lock);
        let (gate, desk) = (Together::new(), Together::new());
        let inner =
            Inner { epoch: head.epoch, readers, moments, gate, desk, desk_readers, writer, index, server };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Takes no more writes, finishes those that wait, and leaves one whole file behind (`SQLite`). Everything
    /// asked afterwards is `Unavailable`. Closing twice is fine.
    pub async fn close(&self) {
        let ended = self.inner.writer.finish().await;
        self.inner.index.close().await;
        self.inner.moments.close().await;
        self.inner.desk_readers.close().await;
        self.inner.readers.close().await;
        if let Some(ended) = ended
            && let Err(error) = end(ended).await
        {
            tracing::warn!(%error, "the database was not closed in good order; nothing committed is lost");
        }
    }

    /// Which history the log tells.
    pub fn epoch(&self) -> Epoch {
        self.inner.epoch
    }

    /// How the writer is doing.
    pub fn stats(&self) -> WriterStats {
        self.inner.writer.stats()
    }

    /// The head of the log after each commit of this process. Other processes write without
    /// ringing it: whoever waits for it looks at [`Store::head`] now and then as well.
    pub fn doorbell(&self) -> watch::Receiver<Seq> {
        self.inner.writer.doorbell()
    }

    /// Begins to follow the log: what this process commits from now on is handed over with the doorbell.
    pub fn follow(&self) -> Follower {
        self.inner.writer.follow()
    }

    /// The last event's position.
    pub async fn head(&self) -> Result<Seq, Error> {
        head(&mut *self.reader().await?).await
    }

    /// Whether other servers may write to the same database.
    pub fn is_shared(&self) -> bool {
        #[cfg(feature = "simulation")]
        if crate::simulation::is_shared() {
            return true;
        }
        self.inner.server.is_some()
    }

    /// A line to the other servers on this database; `None`: there cannot be any.
    pub async fn line(&self) -> Result<Option<Line>, Error> {
        match &self.inner.server {
            Some(server) => Line::open(server, self.epoch()).await.map(Some),
            None => Ok(None),
        }
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), Error> {
        self.head().await.map(drop)
    }

    /// A connection for one query.
    pub(crate) async fn reader(&self) -> Result<Reading, Error> {
        let turn = turn().await;
        Ok(Reading::new(self.inner.readers.reader().await?, turn))
    }

    /// Has `read` ask for what it wants, all of one moment. It may await nothing but the connection's answers: on
    /// `SQLite` there is nobody to wait for anything else, and that is `Error::Database`.
    pub(crate) async fn at_one_moment<T, F>(&self, read: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, Error>> + Send + 'static,
    {
        let _turn = turn().await;
        self.inner.moments.read(read).await
    }

    /// Runs an operation in the writer's next group.
    pub(crate) async fn write<T, F>(&self, run: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, Error>> + Send + 'static,
    {
        self.inner.writer.submit(run).await
    }

    /// Where those wait who ask for something, and the connections to ask on.
    pub(crate) fn gate(&self) -> (&Arc<Together<Asked, Option<Reader>>>, Readers) {
        (&self.inner.gate, self.inner.readers.clone())
    }

    /// Where those wait who come in, and the connection to ask on.
    pub(crate) fn desk(&self) -> (&Arc<Together<SecretHash, Option<Admission>>>, Readers) {
        (&self.inner.desk, self.inner.desk_readers.clone())
    }

    pub(crate) fn index(&self) -> &Index {
        &self.inner.index
    }

    pub(crate) fn writer(&self) -> &Writer {
        &self.inner.writer
    }
}

/// The head of the log as `conn` sees it.
pub(crate) async fn head(conn: &mut Conn) -> Result<Seq, Error> {
    conn.one("SELECT seq FROM log_head WHERE id = 1", values![]).await?.get("seq")
}

async fn end(ended: Ended) -> Result<(), Error> {
    let Ended { mut conn, .. } = ended;
    if let Conn::Sqlite(Held::Writer(writer)) = &mut conn {
        sqlite::checkpoint(writer).await?;
    }
    conn.close().await
}

/// Not beside a database in the making: what would be opened in its place is an empty one.
pub(crate) fn must_be_finished(path: &Path) -> Result<(), OpenError> {
    let incoming = incoming::path_for(path);
    if path.exists() || !incoming.exists() {
        return Ok(());
    }
    let instead = format!("remove {}", incoming.display());
    Err(OpenError::Unfinished { database: path.display().to_string(), instead })
}

pub(crate) fn make_directory(data_dir: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::Directory { path: data_dir.to_owned(), source };
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(data_dir).map_err(failed)?;
    let readme = data_dir.join(README_FILE);
    if !readme.exists() {
        std::fs::write(readme, README).map_err(failed)?;
    }
    Ok(())
}

pub(crate) fn take_lock(data_dir: &Path) -> Result<File, OpenError> {
    let failed = |source| OpenError::Directory { path: data_dir.to_owned(), source };
    let file = File::create(data_dir.join(LOCK_FILE)).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: data_dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// While opening, everything that goes wrong is the database's matter.
fn database(error: Error) -> OpenError {
    match error {
        Error::Database(error) => OpenError::Database(error),
        other => OpenError::Database(sqlx::Error::Protocol(other.to_string())),
    }
}
