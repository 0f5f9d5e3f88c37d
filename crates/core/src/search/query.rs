//! What somebody types into a search field, understood.
//!
//! ```text
//! words that must all be there  "a phrase"  from:@handle  in:#room  in:"a room"  after:2026-01-31  before:2026-02-28
//! ```
//!
//! Anything else is text that is looked for: there is no other syntax, and no query is wrong except one
//! whose filter has no possible value, or that asks for nothing.

use super::{date, words};
use crate::wire::Timestamp;
use crate::{Handle, RoomName, limits};

/// What is looked for. Not empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// All of them must be there.
    pub phrases: Vec<Phrase>,
    /// Written by this person.
    pub from: Option<Handle>,
    /// In a room of this name.
    pub room: Option<RoomName>,
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
}

/// Words that stand one after the other; one word alone is a phrase of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrase {
    /// At least one.
    pub words: Vec<String>,
    /// The last one may go on.
    pub is_beginning: bool,
}

/// Why a query cannot be answered; the sentence says what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadQuery {
    /// Nothing to look for.
    #[error("write a word to look for, or `from:@handle`, or `in:#room`")]
    Empty,
    /// Over a limit.
    #[error("is too long: {actual} {unit}, the limit is {limit}")]
    TooLong {
        /// What was sent.
        actual: usize,
        /// What is allowed.
        limit: usize,
        /// `bytes` or `words`.
        unit: &'static str,
    },
    /// A filter that cannot be.
    #[error("`{filter}:` {reason}")]
    Filter {
        /// Which.
        filter: &'static str,
        /// Why, and what would be right.
        reason: String,
    },
}

impl Query {
    /// Understands what was typed.
    pub fn parse(text: &str) -> Result<Self, BadQuery> {
        if text.len() > limits::SEARCH_QUERY_BYTES {
            let (actual, limit) = (text.len(), limits::SEARCH_QUERY_BYTES);
            return Err(BadQuery::TooLong { actual, limit, unit: "bytes" });
        }
        let mut query = Self::default();
        let mut last_may_go_on = false;
        for piece in pieces(text) {
            if let Some((filter, value)) = piece.filter() {
                query.narrow(filter, value)?;
                continue;
            }
            let words = words(piece.text);
            if !words.is_empty() {
                last_may_go_on = !piece.is_quoted;
                query.phrases.push(Phrase { words, is_beginning: false });
            }
        }
        if let Some(last) = query.phrases.last_mut() {
            last.is_beginning = last_may_go_on && may_go_on(&last.words);
        }
        query.checked()
    }

    fn narrow(&mut self, filter: &'static str, value: &str) -> Result<(), BadQuery> {
        let bad = |reason: String| BadQuery::Filter { filter, reason };
        let day = || date::beginning(value).ok_or_else(|| bad("needs a day as YYYY-MM-DD".to_owned()));
        let was_there = match filter {
            "from" => {
                let handle = value.strip_prefix('@').unwrap_or(value);
                let handle =
                    Handle::new(handle).map_err(|error| bad(format!("needs a handle, which {error}")))?;
                self.from.replace(handle).is_some()
            }
            "in" => {
                let name = RoomName::new(value)
                    .map_err(|error| bad(format!("needs a room's name, which {error}")))?;
                self.room.replace(name).is_some()
            }
            "after" => self.since.replace(date::next(day()?)).is_some(),
            _ => self.until.replace(day()?).is_some(),
        };
        if was_there { Err(bad("is given twice".to_owned())) } else { Ok(()) }
    }

    fn checked(self) -> Result<Self, BadQuery> {
        let words = self.phrases.iter().map(|phrase| phrase.words.len()).sum();
        if words > limits::SEARCH_WORDS {
            return Err(BadQuery::TooLong { actual: words, limit: limits::SEARCH_WORDS, unit: "words" });
        }
        if words == 0 && self.from.is_none() && self.room.is_none() {
            return Err(BadQuery::Empty);
        }
        Ok(self)
    }
}

/// One letter is the beginning of too much. Where characters are words, a text is a phrase anyway.
fn may_go_on(words: &[String]) -> bool {
    words.last().is_some_and(|word| word.chars().count() >= limits::SEARCH_PREFIX_CHARS)
}

/// What stands between white space, or between quotation marks.
struct Piece<'t> {
    text: &'t str,
    /// What stood before a quotation mark: `in:"`.
    filter: Option<&'t str>,
    is_quoted: bool,
}

const FILTERS: [&str; 4] = ["from", "in", "after", "before"];

