//! A connection's cursor over the log: what comes next, whatever the transport.
//!
//! Live delivery and catch-up are the same loop: read on from the cursor, from memory where it
//! reaches and from storage where it does not. The transports differ only in how they frame what
//! [`Feed::pull`] gives and in what they do while there is nothing.

use std::sync::Arc;

use switchback_core::wire::{Hello, HelloLimits, ResetReason, ServerFrame, Transport};
use switchback_core::{Cursor, Seq, limits as bounds};
use switchback_storage::Error;

use crate::hub::{Goodbye, Hub, Lent, Registration, Rest, Session};
use crate::limits;
use crate::log::{Entry, Frame, Read};

/// Where a connection wants to go on.
#[derive(Debug, Clone, Default)]
pub(super) struct Start {
    /// `Last-Event-ID` or `?after=`, as sent. `None`: at the head.
    pub(super) after: Option<String>,
    /// Position among the ephemeral frames, of a batch client that has one.
    pub(super) seen: Option<u64>,
}

/// A connection's place in the log.
pub(super) struct Feed {
    registration: Registration,
    cursor: Seq,
    seen: u64,
    /// Nothing that came before may be taken as known: tell everybody's presence.
    presence_due: bool,
    /// Changes of presence that a batch client may have missed on its way from another node.
    resumed: Vec<Arc<Frame>>,
    /// `ready` was told, or is told by a batch at its end.
    ready: bool,
    /// Something was pulled that a peer which has everything so far does not know.
    fresh: bool,
    /// Events of the next page from storage. What a page holds waits in memory until the peer takes it: of a
    /// peer that takes nothing, little.
    page_events: usize,
}

/// Where frames go on their way out.
pub(super) trait Outlet {
    /// Takes one more.
    fn put(&mut self, frame: &Arc<Frame>);

    /// Takes several.
    fn put_all(&mut self, frames: &[Arc<Frame>]) {
        for frame in frames {
            self.put(frame);
        }
    }
}

impl Outlet for Vec<Arc<Frame>> {
    fn put(&mut self, frame: &Arc<Frame>) {
        self.push(Arc::clone(frame));
    }
}

/// What one pull has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pulled {
    /// A page from storage, or as much as one pull may bring: pull again once this is written.
    More,
    /// Everything there is.
    All,
}

/// How much one pull may bring.
struct Budget {
    frames: usize,
    bytes: usize,
}

impl Budget {
    const fn new() -> Self {
        Self { frames: limits::FLUSH_FRAMES, bytes: limits::FLUSH_BYTES }
    }

    fn spend(&mut self, frame: &Frame) {
        self.frames = self.frames.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(frame.json.len());
    }

    const fn is_left(&self) -> bool {
        self.frames > 0 && self.bytes > 0
    }
}

impl Feed {
    /// Finds the place to start, and the frames that every connection begins with.
    pub(super) async fn open(
        registration: Registration,
        start: &Start,
    ) -> Result<(Self, Vec<Arc<Frame>>), Error> {
        let hub = registration.hub();
        let (cursor, reset) = begin(hub, start.after.as_deref()).await?;
        let viewer = &registration.session().viewer;
        let (seen, resumed) = match start.seen {
            Some(seen) => hub.ephemeral_resume(viewer, seen),
            None => (hub.ephemeral_head(), None),
        };
        let feed = Self {
            cursor,
            seen,
            presence_due: resumed.is_none(),
            resumed: resumed.unwrap_or_default(),
            ready: registration.session().transport == Transport::Batch,
            fresh: false,
            page_events: limits::CATCH_UP_FIRST_EVENTS,
            registration,
        };
        let mut opening = vec![Frame::server(&feed.hello())];
        opening
            .extend(reset.map(|reason| Frame::server(&ServerFrame::Reset { reason, cursor: feed.cursor() })));
        Ok((feed, opening))
    }

