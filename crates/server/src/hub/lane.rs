//! The short way to an idle connection: whoever makes an event visible writes it there and then.
//!
//! A connection's task that has nothing to do lends the hub what it takes to go on: its place in the log
//! and the stream. While it is lent the task does not touch the stream; whenever it is polled, for whatever
//! reason, it first takes both back. To wake a task for each delivery and have it find all of this again
//! costs more than the write itself (docs/decisions/019).
//!
//! What does not simply go through is not for this way: the task is woken and reads for itself.

use std::io::IoSlice;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, TryLockError};

use bytes::{Buf as _, Bytes};
use switchback_core::Seq;
use tokio::net::TcpStream;

use crate::limits;

/// A connection's stream, and its place in the log while that is lent.
#[derive(Debug, Default)]
pub(super) struct Lane {
    stream: OnceLock<Arc<TcpStream>>,
    /// Held for a write to a stream that does not wait, never across an `await`.
    lent: Mutex<Option<Lent>>,
}

/// What was lent, as it is when it is taken back.
#[derive(Debug)]
pub(crate) struct Lent {
    /// Everything up to here was written, but for the rest.
    pub(crate) cursor: Seq,
    pub(crate) rest: Rest,
}

/// What the peer had no room for.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    pub(crate) messages: Vec<Bytes>,
    /// The peer has a part of the first.
    pub(crate) begun: bool,
}

impl Lane {
    /// For a connection whose stream can be written to from anywhere.
    pub(super) fn open(&self, stream: Arc<TcpStream>) {
        // There is one stream for a connection.
        self.stream.get_or_init(|| stream);
    }

    pub(super) fn lend(&self, cursor: Seq) {
        if self.stream.get().is_some() {
            let lent = Lent { cursor, rest: Rest::default() };
            *self.lent.lock().unwrap_or_else(PoisonError::into_inner) = Some(lent);
        }
    }

    pub(super) fn take_back(&self) -> Option<Lent> {
        self.stream.get()?;
        self.lent.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Writes what `read` finds after the cursor; it returns the new one, or `None` where the task has to
    /// look for itself. `false`: not all of it went out, and the task has to go on.
    pub(super) fn write(&self, read: impl FnOnce(Seq, &mut Vec<Bytes>) -> Option<Seq>) -> bool {
        let Some(stream) = self.stream.get() else { return false };
        let mut lent = match self.lent.try_lock() {
            Ok(lent) => lent,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Its task is about to take it back.
            Err(TryLockError::WouldBlock) => return false,
        };
        let Some(Lent { cursor, rest }) = &mut *lent else { return false };
        if !rest.messages.is_empty() {
            return false;
        }
        let mut messages = Vec::with_capacity(1);
        let Some(seq) = read(*cursor, &mut messages) else { return false };
        if messages.is_empty() {
            *cursor = seq;
            return true;
        }
        let written = match &messages[..] {
            [message] => stream.try_write(message),
            several => {
                let mut slices = [IoSlice::new(&[]); limits::DIRECT_FRAMES];
                slices.iter_mut().zip(several).for_each(|(slice, message)| *slice = IoSlice::new(message));
                stream.try_write_vectored(&slices[..several.len().min(limits::DIRECT_FRAMES)])
            }
        };
        // No room at all, or a broken stream: the task finds out in its own way.
        let Ok(written) = written else { return false };
        *cursor = seq;
        *rest = Rest::of(messages, written);
        rest.messages.is_empty()
    }
}

impl Rest {
    fn of(mut messages: Vec<Bytes>, mut written: usize) -> Self {
        let begun_at = messages.iter().position(|message| {
            let is_whole = message.len() <= written;
            if is_whole {
                written -= message.len();
            }
            !is_whole
        });
        messages.drain(..begun_at.unwrap_or(messages.len()));
        if let Some(first) = messages.first_mut() {
            first.advance(written);
        }
        Self { begun: written > 0, messages }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    use super::*;

    async fn connected() -> (Lane, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (far, near) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        let lane = Lane::default();
        let near = near.unwrap().0;
        near.writable().await.unwrap();
        lane.open(Arc::new(near));
        (lane, far.unwrap())
    }

    fn say(text: &'static [u8], seq: Seq) -> impl FnOnce(Seq, &mut Vec<Bytes>) -> Option<Seq> {
        move |_, messages| {
            messages.push(Bytes::from_static(text));
            Some(seq)
        }
    }

    #[tokio::test]
    async fn only_what_is_lent_is_written_to() {
        let (lane, mut far) = connected().await;
        assert!(!lane.write(say(b"too early", 1)));
        lane.lend(4);
        assert!(!lane.write(|cursor, _| (cursor != 4).then_some(9)), "the task has to look");
        assert!(lane.write(say(b"one ", 5)));
        assert!(lane.write(|cursor, messages| {
            messages.extend([Bytes::from_static(b"two "), Bytes::from_static(b"three")]);
            Some(cursor + 2)
        }));
        let lent = lane.take_back().unwrap();
        assert_eq!((lent.cursor, lent.rest.messages.len()), (7, 0));
        assert!(!lane.write(say(b"too late", 8)));
        let mut said = [0; 13];
        far.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"one two three");
        drop(lane);
        assert_eq!(far.read(&mut said).await.unwrap(), 0, "and nothing else");
    }

    #[tokio::test]
    async fn what_there_is_no_room_for_is_handed_back_to_the_byte() {
        const BLOCK: &[u8] = &[b'x'; 100_000];
        let (lane, mut far) = connected().await;
        lane.lend(0);
        let mut written = 0;
        while lane.write(|cursor, messages| {
            messages.extend([Bytes::from_static(BLOCK), Bytes::from_static(b"end")]);
            Some(cursor + 1)
        }) {
            written += 1;
        }
        assert!(!lane.write(say(b"behind it", 1_000)), "the rest comes first");
        let Lent { cursor, rest } = lane.take_back().unwrap();
        let waiting: usize = rest.messages.iter().map(Bytes::len).sum();
        // Either a part of the last try went out, or nothing of it, and then it does not count.
        let tried = if rest.messages.is_empty() { written } else { written + 1 };
        assert_eq!(cursor, tried);
        let sent = usize::try_from(tried).unwrap() * (BLOCK.len() + 3) - waiting;
        drop(lane);
        let mut said = Vec::new();
        far.read_to_end(&mut said).await.unwrap();
        assert_eq!(said.len(), sent);
    }

    #[test]
    fn a_rest_begins_where_the_peer_has_not_got_to() {
        let rest = |written| Rest::of(vec![Bytes::from_static(b"abc"), Bytes::from_static(b"de")], written);
        let shown = |written| (rest(written).messages.concat(), rest(written).begun);
        assert_eq!(shown(0), (b"abcde".to_vec(), false));
        assert_eq!(shown(2), (b"cde".to_vec(), true));
        assert_eq!(shown(3), (b"de".to_vec(), false));
        assert_eq!(shown(4), (b"e".to_vec(), true));
        assert_eq!(shown(5), (Vec::new(), false));
    }
}
