//! Batches: short answers that end, one after the other, for networks that hold back whatever does
//! not. Each begins where the one before ended, so none is lost and none comes twice.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use switchback_core::Cursor;
use switchback_core::wire::{Incoming, ServerFrame};
use tokio::time::sleep;

use super::post::Poster;
use super::sse::SseReader;
use super::{Failure, Item, path};
use crate::http::Http;
use crate::limits;

pub(super) struct BatchLine {
    http: Http,
    pub(super) poster: Poster,
    wait_s: u64,
    state: State,
    /// Where the last batch ended, in the log and among the ephemeral frames.
    ended_at: Option<(Cursor, u64)>,
    /// The batch being read has said where it ends.
    ready: bool,
    /// The batch being read has brought something.
    brought: bool,
}

enum State {
    Asking(BoxFuture<'static, Result<SseReader, Failure>>),
    Reading(Box<SseReader>),
    /// Only ever seen if a batch broke off and the line is used again all the same.
    Broken,
}

impl std::fmt::Debug for BatchLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchLine").field("ended_at", &self.ended_at).finish_non_exhaustive()
    }
}

impl BatchLine {
    pub(super) async fn open(http: Http, cursor: Option<Cursor>, wait_s: u64) -> Result<Self, Failure> {
        // The first one does not wait: its `hello` is what opens the line.
        let mut path = path(cursor);
        path.push_str(if cursor.is_some() { "&mode=batch&wait=0" } else { "?mode=batch&wait=0" });
        let reader = SseReader::open(&http, &path).await?;
        let poster = Poster::new(http.clone());
        let state = State::Reading(Box::new(reader));
        Ok(Self { http, poster, wait_s, state, ended_at: None, ready: false, brought: true })
    }

    /// The next frame, or the answer to a command. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Item, Failure> {
        loop {
            let frame = tokio::select! {
                answer = self.poster.answer() => return answer,
                frame = next_in(&mut self.state) => frame?,
            };
            match frame {
                Some(frame) => {
                    if let Some(frame) = self.received(frame) {
                        return Ok(Item::Frame(frame));
                    }
                }
                None => self.ask_again()?,
            }
        }
    }

    /// Notes what the frame says about this batch; only the first `hello` is for those above.
    fn received(&mut self, incoming: Incoming) -> Option<Incoming> {
        let Incoming::Frame(frame) = &incoming else {
            self.brought = true;
            return Some(incoming);
        };
        match **frame {
            ServerFrame::Hello(_) if self.ended_at.is_some() => return None,
            ServerFrame::Hello(_) => {}
            ServerFrame::Ready { cursor, seen } => {
                self.ready = true;
                self.ended_at = Some((cursor, seen));
            }
            _ => self.brought = true,
        }
        Some(incoming)
    }

    fn ask_again(&mut self) -> Result<(), Failure> {
        let Some((cursor, seen)) = self.ended_at.filter(|_| self.ready) else {
            return Err(Failure::broken("a batch ended before it was ready"));
        };
        let path = format!("{}&mode=batch&wait={}&seen={seen}", path(Some(cursor)), self.wait_s);
        // A server that answers at once although there is nothing must not make us spin.
        let pause = if self.brought { None } else { Some(limits::BATCH_PAUSE) };
        (self.ready, self.brought) = (false, false);
        let http = self.http.clone();
        let asking = async move {
            if let Some(pause) = pause {
                sleep(pause).await;
            }
            SseReader::open(&http, &path).await
        };
        if let State::Reading(reader) = std::mem::replace(&mut self.state, State::Asking(asking.boxed())) {
            reader.recycle();
        }
        Ok(())
    }
}

/// The next frame of the batch that is asked for or read; `None` at its end. Cancel-safe.
async fn next_in(state: &mut State) -> Result<Option<Incoming>, Failure> {
    if let State::Asking(asking) = state {
        let reader = asking.await;
        *state = State::Broken;
        *state = State::Reading(Box::new(reader?));
    }
    match state {
        State::Reading(reader) => reader.next().await,
        _ => Err(Failure::broken("the batch broke off")),
    }
}
