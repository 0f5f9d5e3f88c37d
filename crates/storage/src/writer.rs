//! The one task that writes. It takes what is waiting, runs it in one transaction with a savepoint
//! per operation, commits once, and only then answers.
//!
//! Why: a commit that survives power loss costs a disk's sync, whatever is in it. Shared by a
//! group, it costs each operation little; and one writer that numbers events under the database's
//! write lock makes commit order and `seq` order the same.
//!
//! What it trades away: an operation waits for its group, and where several people write often, up to
//! `limits::GATHER_LONGEST` for others to join it. What it never does: answer before the
//! commit. If the disk is full or the commit fails, the whole group is undone and every operation
//! of it hears `Unavailable`; reading goes on. If the connection breaks while it commits, nobody
//! can know whether it did: then too it is `Unavailable`, and a post's nonce makes trying again safe.

mod fresh;
mod gather;
mod queue;

use std::fs::File;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use switchback_core::{Seq, UserId};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::db::{Conn, Origin};
use crate::sqlite::{self, Express};
use crate::turn::{self, Turn, turn};
use crate::tx::Tx;
use crate::write::messages::{self, ReadMark};
use crate::{Error, NewMessage, Posted, WriterStats, limits, postgres};
use fresh::Fresh;
pub use fresh::{Answers, Follower};
use gather::Gathering;
use queue::{Receiver, Refused, Sender};

/// The way to the writer's task.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Sender<Write>,
    /// Taken by the first to close; the others wait for it.
    task: tokio::sync::Mutex<Option<JoinHandle<Ended>>>,
    counters: Arc<Counters>,
    head: watch::Receiver<Seq>,
    fresh: Arc<Fresh>,
    #[cfg(test)]
    express: Option<sqlite::Setter>,
}

/// The thread that posts, where there is one. Without it everything goes the ordinary way.
fn express(origin: &Origin) -> Option<Express> {
    let Origin::Sqlite(place) = origin else { return None };
    let started = Express::start(place.path());
    started.inspect_err(|error| tracing::warn!(%error, "no thread can be started to post")).ok()
}

/// What the task leaves behind: its connection, and the data directory's lock, which is thus held
/// until the last commit is done even if nobody closes in good order.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) conn: Conn,
    _lock: Option<File>,
}

#[derive(Debug, Default)]
struct Counters {
    commits: AtomicU64,
    operations: AtomicU64,
    busy_us: AtomicU64,
    largest_group: AtomicU64,
}

impl Writer {
    pub(crate) fn start(tx: Tx, head: Seq, origin: Origin, lock: Option<File>) -> Self {
        let (queue, waiting) = queue::queue(limits::WRITER_QUEUE);
        let express = express(&origin);
        #[cfg(test)]
        let for_tests = express.as_ref().map(Express::setter);
        let (doorbell, head) = watch::channel(head);
        let counters = Arc::new(Counters::default());
        let fresh = Arc::new(Fresh::default());
        let (counting, freshening) = (Arc::clone(&counters), Arc::clone(&fresh));
        let task = Task { tx, express, waiting, doorbell, counters: counting, fresh: freshening, origin };
        let task = tokio::spawn(async move { Ended { conn: task.run().await, _lock: lock } });
        let task = tokio::sync::Mutex::new(Some(task));
        Self {
            queue,
            task,
            counters,
            head,
            fresh,
            #[cfg(test)]
            express: for_tests,
        }
    }

    /// Runs an operation in the next group and answers after its commit.
    pub(crate) async fn submit<T, F>(&self, run: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, Error>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let turn = turn().await;
        self.enqueue(Write::Other(Box::new(Job { run: Some(run), value: None, reply })))?;
        outcome(turn, answer).await
    }

    /// Posts a message: the operation there is most of, and the one that a group can do in bulk.
    pub(crate) fn post(&self, new: NewMessage) -> impl Future<Output = Result<Posted, Error>> + Send {
        let (reply, answer) = oneshot::channel();
        let write = Write::Post(Box::new(Bulk { asked: Arc::new(new), done: None, reply }));
        async move {
            let turn = turn().await;
            self.enqueue(write)?;
            outcome(turn, answer).await
        }
    }

