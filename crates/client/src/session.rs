//! One session: open a way in, read it until it ends, come back at the cursor.
//!
//! A task of its own owns everything, so nothing here is locked; the handles talk to it through
//! bounded channels. Waiting for the network and taking commands go on at the same time.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use switchback_core::Cursor;
use switchback_core::wire::{Hello, ServerFrame, Transport};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::chain::{Chain, Probe};
use crate::client::{Ask, Delivery, ResetCause, Status, StopReason, Update};
use crate::course::{Course, Next};
use crate::outbox::Outbox;
use crate::transport::{Failure, Item, Line};
use crate::{Rest, RestError, limits};

pub(crate) struct Session {
    chain: Chain,
    rest: Rest,
    commands: Commands,
    updates: mpsc::Sender<Delivery>,
    outbox: Outbox,
    course: Course,
    /// What won last, and until when that counts.
    remembered: Option<(Transport, Instant)>,
    /// Attempts since the last good connection.
    attempts: u32,
    /// How often in a row nothing came on a WebSocket after its opening.
    mute: u32,
    /// A WebSocket opened and was of no use: no other one before this time.
    distrust_until: Instant,
}

/// Whether a WebSocket that said `hello` is one: some networks let pass what the server says and not
/// what we say, or nothing at all once it is open.
struct Usefulness {
    websocket: bool,
    patience: Duration,
    opened: Instant,
    /// The first frame that came although an answer was overdue.
    heard_since: Option<Instant>,
}

impl Usefulness {
    fn new(transport: Transport, patience: Duration) -> Self {
        let websocket = transport == Transport::Websocket;
        Self { websocket, patience, opened: Instant::now(), heard_since: None }
    }

    /// Asked at each frame, with how long the oldest command has waited for its answer.
    fn is_deaf(&mut self, unanswered_for: Option<Duration>) -> bool {
        if !self.websocket || unanswered_for.is_none_or(|waited| waited < self.patience) {
            self.heard_since = None;
            return false;
        }
        self.heard_since.get_or_insert_with(Instant::now).elapsed() >= limits::DEAF
    }

    /// Whether the last frame belonged to the opening.
    fn never_spoke(&self, last_frame: Instant) -> bool {
        self.websocket && last_frame < self.opened + limits::STABLE
    }
}

/// The commands' channel, which may end before the session does.
struct Commands {
    taken: mpsc::Receiver<Ask>,
    ended: bool,
}

impl Session {
    pub(crate) fn new(
        chain: Chain,
        rest: Rest,
        cursor: Option<Cursor>,
        taken: mpsc::Receiver<Ask>,
        updates: mpsc::Sender<Delivery>,
    ) -> Self {
        Self {
            chain,
            rest,
            commands: Commands { taken, ended: false },
            updates,
            outbox: Outbox::default(),
            course: Course::new(cursor),
            remembered: None,
            attempts: 0,
            mute: 0,
            distrust_until: Instant::now(),
        }
    }

    /// Runs until the server or the caller ends it.
    pub(crate) async fn run(mut self, asked: watch::Receiver<bool>) {
        let updates = self.updates.clone();
        let why = tokio::select! {
            why = self.keep_connected() => why,
            () = nobody_wants_it(asked, updates) => StopReason::Asked,
        };
        // Everything that waits is lost with the outbox; those who wait hear it first.
        drop(self.outbox);
        let stopped = Delivery { update: Update::Stopped(why), cursor: self.course.cursor() };
        // Nobody may be listening any more.
        let _ = self.updates.send(stopped).await;
    }

    async fn keep_connected(&mut self) -> StopReason {
        loop {
            let failure = self.connect_once().await;
            self.outbox.line_lost();
            let (after, why) = match failure {
                Failure::Stop(why) => return why,
                Failure::Later { after, why } => (after, why),
                Failure::Unreachable(why) | Failure::Broken(why) => (None, why),
            };
            let retry_in = after.unwrap_or_else(|| self.backoff());
            self.attempts = self.attempts.saturating_add(1);
            tracing::debug!(why, ?retry_in, "no connection");
            self.tell(Update::Status(Status::Waiting { retry_in, why, queued: self.outbox.waiting() })).await;
            self.while_taking(sleep(retry_in)).await;
        }
    }

    /// Full jitter: anywhere between nothing and a step that doubles.
    fn backoff(&self) -> Duration {
        let timings = &self.chain.timings;
        let factor = 1_u32.checked_shl(self.attempts).unwrap_or(u32::MAX);
        let step = timings.reconnect_base.saturating_mul(factor).min(timings.reconnect_max);
        step.mul_f64(rand::random())
    }

    /// One connection from its opening to its end.
    async fn connect_once(&mut self) -> Failure {
        self.tell(Update::Status(Status::Connecting)).await;
        let remembered =
            self.remembered.filter(|(_, until)| *until > Instant::now()).map(|(transport, _)| transport);
        let remembered = remembered.or((self.distrust_until > Instant::now()).then_some(Transport::Sse));
        let (chain, cursor) = (self.chain.clone(), self.course.cursor());
        let line = match self.while_taking(chain.open(remembered, cursor)).await {
            Ok(line) => line,
            Err(failure) => {
                self.remembered = None;
                return failure;
            }
        };
        let since = Instant::now();
        let failure = self.read(line).await.err().unwrap_or_else(|| Failure::broken("the connection ended"));
        if since.elapsed() >= limits::STABLE {
            self.attempts = 0;
        }
        failure
    }

