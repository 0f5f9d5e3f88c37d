//! The judgement over what clients wrote down: was every acknowledged message there, once, in the same
//! order for everybody, with nothing missing in between. Pure: records in, a verdict out.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use switchback_client::Transport;
use switchback_core::{Nonce, RoomId, Seq};
use tokio::time::Instant;

use crate::record::{Heard, Record};

/// Complaints that are written out of each kind; the count says how many there are.
const SHOWN: usize = 5;

/// What is wrong, in sentences; all empty when nothing is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Posts that were acknowledged.
    pub(crate) acked: usize,
    /// Acknowledged, and not everywhere; or never answered.
    pub(crate) lost: Vec<String>,
    /// Told twice, or two positions for one post.
    pub(crate) doubled: Vec<String>,
    /// Another order, a gap in a room's count, a refusal, a client that was told to start over.
    pub(crate) other: Vec<String>,
}

impl Verdict {
    pub(crate) fn is_clean(&self) -> bool {
        self.lost.is_empty() && self.doubled.is_empty() && self.other.is_empty()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, complaints) in [("lost", &self.lost), ("doubled", &self.doubled), ("other", &self.other)] {
            write!(f, "{kind}: {}", complaints.len())?;
            complaints.iter().take(SHOWN).try_for_each(|complaint| write!(f, "\n  {complaint}"))?;
            writeln!(f)?;
        }
        Ok(())
    }
}

/// Judges records that all began before the first post and have all come to rest.
pub(crate) fn check(records: &[Record]) -> Verdict {
    let mut verdict = Verdict::default();
    let mut acked = Vec::new();
    for record in records {
        for post in &record.posts {
            match (post.acked, &post.refused) {
                (Some(seq), _) => acked.push((post.nonce, seq)),
                (None, Some(why)) => verdict.other.push(format!("{}: refused: {why}", record.name)),
                (None, None) => verdict.lost.push(format!("{}: {} has no answer", record.name, post.nonce)),
            }
        }
        let unwanted = record.unwanted.iter().map(|what| format!("{}: {what}", record.name));
        verdict.other.extend(unwanted);
    }
    verdict.acked = acked.len();
    for record in records {
        everything_once(record, &acked, &mut verdict);
        in_order(record, &mut verdict.other);
        no_gap(record, &mut verdict.other);
    }
    same_everywhere(records, &mut verdict.other);
    verdict
}

fn everything_once(record: &Record, acked: &[(Nonce, Seq)], verdict: &mut Verdict) {
    let mut positions: HashMap<Nonce, Seq> = HashMap::new();
    for heard in &record.heard {
        if let Some(before) = positions.insert(heard.nonce, heard.seq) {
            let (name, nonce) = (&record.name, heard.nonce);
            verdict.doubled.push(format!("{name}: {nonce} at {before} and at {}", heard.seq));
        }
    }
    for (nonce, seq) in acked {
        match positions.get(nonce) {
            None => verdict.lost.push(format!("{}: {nonce} was acknowledged at {seq}", record.name)),
            Some(other) if other != seq => {
                verdict
                    .doubled
                    .push(format!("{}: {nonce} acknowledged at {seq}, told at {other}", record.name));
            }
            Some(_) => {}
        }
    }
}

fn in_order(record: &Record, other: &mut Vec<String>) {
    let pairs = record.heard.windows(2).filter(|pair| pair[0].seq >= pair[1].seq);
    other.extend(pairs.map(|pair| format!("{}: {} after {}", record.name, pair[1].seq, pair[0].seq)));
}

fn no_gap(record: &Record, other: &mut Vec<String>) {
    let mut last: HashMap<RoomId, u64> = HashMap::new();
    for heard in &record.heard {
        if let Some(before) = last.insert(heard.room, heard.n)
            && heard.n != before + 1
        {
            other.push(format!("{}: n jumps from {before} to {}", record.name, heard.n));
        }
    }
}

/// Each list ascends, so that equal sets are equal lists.
fn same_everywhere(records: &[Record], other: &mut Vec<String>) {
    let told = |record: &Record| -> HashSet<(Seq, Nonce)> {
        record.heard.iter().map(|heard| (heard.seq, heard.nonce)).collect()
    };
    let Some((first, rest)) = records.split_first() else { return };
    let expected = told(first);
    for record in rest {
        let differing = expected.symmetric_difference(&told(record)).count();
        if differing > 0 {
            other.push(format!("{} and {} differ in {differing} messages", first.name, record.name));
        }
    }
}

