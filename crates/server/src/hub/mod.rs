//! Who is listening. The hub knows every live connection by its person, and every person by their
//! rooms; after a commit it wakes those whom the new events concern.
//!
//! It never holds what a connection has not read yet: a connection is a cursor, and reads for
//! itself from the [`Ring`]. A wake-up says only that there may be something.
//!
//! Locks are held for an instant and never across an `await`. Order, where two are held: `State`,
//! then a viewer's rooms; `Everybody` before `State`.

mod ephemeral;
mod everybody;
mod heartbeat;
mod ids;
mod known;
mod lane;
mod presence;
mod recognized;
mod roster;
mod session;
mod state;
mod tail;
mod viewer;
mod whom;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::RngExt as _;
use switchback_core::wire::node::Standing;
use switchback_core::wire::{ByeReason, PresenceChange, PresenceState, ServerFrame, Transport};
use switchback_core::{Cursor, Epoch, RoomId, Seq, UserId};
use switchback_storage::{Audience, Credential, Error, Membership, SecretHash, Store};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, MissedTickBehavior};
use uuid::Uuid;

pub(crate) use known::Known;
pub(crate) use lane::{Lent, Rest};
pub(crate) use recognized::Recognized;
use session::going_away;
pub(crate) use session::{Goodbye, Session};
use state::{Person, State, standing};
pub(crate) use tail::{Neighbours, Rung, Tail};
pub(crate) use viewer::Viewer;
use whom::Whom;

use crate::limits;
use crate::log::{Entry, Frame, Ring};
use ephemeral::{Ephemeral, Passing};
use everybody::Everybody;
use presence::Level;

/// All live connections of this node.
#[derive(Debug)]
pub(crate) struct Hub {
    store: Store,
    ring: Ring,
    ephemeral: Ephemeral,
    everybody: Everybody,
    state: Mutex<State>,
    /// The ring's head, for those who wait for it.
    visible: watch::Sender<Seq>,
    /// There may be something new in the database.
    look: Notify,
    /// How often it was read what somebody may see.
    memberships: AtomicU64,
    /// The newest heartbeat, by the position that it tells: most connections stand at the same.
    heartbeat: Mutex<Option<(Seq, Arc<Frame>)>>,
}

/// Why a connection was not let in.
#[derive(Debug)]
pub(crate) enum NotConnected {
    /// The credential ended a moment ago, or there is one connection too many, or the server stops.
    Refused(Goodbye),
    /// The database could not be read.
    Storage(Error),
}

impl From<Error> for NotConnected {
    fn from(error: Error) -> Self {
        Self::Storage(error)
    }
}

impl Hub {
    /// A hub that goes on after this store's log, and has the log's end in memory: after a restart
    /// everybody comes back to it at once.
    pub(crate) async fn open(store: Store, ring_events: usize) -> Result<Self, Error> {
        let head = store.head().await?;
        let known = u64::try_from(limits::RING_EVENTS_AT_START.min(ring_events)).unwrap_or(u64::MAX);
        let hub = Self::new(store, head.saturating_sub(known), ring_events);
        if let Err(error) = hub.remember(head).await {
            // Whoever needs these events reads them for themselves, or learns what is wrong.
            tracing::warn!(%error, "the end of the log cannot be read; starting without it");
            return Ok(Self::new(hub.store, head, ring_events));
        }
        Ok(hub)
    }

    /// Reads on up to `head`, which nobody waits for yet.
    async fn remember(&self, head: Seq) -> Result<(), Error> {
        while self.ring.head() < head {
            let page = self.store.events_after(self.ring.head(), limits::LOG_PAGE_EVENTS).await?;
            if page.events.is_empty() {
                return Err(Error::Unavailable("the log is shorter than it was".to_owned()));
            }
            let epoch = self.epoch();
            self.ring.push(page.events.into_iter().map(|event| Arc::new(Entry::new(event, epoch))));
        }
        self.visible.send_replace(self.ring.head());
        Ok(())
    }

