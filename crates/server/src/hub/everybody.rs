//! Everybody's presence as every connection begins with it: encoded once for all who come between
//! two changes. After a restart thousands come within seconds, and each is told of all the others.

use std::sync::{Arc, Mutex, PoisonError};

use switchback_core::wire::{PresenceChange, ServerFrame};

use crate::limits;
use crate::log::Frame;

/// The list that was last asked for.
#[derive(Debug, Default)]
pub(super) struct Everybody(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    /// Which list it is; `None`: nobody asked yet.
    edition: Option<u64>,
    frames: Arc<[Arc<Frame>]>,
}

impl Everybody {
    /// The frames of the list that counts now. `now` is told which one is at hand, and says from which
    /// position on it is true, and which one counts if it is another.
    pub(super) fn frames(
        &self,
        now: impl FnOnce(Option<u64>) -> (u64, Option<(u64, Vec<PresenceChange>)>),
    ) -> (u64, Arc<[Arc<Frame>]>) {
        // Held while the list is encoded: whoever else asks would encode the same.
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (position, other) = now(told.edition);
        if let Some((edition, changes)) = other {
            *told = Told { edition: Some(edition), frames: encoded(changes, true).into() };
        }
        (position, Arc::clone(&told.frames))
    }
}

/// A list in frames of a bounded size; of one that is `full` the first says so.
pub(super) fn encoded(changes: Vec<PresenceChange>, full: bool) -> Vec<Arc<Frame>> {
    let frame = |full, changes: &[PresenceChange]| {
        Frame::server(&ServerFrame::Presence { full, changes: changes.to_vec() })
    };
    if changes.is_empty() {
        return vec![frame(full, &[])];
    }
    let pieces = changes.chunks(limits::PRESENCE_CHANGES).enumerate();
    pieces.map(|(number, changes)| frame(full && number == 0, changes)).collect()
}
