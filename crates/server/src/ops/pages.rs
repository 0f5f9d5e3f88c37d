//! Pages of history, encoded: read and encoded once for everybody who opens a room or scrolls back.
//!
//! Nothing here grows old. Everything that changes what a page shows is an event of its room, and an
//! event moves the room's count in the same transaction. What is kept is of one count; every request
//! asks the database for the count that holds now (together with who asks and whether they may see the
//! room), and of another count nothing is served. So there is no message between nodes to be lost, and
//! nothing to be told when an admin's command writes beside the server.
//!
//! Of a room, runs are kept: neighbouring messages between two positions, without a gap. Pages of any
//! beginning and length are cut out of them, also where several meet. A run is short, so that it costs
//! little to add to it, and what nobody has asked for the longest can be forgotten by the run.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use switchback_core::wire::{EncodedHistory, EncodedMessages, EncodedStretch, History};
use switchback_core::{RoomId, Seq};
use switchback_storage::{HistoryPage, HistoryRange, Reached};

use crate::limits;

/// What a message takes besides its text: its position, and where its text ends.
const PLACES_BYTES: usize = size_of::<Seq>() + size_of::<usize>();

/// Pages that were read lately.
#[derive(Debug)]
pub(super) struct Pages(Mutex<Kept>);

#[derive(Debug)]
struct Kept {
    rooms: HashMap<RoomId, Room>,
    size_bytes: usize,
    most_bytes: usize,
    /// Grows with each use.
    time: u64,
}

#[derive(Debug)]
struct Room {
    /// How far it had come when it was as it is here.
    reached: Reached,
    /// In order, with or without gaps between them.
    runs: Vec<Run>,
}

/// All messages of a room from one position through another, at least one. `from` is 0 if there are none
/// before it, `through` is `Seq::MAX` if there are none after it, and otherwise there are some.
#[derive(Debug)]
struct Run {
    from: Seq,
    through: Seq,
    seqs: Vec<Seq>,
    messages: EncodedMessages,
    /// When it was asked for last.
    used: u64,
}

