//! The server: a log in memory, the three ways in, and for each connection an order how to behave.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use switchback_client::Transport;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

use crate::http::{self, Request};
use crate::kit;

const EPOCH: &str = "e";

/// How one connection behaves.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    /// As it should.
    Well,
    /// Takes the connection and says nothing.
    Silent,
    /// Opens a WebSocket or an event stream well, and then nothing comes on it any more.
    Stalls,
    /// Hears nothing of what is said on a WebSocket.
    Deaf,
    /// Answers with this status instead.
    Status(u16),
    /// Says hello this late.
    HelloAfter(Duration),
    /// Breaks off after so many events, without a word.
    CutAfter(usize),
    /// Says `bye` right after `hello`.
    Bye { reason: &'static str, retry_ms: Option<u64> },
    /// Closes a WebSocket with this code right after `hello`.
    Close(u16),
    /// Says `reset` right after `hello`.
    Reset,
    /// Begins at the head whatever was asked for, and does not say so.
    IgnoresCursor,
}

/// What a POST or a command frame gets.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// As it should.
    Well,
    /// It is carried out, but the connection breaks before the answer.
    LostAfterwards,
    /// The error of this code, and nothing is done.
    Error { code: &'static str, retry: bool, retry_after_ms: Option<u64> },
}

/// A running server. Stops when the test's runtime does.
#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    state: Mutex<State>,
    head: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    /// `seq` is the index plus one.
    log: Vec<Value>,
    nonces: HashMap<String, (usize, String)>,
    acts: HashMap<Transport, VecDeque<Act>>,
    answers: VecDeque<Answer>,
    opened: HashMap<Transport, usize>,
    posts: usize,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Inner { state: Mutex::default(), head: watch::channel(0).0 });
        let fake = Self { address, inner };
        let accepting = fake.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let fake = accepting.clone();
                tokio::spawn(async move { fake.serve(stream).await });
            }
        });
        fake
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next connections of this way behave so; the last order stays.
    pub(crate) fn orders(&self, way: Transport, acts: impl IntoIterator<Item = Act>) -> &Self {
        self.inner.state.lock().unwrap().acts.insert(way, acts.into_iter().collect());
        self
    }

    /// The next commands get these answers, and all after them are answered well.
    pub(crate) fn answers(&self, answers: impl IntoIterator<Item = Answer>) -> &Self {
        self.inner.state.lock().unwrap().answers.extend(answers);
        self
    }

    /// How many connections of this way there were.
    pub(crate) fn opened(&self, way: Transport) -> usize {
        self.inner.state.lock().unwrap().opened.get(&way).copied().unwrap_or_default()
    }

    /// How many commands came by POST.
    pub(crate) fn posts(&self) -> usize {
        self.inner.state.lock().unwrap().posts
    }

    pub(crate) fn head(&self) -> usize {
        self.inner.state.lock().unwrap().log.len()
    }

    /// Somebody writes: `count` events, each the room's next.
    pub(crate) fn happen(&self, count: usize) -> &Self {
        for _ in 0..count {
            let nonce = uuid::Uuid::now_v7().to_string();
            self.append(&nonce, "hello");
        }
        self
    }

    /// An event is lost, so that the room's counter jumps.
    pub(crate) fn lose_one(&self) -> &Self {
        let mut state = self.inner.state.lock().unwrap();
        let seq = state.log.len() + 1;
        state.log.push(json!({"type": "nothing.known", "seq": seq}));
        drop(state);
        self
    }

    fn append(&self, nonce: &str, body: &str) -> usize {
        let mut state = self.inner.state.lock().unwrap();
        if let Some((seq, _)) = state.nonces.get(nonce) {
            return *seq;
        }
        let seq = state.log.len() + 1;
        state.log.push(kit::posted(seq, nonce, body));
        state.nonces.insert(nonce.to_owned(), (seq, body.to_owned()));
        drop(state);
        self.inner.head.send_replace(seq);
        seq
    }

    fn since(&self, after: usize) -> Vec<Value> {
        self.inner.state.lock().unwrap().log.get(after..).unwrap_or_default().to_vec()
    }

    fn act(&self, way: Transport) -> Act {
        let mut state = self.inner.state.lock().unwrap();
        *state.opened.entry(way).or_default() += 1;
        let acts = state.acts.entry(way).or_default();
        if acts.len() > 1 { acts.pop_front() } else { acts.front().copied() }.unwrap_or(Act::Well)
    }

    async fn serve(&self, mut stream: TcpStream) {
        while let Some(request) = http::read_request(&mut stream).await {
            match (request.method.as_str(), request.path.as_str()) {
                ("GET", "/chat") if request.header("upgrade").is_some() => {
                    self.websocket(stream, &request).await;
                    return;
                }
                ("GET", "/chat") if request.query("mode").is_some() => {
                    if self.batch(&mut stream, &request).await.is_none() {
                        return;
                    }
                }
                ("GET", "/chat") => {
                    self.sse(&mut stream, &request).await;
                    return;
                }
                ("POST", "/chat") => {
                    self.inner.state.lock().unwrap().posts += 1;
                    let Some(answer) = self.command(&request.body) else { return };
                    http::respond_json(&mut stream, &answer).await;
                }
                ("GET", "/api/v1/snapshot") => {
                    http::respond_json(&mut stream, &kit::snapshot(&cursor(self.head()))).await;
                }
                ("POST", "/api/v1/session") => http::respond_signed_in(&mut stream, &request).await,
                _ => http::respond(&mut stream, 404, "text/plain", "no").await,
            }
        }
    }

    /// Where the request wants to begin.
    fn after(&self, request: &Request, act: Act) -> usize {
        let asked = request.query("after").and_then(|cursor| cursor.split_once('.')?.1.parse().ok());
        if matches!(act, Act::IgnoresCursor) { self.head() } else { asked.unwrap_or(self.head()) }
    }

    async fn websocket(&self, mut stream: TcpStream, request: &Request) {
        let act = self.act(Transport::Websocket);
        if !begins(&mut stream, act).await {
            return;
        }
        let accept = derive_accept_key(request.header("sec-websocket-key").unwrap().as_bytes());
        http::switch_protocols(&mut stream, &accept).await;
        hesitate(act).await;
        let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        let mut course = Course::new(self, act, "websocket", self.after(request, act));
        let mut head = self.inner.head.subscribe();
        let mut answers = Vec::new();
        loop {
            for frame in answers.drain(..).chain(course.news(self)) {
                if course.breaks_off_at(&frame)
                    || socket.send(Message::text(frame.to_string())).await.is_err()
                {
                    return;
                }
            }
            if !course.goes_on {
                return close(socket, act).await;
            }
            tokio::select! {
                _ = head.changed(), if !matches!(act, Act::Stalls) => {}
                message = socket.next() => match message {
                    Some(Ok(_)) if matches!(act, Act::Deaf | Act::Stalls) => {}
                    Some(Ok(Message::Text(text))) => match self.command(text.as_bytes()) {
                        Some(answer) => answers.push(answer),
                        None => return,
                    },
                    Some(Ok(_)) => {}
                    _ => return,
                },
            }
        }
    }

    async fn sse(&self, stream: &mut TcpStream, request: &Request) {
        let act = self.act(Transport::Sse);
        if !begins(stream, act).await {
            return;
        }
        http::begin_stream(stream).await;
        hesitate(act).await;
        let mut course = Course::new(self, act, "sse", self.after(request, act));
        let mut head = self.inner.head.subscribe();
        loop {
            for frame in course.news(self) {
                if course.breaks_off_at(&frame) || http::write_event(stream, &frame).await.is_none() {
                    return;
                }
            }
            if matches!(act, Act::Stalls) {
                sleep(kit::LONG).await;
            }
            if !course.goes_on || head.changed().await.is_err() {
                return;
            }
        }
    }

    /// Answers one batch request; `None`: break off.
    async fn batch(&self, stream: &mut TcpStream, request: &Request) -> Option<()> {
        let act = self.act(Transport::Batch);
        if !begins(stream, act).await {
            return None;
        }
        hesitate(act).await;
        let at = self.after(request, act);
        let wait = Duration::from_secs(request.query("wait").unwrap().parse().unwrap());
        let mut head = self.inner.head.subscribe();
        let _ = tokio::time::timeout(wait, head.wait_for(|head| *head > at)).await;
        let frames = Course::new(self, act, "batch", at).news(self);
        let body =
            frames.iter().fold(String::new(), |body, frame| body + "data: " + &frame.to_string() + "\n\n");
        // One that breaks off promises more than it sends.
        let sent = if matches!(act, Act::CutAfter(_)) { body.len() / 2 } else { body.len() };
        http::respond_cut(stream, "text/event-stream", &body, sent).await;
        (sent == body.len()).then_some(())
    }

    /// Carries a command out; `None`: break off.
    fn command(&self, json: &[u8]) -> Option<Value> {
        let command: Value = serde_json::from_slice(json).unwrap();
        let id = &command["id"];
        let answer = self.inner.state.lock().unwrap().answers.pop_front().unwrap_or(Answer::Well);
        if let Answer::Error { code, retry, retry_after_ms } = answer {
            return Some(kit::error(id, code, retry, retry_after_ms));
        }
        if command["type"] != "message.post" {
            return Some(json!({"type": "ack", "id": id, "seq": null}));
        }
        let (nonce, body) = (command["nonce"].as_str().unwrap(), command["body"].as_str().unwrap());
        let seq = self.append(nonce, body);
        let answered = matches!(answer, Answer::Well);
        answered
            .then(|| json!({"type": "ack", "id": id, "seq": seq, "message": kit::message(seq, nonce, body)}))
    }

    /// The bodies of all messages, in order.
    pub(crate) fn bodies(&self) -> Vec<String> {
        let state = self.inner.state.lock().unwrap();
        state.log.iter().filter_map(|event| event["message"]["body"].as_str().map(str::to_owned)).collect()
    }
}

