//! The way in that is tried first: RFC 6455 over HTTP/1.1.
//!
//! Writing happens while the next frame is awaited, from a bounded queue, so that neither direction
//! can wait for the other.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::{Sink, Stream};
use http::HeaderValue;
use http::header::SEC_WEBSOCKET_PROTOCOL;
use switchback_core::Cursor;
use switchback_core::upgrade::SUBPROTOCOL;
use switchback_core::wire::{Incoming, Request, ServerFrame};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::{Failure, path, read_frame};
use crate::dial::Io;
use crate::http::{Http, retry_after};
use crate::limits;

pub(super) struct WebSocketLine {
    socket: WebSocketStream<Box<dyn Io>>,
    outgoing: VecDeque<Message>,
    unflushed: bool,
    /// Commands begun and not yet answered.
    in_flight: usize,
}

impl std::fmt::Debug for WebSocketLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebSocketLine").field("in_flight", &self.in_flight).finish_non_exhaustive()
    }
}

impl WebSocketLine {
    pub(super) async fn open(http: &Http, cursor: Option<Cursor>) -> Result<Self, Failure> {
        let address = http.dialer().address();
        let scheme = if address.is_secure() { "wss" } else { "ws" };
        let uri = format!("{scheme}://{}{}", address.authority(), path(cursor));
        let mut request = uri.into_client_request().map_err(Failure::broken)?;
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
        http.sign(request.headers_mut());
        let stream = http.dialer().tunnel().await?.stream;
        let (socket, _) = client_async_with_config(request, stream, Some(config())).await.map_err(refused)?;
        Ok(Self { socket, outgoing: VecDeque::new(), unflushed: false, in_flight: 0 })
    }

    /// `false`: as many as may be are under way.
    pub(super) fn begin(&mut self, request: &Request) -> bool {
        if self.in_flight >= limits::COMMANDS_IN_FLIGHT {
            return false;
        }
        self.in_flight += 1;
        self.outgoing.push_back(Message::text(request.to_json()));
        true
    }

    /// The next frame. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Incoming, Failure> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming, Failure>> {
        self.poll_write(cx).map_err(|error| broken(&error))?;
        loop {
            let message = match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
                Some(Ok(message)) => message,
                Some(Err(error)) => return Poll::Ready(Err(broken(&error))),
                None => return Poll::Ready(Err(Failure::broken("the WebSocket ended"))),
            };
            match message {
                Message::Text(json) => return Poll::Ready(self.received(&json)),
                Message::Close(frame) => {
                    let code = frame.map_or(1005, |frame| u16::from(frame.code));
                    return Poll::Ready(Err(Failure::closed(code)));
                }
                Message::Binary(_) => {
                    return Poll::Ready(Err(Failure::broken("the other end sent a binary message")));
                }
                // Pings are answered by tungstenite.
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    fn received(&mut self, json: &str) -> Result<Incoming, Failure> {
        let incoming = read_frame(json)?;
        if let Incoming::Frame(frame) = &incoming
            && matches!(**frame, ServerFrame::Ack(_) | ServerFrame::Error(_))
        {
            self.in_flight = self.in_flight.saturating_sub(1);
        }
        Ok(incoming)
    }

    /// Hands over what is queued and pushes it out; what does not fit stays for the next poll.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let mut socket = Pin::new(&mut self.socket);
        while !self.outgoing.is_empty() {
            match socket.as_mut().poll_ready(cx)? {
                Poll::Pending => return Ok(()),
                Poll::Ready(()) => {}
            }
            if let Some(message) = self.outgoing.pop_front() {
                self.unflushed = true;
                socket.as_mut().start_send(message)?;
            }
        }
        if self.unflushed && socket.poll_flush(cx)?.is_ready() {
            self.unflushed = false;
        }
        Ok(())
    }
}

fn config() -> WebSocketConfig {
    // Beside the commands in flight, a pong and a close must fit.
    let largest_write = switchback_core::limits::COMMAND_BYTES * (limits::COMMANDS_IN_FLIGHT + 1);
    WebSocketConfig::default()
        .read_buffer_size(limits::WEBSOCKET_READ_BUFFER_BYTES)
        .write_buffer_size(limits::WEBSOCKET_WRITE_BUFFER_BYTES)
        .max_write_buffer_size(largest_write)
        .max_message_size(Some(limits::FRAME_BYTES))
        .max_frame_size(Some(limits::FRAME_BYTES))
}

fn refused(error: Error) -> Failure {
    match error {
        Error::Http(response) => {
            Failure::rejected(response.status(), retry_after(response.headers()), "the WebSocket handshake")
        }
        error => Failure::Broken(format!("the WebSocket handshake failed: {error}")),
    }
}

fn broken(error: &Error) -> Failure {
    Failure::Broken(format!("the WebSocket broke: {error}"))
}