    /// A hub that goes on after `head` of this store's log.
    pub(crate) fn new(store: Store, head: Seq, ring_events: usize) -> Self {
        let ring = Ring::new(head, ring_events, limits::RING_BYTES);
        let ephemeral = Ephemeral::new(rand::rng().random(), now());
        let (visible, look) = (watch::Sender::new(head), Notify::new());
        let (everybody, state, heartbeat) = (Everybody::default(), Mutex::default(), Mutex::default());
        let memberships = AtomicU64::new(0);
        Self { store, ring, ephemeral, everybody, state, visible, look, memberships, heartbeat }
    }

    /// Recent events.
    pub(crate) fn ring(&self) -> &Ring {
        &self.ring
    }

    /// Older events.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Which history the log tells.
    pub(crate) fn epoch(&self) -> Epoch {
        self.store.epoch()
    }

    /// How often something has happened that changes who may see what. For [`Known`].
    pub(crate) fn stirred(&self) -> u64 {
        self.state().stirred
    }

    /// Lets a connection in: registered first, then its memberships and its credential are read,
    /// so that nothing that happens in between is missed. What is `known` saves the reading if nothing
    /// has happened since.
    pub(crate) async fn connect(
        self: &Arc<Self>,
        user: UserId,
        credential: Credential,
        transport: Transport,
        known: Option<Known>,
    ) -> Result<Registration, NotConnected> {
        let (session, stirred) = {
            let mut state = self.state();
            let session = state.register(user, credential, transport).map_err(NotConnected::Refused)?;
            (session, state.stirred)
        };
        // Dropped on every way out from here.
        let registration = Registration { hub: Arc::clone(self), session };
        let as_of = if let Some(known) = known.filter(|known| known.still_holds(stirred)) {
            self.install(&registration.session.viewer, known.as_of, &known.memberships);
            let mut state = self.state();
            // Nothing was told since the reading: neither that it ended nor that the account is another. Of
            // what other nodes do, too little is told, and too late.
            if state.stirred == known.stirred && !self.store.is_shared() {
                state.remember(&known.recognized);
            }
            known.as_of
        } else {
            let Some((as_of, memberships)) = self.store.entering(user, credential).await? else {
                return Err(NotConnected::Refused(Goodbye::forever(ByeReason::SignedOut)));
            };
            self.install(&registration.session.viewer, as_of, &memberships);
            as_of
        };
        self.caught_up(as_of).await;
        Ok(registration)
    }

    /// Lets in again who was here a moment ago, without a question to the database: on a node that is alone
    /// the hub is told what ends a credential, changes an account or a membership, and goes on listening
    /// for those who have just gone. `None`: ask.
    pub(crate) async fn reconnect(
        self: &Arc<Self>,
        secret: &SecretHash,
        transport: Transport,
    ) -> Option<(Arc<Recognized>, Registration)> {
        let (recognized, session) = {
            let mut state = self.state();
            let recognized = Arc::clone(state.recognize(secret)?);
            let identity = &recognized.identity;
            let session = state.register(identity.user.id, identity.credential, transport).ok()?;
            (recognized, session)
        };
        let registration = Registration { hub: Arc::clone(self), session };
        let written = *self.store.doorbell().borrow();
        self.caught_up(written).await;
        Some((recognized, registration))
    }

    /// Who speaks, if they are connected or were a moment ago: what they say by POST is theirs without
    /// another question, as what is said on a WebSocket is.
    pub(crate) fn recognize(&self, secret: &SecretHash) -> Option<Arc<Recognized>> {
        self.state().recognize(secret).map(Arc::clone)
    }

    /// Until everything up to `head` is visible here: who connects after an answer, by whatever node,
    /// finds what it was about.
    async fn caught_up(&self, head: Seq) {
        if self.ring.head() >= head {
            return;
        }
        self.look();
        let visible = async { self.visible.subscribe().wait_for(|visible| *visible >= head).await.is_ok() };
        if tokio::time::timeout(limits::HEAD_POLL, visible).await.is_err() {
            tracing::warn!("the log cannot be followed right now: a connection starts behind it");
        }
    }

    /// Reads what a person may see, and indexes them by their rooms.
    async fn load(&self, viewer: &Viewer) -> Result<(), Error> {
        let (as_of, memberships) = self.store.memberships(viewer.user).await?;
        self.install(viewer, as_of, &memberships);
        Ok(())
    }

