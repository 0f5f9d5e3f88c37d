//! The ways in without an upgrade: event stream, batch, and commands by POST.

use bytes::{Buf as _, Bytes};
use http::header::{self, HeaderValue};
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming as Body;
use switchback_client::sse_parser::SseParser;
use switchback_core::wire::{Incoming, ServerFrame};
use tokio::time::{Instant, timeout};

use super::PATIENCE;
use super::advice::Trouble;
use super::probe::{self, Probe, body, describe, is_ours, media_type};
use super::report::{Check, WayState};

const EVENT_STREAM: &str = "text/event-stream";
/// `hello` this long after the head was held back: the server writes both at once.
const HELD_BACK_MS: u128 = 1_000;

/// An event stream that is being read.
pub(super) struct Events {
    body: Body,
    parser: SseParser,
    chunk: Bytes,
}

pub(super) async fn event_stream(probe: &mut Probe) -> (Check, WayState) {
    const NAME: &str = "event stream";
    let begun = Instant::now();
    let answer = match probe.send(ask(probe, "/chat")).await {
        Ok(answer) => answer,
        Err(error) => {
            // The server sends the head at once; where even that is held back, everything is.
            let check =
                Check::failed(NAME, begun.elapsed(), format!("not even the head of an answer: {error}"));
            return (check.because(Trouble::Buffered), WayState::Blocked);
        }
    };
    if !is_stream(&answer) {
        return refused(NAME, probe, answer).await;
    }
    let head = Instant::now();
    let first = timeout(PATIENCE, Events::of(answer.response.into_body()).next()).await;
    let (took, after_head) = (begun.elapsed(), head.elapsed().as_millis());
    let seconds = took.as_secs_f32();
    let (state, detail) = match first {
        Ok(Some(frame)) if is_hello(&frame) && after_head < HELD_BACK_MS => {
            return (Check::ok(NAME, took, "streaming: the first frame came with the head"), WayState::Works);
        }
        Ok(Some(frame)) if is_hello(&frame) => {
            let detail =
                format!("the first frame came {after_head} ms after the head: somebody holds it back");
            (WayState::Works, detail)
        }
        Ok(Some(_)) => (WayState::Blocked, "the first frame was not hello".to_owned()),
        Ok(None) => {
            let detail = format!("cut after {seconds:.1} s without a frame: somebody holds the stream back");
            (WayState::Blocked, detail)
        }
        Err(_) => {
            let detail = format!("the head, but no frame in {seconds:.1} s: somebody holds the stream back");
            (WayState::Blocked, detail)
        }
    };
    (Check::failed(NAME, took, detail).because(Trouble::Buffered), state)
}

pub(super) async fn batch(probe: &mut Probe) -> (Check, WayState) {
    const NAME: &str = "batch";
    let begun = Instant::now();
    let answer = match probe.send(ask(probe, "/chat?mode=batch&wait=0")).await {
        Ok(answer) => answer,
        Err(error) => return (Check::failed(NAME, begun.elapsed(), error.to_string()), WayState::Blocked),
    };
    if !is_stream(&answer) {
        return refused(NAME, probe, answer).await;
    }
    let mut events = Events::of(answer.response.into_body());
    let mut hello = false;
    loop {
        match timeout(PATIENCE, events.next()).await {
            Ok(Some(frame)) => hello |= is_hello(&frame),
            Ok(None) if hello => return (Check::ok(NAME, begun.elapsed(), "complete"), WayState::Works),
            Ok(None) => {
                return (Check::failed(NAME, begun.elapsed(), "it came without hello"), WayState::Blocked);
            }
            Err(_) => return (Check::failed(NAME, begun.elapsed(), "it did not end"), WayState::Blocked),
        }
    }
}

fn is_stream(answer: &probe::Answer) -> bool {
    answer.response.status() == StatusCode::OK && media_type(answer.response.headers()) == EVENT_STREAM
}

/// What an answer means that is no event stream. Without a token, our server's 401 is what it should be.
async fn refused(name: &'static str, probe: &Probe, answer: probe::Answer) -> (Check, WayState) {
    let (took, status, kind) = (answer.took, answer.response.status(), describe(&answer.response));
    let problem: serde_json::Value = serde_json::from_str(&body(answer.response).await).unwrap_or_default();
    let ours = is_ours(&problem);
    if ours && status == StatusCode::UNAUTHORIZED && !probe.has_token() {
        let detail = "the request reaches the server; only a token shows whether the answer streams";
        return (Check::ok(name, took, detail), WayState::Reaches);
    }
    if ours {
        let says = problem["detail"].as_str().unwrap_or_default();
        return (Check::failed(name, took, format!("{kind} from the server: {says}")), WayState::Blocked);
    }
    let check =
        Check::failed(name, took, format!("{kind} from somebody in between instead of an event stream"));
    (check.because(Trouble::Foreign), WayState::Blocked)
}

/// Whether commands by POST get there: a `ping` changes nothing.
pub(super) async fn post(probe: &mut Probe) -> Check {
    const NAME: &str = "POST";
    let mut request = probe.request(Method::POST, "/chat");
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *request.body_mut() = Full::new(Bytes::from_static(br#"{"id":"doctor","type":"ping"}"#));
    let answer = match probe.send(request).await {
        Ok(answer) => answer,
        Err(error) => return Check::failed(NAME, PATIENCE, error.to_string()),
    };
    let (took, kind, status) = (answer.took, describe(&answer.response), answer.response.status());
    let json: serde_json::Value = serde_json::from_str(&body(answer.response).await).unwrap_or_default();
    match status {
        StatusCode::OK if json["type"] == "ack" => Check::ok(NAME, took, "a command is carried out"),
        StatusCode::UNAUTHORIZED if is_ours(&json) && !probe.has_token() => {
            Check::ok(NAME, took, "the request reaches the server")
        }
        _ if is_ours(&json) => {
            Check::failed(NAME, took, format!("{kind}: {}", json["detail"].as_str().unwrap_or_default()))
        }
        _ => Check::failed(NAME, took, format!("{kind} from somebody in between")).because(Trouble::Foreign),
    }
}

fn ask(probe: &Probe, path: &str) -> http::Request<Full<Bytes>> {
    let mut request = probe.request(Method::GET, path);
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static(EVENT_STREAM));
    request.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    request
}

/// Opens an event stream without asking why it might not work; for watching it.
pub(super) async fn open(probe: &Probe) -> Option<Events> {
    let answer = probe::send(&probe.dialer, ask(probe, "/chat")).await.ok()?;
    is_stream(&answer).then(|| Events::of(answer.response.into_body()))
}

fn is_hello(frame: &Incoming) -> bool {
    matches!(frame, Incoming::Frame(frame) if matches!(**frame, ServerFrame::Hello(_)))
}

impl Events {
    fn of(body: Body) -> Self {
        Self { body, parser: SseParser::new(), chunk: Bytes::new() }
    }

    /// The next frame; `None` at the end or when it cannot be read. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Incoming> {
        loop {
            let mut rest = &self.chunk[..];
            let event = self.parser.next(&mut rest).ok()?;
            let used = self.chunk.len() - rest.len();
            self.chunk.advance(used);
            if let Some(event) = event {
                return Incoming::parse(&event.data).ok();
            }
            if let Ok(data) = self.body.frame().await?.ok()?.into_data() {
                self.chunk = data;
            }
        }
    }
}
