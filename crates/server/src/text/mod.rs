//! From what somebody typed to what everybody sees: Markdown to sanitized HTML, and whom it mentions.
//!
//! Rendered once, when a message is written, and stored beside its source: reading is far more
//! frequent than writing, and a client needs no Markdown of its own. The price is that a better
//! renderer does not reach old messages.
//!
//! * `markdown` turns the parser's events into those we show (links, mentions, code), `scan` finds
//!   mentions and bare addresses in plain text, `code` colours code blocks.
//! * `plain` is the short way past all of them for a text that is nothing but text.
//! * `sanitize` has the last word over the finished HTML: it knows what may be there at all, and
//!   does not trust the modules before it.
//!
//! Time and size are bounded whatever the input: what would nest too deep is flattened, what would
//! grow too large loses its colours, then its markup. No message is ever refused for its looks.

mod code;
mod markdown;
mod plain;
mod sanitize;
mod scan;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use switchback_core::{Handle, UserId};

use crate::limits;

/// Whom a text calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mentions {
    /// `@ada`, in order of appearance, each once; at most `core::limits::MENTIONS_PER_MESSAGE`. Whether
    /// somebody has that handle is not known here.
    pub(crate) handles: Vec<Handle>,
    /// `@room`: everybody in it.
    pub(crate) room: bool,
}

/// Whom `body` mentions, outside code, links and e-mail addresses.
pub(crate) fn mentions(body: &str) -> Mentions {
    if !plain::may_mention(body) {
        return Mentions::default();
    }
    let nobody = HashMap::new();
    markdown::compile(body, &nobody, code::Colours::Off).map(|compiled| compiled.mentions).unwrap_or_default()
}

/// Renders `body` as sanitized HTML of at most `limits::MESSAGE_HTML_BYTES`; mentions of the people
/// in `known` are marked. Takes at most a few milliseconds without code, `limits::HIGHLIGHT_TIME`
/// and a little with it.
pub(crate) fn to_html(body: &str, known: &HashMap<Handle, UserId>) -> String {
    plain::sentence(body)
        .or_else(|| rich(body, known, code::Colours::On))
        .or_else(|| rich(body, known, code::Colours::Off))
        .unwrap_or_else(|| sanitize::clean(&as_typed(body)))
}

/// What may be shown of `html`, wherever it comes from.
pub(crate) fn sanitized(html: &str) -> String {
    sanitize::clean(html)
}

/// Loads what every message needs. Grammars are not loaded: they take memory for as long as the server
/// runs, and the first message with code, which is rendered on a thread of its own, is not much later for it.
pub(crate) fn warm_up() {
    sanitize::clean("");
}

/// `None`: too large, or nothing to see (a message that holds link definitions alone).
fn rich(body: &str, known: &HashMap<Handle, UserId>, colours: code::Colours) -> Option<String> {
    let html = markdown::compile(body, known, colours)?.into_html()?;
    let html = sanitize::clean(html.trim_end());
    let fits = html.len() <= limits::MESSAGE_HTML_BYTES && !html.trim().is_empty();
    fits.then_some(html)
}

/// The text as it was typed. At most six times its length, so always within the limit.
fn as_typed(body: &str) -> String {
    // In HTML a carriage return ends a line too, alone as well.
    let body = body.replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<String> = body.lines().map(ammonia::clean_text).collect();
    format!("<p>{}</p>", lines.join("<br>\n"))
}
