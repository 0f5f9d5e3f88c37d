//! What lies under a live connection: the stream, read through a buffer that is shared by all connections
//! of a thread, and written to in whole messages. Under a WebSocket, and under an event stream that has
//! its connection for itself.
//!
//! tungstenite reads frames, keeps the protocol and answers pings. What the server says is framed once
//! for everybody (`log::Frame`), so it goes around tungstenite: straight to the stream, all that waits in
//! one call. The two meet here, so that nothing of the one comes between two pieces of the other.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::limits;

thread_local! {
    /// What a connection has read lies here until it is taken, which is at once. So a connection that
    /// hears nothing holds no buffer.
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; limits::SOCKET_READ_BYTES]);
}

/// Reads into the buffer that the thread's connections share, and has `look` at what came before anybody
/// else reads.
pub(crate) fn poll_peek<S, T>(
    stream: &mut S,
    cx: &mut Context<'_>,
    look: impl FnOnce(&[u8]) -> T,
) -> Poll<Result<T>>
where
    S: AsyncRead + Unpin,
{
    READ.with_borrow_mut(|shared| {
        let mut read = ReadBuf::new(shared);
        ready!(Pin::new(stream).poll_read(cx, &mut read))?;
        Poll::Ready(Ok(look(read.filled())))
    })
}

/// A stream with what was read ahead and what waits to be written.
#[derive(Debug)]
pub(crate) struct Line<S> {
    stream: S,
    /// Read, and not asked for yet.
    unread: Bytes,
    /// Framed messages that wait; the first may be written in part.
    waiting: VecDeque<Bytes>,
    /// The peer has a part of the first: nothing else may come before its end.
    begun: bool,
    /// A frame of tungstenite's has to wait for room, or for the end of one that was begun.
    held_back: bool,
}

impl<S> Line<S> {
    pub(crate) fn new(stream: S) -> Self {
        let (unread, waiting) = (Bytes::new(), VecDeque::new());
        Self { stream, unread, waiting, begun: false, held_back: false }
    }

    /// Says a message after those that wait.
    pub(crate) fn queue(&mut self, message: Bytes) {
        self.waiting.push_back(message);
    }

    /// Goes on with what another could not write to the end; `begun`: the peer has a part of the first. For
    /// a line on which nothing waits.
    pub(crate) fn go_on(&mut self, messages: Vec<Bytes>, begun: bool) {
        self.waiting = messages.into();
        self.begun = begun;
    }

    /// Says it before everything else, and in any case.
    pub(crate) fn begin(&mut self, head: Bytes) {
        self.waiting.push_front(head);
        self.begun = true;
    }

    /// Whether something waits for the peer to take it.
    pub(crate) fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(super) const fn is_held_back(&self) -> bool {
        self.held_back
    }

    /// Forgets what waits, but not the rest of what was begun.
    pub(crate) fn forget(&mut self) {
        self.waiting.truncate(usize::from(self.begun));
    }
}