    fn hello(&self) -> ServerFrame {
        let session = self.session();
        ServerFrame::Hello(Hello {
            session: session.id,
            user: session.viewer.user,
            epoch: self.hub().epoch(),
            cursor: self.cursor(),
            heartbeat_ms: bounds::HEARTBEAT_MS,
            transport: session.transport,
            limits: HelloLimits::default(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }

    /// Appends what lies between the cursor and the head, and what else is new.
    pub(super) async fn pull(&mut self, out: &mut impl Outlet) -> Result<Pulled, Error> {
        let mut budget = Budget::new();
        while budget.is_left() {
            match self.pull_remembered(out, &mut budget) {
                Read::Through { seq, more: true } => self.cursor = seq,
                Read::Through { seq, more: false } => {
                    self.cursor = seq;
                    self.page_events = limits::CATCH_UP_FIRST_EVENTS;
                    self.pull_ephemeral(out);
                    return Ok(Pulled::All);
                }
                Read::Fallen => {
                    Box::pin(self.pull_stored(out, &mut budget)).await?;
                    // The next one, a longer one, is for who takes this one. A batch is taken as a whole.
                    if self.session().transport != Transport::Batch {
                        return Ok(Pulled::More);
                    }
                }
            }
        }
        Ok(Pulled::More)
    }

    /// What memory has.
    fn pull_remembered(&mut self, out: &mut impl Outlet, budget: &mut Budget) -> Read {
        let mut fresh = false;
        let sight = self.session().viewer.sight();
        let sees = |seq, audience| sight.sees(seq, audience);
        let read = self.hub().ring().read(self.cursor, sees, |entry| {
            let frame = sight.frame(entry);
            budget.spend(frame);
            out.put(frame);
            fresh = true;
            budget.is_left()
        });
        drop(sight);
        self.fresh |= fresh;
        read
    }

    /// A page from storage, where memory does not reach or no longer tells the truth.
    async fn pull_stored(&mut self, out: &mut impl Outlet, budget: &mut Budget) -> Result<(), Error> {
        let user = self.session().viewer.user;
        let store = self.hub().store();
        let page = store.events_for(user, self.cursor, self.page_events).await?;
        // What is looked through and is for others, nobody takes.
        if !page.events.is_empty() {
            self.page_events = limits::CATCH_UP_PAGE_EVENTS.min(2 * self.page_events);
        }
        let epoch = self.hub().epoch();
        for event in page.events {
            let entry = Entry::new(event, epoch);
            // Storage has veiled it already where it must be.
            budget.spend(&entry.frame);
            out.put(&entry.frame);
            self.fresh = true;
        }
        if page.through <= self.cursor {
            // Memory knows of more than storage has: the database is not the one it was.
            return Err(Error::Unavailable("the log is shorter than it was".to_owned()));
        }
        self.cursor = page.through;
        Ok(())
    }

    fn pull_ephemeral(&mut self, out: &mut impl Outlet) {
        let (seen, frames) = self.hub().ephemeral_after(&self.session().viewer, self.seen);
        self.seen = seen;
        if !self.ready {
            self.ready = true;
            out.put(&self.ready_frame());
        }
        // Not worth an answer of their own: a client that goes to and fro would ask without end.
        out.put_all(&std::mem::take(&mut self.resumed));
        match frames {
            Some(frames) if !self.presence_due => {
                self.fresh |= !frames.is_empty();
                out.put_all(&frames);
            }
            _ => {
                self.fresh |= !self.presence_due;
                self.presence_due = false;
                let (seen, everybody) = self.hub().presence_frames(self.session().viewer.user);
                self.seen = seen;
                out.put_all(&everybody);
            }
        }
        if self.session().takes_beat() {
            out.put(&self.hub().heartbeat(self.cursor()));
        }
    }

    /// Whether a pull has brought something that a peer which has everything so far does not know
    /// (an event, an ephemeral frame; not everybody's presence at the beginning).
    pub(super) const fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Says that everything up to the cursor was sent.
    pub(super) fn ready_frame(&self) -> Arc<Frame> {
        Frame::server(&ServerFrame::Ready { cursor: self.cursor(), seen: self.seen })
    }

    /// Lends the hub the stream while there is nothing to do but to wait for it.
    pub(super) fn lend(&self) {
        // Not before the beginning is told, which is more than the log.
        if self.ready && !self.presence_due {
            self.session().lend(self.cursor);
        }
    }

    /// Takes back what was lent, and what could not be written.
    pub(super) fn take_back(&mut self) -> Option<Rest> {
        let Lent { cursor, rest } = self.session().take_back()?;
        self.cursor = cursor;
        (!rest.messages.is_empty()).then_some(rest)
    }

    /// Whether the log is visible up to this event.
    pub(super) fn reaches(&self, seq: Seq) -> bool {
        self.hub().ring().head() >= seq
    }

    /// Waits until there may be something new, or the connection must end.
    pub(super) async fn woken(&self) {
        std::future::poll_fn(|cx| self.session().poll_woken(cx)).await;
    }

    /// Why the connection must end, if it must.
    pub(super) fn goodbye(&self) -> Option<Goodbye> {
        self.session().goodbye()
    }

    /// Where it stands.
    pub(super) fn cursor(&self) -> Cursor {
        Cursor { epoch: self.hub().epoch(), seq: self.cursor }
    }

    /// The connection.
    pub(super) fn session(&self) -> &Arc<Session> {
        self.registration.session()
    }

    fn hub(&self) -> &Arc<Hub> {
        self.registration.hub()
    }
}

/// The last frame before a close.
pub(super) fn bye(goodbye: Goodbye) -> Arc<Frame> {
    Frame::server(&ServerFrame::Bye { reason: goodbye.reason, retry_ms: goodbye.retry_ms })
}

/// Where a connection starts. What cannot be continued starts at the head, and says so.
async fn begin(hub: &Hub, after: Option<&str>) -> Result<(Seq, Option<ResetReason>), Error> {
    let head = hub.ring().head();
    let Some(after) = after else { return Ok((head, None)) };
    let Ok(after) = after.parse::<Cursor>() else { return Ok((head, Some(ResetReason::Malformed))) };
    if after.epoch != hub.epoch() {
        return Ok((head, Some(ResetReason::ForeignEpoch)));
    }
    // An answer to a command or a snapshot can be a moment ahead of what is in memory.
    if after.seq > head && after.seq > hub.store().head().await? {
        return Ok((head, Some(ResetReason::Ahead)));
    }
    if head.saturating_sub(after.seq) > limits::CATCH_UP_EVENTS {
        return Ok((head, Some(ResetReason::Behind)));
    }
    Ok((after.seq, None))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
pub(super) mod tests {
    use switchback_core::wire::Role;
    use switchback_storage::{Audience, NewUser};
    use tempfile::TempDir;

    use super::*;
    use crate::hub::tests::workspace;

    pub(in crate::chat) fn entry(seq: Seq) -> Arc<Entry> {
        let frame = Frame::server(&ServerFrame::Presence { full: false, changes: Vec::new() });
        Arc::new(Entry {
            seq,
            at: 0,
            audience: Audience::Everyone,
            frame,
            veiled: None,
            member: None,
            account: None,
            deactivated: None,
            texts: [None, None],
            rewrites: None,
        })
    }

    /// A hub with a ring of 8 events, and Ada who has come to it.
    pub(in crate::chat) async fn registered(transport: Transport) -> (TempDir, Arc<Hub>, Registration) {
        let (dir, store, ada, credential) = workspace().await;
        let head = store.head().await.unwrap();
        let hub = Arc::new(Hub::new(store, head, 8));
        let registration = hub.connect(ada, credential, transport, None).await.unwrap();
        (dir, hub, registration)
    }

    #[tokio::test]
    async fn a_log_that_has_become_shorter_ends_the_connection_instead_of_turning_in_circles() {
        let (_dir, hub, registration) = registered(Transport::Sse).await;
        let head = hub.ring().head();
        let (mut feed, _) = Feed::open(registration, &Start::default()).await.unwrap();
        hub.ring().push([entry(head + 5)]);
        let pulled = feed.pull(&mut Vec::new()).await;
        assert!(matches!(pulled, Err(Error::Unavailable(_))), "{pulled:?}");
    }

    /// How many frames each pull brings to somebody who was away while forty people came, until there are no more.
    async fn pulls_after_an_absence(transport: Transport) -> Vec<usize> {
        let (_dir, hub, registration) = registered(transport).await;
        let after = Cursor { epoch: hub.epoch(), seq: hub.ring().head() };
        for number in 0..40 {
            let (handle, name) = (format!("user{number}").parse().unwrap(), "Somebody".parse().unwrap());
            let new = NewUser { handle, name, role: Role::Member, password_hash: String::new() };
            hub.store().create_user(new).await.unwrap();
        }
        // Of all that, memory has nothing but the end.
        let head = hub.store().head().await.unwrap();
        hub.ring().push((head - 7..=head).map(entry));
        let start = Start { after: Some(after.to_string()), seen: None };
        let (mut feed, _) = Feed::open(registration, &start).await.unwrap();
        let mut pulls = Vec::new();
        loop {
            let mut frames = Vec::new();
            let pulled = feed.pull(&mut frames).await.unwrap();
            pulls.push(frames.len());
            if pulled == Pulled::All {
                return pulls;
            }
        }
    }

    #[tokio::test]
    async fn who_takes_nothing_is_held_no_more_than_a_page_for() {
        let pulls = pulls_after_an_absence(Transport::Websocket).await;
        assert_eq!(pulls[0], limits::CATCH_UP_FIRST_EVENTS, "{pulls:?}");
        assert!(pulls[1] <= 2 * limits::CATCH_UP_FIRST_EVENTS && pulls.len() >= 3, "{pulls:?}");
    }

    #[tokio::test]
    async fn a_batch_brings_all_there_is() {
        let pulls = pulls_after_an_absence(Transport::Batch).await;
        assert!(pulls.len() == 1 && pulls[0] > 2 * limits::CATCH_UP_FIRST_EVENTS, "{pulls:?}");
    }
}
