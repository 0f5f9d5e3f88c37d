//! What the hub holds under its lock: who is here, in which rooms, by which connections.

use std::sync::Arc;

use switchback_core::wire::node::Standing;
use switchback_core::wire::{ByeReason, Transport};
use switchback_core::{RoomId, Seq, SessionId, UserId};
use switchback_storage::{Audience, Credential, SecretHash};
use tokio::time::Instant;
use uuid::Uuid;

use super::heartbeat::Wheel;
use super::ids::{IdMap, IdSet};
use super::presence::{Devices, Level};
use super::recognized::{Recognitions, Recognized};
use super::roster::Roster;
use super::session::{Goodbye, Session, going_away};
use super::viewer::{MembershipChange, Viewer};
use crate::limits;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) people: IdMap<UserId, Person>,
    rooms: IdMap<RoomId, Room>,
    recognitions: Recognitions,
    /// Who has closed the last connection of a device, until it is forgotten.
    leaving: IdSet<UserId>,
    /// Before this, none of them has been gone for long enough.
    forget_at: Option<Instant>,
    /// The newest beginning of a membership that anybody here has.
    pub(super) newest_joined: Seq,
    pub(super) wheel: Wheel,
    pub(super) roster: Roster,
    /// The bus is away.
    pub(super) deaf: bool,
    pub(super) connections: usize,
    /// Those of them that are event streams or batches.
    pub(super) streams: usize,
    pub(super) draining: bool,
    /// See [`super::Hub::stirred`].
    pub(super) stirred: u64,
}

#[derive(Debug)]
pub(super) struct Person {
    pub(super) viewer: Arc<Viewer>,
    pub(super) sessions: Vec<Arc<Session>>,
    pub(super) devices: Devices,
}

/// Who of a room is here.
#[derive(Debug, Default)]
struct Room {
    members: IdSet<UserId>,
    /// Their connections, as long as none has come or gone: found through its members, each of thousands is
    /// four places in memory away.
    connections: Option<Connections>,
}

/// Connections that an event is for, each once.
pub(super) type Connections = Arc<[Arc<Session>]>;

