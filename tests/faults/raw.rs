//! Connections by hand, by each of the three ways: what the protocol's page says, and no more. A
//! second reading of the protocol beside our client's, so that an error in both is less likely.

use std::collections::HashMap;
use std::io::{Error, Result};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::plan::Way;
use crate::wire::{Wire, connect, exchange, frames};

/// Without any frame, before a connection is taken for dead.
const WATCHDOG: Duration = Duration::from_secs(35);
/// For the answer to a command, before it is given out again.
const ANSWER: Duration = Duration::from_secs(8);
/// For an opening handshake.
const OPEN: Duration = Duration::from_secs(8);
/// How long a batch waits, in seconds: short, so that many of them begin and end within a fault.
const BATCH_WAIT_S: u64 = 2;

/// Takes the frames; `false`: the connection is of no use any more.
pub(crate) trait Sink: Send + Sync {
    fn frame(&self, frame: Value) -> bool;
    fn cursor(&self) -> String;
}

/// Sends commands.
#[derive(Clone)]
pub(crate) struct RawPort {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    /// Where there is a WebSocket; else by POST.
    pub(crate) socket: Option<mpsc::Sender<String>>,
    pub(crate) waiting: Arc<Mutex<HashMap<u64, oneshot::Sender<Value>>>>,
}

impl RawPort {
    /// One attempt; an ack, an error frame or a problem, or nothing.
    pub(crate) async fn send(&self, id: u64, command: &Value) -> Option<Value> {
        let mut command = command.clone();
        command["id"] = id.into();
        let Some(socket) = &self.socket else {
            let line = ("POST", "/chat");
            let answer = exchange(self.address, ANSWER, line, &self.token, &command.to_string()).await;
            return answer.ok().map(|(_, body)| body).filter(Value::is_object);
        };
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().unwrap().insert(id, answer);
        socket.send(command.to_string()).await.ok()?;
        let answered = timeout(ANSWER, answered).await;
        self.waiting.lock().unwrap().remove(&id);
        answered.ok()?.ok()
    }

    fn answered(&self, frame: &Value) {
        let asker = frame["id"].as_u64().and_then(|id| self.waiting.lock().unwrap().remove(&id));
        if let Some(asker) = asker {
            // Who asked may have given up waiting.
            let _ = asker.send(frame.clone());
        }
    }
}

/// One connection from its beginning to its end. `ready` is called once commands can go.
pub(crate) async fn session(
    way: Way,
    mut port: RawPort,
    sink: &dyn Sink,
    ready: impl Fn(RawPort) + Send,
) -> Result<()> {
    match way {
        Way::RawWebSocket => {
            let (socket, commands) = mpsc::channel(64);
            port.socket = Some(socket);
            websocket(&port, sink, commands, ready).await
        }
        Way::RawSse => {
            ready(port.clone());
            stream(&port, sink).await
        }
        _ => {
            ready(port.clone());
            batch(&port, sink).await
        }
    }
}

async fn websocket(
    port: &RawPort,
    sink: &dyn Sink,
    mut commands: mpsc::Receiver<String>,
    ready: impl Fn(RawPort) + Send,
) -> Result<()> {
    let url = format!("ws://{}/chat?after={}", port.address, sink.cursor());
    let mut request = url.into_client_request().map_err(Error::other)?;
    request.headers_mut().insert("Authorization", format!("Bearer {}", port.token).parse().unwrap());
    let opening = async {
        let stream = connect(port.address).await?;
        tokio_tungstenite::client_async(request, stream).await.map_err(Error::other)
    };
    let (socket, _) = timeout(OPEN, opening).await??;
    let (mut to, mut from) = socket.split();
    ready(port.clone());
    // Only what comes counts as life: whoever goes on sending would never notice.
    let mut heard = Instant::now();
    loop {
        tokio::select! {
            command = commands.recv() => {
                let Some(command) = command else { return Ok(()) };
                timeout(WATCHDOG, to.send(Message::text(command))).await?.map_err(Error::other)?;
            }
            message = timeout_at(heard + WATCHDOG, from.next()) => {
                let Some(message) = message? else { return Ok(()) };
                heard = Instant::now();
                let Message::Text(text) = message.map_err(Error::other)? else { continue };
                let frame: Value = serde_json::from_str(&text).map_err(Error::other)?;
                if frame["type"] == "ack" || frame["type"] == "error" {
                    port.answered(&frame);
                } else if !sink.frame(frame) {
                    return Ok(());
                }
            }
        }
    }
}

fn headers(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\nAccept: text/event-stream\r\n")
}

async fn stream(port: &RawPort, sink: &dyn Sink) -> Result<()> {
    let path = format!("/chat?after={}", sink.cursor());
    let line = ("GET", path.as_str());
    let (mut wire, head) = Wire::ask(port.address, WATCHDOG, line, &headers(&port.token), "").await?;
    if head.status != 200 {
        return Err(Error::other(format!("status {}", head.status)));
    }
    let mut text = Vec::new();
    while let Some(chunk) = wire.chunk().await? {
        text.extend(chunk);
        for frame in frames(&mut text)? {
            if !sink.frame(frame) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// One batch.
async fn batch(port: &RawPort, sink: &dyn Sink) -> Result<()> {
    let path = format!("/chat?mode=batch&wait={BATCH_WAIT_S}&after={}", sink.cursor());
    let line = ("GET", path.as_str());
    let (mut wire, head) = Wire::ask(port.address, WATCHDOG, line, &headers(&port.token), "").await?;
    if head.status != 200 {
        return Err(Error::other(format!("status {}", head.status)));
    }
    let mut text = wire.body(&head).await?;
    frames(&mut text)?.into_iter().all(|frame| sink.frame(frame));
    Ok(())
}
