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
use socket2::SockRef;
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

/// Which of the log's newest events, of at most `limits::DIRECT_EVENTS`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Selection(u16);

const _: () = assert!(limits::DIRECT_EVENTS <= u16::BITS as usize, "a bit for each");

impl Selection {
    pub(super) const fn only(number: usize) -> Self {
        Self(1 << number)
    }

    /// The first so many, of `limits::DIRECT_EVENTS` at most.
    pub(super) fn first(count: usize) -> Self {
        (0..count).fold(Self(0), |mut selection, number| {
            selection.add(number);
            selection
        })
    }

    pub(super) const fn add(&mut self, number: usize) {
        self.0 |= 1 << number;
    }

    const fn has(self, number: usize) -> bool {
        self.0 & (1 << number) != 0
    }

    /// Those of these.
    pub(super) fn of<T>(self, all: &[T]) -> impl Iterator<Item = &T> {
        all.iter().enumerate().filter(move |(number, _)| self.has(*number)).map(|(_, one)| one)
    }
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

    /// The stream as the system knows it. What the runtime knows of its readiness lies elsewhere in memory, and
    /// is nothing to who has something to write now.
    pub(super) fn socket(&self) -> Option<SockRef<'_>> {
        self.stream.get().map(|stream| SockRef::from(&**stream))
    }

    /// Writes to its socket what `read` finds after the cursor; it returns the new one. `false`: not all of it
    /// went out, and the task has to go on.
    pub(super) fn write<'m>(
        &self,
        socket: &SockRef<'_>,
        read: impl FnOnce(Seq, &mut Messages<'m>) -> Seq,
    ) -> bool {
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
        let mut messages = Messages::default();
        let seq = read(*cursor, &mut messages);
        let messages = &messages.found[..messages.count];
        let written = match messages {
            [] => Ok(0),
            [message] => socket.send(message),
            several => {
                let mut slices = [IoSlice::new(&[]); limits::DIRECT_EVENTS];
                slices.iter_mut().zip(several).for_each(|(slice, message)| *slice = IoSlice::new(message));
                socket.send_vectored(&slices[..several.len()])
            }
        };
        // No room at all, or a broken stream: the task finds out in its own way.
        let Ok(written) = written else { return false };
        *cursor = seq;
        if written < messages.iter().map(|message| message.len()).sum() {
            *rest = Rest::of(messages, written);
        }
        rest.messages.is_empty()
    }
}

/// What one connection gets of the log's newest events: found for each of thousands, so on the stack, and
/// not counted as shared unless something of it has to wait.
pub(super) struct Messages<'m> {
    found: [&'m Bytes; limits::DIRECT_EVENTS],
    count: usize,
}

/// Fills the places that are not looked at.
static NONE: Bytes = Bytes::new();

impl Default for Messages<'_> {
    fn default() -> Self {
        Self { found: [&NONE; limits::DIRECT_EVENTS], count: 0 }
    }
}

impl<'m> Messages<'m> {
    /// Takes one more. There are no more than `limits::DIRECT_EVENTS`.
    pub(super) fn push(&mut self, message: &'m Bytes) {
        if let Some(place) = self.found.get_mut(self.count) {
            *place = message;
            self.count += 1;
        }
    }
}

impl Rest {
    fn of(messages: &[&Bytes], mut written: usize) -> Self {
        let begun_at = messages.iter().position(|message| {
            let is_whole = message.len() <= written;
            if is_whole {
                written -= message.len();
            }
            !is_whole
        });
        let unwritten = &messages[begun_at.unwrap_or(messages.len())..];
        let mut messages: Vec<Bytes> = unwritten.iter().copied().cloned().collect();
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

    fn write<'m>(lane: &Lane, read: impl FnOnce(Seq, &mut Messages<'m>) -> Seq) -> bool {
        lane.write(&lane.socket().unwrap(), read)
    }

    fn say<'m>(text: &'m Bytes, seq: Seq) -> impl FnOnce(Seq, &mut Messages<'m>) -> Seq {
        move |_, messages| {
            messages.push(text);
            seq
        }
    }

    #[tokio::test]
    async fn only_what_is_lent_is_written_to() {
        let (lane, mut far) = connected().await;
        let [early, one, two, three, last] = ["too early", "one ", "two ", "three", "too late"]
            .map(|text| Bytes::from_static(text.as_bytes()));
        assert!(!write(&lane, say(&early, 1)));
        lane.lend(4);
        assert!(write(&lane, |cursor, _| cursor), "nothing for it is fine");
        assert!(write(&lane, say(&one, 5)));
        assert!(write(&lane, |cursor, messages| {
            messages.push(&two);
            messages.push(&three);
            cursor + 2
        }));
        let lent = lane.take_back().unwrap();
        assert_eq!((lent.cursor, lent.rest.messages.len()), (7, 0));
        assert!(!write(&lane, say(&last, 8)));
        let mut said = [0; 13];
        far.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"one two three");
        drop(lane);
        assert_eq!(far.read(&mut said).await.unwrap(), 0, "and nothing else");
    }

    #[tokio::test]
    async fn what_there_is_no_room_for_is_handed_back_to_the_byte() {
        const BLOCK_BYTES: usize = 100_000;
        let (block, end) = (Bytes::from(vec![b'x'; BLOCK_BYTES]), Bytes::from_static(b"end"));
        let (lane, mut far) = connected().await;
        lane.lend(0);
        let mut written = 0;
        while write(&lane, |cursor, messages| {
            messages.push(&block);
            messages.push(&end);
            cursor + 1
        }) {
            written += 1;
        }
        assert!(!write(&lane, say(&end, 1_000)), "the rest comes first");
        let Lent { cursor, rest } = lane.take_back().unwrap();
        let waiting: usize = rest.messages.iter().map(Bytes::len).sum();
        // Either a part of the last try went out, or nothing of it, and then it does not count.
        let tried = if rest.messages.is_empty() { written } else { written + 1 };
        assert_eq!(cursor, tried);
        let sent = usize::try_from(tried).unwrap() * (BLOCK_BYTES + end.len()) - waiting;
        drop(lane);
        let mut said = Vec::new();
        far.read_to_end(&mut said).await.unwrap();
        assert_eq!(said.len(), sent);
    }

    #[test]
    fn a_rest_begins_where_the_peer_has_not_got_to() {
        let messages = [Bytes::from_static(b"abc"), Bytes::from_static(b"de")];
        let rest = |written| Rest::of(&messages.each_ref(), written);
        let shown = |written| (rest(written).messages.concat(), rest(written).begun);
        assert_eq!(shown(0), (b"abcde".to_vec(), false));
        assert_eq!(shown(2), (b"cde".to_vec(), true));
        assert_eq!(shown(3), (b"de".to_vec(), false));
        assert_eq!(shown(4), (b"e".to_vec(), true));
        assert_eq!(shown(5), (Vec::new(), false));
    }
}
