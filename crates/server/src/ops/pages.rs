//! Pages of history, encoded: read and encoded once for everybody who opens a room or scrolls back.
//!
//! Nothing here grows old. Everything that changes what a page shows is an event of its room, and an
//! event moves the room's count in the same transaction. What is kept is of one count; every request
//! asks the database for the count that holds now (together with who asks and whether they may see the
//! room), and of another count nothing is served. So there is no message between nodes to be lost, and
//! nothing to be told when an admin's command writes beside the server.
//!
//! Of a room, runs are kept: neighbouring messages between two positions, without a gap. Pages of any
//! beginning and length are cut out of them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use switchback_core::wire::{EncodedHistory, EncodedMessage, History, Message};
use switchback_core::{RoomId, Seq};
use switchback_storage::{HistoryPage, HistoryRange, Reached};

use crate::limits;

/// Pages that were read lately.
#[derive(Debug, Default)]
pub(super) struct Pages(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    rooms: HashMap<RoomId, Room>,
    size_bytes: usize,
    /// Grows with each use.
    time: u64,
}

#[derive(Debug)]
struct Room {
    /// How far it had come when it was as it is here.
    reached: Reached,
    /// In order, with gaps between them.
    runs: Vec<Run>,
    size_bytes: usize,
    used: u64,
}

/// All messages of a room from one position through another. `from` is 0 if there are none before it,
/// `through` is `Seq::MAX` if there are none after it, and otherwise there are some.
#[derive(Debug)]
struct Run {
    from: Seq,
    through: Seq,
    messages: Vec<Kin>,
    size_bytes: usize,
}

#[derive(Debug)]
struct Kin {
    seq: Seq,
    message: EncodedMessage,
}

impl Pages {
    /// The page, if it is kept as it is when the room has had `n` events.
    pub(super) fn find(
        &self,
        room: RoomId,
        n: u64,
        range: HistoryRange,
        limit: usize,
    ) -> Option<EncodedHistory> {
        let mut kept = self.lock();
        kept.time += 1;
        let time = kept.time;
        let room = kept.rooms.get_mut(&room).filter(|room| room.reached.n == n)?;
        room.used = time;
        room.runs.iter().find_map(|run| run.page(range, limit))
    }

    /// How far the room had come as it is kept, if that is less, and not so much less that finding out what
    /// happened since is more work than reading.
    pub(super) fn behind(&self, room: RoomId, n: u64) -> Option<Reached> {
        let kept = self.lock();
        let known = kept.rooms.get(&room)?.reached;
        let behind = n.checked_sub(known.n)?;
        (1..=limits::PAGES_BEHIND).contains(&behind).then_some(known)
    }

    /// Between the two, messages were posted, and nothing else has happened.
    pub(super) fn advance(&self, room: RoomId, known: Reached, now: Reached) {
        let mut kept = self.lock();
        let Some(room) = kept.rooms.get_mut(&room).filter(|room| room.reached == known) else { return };
        room.reached = now;
        let Some(newest) = room.runs.last_mut().filter(|run| run.through == Seq::MAX) else { return };
        match newest.messages.last() {
            Some(last) => newest.through = last.seq,
            None => drop(room.runs.pop()),
        }
    }

    /// Keeps a page that was just read, and gives it back encoded.
    pub(super) fn keep(
        &self,
        room: RoomId,
        range: HistoryRange,
        page: &HistoryPage,
    ) -> Result<EncodedHistory, serde_json::Error> {
        let History { messages, has_before, has_after } = &page.history;
        let encoded = EncodedMessage::all(messages)?;
        let kin = |(Message { seq, .. }, message): (&Message, &EncodedMessage)| Kin {
            seq: *seq,
            message: message.clone(),
        };
        let kin = messages.iter().zip(&encoded).map(kin).collect();
        if let Some(run) = Run::of(range, kin, *has_before, *has_after) {
            self.lock().keep(room, page.reached, run);
        }
        Ok(EncodedHistory { messages: encoded, has_before: *has_before, has_after: *has_after })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn keep(&mut self, id: RoomId, reached: Reached, run: Run) {
        self.time += 1;
        let fresh = Room { reached, runs: Vec::new(), size_bytes: 0, used: self.time };
        let room = self.rooms.entry(id).or_insert(fresh);
        if room.reached.n > reached.n {
            // Somebody has seen a later moment.
            return;
        }
        if room.reached.n < reached.n {
            room.runs.clear();
            room.reached = reached;
        }
        room.used = self.time;
        let before = room.size_bytes;
        add(&mut room.runs, run);
        room.size_bytes = room.runs.iter().map(|run| run.size_bytes).sum();
        self.size_bytes = self.size_bytes + room.size_bytes - before;
        if self.size_bytes > limits::PAGES_BYTES {
            self.shrink();
        }
    }

    /// Forgets the rooms that nobody has asked for the longest, until there is room for a while; of a room that
    /// takes all there is, what is old.
    fn shrink(&mut self) {
        const ENOUGH: usize = limits::PAGES_BYTES / 8 * 7;
        let mut by_use: Vec<(u64, RoomId)> = self.rooms.iter().map(|(id, room)| (room.used, *id)).collect();
        by_use.sort_unstable();
        let last = by_use.pop();
        for (_, id) in by_use {
            if self.size_bytes <= ENOUGH {
                return;
            }
            if let Some(room) = self.rooms.remove(&id) {
                self.size_bytes -= room.size_bytes;
            }
        }
        if let Some(room) = last.and_then(|(_, id)| self.rooms.get_mut(&id)) {
            room.keep_newest(ENOUGH);
            self.size_bytes = room.size_bytes;
        }
    }
}

impl Room {
    fn keep_newest(&mut self, most_bytes: usize) {
        let mut left = most_bytes;
        for run in self.runs.iter_mut().rev() {
            run.keep_newest(left);
            left -= run.size_bytes;
        }
        self.runs.retain(|run| !run.messages.is_empty());
        self.size_bytes = most_bytes - left;
    }
}

impl Kin {
    fn size_bytes(&self) -> usize {
        self.message.size_bytes() + limits::PAGES_OVERHEAD_BYTES
    }
}

impl Run {
    /// What a page shows of its room; `None` if it shows nothing.
    fn of(range: HistoryRange, messages: Vec<Kin>, has_before: bool, has_after: bool) -> Option<Self> {
        let (first, last) = (messages.first()?.seq, messages.last()?.seq);
        let from = match range {
            _ if !has_before => 0,
            HistoryRange::After(seq) => seq.saturating_add(1),
            _ => first,
        };
        let through = match range {
            _ if !has_after => Seq::MAX,
            HistoryRange::Before(seq) => seq.saturating_sub(1),
            _ => last,
        };
        Some(Self::new(from, through, messages))
    }

