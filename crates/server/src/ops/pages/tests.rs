use std::ops::Range;

use proptest::prelude::*;
use switchback_core::wire::{Message, Timestamp};
use switchback_core::{MessageId, Nonce, UserId};
use uuid::Uuid;

use super::*;

const ROOM: u128 = 7;
/// Messages are below this position at first.
const LAST: Seq = 500;

fn room(number: u128) -> RoomId {
    RoomId::from_uuid(Uuid::from_u128(number))
}

fn message(seq: Seq, body: &str) -> Message {
    Message {
        id: MessageId::from_uuid(Uuid::from_u128(seq.into())),
        room: room(ROOM),
        author: UserId::from_uuid(Uuid::nil()),
        seq,
        at: Timestamp::default(),
        edited_at: None,
        body: body.to_owned(),
        html: String::new(),
        nonce: Nonce::from_uuid(Uuid::nil()),
        reply_to: None,
        reactions: Vec::new(),
        mentions: Vec::new(),
        mentions_room: false,
        deleted: false,
    }
}

/// What happens before somebody asks.
#[derive(Debug, Clone, Copy)]
enum Happened {
    Post,
    /// Of whatever message: they all look different afterwards.
    Edit,
}

fn happens() -> impl Strategy<Value = Option<Happened>> {
    prop_oneof![17 => Just(None), 2 => Just(Some(Happened::Post)), 1 => Just(Some(Happened::Edit))]
}

/// What the database would say.
fn read(all: &[Seq], edits: u32, range: HistoryRange, limit: usize) -> History {
    let before = |seq: Seq| all.partition_point(|other| *other < seq);
    let Range { start, end } = match range {
        HistoryRange::Latest => all.len().saturating_sub(limit)..all.len(),
        HistoryRange::Before(seq) => before(seq).saturating_sub(limit)..before(seq),
        HistoryRange::After(seq) => {
            let start = before(seq.saturating_add(1));
            start..all.len().min(start + limit)
        }
        HistoryRange::Around(seq) => {
            let middle = before(seq);
            middle.saturating_sub(limit / 2)..all.len().min(middle + limit.div_ceil(2))
        }
    };
    let messages =
        all[start..end].iter().map(|seq| message(*seq, &format!("edited {edits} times"))).collect();
    History { messages, has_before: start > 0, has_after: end < all.len() }
}

fn bytes(page: &EncodedHistory) -> String {
    String::from_utf8(page.encode()).unwrap()
}

fn range() -> impl Strategy<Value = HistoryRange> {
    let seq = || prop_oneof![9 => 0_u64..LAST + 50, 1 => Just(Seq::MAX)];
    prop_oneof![
        1 => Just(HistoryRange::Latest),
        4 => seq().prop_map(HistoryRange::Before),
        4 => seq().prop_map(HistoryRange::After),
        1 => seq().prop_map(HistoryRange::Around),
    ]
}

/// More than any of these tests keeps.
const PLENTY: usize = 1 << 30;

/// What is counted is what there is, and no more than may be.
fn is_counted(pages: &Pages) -> bool {
    let kept = pages.lock();
    kept.size_bytes == kept.rooms.values().map(Room::size_bytes).sum::<usize>()
        && kept.size_bytes <= kept.most_bytes
}

/// Each run has messages, and lies behind the one before it.
fn is_in_order(pages: &Pages) -> bool {
    pages.lock().rooms.values().all(|room| {
        let is_sound = |run: &Run| {
            run.seqs.first().is_some_and(|first| run.from <= *first)
                && run.seqs.last().is_some_and(|last| *last <= run.through)
                && run.seqs.is_sorted()
                && run.seqs.len() <= limits::PAGES_RUN_MESSAGES
        };
        room.runs.iter().all(is_sound) && room.runs.is_sorted_by(|one, other| one.through < other.from)
    })
}

proptest! {
    #[test]
    fn whatever_is_found_is_what_would_be_read(
        mut all in prop::collection::btree_set(1_u64..LAST, 0..200).prop_map(Vec::from_iter),
        asked in prop::collection::vec((range(), 1_usize..100, happens()), 1..40),
        is_little in any::<bool>(),
    ) {
        let pages = Pages::new(if is_little { 20_000 } else { PLENTY });
        let (mut n, mut edits) = (1, 0);
        let reached = |all: &[Seq], n| Reached { n, last_seq: all.last().copied().unwrap_or_default() };
        for (range, limit, happened) in asked {
            let before = reached(&all, n);
            n += u64::from(happened.is_some());
            match happened {
                Some(Happened::Post) => {
                    all.push(all.last().map_or(1, |last| last + 2));
                    pages.advance(room(ROOM), before, reached(&all, n));
                }
                Some(Happened::Edit) => edits += 1,
                None => {}
            }
            let page = HistoryPage { history: read(&all, edits, range, limit), reached: reached(&all, n) };
            let expected = serde_json::to_string(&page.history).unwrap();
            if let Some(found) = pages.find(room(ROOM), n, range, limit) {
                prop_assert_eq!(bytes(&found), expected);
            } else {
                prop_assert_eq!(bytes(&pages.keep(room(ROOM), range, &page).unwrap()), expected.clone());
                let again = pages.find(room(ROOM), n, range, limit).map(|page| bytes(&page));
                let is_kept = !page.history.messages.is_empty() && !matches!(range, HistoryRange::Around(_));
                prop_assert!(again.as_ref().is_none_or(|again| *again == expected && is_kept));
                prop_assert!(is_little || again.is_some() == is_kept);
            }
            prop_assert!(is_counted(&pages) && is_in_order(&pages));
        }
    }
}

