//! Everybody's presence as every new connection is told it, encoded once for many of them.
//!
//! After a restart thousands come within seconds, each changes the list, and each is owed all of it:
//! encoded for each, that is time and memory by the square of their number. So a list that does not
//! fit into one frame is shared for a moment, together with the position among the ephemeral frames
//! as of which it is true: what changed since is told from there on, as to everybody else. A short
//! list is always as of now.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use switchback_core::wire::{PresenceChange, ServerFrame};

use crate::limits;
use crate::log::Frame;

/// The list, and the position as of which it is true.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub(super) frames: Arc<[Arc<Frame>]>,
    pub(super) seen: u64,
    at: Instant,
}

impl Listed {
    pub(super) fn new(people: &[PresenceChange], seen: u64, at: Instant) -> Self {
        let frame = |full, changes: &[PresenceChange]| {
            Frame::server(&ServerFrame::Presence { full, changes: changes.to_vec() })
        };
        let first = people.len().min(limits::PRESENCE_CHANGES);
        let (first, others) = people.split_at(first);
        let others = others.chunks(limits::PRESENCE_CHANGES).map(|changes| frame(false, changes));
        Self { frames: std::iter::once(frame(true, first)).chain(others).collect(), seen, at }
    }

    /// Whether it can still be told at `now`.
    fn is_good(&self, now: Instant) -> bool {
        self.frames.len() > 1 && now.saturating_duration_since(self.at) < limits::PRESENCE_EVERY
    }
}

/// The newest list.
#[derive(Debug, Default)]
pub(super) struct Newest(Mutex<Option<Listed>>);

impl Newest {
    /// The list that is shared now; where there is none, `make` makes one.
    pub(super) fn get(&self, now: Instant, make: impl FnOnce() -> Listed) -> Listed {
        // Held while it is made: whoever comes meanwhile takes the same.
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listed) = newest.as_ref().filter(|listed| listed.is_good(now)) {
            return listed.clone();
        }
        newest.insert(make()).clone()
    }
}

#[cfg(test)]
mod tests {
    use switchback_core::UserId;
    use switchback_core::wire::PresenceState;
    use uuid::Uuid;

    use super::*;

    fn people(count: usize) -> Vec<PresenceChange> {
        let person = |number: usize| PresenceChange {
            user: UserId::from_uuid(Uuid::from_u128(number as u128)),
            state: PresenceState::Online,
        };
        (0..count).map(person).collect()
    }

    #[test]
    fn a_long_list_is_made_once_for_all_who_come_in_the_same_moment() {
        let (newest, now) = (Newest::default(), Instant::now());
        let count = limits::PRESENCE_CHANGES * 2 + 1;
        let first = newest.get(now, || Listed::new(&people(count), 7, now));
        assert_eq!((first.frames.len(), first.seen), (3, 7));
        let soon = newest.get(now + limits::PRESENCE_EVERY / 2, || unreachable!("it is still good"));
        assert!(Arc::ptr_eq(&first.frames, &soon.frames));
        let later = now + limits::PRESENCE_EVERY;
        let later = newest.get(later, || Listed::new(&people(count), 8, later));
        assert_eq!(later.seen, 8, "what is told is never older than a moment");
    }

    #[test]
    fn a_short_list_is_always_as_of_now() {
        let (newest, now) = (Newest::default(), Instant::now());
        let told = |count| newest.get(now, || Listed::new(&people(count), 0, now)).frames;
        assert_eq!(told(0).len(), 1, "nobody is a list too");
        let (one, two) = (told(1), told(2));
        assert!(!Arc::ptr_eq(&one, &two) && one[0].json != two[0].json);
    }
}
