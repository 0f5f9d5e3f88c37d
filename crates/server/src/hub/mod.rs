//! Who is listening. The hub knows every live connection by its person, and every person by their
//! rooms; after a commit it wakes those whom the new events concern.
//!
//! It never holds what a connection has not read yet: a connection is a cursor, and reads for
//! itself from the [`Ring`]. A wake-up says only that there may be something.
//!
//! Locks are held for an instant and never across an `await`. Order, where two are held: `State`,
//! then a viewer's rooms.

mod ephemeral;
mod presence;
mod session;
mod tail;
mod viewer;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rand::RngExt as _;
use switchback_core::wire::{ByeReason, PresenceChange, PresenceState, ServerFrame, Transport};
use switchback_core::{Epoch, RoomId, Seq, SessionId, UserId};
use switchback_storage::{Audience, Credential, Error, Store};
use tokio::sync::watch;
use uuid::Uuid;

pub(crate) use session::{Goodbye, Session};
pub(crate) use tail::Tail;
pub(crate) use viewer::Viewer;

use crate::bus::Signal;
use crate::limits;
use crate::log::{Entry, Frame, Ring};
use ephemeral::{Ephemeral, Passing};
use presence::Devices;

/// All live connections of this node.
#[derive(Debug)]
pub(crate) struct Hub {
    store: Store,
    ring: Ring,
    ephemeral: Ephemeral,
    state: Mutex<State>,
    /// The ring's head, for those who wait for it.
    visible: watch::Sender<Seq>,
}