    /// Reads a line, and what replaces it, to the end.
    async fn read(&mut self, mut line: Line) -> Result<(), Failure> {
        loop {
            let transport = line.transport();
            self.opened(transport, line.hello().clone()).await?;
            let mut probe = Probe::new(self.chain.clone(), transport, self.attempts > 0, self.distrust_until);
            // Dropping the old one closes it; what was on it is sent again on the new one.
            line = self.read_until_better(&mut line, &mut probe).await?;
            self.outbox.line_lost();
        }
    }

    async fn opened(&mut self, transport: Transport, hello: Hello) -> Result<(), Failure> {
        tracing::debug!(?transport, session = %hello.session, "connected");
        self.remembered = Some((transport, Instant::now() + self.chain.timings.transport_memory));
        let next = self.course.opened(&hello);
        self.tell(Update::Status(Status::Live { transport })).await;
        self.follow(next).await
    }

    async fn read_until_better(&mut self, line: &mut Line, probe: &mut Probe) -> Result<Line, Failure> {
        let patience = self.chain.timings.watchdog;
        let mut watchdog = Instant::now() + patience;
        let mut usefulness = Usefulness::new(line.transport(), self.chain.timings.command_answer);
        loop {
            let due = self.outbox.begin_due(|request| line.begin(request));
            tokio::select! {
                item = line.next() => {
                    match item? {
                        Item::Frame(frame) => {
                            watchdog = Instant::now() + patience;
                            let next = self.course.received(frame);
                            self.follow(next).await?;
                            if usefulness.is_deaf(self.outbox.unanswered_for()) {
                                self.distrust_websocket();
                                return Err(Failure::broken("frames come on the WebSocket, and no answers"));
                            }
                        }
                        Item::Answer(answer) => self.answered(*answer),
                        Item::Unanswered { id, why } => {
                            tracing::debug!(why, "a command got no answer");
                            self.outbox.unanswered(id.as_ref());
                        }
                    }
                }
                ask = self.commands.next(), if self.outbox.has_room() => {
                    self.outbox.push(ask.command, ask.reply, true);
                }
                better = probe.better(self.course.cursor()) => return Ok(better),
                () = sleep_until(due.unwrap_or(watchdog)), if due.is_some() => {}
                () = sleep_until(watchdog) => {
                    self.silent(usefulness.never_spoke(watchdog - patience));
                    return Err(Failure::Broken(format!("nothing came for {} s", patience.as_secs_f32())));
                }
            }
        }
    }

    /// Nothing has come for too long. Where that began right after the opening, twice in a row, it will
    /// be so again.
    fn silent(&mut self, never_spoke: bool) {
        self.mute = if never_spoke { self.mute + 1 } else { 0 };
        if self.mute >= limits::MUTE_WEBSOCKETS {
            self.distrust_websocket();
        }
    }

    /// A WebSocket opened and was of no use: for a while the next best way counts as the best.
    fn distrust_websocket(&mut self) {
        self.mute = 0;
        self.remembered = None;
        self.distrust_until = Instant::now() + self.chain.timings.transport_memory;
    }

    /// Does what follows from what the line said.
    async fn follow(&mut self, next: Next) -> Result<(), Failure> {
        match next {
            Next::Nothing => {}
            Next::Tell(update) => self.tell(update).await,
            Next::Answered(answer) => self.answered(*answer),
            Next::StartOver(cause, then) => {
                self.start_over(cause).await?;
                if let Some(update) = then {
                    self.tell(update).await;
                }
            }
        }
        Ok(())
    }

    /// The server answered a command.
    fn answered(&mut self, answer: ServerFrame) {
        match answer {
            ServerFrame::Ack(ack) => self.outbox.acknowledged(ack),
            ServerFrame::Error(error) => self.outbox.refused(error),
            _ => {}
        }
    }

    /// Loads a snapshot and goes on from there.
    async fn start_over(&mut self, cause: ResetCause) -> Result<(), Failure> {
        let rest = self.rest.clone();
        let snapshot = self
            .while_taking(async move { rest.snapshot().await })
            .await
            .map_err(|error| no_snapshot(&error))?;
        let update = self.course.started_over(cause, snapshot);
        self.tell(update).await;
        Ok(())
    }

    /// Takes commands while something else is waited for.
    async fn while_taking<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                ask = self.commands.next(), if self.outbox.has_room() => {
                    self.outbox.push(ask.command, ask.reply, false);
                }
            }
        }
    }

    async fn tell(&mut self, update: Update) {
        let delivery = Delivery { update, cursor: self.course.cursor() };
        // A caller who only sends may have dropped the stream.
        let _ = self.updates.send(delivery).await;
    }
}

impl Commands {
    /// The next command; never, once all handles are gone. Cancel-safe.
    async fn next(&mut self) -> Ask {
        if !self.ended {
            if let Some(ask) = self.taken.recv().await {
                return ask;
            }
            self.ended = true;
        }
        std::future::pending().await
    }
}

fn no_snapshot(error: &RestError) -> Failure {
    match error.status() {
        Some(401) => Failure::Stop(StopReason::SignedOut),
        _ => Failure::Broken(format!("the snapshot could not be loaded: {error}")),
    }
}

/// Resolves when the session was asked to end, or when handles and stream are all gone.
async fn nobody_wants_it(mut asked: watch::Receiver<bool>, updates: mpsc::Sender<Delivery>) {
    let all_handles_are_gone = asked.wait_for(|asked| *asked).await.is_err();
    if all_handles_are_gone {
        updates.closed().await;
    }
}
