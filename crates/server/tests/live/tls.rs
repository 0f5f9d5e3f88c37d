//! TLS on the server's own port.

use std::io::ErrorKind;
use std::time::Duration;

use http_body_util::Full;
use serde_json::json;
use switchback_server::{Config, Server, StartError, TlsFiles};
use switchback_storage::{OpenMode, Store};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::kit::{TestServer, is_event, patient, post};
use crate::wire::{Certificate, Request, Wire, handshake};

#[tokio::test]
async fn a_conversation_is_the_same_over_every_wire() {
    for wire in Wire::ALL {
        let server = TestServer::over(wire).await;
        let (ada, bob) = (server.person("ada").await, server.person("bob").await);
        let general = server.general(&ada).await;
        let mut socket = server.websocket(&ada, "").await;
        let mut stream = server.event_stream(&bob, "").await;
        assert_eq!(socket.next().await["transport"], "websocket");
        assert_eq!(stream.next().await["transport"], "sse");
        let cursor = socket.next_of("ready").await["cursor"].as_str().unwrap().to_owned();
        stream.next_of("ready").await;
        socket.send(&post(general, "by frame")).await;
        // On one's own connection the answer and the event come in either order.
        let mut events = Vec::new();
        let mut acks = Vec::new();
        while events.is_empty() || acks.is_empty() {
            let frame = socket.next().await;
            let list = if is_event(&frame) { &mut events } else { &mut acks };
            if is_event(&frame) || frame["type"] == "ack" {
                list.push(frame);
            }
        }
        assert_eq!(events[0]["seq"], acks[0]["seq"], "{wire:?}");
        server.say(&bob, general, "by POST").await;
        events.push(socket.event().await);
        assert_eq!([stream.event().await, stream.event().await], events[..], "{wire:?}");
        let bodies = events.iter().map(|event| &event["message"]["body"]);
        assert!(bodies.eq(["by frame", "by POST"]), "{events:?}");
        let batch = server.batch(&bob, &format!("?mode=batch&after={cursor}")).await;
        let batch: Vec<_> = batch.into_iter().filter(is_event).collect();
        assert_eq!(batch, events, "{wire:?}");
    }
}

#[tokio::test]
async fn both_versions_of_tls_are_spoken_and_h2_is_preferred() {
    let server = TestServer::over(Wire::TlsHttp2).await;
    for tls12 in [true, false] {
        let mut config = server.certificate.client(b"http/1.1", tls12);
        config.alpn_protocols.push(b"h2".to_vec());
        let stream = handshake(server.address, config).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    }
    let unknown = handshake(server.address, server.certificate.client(b"gopher", false)).await;
    assert!(unknown.is_err(), "a protocol was agreed on that we do not speak");
}

#[tokio::test]
async fn a_browser_gets_a_cookie_for_https_alone_and_a_page_in_the_clear_is_not_ours() {
    let password = "correct horse battery";
    for wire in [Wire::TlsHttp1, Wire::TlsHttp2] {
        let server = TestServer::over(wire).await;
        server.person_with("ada", password).await;
        let credentials = json!({"handle": "ada", "password": password}).to_string();
        let sign_in = http::Request::post("/api/v1/session")
            .header("host", "test")
            .header("content-type", "application/json")
            .body(Full::from(credentials))
            .unwrap();
        let response = server.request(sign_in).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["strict-transport-security"], "max-age=31536000");
        let cookie = response.headers()["set-cookie"].to_str().unwrap();
        assert!(cookie.starts_with("__Host-") && cookie.contains("Secure"), "{cookie}");
        let cookie = cookie.split(';').next().unwrap();
        for (origin, status) in [("https://test", 200), ("http://test", 403), ("https://evil.example", 403)] {
            let mut ping = get("/chat?mode=batch&wait=0");
            ping.headers_mut().insert("cookie", cookie.parse().unwrap());
            ping.headers_mut().insert("origin", origin.parse().unwrap());
            ping.headers_mut().insert("accept", "text/event-stream".parse().unwrap());
            assert_eq!(server.request(ping).await.status(), status, "{wire:?} {origin}");
        }
    }
    let plain = TestServer::start().await;
    assert!(!plain.request(get("/livez")).await.headers().contains_key("strict-transport-security"));
}

fn get(path: &str) -> Request {
    http::Request::get(path).header("host", "test").body(Full::default()).unwrap()
}

#[tokio::test]
async fn who_speaks_plain_http_is_told_so() {
    let server = TestServer::over(Wire::TlsHttp1).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    patient(stream.read_to_string(&mut answer)).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    assert!(
        head.contains(&format!("Content-Length: {}", body.len())) && body.contains("https://"),
        "{answer}"
    );
}

