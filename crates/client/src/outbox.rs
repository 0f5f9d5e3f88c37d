//! Commands that wait for their answer, in the order in which they were given.
//!
//! A command keeps its nonce through every try, over whatever line, until the server acknowledges or
//! refuses it: at least once from here, exactly once there. "Later" blocks what comes behind, because
//! messages must stand in the order in which they were written. Ephemeral commands (typing, presence,
//! ping) are about now: without a line, or when it breaks, they are given up.

use std::collections::VecDeque;
use std::time::Duration;

use switchback_core::wire::{Ack, Command, CommandError, CommandId, Request};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::{SendError, limits};

/// Where a command's answer goes.
pub type Reply = oneshot::Sender<Result<Ack, SendError>>;

/// Commands without an answer.
#[derive(Debug, Default)]
pub struct Outbox {
    entries: VecDeque<Entry>,
    last_id: i64,
}

#[derive(Debug)]
struct Entry {
    request: Request,
    reply: Reply,
    state: State,
    /// How often the server said "later".
    refusals: u32,
    /// How often nobody answered.
    unanswered: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    /// Not before this time.
    Later(Instant),
    /// On the present line, since this time.
    Sent(Instant),
}

impl Outbox {
    /// Whether another command can be taken.
    pub fn has_room(&self) -> bool {
        self.entries.len() < limits::OUTBOX_COMMANDS
    }

    /// Commands without an answer.
    pub fn waiting(&self) -> usize {
        self.entries.len()
    }

    /// Takes a command. `connected`: there is a line.
    pub fn push(&mut self, command: Command, reply: Reply, connected: bool) {
        if is_ephemeral(&command) && !connected {
            // The caller may have stopped waiting; then nobody needs to know.
            let _ = reply.send(Err(SendError::Lost));
            return;
        }
        self.last_id += 1;
        let request = Request { id: Some(CommandId::Number(self.last_id)), command };
        let entry = Entry { request, reply, state: State::Waiting, refusals: 0, unanswered: 0 };
        self.entries.push_back(entry);
    }

    /// The line is gone: what was on it has to be sent again on the next.
    pub fn line_lost(&mut self) {
        let entries = std::mem::take(&mut self.entries);
        for mut entry in entries {
            if is_ephemeral(&entry.request.command) {
                let _ = entry.reply.send(Err(SendError::Lost));
                continue;
            }
            if matches!(entry.state, State::Sent(_)) {
                entry.state = State::Waiting;
            }
            self.entries.push_back(entry);
        }
    }

    /// For how long the oldest command on the line has had no answer.
    pub(crate) fn unanswered_for(&self) -> Option<Duration> {
        let sent = self.entries.iter().filter_map(|entry| match entry.state {
            State::Sent(at) => Some(at),
            State::Waiting | State::Later(_) => None,
        });
        sent.min().map(|at| at.elapsed())
    }

    /// Gives the line what it can take (`begin` says whether it did), and says when to come again if
    /// something waits for its time.
    pub fn begin_due(&mut self, mut begin: impl FnMut(&Request) -> bool) -> Option<Instant> {
        // Nobody waits for these any more, and they never left.
        self.entries.retain(|entry| matches!(entry.state, State::Sent(_)) || !entry.reply.is_closed());
        for entry in &mut self.entries {
            match entry.state {
                State::Sent(_) => continue,
                State::Later(at) if at > Instant::now() => return Some(at),
                State::Waiting | State::Later(_) => {}
            }
            if !begin(&entry.request) {
                return None;
            }
            entry.state = State::Sent(Instant::now());
        }
        None
    }

    /// The server carried a command out.
    pub fn acknowledged(&mut self, ack: Ack) {
        if let Some(entry) = self.take(ack.id.as_ref()) {
            let _ = entry.reply.send(Ok(ack));
        }
    }

    /// The server did not carry a command out.
    pub fn refused(&mut self, error: CommandError) {
        let Some(entry) = self.find(error.id.as_ref()) else {
            tracing::warn!(code = error.code.as_str(), error.detail, "an error answers no command of ours");
            return;
        };
        entry.refusals += 1;
        let again = error.retry && !is_ephemeral(&entry.request.command);
        if again && entry.refusals < limits::COMMAND_ATTEMPTS {
            let asked = error.retry_after_ms.map(Duration::from_millis);
            let wait = asked.unwrap_or_else(|| doubling(entry.refusals)).min(limits::RETRY_OBEYED_MAX);
            entry.state = State::Later(Instant::now() + wait);
            return;
        }
        if let Some(entry) = self.take(error.id.as_ref()) {
            let _ = entry.reply.send(Err(SendError::Refused(error)));
        }
    }

    /// A command by POST got no answer.
    pub fn unanswered(&mut self, id: Option<&CommandId>) {
        let Some(entry) = self.find(id) else {
            return;
        };
        entry.unanswered += 1;
        entry.state = State::Later(Instant::now() + doubling(entry.unanswered));
        if is_ephemeral(&entry.request.command)
            && let Some(entry) = self.take(id)
        {
            let _ = entry.reply.send(Err(SendError::Lost));
        }
    }

    fn find(&mut self, id: Option<&CommandId>) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.request.id.as_ref() == id)
    }

    fn take(&mut self, id: Option<&CommandId>) -> Option<Entry> {
        let index = self.entries.iter().position(|entry| entry.request.id.as_ref() == id)?;
        self.entries.remove(index)
    }
}

const fn is_ephemeral(command: &Command) -> bool {
    matches!(command, Command::Typing { .. } | Command::Presence { .. } | Command::Ping)
}

/// 0.5 s, 1 s, 2 s, ... up to the limit.
fn doubling(times: u32) -> Duration {
    let factor = 1_u32.checked_shl(times.saturating_sub(1)).unwrap_or(u32::MAX);
    limits::COMMAND_RETRY.saturating_mul(factor).min(limits::COMMAND_RETRY_MAX)
}
