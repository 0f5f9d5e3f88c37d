//! Keeps a line to the other nodes open: tells them what waits, does what they say.
//!
//! A line that was away is opened again, and then everything is assumed to have been missed: the
//! log is looked at, open connections are held against the database, everybody says anew who is
//! with them. A line that is silent is found out by one's own voice: every message also comes back
//! to its sender. For revocations, which must not be lost for ever, the database is asked now and
//! then in any case.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt as _;
use switchback_core::wire::node::{AddressedEvent, Addressees, Device, Envelope, NodeFrame};
use switchback_storage::{Audience, Credential, LoggedEvent};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Status;
use super::outbox::{Outgoing, Packer};
use super::recheck::Recheck;
use crate::hub::{Hub, Rung};
use crate::limits;

/// Why a line broke or could not be opened.
pub(crate) type LineError = Box<dyn std::error::Error + Send + Sync>;

/// Where a bus is at home: what opens lines.
pub(crate) trait Carrier: Send + Sync + 'static {
    /// One open line.
    type Line: Line;

    /// Opens a line to all nodes of the workspace, this one included.
    fn open(&self) -> impl Future<Output = Result<Self::Line, LineError>> + Send;
}

/// An open line. After an error it is of no more use.
pub(crate) trait Line: Send {
    /// Largest message, in bytes.
    fn message_bytes(&self) -> usize;

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
    recheck: Arc<Recheck>,
}

/// What was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    OwnVoice,
    Another,
    /// Another node has just come: it wants to know who is with us, and we may have missed it.
    Hello,
}

impl<C: Carrier> Relay<C> {
    pub(super) fn new(
        carrier: C,
        hub: Arc<Hub>,
        rings: mpsc::Sender<Rung>,
        waiting: mpsc::Receiver<Outgoing>,
        status: Arc<Status>,
    ) -> Self {
        let recheck = Arc::new(Recheck::new(Arc::clone(&hub)));
        Self { carrier, node: Uuid::now_v7(), hub, rings, waiting, status, recheck }
    }

