//! The same answer whichever way a request comes in: whole and alone, when the front door looks at it, or
//! in pieces, which HTTP puts together.

use std::time::Duration;

use crate::kit::http::{Answer, Events, Head, request};
use crate::kit::server::Account;
use crate::kit::websocket::handshake;
use crate::kit::{Connection, Server, WebSocket};

/// Long enough for the first piece to be read by itself, nearly always.
const PAUSE: Duration = Duration::from_millis(40);
/// The first piece, in bytes.
const PIECE: usize = 20;

/// The answer, as far as it can be compared: without its time, and without what tells the two ways apart.
async fn answer(
    mut connection: Connection,
    whole: bool,
    request: &str,
) -> (u16, Vec<(String, String)>, String) {
    if whole {
        connection.send(request).await;
    } else {
        connection.send(&request[..PIECE]).await;
        tokio::time::sleep(PAUSE).await;
        connection.send(&request[PIECE..]).await;
    }
    let head = connection.head().await;
    let length = head.header("content-length").map_or(0, |length| length.parse().unwrap());
    let body = String::from_utf8(connection.take(length).await).unwrap();
    let is_stream = head.header("transfer-encoding").is_some();
    let mut headers = head.headers;
    headers
        .retain(|(name, value)| name != "date" && !(is_stream && name == "connection" && value == "close"));
    headers.sort();
    (head.status, headers, body)
}

fn upgrade(headers: &str) -> String {
    handshake("/chat", headers)
}

#[tokio::test]
async fn both_ways_in_give_the_same_answer() {
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    let bearer = ada.authorization();
    let get = |target: &str, headers: &str| {
        format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n{bearer}{headers}\r\n")
    };
    let cases = [
        (101, upgrade(&bearer)),
        (101, upgrade(&format!("{bearer}Sec-WebSocket-Protocol: x, switchback.v1\r\n"))),
        (101, upgrade(&format!("{bearer}Content-Length: 0\r\n"))),
        (101, upgrade(&bearer).replace("GET /chat", "GET http://a.test/chat")),
        (101, upgrade(&bearer).replace("/chat", "/chat?after=nonsense&x#y")),
        (400, upgrade(&bearer).replace("Sec-WebSocket-Key", "Sec-WebSocket-Kex")),
        (400, upgrade(&format!("{bearer}Sec-WebSocket-Version: 13\r\n"))),
        (400, upgrade(&format!("{bearer}Host: b.test\r\n"))),
        (401, upgrade("")),
        (401, upgrade("Authorization: Bearer nobody\r\n")),
        (403, upgrade("Cookie: switchback_session=x\r\nOrigin: https://evil.test\r\n")),
        (200, get("/chat", "Accept: text/event-stream\r\n")),
        (200, get("/chat", "")),
        (200, get("/chat", "X-Forwarded-Proto: https\r\n")),
        (200, get("/chat?after=nonsense", "Accept: */*\r\nLast-Event-ID: other\r\n")),
        (200, upgrade(&bearer).replace("HTTP/1.1", "HTTP/1.0")),
        (200, get("/chat", "Upgrade: websocket\r\n")),
        (200, get("/chat?mode=batch&wait=0", "")),
        (303, get("/chat", "Accept: text/html\r\n")),
        (426, get("/chat", "Accept: image/png\r\n")),
        (400, get("/chat?mode=other", "")),
        (400, get("/chat", "").replace("Host", "Hosts")),
        (404, get("/chat/", "Accept: text/event-stream\r\n")),
        (404, get("/Chat", "Accept: text/event-stream\r\n")),
        (431, get("/chat", &"X: y\r\n".repeat(101))),
    ];
    for (status, request) in cases {
        let mut answers = Vec::new();
        for whole in [true, false] {
            let (got, headers, body) = answer(Connection::open(server.address).await, whole, &request).await;
            assert_eq!(got, status, "{request}");
            if request.contains("mode=batch") || status == 404 {
                // Each has a session, a page's nonce of its own.
                answers.push((Vec::new(), String::new()));
            } else {
                answers.push((headers, body));
            }
        }
        assert_eq!(answers[0], answers[1], "{request}");
    }
}

fn has_the_connection_for_itself(head: &Head) -> bool {
    head.header("connection") == Some("close")
}

#[tokio::test]
async fn what_comes_with_something_behind_it_is_for_http_and_gets_all_its_answers() {
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    let batch = request("GET", "/chat?mode=batch&wait=0", &ada.authorization(), "");
    let stream = request("GET", "/chat", &ada.authorization(), "");
    let mut connection = Connection::open(server.address).await;
    connection.send(batch + &stream).await;
    let Answer { status, .. } = connection.answer().await;
    assert_eq!(status, 200);
    let head = connection.head().await;
    assert!(head.status == 200 && !has_the_connection_for_itself(&head), "{}", head.text);
    let first = String::from_utf8(connection.chunk().await.unwrap()).unwrap();
    assert!(first.contains("\"type\":\"hello\""), "{first}");
}

async fn requests(server: &Server, ada: &Account, class: &str) -> u64 {
    let asked = request("GET", "/metrics", &ada.authorization(), "");
    let text = Connection::open(server.address).await.exchange(asked).await.body;
    let line =
        format!("switchback_http_requests_total{{method=\"GET\",route=\"/chat\",status=\"{class}\"}} ");
    let count = text.lines().find_map(|other| other.strip_prefix(&line));
    count.map_or(0, |count| count.parse().unwrap())
}

#[tokio::test]
async fn who_comes_by_the_door_is_counted_once_and_noticed_when_they_go() {
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    let socket = WebSocket::open(server.address, "/chat", &ada.authorization()).await;
    let mut events = Events::open(server.address, "/chat", &ada.authorization()).await;
    assert!(has_the_connection_for_itself(&events.head), "{}", events.head.text);
    assert_eq!(events.next().await.unwrap().0["type"], "hello");
    assert_eq!(requests(&server, &ada, "1xx").await, 1);
    assert_eq!(requests(&server, &ada, "2xx").await, 1);
    let mut refused = Connection::open(server.address).await;
    assert_eq!(refused.exchange(request("GET", "/chat", "", "")).await.status, 401);
    assert_eq!(requests(&server, &ada, "4xx").await, 1);
    drop((socket, events));
    let none =
        ["switchback_connections{transport=\"sse\"} 0", "switchback_connections{transport=\"websocket\"} 0"];
    loop {
        let asked = request("GET", "/metrics", &ada.authorization(), "");
        let text = Connection::open(server.address).await.exchange(asked).await.body;
        if none.iter().all(|line| text.lines().any(|other| other == *line)) {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}