#[tokio::test]
async fn who_says_nothing_keeps_nobody_waiting_and_is_not_waited_for_at_a_stop() {
    let mut server = TestServer::over(Wire::TlsHttp1).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    let ada = server.person("ada").await;
    assert_eq!(server.command(&ada, &json!({"type": "ping"})).await.0, 200);
    let begun = std::time::Instant::now();
    server.stop().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_new_certificate_is_for_new_connections_and_a_bad_one_for_none() {
    let server = TestServer::over(Wire::TlsHttp1).await;
    let ada = server.person("ada").await;
    let mut open = server.websocket(&ada, "").await;
    open.next_of("ready").await;
    let reload = server.tls_reload.clone().unwrap();
    let is_shown = async |certificate: &Certificate| match handshake(
        server.address,
        certificate.client(b"http/1.1", false),
    )
    .await
    {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
            false
        }
    };
    let second = Certificate::new();
    second.write(server.dir());
    assert!(is_shown(&server.certificate).await && !is_shown(&second).await, "before it is read");
    reload.reload().await.unwrap();
    assert!(is_shown(&second).await && !is_shown(&server.certificate).await, "after it was read");
    open.send(&json!({"id": 7, "type": "ping"})).await;
    assert_eq!(open.next_of("ack").await["id"], 7, "what was open goes on");

    std::fs::write(server.dir().join("key.pem"), &server.certificate.key_pem).unwrap();
    let refused = reload.reload().await.unwrap_err().to_string();
    assert!(refused.contains("does not belong to"), "{refused}");
    assert!(is_shown(&second).await, "the one before stays");
}

#[tokio::test]
async fn what_cannot_be_used_is_named_with_what_is_wrong() {
    let dir = TempDir::new().unwrap();
    let (good, other) = (Certificate::new(), Certificate::new());
    let refused = async |certificate: &str, key: &str| {
        let files = TlsFiles { certificate: dir.path().join("cert.pem"), key: dir.path().join("key.pem") };
        std::fs::write(&files.certificate, certificate).unwrap();
        std::fs::write(&files.key, key).unwrap();
        start(files).await.unwrap_err().to_string()
    };
    let (certificate, key) = (good.chain_pem.as_str(), good.key_pem.as_str());
    let cases = [
        ("", key, "cert.pem holds no certificate"),
        (key, certificate, "exchanged"),
        (certificate, certificate, "key.pem holds no private key, but a certificate"),
        (certificate, "", "key.pem holds no private key in PEM"),
        (certificate, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n", "passphrase"),
        (certificate, "-----BEGIN PRIVATE KEY-----\nMIIB\n", "key.pem is not whole"),
        (&certificate[..200], key, "cert.pem is not whole"),
        (certificate, &other.key_pem, "does not belong to the first certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", key, "cannot be used"),
    ];
    for (certificate, key, reason) in cases {
        let refused = refused(certificate, key).await;
        assert!(refused.contains(reason), "not \"{reason}\": {refused}");
    }
    let long = "x".repeat(2 * 1024 * 1024);
    assert!(refused(&long, key).await.contains("longer than"));
    let missing = TlsFiles { certificate: dir.path().join("nowhere.pem"), key: dir.path().join("key.pem") };
    let refused = start(missing).await.unwrap_err().to_string();
    assert!(refused.contains("nowhere.pem: No such file"), "{refused}");
}

#[tokio::test]
async fn an_expired_certificate_is_served_with_a_warning() {
    let dir = TempDir::new().unwrap();
    let expired = Certificate::expired();
    start(expired.write(dir.path())).await.unwrap();
}

async fn start(files: TlsFiles) -> Result<(), StartError> {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path(), OpenMode::Server).await.unwrap();
    let config = Config { listen: "127.0.0.1:0".parse().unwrap(), tls: Some(files), ..Config::default() };
    let started = Server::bind(config, store.clone()).await.map(drop);
    store.close().await;
    started
}

#[tokio::test]
async fn a_websocket_takes_a_place_as_long_as_it_is_open() {
    for wire in Wire::ALL {
        let config = Config { connections: 1, ..Config::default() };
        let server = TestServer::with_over(config, wire).await;
        let ada = server.person("ada").await;
        let mut socket = server.websocket(&ada, "").await;
        socket.next_of("ready").await;
        let ping = json!({"type": "ping"});
        let second = server.command(&ada, &ping);
        let early = tokio::time::timeout(Duration::from_millis(300), second).await;
        assert!(early.is_err(), "{wire:?}: there was a place");
        drop(socket);
        assert_eq!(server.command(&ada, &ping).await.0, 200, "{wire:?}");
    }
}
