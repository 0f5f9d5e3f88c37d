//! The judge judged: a good run is clean, and each kind of wrong that is put into it is found.

use serde_json::{Value, json};

use crate::check::{Verdict, check};
use crate::plan::Way;
use crate::record::{Ack, Given, Record, Told, What};
use crate::truth::{Event, Message, Truth};

const ROOM: &str = "room";

fn event(seq: u64, kind: &str, n: Option<u64>, detail: Option<&str>) -> Event {
    let subject = Some(if kind == "message.posted" && seq == 2 { "m2" } else { "m1" }.to_owned());
    let (room, actor) = (Some(ROOM.to_owned()), Some("ada".to_owned()));
    Event { seq, kind: kind.to_owned(), room, actor, subject, n, detail: detail.map(str::to_owned) }
}

/// Two posts, an edit of the first, a reaction to it, a read mark, the second deleted.
fn truth() -> Truth {
    let mut deleted = event(6, "message.deleted", Some(5), None);
    deleted.subject = Some("m2".to_owned());
    let events = vec![
        event(1, "message.posted", Some(1), None),
        event(2, "message.posted", Some(2), None),
        event(3, "message.edited", Some(3), None),
        event(4, "reaction.added", Some(4), Some("+")),
        event(5, "read.marked", None, Some("2")),
        deleted,
    ];
    let message = |seq: u64, body: &str, deleted_seq| Message {
        seq,
        id: format!("m{seq}"),
        room: ROOM.to_owned(),
        author: "ada".to_owned(),
        nonce: format!("nonce {seq}"),
        body: body.to_owned(),
        deleted_seq,
    };
    Truth {
        events,
        messages: vec![message(1, "better", None), message(2, "", Some(6))],
        reactions: vec![("m1".to_owned(), "+".to_owned(), "ada".to_owned())],
        reads: vec![(ROOM.to_owned(), "ada".to_owned(), 2)],
    }
}

fn given(command: Value, seq: Option<u64>) -> Given {
    Given { command, acks: vec![Ack { seq, message: None }], refused: None }
}

fn record(user: &str, given: Vec<Given>) -> Record {
    let told = |event: &Event| Told {
        at_ms: event.seq * 1_000,
        what: What::Event(json!({"type": event.kind, "seq": event.seq, "n": event.n, "room": event.room})),
    };
    let truth = truth();
    Record {
        name: format!("{user}'s"),
        user: user.to_owned(),
        way: Way::Sse,
        begun: json!({"cursor": "epoch.0"}),
        told: truth.events.iter().filter(|event| Truth::shows(event, user)).map(told).collect(),
        given,
        unwanted: Vec::new(),
    }
}

fn run() -> (Vec<Record>, Truth) {
    let given = vec![
        given(json!({"type": "message.post", "room": ROOM, "nonce": "nonce 1"}), Some(1)),
        given(json!({"type": "message.post", "room": ROOM, "nonce": "nonce 2"}), Some(2)),
        given(json!({"type": "message.edit", "message": "m1", "body": "better"}), Some(3)),
        given(json!({"type": "reaction.add", "message": "m1", "emoji": "+"}), Some(4)),
        given(json!({"type": "read.mark", "room": ROOM, "seq": 2}), Some(5)),
        given(json!({"type": "message.delete", "message": "m2"}), Some(6)),
    ];
    (vec![record("ada", given), record("bob", Vec::new())], truth())
}

/// The verdict over the good run with something done to it.
fn doctored(doctor: impl FnOnce(&mut Vec<Record>, &mut Truth)) -> Verdict {
    let (mut records, mut truth) = run();
    doctor(&mut records, &mut truth);
    check(&records, &truth)
}

fn lost(doctor: impl FnOnce(&mut Vec<Record>, &mut Truth)) {
    let verdict = doctored(doctor);
    assert!(!verdict.lost.is_empty(), "{verdict}");
}

fn doubled(doctor: impl FnOnce(&mut Vec<Record>, &mut Truth)) {
    let verdict = doctored(doctor);
    assert!(!verdict.doubled.is_empty(), "{verdict}");
}

fn other(what: &str, doctor: impl FnOnce(&mut Vec<Record>, &mut Truth)) {
    let verdict = doctored(doctor);
    assert!(verdict.other.iter().any(|complaint| complaint.contains(what)), "{verdict}");
}

#[test]
fn a_good_run_is_clean() {
    assert_eq!(doctored(|_, _| {}), Verdict { acked: 6, ..Verdict::default() });
}

