//! The slow-peer rule for streams of HTTP/2, which the guard on the socket cannot see: a peer that
//! grants no window to one stream still answers pings and reads the others.
//!
//! hyper asks a body for its next chunk, then waits for room, and while it waits nothing of ours is
//! asked. So the two ends of that wait are watched from outside. [`PacedBody`] notes that a chunk was
//! handed over and that the next was asked for; [`PacedExecutor`], which runs each stream as a task,
//! ends the task when a chunk has waited for `limits::NO_PROGRESS`. The stream is then reset
//! (`CANCEL`), what was buffered for it is dropped, and the connection goes on. Over HTTP/1 there is
//! no such task and nothing is watched twice.
//!
//! Progress is counted in chunks: a peer must take `limits::HTTP2_CHUNK_BYTES` in that time.
//!
//! A WebSocket on a stream is watched by its own guard, but what it wrote last would wait for the
//! peer in hyper's task for ever. [`Leaving`] says when the socket is gone; from then on that task has
//! the same time.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::rt::Executor;
use tokio::sync::Notify;
use tokio::time::{Sleep, sleep};

use crate::limits;

tokio::task_local! {
    /// The stream that the current task serves.
    static PACE: Arc<Pace>;
}

/// How far a body has come.
#[derive(Debug, Default)]
struct Pace {
    /// Odd while a chunk waits to be taken, even while the next is awaited.
    steps: AtomicU64,
    /// Tells the watch of a socket, which is another task's.
    left: Notify,
}

impl Pace {
    fn is_waiting(steps: u64) -> bool {
        steps % 2 == 1
    }

    /// The next chunk is asked for.
    fn asked(&self) {
        if Self::is_waiting(self.steps()) {
            self.steps.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A chunk was handed over.
    fn handed_over(&self) {
        self.steps.fetch_add(1, Ordering::Relaxed);
    }

    // Body and watch run in the same task, and `left` publishes for the others.
    fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }
}

/// Runs the streams of HTTP/2 connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PacedExecutor;

impl<F> Executor<F> for PacedExecutor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, stream: F) {
        // What a stream spawns in turn is hyper's sender for an upgraded one: the same stream.
        let pace = PACE.try_with(Arc::clone).unwrap_or_default();
        tokio::spawn(PACE.scope(Arc::clone(&pace), watched(stream, pace)));
    }
}

/// Runs a stream to its end, or until a chunk of it has waited for too long.
async fn watched(stream: impl Future, pace: Arc<Pace>) {
    let mut stream = pin!(stream);
    let mut left = pin!(pace.left.notified());
    // Since which step it waits. A timer exists only while it does.
    let mut waiting: Option<(u64, Pin<Box<Sleep>>)> = None;
    poll_fn(|cx| {
        if stream.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        // Only to be woken by it.
        let _ = left.as_mut().poll(cx);
        let steps = pace.steps();
        if !Pace::is_waiting(steps) {
            waiting = None;
            return Poll::Pending;
        }
        if waiting.as_ref().is_none_or(|(since, _)| *since != steps) {
            waiting = None;
        }
        let (_, timer) = waiting.get_or_insert_with(|| (steps, Box::pin(sleep(limits::NO_PROGRESS))));
        timer.as_mut().poll(cx).map(|()| tracing::debug!("a stream is reset: the peer took nothing of it"))
    })
    .await;
}

/// Held by whoever serves a socket on a stream of HTTP/2; dropped, nothing more will be written.
#[derive(Debug)]
pub(crate) struct Leaving(Arc<Pace>);

/// For the stream of this request; `None` over HTTP/1.
pub(crate) fn leaving() -> Option<Leaving> {
    PACE.try_with(|pace| Leaving(Arc::clone(pace))).ok()
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.handed_over();
        self.0.left.notify_one();
    }
}

/// A body of an answer, in chunks small enough to see progress by.
#[derive(Debug)]
pub(crate) struct PacedBody {
    body: Body,
    rest: Bytes,
    pace: Arc<Pace>,
}

/// The body, watched if it goes out on a stream of HTTP/2.
pub(crate) fn paced(body: Body) -> Body {
    // What is empty has nothing to wait for, and must look empty: an answer to `HEAD`, a handshake.
    match PACE.try_with(Arc::clone) {
        Ok(pace) if !body.is_end_stream() => Body::new(PacedBody { body, rest: Bytes::new(), pace }),
        _ => body,
    }
}

impl PacedBody {
    fn hand_over(&mut self, mut chunk: Bytes) -> Frame<Bytes> {
        self.rest = chunk.split_off(chunk.len().min(limits::HTTP2_CHUNK_BYTES));
        self.pace.handed_over();
        Frame::data(chunk)
    }
}

