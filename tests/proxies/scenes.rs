//! What must be true behind every proxy.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use futures_util::future::join_all;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use switchback_client::{EventStream, Transport, Update};
use switchback_core::wire::{Command, EventBody};
use switchback_core::{Nonce, RoomId};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::kit::http::Events;
use crate::kit::server::PASSWORD;
use crate::kit::websocket::handshake;
use crate::kit::{Connection, PATIENCE, Port, Server, WebSocket, post};
use crate::proxy::{Kind, Proxy};
use crate::site::Site;

const WAYS: [Transport; 3] = [Transport::Websocket, Transport::Sse, Transport::Batch];
/// What is not held back comes well within this time, and what is buffered does not come at all.
const PROMPT: Duration = Duration::from_secs(3);
/// The server speaks every 20 s.
const HEARTBEAT: Duration = Duration::from_secs(24);
/// Together more than every buffer on the way.
const CATCH_UP_MESSAGES: usize = 320;
const CATCH_UP_BYTES: usize = 4_000;
const CATCH_UP_AT_ONCE: usize = 32;
/// Attempts that one address may make at once.
const ATTEMPTS: usize = switchback_server::limits::SIGN_INS_BURST as usize;

fn say(room: &str, body: &str) -> Command {
    let (room, nonce): (RoomId, _) = (room.parse().unwrap(), Nonce::from_uuid(Uuid::now_v7()));
    Command::MessagePost { room, nonce, body: body.parse().unwrap(), reply_to: None }
}

/// The bodies of the next so many messages.
async fn hears(stream: &mut EventStream, count: usize) -> Vec<String> {
    let mut bodies = Vec::new();
    while bodies.len() < count {
        match timeout(PATIENCE, stream.next()).await.unwrap().unwrap() {
            Update::Event(event) => {
                if let EventBody::MessagePosted { message } = event.body {
                    bodies.push(message.body);
                }
            }
            Update::Stopped(reason) => panic!("it stopped: {reason:?}"),
            Update::Reset { cause, .. } => panic!("it was reset: {cause:?}"),
            _ => {}
        }
    }
    bodies
}

/// Two people talk on each way in; commands go by frame and by POST.
pub(crate) async fn a_conversation_passes_on_every_way_in(kind: Kind) {
    let site = Site::start(kind).await;
    let room = site.ada.general().await;
    let mut said = Vec::new();
    for way in WAYS {
        let (hers, mut she) = site.connect(&site.ada, way).await;
        let (his, mut he) = site.connect(&site.bob, way).await;
        for (handle, text) in [(&hers, format!("Ada by {way:?}")), (&his, format!("Bob by {way:?}"))] {
            timeout(PATIENCE, handle.send(say(&room, &text))).await.unwrap().unwrap();
            said.push(text);
        }
        // Each began at the beginning of the log.
        assert_eq!(hears(&mut she, said.len()).await, said, "{way:?}");
        assert_eq!(hears(&mut he, said.len()).await, said, "{way:?}");
        hers.close();
        his.close();
    }
}

async fn event_stream(site: &Site, headers: &str) -> Events {
    let mut connection = site.open().await;
    let headers = format!("Accept: text/event-stream\r\nAccept-Encoding: gzip, br\r\n{headers}");
    connection.send(site.request("GET", "/chat", &headers, "")).await;
    Events::after(connection).await
}

async fn websocket(site: &Site, headers: &str) -> (Connection, u16) {
    let mut connection = site.open().await;
    connection.send(handshake("/chat", headers).replace("chat.test", &site.authority())).await;
    let head = connection.head().await;
    (connection, head.status)
}

/// What comes while the stream is open comes at once, as it was written.
pub(crate) async fn an_event_stream_is_neither_held_back_nor_compressed(kind: Kind) {
    let site = Site::start(kind).await;
    let room = site.ada.general().await;
    let mut stream = timeout(PROMPT, event_stream(&site, &site.bob.authorization())).await.unwrap();
    assert_eq!(stream.head.header("content-encoding"), None, "{:?}", stream.head);
    assert_eq!(stream.head.header("content-type"), Some("text/event-stream"));
    let mut next = async || timeout(PROMPT, stream.next()).await.unwrap().unwrap().0;
    assert_eq!(next().await["type"], "hello");
    while next().await["type"] != "ready" {}
    for n in 0..5 {
        let seq = site.ada.command(&post(n, &room, "now")).await.json()["seq"].clone();
        while next().await["seq"] != seq {}
    }
}

