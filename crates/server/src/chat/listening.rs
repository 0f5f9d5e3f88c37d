//! An event stream that has its connection for itself: its blocks go straight to the stream of bytes,
//! as a WebSocket's messages do, with no HTTP in between.
//!
//! One task, and one place where it waits: for the hub to wake it, for the peer to take what waits, for
//! the peer to go.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{CONNECTION, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use super::feed::{Feed, Outlet, Pulled, bye};
use super::stream;
use crate::hub::Goodbye;
use crate::limits;
use crate::log::{Frame, LAST_CHUNK};
use crate::socket::Line;

/// The headers of the answer. Nothing follows it on this connection, and a proxy should know.
pub(super) fn headers() -> HeaderMap {
    let ours = stream::HEADERS.map(|(name, value)| (name, HeaderValue::from_static(value)));
    let framing = [
        (TRANSFER_ENCODING, HeaderValue::from_static("chunked")),
        (CONNECTION, HeaderValue::from_static("close")),
    ];
    ours.into_iter().chain(framing).collect()
}

impl<S> Outlet for Line<S> {
    fn put(&mut self, frame: &Arc<Frame>) {
        self.queue(frame.chunk().clone());
    }
}

/// Delivers what is new until the connection ends; `stay` is given up then. The answer's head is in `line`.
///
/// A block and not an `async fn`, which would hold room for each argument twice.
pub(super) fn listen<S>(
    mut feed: Feed,
    opening: Vec<Arc<Frame>>,
    mut line: Line<S>,
    stay: impl Send,
) -> impl Future<Output = ()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    for frame in opening {
        line.put(&frame);
    }
    async move {
        if let Some(goodbye) = deliver(&mut feed, &mut line).await {
            // On the heap while it runs, so that a connection does not hold room for its end all its life.
            Box::pin(finish(line, goodbye)).await;
        }
        drop(stay);
    }
}

/// Until the end: why we end it; `None`: the peer is gone.
async fn deliver<S>(feed: &mut Feed, line: &mut Line<S>) -> Option<Goodbye>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut listens = true;
    let mut woken = match feed.pull(line).await {
        Ok(pulled) => pulled == Pulled::More,
        Err(error) => return Some(super::unreadable(&error)),
    };
    loop {
        let next = poll_fn(|cx| {
            if let Some(rest) = feed.take_back() {
                line.go_on(rest.messages, rest.begun);
            }
            // First, and also while the peer takes nothing: after a goodbye nothing is for them.
            while feed.session().poll_woken(cx).is_ready() {
                woken = true;
            }
            if let Some(goodbye) = feed.goodbye() {
                return Poll::Ready(Err(Some(goodbye)));
            }
            if matches!(line.poll_send(cx), Poll::Ready(Err(_))) || is_gone(line, &mut listens, cx) {
                return Poll::Ready(Err(None));
            }
            if woken && !line.waits() {
                return Poll::Ready(Ok(()));
            }
            if !woken && !line.waits() {
                feed.lend();
            }
            Poll::Pending
        });
        if let Err(ending) = next.await {
            return ending;
        }
        match feed.pull(line).await {
            Ok(pulled) => woken = pulled == Pulled::More,
            Err(error) => return Some(super::unreadable(&error)),
        }
    }
}

/// Whether the peer has closed. What they say is a request behind an answer that is the last of this
/// connection: whoever does so is not read any more.
fn is_gone<S: AsyncRead + Unpin>(line: &mut Line<S>, listens: &mut bool, cx: &mut Context<'_>) -> bool {
    if !*listens {
        return false;
    }
    match line.poll_ignore(cx) {
        Poll::Ready(Ok(0) | Err(_)) => true,
        Poll::Ready(Ok(_)) => {
            *listens = false;
            false
        }
        Poll::Pending => false,
    }
}

