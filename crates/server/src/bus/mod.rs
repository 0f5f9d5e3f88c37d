//! The way to every open connection, on this node and on the others.
//!
//! The bus is a doorbell: the database is the truth, and a signal that is lost or doubled costs
//! latency, never a message. Three homes:
//!
//! * within one process, the hub is called and that is all: what is said has happened on return;
//! * [`postgres`]: `LISTEN`/`NOTIFY` in the database that the nodes share anyway;
//! * [`nats`]: a NATS server, for many nodes or much traffic.
//!
//! For the last two the hub is called just the same, and the [`relay`] tells the other nodes. What is
//! read again from the database at the right moment (sessions, memberships) is not sent: the others
//! hear that they should look. Nobody waits for the bus, and a bus that is away holds nobody up.

mod home;
mod nats;
mod outbox;
mod postgres;
mod recheck;
mod relay;
#[cfg(feature = "simulation")]
mod simulated;
mod status;

use std::collections::HashSet;
use std::sync::Arc;

use switchback_core::wire::node::{Device, NodeFrame, Standing};
use switchback_core::wire::{PresenceChange, PresenceState};
use switchback_core::{RoomId, Seq, UserId};
use switchback_storage::{Credential, Error};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use home::{BadBus, BusHome, NatsAddress};
#[cfg(feature = "simulation")]
pub(crate) use simulated::Doorbells;
pub(crate) use status::{BusStats, Status};

use crate::hub::{Hub, Neighbours, Rung};
use crate::limits;
use crate::log::Entry;
use outbox::{Outbox, Outgoing};
use recheck::Recheck;
use relay::Relay;

/// The way to every open connection. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Bus {
    hub: Arc<Hub>,
    /// To the other nodes, if there can be any.
    outbox: Option<Outbox>,
    status: Arc<Status>,
}

/// What keeps the line to the other nodes open.
pub(crate) enum Lines {
    /// There are none, and nobody else can be there.
    Alone,
    /// There are none, though others may be on the same database.
    Deaf(Recheck),
    Postgres(Relay<postgres::Postgres>),
    Nats(Relay<nats::Nats>),
}

impl Bus {
    /// Within one process.
    pub(crate) fn in_process(hub: Arc<Hub>) -> Self {
        Self { hub, outbox: None, status: Arc::new(Status::in_process()) }
    }

    /// As the operator has chosen; doorbells of other nodes go to `rings`.
    pub(crate) fn new(home: &BusHome, hub: Arc<Hub>, rings: mpsc::Sender<Rung>) -> (Self, Lines) {
        let shared = hub.store().is_shared();
        match home {
            BusHome::Nats(address) => {
                let carrier = nats::Nats::new(address.clone(), hub.epoch());
                let (bus, relay) = Self::with("nats", carrier, hub, rings);
                (bus, Lines::Nats(relay))
            }
            BusHome::Automatic | BusHome::Postgres if shared => {
                let carrier = postgres::Postgres::new(hub.store().clone());
                let (bus, relay) = Self::with("postgres", carrier, hub, rings);
                (bus, Lines::Postgres(relay))
            }
            BusHome::InProcess if shared => {
                let recheck = Recheck::new(Arc::clone(&hub));
                (Self::in_process(hub), Lines::Deaf(recheck))
            }
            BusHome::Automatic | BusHome::Postgres | BusHome::InProcess => {
                (Self::in_process(hub), Lines::Alone)
            }
        }
    }

    fn with<C: relay::Carrier>(
        home: &'static str,
        carrier: C,
        hub: Arc<Hub>,
        rings: mpsc::Sender<Rung>,
    ) -> (Self, Relay<C>) {
        let status = Arc::new(Status::new(home));
        let (outbox, waiting) = Outbox::new(Arc::clone(&status));
        let relay = Relay::new(carrier, Arc::clone(&hub), rings, waiting, Arc::clone(&status));
        (Self { hub, outbox: Some(outbox), status }, relay)
    }

    /// Somebody is writing in a room; membership was checked.
    pub(crate) fn typing(&self, user: UserId, room: RoomId) {
        self.hub.typing(user, room);
        self.tell(NodeFrame::Typing { user, room });
    }

    /// Somebody says how they are on one of their devices.
    pub(crate) fn declare(&self, user: UserId, credential: Credential, state: PresenceState) {
        self.hub.declare(user, credential, state);
        let device = match credential {
            Credential::Session(id) => Device::Session(id),
            Credential::Token(id) => Device::Token(id),
        };
        self.tell(NodeFrame::Declared { user, device, state });
    }

    /// A session or token was ended.
    pub(crate) fn revoked(&self, user: UserId, credential: Credential) {
        self.hub.revoked(user, credential);
        self.tell(NodeFrame::CredentialsEnded { user });
    }

    /// Some of somebody's sessions or tokens were ended: the store knows which.
    pub(crate) async fn credentials_ended(&self, user: UserId) -> Result<(), Error> {
        // The others first: what goes wrong here must not keep it from them.
        self.tell(NodeFrame::CredentialsEnded { user });
        for (user, credential) in self.hub.ended(Some(&HashSet::from([user]))).await? {
            self.hub.revoked(user, credential);
        }
        Ok(())
    }

    /// An account was deactivated.
    pub(crate) fn deactivated(&self, user: UserId) {
        self.hub.deactivated(user);
        self.tell(NodeFrame::Deactivated { user });
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

    /// How the line to the other nodes is.
    pub(crate) fn status(&self) -> &Status {
        &self.status
    }

    fn tell(&self, frame: NodeFrame) {
        if let Some(outbox) = &self.outbox {
            outbox.put(Outgoing::Frame(frame));
        }
    }
}

impl Neighbours for Bus {
    fn ring(&self, head: Seq, events: &[Arc<Entry>]) {
        if let Some(outbox) = &self.outbox {
            // What would not be sent need not wait.
            let bytes: usize = events.iter().map(|entry| entry.frame.json.len()).sum();
            let events = if bytes <= limits::BUS_EVENTS_BYTES { events.to_vec() } else { Vec::new() };
            outbox.put(Outgoing::Head(head, events));
        }
    }

    fn standings(&self, people: Vec<Standing>) {
        if let Some(outbox) = &self.outbox {
            outbox.put(Outgoing::Standings(people));
        }
    }
}

impl Lines {
    /// Keeps the line open until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        match self {
            Self::Alone => {}
            // What nobody tells is asked for.
            Self::Deaf(recheck) => tokio::select! {
                () = stop.cancelled() => {}
                never = recheck.run(|| limits::RECHECK_WITHOUT_BUS) => match never {},
            },
            Self::Postgres(relay) => relay.run(stop).await,
            Self::Nats(relay) => relay.run(stop).await,
        }
    }
}