#[derive(Debug, Default)]
struct State {
    people: HashMap<UserId, Person>,
    rooms: HashMap<RoomId, HashSet<UserId>>,
    connections: usize,
    draining: bool,
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
    /// A hub that goes on after `head` of this store's log.
    pub(crate) fn new(store: Store, head: Seq, ring_events: usize) -> Self {
        let ring = Ring::new(head, ring_events, limits::RING_BYTES);
        // Clients hand back positions of before a restart: a random start tells them apart.
        let ephemeral = Ephemeral::new(u64::from(rand::rng().random::<u32>()));
        Self { store, ring, ephemeral, state: Mutex::default(), visible: watch::Sender::new(head) }
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

    /// Lets a connection in: registered first, then its memberships and its credential are read,
    /// so that nothing that happens in between is missed.
    pub(crate) async fn connect(
        self: &Arc<Self>,
        user: UserId,
        credential: Credential,
        transport: Transport,
    ) -> Result<Registration, NotConnected> {
        let session = self.register(user, credential, transport).map_err(NotConnected::Refused)?;
        // Dropped on every way out from here.
        let registration = Registration { hub: Arc::clone(self), session };
        let viewer = &registration.session.viewer;
        viewer.loaded.get_or_try_init(|| self.load(viewer)).await?;
        if !self.store.credentials(user).await?.contains(&credential) {
            return Err(NotConnected::Refused(Goodbye::forever(ByeReason::SignedOut)));
        }
        self.caught_up().await;
        Ok(registration)
    }

    /// Until what this process has acknowledged is visible: who connects after an answer finds it.
    async fn caught_up(&self) {
        let committed = *self.store.doorbell().borrow();
        let visible = async { self.visible.subscribe().wait_for(|head| *head >= committed).await.is_ok() };
        if tokio::time::timeout(limits::HEAD_POLL, visible).await.is_err() {
            tracing::warn!("the log cannot be followed right now: a connection starts behind it");
        }
    }

    fn register(
        &self,
        user: UserId,
        credential: Credential,
        transport: Transport,
    ) -> Result<Arc<Session>, Goodbye> {
        let mut state = self.state();
        if state.draining {
            return Err(going_away(state.connections));
        }
        let person = state.people.entry(user).or_insert_with(|| Person {
            viewer: Arc::new(Viewer::new(user)),
            sessions: Vec::new(),
            devices: Devices::default(),
        });
        if person.sessions.len() >= limits::SESSIONS_PER_USER {
            return Err(Goodbye::forever(ByeReason::TooManyConnections));
        }
        let id = SessionId::from_uuid(Uuid::now_v7());
        let session = Arc::new(Session::new(id, credential, transport, Arc::clone(&person.viewer)));
        person.sessions.push(Arc::clone(&session));
        person.devices.connected(credential);
        state.connections += 1;
        Ok(session)
    }

    fn leave(&self, session: &Arc<Session>) {
        let mut state = self.state();
        if let Some(person) = state.people.get_mut(&session.viewer.user) {
            person.sessions.retain(|other| !Arc::ptr_eq(other, session));
            person.devices.disconnected(session.credential, Instant::now());
            state.connections = state.connections.saturating_sub(1);
        }
    }

    /// Reads what a person may see, and indexes them by their rooms.
    async fn load(&self, viewer: &Viewer) -> Result<(), Error> {
        let (as_of, memberships) = self.store.memberships(viewer.user).await?;
        let mut state = self.state();
        let change = viewer.install(as_of, &memberships);
        state.index(viewer.user, change);
        Ok(())
    }

    /// Whether somebody with a live connection is in this room. `false` may also mean: not known.
    pub(crate) fn is_member(&self, user: UserId, room: RoomId) -> bool {
        self.state().people.get(&user).is_some_and(|person| person.viewer.is_member(room))
    }

    /// Whether somebody has a live connection.
    pub(crate) fn is_connected(&self, user: UserId) -> bool {
        self.state().people.get(&user).is_some_and(|person| !person.sessions.is_empty())
    }

    /// Everybody who is not offline.
    pub(crate) fn presence(&self) -> Vec<PresenceChange> {
        let state = self.state();
        let people = state.people.iter().map(|(user, person)| (*user, person.devices.state()));
        let present = people.filter(|(_, state)| *state != PresenceState::Offline);
        present.map(|(user, state)| PresenceChange { user, state }).collect()
    }

    /// Live connections now, by transport.
    pub(crate) fn connections(&self) -> HashMap<Transport, usize> {
        let mut count = HashMap::new();
        for session in self.state().people.values().flat_map(|person| &person.sessions) {
            *count.entry(session.transport).or_default() += 1;
        }
        count
    }

    /// Position of the newest ephemeral frame.
    pub(crate) fn ephemeral_head(&self) -> u64 {
        self.ephemeral.head()
    }

    /// The ephemeral frames after `seen` that a person may get, and the new position. `None`: they
    /// missed some and must be told everybody's presence.
    pub(crate) fn ephemeral_after(&self, viewer: &Viewer, seen: u64) -> (u64, Option<Vec<Arc<Frame>>>) {
        let mut frames = Vec::new();
        let (seen, missed) = self.ephemeral.read(seen, |passing| {
            if viewer.hears(passing) {
                frames.push(Arc::clone(&passing.frame));
            }
        });
        (seen, (!missed).then_some(frames))
    }

    /// Takes a signal of the bus.
    pub(crate) fn receive(&self, signal: Signal) {
        match signal {
            Signal::Typing { user, room } => {
                let frame = Frame::server(&ServerFrame::Typing { room, user });
                self.ephemeral.push(Passing { room: Some(room), from: Some(user), frame });
                self.state().wake(Audience::Room(room));
            }
            Signal::Presence { user, credential, state } => {
                // Told with the others at the next tick.
                if let Some(person) = self.state().people.get_mut(&user) {
                    person.devices.declare(credential, state);
                }
            }
            Signal::Revoked { user, credential } => {
                self.end(user, ByeReason::SignedOut, |session| session.credential == credential);
            }
            Signal::Remaining { user, credentials } => {
                self.end(user, ByeReason::SignedOut, |session| !credentials.contains(&session.credential));
            }
            Signal::Deactivated { user } => self.end(user, ByeReason::Deactivated, |_| true),
        }
    }

    fn end(&self, user: UserId, reason: ByeReason, which: impl Fn(&Session) -> bool) {
        if let Some(person) = self.state().people.get(&user) {
            let ending = person.sessions.iter().filter(|session| which(session));
            ending.for_each(|session| session.end(Goodbye::forever(reason)));
        }
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

    /// Makes new events visible, then wakes whom they concern.
    fn publish(&self, entries: &[Arc<Entry>]) {
        self.ring.push(entries.iter().cloned());
        self.visible.send_replace(self.ring.head());
        let state = self.state();
        for entry in entries {
            state.wake(entry.audience);
        }
        drop(state);
        for user in entries.iter().filter_map(|entry| entry.deactivated) {
            self.end(user, ByeReason::Deactivated, |_| true);
        }
    }

    /// Tells changes of presence, and forgets people who are gone.
    fn tick(&self) {
        let mut state = self.state();
        let now = Instant::now();
        let mut changes = Vec::new();
        let mut gone = Vec::new();
        for (user, person) in &mut state.people {
            person.devices.sweep(now, limits::OFFLINE_AFTER);
            changes.extend(person.devices.news().map(|state| PresenceChange { user: *user, state }));
            if person.sessions.is_empty() && person.devices.is_empty() {
                gone.push(*user);
            }
        }
        for user in gone {
            state.forget(user);
        }
        if changes.is_empty() {
            return;
        }
        for changes in changes.chunks(limits::PRESENCE_CHANGES) {
            let frame = Frame::server(&ServerFrame::Presence { full: false, changes: changes.to_vec() });
            self.ephemeral.push(Passing { room: None, from: None, frame });
        }
        state.wake(Audience::Everyone);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wake(&self, audience: Audience) {
        match audience {
            Audience::Everyone => self.people.values().for_each(Person::wake),
            Audience::Room(room) => self.wake_room(room),
            Audience::RoomAnd(room, user) => {
                self.wake_room(room);
                self.wake_user(user);
            }
            Audience::User(user) => self.wake_user(user),
        }
    }

    fn wake_room(&self, room: RoomId) {
        let members = self.rooms.get(&room).into_iter().flatten();
        members.filter_map(|user| self.people.get(user)).for_each(Person::wake);
    }

    fn wake_user(&self, user: UserId) {
        if let Some(person) = self.people.get(&user) {
            person.wake();
        }
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
    fn wake(&self) {
        self.sessions.iter().for_each(|session| session.wake());
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

/// Each is given a time of its own to come back, spread over longer the more there are.
fn going_away(connections: usize) -> Goodbye {
    let connections = u64::try_from(connections).unwrap_or(u64::MAX);
    let spread =
        connections.saturating_mul(limits::BYE_RETRY_PER_SESSION_MS).max(limits::BYE_RETRY_SPREAD_MS);
    let latest = (limits::BYE_RETRY_MIN_MS + spread).min(limits::BYE_RETRY_MAX_MS);
    let retry_ms = rand::rng().random_range(limits::BYE_RETRY_MIN_MS..=latest);
    Goodbye { reason: ByeReason::GoingAway, retry_ms: Some(retry_ms) }
}
