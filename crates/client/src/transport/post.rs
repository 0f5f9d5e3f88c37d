//! Commands by POST, for the ways in that carry only one direction. One at a time: two requests can
//! overtake each other, and messages must stand in the order in which they were written.

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{Method, StatusCode};
use switchback_core::wire::{Ack, CommandError, CommandId, Problem, Request, ServerFrame};
use tokio::time::timeout;

use super::{Failure, Item};
use crate::client::StopReason;
use crate::http::Http;
use crate::limits;

pub(super) struct Poster {
    http: Http,
    current: Option<BoxFuture<'static, Result<Item, Failure>>>,
}

impl std::fmt::Debug for Poster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Poster").field("busy", &self.current.is_some()).finish_non_exhaustive()
    }
}

impl Poster {
    pub(super) const fn new(http: Http) -> Self {
        Self { http, current: None }
    }

    /// `false`: one is under way.
    pub(super) fn begin(&mut self, request: &Request) -> bool {
        if self.current.is_some() {
            return false;
        }
        let http = self.http.clone();
        let (id, json) = (request.id.clone(), request.to_json());
        self.current = Some(async move { post(&http, id, json).await }.boxed());
        true
    }

    /// The answer to the command under way; never, if there is none. Cancel-safe.
    pub(super) async fn answer(&mut self) -> Result<Item, Failure> {
        match &mut self.current {
            None => std::future::pending().await,
            Some(current) => {
                let answer = current.await;
                self.current = None;
                answer
            }
        }
    }
}

async fn post(http: &Http, id: Option<CommandId>, json: String) -> Result<Item, Failure> {
    let request = http.request(Method::POST, "/chat", Some(Bytes::from(json)));
    let exchange = async {
        let answer = http.send(request).await.map_err(|error| error.to_string())?;
        let (status, media_type) = (answer.status(), answer.media_type());
        let body = answer.read(limits::FRAME_BYTES).await.map_err(|error| error.to_string())?;
        Ok::<_, String>((status, media_type, body))
    };
    let (status, media_type, body) = match timeout(limits::POST_REQUEST, exchange).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(why)) => return Ok(unanswered(id, why)),
        Err(_) => return Ok(unanswered(id, "no answer came in time".to_owned())),
    };
    if status == StatusCode::UNAUTHORIZED {
        return Err(Failure::Stop(StopReason::SignedOut));
    }
    if status == StatusCode::OK
        && let Ok(ack) = serde_json::from_slice::<Ack>(&body)
    {
        return Ok(Item::Answer(Box::new(ServerFrame::Ack(Ack { id, ..ack }))));
    }
    if media_type == "application/problem+json"
        && let Ok(problem) = serde_json::from_slice::<Problem>(&body)
    {
        let Problem { detail, code, retry, field, retry_after_ms, .. } = problem;
        let error = CommandError { id, code, detail, retry, field, retry_after_ms };
        return Ok(Item::Answer(Box::new(ServerFrame::Error(error))));
    }
    // A proxy's page: nobody knows whether the command arrived. The nonce makes asking again safe.
    Ok(unanswered(id, format!("somebody answered for the server: {status}")))
}

fn unanswered(id: Option<CommandId>, why: String) -> Item {
    Item::Unanswered { id, why }
}
