//! Peers that mean harm or are broken: slow heads, bodies without end, thousands of sockets that say
//! nothing. The server goes on serving the others.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::kit::http::request;
use crate::kit::server::Account;
use crate::kit::{Connection, Server, WebSocket, post};

/// Sockets that say nothing, or half of something.
const HALF_OPEN: usize = 2_000;
/// File descriptors that the test itself needs besides.
const SPARE_DESCRIPTORS: u64 = 200;

/// The server answers as ever: a message is posted and comes back live.
async fn assert_serves(who: &Account, room: &str) {
    let begun = Instant::now();
    let mut socket = WebSocket::open(who.address, "/chat", &who.authorization()).await;
    socket.until("ready").await;
    let answer = who.command(&post(1, room, "are you there?")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(socket.until("message.posted").await["message"]["body"], "are you there?");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_half_open_sockets_do_not_keep_the_server_from_serving() {
    let wanted = u64::try_from(HALF_OPEN).unwrap() + SPARE_DESCRIPTORS;
    let limit = rlimit::increase_nofile_limit(wanted).unwrap();
    assert!(limit >= wanted, "this test needs {wanted} open files, the limit is {limit}");
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    let room = ada.general().await;
    let beginnings: [&[u8]; 5] = [
        b"",
        b"GET /chat HTTP/1.1\r\nHost: x\r\n",
        b"POST /chat HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ];
    let mut held = Vec::with_capacity(HALF_OPEN);
    for beginning in beginnings.iter().cycle().take(HALF_OPEN) {
        let mut connection = Connection::open(server.address).await;
        connection.try_send(beginning).await;
        held.push(connection);
    }
    for _ in 0..3 {
        assert_serves(&ada, &room).await;
    }
    // Those that go on saying nothing are shown the door.
    let mut first = held.swap_remove(0);
    first.closed().await;
    drop(held);
    assert_serves(&ada, &room).await;
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_not_waited_for() {
    let server = Server::start().await;
    let mut connection = Connection::open(server.address).await;
    connection.send("GET /chat HTTP/1.1\r\nHost: chat.test\r\nX-Slow: ").await;
    let begun = Instant::now();
    while connection.try_send(b"a").await {
        assert!(begun.elapsed() < Duration::from_secs(20), "it still listens");
        sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_body_that_does_not_end_is_refused() {
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    let head = format!(
        "POST /chat HTTP/1.1\r\nHost: chat.test\r\nContent-Type: application/json\r\n{}",
        ada.authorization()
    );
    let mut announced = Connection::open(server.address).await;
    announced.send(format!("{head}Content-Length: 1000000000\r\n\r\n")).await;
    while announced.try_send(&[b' '; 0x4000]).await {}
    let said = announced.closed().await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 413"), "{said}");
    let mut chunked = Connection::open(server.address).await;
    chunked.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n")).await;
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    for _ in 0..64 {
        if !chunked.try_send(chunk.as_bytes()).await {
            break;
        }
    }
    let said = chunked.closed().await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 413"), "{said}");
    assert_serves(&ada, &ada.general().await).await;
}

#[tokio::test]
async fn a_body_that_stalls_is_not_waited_for() {
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    let mut connection = Connection::open(server.address).await;
    let head = request("POST", "/chat", &ada.authorization(), "");
    let head =
        head.trim_end().to_owned() + "\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{";
    let begun = Instant::now();
    connection.send(head).await;
    let said = connection.closed().await;
    let status = said.split(' ').nth(1).unwrap_or_default();
    assert!(matches!(status, "" | "400" | "408"), "{said}");
    assert!(begun.elapsed() < Duration::from_secs(18), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_head_without_bounds_is_refused() {
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    let long = format!("GET /chat HTTP/1.1\r\nHost: chat.test\r\nX-Long: {}\r\n\r\n", "x".repeat(64 * 1024));
    let many = "X-Many: 1\r\n".repeat(1_000);
    let many = format!("GET /chat HTTP/1.1\r\nHost: chat.test\r\n{many}\r\n");
    for request in [long, many] {
        let mut connection = Connection::open(server.address).await;
        connection.try_send(request.as_bytes()).await;
        let said = connection.closed().await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 431"), "{said}");
    }
    assert_serves(&ada, &ada.general().await).await;
}

#[tokio::test]
async fn garbage_does_no_harm() {
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    let garbage: [&[u8]; 6] = [
        b"\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /chat HTTP/9.9\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /chat HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /chat HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ];
    for bytes in garbage {
        let mut connection = Connection::open(server.address).await;
        connection.try_send(bytes).await;
        let said = connection.closed().await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.") && !said.contains(" 200 "), "{said}");
    }
    assert_serves(&ada, &ada.general().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_too_much_is_told_to_slow_down_and_loses_nothing() {
    let server = Server::start_with(&["--commands-per-second", "5", "--commands-burst", "10"]).await;
    let (ada, bob) = server.people().await;
    let room = ada.general().await;
    let mut refused = None;
    for number in 0..40 {
        let answer = ada.command(&post(number, &room, "again and again")).await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.unwrap();
    assert_eq!(refused.problem(), "rate_limited");
    assert_eq!(refused.json()["retry"], json!(true));
    assert!(refused.json()["retry_after_ms"].as_u64().is_some_and(|ms| ms <= 5_000), "{refused:?}");
    assert_serves(&bob, &room).await;
}