/// The same over HTTP/2 between browser and proxy.
pub(crate) async fn an_event_stream_passes_over_http2(kind: Kind) {
    let site = Site::start(kind).await;
    let room = site.ada.general().await;
    let response = site.stream_http2(&site.bob).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers().get("content-encoding"), None);
    let mut body = response.into_body();
    let mut text = String::new();
    let mut until = async |wanted: &str| {
        while !text.contains(wanted) {
            let frame = timeout(PROMPT, body.frame()).await.unwrap().unwrap().unwrap();
            text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
        }
    };
    until(r#""type":"ready""#).await;
    for n in 0..5 {
        let seq = &site.ada.command(&post(n, &room, "now")).await.json()["seq"];
        until(&format!(r#""seq":{seq}"#)).await;
    }
}

/// HTTPS ends at the proxy, and the server knows that it is there.
pub(crate) async fn signing_in_sets_a_cookie_that_only_our_own_pages_can_use(kind: Kind) {
    let site = Site::start(kind).await;
    let own = format!("https://{}", site.authority());
    let credentials = json!({"handle": "ada", "password": PASSWORD}).to_string();
    let answer = site.ask("POST", "/api/v1/session", &format!("Origin: {own}\r\n"), &credentials).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let cookie = answer.head.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-") && cookie.contains("Secure"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let in_the_clear = own.replace("https", "http");
    for (origin, status) in [(own.as_str(), 101), (&in_the_clear, 403), ("https://evil.example", 403)] {
        let headers = format!("Cookie: {cookie}\r\nOrigin: {origin}\r\n");
        assert_eq!(websocket(&site, &headers).await.1, status, "{origin}");
    }
}

/// The server sees who is behind the proxy, and believes nobody who only says so.
pub(crate) async fn limits_count_for_the_visitor_and_not_for_the_proxy(kind: Kind) {
    let site = Site::start(kind).await;
    let attempt = json!({"token": "A".repeat(32), "workspace": "W", "handle": "eve", "name": "Eve", "password": PASSWORD});
    let attempts = async |visitor: u8, count: usize, headers: &str| {
        let visitor = IpAddr::V4(Ipv4Addr::new(127, 0, 0, visitor));
        let request = site.request("POST", "/api/v1/setup", headers, &attempt.to_string());
        let mut statuses = Vec::new();
        // Some proxies end a connection after so many requests.
        while statuses.len() < count {
            let mut connection = Connection::over(site.dial_from(visitor, "http/1.1").await);
            for _ in 0..(count - statuses.len()).min(20) {
                statuses.push(connection.exchange(&request).await.status);
            }
        }
        statuses
    };
    let statuses = attempts(2, ATTEMPTS + 5, "").await;
    assert_eq!(statuses[..ATTEMPTS], [410; ATTEMPTS]);
    assert_eq!(statuses.last(), Some(&429));
    assert_eq!(attempts(2, 1, "X-Forwarded-For: 198.51.100.7\r\n").await, [429]);
    assert_eq!(attempts(3, 1, "").await, [410]);
}

/// Everything since the beginning comes through, in order.
pub(crate) async fn a_large_catch_up_arrives_whole(kind: Kind) {
    let site = Site::start(kind).await;
    let room = site.ada.general().await;
    let mut written = Vec::new();
    for n in 0..CATCH_UP_MESSAGES / CATCH_UP_AT_ONCE {
        let bodies: Vec<String> =
            (0..CATCH_UP_AT_ONCE).map(|m| format!("{n} {m} {}", "z".repeat(CATCH_UP_BYTES))).collect();
        join_all(bodies.iter().map(async |body| {
            assert_eq!(site.ada.command(&post(1, &room, body)).await.status, 200);
        }))
        .await;
        written.extend(bodies);
    }
    written.sort();
    let mut first = None;
    for way in WAYS {
        let (handle, mut stream) = site.connect(&site.bob, way).await;
        let heard = hears(&mut stream, CATCH_UP_MESSAGES).await;
        let mut sorted = heard.clone();
        sorted.sort();
        assert!(sorted == written, "{way:?}: not what was written");
        assert!(*first.get_or_insert_with(|| heard.clone()) == heard, "{way:?}: in another order");
        handle.close();
    }
}

/// A planned stop is told to everybody behind the proxy.
pub(crate) async fn a_planned_stop_is_told(kind: Kind) {
    let mut site = Site::start(kind).await;
    let (connection, status) = websocket(&site, &site.ada.authorization()).await;
    assert_eq!(status, 101);
    let mut socket = WebSocket::upgraded(connection);
    let mut stream = event_stream(&site, &site.bob.authorization()).await;
    let mut over_http2 = site.stream_http2(&site.bob).await.into_body();
    socket.until("ready").await;
    while stream.next().await.unwrap().0["type"] != "ready" {}
    site.server().signal("TERM").await;
    let (frames, closed) = socket.closed().await;
    assert_eq!((said_bye(frames.last()), closed.code), (true, 1001), "{frames:?}");
    let mut last = None;
    while let Some((frame, _)) = stream.next().await {
        last = Some(frame);
    }
    assert!(said_bye(last.as_ref()), "{last:?}");
    let mut text = Vec::new();
    while let Some(Ok(frame)) = timeout(PATIENCE, over_http2.frame()).await.unwrap() {
        text.extend_from_slice(frame.data_ref().unwrap());
    }
    assert!(String::from_utf8(text).unwrap().contains(r#""reason":"going_away""#));
    assert!(site.server().ended().await.success());
}

fn said_bye(frame: Option<&Value>) -> bool {
    frame.is_some_and(|frame| frame["type"] == "bye" && frame["reason"] == "going_away")
}

/// Nobody says anything, and after the heartbeat everything still works.
pub(crate) async fn a_quiet_connection_outlives_its_heartbeat(kind: Kind) {
    let site = Site::start(kind).await;
    let room = site.ada.general().await;
    let (connection, status) = websocket(&site, &site.ada.authorization()).await;
    assert_eq!(status, 101);
    let mut socket = WebSocket::upgraded(connection);
    let mut stream = event_stream(&site, &site.bob.authorization()).await;
    // Each way is quiet for as long twice.
    let by_socket = async {
        socket.until("heartbeat").await;
        let begun = Instant::now();
        socket.until("heartbeat").await;
        begun.elapsed()
    };
    let by_stream = async {
        while stream.next().await.unwrap().0["type"] != "heartbeat" {}
        let begun = Instant::now();
        while stream.next().await.unwrap().0["type"] != "heartbeat" {}
        begun.elapsed()
    };
    let both = async { tokio::join!(by_socket, by_stream) };
    let (by_socket, by_stream) = timeout(2 * HEARTBEAT, both).await.unwrap();
    assert!(by_socket > HEARTBEAT / 2 && by_stream > HEARTBEAT / 2, "{by_socket:?}, {by_stream:?}");
    socket.command(&post(1, &room, "still here")).await;
    let seq = socket.until("ack").await["seq"].clone();
    while stream.next().await.unwrap().0["seq"] != seq {}
}

/// One of two servers is down, and nobody behind the proxy notices.
pub(crate) async fn one_of_two_servers_may_be_down(kind: Kind) {
    let server = Server::start_with(&["--trusted-proxies", "127.0.0.1"]).await;
    let (ada, bob) = server.people().await;
    let nobody = Port::keep().unwrap();
    for servers in [[nobody.address, server.address], [server.address, nobody.address]] {
        let proxy = Proxy::start_before_two(kind, servers).await;
        let site = Site { server: None, proxy, ada: ada.clone(), bob: bob.clone() };
        for _ in 0..6 {
            let (connection, status) = websocket(&site, &site.ada.authorization()).await;
            assert_eq!(status, 101, "{kind:?}");
            WebSocket::upgraded(connection).until("ready").await;
            let ping = json!({"type": "ping"}).to_string();
            assert_eq!(
                site.ask("POST", "/chat", &site.bob.authorization(), &ping).await.status,
                200,
                "{kind:?}"
            );
        }
    }
}

/// Where a proxy offers it (RFC 8441), browsers use it.
pub(crate) async fn a_websocket_passes_over_http2(kind: Kind) {
    let site = Site::start(kind).await;
    let request = http::Request::connect(format!("https://{}/chat", site.authority()))
        .extension(hyper::ext::Protocol::from_static("websocket"))
        .header("authorization", format!("Bearer {}", site.ada.token))
        .header("sec-websocket-version", "13")
        .body(Full::default())
        .unwrap();
    let mut sender = site.open_http2().await;
    // The proxy's settings say whether it is offered; they have come when it has answered something.
    let live =
        http::Request::get(format!("https://{}/livez", site.authority())).body(Full::default()).unwrap();
    assert_eq!(timeout(PATIENCE, sender.send_request(live)).await.unwrap().unwrap().status(), 200);
    let response = timeout(PATIENCE, sender.send_request(request)).await.unwrap().unwrap();
    assert_eq!(response.status(), 200);
    let upgraded = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    let mut socket = WebSocket::upgraded(Connection::over(Box::new(upgraded)));
    assert_eq!(socket.json().await["type"], "hello");
    socket.command(&post(1, &site.ada.general().await, "over HTTP/2")).await;
    assert_eq!(socket.until("ack").await["message"]["body"], "over HTTP/2");
}
