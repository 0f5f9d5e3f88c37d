//! The judgement: every client's record held against the database.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use switchback_client::SendError;
use switchback_core::wire::{Ack, Event, Message};
use switchback_core::{MessageId, RoomId, Seq};
use switchback_storage::{HistoryRange, SnapshotData, Store};

use crate::record::{Given, Kind, Record, Seen, said};
use crate::site::Site;

/// More messages than a run writes in one room.
const HISTORY: usize = 100;
const PAGE: usize = 500;

/// What the database says in the end.
struct Truth {
    /// By position: what was said.
    log: BTreeMap<Seq, String>,
    messages: BTreeMap<MessageId, Message>,
}

/// Everything that went against a promise.
pub(crate) async fn check<'r>(
    store: &Store,
    site: &Site,
    records: impl Iterator<Item = &'r Rc<RefCell<Record>>>,
) -> Vec<String> {
    let truth = Truth::read(store, site).await;
    let mut wrongs = Vec::new();
    let mut posts = BTreeMap::new();
    for message in truth.messages.values().filter(|message| !message.deleted) {
        let label = message.body.split(' ').next().unwrap_or_default();
        *posts.entry(label.to_owned()).or_insert(0) += 1;
    }
    wrongs.extend(
        posts
            .iter()
            .filter(|(_, times)| **times > 1)
            .map(|(label, times)| format!("post {label} stands there {times} times")),
    );
    for (number, record) in records.enumerate() {
        let me = record.borrow().me;
        let fresh = store.snapshot(me).await.unwrap();
        let mut record = record.borrow_mut();
        let mut of_this = std::mem::take(&mut record.wrongs);
        let given = std::mem::take(&mut record.given);
        of_this.extend(given.into_iter().filter_map(|given| truth.judge(given)));
        of_this.extend(truth.same_order(&record));
        of_this.extend(same_as_fresh(&fresh, &record, &truth, site));
        wrongs.extend(of_this.into_iter().map(|wrong| format!("client {number}: {wrong}")));
    }
    wrongs
}

impl Truth {
    async fn read(store: &Store, site: &Site) -> Self {
        let mut events: Vec<Event> = Vec::new();
        loop {
            let after = events.last().map_or(0, |event| event.seq);
            let page = store.events_after(after, PAGE).await.unwrap();
            if page.events.is_empty() {
                break;
            }
            events.extend(page.events.into_iter().map(|logged| logged.event));
        }
        let mut messages = BTreeMap::new();
        for room in [site.general, site.secret] {
            let history =
                store.history(site.people[0].id, room, HistoryRange::Latest, HISTORY).await.unwrap().history;
            messages.extend(history.messages.into_iter().map(|message| (message.id, message)));
        }
        let log = events.iter().map(|event| (event.seq, said(event))).collect();
        Self { log, messages }
    }

    /// An acknowledged command is in effect, where its answer says.
    fn judge(&self, mut given: Given) -> Option<String> {
        let label = &given.label;
        let ack = match given.answer.try_recv() {
            Ok(Ok(ack)) => ack,
            // A refusal is an answer; what it may refuse depends on what others did before.
            Ok(Err(SendError::Refused(error))) if !error.retry => return None,
            other => return Some(format!("command {label} was never answered: {other:?}")),
        };
        let Ack { seq, message, .. } = ack;
        let Some(message) = message else { return Some(format!("the answer to {label} has no message")) };
        let about = match given.kind {
            Kind::Post => format!("posted {}", message.id),
            Kind::Edit(id) => format!("edited {id}"),
            Kind::Delete(id) => format!("deleted {id}"),
            Kind::React(id) => format!("reacted {id}"),
        };
        let seq = seq?;
        match self.log.get(&seq) {
            Some(said) if *said == about => {}
            other => return Some(format!("{label} was acknowledged as event {seq}, which is {other:?}")),
        }
        if !self.messages.contains_key(&message.id) {
            return Some(format!("{label} was acknowledged and its message is not there"));
        }
        None
    }

    fn same_order(&self, record: &Record) -> Option<String> {
        let other = record.heard.iter().find(|(seq, said)| self.log.get(seq) != Some(said));
        other.map(|(seq, said)| format!("heard event {seq} as {said}; it is {:?}", self.log.get(seq)))
    }
}

/// Snapshot plus events is a fresh snapshot.
fn same_as_fresh(fresh: &SnapshotData, record: &Record, truth: &Truth, site: &Site) -> Vec<String> {
    let joined = fresh.rooms.iter().filter(|view| view.joined);
    let rooms: BTreeMap<RoomId, u64> = joined.map(|view| (view.room.id, view.n)).collect();
    let mut wrongs = Vec::new();
    if rooms != record.rooms {
        let (known, are) = (named(&record.rooms, site), named(&rooms, site));
        wrongs.push(format!("is in {known} as far as it knows, and in {are}"));
    }
    for (id, seen) in record.messages.iter().filter(|(_, seen)| rooms.contains_key(&seen.room)) {
        let now = truth.messages.get(id).map(Seen::from);
        if now.as_ref() != Some(seen) {
            wrongs.push(format!("believes {seen:?}; it is {now:?}"));
        }
    }
    wrongs
}

/// Rooms by their names, and how far each has come.
fn named(rooms: &BTreeMap<RoomId, u64>, site: &Site) -> String {
    let name = |room: &RoomId| if *room == site.secret { "secret" } else { "general" };
    let rooms: Vec<_> = rooms.iter().map(|(room, n)| format!("{} up to {n}", name(room))).collect();
    if rooms.is_empty() { "no room".to_owned() } else { rooms.join(" and ") }
}
