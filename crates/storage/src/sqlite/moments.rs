//! What is read of one moment, in one go. Each query through sqlx is a message to a connection's thread and one
//! back, and a page of history, a snapshot or a page of the log asks for half a dozen things (docs/decisions/026).
//! So the questions go to the connection, all of them at once, on a thread that may wait for a disk.
//!
//! The threads are tokio's for blocking work. A few of them read at a time; each goes on with what waits for as
//! long as something does.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use rusqlite::Connection;
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use super::open_direct;
use crate::db::{Conn, values};
use crate::{Error, limits};

/// The way to the connections that read.
#[derive(Debug)]
pub(crate) struct Moments {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    /// Connections, and threads that read.
    most: usize,
    state: Mutex<State>,
    /// A thread has ended after the store was closed.
    ended: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    threads: usize,
    /// Those that are not in use.
    connections: Vec<Conn>,
    closed: bool,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { waiting, threads, connections, closed } = self;
        f.debug_struct("State")
            .field("waiting", &waiting.len())
            .field("threads", threads)
            .field("connections", connections)
            .field("closed", closed)
            .finish()
    }
}

/// Reads, answers, and says whether the connection can be used again.
type Job = Box<dyn FnOnce(Result<&mut Conn, Error>) -> bool + Send>;

impl Moments {
    /// Connections are opened when they are first needed, and kept.
    pub(crate) fn of(path: &Path, most: u32) -> Self {
        let most = usize::try_from(most).unwrap_or(1);
        let (path, state, ended) = (path.to_owned(), Mutex::default(), Notify::new());
        Self { shared: Arc::new(Shared { path, most, state, ended }) }
    }

    /// Has `read` ask for what it wants, all of one moment. On this connection there is nothing to wait for, and
    /// nothing is waited for: to await anything but its answers is a defect, and answered as one.
    pub(crate) async fn read<T, F>(&self, read: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, Error>> + Send + 'static,
    {
        let (reply, mut answer) = oneshot::channel();
        let has_begun = Arc::new(AtomicBool::new(false));
        let begun = Arc::clone(&has_begun);
        self.put(Box::new(move |conn| {
            // Who has gone need not be read for.
            if reply.is_closed() {
                return true;
            }
            begun.store(true, Ordering::Relaxed);
            let (outcome, is_sound) = match conn {
                Ok(conn) => catch_unwind(AssertUnwindSafe(|| at_one_moment(conn, read)))
                    .unwrap_or_else(|_| (Err(defect("a reader panicked")), false)),
                Err(error) => (Err(error), false),
            };
            drop(reply.send(outcome));
            is_sound
        }))?;
        let outcome = match timeout(limits::READER_WAIT, &mut answer).await {
            Ok(outcome) => outcome,
            // It takes as long as it takes.
            Err(_) if has_begun.load(Ordering::Relaxed) => answer.await,
            Err(_) => return Err(Error::Unavailable("too many read at once".to_owned())),
        };
        outcome.unwrap_or_else(|_| Err(Error::Unavailable("nobody reads any more".to_owned())))
    }

    fn put(&self, job: Job) -> Result<(), Error> {
        let mut state = self.shared.lock();
        if state.closed {
            return Err(Error::Unavailable("shutting down".to_owned()));
        }
        if state.waiting.len() >= limits::MOMENTS_WAITING {
            return Err(Error::Unavailable("too many want to read".to_owned()));
        }
        state.waiting.push_back(job);
        if state.threads < self.shared.most {
            state.threads += 1;
            let shared = Arc::clone(&self.shared);
            drop(tokio::task::spawn_blocking(move || shared.serve()));
        }
        Ok(())
    }

    /// Nothing more is read; what waits is, and then the connections are closed.
    pub(crate) async fn close(&self) {
        self.shared.lock().closed = true;
        loop {
            let mut ended = pin!(self.shared.ended.notified());
            ended.as_mut().enable();
            {
                let mut state = self.shared.lock();
                if state.threads == 0 {
                    state.connections.clear();
                    return;
                }
            }
            ended.await;
        }
    }
}

impl Shared {
    /// Reads what waits, until nothing does.
    fn serve(&self) {
        let mut own = None;
        while let Some(job) = self.next(&mut own) {
            let opened = match own.take() {
                Some(conn) => Ok(conn),
                None => open(&self.path).map(Conn::from),
            };
            match opened {
                Ok(mut conn) => own = job(Ok(&mut conn)).then_some(conn),
                Err(error) => _ = job(Err(error.into())),
            }
        }
    }

