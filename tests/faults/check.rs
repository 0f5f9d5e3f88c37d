//! The judgement over what clients wrote down, held against the database: every acknowledged command
//! in effect, once; no unacknowledged one twice; the same order for everybody; no event missing
//! between those that were seen. Pure: records and the truth in, a verdict out.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use serde_json::Value;

use crate::record::{Given, Record, What, seq_of};
use crate::truth::{Event, Message, Truth};

/// Complaints that are written out of each kind; the count says how many there are.
const SHOWN: usize = 5;

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Commands that were acknowledged.
    pub(crate) acked: usize,
    /// Acknowledged and not so, not told, or never answered.
    pub(crate) lost: Vec<String>,
    /// In effect or told more than once.
    pub(crate) doubled: Vec<String>,
    /// Another order, a gap, a refusal, a client that was told to start over, a state that differs.
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

/// Judges records that have all come to rest at the log's end.
pub(crate) fn check(records: &[Record], truth: &Truth) -> Verdict {
    let mut verdict = Verdict::default();
    log(truth, &mut verdict);
    for record in records {
        verdict.other.extend(record.unwanted.iter().map(|what| format!("{}: {what}", record.name)));
        for given in &record.given {
            answered(record, given, &mut verdict);
        }
        view(record, truth, &mut verdict);
    }
    posts(records, truth, &mut verdict);
    changes(records, truth, &mut verdict);
    reads(records, truth, &mut verdict);
    verdict
}

/// The log itself: dense, and each room counted without a gap.
fn log(truth: &Truth, verdict: &mut Verdict) {
    let mut rooms: HashMap<&str, u64> = HashMap::new();
    for (expected, event) in (1..).zip(&truth.events) {
        if event.seq != expected {
            verdict.other.push(format!("the log has {} where {expected} should be", event.seq));
            return;
        }
        if let (Some(room), Some(n)) = (event.room.as_deref(), event.n) {
            let before = rooms.insert(room, n).unwrap_or_default();
            if n != before + 1 {
                verdict.other.push(format!("the log's n jumps from {before} to {n} at {}", event.seq));
            }
        }
    }
}

/// Whether a command has an answer, and always the same one.
fn answered(record: &Record, given: &Given, verdict: &mut Verdict) {
    let name = &record.name;
    verdict.acked += usize::from(!given.acks.is_empty());
    if !given.settled() {
        verdict.lost.push(format!("{name}: no answer to {}", given.command));
    }
    if given.acks.iter().any(|ack| ack.seq != given.acks[0].seq) {
        verdict.doubled.push(format!("{name}: {:?} for {}", given.acks, given.command));
    }
    if let Some(why) = &given.refused {
        let gone = why.contains("\"gone\"") && given.kind() != "message.post";
        if !gone {
            verdict.other.push(format!("{name}: refused: {why} for {}", given.command));
        }
    }
}

/// Each acknowledged post stands once and where its acks say; each other at most once.
fn posts(records: &[Record], truth: &Truth, verdict: &mut Verdict) {
    let mut stored: HashMap<(&str, &str), Vec<&Message>> = HashMap::new();
    for message in &truth.messages {
        stored.entry((&message.author, &message.nonce)).or_default().push(message);
    }
    let mut posted: HashMap<&str, Vec<u64>> = HashMap::new();
    for event in truth.events.iter().filter(|event| event.kind == "message.posted") {
        posted.entry(event.subject.as_deref().unwrap_or_default()).or_default().push(event.seq);
    }
    for record in records {
        for given in record.given.iter().filter(|given| given.kind() == "message.post") {
            let nonce = given.text("nonce");
            let found = stored.get(&(record.user.as_str(), nonce)).map_or(&[][..], Vec::as_slice);
            let what = format!("{}: post {nonce}", record.name);
            if found.len() > 1 {
                verdict.doubled.push(format!("{what} stands at {found:?}"));
            }
            for Message { seq, id, .. } in found.iter().copied() {
                let told = posted.get(id.as_str()).cloned().unwrap_or_default();
                match told.len() {
                    0 => verdict.lost.push(format!("{what} has no event")),
                    1 if told == [*seq] => {}
                    _ => verdict.doubled.push(format!("{what} at {seq} has events at {told:?}")),
                }
            }
            let Some(ack) = given.acks.first() else { continue };
            if !found.iter().any(|message| Some(message.seq) == ack.seq && message.room == given.text("room"))
            {
                verdict.lost.push(format!("{what} acknowledged at {:?}, stands at {found:?}", ack.seq));
            }
        }
    }
}

