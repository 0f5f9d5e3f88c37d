//! One person with live connections: what they may see, as of the newest event in memory.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use switchback_core::{RoomId, Seq, UserId};
use switchback_storage::{Audience, Membership};

use super::ephemeral::Passing;
use super::ids::IdMap;
use crate::log::{Entry, Frame};

/// Shared by all connections of one person. Who may see an event is decided here, when it is
/// delivered.
#[derive(Debug)]
pub(crate) struct Viewer {
    /// Who.
    pub user: UserId,
    rooms: RwLock<Rooms>,
}

#[derive(Debug, Default)]
struct Rooms {
    /// Room and the first event of it that they may see.
    joined: IdMap<RoomId, Seq>,
    /// The log's position at which `joined` was read.
    as_of: Seq,
}

impl Viewer {
    pub(super) fn new(user: UserId) -> Self {
        Self { user, rooms: RwLock::default() }
    }

    /// Takes memberships read at `as_of`, unless newer ones are known. Returns what changed.
    pub(super) fn install(&self, as_of: Seq, memberships: &[Membership]) -> MembershipChange {
        let mut rooms = self.rooms.write().unwrap_or_else(PoisonError::into_inner);
        if as_of < rooms.as_of {
            return MembershipChange::default();
        }
        let joined: IdMap<_, _> = memberships.iter().map(|member| (member.room, member.joined_seq)).collect();
        let added = joined.keys().filter(|room| !rooms.joined.contains_key(room)).copied().collect();
        let removed = rooms.joined.keys().filter(|room| !joined.contains_key(room)).copied().collect();
        *rooms = Rooms { joined, as_of };
        MembershipChange { added, removed }
    }

    pub(super) fn rooms(&self) -> Vec<RoomId> {
        self.read().joined.keys().copied().collect()
    }

    /// Whether they are in this room.
    pub(crate) fn is_member(&self, room: RoomId) -> bool {
        self.read().joined.contains_key(&room)
    }

    /// What they may see, held still for a moment.
    pub(crate) fn sight(&self) -> Sight<'_> {
        Sight { user: self.user, rooms: self.read() }
    }

    /// Whether an ephemeral frame is for them.
    pub(super) fn hears(&self, passing: &Passing) -> bool {
        passing.from != Some(self.user) && passing.room.is_none_or(|room| self.is_member(room))
    }

    fn read(&self) -> RwLockReadGuard<'_, Rooms> {
        self.rooms.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What somebody may see, for one look at many events.
pub(crate) struct Sight<'v> {
    user: UserId,
    rooms: RwLockReadGuard<'v, Rooms>,
}

impl Sight<'_> {
    /// Whether they get something of the event at this position.
    pub(crate) fn sees(&self, seq: Seq, audience: Audience) -> bool {
        let is_in = |room| self.rooms.joined.get(&room).is_some_and(|joined_seq| *joined_seq <= seq);
        match audience {
            Audience::Everyone => true,
            Audience::Room(room) => is_in(room),
            Audience::RoomAnd(room, user) => user == self.user || is_in(room),
            Audience::User(user) => user == self.user,
        }
    }

    /// What they get of an event that they see.
    pub(crate) fn frame<'e>(&self, entry: &'e Entry) -> &'e Arc<Frame> {
        match (&entry.veiled, entry.audience) {
            (Some(veiled), Audience::RoomAnd(room, user))
                if user == self.user && !self.rooms.joined.contains_key(&room) =>
            {
                veiled
            }
            _ => &entry.frame,
        }
    }
}

/// Rooms somebody is now in, and no longer in.
#[derive(Debug, Default)]
pub(super) struct MembershipChange {
    pub(super) added: Vec<RoomId>,
    pub(super) removed: Vec<RoomId>,
}
