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
mod roster;
mod session;
mod tail;
mod viewer;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::RngExt as _;
use switchback_core::wire::node::Standing;
use switchback_core::wire::{ByeReason, PresenceChange, PresenceState, ServerFrame, Transport};
use switchback_core::{Cursor, Epoch, RoomId, Seq, SessionId, UserId};
use switchback_storage::{Audience, Credential, Error, Membership, Store};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, MissedTickBehavior};
use uuid::Uuid;

pub(crate) use known::Known;
pub(crate) use lane::{Lent, Rest};
pub(crate) use session::{Goodbye, Session};
pub(crate) use tail::{Neighbours, Rung, Tail};
pub(crate) use viewer::Viewer;

use crate::limits;
use crate::log::{Entry, Frame, Ring};
use ephemeral::{Ephemeral, Passing};
use everybody::Everybody;
use heartbeat::Wheel;
use ids::{IdMap, IdSet};
use presence::{Devices, Level};
use roster::Roster;

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
    /// The newest heartbeat, by the position that it tells: most connections stand at the same.
    heartbeat: Mutex<Option<(Seq, Arc<Frame>)>>,
}

#[derive(Debug, Default)]
struct State {
    people: IdMap<UserId, Person>,
    rooms: IdMap<RoomId, IdSet<UserId>>,
    wheel: Wheel,
    roster: Roster,
    /// The bus is away.
    deaf: bool,
    connections: usize,
    draining: bool,
    /// See [`Hub::stirred`].
    stirred: u64,
}

#[derive(Debug)]
struct Person {
    viewer: Arc<Viewer>,
    sessions: Vec<Arc<Session>>,
    devices: Devices,
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
        Self { store, ring, ephemeral, everybody, state, visible, look, heartbeat }
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
        let (session, stirred) = self.register(user, credential, transport).map_err(NotConnected::Refused)?;
        // Dropped on every way out from here.
        let registration = Registration { hub: Arc::clone(self), session };
        let (as_of, memberships) = match known.filter(|known| known.still_holds(stirred)) {
            Some(known) => (known.as_of, known.memberships),
            None => match self.store.entering(user, credential).await? {
                Some(read) => read,
                None => return Err(NotConnected::Refused(Goodbye::forever(ByeReason::SignedOut))),
            },
        };
        self.install(&registration.session.viewer, as_of, &memberships);
        self.caught_up(as_of).await;
        Ok(registration)
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

    fn register(
        &self,
        user: UserId,
        credential: Credential,
        transport: Transport,
    ) -> Result<(Arc<Session>, u64), Goodbye> {
        let mut state = self.state();
        if state.draining {
            return Err(going_away(state.connections));
        }
        let beat = state.wheel.slot();
        let person = state.people.entry(user).or_insert_with(|| Person {
            viewer: Arc::new(Viewer::new(user)),
            sessions: Vec::new(),
            devices: Devices::default(),
        });
        if person.sessions.len() >= limits::SESSIONS_PER_USER {
            return Err(Goodbye::forever(ByeReason::TooManyConnections));
        }
        let id = SessionId::from_uuid(Uuid::now_v7());
        let session = Arc::new(Session::new(id, credential, transport, Arc::clone(&person.viewer), beat));
        person.sessions.push(Arc::clone(&session));
        person.devices.connected(credential);
        let level = person.devices.standing();
        state.roster.set_own(user, level);
        state.connections += 1;
        // A batch has an end of its own.
        if transport != Transport::Batch {
            state.wheel.add(&session);
        }
        Ok((session, state.stirred))
    }

    fn leave(&self, session: &Arc<Session>) {
        let mut state = self.state();
        if let Some(person) = state.people.get_mut(&session.viewer.user) {
            person.sessions.retain(|other| !Arc::ptr_eq(other, session));
            person.devices.disconnected(session.credential, Instant::now());
            let level = person.devices.standing();
            state.roster.set_own(session.viewer.user, level);
            state.connections = state.connections.saturating_sub(1);
        }
        state.wheel.remove(session);
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
        self.end(user, ByeReason::SignedOut, |session| session.credential == credential);
    }

