//! One function for each target: bytes in, a panic if something does not hold.
//!
//! What must hold is written down here a second time and in other words than in the product, so
//! that a mistake has to be made twice to go unnoticed.

use std::cell::OnceCell;
use std::future::Future;

use base64::Engine as _;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use switchback_client::sse_parser::{SseEvent, SseParser, TooLong};
use switchback_core::upgrade::{Decision, RequestHead, decide};
use switchback_core::wire::Request;
use switchback_core::{Cursor, limits};
use switchback_server::under_test;
use tokio::runtime::{Builder, Runtime};

use crate::harmless::assert_harmless;
use crate::server_frames::assert_well_formed;

/// A target's name, and what it runs.
pub(crate) type Target = (&'static str, fn(&[u8]));

/// All of them; the seeds of each are in `fuzz/seeds/<name>/`.
pub(crate) const TARGETS: [Target; 7] = [
    ("upgrade", upgrade),
    ("connection", connection),
    ("socket", socket),
    ("command", command),
    ("sse", sse),
    ("markdown", markdown),
    ("cursor", cursor),
];

thread_local! {
    static RUNTIME: OnceCell<Runtime> = const { OnceCell::new() };
}

fn run<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| {
        let new = || Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.get_or_init(new).block_on(future)
    })
}

/// A request's head, as lines of text: `/chat` becomes a WebSocket only for whoever asked for one.
fn upgrade(bytes: &[u8]) {
    let Some(head) = Head::parse(bytes) else { return };
    let decision = decide(&RequestHead {
        method: &head.method,
        version: head.version,
        headers: &head.headers,
        protocol: head.protocol.as_deref(),
        query: head.query.as_deref(),
    });
    match decision {
        Decision::WebSocket { accept: Some(accept), subprotocol } => {
            assert_eq!((&head.method, head.version), (&Method::GET, Version::HTTP_11));
            assert!(head.mentions("connection", "upgrade") && head.mentions("upgrade", "websocket"));
            assert_eq!(head.lines("sec-websocket-version"), ["13"]);
            assert_eq!(head.lines("sec-websocket-key").len(), 1);
            assert!(head.lines("transfer-encoding").is_empty());
            assert!(!subprotocol || head.mentions("sec-websocket-protocol", "switchback.v1"));
            let proof = base64::engine::general_purpose::STANDARD.decode(accept).expect("base64");
            assert_eq!(proof.len(), 20, "a SHA-1");
        }
        Decision::WebSocket { accept: None, .. } => {
            let websocket = head.protocol.is_some_and(|name| name.eq_ignore_ascii_case("websocket"));
            assert!(head.method == Method::CONNECT && websocket);
        }
        Decision::Batch { wait_s } => assert!(wait_s <= limits::BATCH_WAIT_MAX_S),
        Decision::EventStream | Decision::Page => assert_eq!(head.method, Method::GET),
        Decision::Command => assert_eq!(head.method, Method::POST),
        Decision::Reject(reject) => {
            assert!([400, 405, 426, 501].contains(&reject.status()));
            for (name, value) in reject.headers() {
                assert!(
                    HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_str(value).is_ok()
                );
            }
            assert_eq!(reject.problem().status, reject.status());
        }
    }
}

/// A head as it is known after HTTP's own parser.
struct Head {
    method: Method,
    version: Version,
    headers: HeaderMap,
    protocol: Option<String>,
    query: Option<String>,
}

impl Head {
    /// Lines that are not header lines are passed over, so that a fuzzer loses no time on them.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut lines =
            bytes.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let mut words = lines.next()?.splitn(3, |&byte| byte == b' ');
        let method = Method::from_bytes(words.next()?).ok()?;
        let target = std::str::from_utf8(words.next()?).ok()?;
        let version = match words.next()? {
            b"HTTP/1.0" => Version::HTTP_10,
            b"HTTP/1.1" => Version::HTTP_11,
            b"HTTP/2" => Version::HTTP_2,
            _ => return None,
        };
        let query = target.split_once('?').map(|(_, query)| query.to_owned());
        let mut head = Self { method, version, headers: HeaderMap::new(), protocol: None, query };
        for line in lines {
            if let Some(protocol) = line.strip_prefix(b":protocol: ") {
                head.protocol = String::from_utf8(protocol.to_vec()).ok();
            } else if let Some(colon) = line.iter().position(|&byte| byte == b':') {
                let value = line[colon + 1..].trim_ascii();
                if let (Ok(name), Ok(value)) =
                    (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(value))
                {
                    head.headers.append(name, value);
                }
            }
        }
        Some(head)
    }

    fn lines(&self, name: &str) -> Vec<String> {
        let lines = self.headers.get_all(name).iter();
        lines
            .map(|line| String::from_utf8_lossy(line.as_bytes()).trim_matches([' ', '\t']).to_owned())
            .collect()
    }

    fn mentions(&self, name: &str, word: &str) -> bool {
        self.lines(name).iter().any(|line| line.to_ascii_lowercase().contains(word))
    }
}