impl<'t> Piece<'t> {
    fn filter(&self) -> Option<(&'static str, &'t str)> {
        let (name, value) = match self.filter {
            Some(name) => (name, self.text),
            None if self.is_quoted => return None,
            None => self.text.split_once(':')?,
        };
        FILTERS.into_iter().find(|known| known.eq_ignore_ascii_case(name)).map(|known| (known, value))
    }
}

/// A quotation mark that is not closed reaches to the end.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c.is_whitespace() || is_mark(c)).unwrap_or(rest.len());
        let (before, after) = rest.split_at(end);
        let Some(mark) = after.chars().next().filter(|c| is_mark(*c)) else {
            found.push(Piece { text: before, filter: None, is_quoted: false });
            rest = after.trim_start();
            continue;
        };
        let filter = before
            .strip_suffix(':')
            .filter(|name| FILTERS.iter().any(|known| known.eq_ignore_ascii_case(name)));
        if filter.is_none() && !before.is_empty() {
            found.push(Piece { text: before, filter: None, is_quoted: false });
        }
        let inside = &after[mark.len_utf8()..];
        let close = inside.find(is_mark).unwrap_or(inside.len());
        found.push(Piece { text: &inside[..close], filter, is_quoted: true });
        let closing = inside[close..].chars().next().map_or(0, char::len_utf8);
        rest = inside[close + closing..].trim_start();
    }
    found
}

/// Straight, or as a telephone types it.
const fn is_mark(c: char) -> bool {
    matches!(c, '"' | '\u{201c}' | '\u{201d}' | '\u{201e}')
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use super::*;

    /// Phrases in brackets, `*` where the last word may go on.
    fn shown(text: &str) -> String {
        let query = Query::parse(text).unwrap();
        let phrase = |phrase: &Phrase| {
            format!("[{}{}]", phrase.words.join(" "), if phrase.is_beginning { "*" } else { "" })
        };
        query.phrases.iter().map(phrase).collect()
    }

    #[test]
    fn all_words_must_be_there_and_the_last_may_go_on() {
        assert_eq!(shown("big deploy"), "[big][deploy*]");
        assert_eq!(shown("Café don't"), "[cafe][don t]");
        assert_eq!(shown("x"), "[x]");
        assert_eq!(shown("deploy !!! in:#general"), "[deploy*]");
        assert_eq!(shown("日本"), "[日 本]");
    }

    #[test]
    fn between_quotation_marks_is_a_phrase() {
        assert_eq!(shown("\"going live\" today"), "[going live][today*]");
        assert_eq!(shown("today \"going live\""), "[today][going live]");
        assert_eq!(shown("\u{201c}going live\u{201d}"), "[going live]");
        assert_eq!(shown("to\"going li"), "[to][going li]");
        assert_eq!(shown("\"from:@ada\" \"\""), "[from ada]");
    }

    #[test]
    fn filters_narrow() {
        let query =
            Query::parse("plan From:@Ada in:\"Big Room\" after:2026-01-01 before:2026-02-01").unwrap();
        assert_eq!(query.from.unwrap().as_str(), "ada");
        assert_eq!(query.room.unwrap().as_str(), "Big Room");
        assert_eq!(
            (query.since, query.until),
            (date::beginning("2026-01-02"), date::beginning("2026-02-01"))
        );
        assert_eq!(Query::parse("in:#general").unwrap().room.unwrap().as_str(), "general");
        assert!(Query::parse("from:ada").unwrap().phrases.is_empty());
    }

    #[test]
    fn what_is_no_filter_is_text() {
        assert_eq!(shown("https://example.com/a?b=c"), "[https example com a b c]");
        assert_eq!(shown("a::b to:me"), "[a b][to me*]");
        assert_eq!(shown("NOT a* OR (b) NEAR/3 -c ^d words:e"), "[not][a][or][b][near 3][c][d][words e]");
        assert_eq!(shown("'; DROP TABLE messages; --"), "[drop][table][messages*]");
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_would_be_right() {
        let said = |text: &str| Query::parse(text).unwrap_err().to_string();
        assert!(said("").contains("write a word"));
        assert!(said("  !? \"\" ").contains("write a word"));
        assert!(said("before:2026-01-01").contains("write a word"));
        assert!(said("x before:yesterday").contains("YYYY-MM-DD"));
        assert!(said("from:").contains("`from:` needs a handle"));
        assert!(said("from:@ada from:@bob").contains("twice"));
        assert!(said("in:#").contains("`in:` needs a room's name"));
        assert!(said(&"x".repeat(limits::SEARCH_QUERY_BYTES + 1)).contains("bytes"));
        assert!(said(&"x ".repeat(limits::SEARCH_WORDS + 1)).contains("33 words, the limit is 32"));
    }
}
