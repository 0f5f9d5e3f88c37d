//! An echo of text and bytes at `/`, for those who check the socket from outside.
//!
//! It is the server without the chat: connections are accepted, requests judged, handshakes answered
//! and sockets closed by the very code that does so for `/chat`; only what is said differs, and how
//! long a message may be. Nobody signs in, so it is not for an open network: `examples/echo.rs` runs
//! it, the product does not.

use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn;
use axum::response::Response;
use axum::routing::any;
use hyper_util::server::graceful::GracefulShutdown;
use switchback_core::upgrade::{Decision, Reject};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::protocol::frame::coding::Data;
use tokio_util::task::TaskTracker;

use crate::accept::Acceptor;
use crate::log::message;
use crate::socket::{self, Conversation, Farewell, Silence, Socket};
use crate::{http, limits};

/// Echoes to everybody who connects, for as long as it is polled.
pub async fn serve(listener: TcpListener) {
    let graceful = GracefulShutdown::new();
    Acceptor::new(router(), None, limits::CONNECTIONS, None, &graceful).accept(listener).await;
}

/// The one route.
pub(crate) fn router() -> Router {
    Router::new().route("/", any(enter)).layer(from_fn(http::one_host))
}

async fn enter(request: Request) -> Response {
    let (request, _) = socket::taken_apart(request);
    match socket::decision(&request) {
        Decision::WebSocket { accept, subprotocol } => {
            socket::switch(request, accept, subprotocol, &TaskTracker::new(), Echo)
        }
        Decision::Reject(reject) => socket::rejected(reject, request.version()),
        // The other ways into `/chat` lead nowhere here.
        _ => socket::rejected(Reject::NotAcceptable, request.version()),
    }
}

/// Says what it hears.
pub(crate) struct Echo;

impl Conversation for Echo {
    const MESSAGE_BYTES: usize = limits::ECHO_MESSAGE_BYTES;

    async fn hold<S>(self, mut socket: Socket<S>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let farewell = loop {
            match socket.hear().await {
                Ok(heard) => {
                    let kind = if heard.is_text() { Data::Text } else { Data::Binary };
                    socket.queue(message(kind, &heard.into_data()));
                    if socket.send().await.is_err() {
                        break None;
                    }
                }
                Err(Silence::Gone) => break None,
                Err(Silence::Broken(code, reason)) => {
                    break Some(Farewell { last_words: None, code, reason, sound: false });
                }
            }
        };
        socket::finish(socket, farewell).await;
    }
}