    /// Marks a room as read: who reads a post does so, and so there are more of these than of posts.
    pub(crate) async fn mark_read(&self, mark: ReadMark) -> Result<Option<Seq>, Error> {
        let (reply, answer) = oneshot::channel();
        let turn = turn().await;
        self.enqueue(Write::Mark(Box::new(Bulk { asked: mark, done: None, reply })))?;
        outcome(turn, answer).await
    }

    fn enqueue(&self, write: Write) -> Result<(), Error> {
        self.queue.put(write).map_err(|refused| match refused {
            Refused::Full => Error::Unavailable("too many writes are waiting".to_owned()),
            Refused::Closed => stopped(),
        })
    }

    /// Runs a statement on the connection that posts.
    #[cfg(test)]
    pub(crate) fn set_express(&self, sql: &str) {
        if let Some(express) = &self.express {
            express.set(sql);
        }
    }

    /// Takes nothing more, finishes what is waiting, and hands over what is left.
    pub(crate) async fn finish(&self) -> Option<Ended> {
        self.queue.close();
        let mut task = self.task.lock().await;
        task.take()?.await.ok()
    }

    pub(crate) fn doorbell(&self) -> watch::Receiver<Seq> {
        self.head.clone()
    }

    /// See [`crate::Store::follow`].
    pub(crate) fn follow(&self) -> Follower {
        Follower::of(&self.fresh)
    }

    pub(crate) fn stats(&self) -> WriterStats {
        let counters = &self.counters;
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        WriterStats {
            commits: load(&counters.commits),
            operations: load(&counters.operations),
            busy_us: load(&counters.busy_us),
            queued: u64::try_from(self.queue.len()).unwrap_or(u64::MAX),
            largest_group: load(&counters.largest_group),
        }
    }
}

/// What became of an operation, once it is known.
async fn outcome<T>(turn: Turn, answer: oneshot::Receiver<Result<T, Error>>) -> Result<T, Error> {
    let outcome = answer.await;
    drop(turn);
    turn::answer().await;
    outcome.map_err(|_| stopped())?
}

fn stopped() -> Error {
    Error::Unavailable("shutting down".to_owned())
}

/// One operation that waits.
enum Write {
    Post(Box<Bulk<Arc<NewMessage>, Posted>>),
    Mark(Box<Bulk<ReadMark, Option<Seq>>>),
    Other(Box<dyn Operation>),
}

impl Write {
    async fn run(&mut self, tx: &mut Tx) -> Result<(), Error> {
        match self {
            Self::Post(post) => {
                post.done = Some(messages::post(tx, &post.asked).await?);
                Ok(())
            }
            Self::Mark(mark) => {
                mark.done = Some(messages::mark_read(tx, mark.asked).await?);
                Ok(())
            }
            Self::Other(operation) => operation.run(tx).await,
        }
    }

    fn as_post(&mut self) -> Option<&mut Bulk<Arc<NewMessage>, Posted>> {
        match self {
            Self::Post(post) => Some(post),
            Self::Mark(_) | Self::Other(_) => None,
        }
    }

    fn as_mark(&mut self) -> Option<&mut Bulk<ReadMark, Option<Seq>>> {
        match self {
            Self::Mark(mark) => Some(mark),
            Self::Post(_) | Self::Other(_) => None,
        }
    }

    /// Who asked for it, where it is of a kind of which many come.
    fn author(&self) -> Option<UserId> {
        match self {
            Self::Post(post) => Some(post.asked.author),
            Self::Mark(mark) => Some(mark.asked.user),
            Self::Other(_) => None,
        }
    }

    /// It was done together with others.
    fn is_done(&self) -> bool {
        match self {
            Self::Post(post) => post.done.is_some(),
            Self::Mark(mark) => mark.done.is_some(),
            Self::Other(_) => false,
        }
    }

    /// Forgets that it was done, because it was undone.
    fn undo(&mut self) {
        match self {
            Self::Post(post) => post.done = None,
            Self::Mark(mark) => mark.done = None,
            Self::Other(_) => {}
        }
    }

