//! Where operations wait for the writer. Who takes them says how many are worth waking up for: while a
//! group gathers, the first of them need not wake anybody.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// The end that puts. Dropped, it closes the queue.
pub(super) struct Sender<T>(Arc<Queue<T>>);

/// The end that takes. Dropped, it closes the queue, and what waits is dropped with it.
pub(super) struct Receiver<T>(Arc<Queue<T>>);

/// Why something was not put.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Full,
    Closed,
}

/// The lock is held for an instant, never across an `await`.
struct Queue<T>(Mutex<State<T>>);

struct State<T> {
    waiting: VecDeque<T>,
    most: usize,
    closed: bool,
    /// Who takes, and for how many they are woken.
    woken: Option<(usize, Waker)>,
}

/// A queue of at most so many.
pub(super) fn queue<T>(most: usize) -> (Sender<T>, Receiver<T>) {
    let state = State { waiting: VecDeque::new(), most, closed: false, woken: None };
    let queue = Arc::new(Queue(Mutex::new(state)));
    (Sender(Arc::clone(&queue)), Receiver(queue))
}

impl<T> Sender<T> {
    pub(super) fn put(&self, item: T) -> Result<(), Refused> {
        let mut state = self.0.state();
        if state.closed {
            return Err(Refused::Closed);
        }
        if state.waiting.len() >= state.most {
            return Err(Refused::Full);
        }
        state.waiting.push_back(item);
        let waiting = state.waiting.len();
        let woken = state.woken.take_if(|(least, _)| waiting >= *least);
        drop(state);
        if let Some((_, waker)) = woken {
            waker.wake();
        }
        Ok(())
    }

    /// Nothing more is put. What waits is still taken.
    pub(super) fn close(&self) {
        self.0.close();
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.0.state().waiting.len()
    }
}

impl<T> Receiver<T> {
    /// Waits until so many wait, or the queue is closed.
    pub(super) async fn holds(&mut self, least: usize) {
        poll_fn(|cx| {
            let mut state = self.0.state();
            if state.closed || state.waiting.len() >= least {
                return Poll::Ready(());
            }
            state.woken = Some((least, cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    /// Takes at most so many of what waits.
    pub(super) fn take(&mut self, most: usize, into: &mut Vec<T>) {
        let mut state = self.0.state();
        // Whoever waited for more does so no longer.
        state.woken = None;
        let most = most.min(state.waiting.len());
        into.extend(state.waiting.drain(..most));
    }
}

/// Never shows what waits: it must not reach a log.
impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sender({} waiting)", self.len())
    }
}

impl<T> Queue<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        let woken = {
            let mut state = self.state();
            state.closed = true;
            state.woken.take()
        };
        if let Some((_, waker)) = woken {
            waker.wake();
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.0.close();
        // Not under the lock: what is dropped may tell somebody.
        let waiting = std::mem::take(&mut self.0.state().waiting);
        drop(waiting);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Wake};

    use futures_util::FutureExt as _;

    use super::*;

    /// How often it was woken.
    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn who_takes_is_woken_once_and_for_as_many_as_they_wait_for() {
        let (sender, mut receiver) = queue(8);
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        let mut waits = Box::pin(receiver.holds(3));
        assert!(waits.poll_unpin(&mut cx).is_pending());
        let counts = [0, 1, 2, 3].map(|number| {
            sender.put(number).unwrap();
            woken.0.load(Ordering::Relaxed)
        });
        assert_eq!(counts, [0, 0, 1, 1]);
        assert!(waits.poll_unpin(&mut cx).is_ready());
        drop(waits);
        let mut taken = Vec::new();
        receiver.take(3, &mut taken);
        assert_eq!((taken, sender.len()), (vec![0, 1, 2], 1));
    }

    #[test]
    fn who_no_longer_waits_for_more_is_not_woken_for_it() {
        let (sender, mut receiver) = queue(8);
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        // As after a time limit.
        let mut waits = Box::pin(receiver.holds(2));
        assert!(waits.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
        drop(waits);
        receiver.take(2, &mut Vec::new());
        sender.put(1).unwrap();
        sender.put(2).unwrap();
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_full_queue_and_a_closed_one_take_nothing_more() {
        let (sender, mut receiver) = queue(2);
        assert_eq!([1, 2, 3].map(|number| sender.put(number)), [Ok(()), Ok(()), Err(Refused::Full)]);
        sender.close();
        assert_eq!(sender.put(4), Err(Refused::Closed));
        assert!(receiver.holds(3).now_or_never().is_some(), "nobody else can come");
        let mut taken = Vec::new();
        receiver.take(8, &mut taken);
        assert_eq!(taken, [1, 2]);
    }

    #[test]
    fn whoever_lets_go_of_an_end_closes_it() {
        let (sender, mut receiver) = queue::<u8>(2);
        assert!(receiver.holds(1).now_or_never().is_none());
        drop(sender);
        assert!(receiver.holds(1).now_or_never().is_some());
        let (sender, receiver) = queue(2);
        let item = Arc::new(());
        sender.put(Arc::clone(&item)).unwrap();
        drop(receiver);
        assert_eq!(Arc::strong_count(&item), 1, "what nobody takes is dropped");
        assert_eq!(sender.put(item), Err(Refused::Closed));
    }
}
