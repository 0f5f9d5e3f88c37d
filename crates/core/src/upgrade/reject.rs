//! Why a request is none of the ways in, and what to answer: status, headers, a helpful sentence.

use crate::wire::{ErrorCode, Problem};

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

impl Reject {
    /// The HTTP status (RFC 9110 15).
    pub const fn status(self) -> u16 {
        match self {
            Self::BadWebSocketVersion | Self::BadWebSocketKey | Self::UpgradeWithBody | Self::BadQuery(_) => {
                400
            }
            Self::Method => 405,
            Self::WebSocketVersion | Self::NotAcceptable => 426,
            Self::ConnectProtocol => 501,
        }
    }

    /// Header fields of the answer beside those of its body.
    ///
    /// 426 must name the protocol (RFC 9110 15.5.22). In HTTP/2 there is no `Connection` and no
    /// `Upgrade` (RFC 9113 8.2.2): whoever writes the answer leaves them out there.
    pub const fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Method => &[("allow", "GET, POST")],
            Self::WebSocketVersion | Self::NotAcceptable => {
                &[("upgrade", "websocket"), ("connection", "upgrade"), ("sec-websocket-version", "13")]
            }
            Self::BadWebSocketVersion => &[("sec-websocket-version", "13")],
            Self::BadWebSocketKey | Self::UpgradeWithBody | Self::BadQuery(_) | Self::ConnectProtocol => &[],
        }
    }

    /// What was wrong and what would be right, for people.
    pub const fn detail(self) -> &'static str {
        match self {
            Self::Method => {
                "/chat takes GET (a WebSocket upgrade, or `Accept: text/event-stream`) and POST (one command as JSON)."
            }
            Self::WebSocketVersion => {
                "Only WebSocket version 13 (RFC 6455) is spoken here: send `Sec-WebSocket-Version: 13`, or ask for the same events with `Accept: text/event-stream`."
            }
            Self::BadWebSocketVersion => {
                "A WebSocket handshake has exactly one `Sec-WebSocket-Version`, and it is 13 (RFC 6455 4.1)."
            }
            Self::BadWebSocketKey => {
                "A WebSocket handshake has exactly one `Sec-WebSocket-Key`, the base64 of 16 random bytes (RFC 6455 4.1)."
            }
            Self::UpgradeWithBody => {
                "An upgrade to WebSocket has no body: leave out `Content-Length` and `Transfer-Encoding`."
            }
            Self::BadQuery(sentence) => sentence,
            Self::NotAcceptable => {
                "There are two ways in: a WebSocket (`Connection: upgrade`, `Upgrade: websocket`, `Sec-WebSocket-Version: 13`, `Sec-WebSocket-Key`), or an event stream (`Accept: text/event-stream`), which ends after the first batch with `?mode=batch`."
            }
            Self::ConnectProtocol => {
                "CONNECT is taken only with `:protocol = websocket` (RFC 8441): this is not a proxy."
            }
        }
    }

    /// A short title for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Method => "Method not allowed",
            Self::WebSocketVersion | Self::NotAcceptable => "Upgrade required",
            Self::BadWebSocketVersion | Self::BadWebSocketKey | Self::UpgradeWithBody => {
                "Bad WebSocket handshake"
            }
            Self::BadQuery(_) => "Bad query",
            Self::ConnectProtocol => "Not implemented",
        }
    }

    /// The body of the answer (RFC 9457). Its `status` is the one from the table; its `code` says
    /// no more than that the request was at fault.
    pub fn problem(self) -> Problem {
        let code = ErrorCode::BadRequest;
        Problem {
            kind: format!("urn:switchback:error:{}", code.as_str()),
            title: self.title().to_owned(),
            status: self.status(),
            detail: self.detail().to_owned(),
            code,
            retry: false,
            field: None,
            retry_after_ms: None,
            id: None,
        }
    }
}
