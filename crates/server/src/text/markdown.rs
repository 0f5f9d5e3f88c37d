//! Markdown as a chat needs it, between pulldown-cmark's parser and its HTML writer.
//!
//! What differs from a document: a line end is a line end; HTML is shown, not obeyed; bare addresses
//! are links; a picture is a link to it (nothing is loaded from elsewhere); headings do not enter
//! the page's outline; mentions are marked. Depth and number of parts are bounded here, size by the
//! writer, so that the sanitizer behind it never sees a tree that it would choke on.

mod runs;

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::time::Instant;

use pulldown_cmark::{
    Alignment, CodeBlockKind, CowStr, Event, LinkType, Options, Parser, Tag, TagEnd, html::write_html_fmt,
};
use switchback_core::{Handle, UserId};

use super::Mentions;
use super::code::{self, Colours};
use super::sanitize::LINK_SCHEMES;
use crate::limits;

/// A text cut into what is shown.
pub(super) struct Compiled<'b> {
    events: Vec<Event<'b>>,
    /// Whom it calls.
    pub(super) mentions: Mentions,
}

impl Compiled<'_> {
    /// `None`: larger than a message's HTML may be.
    pub(super) fn into_html(self) -> Option<String> {
        let mut html = Bounded(String::new());
        write_html_fmt(&mut html, self.events.into_iter()).ok()?;
        Some(html.0)
    }
}

/// Parses a text. `None`: it falls into more parts than a message may have.
pub(super) fn compile<'b>(
    body: &'b str,
    known: &HashMap<Handle, UserId>,
    colours: Colours,
) -> Option<Compiled<'b>> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let parts: Vec<_> =
        Parser::new_ext(body, options).into_offset_iter().take(limits::MARKDOWN_PARTS + 1).collect();
    if parts.len() > limits::MARKDOWN_PARTS {
        return None;
    }
    let mut compiler = Compiler {
        source: body,
        parts,
        at: 0,
        known,
        colours,
        until: Instant::now() + limits::HIGHLIGHT_TIME,
        open: Vec::new(),
        links: 0,
        table: TablePlace::default(),
        events: Vec::new(),
        mentions: Mentions::default(),
    };
    compiler.run();
    Some(Compiled { events: compiler.events, mentions: compiler.mentions })
}