impl Pages {
    /// None yet, and never more bytes than these.
    pub(super) fn new(most_bytes: usize) -> Self {
        Self(Mutex::new(Kept { rooms: HashMap::new(), size_bytes: 0, most_bytes, time: 0 }))
    }

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
        match range {
            HistoryRange::Latest => room.before(Seq::MAX, limit, time),
            HistoryRange::Before(seq) => room.before(seq, limit, time),
            HistoryRange::After(seq) => room.after(seq, limit, time),
            // Rare: a jump to one message. It is read, and scrolling on from it is not.
            HistoryRange::Around(_) => None,
        }
    }

    /// How far the room had come as it is kept, if that is less, and not so much less that finding out what
    /// happened since is more work than reading.
    pub(super) fn behind(&self, room: RoomId, n: u64) -> Option<Reached> {
        let kept = self.lock();
        let known = kept.rooms.get(&room)?.reached;
        let behind = n.checked_sub(known.n)?;
        (1..=limits::PAGES_BEHIND).contains(&behind).then_some(known)
    }

    /// Between the two, messages were posted, and nothing else has happened. Returns of which count what is kept is
    /// then: of `now`, or of later, if somebody else has brought it there. It may be of between the two before.
    pub(super) fn advance(&self, room: RoomId, known: Reached, now: Reached) -> Option<u64> {
        let mut kept = self.lock();
        let room = kept.rooms.get_mut(&room)?;
        if (known.n..now.n).contains(&room.reached.n) {
            room.reached = now;
            if let Some(newest) = room.runs.last_mut().filter(|run| run.through == Seq::MAX)
                && let Some(last) = newest.seqs.last()
            {
                newest.through = *last;
            }
        }
        Some(room.reached.n)
    }

    /// Something else has happened since: what is kept may be wrong by now.
    pub(super) fn forget(&self, room: RoomId, known: Reached) {
        let mut kept = self.lock();
        if kept.rooms.get(&room).is_some_and(|room| room.reached == known)
            && let Some(room) = kept.rooms.remove(&room)
        {
            kept.size_bytes -= room.size_bytes();
        }
    }

    /// Keeps a page that was just read, and gives it back encoded.
    pub(super) fn keep(
        &self,
        room: RoomId,
        range: HistoryRange,
        page: &HistoryPage,
    ) -> Result<EncodedHistory, serde_json::Error> {
        let History { ref messages, has_before, has_after } = page.history;
        let encoded = EncodedMessages::of(messages)?;
        let seqs: Vec<Seq> = messages.iter().map(|message| message.seq).collect();
        let stretch = (!seqs.is_empty()).then(|| encoded.stretch(0..seqs.len()));
        if let Some((from, through)) = bounds(range, &page.history) {
            let mut kept = self.lock();
            kept.time += 1;
            let used = kept.time;
            kept.keep(room, page.reached, &Run { from, through, seqs, messages: encoded, used });
        }
        Ok(EncodedHistory { messages: stretch.into_iter().collect(), has_before, has_after })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// From where through where a page shows all messages of its room; `None` if it shows none.
fn bounds(range: HistoryRange, page: &History) -> Option<(Seq, Seq)> {
    let (first, last) = (page.messages.first()?.seq, page.messages.last()?.seq);
    let from = match range {
        _ if !page.has_before => 0,
        HistoryRange::After(seq) => seq.saturating_add(1),
        _ => first,
    };
    let through = match range {
        _ if !page.has_after => Seq::MAX,
        HistoryRange::Before(seq) => seq.saturating_sub(1),
        _ => last,
    };
    Some((from, through))
}

impl Kept {
    fn keep(&mut self, id: RoomId, reached: Reached, run: &Run) {
        let room = self.rooms.entry(id).or_insert(Room { reached, runs: Vec::new() });
        if room.reached.n > reached.n {
            // Somebody has seen a later moment.
            return;
        }
        if room.reached.n < reached.n {
            self.size_bytes -= room.size_bytes();
            room.runs.clear();
            room.reached = reached;
        }
        self.size_bytes += room.add(run);
        if self.size_bytes > self.most_bytes {
            self.shrink();
        }
    }

    /// Forgets what nobody has asked for the longest, until there is room for a while.
    fn shrink(&mut self) {
        let enough = self.most_bytes / 8 * 7;
        let runs = self.rooms.values().flat_map(|room| &room.runs);
        let mut by_use: Vec<(u64, usize)> = runs.map(|run| (run.used, run.size_bytes())).collect();
        by_use.sort_unstable();
        let mut left = self.size_bytes;
        let goes = |(_, size_bytes): &&(u64, usize)| {
            let goes = left > enough;
            left -= if goes { *size_bytes } else { 0 };
            goes
        };
        let Some((last_use, _)) = by_use.iter().take_while(goes).last() else { return };
        self.rooms.retain(|_, room| {
            room.runs.retain(|run| run.used > *last_use);
            !room.runs.is_empty()
        });
        self.size_bytes = self.rooms.values().map(Room::size_bytes).sum();
    }
}

impl Room {
    fn size_bytes(&self) -> usize {
        self.runs.iter().map(Run::size_bytes).sum()
    }

    /// The newest messages before a position, if they are here.
    fn before(&mut self, seq: Seq, limit: usize, time: u64) -> Option<EncodedHistory> {
        let mut wanted = seq.checked_sub(1)?;
        let begun = self.runs.partition_point(|run| run.from <= wanted);
        let (mut page, mut has_after) = (Page::of(limit), None);
        for run in self.runs.get_mut(..begun)?.iter_mut().rev() {
            if run.through < wanted {
                return None;
            }
            run.used = time;
            let end = run.seqs.partition_point(|other| *other < seq);
            has_after.get_or_insert(end < run.seqs.len() || run.through < Seq::MAX);
            let start = end.saturating_sub(page.missing);
            page.take(run, start..end);
            let has_before = start > 0 || run.from > 0;
            if page.missing == 0 || !has_before {
                page.stretches.reverse();
                return page.with(has_before, has_after?);
            }
            wanted = run.from.checked_sub(1)?;
        }
        None
    }

    /// The oldest messages after a position, if they are here.
    fn after(&mut self, seq: Seq, limit: usize, time: u64) -> Option<EncodedHistory> {
        let mut wanted = seq.checked_add(1)?;
        let past = self.runs.partition_point(|run| run.through < wanted);
        let (mut page, mut has_before) = (Page::of(limit), None);
        for run in self.runs.get_mut(past..)? {
            if run.from > wanted {
                return None;
            }
            run.used = time;
            let start = run.seqs.partition_point(|other| *other <= seq);
            has_before.get_or_insert(start > 0 || run.from > 0);
            let end = run.seqs.len().min(start + page.missing);
            page.take(run, start..end);
            let has_after = end < run.seqs.len() || run.through < Seq::MAX;
            if page.missing == 0 || !has_after {
                return page.with(has_before?, has_after);
            }
            wanted = run.through.checked_add(1)?;
        }
        None
    }

    /// Keeps of a run what is not kept yet. Returns how many bytes that is.
    fn add(&mut self, fresh: &Run) -> usize {
        let mut from = fresh.from;
        let mut place = self.runs.partition_point(|old| old.through < from);
        let mut added_bytes = 0;
        loop {
            let known = self.runs.get_mut(place).filter(|old| old.from <= fresh.through);
            let known = known.map(|old| {
                old.used = fresh.used;
                (old.from, old.through)
            });
            let until = known.map_or(Some(fresh.through), |(old, _)| old.checked_sub(1));
            if let Some(through) = until.filter(|through| from <= *through) {
                let is_new = self.insert(place, fresh.part(from, through), &mut added_bytes);
                place += usize::from(is_new);
            }
            let Some((_, through)) = known.filter(|(_, through)| *through < fresh.through) else {
                return added_bytes;
            };
            from = through + 1;
            place += 1;
        }
    }

    /// Puts a run between its neighbours, or to one of them. Returns whether it is one of its own.
    fn insert(&mut self, place: usize, run: Run, added_bytes: &mut usize) -> bool {
        let joins = |other: &Run| {
            let messages = other.seqs.len() + run.seqs.len();
            run.seqs.is_empty() || messages <= limits::PAGES_RUN_MESSAGES
        };
        let before = place.checked_sub(1).and_then(|place| self.runs.get(place));
        let follows =
            before.is_some_and(|before| before.through.checked_add(1) == Some(run.from) && joins(before));
        let after = self.runs.get(place);
        let leads = after.is_some_and(|after| run.through.checked_add(1) == Some(after.from) && joins(after));
        let joined = match (follows, leads) {
            (true, _) => self.runs.get_mut(place - 1),
            (false, true) => self.runs.get_mut(place),
            (false, false) => None,
        };
        let Some(joined) = joined else {
            *added_bytes += run.size_bytes();
            self.runs.insert(place, run);
            return true;
        };
        let was_bytes = joined.size_bytes();
        if follows {
            joined.extend(run);
        } else {
            let after = std::mem::replace(joined, run);
            joined.extend(after);
        }
        *added_bytes += joined.size_bytes() - was_bytes;
        false
    }
}

impl Run {
    fn size_bytes(&self) -> usize {
        size_of::<Self>()
            + limits::PAGES_RUN_BYTES
            + self.messages.size_bytes()
            + self.seqs.len() * PLACES_BYTES
    }

    /// What it shows between two positions in it; possibly no message.
    fn part(&self, from: Seq, through: Seq) -> Self {
        let start = self.seqs.partition_point(|seq| *seq < from);
        let end = self.seqs.partition_point(|seq| *seq <= through);
        let seqs = self.seqs.get(start..end).unwrap_or_default().to_vec();
        Self { from, through, seqs, messages: self.messages.part(start..end), used: self.used }
    }

    /// Adds what follows it.
    fn extend(&mut self, next: Self) {
        if self.seqs.is_empty() {
            self.messages = next.messages;
        } else if !next.seqs.is_empty() {
            self.messages = self.messages.then(&next.messages);
        }
        self.through = next.through;
        self.seqs.extend(next.seqs);
        self.used = self.used.max(next.used);
    }
}

/// A page as it comes together.
struct Page {
    stretches: Vec<EncodedStretch>,
    missing: usize,
}

impl Page {
    const fn of(limit: usize) -> Self {
        Self { stretches: Vec::new(), missing: limit }
    }

    fn take(&mut self, run: &Run, places: Range<usize>) {
        self.missing -= places.len();
        if !places.is_empty() {
            self.stretches.push(run.messages.stretch(places));
        }
    }

    /// Whether there are others beside a page without messages only the database knows.
    fn with(self, has_before: bool, has_after: bool) -> Option<EncodedHistory> {
        let messages = self.stretches;
        (!messages.is_empty()).then_some(EncodedHistory { messages, has_before, has_after })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests;
