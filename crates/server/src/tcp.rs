//! A TCP stream of which another can have a handle: the hub writes to a connection that is idle without
//! waking its task ([`crate::hub::Session::deliver`]).

use std::io::{ErrorKind, IoSlice, Result};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// A stream, as its connection's task has it.
#[derive(Debug)]
pub(crate) struct Tcp(Arc<TcpStream>);

impl Tcp {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self(Arc::new(stream))
    }

    /// For whoever else writes to it, while the task does not.
    pub(crate) fn handle(&self) -> Arc<TcpStream> {
        Arc::clone(&self.0)
    }

    fn poll_write_with(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> Result<usize>,
    ) -> Poll<Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match write(&self.0) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }
}

impl AsyncRead for Tcp {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            let room = buf.remaining();
            let mut is_short = false;
            let read = self.0.try_io(Interest::READABLE, || match self.0.try_read_buf(buf)? {
                0 => Ok(0),
                // There was no more, so that the socket need not be asked again before it says that there is
                // (epoll(7), question 9). The runtime's own stream tells it so too; here it hears it by this.
                read if read < room && cfg!(target_os = "linux") => {
                    is_short = true;
                    Err(ErrorKind::WouldBlock.into())
                }
                read => Ok(read),
            });
            match read {
                _ if is_short => return Poll::Ready(Ok(())),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(drop)),
            }
        }
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        self.poll_write_with(cx, |stream| stream.try_write(buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        self.poll_write_with(cx, |stream| stream.try_write_vectored(bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// A socket has nothing to flush.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(SockRef::from(&*self.0).shutdown(Shutdown::Write))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn it_reads_writes_waits_and_ends_as_a_stream_does() {
        const MUCH_BYTES: usize = 8 * 1024 * 1024;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (far, near) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        let (mut far, mut near) = (far.unwrap(), Tcp::new(near.unwrap().0));
        far.write_all(b"hello").await.unwrap();
        let mut heard = [0; 5];
        near.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"hello");
        // More than the kernel takes at once.
        let much = vec![b'x'; MUCH_BYTES];
        let handle = near.handle();
        let (said, ()) = tokio::join!(
            async {
                near.write_all(&much).await.unwrap();
                handle.try_write(b"!").unwrap();
                near.shutdown().await
            },
            async {
                let mut all = Vec::new();
                far.read_to_end(&mut all).await.unwrap();
                assert_eq!((all.len(), all.last()), (MUCH_BYTES + 1, Some(&b'!')));
            }
        );
        said.unwrap();
    }

    #[tokio::test]
    async fn a_socket_that_had_no_more_is_asked_again_when_it_says_so() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (far, near) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        let (mut far, mut near) = (far.unwrap(), Tcp::new(near.unwrap().0));
        far.write_all(b"one").await.unwrap();
        let mut heard = [0; 8];
        assert_eq!(near.read(&mut heard).await.unwrap(), 3);
        // In the socket by now, and the runtime has not heard of it: it has not had its turn.
        assert_eq!(far.try_write(b"three").unwrap(), 5);
        let mut next = pin!(near.read(&mut heard));
        assert!(poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx).is_pending())).await, "asked in vain");
        assert_eq!(next.await.unwrap(), 5);
        drop(far);
        assert_eq!(near.read(&mut heard).await.unwrap(), 0);
    }
}