    fn install(&self, viewer: &Viewer, as_of: Seq, memberships: &[Membership]) {
        let mut state = self.state();
        let change = viewer.install(as_of, memberships);
        state.index(viewer.user, change);
        state.newest_joined =
            memberships.iter().map(|member| member.joined_seq).fold(state.newest_joined, Seq::max);
        self.memberships.fetch_add(1, Ordering::Release);
    }

    /// Whether somebody with a live connection is in this room. `false` may also mean: not known.
    pub(crate) fn is_member(&self, user: UserId, room: RoomId) -> bool {
        self.state().people.get(&user).is_some_and(|person| person.viewer.is_member(room))
    }

    /// Everybody who is not offline, wherever they are connected.
    pub(crate) fn presence(&self) -> Vec<PresenceChange> {
        self.state().roster.present()
    }

    /// The same as frames for `user`, who comes now, and the position among the ephemeral frames at
    /// which it was so: what is told after it brings its reader up to date.
    pub(crate) fn presence_frames(&self, user: UserId) -> (u64, Vec<Arc<Frame>>) {
        let mut since = Vec::new();
        let (position, mut frames) = self.everybody.frames(|known| {
            let roster = &mut self.state().roster;
            since = roster.since_shown(user, limits::PRESENCE_SINCE);
            let edition = roster.edition();
            let changes = (known != Some(edition)).then(|| (edition, roster.shown()));
            // Changes are told under the same lock: none lies between the list and the position.
            (self.ephemeral.head(), changes)
        });
        if !since.is_empty() || frames.is_empty() {
            frames.extend(everybody::encoded(&since, frames.is_empty()));
        }
        (position, frames)
    }

    /// Live connections now, by transport.
    pub(crate) fn connections(&self) -> HashMap<Transport, usize> {
        let mut count = HashMap::new();
        for session in self.state().people.values().flat_map(|person| &person.sessions) {
            *count.entry(session.transport).or_default() += 1;
        }
        count
    }

    /// Wakes connections for their heartbeats, one round after the other.
    pub(crate) async fn beat(&self) {
        let mut tick = tokio::time::interval(limits::HEARTBEAT_TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            self.state().wheel.turn().iter().for_each(|session| session.beat());
        }
    }

    /// The heartbeat for who stands at this position; encoded once for all who do.
    pub(crate) fn heartbeat(&self, cursor: Cursor) -> Arc<Frame> {
        let mut newest = self.heartbeat.lock().unwrap_or_else(PoisonError::into_inner);
        match &*newest {
            Some((seq, frame)) if *seq == cursor.seq => Arc::clone(frame),
            _ => {
                let frame = Frame::server(&ServerFrame::Heartbeat { cursor });
                *newest = Some((cursor.seq, Arc::clone(&frame)));
                frame
            }
        }
    }

    /// Position of the newest ephemeral frame.
    pub(crate) fn ephemeral_head(&self) -> u64 {
        self.ephemeral.head()
    }

    /// The ephemeral frames after `seen` that a person may get, and the new position. `None`: they
    /// missed some and must be told everybody's presence.
    pub(crate) fn ephemeral_after(&self, viewer: &Viewer, seen: u64) -> (u64, Option<Vec<Arc<Frame>>>) {
        heard(viewer, |show| self.ephemeral.read(seen, show))
    }

    /// Where a person goes on who was told the position `seen`, perhaps by another node, and what
    /// they may not know. `None`: they must be told everybody's presence.
    pub(crate) fn ephemeral_resume(&self, viewer: &Viewer, seen: u64) -> (u64, Option<Vec<Arc<Frame>>>) {
        heard(viewer, |show| self.ephemeral.resume(seen, show))
    }

    /// Somebody is writing in a room.
    pub(crate) fn typing(&self, user: UserId, room: RoomId) {
        let frame = Frame::server(&ServerFrame::Typing { room, user });
        self.ephemeral.push(Passing { room: Some(room), from: Some(user), frame }, now());
        self.state().wake(Audience::Room(room));
    }