/// What a change is about: of which kind of thing there is one series of commands, in order.
type Subject<'a> = (&'a str, String, String);

fn subject<'a>(record: &'a Record, given: &Given) -> Option<Subject<'a>> {
    let message = given.text("message").to_owned();
    match given.kind() {
        "message.edit" => Some(("message.edited", message, String::new())),
        "message.delete" => Some(("message.deleted", message, String::new())),
        "reaction.add" | "reaction.remove" => {
            let of_whom = format!("{} {}", record.user, given.text("emoji"));
            Some(("reaction", message, of_whom))
        }
        _ => None,
    }
}

fn subject_of(event: &Event) -> Option<Subject<'_>> {
    let message = event.subject.clone().unwrap_or_default();
    match event.kind.as_str() {
        "message.edited" | "message.deleted" => Some((&event.kind, message, String::new())),
        "reaction.added" | "reaction.removed" => {
            let actor = event.actor.as_deref().unwrap_or_default();
            Some(("reaction", message, format!("{actor} {}", event.detail.as_deref().unwrap_or_default())))
        }
        _ => None,
    }
}

/// Edits, deletions and reactions: as many events as commands that had to have an effect.
fn changes(records: &[Record], truth: &Truth, verdict: &mut Verdict) {
    let mut happened: HashMap<Subject<'_>, Vec<&Event>> = HashMap::new();
    for event in &truth.events {
        if let Some(subject) = subject_of(event) {
            happened.entry(subject).or_default().push(event);
        }
    }
    let mut given: BTreeMap<Subject<'_>, Vec<&Given>> = BTreeMap::new();
    for record in records {
        for command in &record.given {
            if let Some(subject) = subject(record, command) {
                given.entry(subject).or_default().push(command);
            }
        }
    }
    for (subject, series) in &given {
        let events = happened.remove(subject).unwrap_or_default();
        effects(subject, series, &events, truth, verdict);
    }
    for (subject, events) in happened {
        verdict.other.push(format!("{subject:?}: nobody asked for the event at {}", events[0].seq));
    }
}

fn effects(
    subject: &Subject<'_>,
    series: &[&Given],
    events: &[&Event],
    truth: &Truth,
    verdict: &mut Verdict,
) {
    // Of what was not acknowledged nobody knows whether it is so; it must not be so twice.
    let acked: Vec<&Given> = series.iter().copied().filter(|given| !given.acks.is_empty()).collect();
    let unsure = series.len() - acked.len();
    let least = match subject.0 {
        "message.edited" => acked.len(),
        "message.deleted" => usize::from(!acked.is_empty()),
        // It takes turns: adding what is there, or removing what is not, is nothing.
        _ => turns(&acked),
    };
    let found = events.len();
    if found < least {
        verdict.lost.push(format!("{subject:?}: {least} in effect, {found} in the log"));
    }
    if found > least + unsure {
        verdict.doubled.push(format!("{subject:?}: {least} in effect, {found} in the log"));
    }
    for ack in acked.iter().filter_map(|given| given.acks[0].seq) {
        if !events.iter().any(|event| event.seq == ack) {
            verdict
                .lost
                .push(format!("{subject:?}: acknowledged at {ack}, where the log has something else"));
        }
    }
    let (Some(newest), 0) = (acked.last(), unsure) else { return };
    let Some(message) = truth.messages.iter().find(|message| message.id == subject.1) else { return };
    let stands = match (subject.0, message.deleted_seq) {
        ("message.deleted", deleted) => deleted.is_some() && message.body.is_empty(),
        (_, Some(_)) => true,
        ("message.edited", None) => message.body == newest.text("body"),
        (_, None) => {
            let is_there = truth.reactions.iter().any(|(message, emoji, user)| {
                (message, format!("{user} {emoji}")) == (&subject.1, subject.2.clone())
            });
            is_there == (newest.kind() == "reaction.add")
        }
    };
    if !stands {
        verdict.lost.push(format!("{subject:?}: the last acknowledged change is not how it stands"));
    }
}

