//! A published list of vectors for cross-site scripting, as messages and as HTML.
//!
//! `vectors/brs-kb.jsonl` is every distinct payload of BRS-KB 4.0.2 (MIT, see `vectors/LICENSE`), a
//! JSON string a line: it gathers `SecLists`, OWASP's filter evasion list, the collections of several
//! researchers, and payloads of advisories against sanitizers, Markdown renderers and chat clients.

use super::super::sanitize::clean;
use super::harmless::assert_harmless;
use super::to_html;

const VECTORS: &str = include_str!("vectors/brs-kb.jsonl");
/// A list that is read wrongly must not pass as an empty one.
const VECTORS_MIN: usize = 4_400;

fn vectors() -> Vec<String> {
    let vectors: Vec<String> = VECTORS
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect();
    assert!(vectors.len() >= VECTORS_MIN, "{} vectors", vectors.len());
    vectors
}

fn assert_shown_safely(body: &str) {
    let html = to_html(body);
    assert_harmless(&html, body);
    assert_eq!(clean(&html), html, "{body:?} changes when it is read again");
}

#[test]
fn no_vector_gets_through_as_a_message() {
    for vector in vectors() {
        assert_shown_safely(&vector);
    }
}

/// A vector may need to stand where the renderer itself writes an attribute.
#[test]
fn no_vector_gets_through_as_a_link_or_the_language_of_a_code_block() {
    for vector in vectors() {
        let line = vector.replace(['\n', '\r'], " ");
        assert_shown_safely(&format!(
            "[{line}](<{line}> \"{line}\") ![{line}]({line})\n\n[{line}]: {line}\n"
        ));
        assert_shown_safely(&format!("https://a.b/{line}\n\n```{line}\nx\n```\n"));
    }
}

/// As if the renderer had passed everything through.
#[test]
fn the_sanitizer_alone_stops_every_vector() {
    for vector in vectors() {
        let html = clean(&vector);
        assert_harmless(&html, &vector);
        assert_eq!(clean(&html), html, "{vector:?} changes when it is read again");
    }
}
