//! Header fields that are lists (RFC 9110 5.6.1): several lines and several elements in a line
//! mean the same.
//!
//! Elements that are not text or not of the expected form are skipped: one odd element of a list
//! must not spoil the others.

use http::HeaderMap;
use http::header::{HeaderName, UPGRADE};

/// The elements of a list field over all its lines, in order, without white space and empty ones.
pub(super) fn elements<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .iter()
        .flat_map(|line| split(line.as_bytes()))
        .filter_map(|element| std::str::from_utf8(element).ok())
        .map(trim)
        .filter(|element| !element.is_empty())
}

/// Whether a list has an element, without regard to case.
pub(super) fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    elements(headers, name).any(|element| element.eq_ignore_ascii_case(token))
}

/// The names of the protocols that `Upgrade` offers, in the client's order of preference.
///
/// `websocket/13` offers `websocket`: which version is meant is for the protocol's own field to
/// say (`Sec-WebSocket-Version`).
pub(super) fn protocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    elements(headers, &UPGRADE).filter_map(|element| {
        let (name, version) = match element.split_once('/') {
            Some((name, version)) => (name, Some(version)),
            None => (element, None),
        };
        (is_token(name) && version.is_none_or(is_token)).then_some(name)
    })
}

/// Cuts optional white space (RFC 9110 5.6.3), which is less than Unicode's.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// A token (RFC 9110 5.6.2).
pub(super) fn is_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

/// Splits at commas that are not inside a quoted string (RFC 9110 5.6.4).
fn split(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    line.split(move |&byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return true,
            _ => {}
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn lines(lines: &[&'static str]) -> HeaderMap {
        lines.iter().map(|line| (UPGRADE, HeaderValue::from_static(line))).collect()
    }

    #[test]
    fn elements_come_in_order_over_all_lines_without_the_empty_ones() {
        let headers = lines(&["a,, b ,", "", " \t ,c"]);
        assert_eq!(elements(&headers, &UPGRADE).collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn a_comma_inside_quotes_does_not_split() {
        let headers = lines(&[r#"a;x="1,\",2", b"#]);
        assert_eq!(elements(&headers, &UPGRADE).collect::<Vec<_>>(), [r#"a;x="1,\",2""#, "b"]);
    }

    #[test]
    fn protocols_lose_their_version_and_malformed_ones_are_skipped() {
        let headers = lines(&["h2c, websocket/13, a/b/c, /x, y/, \"q\", z z, TLS/1.0"]);
        assert_eq!(protocols(&headers).collect::<Vec<_>>(), ["h2c", "websocket", "TLS"]);
    }
}
