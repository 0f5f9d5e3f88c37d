//! Two watches over a connection, for peers that hold it open and do nothing.
//!
//! * [`Guarded`], around the socket: nothing is accepted by the peer although bytes wait for it, for
//!   `limits::NO_PROGRESS`: cut. This is the one rule for slow readers, whatever the transport. It
//!   stands below TLS, whose buffer would take bytes without any progress.
//! * [`Prompt`], around what HTTP is read from: the first bytes of a request do not come within
//!   `limits::HEADER_TIMEOUT`: cut. hyper's own header timeout begins only when it knows which HTTP
//!   version is spoken. It stands above TLS, whose handshake has a limit of its own. It also takes back
//!   what was read to see who comes ([`crate::door`]).
//!
//! Timers exist only while something is overdue; an idle connection has none.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Duration, Sleep, sleep};

use crate::limits;

/// A stream that must take what is written to it.
#[derive(Debug)]
pub(crate) struct Guarded<S> {
    inner: S,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Guarded<S> {
    pub(crate) const fn new(inner: S) -> Self {
        Self { inner, stalled: None }
    }

    /// A write came to `outcome`. Progress ends the wait; a wait that is too long is an error.
    fn watch<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<Result<T>>) -> Poll<Result<T>> {
        if outcome.is_ready() {
            self.stalled = None;
            return outcome;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(limits::NO_PROGRESS)));
        match stalled.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(timed_out("the peer took nothing", limits::NO_PROGRESS))),
            Poll::Pending => Poll::Pending,
        }
    }
}

fn timed_out(what: &str, after: Duration) -> Error {
    Error::new(ErrorKind::TimedOut, format!("{what} for {} s", after.as_secs()))
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.watch(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.watch(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_flush(cx);
        // A stream of HTTP/2 takes a write at once and keeps the flush until there is room. A socket
        // has nothing to flush, so that its being done says nothing about progress.
        if outcome.is_pending() { self.watch(cx, outcome) } else { outcome }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// A stream whose peer must begin to speak.
#[derive(Debug)]
pub(crate) struct Prompt<S> {
    inner: S,
    beginning: Option<Beginning>,
    /// Read once already, and to be read again.
    again: Bytes,
}

#[derive(Debug)]
struct Beginning {
    deadline: Pin<Box<Sleep>>,
    missing_bytes: usize,
}

/// HTTP/2's preface (RFC 9113 3.4); no request of HTTP/1 that anybody sends is shorter.
const BEGINNING_BYTES: usize = 24;

impl<S> Prompt<S> {
    pub(crate) fn new(inner: S) -> Self {
        let deadline = Box::pin(sleep(limits::HEADER_TIMEOUT));
        let beginning = Some(Beginning { deadline, missing_bytes: BEGINNING_BYTES });
        Self { inner, beginning, again: Bytes::new() }
    }

    /// Whoever reads next begins with these bytes, which were the first.
    pub(crate) fn take_back(&mut self, read: Bytes) {
        self.again = read;
    }

    /// The stream without the watch, for who has spoken.
    pub(crate) fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Prompt<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        if !this.again.is_empty() {
            let again = this.again.split_to(this.again.len().min(buf.remaining()));
            buf.put_slice(&again);
            if this.again.is_empty() {
                // Gives the memory back.
                this.again = Bytes::new();
            }
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let outcome = Pin::new(&mut this.inner).poll_read(cx, buf);
        let Some(beginning) = &mut this.beginning else { return outcome };
        beginning.missing_bytes = beginning.missing_bytes.saturating_sub(buf.filled().len() - before);
        if beginning.missing_bytes == 0 {
            this.beginning = None;
            return outcome;
        }
        if outcome.is_pending() && beginning.deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(timed_out("no whole request came", limits::HEADER_TIMEOUT)));
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prompt<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_cut_off() {
        let (near, far) = duplex(16);
        let mut guarded = Guarded::new(near);
        let start = Instant::now();
        let error = guarded.write_all(&[0; 100]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(start.elapsed().as_secs(), limits::NO_PROGRESS.as_secs());
        drop(far);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_for_whom_everything_waits_in_a_buffer_is_cut_off_too() {
        let (near, _far) = duplex(16);
        let mut guarded = Guarded::new(tokio::io::BufWriter::new(near));
        guarded.write_all(&[0; 100]).await.unwrap();
        let start = Instant::now();
        assert_eq!(guarded.flush().await.unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(start.elapsed().as_secs(), limits::NO_PROGRESS.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_peer_that_takes_something_is_not() {
        let (near, mut far) = duplex(16);
        let mut guarded = Guarded::new(near);
        let slow = tokio::spawn(async move {
            let mut byte = [0; 8];
            for _ in 0..20 {
                tokio::time::sleep(limits::NO_PROGRESS / 2).await;
                far.read_exact(&mut byte).await.unwrap();
            }
        });
        guarded.write_all(&[0; 160]).await.unwrap();
        slow.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_says_nothing_is_cut_off_and_one_that_spoke_may_be_silent() {
        let (near, mut far) = duplex(64);
        let mut prompt = Prompt::new(near);
        far.write_all(b"GET").await.unwrap();
        let mut buf = [0; 64];
        assert_eq!(prompt.read(&mut buf).await.unwrap(), 3);
        assert_eq!(prompt.read(&mut buf).await.unwrap_err().kind(), ErrorKind::TimedOut);

        let (near, mut far) = duplex(64);
        let mut prompt = Prompt::new(near);
        far.write_all(&[b'x'; BEGINNING_BYTES]).await.unwrap();
        assert_eq!(prompt.read(&mut buf).await.unwrap(), BEGINNING_BYTES);
        let silent = tokio::time::timeout(limits::HEADER_TIMEOUT * 10, prompt.read(&mut buf)).await;
        assert!(silent.is_err(), "still waiting, not cut");
    }
}