#[test]
fn a_command_that_is_not_in_effect_is_lost() {
    lost(|_, truth| drop(truth.messages.remove(0)));
    lost(|_, truth| truth.messages[0].seq = 9);
    lost(|_, truth| truth.messages[0].room = "elsewhere".to_owned());
    lost(|_, truth| truth.messages[0].body = "as it was".to_owned());
    lost(|_, truth| truth.messages[1].deleted_seq = None);
    lost(|_, truth| truth.reactions.clear());
    lost(|_, truth| truth.reads[0].2 = 1);
    lost(|_, truth| truth.events[2].kind = "room.renamed".to_owned());
    lost(|_, truth| truth.events[3].detail = Some("-".to_owned()));
}

#[test]
fn a_command_without_an_answer_is_lost() {
    lost(|records, _| records[0].given[0].acks.clear());
}

#[test]
fn a_command_in_effect_twice_is_doubled() {
    doubled(|_, truth| {
        let twice = Message { seq: 7, id: "m7".to_owned(), ..truth.messages[0].clone() };
        truth.messages.push(twice);
    });
    doubled(|_, truth| truth.events.push(event(7, "message.posted", Some(6), None)));
    doubled(|_, truth| truth.events.push(event(7, "message.edited", Some(6), None)));
    doubled(|_, truth| truth.events.push(event(7, "reaction.added", Some(6), Some("+"))));
    doubled(|_, truth| truth.events.push(event(7, "read.marked", None, Some("2"))));
}

#[test]
fn a_command_that_nobody_knows_of_may_be_in_effect_once_but_not_twice() {
    let unanswered = |records: &mut Vec<Record>| records[0].given[2].acks.clear();
    let verdict = doctored(|records, _| unanswered(records));
    assert!(verdict.doubled.is_empty() && verdict.lost.len() == 1, "{verdict}");
    doubled(|records, truth| {
        unanswered(records);
        truth.events.push(event(7, "message.edited", Some(6), None));
    });
}

#[test]
fn two_answers_for_one_nonce_are_doubled() {
    doubled(|records, _| records[0].given[0].acks.push(Ack { seq: Some(2), message: None }));
}

#[test]
fn an_event_that_a_client_was_not_told_is_lost_at_the_end_too() {
    lost(|records, _| drop(records[1].told.remove(2)));
    lost(|records, _| drop(records[1].told.pop()));
    lost(|records, _| drop(records[1].told.remove(0)));
}

#[test]
fn an_event_told_twice_is_doubled() {
    doubled(|records, _| {
        let again = records[1].told[1].clone();
        records[1].told.insert(2, again);
    });
}

#[test]
fn another_order_is_found() {
    other("order", |records, _| records[1].told.swap(0, 1));
}

#[test]
fn what_was_not_for_this_person_is_found() {
    other("not for it", |records, _| {
        let read = records[0].told[4].clone();
        records[1].told.insert(4, read);
    });
}

#[test]
fn another_event_than_the_logs_is_found() {
    other("told", |records, _| {
        let What::Event(event) = &mut records[1].told[0].what else { panic!("no event") };
        event["n"] = 9.into();
    });
}

#[test]
fn a_gap_in_the_log_or_in_a_rooms_count_is_found() {
    other("the log has 2", |_, truth| drop(truth.events.remove(0)));
    other("n jumps", |_, truth| truth.events[1].n = Some(3));
}

#[test]
fn what_nobody_asked_for_is_found() {
    other("nobody asked", |records, _| drop(records[0].given.remove(2)));
}

#[test]
fn a_start_over_a_refusal_and_an_end_are_found() {
    other("start over", |records, _| {
        let what = What::Reset(json!({"cursor": "epoch.6"}));
        records[1].told.push(Told { at_ms: 0, what });
    });
    other("refused", |records, _| {
        records[0].given[0].refused = Some("{\"code\":\"forbidden\"}".to_owned());
    });
    other("stop", |records, _| records[0].unwanted.push("told to stop".to_owned()));
}

#[test]
fn silence_is_the_longest_pause_the_ends_included() {
    let (records, _) = run();
    assert_eq!(records[1].silence_ms(0, 7_000), 2_000);
    assert_eq!(records[1].silence_ms(1_000, 2_000), 1_000);
    assert_eq!(records[1].silence_ms(6_500, 9_000), 2_500);
}
