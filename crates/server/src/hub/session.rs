//! One live connection, as the hub knows it: how to wake it, and whether it must end.

use std::sync::{Arc, OnceLock};

use switchback_core::wire::{ByeReason, Transport};
use switchback_core::{SessionId, close};
use switchback_storage::Credential;
use tokio::sync::Notify;

use super::Viewer;

/// Why and how a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Goodbye {
    /// Why.
    pub reason: ByeReason,
    /// When to come back; `None`: not by oneself.
    pub retry_ms: Option<u64>,
}

impl Goodbye {
    /// For good.
    pub(crate) const fn forever(reason: ByeReason) -> Self {
        Self { reason, retry_ms: None }
    }

    /// The WebSocket close code that goes with it (RFC 6455 7.4).
    pub(crate) const fn close_code(self) -> u16 {
        match self.reason {
            ByeReason::GoingAway => close::GOING_AWAY,
            ByeReason::SignedOut | ByeReason::Deactivated | ByeReason::TooManyConnections => {
                close::POLICY_VIOLATION
            }
            ByeReason::NoProgress => close::NO_PROGRESS,
            ByeReason::BadCommandStream => close::BAD_COMMAND_STREAM,
            ByeReason::TooBig => close::MESSAGE_TOO_BIG,
            ByeReason::Unsupported => close::UNSUPPORTED_DATA,
        }
    }
}

/// One live connection.
#[derive(Debug)]
pub(crate) struct Session {
    /// Names the connection, for logs and support.
    pub id: SessionId,
    /// By what it was let in.
    pub credential: Credential,
    /// How it is framed.
    pub transport: Transport,
    /// Whose it is and what they may see.
    pub viewer: Arc<Viewer>,
    wake: Notify,
    goodbye: OnceLock<Goodbye>,
    ended: Notify,
}

impl Session {
    pub(super) fn new(
        id: SessionId,
        credential: Credential,
        transport: Transport,
        viewer: Arc<Viewer>,
    ) -> Self {
        Self {
            id,
            credential,
            transport,
            viewer,
            wake: Notify::new(),
            goodbye: OnceLock::new(),
            ended: Notify::new(),
        }
    }

    /// There may be something new. Never lost: a wake-up before the wait ends the wait at once.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits for the next wake-up.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Ends the connection; the first reason stays.
    pub(crate) fn end(&self, goodbye: Goodbye) {
        // A second reason is dropped on purpose.
        self.goodbye.get_or_init(|| goodbye);
        self.ended.notify_waiters();
        self.wake();
    }

    /// Waits until the connection must end.
    pub(crate) async fn ended(&self) -> Goodbye {
        loop {
            // Made before the look, so that an end in between is not missed.
            let ended = self.ended.notified();
            if let Some(goodbye) = self.goodbye() {
                return goodbye;
            }
            ended.await;
        }
    }

    /// Why it must end, if it must.
    pub(crate) fn goodbye(&self) -> Option<Goodbye> {
        self.goodbye.get().copied()
    }
}
