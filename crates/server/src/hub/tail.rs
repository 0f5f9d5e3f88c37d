//! The one reader of the log's end: it encodes new events once, brings memberships up to date, makes
//! the events visible, and wakes whom they concern.
//!
//! It looks at the database when this process has committed something, when somebody asks it to,
//! and once a second in any case. What another node's doorbell brings along is taken as it is if it
//! goes on where memory ends; if not, the database fills the gap.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use switchback_core::wire::node::Standing;
use switchback_core::{Seq, UserId};
use switchback_storage::{Answers, Error, Follower, LoggedEvent};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Hub;
use crate::limits;
use crate::log::Entry;
use crate::metrics::Metrics;

/// Follows the log's end until it is told to stop.
pub(crate) struct Tail {
    hub: Arc<Hub>,
    metrics: Arc<Metrics>,
    rings: mpsc::Receiver<Rung>,
    neighbours: Arc<dyn Neighbours>,
    follower: Follower,
    /// How far the neighbours know that this process has written.
    told: Seq,
}

/// Another node's doorbell.
#[derive(Debug)]
pub(crate) struct Rung {
    /// The log has come this far.
    pub(crate) head: Seq,
    /// The events that end there, in order; none: look for yourself.
    pub(crate) events: Vec<LoggedEvent>,
}

/// What the log's reader has to do.
enum News {
    /// Changes of presence are due.
    Presence,
    /// To look at the database.
    Look,
    /// To take what this process has committed.
    Committed,
    /// To take what another node has.
    Rung(Rung),
}

/// The other nodes, as far as the log's reader has something to tell them. Never waits.
pub(crate) trait Neighbours: Send + Sync {
    /// The log has come to `head`, and this process wrote some of it. `events`: those that end
    /// there, in order, if they are at hand.
    fn ring(&self, head: Seq, events: &[Arc<Entry>]);
    /// How people are with this node has changed.
    fn standings(&self, people: Vec<Standing>);
}

impl Tail {
    /// Follows this hub's store, and takes what comes over `rings`.
    pub(crate) fn new(
        hub: Arc<Hub>,
        metrics: Arc<Metrics>,
        rings: mpsc::Receiver<Rung>,
        neighbours: Arc<dyn Neighbours>,
    ) -> Self {
        let (told, follower) = (hub.ring.head(), hub.store.follow());
        Self { hub, metrics, rings, neighbours, follower, told }
    }

