//! When a group is worth waiting for. A commit costs a sync and a few wake-ups whatever is in it: where
//! several people write hundreds of times a second, a few milliseconds bring some of them together, and
//! each pays a part (docs/decisions/022).
//!
//! Nobody waits in vain: not who writes alone, however fast, because nobody else will come; not where
//! others are too rare to come in time; and not where there are so many that they wait already when a
//! commit is done.

use std::time::Duration;

use switchback_core::UserId;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout};

use super::queue::Receiver;
use crate::limits;

/// What is known of those who write.
#[derive(Debug)]
pub(super) struct Gathering {
    /// From one operation to the next, on average.
    gap: Duration,
    /// When operations were last counted.
    counted: Instant,
    /// Who asked for the newest operations; the oldest is replaced.
    recent: [Option<UserId>; limits::GATHER_OPERATIONS],
    oldest: usize,
}

/// What a group waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wait {
    /// Until it has so many operations,
    operations: usize,
    /// or so long.
    longest: Duration,
}

impl Gathering {
    pub(super) fn new() -> Self {
        let recent = [None; limits::GATHER_OPERATIONS];
        Self { gap: limits::GATHER_SILENCE, counted: Instant::now(), recent, oldest: 0 }
    }

    /// Waits until a group that has begun is as large as it should be, its time is over, or the queue is closed, and
    /// takes what has come.
    pub(super) async fn complete<T>(
        &mut self,
        group: &mut Vec<T>,
        waiting: &mut Receiver<T>,
        author: impl Fn(&T) -> Option<UserId>,
    ) {
        self.count(group.iter().map(&author));
        let Some(Wait { operations, longest }) = self.wait() else { return };
        let Some(missing @ 1..) = operations.checked_sub(group.len()) else { return };
        // If they are not enough by then, those who have come are.
        let _: Result<(), Elapsed> = timeout(longest, waiting.holds(missing)).await;
        let begun_with = group.len();
        waiting.take(missing, group);
        self.count(group[begun_with..].iter().map(&author));
    }

    /// Counts operations that have come since the last time, by those who asked for them, if that is known.
    fn count(&mut self, authors: impl ExactSizeIterator<Item = Option<UserId>>) {
        self.count_at(Instant::now(), authors);
    }

    fn count_at(&mut self, now: Instant, authors: impl ExactSizeIterator<Item = Option<UserId>>) {
        let Ok(number @ 1..) = u32::try_from(authors.len()) else { return };
        let passed = now.duration_since(self.counted).min(limits::GATHER_SILENCE);
        self.counted = now;
        for author in authors {
            // The newest eight weigh as much as all before them, roughly.
            self.gap = self.gap * 7 / 8 + passed / number / 8;
            if author.is_some() {
                self.recent[self.oldest] = author;
                self.oldest = (self.oldest + 1) % self.recent.len();
            }
        }
    }

    /// Whether a group that has begun should wait, and for what.
    fn wait(&self) -> Option<Wait> {
        let operations = self.writers();
        let expected =
            self.gap.saturating_mul(u32::try_from(operations.saturating_sub(1)).unwrap_or(u32::MAX));
        let comes_in_time = self.gap <= limits::GATHER_GAP && expected >= limits::GATHER_SHORTEST;
        let longest = expected.min(limits::GATHER_LONGEST);
        comes_in_time.then_some(Wait { operations, longest })
    }

    /// Different people among those who wrote last: who waits for an answer does not write again before it.
    fn writers(&self) -> usize {
        let is_first = |&(place, author): &(usize, &Option<UserId>)| {
            author.is_some() && !self.recent[..place].contains(author)
        };
        self.recent.iter().enumerate().filter(is_first).count()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::writer::queue::queue;

    /// What is known after `rounds` in which each of so many people has written, one every `gap`.
    fn after(people: u128, gap: Duration, rounds: u32) -> Gathering {
        let mut gathering = Gathering::new();
        let mut now = gathering.counted;
        for _ in 0..rounds {
            for number in 0..people {
                now += gap;
                gathering.count_at(now, [Some(person(number))].into_iter());
            }
        }
        gathering
    }

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn several_who_write_often_are_waited_for_as_long_as_they_are_likely_to_take() {
        let wait = after(50, ms(1), 4).wait();
        assert_eq!(wait.map(|wait| wait.operations), Some(limits::GATHER_OPERATIONS));
        let longest = wait.map(|wait| wait.longest).unwrap_or_default();
        assert!(longest >= ms(15) && longest < ms(16), "fifteen more, one every ms: {longest:?}");
    }

    #[test]
    fn two_are_waited_for_until_both_are_there() {
        assert_eq!(after(2, ms(3), 100).wait().map(|wait| wait.operations), Some(2));
    }

    #[test]
    fn nobody_waits_in_vain() {
        assert_eq!(Gathering::new().wait(), None, "nobody has written");
        assert_eq!(after(1, ms(2), 500).wait(), None, "one alone");
        assert_eq!(after(50, ms(8), 20).wait(), None, "too rare");
        assert_eq!(after(50, Duration::from_micros(80), 30).wait(), None, "often enough to meet anyhow");
    }

    #[test]
    fn a_silence_ends_it_at_once() {
        let mut gathering = after(50, ms(2), 10);
        assert!(gathering.wait().is_some());
        gathering.count_at(gathering.counted + ms(400), [None].into_iter());
        assert_eq!(gathering.wait(), None);
    }

    #[test]
    fn no_wait_is_longer_than_the_longest() {
        for gap in 1..30 {
            let longest = after(50, ms(gap), 30).wait().map(|wait| wait.longest);
            assert!(longest.is_none_or(|longest| longest <= limits::GATHER_LONGEST), "{gap}: {longest:?}");
        }
    }

    fn person(number: u128) -> UserId {
        UserId::from_uuid(Uuid::from_u128(number))
    }

    #[tokio::test(start_paused = true)]
    async fn a_group_is_complete_when_all_who_are_expected_have_come() {
        let mut gathering = after(3, ms(3), 100);
        let (sender, mut waiting) = queue(8);
        let (mut group, begun) = (vec![person(0)], Instant::now());
        let coming = async {
            for number in 1..5 {
                tokio::time::sleep(ms(1)).await;
                sender.put(person(number)).unwrap();
            }
        };
        let complete = gathering.complete(&mut group, &mut waiting, |author| Some(*author));
        let ((), at) = tokio::join!(coming, async {
            complete.await;
            begun.elapsed()
        });
        assert_eq!(group, [person(0), person(1), person(2)]);
        assert_eq!(at, ms(2), "as soon as they are there");
    }

    #[tokio::test(start_paused = true)]
    async fn a_group_that_nobody_joins_is_written_after_its_time() {
        let mut gathering = after(3, ms(3), 100);
        let (sender, mut waiting) = queue(8);
        let (mut group, begun) = (vec![person(0)], Instant::now());
        gathering.complete(&mut group, &mut waiting, |author| Some(*author)).await;
        assert_eq!(group.len(), 1);
        assert!((ms(4)..=limits::GATHER_LONGEST).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        // Nobody can come any more.
        drop(sender);
        let closed = Instant::now();
        after(3, ms(3), 100).complete(&mut group, &mut waiting, |author| Some(*author)).await;
        assert_eq!(closed.elapsed(), Duration::ZERO);
    }
}