    /// `Ok`: what it did is on disk. Nobody may be waiting any more, which is fine.
    fn answer(self, outcome: Result<(), Error>) {
        match self {
            Self::Post(post) => drop(post.reply.send(value(outcome, post.done))),
            Self::Mark(mark) => drop(mark.reply.send(value(outcome, mark.done))),
            Self::Other(operation) => operation.answer(outcome),
        }
    }
}

/// An operation of a kind of which many can be done at once.
struct Bulk<N, T> {
    asked: N,
    done: Option<T>,
    reply: oneshot::Sender<Result<T, Error>>,
}

/// An operation of any kind, its result's type forgotten.
trait Operation: Send {
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, Result<(), Error>>;
    fn answer(self: Box<Self>, outcome: Result<(), Error>);
}

struct Job<F, T> {
    run: Option<F>,
    value: Option<T>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<F, T> Operation for Job<F, T>
where
    T: Send,
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, Error>> + Send,
{
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, Result<(), Error>> {
        Box::pin(async move {
            if let Some(run) = self.run.take() {
                self.value = Some(run(tx).await?);
            }
            Ok(())
        })
    }

    fn answer(self: Box<Self>, outcome: Result<(), Error>) {
        drop(self.reply.send(value(outcome, self.value)));
    }
}

fn value<T>(outcome: Result<(), Error>, value: Option<T>) -> Result<T, Error> {
    outcome.and_then(|()| value.ok_or_else(stopped))
}

struct Task {
    tx: Tx,
    express: Option<Express>,
    waiting: Receiver<Write>,
    doorbell: watch::Sender<Seq>,
    counters: Arc<Counters>,
    fresh: Arc<Fresh>,
    origin: Origin,
}

impl Task {
    /// Until the queue is closed and empty.
    async fn run(mut self) -> Conn {
        let mut group = Vec::new();
        let mut gathering = Gathering::new();
        let most = self.origin.group_max();
        loop {
            self.waiting.holds(1).await;
            self.waiting.take(most, &mut group);
            if group.is_empty() {
                // The queue is closed.
                break;
            }
            gathering.complete(&mut group, &mut self.waiting, Write::author).await;
            let size = u64::try_from(group.len()).unwrap_or(u64::MAX);
            self.counters.largest_group.fetch_max(size, Ordering::Relaxed);
            let started = Instant::now();
            self.write(&mut group).await;
            let busy_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.counters.busy_us.fetch_add(busy_us, Ordering::Relaxed);
        }
        if let Some(express) = self.express {
            express.end().await;
        }
        self.tx.conn
    }

    /// Writes a group and answers it.
    async fn write(&mut self, group: &mut Vec<Write>) {
        let outcomes = match self.origin.check() {
            Ok(()) => {
                self.take_express(group).await;
                if group.is_empty() {
                    return;
                }
                self.group(group).await
            }
            Err(error) => Err(error),
        };
        match outcomes {
            Ok(outcomes) => {
                if let Some(told) = self.tx.take_told() {
                    drop(self.fresh.put(told, Answers::default()));
                }
                self.committed(group.len(), self.tx.seq());
                group.drain(..).zip(outcomes).for_each(|(write, outcome)| write.answer(outcome));
            }
            Err(error) => {
                tracing::error!(%error, operations = group.len(), "a group of writes was not committed");
                self.tx.abandon().await;
                let reason = error.to_string();
                group.drain(..).for_each(|write| write.answer(Err(Error::Unavailable(reason.clone()))));
            }
        }
    }