impl State {
    /// A place for a connection that comes.
    pub(super) fn register(
        &mut self,
        user: UserId,
        credential: Credential,
        transport: Transport,
    ) -> Result<Arc<Session>, Goodbye> {
        if self.draining {
            return Err(going_away(self.connections));
        }
        let beat = self.wheel.slot();
        let person = self.people.entry(user).or_insert_with(|| Person {
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
        let rooms = person.viewer.rooms();
        self.changed(rooms);
        self.roster.set_own(user, level);
        self.connections += 1;
        self.streams += usize::from(transport != Transport::Websocket);
        // A batch has an end of its own.
        if transport != Transport::Batch {
            self.wheel.add(&session);
        }
        Ok(session)
    }

    pub(super) fn leave(&mut self, session: &Arc<Session>) {
        let user = session.viewer.user;
        if let Some(person) = self.people.get_mut(&user) {
            person.sessions.retain(|other| !Arc::ptr_eq(other, session));
            let now = Instant::now();
            person.devices.disconnected(session.credential, now);
            self.leaving.insert(user);
            self.forget_at.get_or_insert(now + limits::OFFLINE_AFTER);
            self.roster.set_own(user, person.devices.standing());
            self.connections = self.connections.saturating_sub(1);
            let is_stream = session.transport != Transport::Websocket;
            self.streams = self.streams.saturating_sub(is_stream.into());
            let rooms = person.viewer.rooms();
            self.changed(rooms);
        }
        self.wheel.remove(session);
    }

    /// Keeps who was let in.
    pub(super) fn remember(&mut self, recognized: &Arc<Recognized>) {
        let person = self.people.get_mut(&recognized.identity.user.id);
        if person.is_some_and(|person| person.devices.recognize(recognized)) {
            self.recognitions.insert(Arc::clone(recognized));
        }
    }

    /// Whose secret this is, if they were let in by it lately and what the hub was told since leaves it so.
    pub(super) fn recognize(&self, secret: &SecretHash) -> Option<&Arc<Recognized>> {
        self.recognitions.find(secret)
    }

    /// Forgets by what somebody was let in, where `which` says so.
    pub(super) fn unrecognize(&mut self, user: UserId, which: impl Fn(Credential) -> bool) {
        let devices = self.people.get_mut(&user).map(|person| &mut person.devices);
        for recognized in devices.into_iter().flat_map(|devices| devices.unrecognize(&which)) {
            self.recognitions.remove(&recognized);
        }
    }

    /// Ends connections of somebody, by their credentials.
    pub(super) fn end(&mut self, user: UserId, reason: ByeReason, which: impl Fn(Credential) -> bool) {
        self.stirred += 1;
        if let Some(person) = self.people.get(&user) {
            let ending = person.sessions.iter().filter(|session| which(session.credential));
            ending.for_each(|session| session.end(Goodbye::forever(reason)));
        }
        self.unrecognize(user, which);
    }

    /// Looks whose grace is over and who is as they were not when the others were last told.
    pub(super) fn sweep(&mut self, now: Instant) -> Vec<Standing> {
        if self.forget_at.is_some_and(|at| now >= at) {
            self.forget_who_left(now);
        }
        if !self.deaf {
            self.roster.sweep(now, limits::BUS_STANDING_KEPT);
        }
        self.roster.own_news().map(|(user, level)| standing(user, level)).collect()
    }

    fn forget_who_left(&mut self, now: Instant) {
        let (mut gone, mut first) = (Vec::new(), None::<Instant>);
        self.leaving.retain(|user| {
            let Some(person) = self.people.get_mut(user) else { return false };
            let forgotten = person.devices.sweep(now, limits::OFFLINE_AFTER);
            for recognized in &forgotten {
                self.recognitions.remove(recognized);
            }
            self.roster.set_own(*user, person.devices.standing());
            if person.sessions.is_empty() && person.devices.is_empty() {
                gone.push(*user);
            }
            let gone_at = person.devices.gone_at();
            first = first.into_iter().chain(gone_at).min();
            gone_at.is_some()
        });
        self.forget_at = first.map(|at| at + limits::OFFLINE_AFTER);
        for user in gone {
            self.forget(user);
        }
    }

    pub(super) fn wake(&self, audience: Audience) {
        self.each(audience, |session| session.wake());
    }

    /// Every connection of those whom an event is for.
    pub(super) fn listening(&mut self, audience: Audience) -> Connections {
        let Audience::Room(room) = audience else {
            let mut all = Vec::new();
            self.each(audience, |session| all.push(Arc::clone(session)));
            return all.into();
        };
        let known = self.rooms.get(&room).and_then(|room| room.connections.as_ref());
        if let Some(connections) = known {
            return Arc::clone(connections);
        }
        let found: Connections =
            self.members(room).flat_map(|person| &person.sessions).map(Arc::clone).collect();
        if let Some(room) = self.rooms.get_mut(&room) {
            room.connections = Some(Arc::clone(&found));
        }
        found
    }

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
        let members = self.rooms.get(&room).into_iter().flat_map(|room| &room.members);
        members.filter_map(|user| self.people.get(user))
    }

    /// A connection of somebody in these rooms has come or gone.
    fn changed(&mut self, rooms: impl IntoIterator<Item = RoomId>) {
        for room in rooms {
            if let Some(room) = self.rooms.get_mut(&room) {
                room.connections = None;
            }
        }
    }

    pub(super) fn index(&mut self, user: UserId, change: MembershipChange) {
        // Forgotten in the meantime: the next connection loads anew.
        if !self.people.contains_key(&user) {
            return;
        }
        for room in change.added {
            let room = self.rooms.entry(room).or_default();
            room.members.insert(user);
            room.connections = None;
        }
        for room in change.removed {
            self.unindex(user, room);
        }
    }

    fn unindex(&mut self, user: UserId, room: RoomId) {
        if let Some(here) = self.rooms.get_mut(&room) {
            here.members.remove(&user);
            here.connections = None;
            if here.members.is_empty() {
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
    /// By what their connections were let in, and by what they would be let in again unasked.
    pub(super) fn held(&self) -> impl Iterator<Item = (UserId, Credential)> + '_ {
        self.devices.held().map(|credential| (self.viewer.user, credential))
    }
}

pub(super) fn standing(user: UserId, level: Level) -> Standing {
    Standing { user, state: level.state(), live: level.is_live() }
}