    /// Somebody says how they are on one of their devices. Told with other changes at the next tick.
    pub(crate) fn declare(&self, user: UserId, credential: Credential, state: PresenceState) {
        let mut hub = self.state();
        if let Some(person) = hub.people.get_mut(&user) {
            person.devices.declare(credential, state);
            let level = person.devices.standing();
            hub.roster.set_own(user, level);
        }
    }

    /// A session or token has ended.
    pub(crate) fn revoked(&self, user: UserId, credential: Credential) {
        self.state().end(user, ByeReason::SignedOut, |held| held == credential);
    }

    /// An account was deactivated.
    pub(crate) fn deactivated(&self, user: UserId) {
        self.state().end(user, ByeReason::Deactivated, |_| true);
    }

    /// Of these people, or of all who are connected, the sessions and tokens that have open
    /// connections and no longer count.
    pub(crate) async fn ended(
        &self,
        users: Option<&HashSet<UserId>>,
    ) -> Result<Vec<(UserId, Credential)>, Error> {
        // What is held is noted before the database is asked: who comes in after that is let in by
        // what the database said later.
        let held = self.held(users);
        let users: Vec<UserId> =
            held.iter().map(|(user, _)| *user).collect::<HashSet<_>>().into_iter().collect();
        let mut alive = HashSet::new();
        for some in users.chunks(limits::RECHECK_PEOPLE) {
            alive.extend(self.store.alive(some).await?);
        }
        Ok(held.into_iter().filter(|pair| !alive.contains(pair)).collect())
    }

    fn held(&self, users: Option<&HashSet<UserId>>) -> HashSet<(UserId, Credential)> {
        let mut state = self.state();
        state.stirred += 1;
        match users {
            Some(users) => {
                users.iter().filter_map(|user| state.people.get(user)).flat_map(Person::held).collect()
            }
            None => state.people.values().flat_map(Person::held).collect(),
        }
    }

