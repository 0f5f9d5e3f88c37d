//! The opening handshake of a WebSocket, once it is known that one is asked for (RFC 6455 4.2,
//! RFC 8441 5).
//!
//! Checked in the order in which a client can do something about it: the version first, because
//! another version may have another handshake altogether.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderMap;
use http::header::{
    CONTENT_LENGTH, HeaderName, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    TRANSFER_ENCODING,
};
use sha1::{Digest, Sha1};

use super::{Decision, Reject, SUBPROTOCOL, list};

/// The one version there is (RFC 6455 4.1).
const VERSION: &str = "13";
/// A key's length once decoded, in bytes (RFC 6455 4.1).
const KEY_BYTES: usize = 16;
/// What the key is hashed with (RFC 6455 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (RFC 6455 4.2.2): proof to the client that its
/// handshake was understood, not a secret.
pub fn accept_key(key: &str) -> String {
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    BASE64.encode(digest)
}

/// HTTP/1.1: `Connection` and `Upgrade` have been seen to.
pub(super) fn over_http1(headers: &HeaderMap) -> Result<Decision, Reject> {
    check_version(headers)?;
    let key = key(headers).ok_or(Reject::BadWebSocketKey)?;
    check_body(headers)?;
    Ok(Decision::WebSocket { accept: Some(accept_key(key)), subprotocol: subprotocol(headers) })
}

/// HTTP/2: the stream is the proof, there is no key (RFC 8441 5).
pub(super) fn over_http2(headers: &HeaderMap) -> Result<Decision, Reject> {
    check_version(headers)?;
    check_body(headers)?;
    Ok(Decision::WebSocket { accept: None, subprotocol: subprotocol(headers) })
}

fn check_version(headers: &HeaderMap) -> Result<(), Reject> {
    let mut lines = headers.get_all(SEC_WEBSOCKET_VERSION).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return Err(Reject::BadWebSocketVersion);
    };
    // What is not even text is a version, too: not ours.
    let version = list::trim(std::str::from_utf8(line.as_bytes()).unwrap_or("?"));
    match version {
        VERSION => Ok(()),
        _ if version.is_empty() || version.contains(',') => Err(Reject::BadWebSocketVersion),
        _ => Err(Reject::WebSocketVersion),
    }
}

/// The key, if it is there once and is 16 bytes of canonical base64 (RFC 4648 3.5).
fn key(headers: &HeaderMap) -> Option<&str> {
    let key = list::trim(single(headers, &SEC_WEBSOCKET_KEY)?);
    let bytes = BASE64.decode(key).ok()?;
    (bytes.len() == KEY_BYTES).then_some(key)
}

/// The bytes after the head belong to the WebSocket; a body in front of them would be read as
/// frames, or the frames as a body.
fn check_body(headers: &HeaderMap) -> Result<(), Reject> {
    let zero = |length: &str| length.bytes().all(|digit| digit == b'0');
    let lines = headers.get_all(CONTENT_LENGTH).iter().count();
    // Each line that is not a number counts as a body: nobody knows where it would end.
    let zeros = list::elements(headers, &CONTENT_LENGTH).filter(|length| zero(length)).count();
    let others = list::elements(headers, &CONTENT_LENGTH).any(|length| !zero(length));
    if others || zeros < lines || headers.contains_key(TRANSFER_ENCODING) {
        return Err(Reject::UpgradeWithBody);
    }
    Ok(())
}

/// Subprotocols are compared with regard to case (RFC 6455 4.1 and 11.5).
fn subprotocol(headers: &HeaderMap) -> bool {
    list::elements(headers, &SEC_WEBSOCKET_PROTOCOL).any(|name| name == SUBPROTOCOL)
}

fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut lines = headers.get_all(name).iter();
    match (lines.next(), lines.next()) {
        (Some(line), None) => line.to_str().ok(),
        _ => None,
    }
}