    fn committed(&self, size: usize, head: Seq) {
        self.counters.commits.fetch_add(1, Ordering::Relaxed);
        self.counters.operations.fetch_add(u64::try_from(size).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.doorbell.send_if_modified(|known| std::mem::replace(known, head) != head);
    }

    /// Writes and answers what simply goes through, and takes it out of the group.
    async fn take_express(&mut self, group: &mut Vec<Write>) {
        let Some(express) = &self.express else { return };
        let asked = sqlite::Group {
            posts: group.iter_mut().filter_map(Write::as_post).map(|post| Arc::clone(&post.asked)).collect(),
            marks: group.iter_mut().filter_map(Write::as_mark).map(|mark| mark.asked).collect(),
        };
        if asked.posts.is_empty() && asked.marks.is_empty() {
            return;
        }
        let Some(sqlite::Done { posts, marks, told, head: Some(head) }) = express.write(asked).await else {
            return;
        };
        group.iter_mut().filter_map(Write::as_post).zip(posts).for_each(|(post, posted)| post.done = posted);
        group
            .iter_mut()
            .filter_map(Write::as_mark)
            .zip(marks)
            .for_each(|(mark, seq)| mark.done = seq.map(Some));
        let done: Vec<Write> = group.extract_if(.., |write| write.is_done()).collect();
        let size = done.len();
        let answers = self.fresh.put(told, Answers(done));
        self.committed(size, head);
        drop(answers);
    }

    /// One transaction. `Err`: nothing of it was written, as far as anybody can know.
    async fn group(&mut self, group: &mut [Write]) -> Result<Vec<Result<(), Error>>, Error> {
        self.begin().await?;
        self.bulk(group).await?;
        let mut outcomes = Vec::with_capacity(group.len());
        for write in group {
            outcomes.push(if write.is_done() { Ok(()) } else { self.one(write).await? });
        }
        self.tx.commit().await?;
        Ok(outcomes)
    }

    /// A connection that cannot begin may be in any state: a fresh one is not. One to a server that
    /// was restarted meanwhile shows it only now, and nothing was asked of it yet: so once more.
    async fn begin(&mut self) -> Result<(), Error> {
        let Err(error) = self.tx.begin().await else { return Ok(()) };
        let lost = matches!(self.tx.conn, Conn::Lost);
        self.reopen().await?;
        if lost { self.tx.begin().await } else { Err(error) }
    }

    /// Does the group's posts and read marks in bulk where the ordinary path has a way to; the others wait
    /// for their turn. They are all of one moment, so that none may complain about coming after another.
    async fn bulk(&mut self, group: &mut [Write]) -> Result<(), Error> {
        match self.try_bulk(group).await {
            Err(Error::Database(error)) => {
                // One that cannot be written must not take the others with it, for ever.
                tracing::error!(%error, "operations could not be done together; now one by one");
                group.iter_mut().for_each(Write::undo);
                self.tx.rollback().await;
                self.tx.begin().await
            }
            done => done,
        }
    }

    async fn try_bulk(&mut self, group: &mut [Write]) -> Result<(), Error> {
        if self.tx.conn.postgres().is_none() {
            return Ok(());
        }
        let mut posts: Vec<_> = group.iter_mut().filter_map(Write::as_post).collect();
        if !posts.is_empty() {
            let news: Vec<&NewMessage> = posts.iter().map(|post| &*post.asked).collect();
            let posted = postgres::post(&mut self.tx, &news).await?;
            posts.iter_mut().zip(posted).for_each(|(post, posted)| post.done = posted);
        }
        let mut marks: Vec<_> = group.iter_mut().filter_map(Write::as_mark).collect();
        if !marks.is_empty() {
            let asked: Vec<ReadMark> = marks.iter().map(|mark| mark.asked).collect();
            let marked = postgres::mark_read(&mut self.tx, &asked).await?;
            marks.iter_mut().zip(marked).for_each(|(mark, seq)| mark.done = seq.map(Some));
        }
        Ok(())
    }

    /// One operation. The outer `Err` is trouble with the database itself: it ends the group.
    async fn one(&mut self, write: &mut Write) -> Result<Result<(), Error>, Error> {
        self.tx.savepoint().await?;
        // A defect in one operation must not take the writer from everybody.
        let run = AssertUnwindSafe(write.run(&mut self.tx)).catch_unwind().await;
        match run.unwrap_or_else(|_| Err(Error::Database(sqlx::Error::Protocol("panicked".to_owned())))) {
            Ok(()) => self.tx.release().await.map(Ok),
            Err(error @ Error::Unavailable(_)) => Err(error),
            Err(error) => self.tx.undo().await.map(|()| Err(error)),
        }
    }

    async fn reopen(&mut self) -> Result<(), Error> {
        let fresh = self.origin.reconnect_writer().await.inspect_err(|error| {
            tracing::error!(%error, "the database cannot be opened again for writing");
        })?;
        let stale = std::mem::replace(&mut self.tx.conn, fresh);
        if let Err(error) = stale.close().await {
            tracing::warn!(%error, "the writer's old connection did not close in good order");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
