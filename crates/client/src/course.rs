//! What follows from what a line says: pure, so that a simulation can run the very decisions that a
//! session runs. A session does what comes out of here, and nothing else.

use switchback_core::Cursor;
use switchback_core::wire::{Event, Hello, Incoming, ServerFrame, Snapshot};

use crate::client::{ResetCause, Update};
use crate::position::{Position, Taken};

/// Where a session stands between what it was told and what it has told.
#[derive(Debug)]
pub struct Course {
    position: Position,
    /// A snapshot has to be loaded before anything else counts.
    owes_snapshot: Option<ResetCause>,
    /// The present line's `ready` was told.
    announced: bool,
}

/// What to do about it.
#[derive(Debug)]
pub enum Next {
    /// Nothing.
    Nothing,
    /// Tell the caller.
    Tell(Update),
    /// Hand it to the commands that wait.
    Answered(Box<ServerFrame>),
    /// Load a snapshot, then tell this.
    StartOver(ResetCause, Option<Update>),
}

impl Course {
    /// Begins at a cursor, or from now on.
    pub fn new(cursor: Option<Cursor>) -> Self {
        Self { position: Position::new(cursor), owes_snapshot: None, announced: false }
    }

    /// Everything up to here was told.
    pub const fn cursor(&self) -> Option<Cursor> {
        self.position.cursor()
    }

    /// A line opened.
    pub fn opened(&mut self, hello: &Hello) -> Next {
        self.announced = false;
        self.position.hello(hello);
        self.owes_snapshot.map_or(Next::Nothing, |cause| Next::StartOver(cause, None))
    }

    /// The line said something.
    pub fn received(&mut self, incoming: Incoming) -> Next {
        let frame = match incoming {
            Incoming::Event(event) => return self.event(event),
            Incoming::Unknown { seq, .. } => {
                self.position.unknown_event(seq.unwrap_or_default());
                return Next::Nothing;
            }
            Incoming::Frame(frame) => frame,
        };
        match *frame {
            ServerFrame::Ready { cursor, .. } => {
                // A batch says it each time; for the reader it is news once.
                let known = std::mem::replace(&mut self.announced, true);
                self.caught_up(cursor, (!known).then_some(Update::Frame(frame)))
            }
            ServerFrame::Heartbeat { cursor } => self.caught_up(cursor, None),
            ServerFrame::Reset { reason, cursor } => {
                // How far the rooms have come is in the snapshot that follows.
                self.position.reset(cursor, []);
                self.start_over(ResetCause::Server(reason), None)
            }
            ServerFrame::Ack(_) | ServerFrame::Error(_) => Next::Answered(frame),
            ServerFrame::Typing { .. } | ServerFrame::Presence { .. } => Next::Tell(Update::Frame(frame)),
            // `bye` ends the line before it comes here; a second `hello` says nothing new.
            ServerFrame::Hello(_) | ServerFrame::Bye { .. } => Next::Nothing,
        }
    }

    /// The snapshot that was owed is here; what to tell of it.
    pub fn started_over(&mut self, cause: ResetCause, snapshot: Snapshot) -> Update {
        let joined = snapshot.rooms.iter().filter(|view| view.joined);
        self.position.reset(snapshot.cursor, joined.map(|view| (view.room.id, view.n)));
        self.owes_snapshot = None;
        Update::Reset { cause, snapshot: Box::new(snapshot) }
    }

    fn event(&mut self, event: Box<Event>) -> Next {
        match self.position.event(&event) {
            Taken::Fresh => Next::Tell(Update::Event(event)),
            Taken::Repeated => Next::Nothing,
            Taken::Gap => {
                tracing::warn!(seq = event.seq, "events are missing before this one; loading a snapshot");
                self.start_over(ResetCause::Gap, None)
            }
        }
    }

    fn caught_up(&mut self, cursor: Cursor, update: Option<Update>) -> Next {
        if self.position.caught_up(cursor) {
            return update.map_or(Next::Nothing, Next::Tell);
        }
        tracing::warn!(%cursor, "the connection began after our cursor; loading a snapshot");
        self.start_over(ResetCause::Gap, update)
    }

    /// If the snapshot cannot be loaded, it is still owed on the next line.
    fn start_over(&mut self, cause: ResetCause, then: Option<Update>) -> Next {
        self.owes_snapshot = Some(cause);
        Next::StartOver(cause, then)
    }
}
