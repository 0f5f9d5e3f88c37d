use std::ops::Range;

use proptest::prelude::*;
use switchback_core::wire::Timestamp;
use switchback_core::{MessageId, Nonce, UserId};
use uuid::Uuid;

use super::*;

const ROOM: u128 = 7;

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

/// What the database would say.
fn read(all: &[Seq], range: HistoryRange, limit: usize) -> History {
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
    let messages = all[start..end].iter().map(|seq| message(*seq, "as it was")).collect();
    History { messages, has_before: start > 0, has_after: end < all.len() }
}

fn bytes(page: &EncodedHistory) -> String {
    String::from_utf8(page.encode()).unwrap()
}

fn range() -> impl Strategy<Value = HistoryRange> {
    let seq = || prop_oneof![9 => 0_u64..130, 1 => Just(Seq::MAX)];
    prop_oneof![
        1 => Just(HistoryRange::Latest),
        4 => seq().prop_map(HistoryRange::Before),
        4 => seq().prop_map(HistoryRange::After),
        1 => seq().prop_map(HistoryRange::Around),
    ]
}

proptest! {
    #[test]
    fn whatever_is_found_is_what_would_be_read(
        mut all in prop::collection::btree_set(1_u64..100, 0..60).prop_map(Vec::from_iter),
        asked in prop::collection::vec((range(), 1_usize..12, prop::bool::weighted(0.1)), 1..80),
    ) {
        let (pages, mut n) = (Pages::default(), 1);
        let reached = |all: &[Seq], n| Reached { n, last_seq: all.last().copied().unwrap_or_default() };
        for (range, limit, post) in asked {
            if post {
                let before = reached(&all, n);
                all.push(all.last().map_or(1, |last| last + 2));
                pages.advance(room(ROOM), before, reached(&all, n + 1));
                n += 1;
            }
            let page = HistoryPage { history: read(&all, range, limit), reached: reached(&all, n) };
            let expected = bytes(&Pages::default().keep(room(ROOM), range, &page).unwrap());
            if let Some(found) = pages.find(room(ROOM), n, range, limit) {
                prop_assert_eq!(bytes(&found), expected);
            } else {
                pages.keep(room(ROOM), range, &page).unwrap();
                let again = pages.find(room(ROOM), n, range, limit);
                let is_kept = !page.history.messages.is_empty() && !matches!(range, HistoryRange::Around(_));
                prop_assert_eq!(again.map(|page| bytes(&page)), is_kept.then_some(expected));
            }
        }
    }
}

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
    let (pages, of) = (Pages::default(), room(ROOM));
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
    // Somebody else has brought it further meanwhile.
    pages.advance(of, reached(5), reached(9));
    assert!(find(6).is_some());
    pages.advance(of, reached(6), reached(9));
    assert_eq!(find(9), None, "the end is not known any more");
    let before = |n| pages.find(of, n, HistoryRange::Before(2), 1);
    assert!(before(9).is_some() && before(6).is_none(), "what lies before it is");
}

#[test]
fn what_is_kept_is_bounded_and_the_longest_unused_goes_first() {
    let pages = Pages::default();
    let body = "x".repeat(1024 * 1024);
    let most = u128::try_from(limits::PAGES_BYTES / body.len()).unwrap();
    for number in 0..2 * most {
        keep(&pages, room(number), 1, &[1], &body);
        // One is asked for all the time.
        assert!(pages.find(room(0), 1, HistoryRange::Latest, 1).is_some());
        assert!(pages.lock().size_bytes <= limits::PAGES_BYTES);
    }
    assert!(pages.find(room(1), 1, HistoryRange::Latest, 1).is_none());
    assert!(pages.find(room(2 * most - 1), 1, HistoryRange::Latest, 1).is_some());
    let kept = pages.lock();
    assert_eq!(kept.size_bytes, kept.rooms.values().map(|room| room.size_bytes).sum::<usize>());
}

#[test]
fn of_a_room_that_is_too_large_by_itself_what_is_new_is_kept() {
    const PAGE: Seq = 4;
    let (pages, of) = (Pages::default(), room(1));
    let body = "x".repeat(1024 * 1024);
    let last = Seq::try_from(2 * limits::PAGES_BYTES / body.len()).unwrap();
    // From the newest page back to the first, with a gap before each.
    let mut end = last;
    while end > PAGE {
        let messages = (end - PAGE..end).map(|seq| message(seq, &body)).collect();
        let history = History { messages, has_before: true, has_after: end < last };
        let page = HistoryPage { history, reached: reached(1) };
        pages.keep(of, HistoryRange::Before(end), &page).unwrap();
        assert!(pages.lock().size_bytes <= limits::PAGES_BYTES);
        end -= PAGE + 1;
    }
    let newest = pages.find(of, 1, HistoryRange::Latest, 4).unwrap();
    assert_eq!(newest.messages.len(), 4);
    let kept = pages.lock();
    let room = &kept.rooms[&of];
    // Besides the newest there is what was read last.
    let is_between = |run: &Run| (last / 4..last / 8 * 3).contains(&run.from);
    assert!(!room.runs.iter().any(is_between));
    assert!(room.runs.iter().all(|run| run.from == run.messages[0].seq));
    assert!(kept.size_bytes > limits::PAGES_BYTES / 2, "{}", kept.size_bytes);
    let counted: usize = room.runs.iter().flat_map(|run| &run.messages).map(Kin::size_bytes).sum();
    assert_eq!((kept.size_bytes, room.size_bytes), (counted, counted));
}
