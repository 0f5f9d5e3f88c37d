//! Every row of the table of `/chat`, as whole requests: `upgrade/*.txt` hold the heads as they
//! stand on the wire and, after `=>`, what each becomes.
//!
//! A case is a title (`# ...`), a request line, header lines and the decision. `:protocol` stands
//! among the headers of an extended CONNECT, as it does in HTTP/2.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use switchback_core::upgrade::{Decision, Reject, RequestHead, accept_key, decide};

/// Cases over all files, at least: a file that is read wrongly must not pass as an empty one.
const CASES_MIN: usize = 150;

#[test]
fn websocket_handshakes() {
    check_all(include_str!("upgrade/websocket.txt"));
}

#[test]
fn streams_batches_and_pages() {
    check_all(include_str!("upgrade/stream.txt"));
}

#[test]
fn connect_commands_and_other_methods() {
    check_all(include_str!("upgrade/other.txt"));
}

#[test]
fn no_case_is_lost() {
    let files = ["websocket", "stream", "other"]
        .map(|name| format!("{}/tests/upgrade/{name}.txt", env!("CARGO_MANIFEST_DIR")))
        .map(|path| std::fs::read_to_string(path).unwrap());
    let heads: usize = files.iter().map(|file| cases(file).count()).sum();
    let decisions: usize = files.iter().map(|file| file.matches("\n=> ").count()).sum();
    assert_eq!(heads, decisions, "a case has one head and one decision");
    assert!(heads >= CASES_MIN, "{heads} cases");
}

#[test]
fn the_key_of_the_rfc_gets_the_answer_of_the_rfc() {
    assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#[test]
fn bytes_that_are_not_text_are_wrong_and_nothing_worse() {
    let mut head = parse("GET /chat HTTP/1.1\nUpgrade: websocket\nConnection: upgrade");
    let latin = HeaderValue::from_bytes(b"\xe9\xff").unwrap();
    head.headers.insert("sec-websocket-version", latin.clone());
    assert_eq!(head.decide(), Decision::Reject(Reject::WebSocketVersion));
    head.headers.insert("sec-websocket-version", HeaderValue::from_static("13"));
    head.headers.insert("sec-websocket-key", latin.clone());
    assert_eq!(head.decide(), Decision::Reject(Reject::BadWebSocketKey));
    head.headers.insert("sec-websocket-key", HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ=="));
    head.headers.insert("content-length", latin.clone());
    assert_eq!(head.decide(), Decision::Reject(Reject::UpgradeWithBody));
    head.headers.insert("connection", latin.clone());
    head.headers.insert("accept", latin);
    assert_eq!(head.decide(), Decision::EventStream, "an Accept without a readable element accepts all");
}

#[test]
fn each_rejection_has_the_headers_of_the_table() {
    let upgrade = [("upgrade", "websocket"), ("connection", "upgrade"), ("sec-websocket-version", "13")];
    let expected: [(Reject, &[(&str, &str)]); 8] = [
        (Reject::Method, &[("allow", "GET, POST")]),
        (Reject::WebSocketVersion, &upgrade),
        (Reject::NotAcceptable, &upgrade),
        (Reject::BadWebSocketVersion, &upgrade[2..]),
        (Reject::BadWebSocketKey, &[]),
        (Reject::UpgradeWithBody, &[]),
        (Reject::BadQuery("`mode` ..."), &[]),
        (Reject::ConnectProtocol, &[]),
    ];
    for (reject, headers) in expected {
        assert_eq!(reject.headers(), headers, "{reject:?}");
        let problem = reject.problem();
        assert_eq!((problem.status, problem.retry), (reject.status(), false), "{reject:?}");
        assert!(!problem.detail.is_empty() && !problem.title.is_empty(), "{reject:?}");
    }
}

#[test]
fn who_asked_for_nothing_is_told_both_ways_in() {
    let detail = Reject::NotAcceptable.detail();
    for way in ["Upgrade: websocket", "Accept: text/event-stream", "mode=batch"] {
        assert!(detail.contains(way), "{detail}");
    }
}

fn check_all(file: &str) {
    for case in cases(file) {
        check(case);
    }
}

/// One case: what its head becomes is what stands after `=>`.
fn check(case: &str) {
    let (head, expected) = case.split_once("\n=> ").unwrap_or_else(|| panic!("no `=>` in:\n{case}"));
    let (title, head) = head.split_once('\n').unwrap();
    let decision = parse(head).decide();
    assert_eq!(shown(&decision), expected.trim_end(), "{title}\n\n{head}\n");
}

fn cases(file: &str) -> impl Iterator<Item = &str> {
    file.split("# ").skip(1)
}

/// The decision as the files write it.
fn shown(decision: &Decision) -> String {
    match decision {
        Decision::WebSocket { accept, subprotocol } => {
            let status = accept.as_ref().map_or("200 websocket".into(), |accept| format!("101 {accept}"));
            status + if *subprotocol { " switchback.v1" } else { "" }
        }
        Decision::EventStream => "200 event-stream".into(),
        Decision::Batch { wait_s } => format!("200 batch wait={wait_s}"),
        Decision::Command => "200 command".into(),
        Decision::Page => "303 page".into(),
        Decision::Reject(Reject::BadQuery(sentence)) => {
            let parameter = sentence.split('`').nth(1).unwrap();
            format!("400 BadQuery {parameter}")
        }
        Decision::Reject(reject) => format!("{} {reject:?}", reject.status()),
    }
}

struct Head {
    method: Method,
    version: Version,
    headers: HeaderMap,
    protocol: Option<String>,
    query: Option<String>,
}

impl Head {
    fn decide(&self) -> Decision {
        decide(&RequestHead {
            method: &self.method,
            version: self.version,
            headers: &self.headers,
            protocol: self.protocol.as_deref(),
            query: self.query.as_deref(),
        })
    }
}

/// The smallest parser of a head that is sound; white space around values is cut as on the wire
/// (RFC 9112 5).
fn parse(head: &str) -> Head {
    let mut lines = head.lines();
    let request: Vec<_> = lines.next().unwrap().split(' ').collect();
    let [method, target, version] = request[..] else { panic!("not a request line: {request:?}") };
    let mut parsed = Head {
        method: method.parse().unwrap(),
        version: match version {
            "HTTP/1.0" => Version::HTTP_10,
            "HTTP/1.1" => Version::HTTP_11,
            "HTTP/2" => Version::HTTP_2,
            "HTTP/3" => Version::HTTP_3,
            other => panic!("not a version: {other}"),
        },
        headers: HeaderMap::new(),
        protocol: None,
        query: target.split_once('?').map(|(_, query)| query.to_owned()),
    };
    for line in lines {
        if let Some(protocol) = line.strip_prefix(":protocol: ") {
            parsed.protocol = Some(protocol.to_owned());
            continue;
        }
        let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("not a header: {line}"));
        let value = HeaderValue::from_str(value.trim_matches([' ', '\t'])).unwrap();
        parsed.headers.append(name.parse::<HeaderName>().unwrap(), value);
    }
    parsed
}
