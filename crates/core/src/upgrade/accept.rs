//! `Accept` (RFC 9110 12.5.1), as far as `/chat` needs it: an event stream, or the page for
//! somebody who opened the address in a browser?
//!
//! Parameters other than `q` are ignored: `text/event-stream;charset=utf-8` means what it says.
//! A weight that is not one makes its range count for nothing.

use http::HeaderMap;
use http::header::ACCEPT;

use super::list;

/// What is liked best.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Preferred {
    EventStream,
    Page,
    Nothing,
}

/// How much a media type is wanted, in thousandths, and by how exact a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    quality: u16,
    by: Exactness,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Exactness {
    /// `*/*`
    Anything,
    /// `text/*`
    Family,
    /// The type itself.
    Named,
}

/// The full weight, in thousandths.
const QUALITY_MAX: u16 = 1_000;

/// What the client would rather have. No `Accept` at all, or an empty one, accepts everything.
pub(super) fn preferred(headers: &HeaderMap) -> Preferred {
    if list::elements(headers, &ACCEPT).next().is_none() {
        return Preferred::EventStream;
    }
    let stream = wanted(headers, "event-stream");
    let page = wanted(headers, "html");
    // What a browser's address bar sends names HTML and takes the rest by `*/*`: it wants a page,
    // at equal weight too.
    let named = page.by == Exactness::Named && stream.by < Exactness::Named;
    if page.quality > stream.quality || (named && page.quality == stream.quality && page.quality > 0) {
        Preferred::Page
    } else if stream.quality > 0 {
        Preferred::EventStream
    } else {
        Preferred::Nothing
    }
}

/// How much `text/<subtype>` is wanted: the most exact range decides, the best weight among equals.
fn wanted(headers: &HeaderMap, subtype: &str) -> Wanted {
    list::elements(headers, &ACCEPT)
        .filter_map(|range| weigh(range, subtype))
        .max_by_key(|wanted| (wanted.by, wanted.quality))
        .unwrap_or(Wanted { quality: 0, by: Exactness::Anything })
}

/// What one range says about `text/<subtype>`; `None` if nothing.
fn weigh(range: &str, subtype: &str) -> Option<Wanted> {
    let mut parts = range.split(';').map(list::trim);
    let name = parts.next()?;
    let by = match name.split_once('/') {
        // `*` alone is what some HTTP libraries send for `*/*`.
        None if name == "*" => Exactness::Anything,
        Some(("*", "*")) => Exactness::Anything,
        Some((family, "*")) if family.eq_ignore_ascii_case("text") => Exactness::Family,
        Some((family, exact))
            if family.eq_ignore_ascii_case("text") && exact.eq_ignore_ascii_case(subtype) =>
        {
            Exactness::Named
        }
        _ => return None,
    };
    let weight = parts.find_map(|part| {
        let (key, value) = part.split_once('=')?;
        list::trim(key).eq_ignore_ascii_case("q").then(|| list::trim(value))
    });
    let quality = weight.map_or(Some(QUALITY_MAX), quality)?;
    Some(Wanted { quality, by })
}

/// A weight in thousandths (RFC 9110 12.4.2), read generously: `.5`, more than three decimals and
/// more than 1 have been seen in the wild and have one obvious meaning.
fn quality(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if text.is_empty() || text == "." || !digits(whole) || !digits(decimals) {
        return None;
    }
    if whole.bytes().any(|digit| digit != b'0') {
        return Some(QUALITY_MAX);
    }
    let thousandths = decimals.bytes().chain([b'0'; 3]).take(3);
    Some(thousandths.fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::quality;

    #[test]
    fn a_weight_is_read_in_thousandths() {
        let cases = [
            ("1", Some(1_000)),
            ("1.000", Some(1_000)),
            ("0", Some(0)),
            ("0.", Some(0)),
            ("0.5", Some(500)),
            ("0.05", Some(50)),
            ("0.001", Some(1)),
            (".2", Some(200)),
            ("0.12345", Some(123)),
            ("7", Some(1_000)),
            ("", None),
            (".", None),
            ("-1", None),
            ("0,5", None),
            ("high", None),
        ];
        for (text, expected) in cases {
            assert_eq!(quality(text), expected, "q={text}");
        }
    }
}
