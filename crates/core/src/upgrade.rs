//! What a request to `/chat` becomes: a pure function from request head to decision.
//!
//! The table is DESIGN's "/chat", the sources are RFC 9110 7.8 (Upgrade), RFC 6455 4 (WebSocket's
//! handshake), RFC 8441 (WebSocket over HTTP/2) and RFC 9110 12.5.1 (Accept).

use http::{HeaderMap, Method, Version};

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

/// Why a request is none of the ways in; each has its status and headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reject {
    /// 405 with `Allow: GET, POST`.
    Method,
    /// 426: the version is not 13 (RFC 6455 4.4).
    WebSocketVersion,
    /// 400 with `Sec-WebSocket-Version: 13`: absent or repeated version.
    BadWebSocketVersion,
    /// 400: key absent, repeated or not 16 bytes of base64.
    BadWebSocketKey,
    /// 400: a body was announced with the upgrade.
    UpgradeWithBody,
    /// 400: a parameter of the query is wrong; the sentence says which.
    BadQuery(&'static str),
    /// 426: none of the ways in was asked for.
    NotAcceptable,
    /// 501: extended CONNECT with another `:protocol`, or CONNECT without one (RFC 8441 4).
    ConnectProtocol,
}

/// Decides what a request to `/chat` becomes.
pub fn decide(_head: &RequestHead<'_>) -> Decision {
    unimplemented!("filled by the table")
}