    /// An account was deactivated.
    pub(crate) fn deactivated(&self, user: UserId) {
        self.end(user, ByeReason::Deactivated, |_| true);
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

    fn end(&self, user: UserId, reason: ByeReason, which: impl Fn(&Session) -> bool) {
        let mut state = self.state();
        state.stirred += 1;
        if let Some(person) = state.people.get(&user) {
            let ending = person.sessions.iter().filter(|session| which(session));
            ending.for_each(|session| session.end(Goodbye::forever(reason)));
        }
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
    fn publish(&self, entries: &[Arc<Entry>]) -> Vec<Arc<Session>> {
        self.ring.push(entries.iter().cloned());
        self.visible.send_replace(self.ring.head());
        let mut direct = Vec::new();
        // Who reads for themselves gets a text as it is after the last of these events.
        let is_direct =
            entries.len() <= limits::DIRECT_EVENTS && entries.iter().all(|entry| entry.rewrites.is_none());
        let most = if is_direct { limits::DIRECT_CONNECTIONS } else { 0 };
        let head = self.ring.head();
        let state = self.state();
        for entry in entries {
            state.each(entry.audience, |session| {
                if direct.len() >= most {
                    session.wake();
                } else if session.is_first_asked(head) {
                    direct.push(Arc::clone(session));
                }
            });
        }
        drop(state);
        for user in entries.iter().filter_map(|entry| entry.deactivated) {
            self.end(user, ByeReason::Deactivated, |_| true);
        }
        direct
    }

    /// Writes to these connections what is new, or wakes those that are not idle. No lock of the hub is held.
    async fn deliver(&self, entries: &[Arc<Entry>], sessions: &[Arc<Session>]) {
        for stretch in sessions.chunks(limits::DIRECT_STRETCH) {
            for session in stretch {
                if !session.deliver(entries) {
                    session.wake();
                }
            }
            if stretch.len() == limits::DIRECT_STRETCH {
                tokio::task::yield_now().await;
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

impl State {
    /// Looks whose grace is over and who is as they were not when the others were last told.
    fn sweep(&mut self, now: Instant) -> Vec<Standing> {
        let mut gone = Vec::new();
        for (user, person) in &mut self.people {
            person.devices.sweep(now, limits::OFFLINE_AFTER);
            self.roster.set_own(*user, person.devices.standing());
            if person.sessions.is_empty() && person.devices.is_empty() {
                gone.push(*user);
            }
        }
        if !self.deaf {
            self.roster.sweep(now, limits::BUS_STANDING_KEPT);
        }
        let news = self.roster.own_news().map(|(user, level)| standing(user, level)).collect();
        for user in gone {
            self.forget(user);
        }
        news
    }

    fn wake(&self, audience: Audience) {
        self.each(audience, |session| session.wake());
    }

    /// Every connection of those whom an event is for.
    fn each(&self, audience: Audience, mut visit: impl FnMut(&Arc<Session>)) {
        let mut person = |person: &Person| person.sessions.iter().for_each(&mut visit);
        match audience {
            Audience::Everyone => self.people.values().for_each(person),
            Audience::Room(room) => self.members(room).for_each(person),
            Audience::RoomAnd(room, user) => {
                self.members(room).for_each(&mut person);
                self.people.get(&user).into_iter().for_each(person);
            }
            Audience::User(user) => self.people.get(&user).into_iter().for_each(person),
        }
    }

    fn members(&self, room: RoomId) -> impl Iterator<Item = &Person> {
        let members = self.rooms.get(&room).into_iter().flatten();
        members.filter_map(|user| self.people.get(user))
    }

    fn index(&mut self, user: UserId, change: viewer::MembershipChange) {
        // Forgotten in the meantime: the next connection loads anew.
        if !self.people.contains_key(&user) {
            return;
        }
        for room in change.added {
            self.rooms.entry(room).or_default().insert(user);
        }
        for room in change.removed {
            self.unindex(user, room);
        }
    }

    fn unindex(&mut self, user: UserId, room: RoomId) {
        if let Some(members) = self.rooms.get_mut(&room) {
            members.remove(&user);
            if members.is_empty() {
                self.rooms.remove(&room);
            }
        }
    }

    fn forget(&mut self, user: UserId) {
        if let Some(person) = self.people.remove(&user) {
            for room in person.viewer.rooms() {
                self.unindex(user, room);
            }
        }
    }
}

impl Person {
    /// By what their connections were let in.
    fn held(&self) -> impl Iterator<Item = (UserId, Credential)> + '_ {
        self.sessions.iter().map(|session| (self.viewer.user, session.credential))
    }
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
        self.hub.leave(&self.session);
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

fn standing(user: UserId, level: Level) -> Standing {
    Standing { user, state: level.state(), live: level.is_live() }
}

/// Time since 1970 by this machine's clock.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Each is given a time of its own to come back, spread over longer the more there are.
fn going_away(connections: usize) -> Goodbye {
    let connections = u64::try_from(connections).unwrap_or(u64::MAX);
    let spread =
        connections.saturating_mul(limits::BYE_RETRY_PER_SESSION_MS).max(limits::BYE_RETRY_SPREAD_MS);
    let latest = (limits::BYE_RETRY_MIN_MS + spread).min(limits::BYE_RETRY_MAX_MS);
    let retry_ms = rand::rng().random_range(limits::BYE_RETRY_MIN_MS..=latest);
    Goodbye { reason: ByeReason::GoingAway, retry_ms: Some(retry_ms) }
}
