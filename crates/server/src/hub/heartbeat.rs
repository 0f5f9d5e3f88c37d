//! Heartbeats without a timer per connection: a wheel with a slot for each tick of one round. A
//! connection is in one slot for as long as it lives, and its turn comes once a round.

use std::sync::Arc;

use rand::RngExt as _;
use switchback_core::limits as bounds;

use super::Session;
use crate::limits;

/// The connections by their turn.
#[derive(Debug)]
pub(super) struct Wheel {
    slots: Vec<Vec<Arc<Session>>>,
    hand: usize,
}

impl Default for Wheel {
    fn default() -> Self {
        Self { slots: vec![Vec::new(); slots()], hand: 0 }
    }
}

/// Ticks of one round.
fn slots() -> usize {
    let tick_ms = u64::try_from(limits::HEARTBEAT_TICK.as_millis()).unwrap_or(u64::MAX);
    usize::try_from(bounds::HEARTBEAT_MS / tick_ms).unwrap_or(1).max(1)
}

impl Wheel {
    /// A slot for who comes now: its turn is a round away, less up to a tenth of one, so that
    /// connections opened together do not beat together.
    pub(super) fn slot(&self) -> usize {
        let percent = usize::try_from(bounds::HEARTBEAT_SPREAD_PERCENT).unwrap_or_default();
        let early = rand::rng().random_range(0..=self.slots.len() * percent / 100);
        (self.hand + self.slots.len() - early) % self.slots.len()
    }

    pub(super) fn add(&mut self, session: &Arc<Session>) {
        self.slots[session.beat].push(Arc::clone(session));
    }

    pub(super) fn remove(&mut self, session: &Arc<Session>) {
        let slot = &mut self.slots[session.beat];
        if let Some(place) = slot.iter().position(|other| Arc::ptr_eq(other, session)) {
            slot.swap_remove(place);
        }
    }

    /// Goes on by one tick; those whose turn it is.
    pub(super) fn turn(&mut self) -> &[Arc<Session>] {
        self.hand = (self.hand + 1) % self.slots.len();
        &self.slots[self.hand]
    }
}

#[cfg(test)]
mod tests {
    use switchback_core::wire::Transport;
    use switchback_core::{SessionId, TokenId, UserId};
    use switchback_storage::Credential;
    use uuid::Uuid;

    use super::*;
    use crate::hub::Viewer;

    fn session(beat: usize) -> Arc<Session> {
        let viewer = Arc::new(Viewer::new(UserId::from_uuid(Uuid::nil())));
        let credential = Credential::Token(TokenId::from_uuid(Uuid::nil()));
        let id = SessionId::from_uuid(Uuid::nil());
        Arc::new(Session::new(id, credential, Transport::Sse, viewer, beat))
    }

    #[test]
    fn the_first_turn_is_nearly_a_round_away_and_the_next_ones_a_round() {
        let mut wheel = Wheel::default();
        for _ in 0..100 {
            wheel.turn();
            let session = session(wheel.slot());
            wheel.add(&session);
            let mut turns = Vec::new();
            for tick in 1..=2 * slots() {
                if !wheel.turn().is_empty() {
                    turns.push(tick);
                }
            }
            assert!(turns[0] * 10 >= slots() * 9 && turns[0] <= slots(), "{turns:?}");
            assert_eq!(turns[1..], [turns[0] + slots()][..usize::from(turns[0] + slots() <= 2 * slots())]);
            wheel.remove(&session);
        }
    }

    #[test]
    fn each_has_its_turn_once_a_round_until_it_leaves() {
        let mut wheel = Wheel::default();
        let (early, late) = (session(3), session(slots() - 1));
        wheel.add(&early);
        wheel.add(&late);
        let mut round = || (0..slots()).map(|_| wheel.turn().len()).sum::<usize>();
        assert_eq!((round(), round()), (2, 2));
        wheel.remove(&early);
        wheel.remove(&early);
        assert_eq!((0..slots()).map(|_| wheel.turn().len()).sum::<usize>(), 1);
    }
}