/// Everything on a connection, from its first byte: nobody is switched who did not ask for it, and
/// what follows a switch is frames.
fn connection(bytes: &[u8]) {
    let written = run(under_test::connected(bytes)).expect("memory does not fail");
    let text = String::from_utf8_lossy(&written);
    // HTTP/2's own preface begins with a SETTINGS frame.
    let http2 = bytes.starts_with(b"PRI * HTTP/2.0");
    assert!(written.is_empty() || http2 || text.starts_with("HTTP/1."), "{text:?}");
    if let Some(at) = written.windows(12).position(|window| window == b"HTTP/1.1 101").filter(|_| !http2) {
        let asked = String::from_utf8_lossy(bytes).to_ascii_lowercase();
        for word in ["get ", "upgrade", "websocket", "sec-websocket-key", "sec-websocket-version", "host"] {
            assert!(asked.contains(word), "switched without {word}: {asked:?}");
        }
        let end = written[at..].windows(4).position(|window| window == b"\r\n\r\n").expect("a whole head");
        assert_well_formed(&written[at + end + 4..]);
    }
}

/// What a peer says on an upgraded socket, to the echo and to `/chat`'s reader.
fn socket(bytes: &[u8]) {
    assert_well_formed(&run(under_test::echoed(bytes)).expect("memory does not fail"));
    let heard = run(under_test::rehearsed(bytes)).expect("memory does not fail");
    assert_well_formed(&heard.written);
    for answer in &heard.answers {
        let answer: serde_json::Value = serde_json::from_str(answer).expect("an answer is JSON");
        assert!(answer["type"] == "ack" || answer["type"] == "error", "{answer}");
    }
    if let Some(code) = heard.code {
        assert!([1002, 1003, 1007, 1009, 4000].contains(&code), "code {code}");
    }
}

/// A command: what is understood can be written down and is understood as the same again; what is
/// not has an error that a client can use.
fn command(bytes: &[u8]) {
    match Request::parse(bytes) {
        Ok(request) => {
            let json = serde_json::to_vec(&request).expect("a command can be written");
            assert_eq!(Request::parse(&json).expect("its own writing"), request);
        }
        Err(error) => {
            assert!(!error.detail.is_empty());
            serde_json::to_vec(&error).expect("an error can be written");
        }
    }
}

/// An event stream, cut anywhere: the same events, within their bounds. The first byte says where.
fn sse(bytes: &[u8]) {
    let Some((&cut, stream)) = bytes.split_first() else { return };
    let whole = events([stream]);
    let (head, tail) = stream.split_at(usize::from(cut).min(stream.len()));
    assert_eq!(events([head, tail]), whole);
    assert_eq!(events(stream.chunks(1)), whole);
    for event in whole.iter().flatten() {
        assert!(
            !event.data.contains('\r') && !event.event.contains('\n') && !event.last_event_id.contains('\0')
        );
    }
}

fn events<'s>(chunks: impl IntoIterator<Item = &'s [u8]>) -> Result<Vec<SseEvent>, TooLong> {
    let mut parser = SseParser::new();
    let mut events = Vec::new();
    for mut chunk in chunks {
        while let Some(event) = parser.next(&mut chunk)? {
            events.push(event);
        }
        assert!(chunk.is_empty());
    }
    Ok(events)
}

/// A message, and HTML of somebody else: what comes out may be shown, is short enough, and passes
/// the sanitizer once more unchanged.
fn markdown(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut end = text.len().min(limits::MESSAGE_BODY_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = &text[..end];
    for html in [under_test::html(text), under_test::sanitized(text)] {
        assert_harmless(&html, text);
        assert_eq!(under_test::sanitized(&html), html, "changes when it is read again: {text:?}");
    }
    assert!(under_test::html(text).len() <= switchback_server::limits::MESSAGE_HTML_BYTES);
}

/// A cursor has one spelling.
fn cursor(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(cursor) = text.parse::<Cursor>() {
        assert_eq!(cursor.to_string(), text);
        assert!(cursor.epoch.as_str().len() <= limits::EPOCH_CHARS && i64::try_from(cursor.seq).is_ok());
    }
}
