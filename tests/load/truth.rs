//! The end of a run: every client's record, and every acknowledgement, held against the log.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use anyhow::Result;
use switchback_core::wire::EventBody;
use switchback_core::{MessageId, Nonce, RoomId, Seq, UserId};
use switchback_storage::{Audience, OpenMode, Store};

use crate::limits;
use crate::posts::{Said, What};
use crate::record::Record;

/// Complaints that are shown; the others are counted.
const SHOWN: usize = 20;

/// The log as it stands in the database.
pub(crate) struct Log {
    /// In order; the first is after where the reading began.
    events: Vec<(Seq, Audience)>,
    posts: HashMap<Nonce, Vec<Seq>>,
    /// Who reacted where is not asked: each reaction of a run is somebody's own.
    reactions: HashMap<MessageId, Vec<Seq>>,
    pub(crate) head: Seq,
}

impl Log {
    /// Everything after `from`.
    pub(crate) async fn read(data_dir: &Path, from: Seq) -> Result<Self> {
        let store = Store::open(data_dir, OpenMode::Admin).await?;
        let mut log =
            Self { events: Vec::new(), posts: HashMap::new(), reactions: HashMap::new(), head: from };
        loop {
            let page = store.events_after(log.head, limits::LOG_PAGE_EVENTS).await?;
            if page.through <= log.head {
                break;
            }
            for logged in page.events {
                let seq = logged.event.seq;
                log.events.push((seq, logged.audience));
                match logged.event.body {
                    EventBody::MessagePosted { message } => {
                        log.posts.entry(message.nonce).or_default().push(seq);
                    }
                    EventBody::ReactionAdded { message, .. } => {
                        log.reactions.entry(message).or_default().push(seq);
                    }
                    _ => {}
                }
            }
            log.head = page.through;
        }
        store.close().await;
        Ok(log)
    }

    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }
}

/// What the check has found.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Things said and acknowledged.
    pub(crate) acked: usize,
    /// Of them, those that had to be tried more than once.
    pub(crate) tried_again: usize,
    /// Events delivered, all clients together.
    pub(crate) delivered: usize,
    /// Acknowledged and not in the log, or in the log and not told to somebody.
    pub(crate) lost: usize,
    /// In the log twice, or told twice.
    pub(crate) doubled: usize,
    complaints: Vec<String>,
    others: usize,
}

impl Verdict {
    pub(crate) const fn is_clean(&self) -> bool {
        self.complaints.is_empty()
    }

    fn complain(&mut self, what: String) {
        if self.complaints.len() < SHOWN {
            self.complaints.push(what);
        } else {
            self.others += 1;
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} lost, {} doubled, {} acknowledged", self.lost, self.doubled, self.acked)?;
        self.complaints.iter().try_for_each(|what| writeln!(f, "  {what}"))?;
        if self.others > 0 { writeln!(f, "  and {} more", self.others) } else { Ok(()) }
    }
}

/// Who has read what: a person, the rooms they are in, their record.
pub(crate) struct Reader<'r> {
    pub(crate) name: String,
    pub(crate) user: UserId,
    pub(crate) rooms: [RoomId; 2],
    pub(crate) record: &'r Record,
}

/// Holds everything against the log.
pub(crate) fn check<'r>(log: &Log, said: &[Said], readers: impl IntoIterator<Item = Reader<'r>>) -> Verdict {
    let mut verdict = Verdict::default();
    for said in said {
        check_said(log, *said, &mut verdict);
    }
    let doubled = log.posts.iter().filter(|(_, seqs)| seqs.len() > 1);
    for (nonce, seqs) in doubled {
        verdict.doubled += 1;
        verdict.complain(format!("{nonce} stands in the log at {seqs:?}"));
    }
    for reader in readers {
        check_reader(log, &reader, &mut verdict);
    }
    verdict
}

fn check_said(log: &Log, said: Said, verdict: &mut Verdict) {
    let Some(acked) = said.acked else {
        verdict.complain(format!("{:?} was never answered", said.what));
        return;
    };
    verdict.acked += 1;
    verdict.tried_again += usize::from(said.attempts > 1);
    // A reaction that was there already makes no event.
    if acked == 0 {
        return;
    }
    let (stands, where_) = match said.what {
        What::Post(nonce) => (log.posts.get(&nonce), format!("post {nonce}")),
        What::Reaction(message) => (log.reactions.get(&message), format!("reaction to {message}")),
    };
    if !stands.is_some_and(|seqs| seqs.contains(&acked)) {
        verdict.lost += 1;
        verdict.complain(format!("{where_}, acknowledged as {acked}, is not there in the log"));
    }
}

fn check_reader(log: &Log, reader: &Reader<'_>, verdict: &mut Verdict) {
    let record = reader.record.lock();
    for fault in &record.faults {
        verdict.complain(format!("{}: {fault}", reader.name));
    }
    if record.through() < log.head {
        verdict.complain(format!("{} has read up to {} of {}", reader.name, record.through(), log.head));
    }
    for segment in &record.segments {
        verdict.delivered += segment.heard.len();
        let first = log.events.partition_point(|(seq, _)| *seq <= segment.from);
        let due = log.events[first..].iter().take_while(|(seq, _)| *seq <= segment.through);
        let due = due.filter(|(_, audience)| is_for(*audience, reader)).map(|(seq, _)| *seq);
        compare(due, &segment.heard, &reader.name, verdict);
    }
}

fn is_for(audience: Audience, reader: &Reader<'_>) -> bool {
    match audience {
        Audience::Everyone => true,
        Audience::Room(room) => reader.rooms.contains(&room),
        Audience::RoomAnd(room, user) => user == reader.user || reader.rooms.contains(&room),
        Audience::User(user) => user == reader.user,
    }
}

/// What was due against what came; both in order, or the record has its own fault.
fn compare(due: impl Iterator<Item = Seq>, heard: &[Seq], name: &str, verdict: &mut Verdict) {
    let mut heard = heard.iter().copied().peekable();
    let strange = |seq: Seq, verdict: &mut Verdict| {
        verdict.doubled += 1;
        verdict.complain(format!("{name} was told {seq} once more than was due"));
    };
    for seq in due {
        while let Some(early) = heard.next_if(|heard| *heard < seq) {
            strange(early, verdict);
        }
        if heard.next_if_eq(&seq).is_none() {
            verdict.lost += 1;
            verdict.complain(format!("{name} was not told {seq}"));
        }
    }
    heard.for_each(|seq| strange(seq, verdict));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(due: &[Seq], heard: &[Seq]) -> (usize, usize) {
        let mut verdict = Verdict::default();
        compare(due.iter().copied(), heard, "ada", &mut verdict);
        (verdict.lost, verdict.doubled)
    }

    #[test]
    fn what_was_due_and_came_is_right() {
        assert_eq!(compared(&[3, 5, 9], &[3, 5, 9]), (0, 0));
    }

    #[test]
    fn what_did_not_come_is_lost() {
        assert_eq!(compared(&[3, 5, 9], &[3, 9]), (1, 0));
        assert_eq!(compared(&[3, 5, 9], &[3, 5]), (1, 0));
        assert_eq!(compared(&[3, 5, 9], &[]), (3, 0));
    }

    #[test]
    fn what_came_twice_or_was_not_due_is_too_much() {
        assert_eq!(compared(&[3, 5, 9], &[3, 5, 5, 9]), (0, 1));
        assert_eq!(compared(&[3, 9], &[3, 5, 9]), (0, 1));
        assert_eq!(compared(&[3], &[3, 4]), (0, 1));
    }
}
