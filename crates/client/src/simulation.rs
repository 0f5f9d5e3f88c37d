//! What a simulated run drives in place of a session: the decisions about what came, the commands that
//! wait, and a check that can be switched off to see whether the run notices.
//!
//! Only compiled with the feature `simulation`, which no build that is shipped has.

use std::cell::Cell;

pub use crate::course::{Course, Next};
pub use crate::outbox::{Outbox, Reply};

thread_local! {
    static GAPS_OFF: Cell<bool> = const { Cell::new(false) };
}

/// Switches the proof that nothing is missing off or on, for the clients of this thread.
pub fn switch_gap_check(off: bool) {
    GAPS_OFF.set(off);
}

pub(crate) fn is_gap_check_off() -> bool {
    GAPS_OFF.get()
}
