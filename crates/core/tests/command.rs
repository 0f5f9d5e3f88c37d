//! What a client is told about a command that cannot be read: which field, and what would be right.

use switchback_core::limits;
use switchback_core::wire::{CommandError, CommandId, ErrorCode, Request};

const ROOM: &str = "019cad60-0000-7000-8000-00000000c001";

/// The error of a command, as `code field: detail`.
fn refused(json: &str) -> String {
    match Request::parse(json.as_bytes()) {
        Ok(request) => panic!("taken: {request:?}"),
        Err(error) => shown(&error),
    }
}

fn shown(error: &CommandError) -> String {
    let field = error.field.as_ref().map(|field| format!(" {field}")).unwrap_or_default();
    format!("{}{field}: {}", error.code.as_str(), error.detail)
}

#[test]
fn what_is_not_json_is_told_where() {
    let cases = [
        ("", "bad_json: a command is a JSON object: EOF while parsing a value at line 1 column 0"),
        ("hello", "bad_json: a command is a JSON object: expected value at line 1 column 1"),
        (
            "{\"type\":\"ping\"",
            "bad_json: a command is a JSON object: EOF while parsing an object at line 1 column 14",
        ),
        (
            "{\"type\":\"ping\"}\n{\"type\":\"ping\"}",
            "bad_json: a command is a JSON object: trailing characters at line 2 column 1",
        ),
        ("[1]", "bad_json: a command is a JSON object such as {\"type\":\"ping\"}, not a list"),
        ("\"ping\"", "bad_json: a command is a JSON object such as {\"type\":\"ping\"}, not a text"),
        ("null", "bad_json: a command is a JSON object such as {\"type\":\"ping\"}, not null"),
    ];
    for (json, expected) in cases {
        assert_eq!(refused(json), expected, "{json}");
    }
}

