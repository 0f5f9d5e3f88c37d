//! Keeps a line to the other nodes open: tells them what waits, does what they say.
//!
//! A line that was away is opened again, and then everything is assumed to have been missed: the
//! log is looked at, open connections are held against the database, everybody says anew who is
//! with them. A line that is silent is found out by one's own voice: every message also comes back
//! to its sender. For revocations, which must not be lost for ever, the database is asked now and
//! then in any case.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt as _;
use switchback_core::UserId;
use switchback_core::wire::node::{AddressedEvent, Addressees, Device, Envelope, NodeFrame};
use switchback_storage::{Audience, Credential, LoggedEvent};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Status;
use super::outbox::{Outgoing, Packer};
use crate::hub::{Hub, Rung};
use crate::limits;

/// Why a line broke or could not be opened.
pub(crate) type LineError = Box<dyn std::error::Error + Send + Sync>;

/// Where a bus is at home: what opens lines.
pub(crate) trait Carrier: Send + Sync + 'static {
    /// One open line.
    type Line: Line;

    /// Largest message, in bytes.
    const MESSAGE_BYTES: usize;

    /// Opens a line to all nodes of the workspace, this one included.
    fn open(&self) -> impl Future<Output = Result<Self::Line, LineError>> + Send;
}

/// An open line. After an error it is of no more use.
pub(crate) trait Line: Send {
    /// Tells all nodes. Delivery is at most once.
    fn send(&mut self, message: String) -> impl Future<Output = Result<(), LineError>> + Send;

    /// The next message of any node, one's own included. Nothing is lost if the wait is given up.
    fn receive(&mut self) -> impl Future<Output = Result<String, LineError>> + Send;
}

/// The task that keeps a line open.
pub(crate) struct Relay<C> {
    carrier: C,
    node: Uuid,
    hub: Arc<Hub>,
    rings: mpsc::Sender<Rung>,
    waiting: mpsc::Receiver<Outgoing>,
    status: Arc<Status>,
    /// When open connections are next held against the database.
    recheck_at: Instant,
}

/// What the others' words ask of us besides.
#[derive(Default)]
struct Asked {
    /// To say who is with us, and to make sure of what we may have missed.
    hello: bool,
    /// To look up whose sessions are left.
    credentials: HashSet<UserId>,
}

impl<C: Carrier> Relay<C> {
    pub(super) fn new(
        carrier: C,
        hub: Arc<Hub>,
        rings: mpsc::Sender<Rung>,
        waiting: mpsc::Receiver<Outgoing>,
        status: Arc<Status>,
    ) -> Self {
        let (node, recheck_at) = (Uuid::now_v7(), Instant::now());
        Self { carrier, node, hub, rings, waiting, status, recheck_at }
    }