/// Says why and ends the answer. What waits and was not begun is not for them any more, or is read again
/// at the cursor.
async fn finish<S>(mut line: Line<S>, goodbye: Goodbye)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    line.forget();
    line.put(&bye(goodbye));
    line.queue(LAST_CHUNK);
    // The guard below ends it for a peer that takes nothing.
    if poll_fn(|cx| line.poll_send(cx)).await.is_err() || line.shutdown().await.is_err() {
        return;
    }
    // Bytes that nobody reads would make the kernel answer with a reset.
    let linger = async { while let Ok(1..) = poll_fn(|cx| line.poll_ignore(cx)).await {} };
    drop(tokio::time::timeout(limits::CLOSE_LINGER, linger).await);
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use switchback_core::wire::Transport;
    use switchback_core::wire::node::Standing;
    use switchback_core::{Nonce, Seq};
    use switchback_storage::NewMessage;
    use tempfile::TempDir;
    use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, DuplexStream, duplex};
    use tokio::net::{TcpListener, TcpSocket, TcpStream};
    use tokio::sync::mpsc;
    use tokio::task::JoinHandle;
    use tokio::time::Instant;
    use tokio_util::sync::CancellationToken;
    use uuid::Uuid;

    use super::*;
    use crate::chat::feed::Start;
    use crate::chat::feed::tests::registered;
    use crate::hub::{Hub, Neighbours, Tail};
    use crate::log::Entry;
    use crate::metrics::Metrics;
    use crate::tcp::Tcp;

    const ROOM: usize = 64;
    /// So little that the rest stays on our side.
    const RECEIVED_BYTES: u32 = 4096;

    async fn open() -> (TempDir, Arc<Hub>, Feed, Vec<Arc<Frame>>) {
        let (dir, hub, registration) = registered(Transport::Sse).await;
        let (feed, opening) = Feed::open(registration, &Start::default()).await.unwrap();
        (dir, hub, feed, opening)
    }

    async fn listening() -> (TempDir, Arc<Hub>, DuplexStream, JoinHandle<()>) {
        let (dir, hub, feed, opening) = open().await;
        let (near, far) = duplex(ROOM);
        let listening = tokio::spawn(listen(feed, opening, Line::new(near), ()));
        (dir, hub, far, listening)
    }

    #[tokio::test]
    async fn a_stream_begins_with_hello_and_ends_with_why_and_the_last_chunk() {
        let (_dir, hub, mut far, held) = listening().await;
        let mut said = String::new();
        while !said.contains("\"type\":\"ready\"") {
            said.push(char::from(far.read_u8().await.unwrap()));
        }
        hub.drain();
        far.read_to_string(&mut said).await.unwrap();
        drop(far);
        held.await.unwrap();
        let chunks: Vec<&str> = said.split("\r\n").collect();
        for chunk in chunks.chunks(2).take_while(|chunk| chunk[0] != "0") {
            assert_eq!(usize::from_str_radix(chunk[0], 16).unwrap(), chunk[1].len(), "{chunk:?}");
        }
        assert!(chunks[1].contains("\"type\":\"hello\""), "{said}");
        assert!(said.ends_with("\n\n\r\n0\r\n\r\n") && said.contains("\"reason\":\"going_away\""), "{said}");
        assert_eq!(hub.connections().values().sum::<usize>(), 0);
    }

    #[tokio::test]
    async fn whoever_closes_is_noticed_though_nothing_is_said() {
        let (_dir, hub, mut far, held) = listening().await;
        let mut said = String::new();
        while !said.contains("\"type\":\"presence\"") {
            said.push(char::from(far.read_u8().await.unwrap()));
        }
        drop(far);
        held.await.unwrap();
        assert_eq!(hub.connections().values().sum::<usize>(), 0);
    }

    #[tokio::test]
    async fn whoever_takes_nothing_hears_no_more_than_what_was_begun_and_why() {
        let (_dir, hub, mut far, held) = listening().await;
        while far.read_u8().await.unwrap() != b'\n' {}
        hub.drain();
        let begun = Instant::now();
        let mut said = String::new();
        far.read_to_string(&mut said).await.unwrap();
        drop(far);
        held.await.unwrap();
        assert!(!said.contains("\"type\":\"ready\""), "{said}");
        assert!(said.contains("\"type\":\"bye\"") && said.ends_with("0\r\n\r\n"), "{said}");
        assert!(begun.elapsed() < limits::NO_PROGRESS);
    }

    /// Nobody else.
    struct Alone;

    impl Neighbours for Alone {
        fn ring(&self, _: Seq, _: &[Arc<Entry>]) {}
        fn standings(&self, _: Vec<Standing>) {}
    }

    /// Somebody who listens over TCP, how often their task was polled, and their room's store.
    struct Lending {
        _dir: TempDir,
        hub: Arc<Hub>,
        far: BufReader<TcpStream>,
        polls: Arc<AtomicUsize>,
    }

    impl Lending {
        async fn start() -> Self {
            let (dir, hub, feed, opening) = open().await;
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let far = TcpSocket::new_v4().unwrap();
            far.set_recv_buffer_size(RECEIVED_BYTES).unwrap();
            let (far, near) = tokio::join!(far.connect(listener.local_addr().unwrap()), listener.accept());
            let stream = Tcp::new(near.unwrap().0);
            feed.session().open_lane(stream.handle());
            let polls = Arc::new(AtomicUsize::new(0));
            let counting = Arc::clone(&polls);
            let mut listening = Box::pin(listen(feed, opening, Line::new(stream), ()));
            tokio::spawn(poll_fn(move |cx| {
                counting.fetch_add(1, Ordering::Relaxed);
                listening.as_mut().poll(cx)
            }));
            let (_, rings) = mpsc::channel(1);
            let tail = Tail::new(Arc::clone(&hub), Arc::new(Metrics::new()), rings, Arc::new(Alone));
            tokio::spawn(tail.run(CancellationToken::new()));
            Self { _dir: dir, hub, far: BufReader::new(far.unwrap()), polls }
        }

        async fn post(&self, body: String) -> Seq {
            let store = self.hub.store();
            let people = store.users().await.unwrap();
            let (author, nonce) = (people[0].id, Nonce::from_uuid(Uuid::now_v7()));
            let room = store.rooms(author).await.unwrap()[0].room.id;
            let (body, html) = (body.parse().unwrap(), String::new());
            let (reply_to, mentions, mentions_room) = (None, Vec::new(), false);
            let new = NewMessage { author, room, nonce, body, html, reply_to, mentions, mentions_room };
            store.post_message(new).await.unwrap().seq
        }

        /// Until nothing is left that wakes the task by itself: it has told that Ada has come, and is idle.
        async fn settle(&mut self) {
            let mut line = String::new();
            while !(line.contains("\"presence\"") && line.contains("\"full\":false")) {
                line.clear();
                assert_ne!(self.far.read_line(&mut line).await.unwrap(), 0, "the stream has ended");
            }
            let first = self.post("so that it is idle".to_owned()).await;
            assert_eq!(self.hear().await, first);
        }

        /// The position of the next event.
        async fn hear(&mut self) -> Seq {
            loop {
                let mut line = String::new();
                assert_ne!(self.far.read_line(&mut line).await.unwrap(), 0, "the stream has ended");
                if let Some(id) = line.trim_end().strip_prefix("id: ")
                    && let (_, seq) = id.split_once('.').unwrap()
                {
                    let mut data = String::new();
                    self.far.read_line(&mut data).await.unwrap();
                    if data.contains("\"message.posted\"") {
                        return seq.parse().unwrap();
                    }
                }
            }
        }
    }

    #[tokio::test]
    async fn an_idle_one_is_written_to_without_waking_its_task() {
        let mut lending = Lending::start().await;
        lending.settle().await;
        let polls = lending.polls.load(Ordering::Relaxed);
        for number in 0..10 {
            let seq = lending.post(number.to_string()).await;
            assert_eq!(lending.hear().await, seq);
        }
        assert_eq!(lending.polls.load(Ordering::Relaxed), polls);
    }

    #[tokio::test]
    async fn who_has_no_room_gets_the_rest_from_the_task_and_nothing_twice() {
        const POSTS: usize = 400;
        const BODY_BYTES: usize = 15_000;
        let mut lending = Lending::start().await;
        lending.settle().await;
        let before = lending.polls.load(Ordering::Relaxed);
        let mut told = Vec::new();
        for _ in 0..POSTS {
            told.push(lending.post("x".repeat(BODY_BYTES)).await);
        }
        let polls = lending.polls.load(Ordering::Relaxed);
        assert!(polls > before, "the peer was to have no room");
        for seq in told {
            assert_eq!(lending.hear().await, seq);
        }
    }
}
