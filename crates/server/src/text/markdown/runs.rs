//! Text between tags: mentions and bare addresses in it.
//!
//! The parser cuts text at every character that might mean something, and sees emphasis where an
//! address has underscores. So text is put together again first, and an address may take in what
//! lies wholly inside it.

use std::ops::Range;

use pulldown_cmark::{Event, LinkType, Tag, TagEnd};
use switchback_core::Handle;
use switchback_core::limits::MENTIONS_PER_MESSAGE;

use super::super::scan::{self, Found};
use super::{Compiler, link};

/// Text between tags, as one piece.
struct TextRun {
    text: String,
    /// Where in the source it stands.
    source: Range<usize>,
    /// Positions in `text` whose character was escaped with a backslash.
    escaped: Vec<usize>,
}

impl Compiler<'_, '_> {
    /// Takes the text that comes next and writes it.
    pub(super) fn text(&mut self) {
        let run = self.take_run();
        self.text_run(&run);
    }

    fn take_run(&mut self) -> TextRun {
        let start = self.parts.get(self.at).map_or(0, |(_, range)| range.start);
        let mut run = TextRun { text: String::new(), source: start..start, escaped: Vec::new() };
        while let Some((event, range)) = self.parts.get(self.at) {
            let (Event::Text(text) | Event::Html(text) | Event::InlineHtml(text)) = event else { break };
            if self.source.get(..range.start).is_some_and(|before| before.ends_with('\\')) {
                run.escaped.push(run.text.len());
            }
            run.text.push_str(text);
            run.source.end = range.end;
            self.at += 1;
        }
        run
    }

    /// Writes text with its mentions and bare addresses.
    fn text_run(&mut self, run: &TextRun) {
        let text = run.text.trim_end_matches('\n');
        let (mut written, mut from) = (0, 0);
        while self.links == 0
            && let Some((range, found)) = scan::next(text, from)
        {
            if run.escaped.binary_search(&range.start).is_ok() {
                from = range.start + 1;
                continue;
            }
            self.lines(&text[written..range.start]);
            from = range.end;
            written = range.end;
            if found == Found::Address && self.long_address(run, range.start) {
                return;
            }
            self.found(&text[range], found);
        }
        self.lines(&text[written..]);
    }

    fn found(&mut self, text: &str, found: Found) {
        match found {
            Found::Address => self.address(text),
            Found::Room => {
                self.mentions.room = true;
                self.mark("<span class=\"mention mention-room\">".to_owned(), text);
            }
            Found::Mention(handle) => {
                let known = self.known.get(&handle).copied();
                self.mention(handle);
                match known {
                    Some(user) => self.mark(format!("<span class=\"mention\" data-user=\"{user}\">"), text),
                    None => self.lines(text),
                }
            }
        }
    }

    fn mention(&mut self, handle: Handle) {
        let handles = &mut self.mentions.handles;
        if handles.len() < MENTIONS_PER_MESSAGE && !handles.contains(&handle) {
            handles.push(handle);
        }
    }

    fn mark(&mut self, open: String, text: &str) {
        self.html(open);
        self.events.push(Event::Text(text.to_owned().into()));
        self.html("</span>");
    }

    fn address(&mut self, address: &str) {
        self.events.push(link(LinkType::Autolink, address.to_owned().into()));
        self.events.push(Event::Text(address.to_owned().into()));
        self.events.push(Event::End(TagEnd::Link));
    }

    /// An address goes on where the parser saw emphasis (`.../pkg/__init__.py`): it takes what lies
    /// wholly inside it. `false`: it ends within this run.
    fn long_address(&mut self, run: &TextRun, offset: usize) -> bool {
        // Only where text and source are the same is a place in one a place in the other.
        if self.source.get(run.source.clone()) != Some(run.text.as_str()) {
            return false;
        }
        let start = run.source.start + offset;
        let Some(end) = scan::address_end(self.source, start) else { return false };
        let Some(next) = self.after_address(start..end).filter(|_| end > run.source.end) else {
            return false;
        };
        self.at = next;
        if let Some((event, range)) = self.parts.get_mut(next)
            && range.start < end
        {
            *event = Event::Text(self.source[end..range.end].into());
            range.start = end;
        }
        self.address(&self.source[start..end]);
        true
    }

    /// The first part that is not swallowed by the address; `None`: one of them reaches over its
    /// edge.
    fn after_address(&self, address: Range<usize>) -> Option<usize> {
        let mut at = self.at;
        while let Some((event, range)) = self.parts.get(at).filter(|(_, range)| range.start < address.end) {
            let verbatim = match event {
                Event::Text(text) => self.source.get(range.clone()) == Some(&**text),
                Event::Start(Tag::Emphasis | Tag::Strong | Tag::Strikethrough)
                | Event::End(TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough) => true,
                _ => false,
            };
            if !verbatim || range.start < address.start {
                return None;
            }
            if range.end > address.end {
                return matches!(event, Event::Text(_)).then_some(at);
            }
            at += 1;
        }
        Some(at)
    }

    /// Writes plain text; its line ends are line ends.
    fn lines(&mut self, text: &str) {
        for (index, line) in text.split('\n').enumerate() {
            if index > 0 {
                self.events.push(Event::HardBreak);
            }
            if !line.is_empty() {
                self.events.push(Event::Text(line.to_owned().into()));
            }
        }
    }
}
