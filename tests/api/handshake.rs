//! What a request to `/chat` becomes, as bytes: one test for each row of the table in
//! `docs/PROTOCOL.md`, and the example of RFC 6455 as it stands there.

use crate::kit::http::{Answer, frames, request};
use crate::kit::server::Account;
use crate::kit::websocket::{ACCEPT, KEY, handshake};
use crate::kit::{Connection, Server, WebSocket};

async fn ada() -> (Server, Account) {
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    (server, ada)
}

/// Sends a request line and header lines (each with its end) as ada and reads the answer.
async fn ask(ada: &Account, line: &str, headers: &str) -> Answer {
    let request = format!("{line}\r\nHost: chat.test\r\n{}{headers}\r\n", ada.authorization());
    let mut connection = Connection::open(ada.address).await;
    connection.send(request).await;
    let head = connection.head().await;
    // A stream or a WebSocket does not end: its head is all that is wanted here.
    let endless = head.status == 101
        || (head.header("content-type") == Some("text/event-stream")
            && head.header("content-length").is_none());
    if endless {
        return Answer { status: head.status, head, body: String::new() };
    }
    let length = head.header("content-length").map_or(0, |length| length.parse().unwrap());
    let body = String::from_utf8(connection.take(length).await).unwrap();
    Answer { status: head.status, head, body }
}

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n";

fn key() -> String {
    format!("Sec-WebSocket-Key: {KEY}\r\n")
}

