//! What holds for every input: no panic, no WebSocket that was not asked for, one spelling of each
//! cursor, and a command that is read as it was written.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Version};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use switchback_core::upgrade::{ChatQuery, Decision, RequestHead, accept_key, decide};
use switchback_core::wire::{Command, CommandId, ErrorCode, Incoming, PresenceState, Request};
use switchback_core::{
    Cursor, DisplayName, Emoji, Epoch, Handle, MessageBody, MessageId, Nonce, Password, RoomId, RoomName,
    Topic, WorkspaceName, limits,
};

/// A request head that owns its parts.
#[derive(Debug, Clone)]
struct Head {
    method: Method,
    version: Version,
    lines: Vec<(HeaderName, Vec<u8>)>,
    protocol: Option<String>,
    query: Option<String>,
}

impl Head {
    fn decide(&self) -> Decision {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.lines {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                headers.append(name, value);
            }
        }
        decide(&RequestHead {
            method: &self.method,
            version: self.version,
            headers: &headers,
            protocol: self.protocol.as_deref(),
            query: self.query.as_deref(),
        })
    }

    /// Whether a line of the field contains the text, without regard to case: less than the
    /// decision must see, and found without its parser.
    fn mentions(&self, name: &HeaderName, text: &str) -> bool {
        let mut lines = self.lines.iter().filter(|(other, _)| other == name);
        lines.any(|(_, value)| String::from_utf8_lossy(value).to_ascii_lowercase().contains(text))
    }
}

/// Values near the ones that matter, so that every branch is reached often, and any bytes at all.
fn header_value() -> impl Strategy<Value = Vec<u8>> {
    let piece = select(vec![
        "websocket",
        "WebSocket/13",
        "h2c",
        "upgrade",
        "Upgrade",
        "keep-alive",
        "13",
        "8",
        "switchback.v1",
        "dGhlIHNhbXBsZSBub25jZQ==",
        "AQIDBAUGBwgJCgsMDQ4PEA==",
        "0",
        "5",
        "chunked",
        "text/event-stream",
        "text/html",
        "*/*",
        "text/*",
        ";q=0.5",
        ";q=0",
        "\"",
        "\\",
        "/",
        " ",
        "\t",
        "",
    ]);
    prop_oneof![
        6 => piece.clone().prop_map(|piece| piece.as_bytes().to_vec()),
        3 => (vec(piece, 0..5), select(vec![",", ", ", ""])).prop_map(|(parts, by)| parts.join(by).into_bytes()),
        1 => vec(any::<u8>(), 0..40),
    ]
}

fn header_line() -> impl Strategy<Value = (HeaderName, Vec<u8>)> {
    let name = select(vec![
        header::UPGRADE,
        header::CONNECTION,
        header::ACCEPT,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::SEC_WEBSOCKET_KEY,
        header::SEC_WEBSOCKET_VERSION,
        header::SEC_WEBSOCKET_PROTOCOL,
    ]);
    (name, header_value())
}

/// Half of the heads begin as a sound handshake, or hardly any would become a WebSocket.
fn head() -> impl Strategy<Value = Head> {
    let sound: Vec<(HeaderName, Vec<u8>)> = vec![
        (header::UPGRADE, b"websocket".to_vec()),
        (header::CONNECTION, b"upgrade".to_vec()),
        (header::SEC_WEBSOCKET_KEY, b"dGhlIHNhbXBsZSBub25jZQ==".to_vec()),
        (header::SEC_WEBSOCKET_VERSION, b"13".to_vec()),
    ];
    let methods =
        vec![Method::GET, Method::GET, Method::POST, Method::CONNECT, Method::HEAD, Method::OPTIONS];
    let versions =
        vec![Version::HTTP_10, Version::HTTP_11, Version::HTTP_11, Version::HTTP_2, Version::HTTP_3];
    let protocol = prop_oneof![Just("websocket".to_owned()), Just("connect-udp".to_owned()), ".*"];
    let query = prop_oneof!["(mode|wait|seen|after|%6dode)=(batch|[0-9]{1,25}|.*)(&.*)?", ".*"];
    (
        select(methods),
        select(versions),
        any::<bool>(),
        vec(header_line(), 0..6),
        option::of(protocol),
        option::of(query),
    )
        .prop_map(move |(method, version, begin_sound, more, protocol, query)| {
            let mut lines = if begin_sound { sound.clone() } else { Vec::new() };
            // What cannot stand in a header does not reach the decision.
            lines.extend(more.into_iter().filter(|(_, value)| HeaderValue::from_bytes(value).is_ok()));
            Head { method, version, lines, protocol, query }
        })
}