impl HttpBody for PacedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        this.pace.asked();
        if !this.rest.is_empty() {
            let chunk = std::mem::take(&mut this.rest);
            return Poll::Ready(Some(Ok(this.hand_over(chunk))));
        }
        Pin::new(&mut this.body).poll_frame(cx).map_ok(|frame| match frame.into_data() {
            Ok(chunk) => this.hand_over(chunk),
            Err(trailers) => trailers,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let body = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower() + rest);
        if let Some(upper) = body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use http_body_util::{BodyExt as _, Empty};
    use hyper::body::Incoming;
    use hyper::client::conn::http2::{Builder, SendRequest};
    use hyper::service::service_fn;
    use hyper::upgrade::OnUpgrade;
    use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::Instant;

    use super::*;
    use crate::guard::Guarded;

    const WINDOW_BYTES: u32 = 1_000;

    /// A server over memory whose `/long` has a body without an end and whose other paths say "short".
    async fn connect() -> SendRequest<Empty<Bytes>> {
        let (near, far) = duplex(1024 * 1024);
        tokio::spawn(async move {
            let service = service_fn(async |mut request: http::Request<Incoming>| {
                if request.method() == http::Method::CONNECT {
                    tokio::spawn(write_for_ever(hyper::upgrade::on(&mut request), leaving()));
                    return Ok(http::Response::new(Body::empty()));
                }
                let body = match request.uri().path() {
                    "/long" => Body::from_stream(futures_util::stream::repeat_with(|| {
                        Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 12_000]))
                    })),
                    _ => Body::from("short"),
                };
                Ok::<_, Infallible>(http::Response::new(paced(body)))
            });
            let protocol = crate::accept::protocol();
            protocol.serve_connection_with_upgrades(TokioIo::new(near), service).await
        });
        let (sender, connection) = Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(WINDOW_BYTES)
            .handshake(TokioIo::new(far))
            .await
            .unwrap();
        tokio::spawn(connection);
        sender
    }

    /// A socket over a stream is not a body: the guard around it is what watches.
    async fn write_for_ever(upgrade: OnUpgrade, _leaving: Option<Leaving>) {
        let mut socket = Guarded::new(TokioIo::new(upgrade.await.unwrap()));
        let begun = Instant::now();
        let error = loop {
            let written = async {
                socket.write_all(&[b'x'; 500]).await?;
                socket.flush().await
            };
            if let Err(error) = written.await {
                break error;
            }
        };
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed().as_secs(), limits::NO_PROGRESS.as_secs());
    }

    async fn get(sender: &mut SendRequest<Empty<Bytes>>, path: &str) -> Incoming {
        let request = http::Request::get(format!("http://test{path}")).body(Empty::new()).unwrap();
        sender.send_request(request).await.unwrap().into_body()
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_of_which_nothing_is_taken_is_reset_and_its_connection_goes_on() {
        let mut sender = connect().await;
        let mut stalled = get(&mut sender, "/long").await;
        // Pings are answered all the while; without the watch it would wait for ever.
        tokio::time::sleep(limits::NO_PROGRESS / 2).await;
        assert_eq!(get(&mut sender, "/").await.collect().await.unwrap().to_bytes(), "short");
        tokio::time::sleep(limits::NO_PROGRESS).await;
        let mut read_bytes = 0;
        let error = loop {
            match stalled.frame().await.unwrap() {
                Ok(frame) => read_bytes += frame.into_data().unwrap().len(),
                Err(error) => break error,
            }
        };
        assert!(error.to_string().contains("error"), "{error}");
        let reason = std::error::Error::source(&error).unwrap().to_string();
        assert!(reason.contains("no longer needed"), "not CANCEL: {reason}");
        assert!(read_bytes <= WINDOW_BYTES as usize, "what the window held and no more: {read_bytes}");
        assert_eq!(get(&mut sender, "/").await.collect().await.unwrap().to_bytes(), "short");
    }

    #[tokio::test(start_paused = true)]
    async fn a_socket_of_which_nothing_is_taken_is_reset_and_its_connection_goes_on() {
        let mut sender = connect().await;
        let request = http::Request::connect("http://test/socket")
            .extension(hyper::ext::Protocol::from_static("websocket"))
            .body(Empty::new())
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        let mut stalled = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
        // The guard's time, then that of what was written last.
        tokio::time::sleep(limits::NO_PROGRESS * 2 + Duration::from_secs(1)).await;
        let mut read = Vec::new();
        // hyper shows a reset with `CANCEL` as an end; that the rest was dropped shows that it was one.
        stalled.read_to_end(&mut read).await.unwrap();
        assert_eq!(read.len(), WINDOW_BYTES as usize);
        assert_eq!(get(&mut sender, "/").await.collect().await.unwrap().to_bytes(), "short");
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_a_little_now_and_then_is_not_cut() {
        let mut sender = connect().await;
        let mut slow = get(&mut sender, "/long").await;
        let begun = Instant::now();
        let mut chunks = 0;
        while begun.elapsed() < limits::NO_PROGRESS * 10 {
            let mut bytes = 0;
            while bytes < limits::HTTP2_CHUNK_BYTES {
                bytes += slow.frame().await.unwrap().unwrap().into_data().unwrap().len();
            }
            chunks += 1;
            tokio::time::sleep(limits::NO_PROGRESS / 2).await;
        }
        assert_eq!(chunks, 20);
    }

    #[tokio::test]
    async fn a_body_is_the_same_in_chunks() {
        let whole: Vec<u8> = (0..=u8::MAX).cycle().take(100_000).collect();
        let chunks = PACE
            .scope(Arc::default(), async {
                let mut body = paced(Body::from(whole.clone()));
                assert_eq!(body.size_hint().exact(), Some(100_000));
                let mut chunks = Vec::new();
                while let Some(frame) = body.frame().await {
                    chunks.push(frame.unwrap().into_data().unwrap());
                }
                chunks
            })
            .await;
        assert!(chunks.iter().all(|chunk| chunk.len() <= limits::HTTP2_CHUNK_BYTES));
        assert_eq!(chunks.concat(), whole);
        assert!(PACE.scope(Arc::default(), async { paced(Body::empty()).is_end_stream() }).await);
    }
}