    /// Until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.keep_open() => {}
        }
    }

    async fn keep_open(&mut self) {
        let mut pause = limits::BUS_RETRY_MIN;
        loop {
            let error = match self.open().await {
                Ok(line) => {
                    pause = limits::BUS_RETRY_MIN;
                    self.talk(line).await
                }
                Err(error) => error,
            };
            if self.status.down() {
                tracing::warn!(%error, home = self.status.home(), "the bus is away; other nodes hear of events within a second");
            } else {
                tracing::debug!(%error, home = self.status.home(), "the bus is still away");
            }
            self.wait(jittered(pause)).await;
            pause = (pause * 2).min(limits::BUS_RETRY_MAX);
        }
    }

    async fn open(&mut self) -> Result<C::Line, LineError> {
        let line = tokio::time::timeout(limits::BUS_CONNECT, self.carrier.open()).await??;
        self.status.up();
        tracing::info!(home = self.status.home(), node = %self.node, "the bus is there");
        Ok(line)
    }

    /// Without a line: what waits is dropped, and the database stands in for what is not heard.
    async fn wait(&mut self, pause: Duration) {
        let until = Instant::now() + pause;
        self.recheck_at = self.recheck_at.min(Instant::now() + limits::RECHECK_WITHOUT_BUS);
        let mut dropped = Vec::new();
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until) => return,
                () = tokio::time::sleep_until(self.recheck_at) => self.recheck(limits::RECHECK_WITHOUT_BUS).await,
                count = self.waiting.recv_many(&mut dropped, limits::BUS_QUEUE) => {
                    self.status.dropped(count);
                    dropped.clear();
                    if count == 0 {
                        // Nobody is left who could put anything in.
                        return tokio::time::sleep_until(until).await;
                    }
                }
            }
        }
    }

    /// Until the line breaks; says why.
    async fn talk(&mut self, mut line: C::Line) -> LineError {
        match self.converse(&mut line).await {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }

    async fn converse(&mut self, line: &mut C::Line) -> Result<std::convert::Infallible, LineError> {
        let mut beat = tokio::time::interval(limits::BUS_BEAT);
        let mut standing = tokio::time::interval(limits::BUS_STANDING_EVERY);
        let mut own_voice = Instant::now();
        let mut batch = Vec::new();
        self.send(line, [Outgoing::Frame(NodeFrame::Hello)]).await?;
        self.hub.look();
        self.recheck_at = Instant::now();
        loop {
            tokio::select! {
                message = line.receive() => {
                    let Some(asked) = self.hear(&message?) else {
                        own_voice = Instant::now();
                        continue;
                    };
                    self.answer(line, asked).await?;
                }
                _ = self.waiting.recv_many(&mut batch, limits::BUS_QUEUE) => {
                    self.send(line, batch.drain(..)).await?;
                }
                _ = beat.tick() => {
                    if own_voice.elapsed() > limits::BUS_SILENCE {
                        return Err("nothing comes back over the line".into());
                    }
                    self.send(line, [Outgoing::Frame(NodeFrame::Beat)]).await?;
                }
                _ = standing.tick() => self.send(line, [Outgoing::Standings(self.hub.standings())]).await?,
                () = tokio::time::sleep_until(self.recheck_at) => self.recheck(limits::RECHECK_EVERY).await,
            }
        }
    }

    async fn send(
        &self,
        line: &mut C::Line,
        outgoing: impl IntoIterator<Item = Outgoing>,
    ) -> Result<(), LineError> {
        for message in Packer::new(self.node, C::MESSAGE_BYTES).pack(outgoing) {
            tokio::time::timeout(limits::BUS_SEND, line.send(message)).await??;
            self.status.sent();
        }
        Ok(())
    }

    /// Does what another node says. `None`: it was one's own voice.
    fn hear(&self, message: &str) -> Option<Asked> {
        let mut asked = Asked::default();
        let envelope = match Envelope::decode(message) {
            Ok(envelope) => envelope,
            Err(error) => {
                tracing::warn!(%error, "something on the bus speaks another language");
                return Some(asked);
            }
        };
        if envelope.node == self.node {
            return None;
        }
        self.status.received();
        for frame in envelope.frames {
            match frame {
                NodeFrame::Hello => asked.hello = true,
                NodeFrame::Beat => {}
                NodeFrame::Head { seq, events } => self.ring(seq, events),
                NodeFrame::Standing { people } => self.hub.hear(envelope.node, &people),
                NodeFrame::Declared { user, device, state } => {
                    self.hub.declare(user, credential(device), state);
                }
                NodeFrame::Typing { user, room } => self.hub.typing(user, room),
                NodeFrame::CredentialsEnded { user } => {
                    asked.credentials.insert(user);
                }
                NodeFrame::Deactivated { user } => self.hub.deactivated(user),
            }
        }
        Some(asked)
    }

    fn ring(&self, head: switchback_core::Seq, events: Vec<AddressedEvent>) {
        let events = events.into_iter().map(logged).collect();
        if self.rings.try_send(Rung { head, events }).is_err() {
            // The log's reader is behind: when it comes to it, it looks for itself.
            self.hub.look();
        }
    }

    async fn answer(&mut self, line: &mut C::Line, asked: Asked) -> Result<(), LineError> {
        if asked.hello {
            self.hub.look();
            self.recheck_at = Instant::now();
            self.send(line, [Outgoing::Standings(self.hub.standings())]).await?;
        } else if !asked.credentials.is_empty() {
            self.end_connections(Some(&asked.credentials)).await;
        }
        Ok(())
    }

    async fn recheck(&mut self, next: Duration) {
        self.recheck_at = Instant::now() + next;
        self.end_connections(None).await;
    }

    async fn end_connections(&mut self, users: Option<&HashSet<UserId>>) {
        match self.hub.ended(users).await {
            Ok(ended) => ended.into_iter().for_each(|(user, credential)| self.hub.revoked(user, credential)),
            Err(error) => {
                tracing::warn!(%error, "sessions could not be looked up; trying again");
                self.recheck_at = Instant::now() + limits::RECHECK_WITHOUT_BUS;
            }
        }
    }
}

fn logged(addressed: AddressedEvent) -> LoggedEvent {
    let audience = match addressed.to {
        Addressees::Everyone => Audience::Everyone,
        Addressees::Room(room) => Audience::Room(room),
        Addressees::RoomAnd(room, user) => Audience::RoomAnd(room, user),
        Addressees::User(user) => Audience::User(user),
    };
    LoggedEvent { event: addressed.event, audience }
}

const fn credential(device: Device) -> Credential {
    match device {
        Device::Session(id) => Credential::Session(id),
        Device::Token(id) => Credential::Token(id),
    }
}

/// Spread, so that nodes that lost the bus together do not come back together.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::rng().random_range(0.5..=1.0))
}