    /// These accounts have changed: who they are is read anew, and what was read until now does not count.
    fn unrecognize<'u>(&self, users: impl IntoIterator<Item = &'u UserId>) {
        let mut state = self.state();
        state.stirred += 1;
        users.into_iter().for_each(|user| state.unrecognize(*user, |_| true));
    }

    /// Another node says how people are there.
    pub(crate) fn hear(&self, node: Uuid, people: &[Standing]) {
        let now = Instant::now();
        let mut state = self.state();
        for standing in people {
            state.roster.hear(node, standing.user, Level::new(standing.state, standing.live), now);
        }
    }

    /// Whether the other nodes can be heard. What they said of their people does not wear off while
    /// they cannot: that nothing is heard of them then says nothing about them.
    pub(crate) fn hears_others(&self, hears: bool) {
        let mut state = self.state();
        state.deaf = !hears;
        if hears {
            state.roster.renew(Instant::now());
        }
    }

    /// How the people are who are with this node.
    pub(crate) fn standings(&self) -> Vec<Standing> {
        self.state().roster.own().map(|(user, level)| standing(user, level)).collect()
    }

    /// The log's reader should look at the database now.
    pub(crate) fn look(&self) {
        self.look.notify_one();
    }

    /// Ends every connection, each with its own time to come back, and lets no other in.
    pub(crate) fn drain(&self) {
        let mut state = self.state();
        state.draining = true;
        let connections = state.connections;
        for session in state.people.values().flat_map(|person| &person.sessions) {
            session.end(going_away(connections));
        }
    }

    /// Whether the server is about to stop.
    pub(crate) fn is_draining(&self) -> bool {
        self.state().draining
    }

    /// Whose memberships have changed, if they are here.
    fn viewer(&self, user: UserId) -> Option<Arc<Viewer>> {
        let mut state = self.state();
        state.stirred += 1;
        state.people.get(&user).map(|person| Arc::clone(&person.viewer))
    }

    /// Makes new events visible, then wakes whom they concern; returns those to [`Hub::deliver`] to.
    fn publish(&self, entries: &[Arc<Entry>]) -> Direct {
        // Not left to the first reader, who holds the ring meanwhile.
        if self.state().streams > 0 {
            for entry in entries {
                entry.frame_for_streams();
            }
        }
        self.ring.push(entries.iter().cloned());
        let head = self.ring.head();
        self.visible.send_replace(head);
        let mut state = self.state();
        let memberships = self.memberships.load(Ordering::Acquire);
        let is_as_indexed =
            entries.iter().all(|entry| entry.is_for_members() && entry.seq > state.newest_joined);
        let listening: Vec<_> = entries.iter().map(|entry| state.listening(entry.audience)).collect();
        drop(state);
        // Who reads for themselves gets a text as it is after the last of these events.
        let is_direct =
            entries.len() <= limits::DIRECT_EVENTS && entries.iter().all(|entry| entry.rewrites.is_none());
        let most = if is_direct { limits::DIRECT_CONNECTIONS } else { 0 };
        let direct = Direct { whom: Whom::of(listening, head, most), memberships, is_as_indexed };
        for user in entries.iter().filter_map(|entry| entry.deactivated) {
            self.deactivated(user);
        }
        direct
    }

    /// Writes to these connections what is new, or wakes those that are not idle. No lock of the hub is held.
    async fn deliver(&self, entries: &[Arc<Entry>], direct: &Direct) {
        let connections = direct.whom.len();
        for next in (0..connections).step_by(limits::DIRECT_AHEAD) {
            if next > 0 && next.is_multiple_of(limits::DIRECT_STRETCH) {
                tokio::task::yield_now().await;
            }
            self.deliver_to(entries, direct, next..connections.min(next + limits::DIRECT_AHEAD));
        }
    }

    /// The same to a few of them. All are found before the first is written to: each lies somewhere else, and the
    /// processor fetches several places in the time of one, but none while it is in the kernel.
    fn deliver_to(&self, entries: &[Arc<Entry>], direct: &Direct, few: Range<usize>) {
        let mut found = [const { None }; limits::DIRECT_AHEAD];
        for (place, index) in found.iter_mut().zip(few) {
            *place = direct.whom.get(index).map(|(session, theirs)| (session, theirs, session.socket()));
        }
        for (session, theirs, socket) in found.iter().flatten() {
            let is_as_indexed =
                direct.is_as_indexed && self.memberships.load(Ordering::Acquire) == direct.memberships;
            let is_written = |socket| session.deliver(socket, entries, *theirs, is_as_indexed);
            if !socket.as_ref().is_some_and(is_written) {
                session.wake();
            }
        }
    }

    /// Tells changes of presence, and forgets people who are gone. Returns whose standing with this
    /// node has changed.
    fn tick(&self) -> Vec<Standing> {
        let mut state = self.state();
        let news = state.sweep(Instant::now());
        let changes = state.roster.news();
        if !changes.is_empty() {
            for frame in everybody::encoded(&changes, false) {
                self.ephemeral.push(Passing { room: None, from: None, frame }, now());
            }
            state.wake(Audience::Everyone);
        }
        news
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Connections that new events are written to directly, with those that concern them.
struct Direct {
    whom: Whom,
    /// [`Hub::memberships`] when they were found.
    memberships: u64,
    /// For as long as nobody's memberships are read anew, who was found by their rooms may see what they
    /// were found for.
    is_as_indexed: bool,
}

/// A connection's place in the hub, given up when dropped.
#[derive(Debug)]
pub(crate) struct Registration {
    hub: Arc<Hub>,
    session: Arc<Session>,
}

impl Registration {
    /// The connection.
    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// The hub it is registered with.
    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.hub.state().leave(&self.session);
    }
}

/// What of the ephemeral frames that are shown a person may get; `None`: some were missed.
fn heard(
    viewer: &Viewer,
    read: impl FnOnce(&mut dyn FnMut(&Passing)) -> (u64, bool),
) -> (u64, Option<Vec<Arc<Frame>>>) {
    let mut frames = Vec::new();
    let (seen, missed) = read(&mut |passing| {
        if viewer.hears(passing) {
            frames.push(Arc::clone(&passing.frame));
        }
    });
    (seen, (!missed).then_some(frames))
}

/// Time since 1970 by this machine's clock.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
pub(crate) mod tests;
