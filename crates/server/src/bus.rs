//! What open connections must hear at once and the log does not tell: typing, presence, revocation.
//!
//! With one node the way is short: a signal is a call to the hub, so a revocation has taken effect
//! when `publish` returns. Nothing here is durable, and nothing needs to be: the database is the
//! truth, a connection is checked against it when it is opened.

use std::sync::Arc;

use switchback_core::wire::{PresenceChange, PresenceState};
use switchback_core::{RoomId, UserId};
use switchback_storage::Credential;

use crate::hub::Hub;

/// Something that open connections must hear.
#[derive(Debug, Clone)]
pub(crate) enum Signal {
    /// Somebody is writing.
    Typing {
        /// Who.
        user: UserId,
        /// Where; membership was checked.
        room: RoomId,
    },
    /// Somebody says how they are on one of their devices.
    Presence {
        /// Who.
        user: UserId,
        /// On which device.
        credential: Credential,
        /// How.
        state: PresenceState,
    },
    /// A session or token was ended.
    Revoked {
        /// Whose.
        user: UserId,
        /// Which.
        credential: Credential,
    },
    /// Of all this person's sessions and tokens only these are left.
    Remaining {
        /// Whose.
        user: UserId,
        /// Which still count.
        credentials: Vec<Credential>,
    },
    /// An account was deactivated.
    Deactivated {
        /// Whose.
        user: UserId,
    },
}

/// The way to every open connection.
#[derive(Clone)]
pub(crate) struct Bus {
    hub: Arc<Hub>,
}

impl Bus {
    /// Within one process.
    pub(crate) fn in_process(hub: Arc<Hub>) -> Self {
        Self { hub }
    }

    /// Tells every open connection that the signal concerns.
    pub(crate) fn publish(&self, signal: Signal) {
        self.hub.receive(signal);
    }

    /// Everybody who is not offline.
    pub(crate) fn presence(&self) -> Vec<PresenceChange> {
        self.hub.presence()
    }

    /// Whether somebody with a live connection is in this room. `false` may also mean: not known
    /// here.
    pub(crate) fn is_member(&self, user: UserId, room: RoomId) -> bool {
        self.hub.is_member(user, room)
    }
}