/// What one connection says.
struct Course {
    act: Act,
    opening: Vec<Value>,
    at: usize,
    /// Events until it breaks off.
    left: usize,
    goes_on: bool,
    announced: bool,
}

impl Course {
    fn new(fake: &Fake, act: Act, way: &str, mut at: usize) -> Self {
        let mut opening = vec![kit::hello(way, EPOCH, &cursor(at))];
        match act {
            Act::Bye { reason, retry_ms } => {
                opening.push(json!({"type": "bye", "reason": reason, "retry_ms": retry_ms}));
            }
            Act::Reset => {
                at = fake.head();
                opening.push(json!({"type": "reset", "reason": "behind", "cursor": cursor(at)}));
            }
            _ => {}
        }
        let left = if let Act::CutAfter(events) = act { events } else { usize::MAX };
        let goes_on = !matches!(act, Act::Bye { .. } | Act::Close(_));
        Self { act, opening, at, left, goes_on, announced: false }
    }

    /// What was not said yet.
    fn news(&mut self, fake: &Fake) -> Vec<Value> {
        let mut frames = std::mem::take(&mut self.opening);
        if self.goes_on {
            let events = fake.since(self.at);
            self.at += events.len();
            frames.extend(events);
            if !std::mem::replace(&mut self.announced, true) {
                frames.push(json!({"type": "ready", "cursor": cursor(self.at), "seen": 1}));
            }
        }
        frames
    }

    fn breaks_off_at(&mut self, frame: &Value) -> bool {
        let is_event = frame["seq"].is_u64() && frame["type"] != "ack";
        if is_event && self.left == 0 {
            return true;
        }
        self.left -= usize::from(is_event && matches!(self.act, Act::CutAfter(_)));
        false
    }
}

/// Whether the connection opens at all.
async fn begins(stream: &mut TcpStream, act: Act) -> bool {
    match act {
        Act::Silent => sleep(kit::LONG).await,
        Act::Status(status) => http::respond(stream, status, "text/plain", "no").await,
        _ => return true,
    }
    false
}

async fn hesitate(act: Act) {
    if let Act::HelloAfter(delay) = act {
        sleep(delay).await;
    }
}

async fn close(mut socket: WebSocketStream<TcpStream>, act: Act) {
    let code = if let Act::Close(code) = act { code } else { 1001 };
    // The client may be gone already.
    let _ = socket.close(Some(CloseFrame { code: code.into(), reason: "".into() })).await;
    while let Some(Ok(_)) = socket.next().await {}
}

fn cursor(seq: usize) -> String {
    format!("{EPOCH}.{seq}")
}
