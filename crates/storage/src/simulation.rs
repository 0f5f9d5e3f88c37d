//! What a simulated run needs of the store: a schedule that decides when an operation reaches the
//! database and when its answer arrives, and a guard that can be switched off to see whether the run
//! notices.
//!
//! Everything is kept per thread, because a simulation is one thread; a thread that has not called
//! [`begin`] is not concerned. Only compiled with the feature `simulation`, which no build that is
//! shipped has.

use std::cell::Cell;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use switchback_core::Nonce;

use crate::tx::new_id;
use crate::{NewMessage, limits};

thread_local! {
    static STATE: State = State::new();
}

struct State {
    scheduled: Cell<bool>,
    granted: Cell<bool>,
    waiting: Cell<bool>,
    under_way: Arc<AtomicUsize>,
    nonces_off: Cell<bool>,
    one_reader: Cell<bool>,
}

impl State {
    fn new() -> Self {
        Self {
            scheduled: Cell::new(false),
            granted: Cell::new(false),
            waiting: Cell::new(false),
            under_way: Arc::default(),
            nonces_off: Cell::new(false),
            one_reader: Cell::new(false),
        }
    }
}

/// From now on, operations of this thread wait until they are granted their turn.
pub fn begin() {
    STATE.with(|state| state.scheduled.set(true));
}

/// Operations wait no longer.
pub fn end() {
    STATE.with(|state| {
        state.scheduled.set(false);
        state.granted.set(false);
        state.waiting.set(false);
    });
}

/// Lets the next operation that is polled have its turn.
pub fn grant() {
    STATE.with(|state| state.granted.set(true));
}

/// Whether an operation that was polled since the last call waits for its turn.
pub fn was_waiting() -> bool {
    STATE.with(|state| {
        state.granted.set(false);
        state.waiting.take()
    })
}

/// Operations that the database is working on.
pub fn under_way() -> usize {
    STATE.with(|state| state.under_way.load(Ordering::Relaxed))
}

/// Several stores of this process are nodes of one workspace.
pub(crate) fn is_shared() -> bool {
    is_scheduled()
}

/// Whether this thread's operations wait for their turn.
pub(crate) fn is_scheduled() -> bool {
    STATE.with(|state| state.scheduled.get())
}

/// Stores that this thread opens from now on read over one connection each: one operation is under way
/// at a time, and every further connection would only have to get to know the database.
pub fn read_over_one_connection() {
    STATE.with(|state| state.one_reader.set(true));
}

/// Connections of a store that read.
pub(crate) fn readers() -> u32 {
    STATE.with(|state| if state.one_reader.get() { 1 } else { limits::READERS })
}

/// Switches the nonce's uniqueness off or on: every try of a post is then a post of its own.
pub fn switch_nonces(off: bool) {
    STATE.with(|state| state.nonces_off.set(off));
}

/// The post as the store would take it without the uniqueness of nonces.
pub(crate) fn perhaps_renamed(new: NewMessage) -> NewMessage {
    if STATE.with(|state| state.nonces_off.get()) {
        return NewMessage { nonce: Nonce::from_uuid(new_id()), ..new };
    }
    new
}

/// Held while the database is asked. Where nothing is scheduled it may end on another thread than it
/// began on; it counts where it began.
#[derive(Debug)]
pub(crate) struct Turn {
    under_way: Arc<AtomicUsize>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The turn at the database.
pub(crate) async fn turn() -> Turn {
    granted().await;
    let under_way = STATE.with(|state| Arc::clone(&state.under_way));
    under_way.fetch_add(1, Ordering::Relaxed);
    Turn { under_way }
}

/// The database's answer arrives.
pub(crate) async fn answer() {
    granted().await;
}

async fn granted() {
    poll_fn(|_| {
        STATE.with(|state| {
            if !state.scheduled.get() || state.granted.take() {
                return Poll::Ready(());
            }
            state.waiting.set(true);
            Poll::Pending
        })
    })
    .await;
}
