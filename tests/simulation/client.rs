//! One client: it comes in by whatever way, sends what it is asked to, and writes down what it is told.
//! What follows from a frame and what is sent again is decided by the Rust client's own `Course` and
//! `Outbox`; only the waiting in between is written anew here.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use switchback_client::Update;
use switchback_client::simulation::{Course, Next, Outbox, Reply};
use switchback_core::wire::{Command, CommandId, Incoming, ServerFrame, Snapshot, Transport};
use tokio::sync::mpsc;
use tokio::time::{sleep, sleep_until, timeout};

use crate::chance::Chance;
use crate::line::{self, Broken, Line};
use crate::record::{Record, kind};
use crate::wire::End;
use crate::world::Net;

/// Longest pause before coming back, in milliseconds.
const PAUSE_MS: usize = 300;
/// `hello`, a snapshot, an answer to a POST: after this long without it, the way is given up.
const PATIENCE: Duration = Duration::from_millis(1_500);

pub(crate) type Asks = mpsc::UnboundedReceiver<(Command, Reply)>;
type Posting = Pin<Box<dyn Future<Output = (Option<CommandId>, Option<ServerFrame>)>>>;

/// What a client needs to run.
pub(crate) struct Client {
    pub(crate) number: usize,
    pub(crate) token: String,
    pub(crate) net: Rc<Net>,
    pub(crate) chance: Chance,
    pub(crate) asks: Asks,
    pub(crate) course: Course,
    pub(crate) outbox: Outbox,
    pub(crate) record: Rc<RefCell<Record>>,
    /// Commands without an answer, for whoever waits until there are none.
    pub(crate) open: Rc<Cell<usize>>,
}

impl Client {
    pub(crate) async fn run(mut self) {
        loop {
            drop(self.connection().await);
            self.outbox.line_lost();
            self.count();
            let pause = Duration::from_millis(u64::try_from(1 + self.chance.below(PAUSE_MS)).unwrap());
            let mut pause = std::pin::pin!(sleep(pause));
            loop {
                tokio::select! {
                    biased;
                    Some((command, reply)) = self.asks.recv() => self.outbox.push(command, reply, false),
                    () = &mut pause => break,
                }
            }
        }
    }

    fn count(&self) {
        self.open.set(self.outbox.waiting());
    }

    /// One connection from its opening to its end.
    async fn connection(&mut self) -> Result<(), Broken> {
        let transport = match self.chance.below(3) {
            0 => Transport::Websocket,
            1 => Transport::Sse,
            _ => Transport::Batch,
        };
        let node = self.net.some_node(&mut self.chance).ok_or(Broken)?;
        let path = self.path(transport);
        let request = line::request(Method::GET, &path, &self.token, Bytes::new());
        let end = match transport {
            Transport::Websocket => self.net.websocket(self.number, node, request),
            _ => self.net.exchange(self.number, node, request),
        };
        self.net.comes_in(self.number);
        let mut line = Line::new(transport, end).await;
        let hello = match timeout(PATIENCE, line.next()).await {
            Ok(Ok(Incoming::Frame(frame))) => match *frame {
                ServerFrame::Hello(hello) => hello,
                _ => return Err(Broken),
            },
            _ => return Err(Broken),
        };
        self.net.note(|| format!("client {} has {transport:?} at node {node}", self.number));
        let next = self.course.opened(&hello);
        self.follow(next, node).await?;
        self.converse(&mut line, node).await
    }

    /// Where to begin, as the way in says it and as a box in the middle lets it through.
    fn path(&mut self, transport: Transport) -> String {
        let mut path = String::from("/chat?");
        if transport == Transport::Batch {
            path.push_str("mode=batch&wait=1&");
        }
        let cursor = self.course.cursor().map(|cursor| cursor.to_string()).unwrap_or_default();
        match self.net.meddle(&mut self.chance) {
            Meddling::None => path.extend(["after=", &cursor]),
            Meddling::Stripped => {}
            Meddling::Mangled => path.push_str("after=%00"),
            Meddling::Foreign => path.push_str("after=zzzzzzzz.1"),
        }
        path
    }