    /// Runs until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut doorbell = self.hub.store.doorbell();
        let mut poll = tokio::time::interval(limits::HEAD_POLL);
        let mut presence = tokio::time::interval(limits::PRESENCE_EVERY);
        loop {
            self.follower.rest();
            let news = tokio::select! {
                // In a fixed order, so that a run can be repeated: what comes at most so often goes
                // first, and what rings without end last. A look at the log takes what a doorbell
                // would have brought.
                biased;
                () = stop.cancelled() => return,
                _ = presence.tick() => News::Presence,
                _ = poll.tick() => News::Look,
                () = self.hub.look.notified() => News::Look,
                rung = doorbell.changed() => match rung {
                    Ok(()) => News::Committed,
                    // The store is closed: nothing comes any more.
                    Err(_) => return,
                },
                Some(rung) = self.rings.recv() => News::Rung(rung),
            };
            if !matches!(news, News::Committed) {
                self.follower.busy();
            }
            let done = match news {
                News::Presence => {
                    self.tick();
                    Ok(())
                }
                News::Look => self.catch_up().await,
                News::Committed => self.committed().await,
                News::Rung(rung) => self.rung(rung).await,
            };
            if let Err(error) = done {
                tracing::warn!(%error, "the log cannot be read; trying again");
                tokio::time::sleep(limits::LOG_RETRY).await;
            }
        }
    }

    fn tick(&self) {
        let news = self.hub.tick();
        if !news.is_empty() {
            self.neighbours.standings(news);
        }
    }

    /// Takes what another node has rung with, or reads what lies before it.
    async fn rung(&mut self, rung: Rung) -> Result<(), Error> {
        let head = self.hub.ring.head();
        let news: Vec<LoggedEvent> =
            rung.events.into_iter().filter(|logged| logged.event.seq > head).collect();
        let expected = head + 1..=rung.head;
        if !expected.is_empty() && news.iter().map(|logged| logged.event.seq).eq(expected) {
            self.metrics.rung(true);
            return self.take(news, Answers::default()).await;
        }
        if rung.head > head {
            self.metrics.rung(false);
            return self.catch_up().await;
        }
        Ok(())
    }

    /// Takes what this process has just committed, or reads it.
    async fn committed(&mut self) -> Result<(), Error> {
        let head = self.hub.ring.head();
        let (mut fresh, answers) = self.follower.take();
        fresh.retain(|logged| logged.event.seq > head);
        let goes_on = fresh.iter().map(|logged| logged.event.seq).eq((head + 1..).take(fresh.len()));
        if !fresh.is_empty() && goes_on {
            self.take(fresh, answers).await?;
        } else {
            drop(answers);
        }
        let written = *self.hub.store.doorbell().borrow();
        if self.hub.ring.head() < written {
            return self.catch_up().await;
        }
        // Some of it may have been taken before its doorbell had rung.
        self.tell(&[]);
        Ok(())
    }

    /// Reads to the end of the log.
    async fn catch_up(&mut self) -> Result<(), Error> {
        loop {
            let head = self.hub.ring.head();
            let page = self.hub.store.events_after(head, limits::LOG_PAGE_EVENTS).await?;
            if page.events.is_empty() {
                // The last page may have been read before its writer had rung.
                self.tell(&[]);
                return Ok(());
            }
            self.take(page.events, Answers::default()).await?;
        }
    }

    /// Makes events visible and delivers them. `answers`: for those who wrote them.
    async fn take(&mut self, events: Vec<LoggedEvent>, mut answers: Answers) -> Result<(), Error> {
        let epoch = self.hub.epoch();
        let entries: Vec<_> = events.into_iter().map(|event| Arc::new(Entry::new(event, epoch))).collect();
        // In order, so that a run can be repeated.
        let changed: BTreeSet<UserId> = entries.iter().filter_map(|entry| entry.member).collect();
        let accounts: HashSet<UserId> = entries.iter().filter_map(|entry| entry.account).collect();
        if !(changed.is_empty() && accounts.is_empty()) {
            // Nobody waits for what is read first.
            drop(std::mem::take(&mut answers));
        }
        for user in changed {
            if let Some(viewer) = self.hub.viewer(user) {
                self.hub.load(&viewer).await?;
            }
        }
        let ended = if accounts.is_empty() {
            Vec::new()
        } else {
            self.hub.unrecognize(&accounts);
            // Another process (an admin command) may have ended sessions together with the change.
            self.hub.ended(Some(&accounts)).await?
        };
        self.metrics.published(entries.iter().map(|entry| entry.at));
        let direct = self.hub.publish(&entries);
        let is_answered = !answers.is_empty();
        drop(answers);
        self.tell(&entries);
        if is_answered && direct.whom.len() > limits::ANSWERS_FIRST_ABOVE {
            tokio::task::yield_now().await;
        }
        self.hub.deliver(&entries, &direct).await;
        for (user, credential) in ended {
            self.hub.revoked(user, credential);
        }
        Ok(())
    }

    /// Tells the neighbours, if this process wrote any of it: what others wrote, they told. What was
    /// written after the page was read, or does not fit in it, is told once it is in memory.
    fn tell(&mut self, entries: &[Arc<Entry>]) {
        let written = *self.hub.store.doorbell().borrow();
        let head = self.hub.ring.head();
        if written > self.told && head > self.told {
            self.neighbours.ring(head, entries);
            self.told = head;
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Mutex, PoisonError};
    use std::task::{Context, Wake, Waker};
    use std::time::Duration;

    use futures_util::future::join_all;
    use switchback_core::Nonce;
    use switchback_core::wire::Role;
    use switchback_storage::{NewMessage, NewUser, OpenMode, Store};
    use tempfile::TempDir;
    use tokio::time::timeout;
    use uuid::Uuid;

    use super::*;

    /// Neighbours that remember how often and with what they were rung.
    #[derive(Default)]
    struct Remembering(Mutex<Vec<(Seq, Vec<Seq>)>>);

    impl Remembering {
        fn heard(&self) -> Vec<(Seq, Vec<Seq>)> {
            std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
        }
    }

    impl Neighbours for Remembering {
        fn ring(&self, head: Seq, events: &[Arc<Entry>]) {
            let seqs = events.iter().map(|entry| entry.seq).collect();
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push((head, seqs));
        }

        fn standings(&self, _: Vec<Standing>) {}
    }

    async fn tail() -> (Tail, Arc<Remembering>, Store, TempDir) {
        let dir = TempDir::new().unwrap();
        let store = Store::open(dir.path(), OpenMode::Server).await.unwrap();
        let hub = Arc::new(Hub::new(store.clone(), store.head().await.unwrap(), 8_192));
        let neighbours = Arc::new(Remembering::default());
        let (_, rings) = mpsc::channel(1);
        let tail = Tail::new(hub, Arc::new(Metrics::new()), rings, Arc::clone(&neighbours) as _);
        (tail, neighbours, store, dir)
    }

    /// Writes some events.
    async fn write(store: &Store, number: usize) {
        let (handle, name) = (format!("user{number}").parse().unwrap(), "Somebody".parse().unwrap());
        let new = NewUser { handle, name, role: Role::Member, password_hash: String::new() };
        store.create_user(new).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_written_while_the_end_is_looked_for_is_told_with_its_events() {
        let (mut tail, neighbours, store, _dir) = tail().await;
        let before = tail.hub.ring.head();
        write(&store, 1).await;
        // The end of a look whose last page was read before this was committed.
        tail.tell(&[]);
        tail.catch_up().await.unwrap();
        let head = store.head().await.unwrap();
        assert_eq!(neighbours.heard(), [(head, (before + 1..=head).collect())]);
        tail.catch_up().await.unwrap();
        assert_eq!(neighbours.heard(), [], "once is enough");
    }

    #[tokio::test]
    async fn what_does_not_fit_in_one_page_is_told_to_its_end() {
        let (mut tail, neighbours, store, _dir) = tail().await;
        let before = tail.hub.ring.head();
        join_all((0..limits::LOG_PAGE_EVENTS).map(|number| write(&store, number))).await;
        tail.catch_up().await.unwrap();
        let head = store.head().await.unwrap();
        assert!(head - before > u64::try_from(limits::LOG_PAGE_EVENTS).unwrap());
        let rings = neighbours.heard();
        assert_eq!(rings.last().map(|(head, _)| *head), Some(head));
        let seqs = rings.into_iter().flat_map(|(_, seqs)| seqs);
        assert!(seqs.eq(before + 1..=head), "with all events, in order");
    }

    /// Remembers how far the log was visible when it was woken.
    struct Woken {
        hub: Arc<Hub>,
        head: AtomicU64,
    }

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.head.store(self.hub.ring.head(), Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn who_has_written_finds_it_visible() {
        let (mut tail, _, store, _dir) = tail().await;
        write(&store, 1).await;
        let person = store.users_by_handle(&["user1".parse().unwrap()]).await.unwrap()[0].id;
        let room = store.rooms(person).await.unwrap()[0].room.id;
        let message = || NewMessage {
            author: person,
            room,
            nonce: Nonce::from_uuid(Uuid::now_v7()),
            body: "hello".parse().unwrap(),
            html: String::new(),
            reply_to: None,
            mentions: Vec::new(),
            mentions_room: false,
        };
        tail.catch_up().await.unwrap();
        tail.follower.rest();
        let mut doorbell = store.doorbell();
        doorbell.mark_unchanged();
        let woken = Arc::new(Woken { hub: Arc::clone(&tail.hub), head: AtomicU64::new(0) });
        let mut post = pin!(store.post_message(message()));
        let waker = Waker::from(Arc::clone(&woken));
        assert!(post.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        doorbell.changed().await.unwrap();
        let before = tail.hub.ring.head();
        tail.committed().await.unwrap();
        let seq = post.await.unwrap().seq;
        assert_eq!((before + 1, woken.head.load(Ordering::Relaxed)), (seq, seq), "head when it was answered");
        // Who does not follow any more is not waited for.
        tail.follower.rest();
        drop(tail);
        timeout(Duration::from_secs(30), store.post_message(message())).await.unwrap().unwrap();
    }
}
