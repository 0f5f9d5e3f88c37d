//! Whom new events are written to directly, each connection once whatever of them is for it.

use std::sync::Arc;

use switchback_core::Seq;

use super::lane::Selection;
use super::session::Session;
use super::state::Connections;

/// Connections, with those of the events that are for them. A connection is not counted as held once more for it:
/// to touch thousands of counts costs as much as to find whom they belong to.
#[derive(Debug)]
pub(super) struct Whom {
    /// Whoever listens where the events happened: one list, or several.
    listening: Vec<Connections>,
    chosen: Chosen,
}

#[derive(Debug)]
enum Chosen {
    /// So many of the one list, each with all events.
    First(usize, Selection),
    /// These, by list and number in it.
    These(Vec<(usize, usize, Selection)>),
}

impl Whom {
    /// Of those who listen to each of the events with which the log ends at `head`, at most so many; the
    /// others are woken.
    pub(super) fn of(mut listening: Vec<Connections>, head: Seq, most: usize) -> Self {
        let events = listening.len();
        let is_one_list = listening.windows(2).all(|two| Arc::ptr_eq(&two[0], &two[1]));
        if most > 0 && is_one_list {
            listening.truncate(1);
            let chosen = most.min(listening.first().map_or(0, |all| all.len()));
            listening.iter().flat_map(|all| &all[chosen..]).for_each(|session| session.wake());
            return Self { listening, chosen: Chosen::First(chosen, Selection::first(events)) };
        }
        let mut these: Vec<(usize, usize, Selection)> = Vec::new();
        for (event, all) in listening.iter().enumerate() {
            for (number, session) in all.iter().enumerate() {
                let next = these.len();
                match these.get_mut(session.place(head, next)) {
                    Some((_, _, theirs)) => theirs.add(event),
                    None if next < most => these.push((event, number, Selection::only(event))),
                    None => session.wake(),
                }
            }
        }
        Self { listening, chosen: Chosen::These(these) }
    }

    /// How many connections they are.
    pub(super) fn len(&self) -> usize {
        match &self.chosen {
            Chosen::First(chosen, _) => *chosen,
            Chosen::These(these) => these.len(),
        }
    }

    /// One of them, with what is for it.
    pub(super) fn get(&self, index: usize) -> Option<(&Session, Selection)> {
        let (list, number, theirs) = match &self.chosen {
            Chosen::First(chosen, all) => (index < *chosen).then_some((0, index, *all))?,
            Chosen::These(these) => *these.get(index)?,
        };
        Some((self.listening.get(list)?.get(number)?, theirs))
    }
}
