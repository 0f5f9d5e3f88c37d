//! What somebody can do. The only place of the server that decides and writes.
//!
//! Both edges come through here: a REST handler, a form, a WebSocket frame and a POST to `/chat`
//! run the same function and get the same answer. An operation takes who asks and what they ask
//! for, checks what their role allows, and hands the rest to the store, which checks what only a
//! transaction can (membership, nonce, names). Nothing here knows HTTP or a connection; what open
//! connections must hear at once and no log tells (sign-out, typing) goes over the [`Bus`].

mod access;
mod commands;
mod invitations;
mod limiter;
mod messages;
mod pages;
mod passwords;
mod people;
mod refusal;
mod rooms;
mod search;

use std::sync::Arc;

use switchback_core::wire::{Role, Snapshot};
use switchback_core::{Cursor, UserId};
use switchback_storage::{Identity, Store, WriterStats};
use tokio::sync::Semaphore;

pub(crate) use access::{Peer, SignedIn};
pub(crate) use refusal::Refusal;

use crate::bus::{Bus, Status};
use crate::index::Index;
use crate::{Config, limits};
use access::Touches;
use limiter::Limiters;
use pages::Pages;
use passwords::Passwords;

/// The operations. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Ops {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    bus: Bus,
    passwords: Passwords,
    limiters: Limiters,
    touches: Touches,
    pages: Pages,
    index: Index,
    /// Turns at rendering what takes long.
    renders: Semaphore,
}

impl Ops {
    /// Operations on this store, telling open connections over this bus.
    pub(crate) fn new(store: Store, bus: Bus, config: &Config) -> Self {
        let (passwords, limiters) = (Passwords::new(), Limiters::new(config));
        let (touches, renders) = (Touches::default(), Semaphore::new(limits::RENDERS_AT_ONCE));
        let (pages, index) = (Pages::new(config.history_cache_bytes), Index::new(store.clone()));
        let inner = Inner { store, bus, passwords, limiters, touches, pages, index, renders };
        Self { inner: Arc::new(inner) }
    }

    /// Everything a client needs to draw, and the cursor from which events go on.
    pub(crate) async fn snapshot(&self, caller: &Identity) -> Result<Snapshot, Refusal> {
        let data = self.store().snapshot(caller.user.id).await?;
        Ok(Snapshot {
            cursor: Cursor { epoch: self.store().epoch(), seq: data.seq },
            workspace: data.workspace,
            me: data.me,
            users: data.users,
            rooms: data.rooms,
            presence: self.inner.bus.presence(),
        })
    }

    /// Whether the database answers.
    pub(crate) async fn ping(&self) -> Result<(), Refusal> {
        Ok(self.store().ping().await?)
    }

    /// How the line to the other nodes is.
    pub(crate) fn bus_status(&self) -> &Status {
        self.inner.bus.status()
    }

    /// How the writer is doing.
    pub(crate) fn writer_stats(&self) -> WriterStats {
        self.store().stats()
    }

    /// The search index, which somebody has to keep up with the log.
    pub(crate) fn index(&self) -> &Index {
        &self.inner.index
    }

    /// Forgets what rate limiters no longer need and writes down when credentials were last used.
    pub(crate) async fn tidy(&self) {
        self.inner.limiters.tidy();
        self.write_touches().await;
    }

    fn store(&self) -> &Store {
        &self.inner.store
    }
}

/// Refuses who has less than this role.
fn require(caller: &Identity, role: Role) -> Result<(), Refusal> {
    if caller.user.role >= role {
        return Ok(());
    }
    Err(Refusal::forbidden(match role {
        Role::Owner => "only an owner can do this",
        _ => "only an admin or owner can do this",
    }))
}

/// Whether this is about oneself.
fn is_self(caller: &Identity, user: UserId) -> bool {
    caller.user.id == user
}
