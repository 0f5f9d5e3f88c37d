//! A server to test with, and clients that see every frame as JSON.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use switchback_core::wire::{Role, RoomKind};
use switchback_core::{Nonce, Password, RoomId, UserId};
use switchback_server::{Config, Server, TlsReload, secrets};
use switchback_storage::{NewRoom, NewUser, OpenMode, Store};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::Role as WebSocketRole;
use uuid::Uuid;

use crate::wire::{self, Certificate, Http2Sender, Io, Request, Response, Wire};

/// Longer than anything here takes, shorter than a heartbeat.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a stream of HTTP/2 may send unread, where nothing else is said (RFC 9113 6.9.2).
const DEFAULT_WINDOW_BYTES: u32 = 65_535;

pub(crate) struct TestServer {
    pub(crate) store: Store,
    pub(crate) address: SocketAddr,
    pub(crate) wire: Wire,
    pub(crate) certificate: Certificate,
    pub(crate) tls_reload: Option<TlsReload>,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<()>>,
    /// With the database in it, where that is not a server's.
    dir: Option<TempDir>,
}

#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) id: UserId,
    pub(crate) token: String,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::with(Config::default()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        Self::with_over(config, Wire::Http1).await
    }

    pub(crate) async fn over(wire: Wire) -> Self {
        Self::with_over(Config::default(), wire).await
    }

    pub(crate) async fn with_over(config: Config, wire: Wire) -> Self {
        let dir = TempDir::new().unwrap();
        let certificate = Certificate::new();
        let tls = wire.is_tls().then(|| certificate.write(dir.path()));
        let store = Store::open(dir.path(), OpenMode::Server).await.unwrap();
        let server = Self::on_over(store, Config { tls, ..config }, wire, certificate).await;
        Self { dir: Some(dir), ..server }
    }

    /// On a store that others may share.
    pub(crate) async fn on(store: Store, config: Config) -> Self {
        Self::on_over(store, config, Wire::Http1, Certificate::new()).await
    }

    async fn on_over(store: Store, config: Config, wire: Wire, certificate: Certificate) -> Self {
        let config = Config { listen: "127.0.0.1:0".parse().unwrap(), ..config };
        let server = Server::bind(config, store.clone()).await.unwrap();
        let (address, tls_reload) = (server.local_addr(), server.tls_reload());
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(async {
            // A dropped sender stops it, too.
            server.run(async { stopped.await.unwrap_or_default() }).await.unwrap();
        });
        let (stop, running) = (Some(stop), Some(running));
        Self { store, address, wire, certificate, tls_reload, stop, running, dir: None }
    }

    pub(crate) fn dir(&self) -> &std::path::Path {
        self.dir.as_ref().unwrap().path()
    }

    /// Asks the server to stop, as SIGTERM does.
    pub(crate) fn stop(&mut self) -> JoinHandle<()> {
        drop(self.stop.take());
        self.running.take().unwrap()
    }

    pub(crate) async fn person(&self, handle: &str) -> Person {
        self.person_of(handle, "no password".to_owned()).await
    }

    /// Somebody who can sign in.
    pub(crate) async fn person_with(&self, handle: &str, password: &str) -> Person {
        let hash = secrets::hash_password(&Password::new(password).unwrap()).unwrap();
        self.person_of(handle, hash).await
    }

    async fn person_of(&self, handle: &str, password_hash: String) -> Person {
        let name = handle.parse().unwrap();
        let new = NewUser { handle: handle.parse().unwrap(), name, role: Role::Owner, password_hash };
        let id = self.store.create_user(new).await.unwrap().id;
        let secret = secrets::new_secret();
        self.store.create_token(id, secret.hash, "test".to_owned()).await.unwrap();
        Person { id, token: secret.text }
    }

    pub(crate) async fn general(&self, viewer: &Person) -> RoomId {
        let rooms = self.store.rooms(viewer.id).await.unwrap();
        rooms.iter().find(|view| view.room.general).unwrap().room.id
    }

    pub(crate) async fn room(&self, creator: &Person, kind: RoomKind, name: &str) -> RoomId {
        let (name, topic) = (name.parse().unwrap(), "".parse().unwrap());
        let new = NewRoom { creator: creator.id, kind, name, topic };
        self.store.create_room(new).await.unwrap().1.room.id
    }

    /// Posts a message by POST to `/chat` and returns the answer.
    pub(crate) async fn say(&self, person: &Person, room: RoomId, body: &str) -> Value {
        let (status, answer) = self.command(person, &post(room, body)).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    pub(crate) async fn command(&self, person: &Person, command: &Value) -> (u16, Value) {
        let request = http::Request::post("/chat")
            .header("host", "test")
            .header("authorization", format!("Bearer {}", person.token))
            .body(Full::new(Bytes::from(command.to_string())))
            .unwrap();
        let (status, body) = self.fetch(request).await;
        (status, serde_json::from_slice(&body).unwrap())
    }

    pub(crate) async fn fetch(&self, request: http::Request<Full<Bytes>>) -> (u16, Bytes) {
        let response = self.request(request).await;
        let status = response.status().as_u16();
        (status, patient(response.into_body().collect()).await.unwrap().to_bytes())
    }

    pub(crate) async fn request(&self, request: Request) -> Response {
        if self.wire.is_http2() {
            let mut sender = self.http2(DEFAULT_WINDOW_BYTES).await;
            return wire::send_http2(&mut sender, self.wire, request).await;
        }
        wire::send_http1(self.dial().await, request).await
    }

    pub(crate) async fn dial(&self) -> Box<dyn Io> {
        wire::dial(self.wire, self.address, &self.certificate).await
    }

    /// A connection for several requests.
    pub(crate) async fn http2(&self, window_bytes: u32) -> Http2Sender {
        wire::open_http2(self.dial().await, window_bytes).await
    }

    pub(crate) async fn websocket(&self, person: &Person, query: &str) -> Live {
        if self.wire.is_http2() {
            let mut sender = self.http2(DEFAULT_WINDOW_BYTES).await;
            return self.websocket_on(&mut sender, person, query).await;
        }
        let url = format!("ws://{}/chat{query}", self.address);
        let mut request = url.into_client_request().unwrap();
        let bearer = format!("Bearer {}", person.token).parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        request.headers_mut().insert("sec-websocket-protocol", "switchback.v1".parse().unwrap());
        let (socket, response) = tokio_tungstenite::client_async(request, self.dial().await).await.unwrap();
        assert_eq!(response.headers()["sec-websocket-protocol"], "switchback.v1");
        Live { way: Way::WebSocket(Box::new(socket)), frames: VecDeque::new() }
    }

    /// A WebSocket on a stream of this connection.
    pub(crate) async fn websocket_on(&self, sender: &mut Http2Sender, person: &Person, query: &str) -> Live {
        let request = wire::extended_connect("websocket", &person.token, query);
        let response = wire::send_http2(sender, self.wire, request).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["sec-websocket-protocol"], "switchback.v1");
        assert!(!response.headers().contains_key("sec-websocket-accept"));
        let stream: Box<dyn Io> = Box::new(TokioIo::new(hyper::upgrade::on(response).await.unwrap()));
        let socket = WebSocketStream::from_raw_socket(stream, WebSocketRole::Client, None).await;
        Live { way: Way::WebSocket(Box::new(socket)), frames: VecDeque::new() }
    }

    pub(crate) async fn event_stream(&self, person: &Person, query: &str) -> Live {
        Live::of_event_stream(self.request(stream_request(person, query)).await)
    }

    /// An event stream on a stream of this connection.
    pub(crate) async fn event_stream_on(
        &self,
        sender: &mut Http2Sender,
        person: &Person,
        query: &str,
    ) -> Live {
        let request = stream_request(person, query);
        Live::of_event_stream(wire::send_http2(sender, self.wire, request).await)
    }

    /// One batch: all its frames.
    pub(crate) async fn batch(&self, person: &Person, query: &str) -> Vec<Value> {
        let response = self.request(stream_request(person, query)).await;
        assert_eq!(response.status(), 200);
        assert!(response.headers().contains_key("content-length"));
        let body = patient(response.into_body().collect()).await.unwrap().to_bytes();
        let mut frames = VecDeque::new();
        let mut bytes = body.to_vec();
        blocks(&mut bytes, &mut frames);
        assert!(bytes.is_empty(), "a batch ends with a whole block");
        frames.into()
    }
}

