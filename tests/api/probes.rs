//! Requests at the edge of what HTTP/1.1 and RFC 6455 allow, byte by byte, to `/chat` and to the echo,
//! which share the code that judges them. The five probes of `Http11Probe`'s section on WebSocket
//! are the first in the table.
//!
//! Whoever is switched asked for it in full; whoever did not is told so, or cut off; and in no case
//! are bytes after the head taken for a second request.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::kit::server::Account;
use crate::kit::websocket::{CLOSE, FIN, KEY, TEXT};
use crate::kit::{Connection, Role, Server};

/// What a probe must come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    /// 101.
    Switched,
    /// This status.
    Status(u16),
    /// Anything but 101: the offer is ignored.
    Ignored,
    /// An error of the client's, or the connection is cut without a word.
    Refused,
}
use Want::{Ignored, Refused, Status, Switched};

/// A place to probe: where, and what else a request needs there.
struct Place {
    address: SocketAddr,
    path: &'static str,
    credential: String,
}

/// `{}` stands for the path; `{good}` for a handshake's header lines, `{ws}` for those without the key
/// and version, `{key}` and `{version}` for these.
const PROBES: &[(&str, &str, Want)] = &[
    // Http11Probe: WS-UPGRADE-POST, -MISSING-CONN, -UNKNOWN, -HTTP10, -INVALID-VER.
    ("upgrade by POST", "POST {} HTTP/1.1\r\n{host}{good}\r\n", Ignored),
    (
        "upgrade without Connection",
        "GET {} HTTP/1.1\r\n{host}Upgrade: websocket\r\n{key}{version}\r\n",
        Ignored,
    ),
    (
        "unknown protocol",
        "GET {} HTTP/1.1\r\n{host}Connection: Upgrade\r\nUpgrade: totally-made-up/1.0\r\n{key}{version}\r\n",
        Ignored,
    ),
    ("upgrade in HTTP/1.0", "GET {} HTTP/1.0\r\n{host}{good}\r\n", Ignored),
    ("version 99", "GET {} HTTP/1.1\r\n{host}{ws}{key}Sec-WebSocket-Version: 99\r\n\r\n", Status(426)),
    // The handshake.
    ("as it should be", "GET {} HTTP/1.1\r\n{host}{good}\r\n", Switched),
    ("absolute form", "GET http://chat.test{} HTTP/1.1\r\n{host}{good}\r\n", Switched),
    (
        "names in capitals",
        "GET {} HTTP/1.1\r\n{host}CONNECTION: UPGRADE\r\nUPGRADE: WEBSOCKET\r\n{key}{version}\r\n",
        Switched,
    ),
    ("upgrade twice", "GET {} HTTP/1.1\r\n{host}{ws}Upgrade: websocket\r\n{key}{version}\r\n", Switched),
    (
        "extensions",
        "GET {} HTTP/1.1\r\n{host}{good}Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
        Switched,
    ),
    (
        "white space around values",
        "GET {} HTTP/1.1\r\n{host}{ws}{key}Sec-WebSocket-Version: \t 13 \t\r\n\r\n",
        Switched,
    ),
    ("version absent", "GET {} HTTP/1.1\r\n{host}{ws}{key}\r\n", Status(400)),
    ("version twice", "GET {} HTTP/1.1\r\n{host}{good}{version}\r\n", Status(400)),
    ("version a list", "GET {} HTTP/1.1\r\n{host}{ws}{key}Sec-WebSocket-Version: 13, 8\r\n\r\n", Status(400)),
    (
        "version with a sign",
        "GET {} HTTP/1.1\r\n{host}{ws}{key}Sec-WebSocket-Version: +13\r\n\r\n",
        Status(426),
    ),
    ("key absent", "GET {} HTTP/1.1\r\n{host}{ws}{version}\r\n", Status(400)),
    ("key twice, the same", "GET {} HTTP/1.1\r\n{host}{good}{key}\r\n", Status(400)),
    ("key empty", "GET {} HTTP/1.1\r\n{host}{ws}{version}Sec-WebSocket-Key:\r\n\r\n", Status(400)),
    (
        "key of 15 bytes",
        "GET {} HTTP/1.1\r\n{host}{ws}{version}Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA\r\n\r\n",
        Status(400),
    ),
    (
        "key of 17 bytes",
        "GET {} HTTP/1.1\r\n{host}{ws}{version}Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
        Status(400),
    ),
    (
        "key not padded",
        "GET {} HTTP/1.1\r\n{host}{ws}{version}Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA\r\n\r\n",
        Status(400),
    ),
    (
        "key not canonical",
        "GET {} HTTP/1.1\r\n{host}{ws}{version}Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAB==\r\n\r\n",
        Status(400),
    ),
    (
        "key for addresses",
        "GET {} HTTP/1.1\r\n{host}{ws}{version}Sec-WebSocket-Key: -_AAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        Status(400),
    ),
    (
        "key with a space",
        "GET {} HTTP/1.1\r\n{host}{ws}{version}Sec-WebSocket-Key: AAAAAAAAAAA AAAAAAAAAAA==\r\n\r\n",
        Status(400),
    ),
    (
        "key a list",
        "GET {} HTTP/1.1\r\n{host}{ws}{version}Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==, AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        Status(400),
    ),
    (
        "key without an end",
        "GET {} HTTP/1.1\r\n{host}{ws}{version}Sec-WebSocket-Key: {long}\r\n\r\n",
        Status(431),
    ),
    // Bodies, and who disagrees about where they end.
    ("length of nothing", "GET {} HTTP/1.1\r\n{host}{good}Content-Length: 0\r\n\r\n", Switched),
    ("a body", "GET {} HTTP/1.1\r\n{host}{good}Content-Length: 5\r\n\r\nhello", Status(400)),
    ("chunks", "GET {} HTTP/1.1\r\n{host}{good}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Status(400)),
    (
        "length and chunks",
        "GET {} HTTP/1.1\r\n{host}{good}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "two lengths",
        "GET {} HTTP/1.1\r\n{host}{good}Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello",
        Refused,
    ),
    ("a list of lengths", "GET {} HTTP/1.1\r\n{host}{good}Content-Length: 0, 5\r\n\r\nhello", Refused),
    ("length with a sign", "GET {} HTTP/1.1\r\n{host}{good}Content-Length: +0\r\n\r\n", Refused),
    ("negative length", "GET {} HTTP/1.1\r\n{host}{good}Content-Length: -1\r\n\r\n", Refused),
    ("length in hexadecimal", "GET {} HTTP/1.1\r\n{host}{good}Content-Length: 0x5\r\n\r\nhello", Refused),
    (
        "length over 64 bits",
        "GET {} HTTP/1.1\r\n{host}{good}Content-Length: 99999999999999999999\r\n\r\n",
        Refused,
    ),
    (
        "unknown coding",
        "GET {} HTTP/1.1\r\n{host}{good}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "chunked is not the last coding",
        "GET {} HTTP/1.1\r\n{host}{good}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        Refused,
    ),
    // The host.
    ("no host", "GET {} HTTP/1.1\r\n{good}\r\n", Status(400)),
    ("two hosts", "GET {} HTTP/1.1\r\n{host}{host}{good}\r\n", Status(400)),
    // Methods.
    ("lower case is another method", "get {} HTTP/1.1\r\n{host}{good}\r\n", Status(405)),
    ("PUT", "PUT {} HTTP/1.1\r\n{host}{good}\r\n", Status(405)),
    ("OPTIONS", "OPTIONS {} HTTP/1.1\r\n{host}{good}\r\n", Status(405)),
    ("TRACE", "TRACE {} HTTP/1.1\r\n{host}{good}\r\n", Status(405)),
    ("HEAD", "HEAD {} HTTP/1.1\r\n{host}{good}\r\n", Ignored),
    ("CONNECT", "CONNECT chat.test:80 HTTP/1.1\r\n{host}{good}\r\n", Refused),
    // The syntax of a head.
    (
        "folded line",
        "GET {} HTTP/1.1\r\n{host}Connection: Upgrade\r\nUpgrade:\r\n websocket\r\n{key}{version}\r\n",
        Refused,
    ),
    (
        "space before the colon",
        "GET {} HTTP/1.1\r\n{host}Connection : Upgrade\r\nUpgrade: websocket\r\n{key}{version}\r\n",
        Refused,
    ),
    ("space before the first line", "GET {} HTTP/1.1\r\n {host}{good}\r\n", Refused),
    ("no colon", "GET {} HTTP/1.1\r\n{host}{good}nonsense\r\n\r\n", Refused),
    ("empty name", "GET {} HTTP/1.1\r\n{host}{good}: x\r\n\r\n", Refused),
    ("NUL in a value", "GET {} HTTP/1.1\r\n{host}{good}X: a\0b\r\n\r\n", Refused),
    ("NUL in a name", "GET {} HTTP/1.1\r\n{host}{good}X\0: a\r\n\r\n", Refused),
    ("NUL in the path", "GET {}\0 HTTP/1.1\r\n{host}{good}\r\n", Refused),
    ("a carriage return in a value", "GET {} HTTP/1.1\r\n{host}{good}X: a\rb\r\n\r\n", Refused),
    ("carriage returns alone", "GET {} HTTP/1.1\r{host}{good}\r", Refused),
    ("two spaces", "GET  {} HTTP/1.1\r\n{host}{good}\r\n", Refused),
    ("a tab", "GET\t{} HTTP/1.1\r\n{host}{good}\r\n", Refused),
    ("no version of HTTP", "GET {}\r\n{host}{good}\r\n", Refused),
    ("HTTP/2.0 in words", "GET {} HTTP/2.0\r\n{host}{good}\r\n", Refused),
    ("HTTP/1.9", "GET {} HTTP/1.9\r\n{host}{good}\r\n", Refused),
    ("http/1.1", "GET {} http/1.1\r\n{host}{good}\r\n", Refused),
    ("a fragment of an address", "GET {}#x HTTP/1.1\r\n{host}{good}\r\n", Switched),
    // Sizes.
    ("a line of 32 KiB", "GET {} HTTP/1.1\r\n{host}{good}X: {long}{long}\r\n\r\n", Status(431)),
    ("a path of 32 KiB", "GET {}?{long}{long} HTTP/1.1\r\n{host}{good}\r\n", Refused),
    ("200 lines", "GET {} HTTP/1.1\r\n{host}{good}{many}\r\n", Status(431)),
];

/// Half of what a head may be in all.
const LONG_BYTES: usize = 16 * 1024;

fn written(template: &str, place: &Place) -> String {
    let key = format!("Sec-WebSocket-Key: {KEY}\r\n");
    let (ws, version) = ("Connection: Upgrade\r\nUpgrade: websocket\r\n", "Sec-WebSocket-Version: 13\r\n");
    template
        .replace("{}", place.path)
        .replace("{good}", "{ws}{key}{version}")
        .replace("{ws}", ws)
        .replace("{version}", version)
        .replace("{key}", &key)
        .replace("{host}", &format!("Host: chat.test\r\n{}", place.credential))
        .replace("{long}", &"A".repeat(LONG_BYTES))
        .replace("{many}", &"X: 1\r\n".repeat(200))
}

/// The status, or 0 if nothing was said.
async fn status(place: &Place, request: &str) -> u16 {
    let mut connection = Connection::open(place.address).await;
    connection.try_send(request.as_bytes()).await;
    connection.first_line().await.split(' ').nth(1).map_or(0, |status| status.parse().unwrap())
}

async fn probe_all(place: &Place) {
    let mut wrong = Vec::new();
    for (what, template, want) in PROBES {
        let status = status(place, &written(template, place)).await;
        let holds = match *want {
            Switched => status == 101,
            Status(wanted) => status == wanted,
            Ignored => status != 101 && status != 0,
            Refused => status == 0 || (400..=505).contains(&status),
        };
        if !holds {
            wrong.push(format!("{what}: {status}, not {want:?}"));
        }
    }
    assert!(wrong.is_empty(), "at {}:\n{}", place.path, wrong.join("\n"));
}

async fn chat() -> (Server, Account, Place) {
    let server = Server::start().await;
    let ada = server.account("ada", Role::Owner).await;
    let place = Place { address: server.address, path: "/chat", credential: ada.authorization() };
    (server, ada, place)
}

async fn echo() -> Place {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(switchback_server::echo::serve(listener));
    Place { address, path: "/", credential: String::new() }
}

#[tokio::test]
async fn chat_switches_only_for_those_who_asked_in_full() {
    let (_server, _, place) = chat().await;
    probe_all(&place).await;
}

#[tokio::test]
async fn the_echo_judges_as_chat_does() {
    probe_all(&echo().await).await;
}

fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    // A mask of zeros is one, too.
    [&[FIN | opcode, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

#[tokio::test]
async fn frames_that_come_with_the_handshake_are_the_first_of_the_socket() {
    let place = echo().await;
    let mut connection = Connection::open(place.address).await;
    let handshake = written("GET {} HTTP/1.1\r\n{host}{good}\r\n", &place).into_bytes();
    connection
        .send([handshake, masked(TEXT, b"early"), masked(CLOSE, &1000_u16.to_be_bytes())].concat())
        .await;
    assert_eq!(connection.head().await.status, 101);
    assert_eq!(connection.take(7).await, b"\x81\x05early");
    assert_eq!(connection.take(4).await, [0x88, 2, 0x03, 0xe8]);
    assert_eq!(connection.closed().await, "");
}

#[tokio::test]
async fn a_request_behind_a_handshake_is_no_request() {
    let (_server, _, chat) = chat().await;
    for place in [echo().await, chat] {
        let mut connection = Connection::open(place.address).await;
        let behind = written("GET /healthz HTTP/1.1\r\n{host}\r\n", &place);
        connection.send(written("GET {} HTTP/1.1\r\n{host}{good}\r\n", &place) + &behind).await;
        assert_eq!(connection.head().await.status, 101);
        let said = connection.closed().await;
        assert!(!said.contains("HTTP/1."), "answered as a request: {said}");
        // `G` is no frame: 1002, RFC 6455 5.2.
        assert!(said.contains('\u{3}'), "closed without a code: {said:?}");
    }
}

#[tokio::test]
async fn a_body_of_a_refused_handshake_is_no_request_either() {
    let (_server, _, chat) = chat().await;
    for place in [echo().await, chat] {
        let hidden = written("GET /healthz HTTP/1.1\r\nHost: chat.test\r\nConnection: close\r\n\r\n", &place);
        let length = format!("Content-Length: {}\r\n\r\n{hidden}", hidden.len());
        let mut connection = Connection::open(place.address).await;
        let refused = written(
            "GET {} HTTP/1.1\r\n{host}Connection: close, upgrade\r\nUpgrade: websocket\r\n{key}{version}",
            &place,
        );
        connection.send(refused + &length).await;
        let said = connection.closed().await;
        assert!(said.starts_with("HTTP/1.1 400"), "{said}");
        assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "a body was taken for a request: {said}");
    }
}