/// Keeps a page of which there is no other.
fn keep(pages: &Pages, of: RoomId, n: u64, seqs: &[Seq], body: &str) {
    let messages = seqs.iter().map(|seq| message(*seq, body)).collect();
    let history = History { messages, has_before: false, has_after: false };
    pages.keep(of, HistoryRange::Latest, &HistoryPage { history, reached: reached(n) }).unwrap();
}

const fn reached(n: u64) -> Reached {
    Reached { n, last_seq: 2 }
}

#[test]
fn a_page_of_another_count_is_not_found_and_an_earlier_one_is_not_kept() {
    let (pages, of) = (Pages::new(PLENTY), room(ROOM));
    let find = |n| pages.find(of, n, HistoryRange::Latest, 1).map(|page| bytes(&page));
    keep(&pages, of, 5, &[1, 2], "five");
    assert!(find(5).is_some_and(|page| page.contains("five")));
    assert_eq!((find(4), find(6)), (None, None));
    keep(&pages, of, 6, &[1, 2], "six");
    assert!(find(6).is_some_and(|page| page.contains("six")));
    keep(&pages, of, 5, &[1, 2], "five");
    assert_eq!(find(5), None);
    assert!(find(6).is_some_and(|page| page.contains("six")));
    assert_eq!(pages.behind(of, 6), None);
    assert_eq!(pages.behind(of, 7), Some(reached(6)));
    assert_eq!(pages.behind(of, 7 + limits::PAGES_BEHIND), None);
    // It is of another moment than that between these two.
    assert_eq!(pages.advance(of, reached(4), reached(5)), Some(6));
    assert_eq!(pages.advance(of, reached(7), reached(9)), Some(6));
    assert_eq!(pages.advance(room(ROOM + 1), reached(4), reached(5)), None);
    assert!(find(6).is_some());
    // Somebody else has brought it further meanwhile, but not as far.
    assert_eq!(pages.advance(of, reached(5), reached(8)), Some(8));
    assert_eq!(pages.advance(of, reached(6), reached(9)), Some(9));
    assert_eq!(find(9), None, "the end is not known any more");
    let before = |n| pages.find(of, n, HistoryRange::Before(2), 1);
    assert!(before(9).is_some() && before(6).is_none(), "what lies before it is");
    pages.forget(of, reached(6));
    assert!(before(9).is_some());
    pages.forget(of, reached(9));
    assert!(before(9).is_none() && is_counted(&pages) && pages.lock().size_bytes == 0);
}

#[test]
fn what_nobody_has_asked_for_the_longest_is_forgotten_first() {
    const MOST: usize = 1 << 20;
    let pages = Pages::new(MOST);
    let body = "x".repeat(MOST / 32);
    for number in 0..64 {
        keep(&pages, room(number), 1, &[1], &body);
        // One is asked for all the time.
        assert!(pages.find(room(0), 1, HistoryRange::Latest, 1).is_some());
        assert!(is_counted(&pages));
    }
    assert!(pages.find(room(1), 1, HistoryRange::Latest, 1).is_none());
    assert!(pages.find(room(63), 1, HistoryRange::Latest, 1).is_some());
    assert!(pages.lock().size_bytes > MOST / 2);
    assert!(pages.lock().rooms.len() < 32, "a room of which nothing is kept takes no memory");
}

#[test]
fn of_one_large_room_too_what_is_asked_for_stays() {
    const MOST: usize = 1 << 20;
    const PAGE: Seq = 4;
    const END: Seq = 400;
    let (pages, of) = (Pages::new(MOST), room(1));
    let body = "x".repeat(MOST / 128);
    // From the newest page back to the first, with a gap before each; the newest is looked at again and again.
    let mut end = END;
    while end > PAGE {
        let messages = (end - PAGE..end).map(|seq| message(seq, &body)).collect();
        let history = History { messages, has_before: true, has_after: end < END };
        let range = if end < END { HistoryRange::Before(end) } else { HistoryRange::Latest };
        pages.keep(of, range, &HistoryPage { history, reached: reached(1) }).unwrap();
        assert!(pages.find(of, 1, HistoryRange::Latest, 4).is_some());
        assert!(is_counted(&pages));
        end -= PAGE + 1;
    }
    let finds = |before| pages.find(of, 1, HistoryRange::Before(before), 4).is_some();
    assert!(finds(end + PAGE + 1) && !finds(END - PAGE - 1));
    assert!(pages.lock().size_bytes > MOST / 2);
}

#[test]
fn who_keeps_nothing_finds_nothing() {
    let (pages, of) = (Pages::new(0), room(1));
    keep(&pages, of, 1, &[1, 2], "of the database");
    assert!(pages.find(of, 1, HistoryRange::Latest, 1).is_none());
    assert!(is_counted(&pages));
}