    /// Until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let (recheck, status) = (Arc::clone(&self.recheck), Arc::clone(&self.status));
        let every = || if status.is_up() { limits::RECHECK_EVERY } else { limits::RECHECK_WITHOUT_BUS };
        tokio::select! {
            () = stop.cancelled() => {}
            never = self.keep_open() => match never {},
            never = recheck.run(every) => match never {},
        }
    }

    async fn keep_open(&mut self) -> Infallible {
        let mut pause = limits::BUS_RETRY_MIN;
        loop {
            let (error, lasted) = match self.open().await {
                Ok(line) => {
                    let opened = Instant::now();
                    (self.talk(line).await, opened.elapsed())
                }
                Err(error) => (error, Duration::ZERO),
            };
            // One that breaks as soon as it is open, for want of a right, is no better than none.
            if lasted >= limits::BUS_RETRY_MAX {
                pause = limits::BUS_RETRY_MIN;
            }
            self.hub.hears_others(false);
            if self.status.down() {
                self.recheck.everybody();
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
        self.hub.hears_others(true);
        tracing::info!(home = self.status.home(), node = %self.node, "the bus is there");
        Ok(line)
    }

    /// Without a line: what waits is dropped, and the database stands in for what is not heard.
    async fn wait(&mut self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut dropped = Vec::new();
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until) => return,
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

    async fn converse(&mut self, line: &mut C::Line) -> Result<Infallible, LineError> {
        let mut beat = tokio::time::interval(limits::BUS_BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut standing = tokio::time::interval(limits::BUS_STANDING_EVERY);
        let (mut unheard, mut last_beat) = (0, Instant::now());
        let mut batch = Vec::new();
        self.send(line, [Outgoing::Frame(NodeFrame::Hello)]).await?;
        self.make_sure();
        loop {
            tokio::select! {
                message = line.receive() => match self.hear(&message?) {
                    Heard::OwnVoice => unheard = 0,
                    Heard::Another => {}
                    Heard::Hello => {
                        self.make_sure();
                        self.send(line, [Outgoing::Standings(self.hub.standings())]).await?;
                    }
                },
                _ = self.waiting.recv_many(&mut batch, limits::BUS_QUEUE) => {
                    self.send(line, batch.drain(..)).await?;
                }
                _ = beat.tick() => {
                    // Counted, not timed: while this node is busy or stands still, it does not listen.
                    if unheard == limits::BUS_BEATS_UNHEARD {
                        return Err("nothing comes back over the line".into());
                    }
                    unheard += 1;
                    let frame = self.beat(last_beat);
                    last_beat = Instant::now();
                    self.send(line, [Outgoing::Frame(frame)]).await?;
                }
                _ = standing.tick() => self.send(line, [Outgoing::Standings(self.hub.standings())]).await?,
            }
        }
    }

    async fn send(
        &self,
        line: &mut C::Line,
        outgoing: impl IntoIterator<Item = Outgoing>,
    ) -> Result<(), LineError> {
        for message in Packer::new(self.node, line.message_bytes()).pack(outgoing) {
            tokio::time::timeout(limits::BUS_SEND, line.send(message)).await??;
            self.status.sent();
        }
        Ok(())
    }

    /// Who stood still for long comes anew: what the others said of their people has worn off.
    fn beat(&self, last: Instant) -> NodeFrame {
        if last.elapsed() < limits::BUS_STANDING_KEPT / 2 {
            return NodeFrame::Beat;
        }
        self.make_sure();
        NodeFrame::Hello
    }

    /// Something may have been missed: the database knows.
    fn make_sure(&self) {
        self.hub.look();
        self.recheck.everybody();
    }

    /// Does what another node says.
    fn hear(&self, message: &str) -> Heard {
        let envelope = match Envelope::decode(message) {
            Ok(envelope) => envelope,
            Err(error) => {
                tracing::warn!(%error, "something on the bus speaks another language");
                return Heard::Another;
            }
        };
        if envelope.node == self.node {
            return Heard::OwnVoice;
        }
        self.status.received();
        let mut heard = Heard::Another;
        for frame in envelope.frames {
            match frame {
                NodeFrame::Hello => heard = Heard::Hello,
                NodeFrame::Beat => {}
                NodeFrame::Head { seq, events } => self.ring(seq, events),
                NodeFrame::Standing { people } => self.hub.hear(envelope.node, &people),
                NodeFrame::Declared { user, device, state } => {
                    self.hub.declare(user, credential(device), state);
                }
                NodeFrame::Typing { user, room } => self.hub.typing(user, room),
                NodeFrame::CredentialsEnded { user } => self.recheck.user(user),
                NodeFrame::Deactivated { user } => self.hub.deactivated(user),
            }
        }
        heard
    }

    fn ring(&self, head: switchback_core::Seq, events: Vec<AddressedEvent>) {
        ring(&self.hub, &self.rings, head, events);
    }
}

/// Hands another node's doorbell to the log's reader.
pub(super) fn ring(
    hub: &Hub,
    rings: &mpsc::Sender<Rung>,
    head: switchback_core::Seq,
    events: Vec<AddressedEvent>,
) {
    let events = events.into_iter().map(logged).collect();
    if rings.try_send(Rung { head, events }).is_err() {
        // The log's reader is behind: when it comes to it, it looks for itself.
        hub.look();
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use switchback_storage::{OpenMode, Store};
    use tempfile::TempDir;

    use super::*;
    use crate::bus::outbox::Outbox;

    /// Opens lines that break with the first word.
    #[derive(Default)]
    struct Breaking(Arc<AtomicUsize>);

    struct Broken;

    impl Carrier for Breaking {
        type Line = Broken;

        async fn open(&self) -> Result<Broken, LineError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(Broken)
        }
    }

    impl Line for Broken {
        fn message_bytes(&self) -> usize {
            limits::NATS_MESSAGE_BYTES
        }

        async fn send(&mut self, _: String) -> Result<(), LineError> {
            Err("you may not".into())
        }

        async fn receive(&mut self) -> Result<String, LineError> {
            std::future::pending().await
        }
    }

    /// Opens lines on which one's own voice comes back, and every word takes its time.
    #[derive(Default)]
    struct Slow(Arc<AtomicUsize>);

    struct Echo(mpsc::UnboundedSender<String>, mpsc::UnboundedReceiver<String>);

    impl Carrier for Slow {
        type Line = Echo;

        async fn open(&self) -> Result<Echo, LineError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            let (say, hear) = mpsc::unbounded_channel();
            Ok(Echo(say, hear))
        }
    }

    impl Line for Echo {
        /// So small that few frames fit in.
        fn message_bytes(&self) -> usize {
            512
        }

        async fn send(&mut self, message: String) -> Result<(), LineError> {
            tokio::time::sleep(Duration::from_millis(100)).await;
            Ok(self.0.send(message)?)
        }

        async fn receive(&mut self) -> Result<String, LineError> {
            self.1.recv().await.ok_or_else(|| "silence".into())
        }
    }

    /// Opens lines that swallow everything.
    #[derive(Default)]
    struct Dead(Arc<AtomicUsize>);

    struct Swallowing;

    impl Carrier for Dead {
        type Line = Swallowing;

        async fn open(&self) -> Result<Swallowing, LineError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(Swallowing)
        }
    }

    impl Line for Swallowing {
        fn message_bytes(&self) -> usize {
            limits::NATS_MESSAGE_BYTES
        }

        async fn send(&mut self, _: String) -> Result<(), LineError> {
            Ok(())
        }

        async fn receive(&mut self) -> Result<String, LineError> {
            std::future::pending().await
        }
    }

    /// A relay over lines of this kind, what it is given to say, and its files.
    async fn relay<C: Carrier>(carrier: C) -> (Relay<C>, Outbox, TempDir) {
        let dir = TempDir::new().unwrap();
        let store = Store::open(dir.path(), OpenMode::Server).await.unwrap();
        let head = store.head().await.unwrap();
        let hub = Arc::new(Hub::new(store, head, 8));
        let status = Arc::new(Status::new("nowhere"));
        let (outbox, waiting) = Outbox::new(Arc::clone(&status));
        let (rings, _) = mpsc::channel(1);
        (Relay::new(carrier, hub, rings, waiting, status), outbox, dir)
    }

    #[tokio::test]
    async fn a_node_that_has_much_to_say_does_not_take_its_line_for_dead() {
        let opened = Arc::<AtomicUsize>::default();
        let (relay, outbox, _dir) = relay(Slow(Arc::clone(&opened))).await;
        tokio::time::pause();
        let running = tokio::spawn(relay.run(CancellationToken::new()));
        for _ in 0..10 {
            for _ in 0..400 {
                outbox.put(Outgoing::Frame(NodeFrame::Beat));
                outbox.put(Outgoing::Frame(NodeFrame::Deactivated {
                    user: switchback_core::UserId::from_uuid(Uuid::nil()),
                }));
            }
            tokio::time::sleep(Duration::from_mins(1)).await;
        }
        running.abort();
        assert_eq!(opened.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_line_that_swallows_everything_is_given_up() {
        let opened = Arc::<AtomicUsize>::default();
        let (relay, _outbox, _dir) = relay(Dead(Arc::clone(&opened))).await;
        tokio::time::pause();
        let minute = tokio::time::timeout(Duration::from_mins(1), relay.run(CancellationToken::new())).await;
        minute.unwrap_err();
        assert_eq!(opened.load(Ordering::Relaxed), 7, "every nine seconds");
    }

    #[tokio::test]
    async fn a_line_that_can_be_opened_and_not_used_is_tried_ever_less_often() {
        let opened = Arc::<AtomicUsize>::default();
        let (relay, _outbox, _dir) = relay(Breaking(Arc::clone(&opened))).await;
        tokio::time::pause();
        let minute = tokio::time::timeout(Duration::from_mins(1), relay.run(CancellationToken::new())).await;
        minute.unwrap_err();
        let opened = opened.load(Ordering::Relaxed);
        assert!((15..60).contains(&opened), "{opened} times in a minute");
    }
}
