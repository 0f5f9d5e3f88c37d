//! What bad input gets: a clear error that names what was wrong, nothing half-written, and the
//! connection kept where the stream is still sound.

use serde_json::{Value, json};

use crate::kit::server::Account;
use crate::kit::websocket::{BINARY, CLOSE, Closed, FIN, PING, PONG, RSV1, TEXT};
use crate::kit::{Connection, Role, Server, WebSocket, new_nonce, post};

async fn socket(account: &Account) -> WebSocket {
    let mut socket = WebSocket::open(account.address, "/chat", &account.authorization()).await;
    socket.until("ready").await;
    socket
}

/// What is wrong, the code of its error, and the field at fault.
fn wrong_commands(room: &str) -> Vec<(String, &'static str, Option<&'static str>)> {
    let post = |field: &str, value: Value| {
        let mut command =
            json!({"id": 1, "type": "message.post", "room": room, "nonce": new_nonce(), "body": "x"});
        command[field] = value;
        command.to_string()
    };
    vec![
        ("{".to_owned(), "bad_json", None),
        ("hello".to_owned(), "bad_json", None),
        ("[]".to_owned(), "bad_json", None),
        ("null".to_owned(), "bad_json", None),
        (json!({"id": 1}).to_string(), "bad_request", Some("type")),
        (json!({"id": 1, "type": 7}).to_string(), "bad_request", Some("type")),
        (json!({"id": 1, "type": "message.shout"}).to_string(), "unknown_command", Some("type")),
        (json!({"id": {}, "type": "ping"}).to_string(), "bad_request", Some("id")),
        (json!({"id": "x".repeat(65), "type": "ping"}).to_string(), "bad_request", Some("id")),
        (post("room", json!("general")), "bad_request", Some("room")),
        (post("room", Value::Null), "bad_request", Some("room")),
        (post("nonce", json!(7)), "bad_request", Some("nonce")),
        (post("body", json!(["x"])), "bad_request", Some("body")),
        (post("body", json!("  \n")), "bad_request", Some("body")),
        (post("body", json!("x".repeat(16_001))), "too_long", Some("body")),
        (post("reply_to", json!("x")), "bad_request", Some("reply_to")),
        (
            json!({"id": 1, "type": "read.mark", "room": room, "seq": -1}).to_string(),
            "bad_request",
            Some("seq"),
        ),
        (json!({"id": 1, "type": "presence", "state": "gone"}).to_string(), "bad_request", Some("state")),
    ]
}

#[tokio::test]
async fn a_bad_command_gets_the_same_error_on_a_socket_and_by_post_and_the_socket_stays() {
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    let room = ada.general().await;
    let mut socket = socket(&ada).await;
    for (command, code, field) in wrong_commands(&room) {
        socket.frame(FIN | TEXT, command.as_bytes()).await;
        let error = socket.until("error").await;
        assert_eq!(
            (error["code"].as_str(), error["field"].as_str()),
            (Some(code), field),
            "{command}: {error}"
        );
        let answer = ada.request("POST", "/chat", &command).await;
        assert_eq!(answer.problem(), code, "{command}");
        let problem = answer.json();
        for key in ["detail", "field", "retry"] {
            assert_eq!(problem[key], error[key], "{command}");
        }
    }
    socket.command(&json!({"id": "still here", "type": "ping"})).await;
    assert_eq!(socket.until("ack").await["id"], "still here");
}

#[tokio::test]
async fn each_error_has_its_status() {
    let server = Server::start().await;
    let (ada, bob) = server.people().await;
    let room = ada.general().await;
    let private = json!({"kind": "private", "name": "secret"}).to_string();
    let secret = ada.request("POST", "/api/v1/rooms", &private).await;
    assert_eq!(secret.status, 201, "{secret:?}");
    let secret = secret.json()["id"].as_str().unwrap().to_owned();
    let nowhere = "019cad60-0000-7000-8000-0000000000ff";
    let cases = [
        ("not JSON", "{".to_owned(), 400, "bad_json"),
        ("unknown command", json!({"type": "dance"}).to_string(), 400, "unknown_command"),
        ("wrong type", json!({"type": "typing", "room": 7}).to_string(), 422, "bad_request"),
        ("too long", post(1, &room, &"x".repeat(16_001)).to_string(), 413, "too_long"),
        ("no such room", post(1, nowhere, "x").to_string(), 404, "not_found"),
        ("foreign room", post(1, &secret, "x").to_string(), 404, "not_found"),
        (
            "no such message",
            json!({"type": "message.delete", "message": nowhere}).to_string(),
            404,
            "not_found",
        ),
    ];
    let mut not_found = Vec::new();
    for (what, command, status, code) in cases {
        let answer = bob.request("POST", "/chat", &command).await;
        assert_eq!((answer.status, answer.problem().as_str()), (status, code), "{what}: {answer:?}");
        if what.ends_with("room") {
            not_found.push(answer.body);
        }
    }
    assert_eq!(not_found[0], not_found[1], "a room one may not know of is like one that is not there");
    for path in ["", "/messages", "/members"] {
        let foreign = bob.get(&format!("/api/v1/rooms/{secret}{path}")).await;
        let absent = bob.get(&format!("/api/v1/rooms/{nowhere}{path}")).await;
        assert_eq!((foreign.status, foreign.body), (404, absent.body), "{path}");
    }
}

