//! Who is let in, by what, and what another site's page can do: nothing.

use serde_json::json;

use crate::kit::http::{Events, request};
use crate::kit::server::{Account, PASSWORD};
use crate::kit::websocket::handshake;
use crate::kit::{Connection, Server, WebSocket, post};

async fn sign_in(account: &Account) -> String {
    let body = json!({"handle": account.handle, "password": PASSWORD}).to_string();
    let answer =
        Connection::open(account.address).await.exchange(request("POST", "/api/v1/session", "", &body)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let cookie = answer.head.header("set-cookie").unwrap().to_owned();
    for part in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    cookie.split(';').next().unwrap().to_owned()
}

const ORIGIN: &str = "Origin: http://chat.test\r\n";
const FOREIGN: &str = "Origin: https://evil.example\r\n";

/// The status with which each way in answers these header lines.
async fn statuses(account: &Account, headers: &str) -> Vec<u16> {
    let stream = format!("Accept: text/event-stream\r\n{headers}");
    let ping = json!({"id": 1, "type": "ping"}).to_string();
    let requests = [
        handshake("/chat", headers),
        request("GET", "/chat", &stream, ""),
        request("GET", "/chat?mode=batch&wait=0", &stream, ""),
        request("POST", "/chat", headers, &ping),
    ];
    let mut statuses = Vec::new();
    for request in requests {
        let mut connection = Connection::open(account.address).await;
        connection.send(request).await;
        statuses.push(connection.head().await.status);
    }
    statuses
}

#[tokio::test]
async fn a_token_opens_every_way_in() {
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    assert_eq!(statuses(&ada, &ada.authorization()).await, [101, 200, 200, 200]);
    // A program has no origin to be fooled about.
    let from_elsewhere = ada.authorization() + FOREIGN;
    assert_eq!(statuses(&ada, &from_elsewhere).await, [101, 200, 200, 200]);
}

#[tokio::test]
async fn a_cookie_opens_every_way_in_from_our_own_page() {
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    let cookie = format!("Cookie: other=1; {}\r\n", sign_in(&ada).await);
    assert_eq!(statuses(&ada, &format!("{cookie}{ORIGIN}")).await, [101, 200, 200, 200]);
    let same_site = format!("{cookie}{ORIGIN}Sec-Fetch-Site: same-origin\r\n");
    assert_eq!(statuses(&ada, &same_site).await, [101, 200, 200, 200]);
}

#[tokio::test]
async fn another_sites_page_is_refused_on_every_way_in() {
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    let cookie = format!("Cookie: {}\r\n", sign_in(&ada).await);
    assert_eq!(statuses(&ada, &format!("{cookie}{FOREIGN}")).await, [403; 4]);
    assert_eq!(statuses(&ada, &format!("{cookie}Origin: null\r\n")).await, [403; 4]);
}

#[tokio::test]
async fn without_a_credential_that_counts_nobody_comes_in() {
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    let none = [
        "",
        "Authorization: Bearer \r\n",
        "Authorization: Bearer AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n",
        "Authorization: Basic YWRhOnB3\r\n",
        "Cookie: switchback_session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n",
    ];
    for headers in none {
        assert_eq!(statuses(&ada, headers).await, [401; 4], "{headers}");
        let session = request("GET", "/api/v1/session", headers, "");
        let answer = Connection::open(ada.address).await.exchange(session).await;
        assert_eq!((answer.status, answer.problem().as_str()), (401, "unauthorized"), "{headers}");
    }
}

#[tokio::test]
async fn a_wrong_password_and_a_stranger_get_the_same_answer() {
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    let mut answers = Vec::new();
    for (handle, password) in [("ada", "wrong horse battery"), ("nobody", PASSWORD)] {
        let body = json!({"handle": handle, "password": password}).to_string();
        let request = request("POST", "/api/v1/session", "", &body);
        let answer = Connection::open(ada.address).await.exchange(request).await;
        assert_eq!((answer.status, answer.head.header("set-cookie")), (401, None));
        answers.push(answer.body);
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn last_event_id_wins_over_after() {
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    let room = ada.general().await;
    for number in 0..3 {
        assert_eq!(ada.command(&post(number, &room, "hello")).await.status, 200);
    }
    let origin = ada.origin().await;
    let epoch = origin.trim_end_matches(".0").to_owned();
    let head: u64 =
        ada.snapshot().await["cursor"].as_str().unwrap().split_once('.').unwrap().1.parse().unwrap();
    let headers = format!("Last-Event-ID: {epoch}.{}\r\n{}", head - 1, ada.authorization());
    let mut events = Events::open(ada.address, &format!("/chat?after={origin}"), &headers).await;
    assert_eq!(events.head.header("content-type"), Some("text/event-stream"));
    let (hello, id) = events.next().await.unwrap();
    assert_eq!((hello["type"].as_str(), id), (Some("hello"), Some(format!("{epoch}.{}", head - 1))));
    let (event, id) = events.next().await.unwrap();
    assert_eq!((event["seq"].as_u64(), id), (Some(head), Some(format!("{epoch}.{head}"))));
    assert_eq!(events.next().await.unwrap().0["type"], "ready");
}

#[tokio::test]
async fn a_socket_that_is_open_carries_commands_both_ways() {
    let server = Server::start().await;
    let (ada, bob) = server.people().await;
    let room = ada.general().await;
    let mut hers = WebSocket::open(ada.address, "/chat", &ada.authorization()).await;
    let mut his = WebSocket::open(bob.address, "/chat", &bob.authorization()).await;
    hers.until("ready").await;
    his.until("ready").await;
    hers.command(&post(7, &room, "hello")).await;
    let (mut acked, mut seen) = (false, false);
    while !(acked && seen) {
        let frame = hers.json().await;
        acked |= frame["type"] == "ack" && frame["id"] == 7;
        seen |= frame["type"] == "message.posted";
    }
    assert_eq!(his.until("message.posted").await["message"]["body"], "hello");
}
