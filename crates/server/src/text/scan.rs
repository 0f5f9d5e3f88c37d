//! Finds mentions and bare addresses in plain text.
//!
//! A mention begins where no word goes on (`bob@ada.org` is an e-mail address), and takes as much as
//! can be a handle: `@ada.` at the end of a sentence is `ada`. A bare address begins with `http://`
//! or `https://` and ends before white space or a quotation mark; punctuation that closes the
//! sentence or the bracket around it is not part of it (GitHub's rules for autolinks).

use std::ops::Range;

use switchback_core::Handle;
use switchback_core::limits::HANDLE_CHARS;

use crate::limits::ADDRESS_BYTES;

/// Something in a text that is more than text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// `@ada`
    Mention(Handle),
    /// `@room`
    Room,
    /// `https://example.org/`, as it stands.
    Address,
}

const SCHEMES: [&str; 2] = ["http://", "https://"];
/// What may not stand at the end of a bare address.
const CLOSING: [char; 14] =
    ['?', '!', '.', ',', ':', ';', '*', '_', '~', '\'', '\u{2026}', '\u{2019}', '\u{201d}', '|'];

/// The first find of `text` at or after `from`, with the bytes it takes.
pub(super) fn next(text: &str, from: usize) -> Option<(Range<usize>, Found)> {
    let bytes = text.as_bytes();
    let mut at = from;
    while let Some(offset) = bytes.get(at..)?.iter().position(|byte| matches!(byte, b'@' | b'h' | b'H')) {
        at += offset;
        let found = if bytes[at] == b'@' { mention(text, at) } else { address(text, at) };
        match found {
            Some((end, found)) => return Some((at..end, found)),
            None => at += 1,
        }
    }
    None
}

/// Where the bare address that begins at `start` ends; `None`: none begins there.
pub(super) fn address_end(text: &str, start: usize) -> Option<usize> {
    let rest = text.get(start..)?;
    let scheme = SCHEMES.iter().find(|scheme| starts_with_ignoring_case(rest, scheme))?;
    if !rest[scheme.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '[') {
        return None;
    }
    let stops = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"' | '`');
    let ends = rest.char_indices().take_while(|(at, _)| *at <= ADDRESS_BYTES).find(|(_, c)| stops(*c));
    let whole = &rest[..ends.map_or(rest.len(), |(at, _)| at)];
    (whole.len() <= ADDRESS_BYTES).then(|| start + without_closing(whole).len())
}

fn address(text: &str, start: usize) -> Option<(usize, Found)> {
    if text[..start].ends_with(char::is_alphanumeric) {
        return None;
    }
    address_end(text, start).map(|end| (end, Found::Address))
}

fn mention(text: &str, at: usize) -> Option<(usize, Found)> {
    let before = text[..at].chars().next_back();
    if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '%' | '/' | '@')) {
        return None;
    }
    let rest = &text[at + 1..];
    let part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let run = rest.bytes().take_while(|&byte| part(byte)).count();
    // `@ada@example.org` is an address elsewhere, `@adaé` another word.
    if rest[run..].starts_with(|c: char| c == '@' || c.is_alphanumeric()) {
        return None;
    }
    let name = rest[..run].trim_end_matches(['.', '_', '-']);
    let end = at + 1 + name.len();
    if name.eq_ignore_ascii_case("room") {
        return Some((end, Found::Room));
    }
    if name.len() > HANDLE_CHARS {
        return None;
    }
    Handle::new(name).ok().map(|handle| (end, Found::Mention(handle)))
}

fn starts_with_ignoring_case(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn without_closing(address: &str) -> &str {
    // Counted once and kept up to date: counting anew for each bracket would be quadratic.
    let count = |wanted: char| address.chars().filter(|&c| c == wanted).count();
    let (mut round, mut square) = ((count('('), count(')')), (count('['), count(']')));
    let mut kept = address;
    while let Some(last) = kept.chars().next_back() {
        match last {
            ')' if round.1 > round.0 => round.1 -= 1,
            ']' if square.1 > square.0 => square.1 -= 1,
            _ if CLOSING.contains(&last) => {}
            _ => break,
        }
        kept = &kept[..kept.len() - last.len_utf8()];
    }
    kept
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<&str> {
        let mut found = Vec::new();
        let mut from = 0;
        while let Some((range, _)) = next(text, from) {
            from = range.end;
            found.push(&text[range]);
        }
        found
    }

    #[test]
    fn mentions_begin_where_no_word_goes_on_and_end_with_a_letter_or_digit() {
        let check = |text: &str, expected: &[&str]| assert_eq!(all(text), expected, "{text}");
        check("@ada", &["@ada"]);
        check("hi @ada, @bob!", &["@ada", "@bob"]);
        check("ask @ada.", &["@ada"]);
        check("@ada.lovelace...", &["@ada.lovelace"]);
        check("(@ada) [@bob] \"@eve\"", &["@ada", "@bob", "@eve"]);
        check("@ADA", &["@ADA"]);
        check("Danke.@ada", &["@ada"]);
        check("@room and @Room.", &["@room", "@Room"]);
        check("@rooms", &["@rooms"]);
        check("mail bob@example.org or x+@ada", &[]);
        check("@ada@example.org", &[]);
        check("@@ada @ @. @-x @_x", &[]);
        check("@ad\u{e9}", &[]);
        check("caf\u{e9}@ada", &[]);
        check(&format!("@{}", "a".repeat(32)), &[&format!("@{}", "a".repeat(32))]);
        check(&format!("@{}", "a".repeat(33)), &[]);
        check("medium.com/@ada", &[]);
    }

    #[test]
    fn bare_addresses_end_before_what_closes_the_sentence() {
        let check = |text: &str, expected: &[&str]| assert_eq!(all(text), expected, "{text}");
        check("see https://example.org.", &["https://example.org"]);
        check("(https://example.org/a_(b))", &["https://example.org/a_(b)"]);
        check("[https://example.org/a]", &["https://example.org/a"]);
        check("HTTPS://EXAMPLE.ORG/?a=1&b=2!", &["HTTPS://EXAMPLE.ORG/?a=1&b=2"]);
        check("\"http://a.b/c\" http://[::1]:8080/x", &["http://a.b/c", "http://[::1]:8080/x"]);
        check("https://medium.com/@ada", &["https://medium.com/@ada"]);
        check(&format!("http://{}", "a".repeat(ADDRESS_BYTES)), &[]);
        check("xhttp://a.b http:// https://. http://-", &[]);
        check("javascript:alert(1) ftp://a.b", &[]);
        check("https://m\u{fc}nchen.example/\u{fc}", &["https://m\u{fc}nchen.example/\u{fc}"]);
    }

    #[test]
    fn a_long_run_of_brackets_takes_no_time() {
        let text = format!("http://a{}", ")".repeat(ADDRESS_BYTES - 8));
        assert_eq!(all(&text), ["http://a"]);
        assert_eq!(address_end("no", 0).unwrap_or(7), 7);
        assert_eq!(address_end("http://a", 0).unwrap(), 8);
    }
}
