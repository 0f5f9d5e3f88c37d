//! Doors for the fuzzing targets (`fuzz/`), which try what is private from outside.
//!
//! Each runs the product's own code on bytes in memory, without an account and without a database.
//! They are always compiled, so that no second build of the server is needed for them; nothing in
//! the product calls them.

use std::collections::HashMap;
use std::io;

use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio_tungstenite::tungstenite::Bytes;

use crate::chat::websocket::rehearse;
use crate::echo::{self, Echo};
use crate::guard::{Guarded, Prompt};
use crate::socket::{Conversation as _, Socket};
use crate::{accept, limits, text};

/// Bytes that wait between the two ends.
const PIPE_BYTES: usize = 64 * 1024;

/// A message's HTML.
pub fn html(body: &str) -> String {
    text::to_html(body, &HashMap::new())
}

/// What the sanitizer leaves of `html`.
pub fn sanitized(html: &str) -> String {
    text::sanitized(html)
}

/// What comes back when `sent` is all that a peer says on an upgraded socket that echoes.
pub async fn echoed(sent: &[u8]) -> io::Result<Vec<u8>> {
    let (near, far) = duplex(PIPE_BYTES);
    let held = async {
        Echo.hold(Socket::new(near, Bytes::new(), limits::WEBSOCKET_WRITE_BUFFER_BYTES).await).await;
    };
    tokio::join!(held, said(far, sent)).1
}

/// What `/chat`'s reader makes of a peer's bytes.
#[derive(Debug)]
pub struct Rehearsed {
    /// The answers to commands, as JSON.
    pub answers: Vec<String>,
    /// The code that the socket is closed with; `None`: the peer closed, or is gone.
    pub code: Option<u16>,
    /// What was written, the answers as frames among it.
    pub written: Vec<u8>,
}

/// Has `/chat`'s reader read `sent`, all that a peer says on an upgraded socket.
pub async fn rehearsed(sent: &[u8]) -> io::Result<Rehearsed> {
    let (near, far) = duplex(PIPE_BYTES);
    let read = async {
        let bytes = switchback_core::limits::COMMAND_BYTES;
        rehearse(Socket::new(near, Bytes::new(), bytes).await).await
    };
    let ((code, answers), written) = tokio::join!(read, said(far, sent));
    Ok(Rehearsed { answers, code, written: written? })
}

/// What comes back on a whole connection to the echo, from its first byte: HTTP's parser, the
/// decision, the handshake, the socket.
pub async fn connected(sent: &[u8]) -> io::Result<Vec<u8>> {
    let (near, far) = duplex(PIPE_BYTES);
    let stream = TokioIo::new(Prompt::new(Guarded::new(near)));
    let protocol = accept::protocol();
    let served = protocol.serve_connection_with_upgrades(stream, TowerToHyperService::new(echo::router()));
    let (served, written) = tokio::join!(served, said(far, sent));
    // A broken request is the peer's doing.
    drop(served);
    written
}

/// Says `sent` and nothing more, and takes what comes until the other end closes.
async fn said(far: DuplexStream, sent: &[u8]) -> io::Result<Vec<u8>> {
    let (mut read, mut write) = tokio::io::split(far);
    let mut written = Vec::new();
    let say = async {
        // Whoever closes early need not hear the rest.
        let told = write.write_all(sent).await;
        drop(told);
        write.shutdown().await
    };
    let (ended, heard) = tokio::join!(say, read.read_to_end(&mut written));
    drop(ended);
    heard?;
    Ok(written)
}