/// A string that refuses to grow over the limit.
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > limits::MESSAGE_HTML_BYTES {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

/// What the end of an open tag writes.
enum Close {
    Nothing,
    /// The end of a block that was flattened: its text must not run into the next.
    Break,
    Tag(TagEnd),
    Html(&'static str),
    /// A link; with nothing inside, its address is shown.
    Link {
        address: String,
        shown: bool,
        first_inside: usize,
    },
}

/// Where in a table we are.
#[derive(Default)]
struct TablePlace {
    alignments: Vec<Alignment>,
    in_head: bool,
    column: usize,
}

struct Compiler<'b, 'k> {
    source: &'b str,
    parts: Vec<(Event<'b>, Range<usize>)>,
    at: usize,
    known: &'k HashMap<Handle, UserId>,
    colours: Colours,
    until: Instant,
    open: Vec<Close>,
    /// Links that are open: there is none inside another.
    links: usize,
    table: TablePlace,
    events: Vec<Event<'b>>,
    mentions: Mentions,
}

impl<'b> Compiler<'b, '_> {
    fn run(&mut self) {
        while let Some(event) = self.take() {
            match event {
                Event::Start(Tag::CodeBlock(kind)) => self.code_block(&kind),
                Event::Start(tag) => self.start(tag),
                Event::End(_) => self.end(),
                Event::Text(_) | Event::Html(_) | Event::InlineHtml(_) => self.text(),
                Event::SoftBreak => self.events.push(Event::HardBreak),
                Event::TaskListMarker(done) => self.html(task_marker(done)),
                other => self.events.push(other),
            }
        }
    }

    fn take(&mut self) -> Option<Event<'b>> {
        let (event, _) = self.parts.get_mut(self.at)?;
        // Text stays: the run that it begins is gathered from the parts.
        if is_text(event) {
            return Some(event.clone());
        }
        self.at += 1;
        Some(std::mem::replace(event, Event::SoftBreak))
    }

    fn html(&mut self, html: impl Into<CowStr<'b>>) {
        self.events.push(Event::InlineHtml(html.into()));
    }

    fn start(&mut self, tag: Tag<'b>) {
        let close =
            if self.open.len() >= limits::MARKDOWN_DEPTH { flattened(&tag) } else { self.open_tag(tag) };
        self.open.push(close);
    }

    /// Writes a tag's beginning; returns how it ends.
    fn open_tag(&mut self, tag: Tag<'b>) -> Close {
        match tag {
            Tag::Link { link_type, dest_url, .. } => self.open_link(link_type, dest_url),
            Tag::Image { dest_url, .. } => self.open_link(LinkType::Inline, dest_url),
            Tag::Heading { .. } => {
                self.html("<p class=\"heading\">");
                Close::Html("</p>\n")
            }
            Tag::HtmlBlock => {
                self.events.push(Event::Start(Tag::Paragraph));
                Close::Tag(TagEnd::Paragraph)
            }
            Tag::TableCell => self.open_cell(),
            Tag::Table(alignments) => {
                self.table = TablePlace { alignments, in_head: false, column: 0 };
                // The writer knows alignment only as inline style, which no page of ours allows.
                self.events.push(Event::Start(Tag::Table(Vec::new())));
                Close::Tag(TagEnd::Table)
            }
            tag => {
                self.table.in_head = matches!(tag, Tag::TableHead);
                self.table.column = 0;
                let end = tag.to_end();
                self.events.push(Event::Start(tag));
                Close::Tag(end)
            }
        }
    }

    fn open_cell(&mut self) -> Close {
        let alignment = self.table.alignments.get(self.table.column).copied();
        self.table.column += 1;
        let class = match alignment.unwrap_or(Alignment::None) {
            Alignment::None => "",
            Alignment::Left => " class=\"align-left\"",
            Alignment::Center => " class=\"align-center\"",
            Alignment::Right => " class=\"align-right\"",
        };
        let (tag, close) = if self.table.in_head { ("th", "</th>") } else { ("td", "</td>") };
        self.html(format!("<{tag}{class}>"));
        Close::Html(close)
    }

    fn open_link(&mut self, link_type: LinkType, address: CowStr<'b>) -> Close {
        let allowed = link_type == LinkType::Email || has_allowed_scheme(&address);
        let shown = allowed && self.links == 0;
        let text = address.to_string();
        if shown {
            self.links += 1;
            self.events.push(link(link_type, address));
        }
        Close::Link { address: text, shown, first_inside: self.events.len() }
    }

    fn end(&mut self) {
        match self.open.pop() {
            None | Some(Close::Nothing) => {}
            Some(Close::Break) => self.events.push(Event::HardBreak),
            Some(Close::Tag(end)) => self.events.push(Event::End(end)),
            Some(Close::Html(html)) => self.html(html),
            Some(Close::Link { address, shown, first_inside }) => {
                if self.events.len() == first_inside {
                    self.events.push(Event::Text(address.into()));
                }
                if shown {
                    self.links -= 1;
                    self.events.push(Event::End(TagEnd::Link));
                }
            }
        }
    }

    /// A whole code block: its text is one piece for the highlighter.
    fn code_block(&mut self, kind: &CodeBlockKind<'b>) {
        let mut code = String::new();
        while let Some((event, _)) = self.parts.get(self.at) {
            self.at += 1;
            match event {
                Event::End(TagEnd::CodeBlock) => break,
                Event::Text(text) => code.push_str(text),
                _ => {}
            }
        }
        let language = match kind {
            CodeBlockKind::Fenced(info) => language(info).to_owned(),
            CodeBlockKind::Indented => String::new(),
        };
        let kind = if language.is_empty() {
            CodeBlockKind::Indented
        } else {
            CodeBlockKind::Fenced(language.clone().into())
        };
        self.events.push(Event::Start(Tag::CodeBlock(kind)));
        self.code(&code, &language);
        self.events.push(Event::End(TagEnd::CodeBlock));
    }

    fn code(&mut self, code: &str, language: &str) {
        let tokens = match self.colours {
            Colours::On => code::highlight(code, language, self.until),
            Colours::Off => None,
        };
        let Some(tokens) = tokens else {
            self.events.push(Event::Text(code.to_owned().into()));
            return;
        };
        for token in tokens {
            let text = Event::Text(code[token.range].to_owned().into());
            if token.classes.is_empty() {
                self.events.push(text);
            } else {
                self.html(format!("<span class=\"{}\">", token.classes));
                self.events.push(text);
                self.html("</span>");
            }
        }
    }
}

fn is_text(event: &Event<'_>) -> bool {
    matches!(event, Event::Text(_) | Event::Html(_) | Event::InlineHtml(_))
}

/// How a tag ends that is too deep to be shown.
fn flattened(tag: &Tag<'_>) -> Close {
    match tag {
        Tag::Paragraph | Tag::Heading { .. } | Tag::HtmlBlock | Tag::Item | Tag::TableRow => Close::Break,
        _ => Close::Nothing,
    }
}

fn link(link_type: LinkType, address: CowStr<'_>) -> Event<'_> {
    Event::Start(Tag::Link { link_type, dest_url: address, title: "".into(), id: "".into() })
}

/// Exactly `scheme:` at the very beginning: what needs cleaning up first is no link.
fn has_allowed_scheme(address: &str) -> bool {
    let Some((scheme, rest)) = address.split_once(':') else { return false };
    LINK_SCHEMES.iter().any(|allowed| allowed.eq_ignore_ascii_case(scheme))
        && (scheme.eq_ignore_ascii_case("mailto") || rest.starts_with("//"))
}

/// The language behind a fence: its first word, as far as it looks like one.
fn language(info: &str) -> &str {
    let word =
        info.split(|c: char| c.is_whitespace() || matches!(c, ',' | '{' | ':')).next().unwrap_or_default();
    let plain =
        word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+' | b'#'));
    if plain { word } else { "" }
}

fn task_marker(done: bool) -> &'static str {
    if done { "<span class=\"task\">\u{2611}</span> " } else { "<span class=\"task\">\u{2610}</span> " }
}