#[test]
fn what_is_not_utf8_or_too_deep_is_not_json() {
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    for bytes in
        [&b"{\"type\":\"\xff\"}"[..], b"\"\xed\xa0\x80\"", br#"{"type":"\ud800"}"#, b"\x00", deep.as_bytes()]
    {
        assert_eq!(Request::parse(bytes).map_err(|error| error.code), Err(ErrorCode::BadJson));
    }
}

#[test]
fn a_wrong_field_is_named_with_what_would_be_right() {
    const UUID: &str = "a UUID such as \"01890a5d-ac96-774b-bcce-b302099a8057\"";
    let cases = [
        (r#"{"type":"typing"}"#.into(), format!("bad_request room: `room` is missing; it must be {UUID}")),
        (
            r#"{"type":"typing","room":null}"#.into(),
            format!("bad_request room: `room` is missing; it must be {UUID}"),
        ),
        (
            r#"{"type":"typing","room":7}"#.into(),
            format!("bad_request room: `room` must be {UUID}, not a number"),
        ),
        (r#"{"type":"typing","room":"general"}"#.into(), format!("bad_request room: `room` must be {UUID}")),
        (
            format!(r#"{{"type":"read.mark","room":"{ROOM}","seq":-1}}"#),
            "bad_request seq: `seq` must be a whole number, 0 or more: a position in the log".into(),
        ),
        (
            format!(r#"{{"type":"read.mark","room":"{ROOM}","seq":9223372036854775808}}"#),
            "bad_request seq: `seq` must be a whole number, 0 or more: a position in the log".into(),
        ),
        (
            r#"{"type":"presence","state":"offline"}"#.into(),
            "bad_request state: `state` must be \"online\" or \"away\"; who is not connected is offline"
                .into(),
        ),
        (
            format!(r#"{{"type":"message.edit","message":"{ROOM}","body":" \n"}}"#),
            "bad_request body: `body` must not be empty".into(),
        ),
        (
            format!(r#"{{"type":"reaction.add","message":"{ROOM}","emoji":"lol"}}"#),
            "bad_request emoji: `emoji` must be one emoji".into(),
        ),
        (
            format!(r#"{{"type":"message.post","room":"{ROOM}","nonce":"{ROOM}","body":"x","reply_to":[]}}"#),
            format!("bad_request reply_to: `reply_to` must be {UUID}, not a list"),
        ),
    ];
    for (json, expected) in cases {
        assert_eq!(refused(&json), expected, "{json}");
    }
}

#[test]
fn an_unknown_command_is_told_the_known_ones() {
    let known = "one of message.post, message.edit, message.delete, reaction.add, reaction.remove, \
                 read.mark, typing, presence, ping";
    assert_eq!(
        refused(r#"{"type":"message.shout"}"#),
        format!("unknown_command type: there is no command \"message.shout\"; `type` is {known}")
    );
    assert_eq!(refused("{}"), format!("bad_request type: `type` is missing; it must be {known}"));
    assert_eq!(refused(r#"{"type":1}"#), format!("bad_request type: `type` must be {known}, not a number"));
    let long = refused(&format!(r#"{{"type":"{}"}}"#, "é\\n".repeat(10_000)));
    assert!(
        long.len() < 500 && !long.contains('\n'),
        "what a peer sends does not come back at any length: {long}"
    );
}

#[test]
fn over_a_limit_is_too_long_and_says_the_limit() {
    let body = format!(r#"{{"type":"message.edit","message":"{ROOM}","body":"{}"}}"#, "x".repeat(16_001));
    assert_eq!(refused(&body), "too_long body: `body` is too long: 16001 bytes, the limit is 16000");
    let emoji = format!(r#"{{"type":"reaction.add","message":"{ROOM}","emoji":"{}"}}"#, "👍".repeat(17));
    assert_eq!(refused(&emoji), "too_long emoji: `emoji` is too long: 68 bytes, the limit is 64");
    let mut whole = r#"{"type":"ping"}"#.to_owned();
    whole.push_str(&" ".repeat(limits::COMMAND_BYTES - whole.len()));
    assert!(Request::parse(whole.as_bytes()).is_ok(), "the limit itself is allowed");
    whole.push(' ');
    assert_eq!(refused(&whole), "too_long: a command is too long: 65537 bytes, the limit is 65536");
}

#[test]
fn the_id_comes_back_with_every_error_that_could_read_it() {
    let longest = "x".repeat(limits::COMMAND_ID_BYTES);
    let cases = [
        ("7".into(), Some(CommandId::Number(7))),
        ("-9223372036854775808".into(), Some(CommandId::Number(i64::MIN))),
        ("\"\"".into(), Some(CommandId::Text(String::new()))),
        (format!("\"{longest}\""), Some(CommandId::Text(longest.clone()))),
        ("null".into(), None),
    ];
    for (id, expected) in cases {
        for rest in [r#""type":"?""#, r#""room":1"#, r#""type":"typing","room":[]"#] {
            let json = format!("{{\"id\":{id},{rest}}}");
            assert_eq!(
                Request::parse(json.as_bytes()).map_err(|error| error.id),
                Err(expected.clone()),
                "{json}"
            );
        }
    }
}

#[test]
fn an_id_that_is_none_is_refused() {
    let rule =
        "bad_request id: `id` must be a text of at most 64 bytes or a whole number of 64 bits with sign";
    let too_long = format!("\"{}\"", "é".repeat(33));
    for id in ["1.5", "9223372036854775808", "[]", "{}", "true", &too_long] {
        assert_eq!(refused(&format!("{{\"id\":{id},\"type\":\"ping\"}}")), rule);
    }
}

#[test]
fn what_a_later_version_adds_is_ignored_and_null_is_absent() {
    let json = format!(
        r#"{{"type":"message.post","room":"{ROOM}","nonce":"{ROOM}","body":"x","reply_to":null,"mood":{{"good":true}}}}"#
    );
    let request = Request::parse(json.as_bytes());
    assert!(request.is_ok_and(|request| request.id.is_none() && !request.to_json().contains("reply_to")));
}

#[test]
fn of_duplicate_keys_the_last_wins() {
    for json in [
        r#"{"type":"?","id":1,"type":"ping","id":2}"#,
        r#"{"type":"?","id":1,"ty\u0070e":"ping","i\u0064":2}"#,
        r#"{"id":"a","id":2,"type":[],"type":"ping","more":3}"#,
    ] {
        let request = Request::parse(json.as_bytes());
        assert_eq!(request.map(|request| request.id), Ok(Some(CommandId::Number(2))), "{json}");
    }
    let request = Request::parse(br#"{"type":"ping","id":1,"id":null}"#);
    assert_eq!(request.map(|request| request.id), Ok(None), "absent is what was said last");
}

#[test]
fn what_is_below_the_fields_is_no_command() {
    for json in [
        r#"{"a":{"type":"ping"}}"#,
        r#"[{"type":"ping"}]"#,
        r#"{"$serde_json::private::RawValue":"{\"type\":\"ping\"}"}"#,
    ] {
        assert!(Request::parse(json.as_bytes()).is_err(), "{json}");
    }
}

#[test]
fn a_whole_number_is_written_as_one() {
    for (id, expected) in [("7", true), ("-7", true), ("-0", false), ("1e3", false), ("7.0", false)] {
        let request = Request::parse(format!(r#"{{"type":"ping","id":{id}}}"#).as_bytes());
        assert_eq!(request.is_ok(), expected, "{id}");
    }
    let request = Request::parse(format!(r#"{{"type":"ping","id":{}}}"#, u64::MAX).as_bytes());
    assert_eq!(request.map_err(|error| error.code), Err(ErrorCode::BadRequest));
}