/// The longest time in which one of the clients on this way in was told nothing, between two times at
/// which posts were going on.
pub(crate) fn longest_silence(
    records: &[Record],
    transport: Transport,
    from: Instant,
    to: Instant,
) -> Duration {
    let records = records.iter().filter(|record| record.transport == transport);
    records.map(|record| silence(&record.heard, from, to)).max().unwrap_or_default()
}

fn silence(heard: &[Heard], from: Instant, to: Instant) -> Duration {
    let within = heard.iter().map(|heard| heard.at).filter(|at| (from..=to).contains(at));
    let (longest, last) = within
        .chain([to])
        .fold((Duration::ZERO, from), |(longest, last), at| (longest.max(at.duration_since(last)), at));
    longest.max(to.duration_since(last))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::record::Post;

    fn room() -> RoomId {
        RoomId::from_uuid(Uuid::from_u128(1))
    }

    fn nonce(number: u64) -> Nonce {
        Nonce::from_uuid(Uuid::from_u128(number.into()))
    }

    /// Message `n` stands at position 10 + n.
    fn heard(n: u64) -> Heard {
        Heard { at: Instant::now(), seq: 10 + n, room: room(), n, nonce: nonce(n) }
    }

    fn record(posts: &[u64], told: &[u64]) -> Record {
        let post = |n: &u64| Post { nonce: nonce(*n), room: room(), acked: Some(10 + n), refused: None };
        Record {
            name: "ada".to_owned(),
            transport: Transport::Sse,
            posts: posts.iter().map(post).collect(),
            heard: told.iter().map(|n| heard(*n)).collect(),
            unwanted: Vec::new(),
        }
    }

    #[test]
    fn a_good_run_is_clean() {
        let verdict = check(&[record(&[1, 3], &[1, 2, 3]), record(&[2], &[1, 2, 3])]);
        assert_eq!(verdict, Verdict { acked: 3, ..Verdict::default() });
    }

    #[test]
    fn a_lost_message_is_found_and_so_is_its_gap() {
        let verdict = check(&[record(&[1, 2, 3], &[1, 2, 3]), record(&[], &[1, 3])]);
        assert_eq!((verdict.lost.len(), verdict.doubled.len()), (1, 0), "{verdict}");
        assert!(verdict.other.iter().any(|what| what.contains("n jumps from 1 to 3")), "{verdict}");
        assert!(verdict.other.iter().any(|what| what.contains("differ in 1")), "{verdict}");
    }

    #[test]
    fn a_post_without_an_answer_is_lost() {
        let mut one = record(&[1], &[1]);
        one.posts[0].acked = None;
        assert_eq!(check(&[one]).lost.len(), 1);
    }

    #[test]
    fn a_doubled_message_is_found() {
        let mut one = record(&[1, 2], &[1, 2, 3]);
        one.heard[2].nonce = nonce(1);
        let verdict = check(&[one]);
        assert!(verdict.doubled[0].contains("at 11 and at 13"), "{verdict}");
    }

    #[test]
    fn another_order_is_found() {
        let mut one = record(&[1, 2], &[1, 2]);
        one.heard.swap(0, 1);
        assert!(check(&[one]).other[0].contains("11 after 12"));
    }

    #[test]
    fn a_client_that_was_told_to_start_over_is_found() {
        let mut one = record(&[1], &[1]);
        one.unwanted.push("told to start over".to_owned());
        assert!(!check(&[one]).is_clean());
    }

    #[test]
    fn silence_is_the_longest_pause_the_ends_included() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut one = record(&[], &[1, 2, 3]);
        for (heard, seconds) in one.heard.iter_mut().zip([2, 3, 10]) {
            heard.at = at(seconds);
        }
        let longest =
            |from, to| longest_silence(std::slice::from_ref(&one), Transport::Sse, at(from), at(to));
        assert_eq!(longest(1, 11).as_secs(), 7);
        assert_eq!(longest(0, 3).as_secs(), 2);
        assert_eq!(longest(3, 20).as_secs(), 10);
        assert_eq!(longest(11, 15).as_secs(), 4);
    }
}