fn turns(series: &[&Given]) -> usize {
    let mut there = false;
    series
        .iter()
        .filter(|given| std::mem::replace(&mut there, given.kind() == "reaction.add") != there)
        .count()
}

/// Read marks go forward only; in the end they stand at the furthest that was acknowledged.
fn reads(records: &[Record], truth: &Truth, verdict: &mut Verdict) {
    for (room, user, stands) in &truth.reads {
        let marks = records.iter().filter(|record| record.user == *user).flat_map(|record| &record.given);
        let marks: Vec<&Given> =
            marks.filter(|given| given.kind() == "read.mark" && given.text("room") == room).collect();
        let furthest = |marks: &mut dyn Iterator<Item = &&Given>| {
            marks.filter_map(|given| given.command["seq"].as_u64()).max()
        };
        let acked = furthest(&mut marks.iter().filter(|given| !given.acks.is_empty())).unwrap_or_default();
        let most = furthest(&mut marks.iter()).unwrap_or_default();
        if *stands < acked || (*stands > most && most > 0) {
            verdict.lost.push(format!("{user} has read up to {acked} of {most}, and stands at {stands}"));
        }
        let events = truth.events.iter().filter(|event| {
            event.kind == "read.marked"
                && event.room.as_ref() == Some(room)
                && event.actor.as_ref() == Some(user)
        });
        let positions: Vec<u64> = events.filter_map(|event| event.detail.as_ref()?.parse().ok()).collect();
        if positions.windows(2).any(|pair| pair[0] >= pair[1]) {
            verdict.doubled.push(format!("{user}'s read marks do not go forward: {positions:?}"));
        }
    }
}

/// What a client was told: from where it began, exactly what the log has for it, in the log's order,
/// to the end; where it was told to start over, from there.
fn view(record: &Record, truth: &Truth, verdict: &mut Verdict) {
    let name = &record.name;
    let mut after = cursor(&record.begun);
    let mut seen: Vec<&Value> = Vec::new();
    for told in &record.told {
        match &told.what {
            What::Event(event) => seen.push(event),
            What::Reset(snapshot) => {
                verdict.other.push(format!("{name}: told to start over at {}", snapshot["cursor"]));
                run(record, truth, after, &seen, false, verdict);
                (after, seen) = (cursor(snapshot), Vec::new());
            }
            What::Hello(_) => {}
        }
    }
    run(record, truth, after, &seen, true, verdict);
}

fn cursor(snapshot: &Value) -> u64 {
    seq_of(snapshot["cursor"].as_str().unwrap_or_default())
}

/// A run of events without an interruption.
fn run(record: &Record, truth: &Truth, after: u64, seen: &[&Value], to_end: bool, verdict: &mut Verdict) {
    let name = &record.name;
    let seqs: Vec<u64> = seen.iter().filter_map(|event| event["seq"].as_u64()).collect();
    let mut once = HashSet::new();
    verdict
        .doubled
        .extend(seqs.iter().filter(|seq| !once.insert(**seq)).map(|seq| format!("{name}: {seq} twice")));
    let ordered = seqs.windows(2).all(|pair| pair[0] < pair[1]);
    if !ordered {
        verdict.other.push(format!("{name}: not in the log's order"));
    }
    let end = if to_end { u64::MAX } else { seqs.last().copied().unwrap_or_default() };
    let expected = truth.events.iter().filter(|event| event.seq > after && event.seq <= end);
    let expected: Vec<&Event> = expected.filter(|event| Truth::shows(event, &record.user)).collect();
    let mut have: HashMap<u64, &Value> =
        seen.iter().filter_map(|event| Some((event["seq"].as_u64()?, *event))).collect();
    for event in expected {
        match have.remove(&event.seq) {
            None => verdict.lost.push(format!("{name}: was not told {} at {}", event.kind, event.seq)),
            Some(told) if same(told, event) => {}
            Some(told) => verdict.other.push(format!("{name}: told {told} for {event:?}")),
        }
    }
    verdict.other.extend(have.keys().map(|seq| format!("{name}: told {seq}, which was not for it")));
}

fn same(told: &Value, event: &Event) -> bool {
    told["type"] == *event.kind
        && told["n"].as_u64() == event.n
        && told["room"].as_str() == event.room.as_deref()
}