#[tokio::test]
async fn the_same_nonce_is_the_same_message_and_another_text_is_a_conflict() {
    let server = Server::start().await;
    let (ada, bob) = server.people().await;
    let room = ada.general().await;
    let first = post(1, &room, "once");
    let posted = ada.command(&first).await;
    let again = ada.command(&first).await;
    assert_eq!((posted.status, again.status), (200, 200));
    assert_eq!(posted.json()["seq"], again.json()["seq"]);
    assert_eq!(posted.json()["message"], again.json()["message"]);
    let mut other = first.clone();
    other["body"] = json!("something else");
    let conflict = ada.command(&other).await;
    assert_eq!((conflict.status, conflict.problem().as_str()), (409, "conflict"));
    assert_eq!(conflict.json()["field"], "nonce");
    // A nonce is its author's own.
    assert_eq!(bob.command(&first).await.status, 200);
    let history = ada.get(&format!("/api/v1/rooms/{room}/messages")).await.json();
    assert_eq!(history["messages"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_command_over_the_limit_is_refused_with_the_limit() {
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    let long = json!({"type": "ping", "padding": "x".repeat(65_536)}).to_string();
    let answer = ada.request("POST", "/chat", &long).await;
    assert_eq!((answer.status, answer.problem().as_str()), (413, "too_long"));
    assert!(answer.json()["detail"].as_str().unwrap().contains("65536"), "{}", answer.body);
    let mut socket = socket(&ada).await;
    socket.frame(FIN | TEXT, long.as_bytes()).await;
    let (frames, closed) = socket.closed().await;
    assert_eq!(closed.code, 1009, "{closed:?}");
    assert!(closed.reason.contains("65536"), "{closed:?}");
    let bye = frames.iter().find(|frame| frame["type"] == "bye").unwrap();
    assert_eq!(bye["reason"], "too_big");
}

#[tokio::test]
async fn what_breaks_rfc_6455_is_closed_with_its_code() {
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    let cases: [(&str, u8, &[u8], u16); 9] = [
        ("a binary message", FIN | BINARY, b"{}", 1003),
        ("text that is not UTF-8", FIN | TEXT, b"{\"type\":\"\xff\"}", 1007),
        ("a reserved bit", FIN | RSV1 | TEXT, b"{}", 1002),
        ("an unknown opcode", FIN | 0x03, b"", 1002),
        ("an unknown control opcode", FIN | 0x0b, b"", 1002),
        ("a continuation of nothing", FIN, b"{}", 1002),
        ("a fragmented ping", PING, b"", 1002),
        ("a close code of one byte", FIN | CLOSE, b"\x03", 1002),
        ("a close code that may not be sent", FIN | CLOSE, b"\x03\xee", 1002),
    ];
    for (what, first_byte, payload, code) in cases {
        let mut socket = socket(&ada).await;
        socket.frame(first_byte, payload).await;
        let (_, closed) = socket.closed().await;
        assert_eq!(closed.code, code, "{what}: {closed:?}");
    }
}

#[tokio::test]
async fn an_unmasked_frame_is_a_protocol_error() {
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    let mut socket = socket(&ada).await;
    socket.raw(b"\x81\x02{}").await;
    assert_eq!(socket.closed().await.1.code, 1002);
}

#[tokio::test]
async fn pings_are_answered_fragments_are_put_together_and_a_close_is_returned() {
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    let mut socket = socket(&ada).await;
    socket.frame(FIN | PING, b"are you there").await;
    assert_eq!(socket.control(PONG).await, b"are you there");
    socket.frame(TEXT, b"{\"id\":\"in pie").await;
    socket.frame(FIN | PING, b"").await;
    socket.frame(0, b"ces\",\"type\":").await;
    socket.frame(FIN, b"\"ping\"}").await;
    assert_eq!(socket.until("ack").await["id"], "in pieces");
    socket.frame(FIN | CLOSE, b"\x03\xe8bye").await;
    let (_, closed) = socket.closed().await;
    assert_eq!(closed.code, 1000, "{closed:?}");
    assert_eq!(socket.closed().await.1, Closed { code: 1006, reason: String::new() });
}

#[tokio::test]
async fn who_does_not_speak_this_protocol_at_all_is_sent_away() {
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    let mut socket = socket(&ada).await;
    for _ in 0..64 {
        socket.frame(FIN | TEXT, b"hello?").await;
    }
    let (frames, closed) = socket.closed().await;
    assert_eq!(closed.code, 4000, "{closed:?}");
    let bye = frames.iter().find(|frame| frame["type"] == "bye").unwrap();
    assert_eq!((bye["reason"].as_str(), &bye["retry_ms"]), (Some("bad_command_stream"), &Value::Null));
}

#[tokio::test]
async fn a_cursor_that_is_none_gets_a_reset_and_the_connection_goes_on() {
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    let room = ada.general().await;
    let epoch = ada.origin().await.trim_end_matches(".0").to_owned();
    let cases = [
        ("nonsense".to_owned(), "malformed"),
        ("zzzzzz.1".to_owned(), "foreign_epoch"),
        (format!("{epoch}.999999"), "ahead"),
        (format!("{epoch}.-1"), "malformed"),
        (format!("{epoch}.01"), "malformed"),
    ];
    for (cursor, reason) in cases {
        let path = format!("/chat?after={cursor}");
        let mut socket = WebSocket::open(ada.address, &path, &ada.authorization()).await;
        assert_eq!(socket.json().await["type"], "hello", "{cursor}");
        let reset = socket.json().await;
        assert_eq!(
            (reset["type"].as_str(), reset["reason"].as_str()),
            (Some("reset"), Some(reason)),
            "{cursor}"
        );
        let goes_on_from = reset["cursor"].as_str().unwrap();
        assert!(goes_on_from.starts_with(&format!("{epoch}.")), "{cursor}: {goes_on_from}");
        socket.until("ready").await;
        assert_eq!(ada.command(&post(1, &room, "after the reset")).await.status, 200, "{cursor}");
        while socket.until("message.posted").await["message"]["body"] != "after the reset" {}
    }
}

#[tokio::test]
async fn rest_bodies_that_are_wrong_name_the_field() {
    let server = Server::start().await;
    let ada = server.account("ada", Role::Owner).await;
    let cases = [
        ("POST", "/api/v1/rooms", "{", 400, None),
        ("POST", "/api/v1/rooms", r#"{"kind":"public"}"#, 422, Some("name")),
        ("POST", "/api/v1/rooms", r#"{"kind":"open","name":"x"}"#, 422, Some("kind")),
        ("POST", "/api/v1/rooms", r#"{"kind":"public","name":"  "}"#, 422, Some("name")),
        ("POST", "/api/v1/rooms", r#"{"kind":"public","name":"General"}"#, 409, Some("name")),
        ("PATCH", "/api/v1/users/me", r#"{"name":""}"#, 422, Some("name")),
        ("POST", "/api/v1/tokens", r#"{"label":7}"#, 422, Some("label")),
    ];
    for (method, path, body, status, field) in cases {
        let answer = ada.request(method, path, body).await;
        assert_eq!(answer.status, status, "{path} {body}: {answer:?}");
        answer.problem();
        assert_eq!(answer.json()["field"].as_str(), field, "{path} {body}: {answer:?}");
    }
    for path in ["/api/v1/nothing", "/api/v1/rooms/not-an-id"] {
        assert_eq!(ada.get(path).await.status, 404, "{path}");
    }
    let answer = ada.get("/api/v1/users").await;
    assert_eq!(answer.status, 200);
    let plain = "POST /chat HTTP/1.1\r\nHost: chat.test\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n";
    let request = format!("{plain}{}\r\n{{}}", ada.authorization());
    let answer = Connection::open(ada.address).await.exchange(request).await;
    assert!(matches!(answer.status, 400 | 415 | 422), "{answer:?}");
}
