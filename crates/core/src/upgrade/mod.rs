//! What a request to `/chat` becomes: a pure function from request head to decision.
//!
//! The table is DESIGN's "/chat", the sources are RFC 9110 7.8 (Upgrade), RFC 6455 4 (WebSocket's
//! handshake), RFC 8441 (WebSocket over HTTP/2) and RFC 9110 12.5.1 (Accept).
//!
//! An upgrade is an offer, never an order: what is not for us is ignored and the request is
//! answered as if it had not been made. Only an upgrade to WebSocket that is meant for us and is
//! broken gets an error, because a stream in its place would hide the client's mistake.

use http::{HeaderMap, Method, Version};

mod accept;
mod handshake;
mod list;
mod query;
mod reject;

pub use handshake::accept_key;
pub use query::ChatQuery;
pub use reject::Reject;

use accept::Preferred;

/// The subprotocol this server speaks (RFC 6455 1.9); echoed when offered.
pub const SUBPROTOCOL: &str = "switchback.v1";

/// What the decision looks at. Query and path are already split off.
#[derive(Debug, Clone, Copy)]
pub struct RequestHead<'a> {
    /// The method.
    pub method: &'a Method,
    /// HTTP/1.0, 1.1 or 2.
    pub version: Version,
    /// All header lines.
    pub headers: &'a HeaderMap,
    /// `:protocol` of an extended CONNECT (RFC 8441 4).
    pub protocol: Option<&'a str>,
    /// The query, without `?`.
    pub query: Option<&'a str>,
}

/// What the request becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// 101 (HTTP/1.1), or 200 (extended CONNECT; `accept` is `None`), then WebSocket frames.
    WebSocket {
        /// `Sec-WebSocket-Accept`.
        accept: Option<String>,
        /// Echo [`SUBPROTOCOL`].
        subprotocol: bool,
    },
    /// 200 `text/event-stream`.
    EventStream,
    /// 200 `text/event-stream` that ends after the first batch.
    Batch {
        /// How long to wait for a first event, in seconds, at most `limits::BATCH_WAIT_MAX_S`.
        wait_s: u64,
    },
    /// A command by POST.
    Command,
    /// Somebody opened it in a browser: 303 to `/`.
    Page,
    /// Not one of the ways in.
    Reject(Reject),
}

/// Decides what a request to `/chat` becomes.
///
/// Credentials and `Origin` are not looked at: they need the store, and they are checked the same
/// for every decision.
pub fn decide(head: &RequestHead<'_>) -> Decision {
    match *head.method {
        Method::GET if offers_websocket(head) => {
            handshake::over_http1(head.headers).unwrap_or_else(Decision::Reject)
        }
        Method::GET => without_upgrade(head),
        // RFC 9110 7.8: a server may ignore Upgrade. A command is answered, never switched.
        Method::POST => Decision::Command,
        Method::CONNECT => connect(head),
        _ => Decision::Reject(Reject::Method),
    }
}

/// Whether there is an upgrade to WebSocket that has to be taken seriously.
fn offers_websocket(head: &RequestHead<'_>) -> bool {
    // RFC 9110 7.8: ignored in HTTP/1.0; RFC 9113 8.2.2: connection-specific fields mean nothing
    // in HTTP/2. Without `Connection: upgrade` it may have been meant for another hop.
    head.version == Version::HTTP_11
        && list::has_token(head.headers, &http::header::CONNECTION, "upgrade")
        && list::protocols(head.headers).any(|name| name.eq_ignore_ascii_case("websocket"))
}

/// Extended CONNECT (RFC 8441 4; RFC 9220 takes it to HTTP/3).
fn connect(head: &RequestHead<'_>) -> Decision {
    let multiplexed = matches!(head.version, Version::HTTP_2 | Version::HTTP_3);
    let websocket = head.protocol.is_some_and(|name| name.eq_ignore_ascii_case("websocket"));
    if multiplexed && websocket {
        handshake::over_http2(head.headers).unwrap_or_else(Decision::Reject)
    } else {
        Decision::Reject(Reject::ConnectProtocol)
    }
}

fn without_upgrade(head: &RequestHead<'_>) -> Decision {
    match accept::preferred(head.headers) {
        Preferred::Page => Decision::Page,
        Preferred::Nothing => Decision::Reject(Reject::NotAcceptable),
        Preferred::EventStream => match ChatQuery::parse(head.query).checked() {
            Err(sentence) => Decision::Reject(Reject::BadQuery(sentence)),
            Ok(None) => Decision::EventStream,
            Ok(Some(wait_s)) => Decision::Batch { wait_s },
        },
    }
}