fn stream_request(person: &Person, query: &str) -> http::Request<Full<Bytes>> {
    http::Request::get(format!("/chat{query}"))
        .header("host", "test")
        .header("accept", "text/event-stream")
        .header("authorization", format!("Bearer {}", person.token))
        .body(Full::default())
        .unwrap()
}

pub(crate) fn post(room: RoomId, body: &str) -> Value {
    let nonce = Nonce::from_uuid(Uuid::now_v7());
    json!({"id": 1, "type": "message.post", "room": room, "nonce": nonce, "body": body})
}

pub(crate) async fn patient<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap()
}

/// A connection, frame by frame.
pub(crate) struct Live {
    way: Way,
    frames: VecDeque<Value>,
}

enum Way {
    WebSocket(Box<WebSocketStream<Box<dyn Io>>>),
    EventStream(hyper::body::Incoming, Vec<u8>),
}

impl Live {
    fn of_event_stream(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store, no-transform");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        Self { way: Way::EventStream(response.into_body(), Vec::new()), frames: VecDeque::new() }
    }

    /// The next frame; `None`: the connection has ended.
    pub(crate) async fn try_next(&mut self) -> Option<Value> {
        loop {
            if let Some(frame) = self.frames.pop_front() {
                return Some(frame);
            }
            match &mut self.way {
                Way::WebSocket(socket) => match patient(socket.next()).await {
                    Some(Ok(Message::Text(text))) => {
                        self.frames.push_back(serde_json::from_str(text.as_str()).unwrap());
                    }
                    Some(Ok(Message::Close(close))) => {
                        let code = close.map_or(1005, |close| u16::from(close.code));
                        self.frames.push_back(json!({"type": "close", "code": code}));
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return None,
                },
                Way::EventStream(body, bytes) => {
                    let frame = patient(body.frame()).await?.ok()?;
                    bytes.extend_from_slice(&frame.into_data().unwrap());
                    blocks(bytes, &mut self.frames);
                }
            }
        }
    }

    pub(crate) async fn next(&mut self) -> Value {
        self.try_next().await.unwrap()
    }

    /// The next frame of this type; others are passed over.
    pub(crate) async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().await;
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// Waits until somebody's presence is told, perhaps with what else has changed.
    pub(crate) async fn tells(&mut self, change: &Value) {
        while !self.next_of("presence").await["changes"].as_array().unwrap().contains(change) {}
    }

    /// The next event of the log.
    pub(crate) async fn event(&mut self) -> Value {
        loop {
            let frame = self.next().await;
            if is_event(&frame) {
                return frame;
            }
        }
    }

    /// Everything up to `ready`.
    pub(crate) async fn until_ready(&mut self) -> Vec<Value> {
        let mut frames = Vec::new();
        loop {
            frames.push(self.next().await);
            if frames.last().unwrap()["type"] == "ready" {
                return frames;
            }
        }
    }

    pub(crate) async fn send(&mut self, command: &Value) {
        match &mut self.way {
            Way::WebSocket(socket) => socket.send(Message::text(command.to_string())).await.unwrap(),
            Way::EventStream(..) => unreachable!("an event stream takes no commands"),
        }
    }
}

pub(crate) fn is_event(frame: &Value) -> bool {
    frame.get("seq").is_some() && frame["type"] != "ack"
}

/// Takes whole blocks off the front.
fn blocks(bytes: &mut Vec<u8>, frames: &mut VecDeque<Value>) {
    while let Some(end) = bytes.windows(2).position(|pair| pair == b"\n\n") {
        let block: Vec<u8> = bytes.drain(..end + 2).collect();
        let block = String::from_utf8(block).unwrap();
        let data = block.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        let mut frame: Value = serde_json::from_str(data).unwrap();
        let id = block.lines().find_map(|line| line.strip_prefix("id: "));
        if let (Some(id), Some(seq)) = (id, frame.get("seq").and_then(Value::as_u64)) {
            assert!(id.ends_with(&format!(".{seq}")), "{id} of {seq}");
        }
        if let (Some(id), Some(cursor)) = (id, frame.get("cursor")) {
            assert_eq!(cursor, id);
        }
        // Which transport it came over is the one thing that may differ.
        if let Some(transport) = frame.get_mut("transport") {
            assert_ne!(*transport, "websocket");
        }
        frames.push_back(frame);
    }
}