proptest! {
    #[test]
    fn no_head_panics_and_no_websocket_comes_unasked(head in head()) {
        match head.decide() {
            Decision::WebSocket { accept: Some(accept), subprotocol } => {
                prop_assert_eq!(&head.method, &Method::GET);
                prop_assert_eq!(head.version, Version::HTTP_11);
                prop_assert!(head.mentions(&header::UPGRADE, "websocket"));
                prop_assert!(head.mentions(&header::CONNECTION, "upgrade"));
                let keys = head.lines.iter().filter(|(name, _)| name == header::SEC_WEBSOCKET_KEY);
                let accepts: Vec<_> =
                    keys.map(|(_, key)| accept_key(String::from_utf8_lossy(key).trim())).collect();
                prop_assert_eq!(accepts, [accept]);
                prop_assert!(!subprotocol || head.mentions(&header::SEC_WEBSOCKET_PROTOCOL, "switchback.v1"));
            }
            Decision::WebSocket { accept: None, subprotocol } => {
                prop_assert_eq!(&head.method, &Method::CONNECT);
                prop_assert!(matches!(head.version, Version::HTTP_2 | Version::HTTP_3));
                prop_assert!(head.protocol.as_ref().is_some_and(|name| name.eq_ignore_ascii_case("websocket")));
                prop_assert!(!subprotocol || head.mentions(&header::SEC_WEBSOCKET_PROTOCOL, "switchback.v1"));
            }
            Decision::Batch { wait_s } => {
                prop_assert_eq!(&head.method, &Method::GET);
                prop_assert!(wait_s <= limits::BATCH_WAIT_MAX_S);
            }
            Decision::EventStream | Decision::Page => prop_assert_eq!(&head.method, &Method::GET),
            Decision::Command => prop_assert_eq!(&head.method, &Method::POST),
            Decision::Reject(reject) => prop_assert!((400..=501).contains(&reject.status())),
        }
    }

    #[test]
    fn lines_of_a_list_mean_the_same_as_one_line(
        elements in vec(select(vec!["websocket", "h2c/1", "upgrade", "x", "", "text/html", "*/*;q=0.1"]), 1..6),
        name in select(vec![header::UPGRADE, header::CONNECTION, header::ACCEPT]),
        mut base in head(),
    ) {
        base.lines.retain(|(other, _)| *other != name);
        let (mut apart, mut joined) = (base.clone(), base);
        apart.lines.extend(elements.iter().map(|element| (name.clone(), element.as_bytes().to_vec())));
        joined.lines.push((name, elements.join(" ,").into_bytes()));
        prop_assert_eq!(apart.decide(), joined.decide());
    }

    #[test]
    fn no_query_panics_or_hides_what_stands_before_it(
        junk in ".*", seen in any::<u64>(), after in "[a-z0-9.]{1,20}",
    ) {
        let _ = ChatQuery::parse(Some(&junk)).after();
        let query = format!("seen={seen}&after={after}&{junk}");
        let parsed = ChatQuery::parse(Some(&query));
        prop_assert_eq!((parsed.seen(), parsed.after()), (Some(seen), Some(after.as_str())));
    }

    #[test]
    fn no_bytes_panic_as_a_command(bytes in vec(any::<u8>(), 0..200)) {
        let _ = Request::parse(&bytes);
    }

    #[test]
    fn what_is_refused_names_its_reason(json in almost_command()) {
        if let Err(error) = Request::parse(json.as_bytes()) {
            prop_assert!(!error.detail.is_empty());
            prop_assert!(!error.retry);
            match error.code {
                ErrorCode::BadJson => prop_assert_eq!(error.field, None),
                ErrorCode::TooLong if json.len() > limits::COMMAND_BYTES => prop_assert_eq!(error.field, None),
                ErrorCode::BadRequest | ErrorCode::UnknownCommand | ErrorCode::TooLong => {
                    let field = error.field.unwrap();
                    prop_assert!(error.detail.contains(&format!("`{field}`")), "{}", error.detail);
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }

    #[test]
    fn a_command_is_read_as_it_was_written(request in request()) {
        prop_assert_eq!(Request::parse(request.to_json().as_bytes()).unwrap(), request);
    }

    #[test]
    fn a_damaged_command_is_refused_or_another_command(
        request in request(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut json = request.to_json().into_bytes();
        let at = at.index(json.len());
        json[at] = byte;
        let _ = Request::parse(&json);
        let _ = Request::parse(&json[..at]);
    }

    #[test]
    fn no_text_panics_as_a_frame(text in ".*", kind in select(vec!["hello", "ready", "message.posted", "x"])) {
        let _ = Incoming::parse(&text);
        let _ = Incoming::parse(&format!(r#"{{"type":"{kind}",{text}}}"#));
    }

    #[test]
    fn a_cursor_has_exactly_one_spelling(epoch in "[a-z0-9]{1,16}", seq in 0..=i64::MAX.unsigned_abs()) {
        let text = format!("{epoch}.{seq}");
        let cursor: Cursor = text.parse().unwrap();
        prop_assert_eq!(cursor.seq, seq);
        prop_assert_eq!(cursor.epoch.as_str(), epoch);
        prop_assert_eq!(cursor.to_string(), text);
    }

    #[test]
    fn what_is_read_as_a_cursor_is_written_the_same(text in "\\PC*|[a-z0-9]{0,18}\\.[-+0-9]{0,21}") {
        if let Ok(cursor) = text.parse::<Cursor>() {
            prop_assert_eq!(cursor.to_string(), text.clone());
        }
        if let Ok(epoch) = text.parse::<Epoch>() {
            prop_assert_eq!(epoch.to_string(), text);
        }
    }

    #[test]
    fn a_text_that_was_accepted_is_accepted_again_unchanged(text in any_text()) {
        macro_rules! stable {
            ($($kind:ty: $fits:expr;)*) => { $(
                if let Ok(value) = <$kind>::new(&text) {
                    let fits: fn(&str) -> bool = $fits;
                    prop_assert!(fits(value.as_str()), "{:?}", value.as_str());
                    let again = <$kind>::new(value.as_str());
                    prop_assert_eq!(again.as_ref(), Ok(&value));
                }
            )* };
        }
        stable! {
            Handle: |text| text.is_ascii() && (1..=limits::HANDLE_CHARS).contains(&text.len());
            DisplayName: |text| (1..=limits::DISPLAY_NAME_CHARS).contains(&text.chars().count());
            WorkspaceName: |text| (1..=limits::WORKSPACE_NAME_CHARS).contains(&text.chars().count());
            RoomName: |text| (1..=limits::ROOM_NAME_CHARS).contains(&text.chars().count()) && !text.starts_with('#');
            Topic: |text| text.chars().count() <= limits::TOPIC_CHARS && !text.contains('\n');
            MessageBody: |text| text.len() <= limits::MESSAGE_BODY_BYTES && !text.trim().is_empty() && !text.contains('\r');
            Emoji: |text| (1..=limits::EMOJI_BYTES).contains(&text.len());
            Password: |text| text.len() <= limits::PASSWORD_MAX_BYTES;
        }
    }
}

fn any_text() -> impl Strategy<Value = String> {
    let edge = select(vec![
        " ",
        "#",
        "# #",
        "\t",
        "\r\n",
        "\r",
        "\n",
        "\u{a0}",
        "\u{202e}",
        "\u{feff}",
        "👍",
        "#\u{20e3}",
        "",
    ]);
    prop_oneof![
        ".*",
        "[a-zA-Z0-9._ -]{0,40}",
        (edge.clone(), "(?s).{0,90}", edge)
            .prop_map(|(before, text, after)| format!("{before}{text}{after}")),
        vec(select(vec!["👍", "\u{fe0f}", "\u{200d}", "🏽", "❤", "🇩", "1", "\u{20e3}", "\u{e007f}"]), 0..6)
            .prop_map(|parts| parts.concat()),
    ]
}

fn uuid_text() -> impl Strategy<Value = String> {
    any::<u128>().prop_map(|bits| uuid::Uuid::from_u128(bits).to_string())
}

/// JSON objects that are nearly commands: known names with values of every type.
fn almost_command() -> impl Strategy<Value = String> {
    let key = select(vec![
        "id", "type", "room", "nonce", "body", "reply_to", "message", "emoji", "seq", "state", "x",
    ]);
    let kind = select(vec![
        "message.post",
        "message.edit",
        "message.delete",
        "reaction.add",
        "reaction.remove",
        "read.mark",
        "typing",
        "presence",
        "ping",
        "message.shout",
    ]);
    let value = prop_oneof![
        select(vec![
            "null",
            "true",
            "0",
            "-1",
            "1.5",
            "1e999",
            "18446744073709551615",
            "[]",
            "{}",
            "\"\"",
            "\"away\"",
            "\"offline\""
        ])
        .prop_map(str::to_owned),
        uuid_text().prop_map(|id| format!("\"{id}\"")),
        "[a-z ]{0,80}".prop_map(|text| format!("\"{text}\"")),
        Just(format!("\"{}\"", "x".repeat(limits::MESSAGE_BODY_BYTES + 1))),
    ];
    (option::weighted(0.9, kind), vec((key, value), 0..6)).prop_map(|(kind, fields)| {
        let kind = kind.map(|kind| format!("\"type\":\"{kind}\""));
        let fields = fields.into_iter().map(|(key, value)| format!("\"{key}\":{value}"));
        format!("{{{}}}", fields.chain(kind).collect::<Vec<_>>().join(","))
    })
}

fn request() -> impl Strategy<Value = Request> {
    let id = prop_oneof![any::<i64>().prop_map(CommandId::Number), ".{0,16}".prop_map(CommandId::Text),];
    (option::of(id), command()).prop_map(|(id, command)| Request { id, command })
}

fn command() -> impl Strategy<Value = Command> {
    let uuid = any::<u128>().prop_map(uuid::Uuid::from_u128);
    let room = uuid.clone().prop_map(RoomId::from_uuid);
    let message = uuid.clone().prop_map(MessageId::from_uuid);
    let nonce = uuid.prop_map(Nonce::from_uuid);
    let body = "(?s).{0,40}[^\\s\u{0}]".prop_filter_map("a body", |text| MessageBody::new(&text).ok());
    let emoji = select(vec!["👍", "❤️", "1️⃣", "🇩🇪", "👩🏽‍🚀"]).prop_map(|text| Emoji::new(text).unwrap());
    let on_message = (message.clone(), emoji.clone());
    prop_oneof![
        (room.clone(), nonce, body.clone(), option::of(message.clone()))
            .prop_map(|(room, nonce, body, reply_to)| Command::MessagePost { room, nonce, body, reply_to }),
        (message.clone(), body).prop_map(|(message, body)| Command::MessageEdit { message, body }),
        message.prop_map(|message| Command::MessageDelete { message }),
        on_message.clone().prop_map(|(message, emoji)| Command::ReactionAdd { message, emoji }),
        on_message.prop_map(|(message, emoji)| Command::ReactionRemove { message, emoji }),
        (room.clone(), 0..=i64::MAX.unsigned_abs()).prop_map(|(room, seq)| Command::ReadMark { room, seq }),
        room.prop_map(|room| Command::Typing { room }),
        select(vec![PresenceState::Online, PresenceState::Away])
            .prop_map(|state| Command::Presence { state }),
        Just(Command::Ping),
    ]
}