#[tokio::test]
async fn the_example_of_rfc_6455_is_answered_as_it_stands_there() {
    let (server, ada) = ada().await;
    let mut connection = Connection::open(server.address).await;
    let request = format!(
        "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n\
         Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n{}\r\n",
        ada.authorization()
    );
    connection.send(request).await;
    let head = connection.head().await;
    assert!(head.text.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{}", head.text);
    assert_eq!(head.header("upgrade"), Some("websocket"));
    assert_eq!(head.header("connection").map(str::to_ascii_lowercase).as_deref(), Some("upgrade"));
    assert_eq!(head.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    // Neither `chat` nor `superchat` is ours, and nobody may be given what they did not ask for.
    assert_eq!(head.header("sec-websocket-protocol"), None);
    assert_eq!(head.header("sec-websocket-extensions"), None);
    assert_eq!(head.header("content-length"), None);
    assert_eq!(head.header("transfer-encoding"), None);
    let mut socket = WebSocket::after(connection, &head);
    assert_eq!(socket.json().await["type"], "hello");
}

#[tokio::test]
async fn upgrade_and_connection_are_lists_over_all_their_lines() {
    let (_server, ada) = ada().await;
    let rest = format!("Sec-WebSocket-Version: 13\r\n{}", key());
    let upgrades = [
        "Connection: Upgrade\r\nUpgrade: websocket\r\n",
        "connection: upgrade\r\nupgrade: WebSocket\r\n",
        "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n",
        "Connection: keep-alive\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c, websocket\r\n",
        "Connection: upgrade\r\nUpgrade: IRC/6.9, RTA/x11, websocket/13\r\n",
    ];
    for upgrade in upgrades {
        let answer = ask(&ada, "GET /chat HTTP/1.1", &format!("{upgrade}{rest}")).await;
        assert_eq!(answer.status, 101, "{upgrade}");
        assert_eq!(answer.head.header("upgrade"), Some("websocket"), "{upgrade}");
        assert_eq!(answer.head.header("sec-websocket-accept"), Some(ACCEPT), "{upgrade}");
    }
}

#[tokio::test]
async fn the_subprotocol_is_echoed_when_it_was_offered() {
    let (_server, ada) = ada().await;
    for offer in ["switchback.v1", "mqtt, switchback.v1", "switchback.v2,switchback.v1"] {
        let mut connection = Connection::open(ada.address).await;
        let offer = format!("Sec-WebSocket-Protocol: {offer}\r\n{}", ada.authorization());
        connection.send(handshake("/chat", &offer)).await;
        let head = connection.head().await;
        assert_eq!(
            (head.status, head.header("sec-websocket-protocol")),
            (101, Some("switchback.v1")),
            "{offer}"
        );
    }
}

#[tokio::test]
async fn another_version_is_told_which_one_it_is() {
    let (_server, ada) = ada().await;
    for version in ["8", "0", "14", "013", "thirteen"] {
        let headers = format!("{UPGRADE}{}Sec-WebSocket-Version: {version}\r\n", key());
        let answer = ask(&ada, "GET /chat HTTP/1.1", &headers).await;
        assert_eq!(answer.status, 426, "{version}");
        assert_eq!(answer.head.header("sec-websocket-version"), Some("13"), "{version}");
        assert_eq!(answer.head.header("upgrade"), Some("websocket"), "{version}");
        let connection = answer.head.header("connection").unwrap().to_ascii_lowercase();
        assert!(connection.split(',').any(|token| token.trim() == "upgrade"), "{version}: {connection}");
        answer.problem();
    }
}

#[tokio::test]
async fn a_handshake_that_is_wrong_is_a_bad_request() {
    let (_server, ada) = ada().await;
    let version = "Sec-WebSocket-Version: 13\r\n";
    let cases = [
        ("version absent", key(), true),
        ("version repeated", format!("{}{version}{version}", key()), true),
        ("key absent", version.to_owned(), false),
        ("key repeated", format!("{version}{}{}", key(), key()), false),
        ("key too short", format!("{version}Sec-WebSocket-Key: c2hvcnQ=\r\n"), false),
        ("key no base64", format!("{version}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ!==\r\n"), false),
        ("body announced", format!("{version}{}Content-Length: 5\r\n", key()), false),
        ("body announced in chunks", format!("{version}{}Transfer-Encoding: chunked\r\n", key()), false),
    ];
    for (what, headers, tells_version) in cases {
        let answer = ask(&ada, "GET /chat HTTP/1.1", &format!("{UPGRADE}{headers}")).await;
        assert_eq!(answer.status, 400, "{what}");
        let version = tells_version.then_some("13");
        assert_eq!(answer.head.header("sec-websocket-version"), version, "{what}");
        answer.problem();
    }
}

#[tokio::test]
async fn an_upgrade_that_is_not_for_us_is_ignored() {
    let (_server, ada) = ada().await;
    let stream = "Accept: text/event-stream\r\n";
    let rest = format!("Sec-WebSocket-Version: 13\r\n{}{stream}", key());
    let ignored = [
        ("GET /chat HTTP/1.1", "Connection: Upgrade\r\nUpgrade: h2c\r\n"),
        ("GET /chat HTTP/1.1", "Connection: Upgrade\r\nUpgrade: IRC/6.9, websocketx\r\n"),
        ("GET /chat HTTP/1.1", "Connection: keep-alive\r\nUpgrade: websocket\r\n"),
        ("GET /chat HTTP/1.1", "Connection: not-upgrade\r\nUpgrade: websocket\r\n"),
        ("GET /chat HTTP/1.1", "Upgrade: websocket\r\n"),
        ("GET /chat HTTP/1.0", "Connection: Upgrade\r\nUpgrade: websocket\r\n"),
    ];
    for (line, headers) in ignored {
        let answer = ask(&ada, line, &format!("{headers}{rest}")).await;
        assert_eq!(answer.status, 200, "{line} {headers}");
        assert_eq!(answer.head.header("content-type"), Some("text/event-stream"), "{line} {headers}");
        assert_eq!(answer.head.header("upgrade"), None, "{line} {headers}");
    }
}

#[tokio::test]
async fn who_accepts_an_event_stream_gets_one_that_nobody_may_hold_back() {
    let (_server, ada) = ada().await;
    for accept in ["Accept: text/event-stream\r\n", "Accept: */*\r\n", "", "Accept: text/*;q=0.5\r\n"] {
        let answer = ask(&ada, "GET /chat HTTP/1.1", accept).await;
        assert_eq!(answer.status, 200, "{accept}");
        assert_eq!(answer.head.header("content-type"), Some("text/event-stream"), "{accept}");
        assert_eq!(answer.head.header("cache-control"), Some("no-store, no-transform"), "{accept}");
        assert_eq!(answer.head.header("x-accel-buffering"), Some("no"), "{accept}");
        assert_eq!(answer.head.header("content-encoding"), None, "{accept}");
    }
}

#[tokio::test]
async fn a_batch_is_the_same_with_an_end_and_a_length() {
    let (_server, ada) = ada().await;
    let headers = "Accept: text/event-stream\r\nAccept-Encoding: gzip\r\n";
    let answer = ask(&ada, "GET /chat?mode=batch&wait=0 HTTP/1.1", headers).await;
    assert_eq!((answer.status, answer.head.header("content-type")), (200, Some("text/event-stream")));
    assert!(
        answer.head.header("content-length").is_some() && answer.head.header("content-encoding").is_none()
    );
    let frames = frames(&answer.body);
    assert_eq!(frames.first().unwrap()["type"], "hello");
    assert!(frames.iter().any(|frame| frame["type"] == "ready"));
}

#[tokio::test]
async fn a_query_that_is_wrong_is_a_bad_request() {
    let (_server, ada) = ada().await;
    for query in ["mode=stream", "mode=batch&wait=x", "mode=batch&wait=0&seen=-1"] {
        let answer = ask(&ada, &format!("GET /chat?{query} HTTP/1.1"), "").await;
        assert_eq!(answer.status, 400, "{query}");
        answer.problem();
    }
}

#[tokio::test]
async fn a_browsers_address_bar_is_sent_to_the_page() {
    let (_server, ada) = ada().await;
    let accept = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n";
    let answer = ask(&ada, "GET /chat HTTP/1.1", accept).await;
    assert_eq!((answer.status, answer.head.header("location")), (303, Some("/")));
}

#[tokio::test]
async fn who_accepts_nothing_that_we_have_is_told_both_ways_in() {
    let (_server, ada) = ada().await;
    let answer = ask(&ada, "GET /chat HTTP/1.1", "Accept: application/json\r\n").await;
    assert_eq!(answer.status, 426);
    assert_eq!(answer.head.header("upgrade"), Some("websocket"));
    assert_eq!(answer.head.header("sec-websocket-version"), Some("13"));
    answer.problem();
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("websocket") && detail.contains("text/event-stream"), "{detail}");
}

#[tokio::test]
async fn another_method_is_told_which_there_are() {
    let (_server, ada) = ada().await;
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
        let answer = ask(&ada, &format!("{method} /chat HTTP/1.1"), "").await;
        assert_eq!((answer.status, answer.head.header("allow")), (405, Some("GET, POST")), "{method}");
    }
}

#[tokio::test]
async fn after_an_answer_the_connection_serves_the_next_request() {
    let (_server, ada) = ada().await;
    let mut connection = Connection::open(ada.address).await;
    let json = "Accept: application/json\r\n".to_owned() + &ada.authorization();
    assert_eq!(connection.exchange(request("GET", "/chat", &json, "")).await.status, 426);
    let session = request("GET", "/api/v1/session", &ada.authorization(), "");
    assert_eq!(connection.exchange(session).await.status, 200);
}