    fn new(from: Seq, through: Seq, messages: Vec<Kin>) -> Self {
        let size_bytes = messages.iter().map(Kin::size_bytes).sum();
        Self { from, through, messages, size_bytes }
    }

    /// Forgets old messages until no more than so many bytes are left; possibly all.
    fn keep_newest(&mut self, most_bytes: usize) {
        let mut forgotten = 0;
        while self.size_bytes > most_bytes
            && let Some(kin) = self.messages.get(forgotten)
        {
            self.size_bytes -= kin.size_bytes();
            forgotten += 1;
        }
        self.messages.drain(..forgotten);
        if forgotten > 0
            && let Some(first) = self.messages.first()
        {
            self.from = first.seq;
        }
    }

    /// The page, if all of it is here.
    fn page(&self, range: HistoryRange, limit: usize) -> Option<EncodedHistory> {
        let (start, end) = match range {
            HistoryRange::Latest => self.before(Seq::MAX, limit)?,
            HistoryRange::Before(seq) => self.before(seq, limit)?,
            HistoryRange::After(seq) => {
                let next = self.covered(seq.checked_add(1)?)?;
                let start = self.messages.partition_point(|kin| kin.seq < next);
                let end = self.messages.len().min(start + limit);
                let is_all = end - start == limit || self.through == Seq::MAX;
                is_all.then_some((start, end))?
            }
            // Rare: a jump to one message. It is read, and scrolling on from it is not.
            HistoryRange::Around(_) => return None,
        };
        // Whether there are others beside a page without messages only the database knows.
        let shown = self.messages.get(start..end).filter(|shown| !shown.is_empty())?;
        Some(EncodedHistory {
            messages: shown.iter().map(|kin| kin.message.clone()).collect(),
            has_before: start > 0 || self.from > 0,
            has_after: end < self.messages.len() || self.through < Seq::MAX,
        })
    }

    fn before(&self, seq: Seq, limit: usize) -> Option<(usize, usize)> {
        self.covered(seq.checked_sub(1)?)?;
        let end = self.messages.partition_point(|kin| kin.seq < seq);
        let start = end.saturating_sub(limit);
        let is_all = end - start == limit || self.from == 0;
        is_all.then_some((start, end))
    }

    /// The position, if it lies in this run.
    fn covered(&self, seq: Seq) -> Option<Seq> {
        (self.from..=self.through).contains(&seq).then_some(seq)
    }
}

/// Adds a run, and joins it with those that it meets.
fn add(runs: &mut Vec<Run>, run: Run) {
    let first = runs.partition_point(|old| old.through.saturating_add(1) < run.from);
    let last = runs.partition_point(|old| old.from <= run.through.saturating_add(1)).max(first);
    let (mut from, mut through) = (run.from, run.through);
    let mut messages: Vec<Kin> = Vec::new();
    let mut fresh = run.messages.into_iter().peekable();
    for old in runs.drain(first..last) {
        from = from.min(old.from);
        through = through.max(old.through);
        while let Some(kin) = fresh.next_if(|kin| kin.seq <= old.through) {
            if kin.seq < old.from {
                messages.push(kin);
            }
        }
        if messages.is_empty() {
            messages = old.messages;
        } else {
            messages.extend(old.messages);
        }
    }
    messages.extend(fresh);
    runs.insert(first, Run::new(from, through, messages));
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests;