impl<S: AsyncRead + Unpin> Line<S> {
    /// How much the peer says, for who does not want to know what; 0: nothing any more.
    pub(crate) fn poll_ignore(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize>> {
        poll_peek(&mut self.stream, cx, <[u8]>::len)
    }
}

impl<S: AsyncWrite + Unpin> Line<S> {
    /// Until everything that waits is with the kernel.
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while self.waits() {
            ready!(self.poll_some(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Until what was begun is with the kernel.
    pub(super) fn poll_end_of_begun(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while self.begun {
            ready!(self.poll_some(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// As much as the kernel takes at once.
    fn poll_some(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let stream = Pin::new(&mut self.stream);
        let written = if self.waiting.len() == 1 {
            ready!(stream.poll_write(cx, &self.waiting[0]))?
        } else {
            let mut slices = [IoSlice::new(&[]); limits::SOCKET_WRITE_MESSAGES];
            let mut count = 0;
            for (slice, message) in slices.iter_mut().zip(&self.waiting) {
                *slice = IoSlice::new(message);
                count += 1;
            }
            ready!(stream.poll_write_vectored(cx, &slices[..count]))?
        };
        if written == 0 {
            return Poll::Ready(Err(Error::from(ErrorKind::WriteZero)));
        }
        self.wrote(written);
        Poll::Ready(Ok(()))
    }

    fn wrote(&mut self, mut bytes: usize) {
        while bytes > 0
            && let Some(first) = self.waiting.front_mut()
        {
            let taken = bytes.min(first.len());
            first.advance(taken);
            bytes -= taken;
            self.begun = first.has_remaining();
            if !self.begun {
                self.waiting.pop_front();
            }
        }
        if self.waiting.is_empty() && self.waiting.capacity() > IDLE_MESSAGES {
            self.waiting = VecDeque::new();
        }
    }
}

/// Messages that an idle connection keeps room for.
const IDLE_MESSAGES: usize = 4;

impl<S: AsyncRead + Unpin> AsyncRead for Line<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        if this.unread.is_empty() {
            return poll_peek(&mut this.stream, cx, |read| {
                let (now, later) = read.split_at(read.len().min(buf.remaining()));
                buf.put_slice(now);
                if !later.is_empty() {
                    this.unread = Bytes::copy_from_slice(later);
                }
            });
        }
        let now = this.unread.split_to(this.unread.len().min(buf.remaining()));
        buf.put_slice(&now);
        if this.unread.is_empty() {
            // Gives the memory back.
            this.unread = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

/// For tungstenite's own frames: answers to pings, and the close.
impl<S: AsyncWrite + Unpin> AsyncWrite for Line<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        let this = self.get_mut();
        // Until it says that it has flushed.
        this.held_back = true;
        ready!(this.poll_end_of_begun(cx))?;
        Pin::new(&mut this.stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        this.held_back = false;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use std::future::poll_fn;

    use futures_util::FutureExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    const ROOM: usize = 8;

    #[tokio::test]
    async fn what_is_begun_ends_before_anything_else_is_said() {
        let (near, mut far) = duplex(ROOM);
        let mut line = Line::new(near);
        line.queue(Bytes::from_static(b"0123456789"));
        line.queue(Bytes::from_static(b"never said"));
        assert!(poll_fn(|cx| line.poll_send(cx)).now_or_never().is_none(), "the first does not fit");
        assert!(line.write(b"pong").now_or_never().is_none(), "there is no room for a pong");
        assert!(line.is_held_back());
        line.forget();
        let mut said = [0; 14];
        let (heard, told) = tokio::join!(far.read_exact(&mut said), async {
            line.write_all(b"pong").await?;
            line.flush().await
        });
        heard.unwrap();
        told.unwrap();
        assert_eq!(&said, b"0123456789pong");
        assert!(!line.waits() && !line.is_held_back());
    }

    #[tokio::test]
    async fn many_go_in_one_call_and_none_is_lost_on_the_way() {
        let (near, mut far) = duplex(ROOM);
        let mut line = Line::new(near);
        let messages: Vec<String> =
            (0..3 * limits::SOCKET_WRITE_MESSAGES).map(|n| format!("<{n}>")).collect();
        for message in &messages {
            line.queue(Bytes::from(message.clone()));
        }
        let mut said = String::new();
        let (sent, heard) = tokio::join!(
            async {
                poll_fn(|cx| line.poll_send(cx)).await.unwrap();
                drop(line);
            },
            far.read_to_string(&mut said)
        );
        let () = sent;
        heard.unwrap();
        assert_eq!(said, messages.concat());
    }

    #[tokio::test]
    async fn what_was_read_ahead_is_read_first_and_then_given_back() {
        let (mut near, far) = duplex(64);
        let mut line = Line::new(far);
        near.write_all(b"0123456789").await.unwrap();
        let mut first = [0; 4];
        line.read_exact(&mut first).await.unwrap();
        assert_eq!(&line.unread[..], b"456789");
        near.write_all(b"ab").await.unwrap();
        let mut rest = [0; 8];
        line.read_exact(&mut rest).await.unwrap();
        assert_eq!(&rest, b"456789ab");
        assert!(line.unread.is_empty());
    }
}