    /// The next job, and a connection that nobody uses; without a job, the connection is given back.
    fn next(&self, own: &mut Option<Conn>) -> Option<Job> {
        let mut state = self.lock();
        let job = state.waiting.pop_front();
        match (&job, own.is_some()) {
            (Some(_), false) => *own = state.connections.pop(),
            (None, _) => {
                state.connections.extend(own.take());
                state.threads -= 1;
                if state.closed {
                    self.ended.notify_waiters();
                }
            }
            (Some(_), true) => {}
        }
        job
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The outcome, and whether the connection is as it was before.
fn at_one_moment<T, F>(conn: &mut Conn, read: F) -> (Result<T, Error>, bool)
where
    F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, Error>>,
{
    let reading = async {
        if let Err(error) = conn.run("BEGIN", values![]).await {
            return (Err(error), false);
        }
        let outcome = read(conn).await;
        let is_ended = conn.run("COMMIT", values![]).await.is_ok();
        let is_sound = is_ended && !matches!(outcome, Err(Error::Database(_) | Error::Unavailable(_)));
        (outcome, is_sound)
    };
    let done = reading.now_or_never();
    done.unwrap_or_else(|| (Err(defect("a reader waits for something else than the database")), false))
}

fn defect(what: &str) -> Error {
    Error::Database(sqlx::Error::Protocol(what.to_owned()))
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let conn = open_direct(path)?;
    conn.busy_timeout(limits::BUSY_TIMEOUT)?;
    conn.set_prepared_statement_cache_capacity(limits::STATEMENT_CACHE);
    // Negative: in KiB.
    conn.pragma_update(None, "cache_size", -i64::from(limits::MOMENTS_CACHE_KIB))?;
    conn.pragma_update(None, "query_only", "ON")?;
    Ok(conn)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use std::sync::mpsc;

    use tempfile::TempDir;
    use tokio::task::JoinSet;

    use super::*;

    /// A table of one number, and a connection to move it.
    fn numbers() -> (TempDir, Connection, Moments) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("test.db");
        let conn = Connection::open(&path).unwrap();
        conn.pragma_update(None, "journal_mode", "WAL").unwrap();
        conn.execute_batch("CREATE TABLE one (number INTEGER); INSERT INTO one VALUES (1)").unwrap();
        let moments = Moments::of(&path, 2);
        (dir, conn, moments)
    }

    async fn number(conn: &mut Conn) -> Result<i64, Error> {
        conn.one("SELECT number FROM one", values![]).await?.get("number")
    }

    async fn read(moments: &Moments) -> Result<i64, Error> {
        moments.read(|conn| Box::pin(number(conn))).await
    }

    /// Reads that stand still with a connection each until the sender is dropped, and what becomes of them.
    async fn standing(moments: &Arc<Moments>) -> (mpsc::Sender<()>, JoinSet<Result<i64, Error>>) {
        let (go, wait) = mpsc::channel::<()>();
        let wait = Arc::new(Mutex::new(wait));
        let (begun, mut beginning) = tokio::sync::mpsc::unbounded_channel();
        let mut reads = JoinSet::new();
        for _ in 0..moments.shared.most {
            let (moments, wait, begun) = (Arc::clone(moments), Arc::clone(&wait), begun.clone());
            reads.spawn(async move {
                let read = moments.read(move |conn| {
                    Box::pin(async move {
                        begun.send(()).unwrap();
                        wait.lock().unwrap().recv().unwrap_err();
                        number(conn).await
                    })
                });
                read.await
            });
        }
        for _ in 0..moments.shared.most {
            beginning.recv().await.unwrap();
        }
        (go, reads)
    }

    #[tokio::test]
    async fn what_is_read_is_of_one_moment() {
        let (_dir, writer, moments) = numbers();
        let (first, second) = moments
            .read(move |conn| {
                Box::pin(async move {
                    let first = number(conn).await?;
                    writer.execute("UPDATE one SET number = 2", []).unwrap();
                    Ok((first, number(conn).await?))
                })
            })
            .await
            .unwrap();
        assert_eq!((first, second), (1, 1));
        assert_eq!(read(&moments).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_read_that_fails_takes_nothing_from_the_next() {
        let (_dir, _writer, moments) = numbers();
        for _ in 0..moments.shared.most * 2 {
            let wrong =
                moments.read(|conn| Box::pin(async { conn.one("SELECT none", values![]).await.map(drop) }));
            assert!(matches!(wrong.await, Err(Error::Database(_))));
            let defect = moments.read::<(), _>(|_| Box::pin(async { panic!("a defect") }));
            assert!(matches!(defect.await, Err(Error::Database(_))));
            let waits = moments.read::<(), _>(|_| Box::pin(std::future::pending()));
            assert!(matches!(waits.await, Err(Error::Database(_))));
            let writes = moments.read(|conn| Box::pin(conn.run("UPDATE one SET number = 3", values![])));
            assert!(writes.await.is_err());
            let refused = moments.read::<(), _>(|_| Box::pin(async { Err(Error::NotFound("room")) }));
            assert!(matches!(refused.await, Err(Error::NotFound("room"))));
            assert_eq!(read(&moments).await.unwrap(), 1);
        }
        // The last answer is given before its thread ends.
        while moments.shared.lock().threads > 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn who_finds_all_connections_in_use_is_told_so_after_a_while_and_who_reads_is_not() {
        let (_dir, _writer, moments) = numbers();
        let moments = Arc::new(moments);
        let (go, reads) = standing(&moments).await;
        tokio::time::pause();
        let waiting = {
            let moments = Arc::clone(&moments);
            tokio::spawn(async move { read(&moments).await })
        };
        while moments.shared.lock().waiting.is_empty() {
            tokio::task::yield_now().await;
        }
        tokio::time::advance(limits::READER_WAIT * 2).await;
        let Err(Error::Unavailable(why)) = waiting.await.unwrap() else { panic!("it was read") };
        assert_eq!(why, "too many read at once");
        tokio::time::resume();
        drop(go);
        for standing in reads.join_all().await {
            assert_eq!(standing.unwrap(), 1);
        }
        assert_eq!(read(&moments).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn no_more_may_wait_than_there_is_room_for() {
        let (_dir, _writer, moments) = numbers();
        let moments = Arc::new(moments);
        let (go, _reads) = standing(&moments).await;
        for _ in 0..limits::MOMENTS_WAITING {
            moments.put(Box::new(|_| true)).unwrap();
        }
        let Err(Error::Unavailable(why)) = read(&moments).await else { panic!("it was read") };
        assert_eq!(why, "too many want to read");
        drop(go);
        moments.close().await;
    }

    #[tokio::test]
    async fn closing_waits_for_who_reads_and_nobody_reads_afterwards() {
        let (_dir, _writer, moments) = numbers();
        let moments = Arc::new(moments);
        let (go, reads) = standing(&moments).await;
        let close = || {
            let moments = Arc::clone(&moments);
            tokio::spawn(async move { moments.close().await })
        };
        let (closing, again) = (close(), close());
        while !moments.shared.lock().closed {
            tokio::task::yield_now().await;
        }
        assert!(matches!(read(&moments).await, Err(Error::Unavailable(_))));
        assert!(!closing.is_finished());
        drop(go);
        closing.await.unwrap();
        again.await.unwrap();
        for standing in reads.join_all().await {
            assert_eq!(standing.unwrap(), 1);
        }
        assert!(moments.shared.lock().connections.is_empty());
    }
}