    async fn converse(&mut self, line: &mut Line, node: usize) -> Result<(), Broken> {
        let mut posting: Option<Posting> = None;
        loop {
            let due = self.begin_due(line, &mut posting, node).await?;
            tokio::select! {
                biased;
                Some((command, reply)) = self.asks.recv() => self.outbox.push(command, reply, true),
                (id, answer) = async { posting.as_mut().unwrap().await }, if posting.is_some() => {
                    posting = None;
                    match answer {
                        Some(answer) => self.answered(answer),
                        None => self.outbox.unanswered(id.as_ref()),
                    }
                }
                () = sleep_until(due.unwrap_or_else(tokio::time::Instant::now)), if due.is_some() => {}
                incoming = line.next() => {
                    let incoming = incoming?;
                    if let Incoming::Frame(frame) = &incoming && matches!(**frame, ServerFrame::Bye { .. }) {
                        return Err(Broken);
                    }
                    let next = self.course.received(incoming);
                    self.follow(next, node).await?;
                }
            }
            self.count();
        }
    }

    async fn begin_due(
        &mut self,
        line: &mut Line,
        posting: &mut Option<Posting>,
        node: usize,
    ) -> Result<Option<tokio::time::Instant>, Broken> {
        let mut begun = Vec::new();
        let (most, free) = if line.takes_commands() { (usize::MAX, true) } else { (1, posting.is_none()) };
        let due = self.outbox.begin_due(|request| {
            let takes = free && begun.len() < most;
            if takes {
                begun.push((request.id.clone(), request.to_json()));
            }
            takes
        });
        for (id, json) in begun {
            if line.takes_commands() {
                line.send(json).await?;
                continue;
            }
            let request = line::request(Method::POST, "/chat", &self.token, Bytes::from(json));
            let end = self.net.exchange(self.number, node, request);
            *posting = Some(Box::pin(async move {
                let known = id.clone();
                timeout(PATIENCE, line::posted(end, id)).await.unwrap_or((known, None))
            }));
        }
        Ok(due)
    }

    async fn follow(&mut self, next: Next, node: usize) -> Result<(), Broken> {
        match next {
            Next::Nothing => {}
            Next::Tell(update) => self.told(&update),
            Next::Answered(answer) => self.answered(*answer),
            Next::StartOver(cause, then) => {
                let request = line::request(Method::GET, "/api/v1/snapshot", &self.token, Bytes::new());
                let end: End = self.net.exchange(self.number, node, request);
                let (_, body) = timeout(PATIENCE, line::whole(end)).await.map_err(|_| Broken)??;
                let snapshot: Snapshot = serde_json::from_slice(&body).map_err(|_| Broken)?;
                let update = self.course.started_over(cause, snapshot);
                self.told(&update);
                if let Some(update) = then {
                    self.told(&update);
                }
            }
        }
        Ok(())
    }

    fn answered(&mut self, answer: ServerFrame) {
        match answer {
            ServerFrame::Ack(ack) => self.outbox.acknowledged(ack),
            ServerFrame::Error(error) => self.outbox.refused(error),
            _ => {}
        }
    }

    fn told(&mut self, update: &Update) {
        let mut record = self.record.borrow_mut();
        match update {
            Update::Event(event) => {
                self.net.note(|| {
                    let (number, seq, n) = (self.number, event.seq, event.n);
                    format!("client {number} hears event {seq} n {n:?}: {}", kind(&event.body))
                });
                record.event(event);
            }
            Update::Reset { cause, snapshot } => {
                let seq = snapshot.cursor.seq;
                self.net.note(|| format!("client {} starts over at {seq}: {cause:?}", self.number));
                record.reset(seq, &snapshot.rooms);
            }
            _ => {}
        }
    }
}

/// What a box in the middle does to the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meddling {
    None,
    Stripped,
    Mangled,
    Foreign,
}
