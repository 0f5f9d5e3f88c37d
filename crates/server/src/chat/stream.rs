//! A connection as an event stream (WHATWG HTML 9.2), endless or as one short batch.
//!
//! The blocks are the shared bytes of the log; hyper asks for the next one when the socket has
//! room, so a peer that does not read holds back its own cursor and nothing else.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use tokio::time::{Duration, Instant};

use super::feed::{Feed, Outlet, Pulled, bye};
use crate::log::Frame;

/// No cache may keep it, no proxy may compress or hold it back (the last is nginx's own).
pub(super) const HEADERS: [(HeaderName, &str); 3] = [
    (CONTENT_TYPE, "text/event-stream"),
    (CACHE_CONTROL, "no-store, no-transform"),
    (HeaderName::from_static("x-accel-buffering"), "no"),
];

/// Answers with an event stream that goes on until the connection ends.
pub(super) fn endless(feed: Feed, opening: Vec<Arc<Frame>>) -> Response {
    let start = Endless { feed, pending: opening.into(), pulled: Pulled::More, over: false };
    let blocks = stream::unfold(start, |mut state| async move {
        let block = state.next().await?;
        Some((Ok::<_, Infallible>(block), state))
    });
    (HEADERS, Body::from_stream(blocks)).into_response()
}

impl Outlet for VecDeque<Arc<Frame>> {
    fn put(&mut self, frame: &Arc<Frame>) {
        self.push_back(Arc::clone(frame));
    }
}

struct Endless {
    feed: Feed,
    pending: VecDeque<Arc<Frame>>,
    pulled: Pulled,
    over: bool,
}

impl Endless {
    /// The next block; `None`: the stream is over.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let (Some(goodbye), false) = (self.feed.goodbye(), self.over) {
                // What was not sent yet is not for them any more, or is read again at the cursor.
                self.pending = [bye(goodbye)].into();
                self.over = true;
            }
            if let Some(frame) = self.pending.pop_front() {
                return Some(frame.block().clone());
            }
            if self.over {
                return None;
            }
            if self.pulled == Pulled::All {
                self.feed.woken().await;
            }
            self.pull().await;
        }
    }

    async fn pull(&mut self) {
        match self.feed.pull(&mut self.pending).await {
            Ok(pulled) => self.pulled = pulled,
            Err(error) => {
                self.pending.push_back(bye(super::unreadable(&error)));
                self.over = true;
            }
        }
    }
}

/// Answers with what is new, waiting up to `wait_s` for something; the answer has a length, so
/// that it passes where a stream is held back.
pub(super) async fn batch(mut feed: Feed, mut frames: Vec<Arc<Frame>>, wait_s: u64) -> Response {
    let deadline = Instant::now() + Duration::from_secs(wait_s);
    let opening = frames.len();
    // A `reset` is worth an answer at once, too.
    let was_reset = opening > 1;
    loop {
        if let Some(goodbye) = feed.goodbye() {
            frames.truncate(opening);
            frames.push(bye(goodbye));
            break;
        }
        let pulled = match feed.pull(&mut frames).await {
            Ok(pulled) => pulled,
            Err(error) => {
                frames.push(bye(super::unreadable(&error)));
                break;
            }
        };
        if was_reset || feed.is_fresh() || pulled == Pulled::More {
            frames.push(feed.ready_frame());
            break;
        }
        tokio::select! {
            biased;
            () = feed.woken() => {}
            () = tokio::time::sleep_until(deadline) => {
                frames.push(feed.ready_frame());
                break;
            }
        }
    }
    let size = frames.iter().map(|frame| frame.block().len()).sum();
    let mut body = BytesMut::with_capacity(size);
    for frame in &frames {
        body.extend_from_slice(frame.block());
    }
    (HEADERS, Body::from(body.freeze())).into_response()
}
