//! An incremental parser for `text/event-stream` (WHATWG HTML 9.2.6), fed with bytes as they come.
//!
//! It scans each byte once (memchr finds the line ends), keeps only the event that is being read,
//! and refuses one that grows over its bound: a peer decides neither how much we hold nor how long
//! we search. A chunk may be cut anywhere, in the middle of CRLF, of a character, of a field's name;
//! a property test below holds it to that.
//!
//! The caller pulls: [`SseParser::next`] takes from the chunk what it needs for one event, so that
//! no queue is needed between the two.

use crate::limits;

/// One event as dispatched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SseEvent {
    /// The `event` field; empty when there was none (a browser then says `message`).
    pub event: String,
    /// The `data` lines, joined with `\n`.
    pub data: String,
    /// The last `id` seen on the stream, this event's or an earlier one's.
    pub last_event_id: String,
}

/// An event or a line grew over its bound; the stream cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is longer than {limit} bytes")]
pub struct TooLong {
    /// The bound.
    pub limit: usize,
}

/// Reads one stream. See the module.
#[derive(Debug, Default)]
pub struct SseParser {
    /// The line being read, without its end.
    line: Vec<u8>,
    /// `data` of the event being read, each line followed by `\n`.
    data: Vec<u8>,
    event: String,
    last_event_id: String,
    /// `retry` as last seen, in milliseconds.
    retry_ms: Option<u64>,
    /// How many bytes of a byte order mark were seen, or that its time is over.
    start: Start,
    /// The last line ended with CR: an LF that comes next belongs to it.
    after_cr: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Start {
    #[default]
    AtFirstLine,
    Passed,
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

impl SseParser {
    /// At the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// The reconnection time that the stream asked for last, in milliseconds.
    pub const fn retry_ms(&self) -> Option<u64> {
        self.retry_ms
    }

    /// Reads on in `chunk`, up to the end of the next event, and cuts off what was read. `None`:
    /// the chunk is used up. An event that is not finished when the stream ends does not count.
    pub fn next(&mut self, chunk: &mut &[u8]) -> Result<Option<SseEvent>, TooLong> {
        loop {
            if self.after_cr && !chunk.is_empty() {
                self.after_cr = false;
                *chunk = chunk.strip_prefix(b"\n").unwrap_or(chunk);
            }
            let Some(end) = memchr::memchr2(b'\r', b'\n', chunk) else {
                self.extend_line(chunk)?;
                *chunk = &[];
                return Ok(None);
            };
            let (head, rest) = chunk.split_at(end);
            self.extend_line(head)?;
            self.after_cr = rest.first() == Some(&b'\r');
            *chunk = rest.get(1..).unwrap_or_default();
            if let Some(event) = self.end_line()? {
                return Ok(Some(event));
            }
        }
    }

    fn extend_line(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        // Refused before it is copied: the bound holds for memory, not only for the result.
        let limit = limits::FRAME_BYTES + limits::SSE_FIELD_BYTES;
        if self.line.len() + bytes.len() > limit {
            return Err(TooLong { limit });
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self) -> Result<Option<SseEvent>, TooLong> {
        let mut line = std::mem::take(&mut self.line);
        let mut content = line.as_slice();
        if self.start == Start::AtFirstLine {
            self.start = Start::Passed;
            content = content.strip_prefix(BYTE_ORDER_MARK).unwrap_or(content);
        }
        let result =
            if content.is_empty() { Ok(self.dispatch()) } else { self.field(content).map(|()| None) };
        // Its memory serves the next line, unless one line was unusually long.
        if line.capacity() <= limits::SSE_FIELD_BYTES {
            line.clear();
            self.line = line;
        }
        result
    }

    fn dispatch(&mut self) -> Option<SseEvent> {
        let event = std::mem::take(&mut self.event);
        if self.data.is_empty() {
            return None;
        }
        let mut data = std::mem::take(&mut self.data);
        data.pop();
        Some(SseEvent { event, data: text(&data), last_event_id: self.last_event_id.clone() })
    }

    fn field(&mut self, line: &[u8]) -> Result<(), TooLong> {
        let (name, value) = match memchr::memchr(b':', line) {
            Some(colon) => {
                let value = line.get(colon + 1..).unwrap_or_default();
                (line.get(..colon).unwrap_or_default(), value.strip_prefix(b" ").unwrap_or(value))
            }
            None => (line, &[][..]),
        };
        match name {
            b"data" => {
                bound(self.data.len() + value.len() + 1, limits::FRAME_BYTES)?;
                self.data.extend_from_slice(value);
                self.data.push(b'\n');
            }
            b"event" => self.event = short_text(value)?,
            b"id" if !value.contains(&0) => self.last_event_id = short_text(value)?,
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                self.retry_ms = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
            }
            // A comment (empty name), an id with NUL, or a field nobody knows.
            _ => {}
        }
        Ok(())
    }
}

fn bound(size: usize, limit: usize) -> Result<(), TooLong> {
    if size > limit { Err(TooLong { limit }) } else { Ok(()) }
}

fn short_text(value: &[u8]) -> Result<String, TooLong> {
    bound(value.len(), limits::SSE_FIELD_BYTES)?;
    Ok(text(value))
}

/// The stream is UTF-8 whatever its headers say; what is not becomes U+FFFD.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(chunks: &[&[u8]]) -> Result<Vec<SseEvent>, TooLong> {
        let mut parser = SseParser::new();
        let mut events = Vec::new();
        for chunk in chunks {
            let mut rest = *chunk;
            while let Some(event) = parser.next(&mut rest)? {
                events.push(event);
            }
            assert!(rest.is_empty());
        }
        Ok(events)
    }

    fn data(stream: &str) -> Vec<String> {
        read(&[stream.as_bytes()]).unwrap_or_default().into_iter().map(|event| event.data).collect()
    }

    #[test]
    fn each_kind_of_line_end_ends_a_line() {
        assert_eq!(data("data: a\n\ndata: b\r\rdata: c\r\n\r\n"), ["a", "b", "c"]);
        assert_eq!(data("data: a\r\n\ndata: b\n\r\n"), ["a", "b"]);
    }

    #[test]
    fn data_lines_are_joined_and_one_space_is_cut() {
        assert_eq!(data("data:a\ndata:  b\ndata\ndata: c\n\n"), ["a\n b\n\nc"]);
    }

    #[test]
    fn the_examples_of_the_standard_give_what_it_says() {
        assert_eq!(data("data: YHOO\ndata: +2\ndata: 10\n\n"), ["YHOO\n+2\n10"]);
        let stream =
            ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n";
        let events = read(&[stream.as_bytes(), b"\n"]).unwrap_or_default();
        let seen: Vec<_> =
            events.iter().map(|event| (event.data.as_str(), event.last_event_id.as_str())).collect();
        assert_eq!(seen, [("first event", "1"), ("second event", ""), (" third event", "")]);
        assert_eq!(data("data\n\ndata\ndata\n\ndata:"), ["", "\n"]);
        assert_eq!(data("data:test\n\ndata: test\n\n"), ["test", "test"]);
    }

    #[test]
    fn a_byte_order_mark_counts_only_at_the_very_beginning() {
        assert_eq!(data("\u{feff}data: a\n\n"), ["a"]);
        assert_eq!(data("\u{feff}\u{feff}data: a\n\ndata: b\n\n"), ["b"]);
        assert_eq!(data("data: \u{feff}a\n\n"), ["\u{feff}a"]);
    }

    #[test]
    fn an_id_stays_until_the_next_and_nul_does_not_count() {
        let events = read(&[b"id: x.7\ndata: a\n\ndata: b\n\nid: y\0\ndata: c\n\n"]).unwrap_or_default();
        assert!(events.iter().all(|event| event.last_event_id == "x.7"), "{events:?}");
    }

    #[test]
    fn comments_unknown_fields_and_events_without_data_are_nothing() {
        assert_eq!(data(":\n: hi\nfoo: bar\nevent: lonely\nid: 3\n\ndata: a\n\n"), ["a"]);
        let events = read(&[b"event: lonely\n\ndata: a\n\nevent: named\ndata: b\n\n"]).unwrap_or_default();
        assert_eq!(events.iter().map(|event| event.event.as_str()).collect::<Vec<_>>(), ["", "named"]);
    }

    #[test]
    fn retry_is_taken_when_it_is_a_number() {
        let mut parser = SseParser::new();
        assert_eq!(parser.next(&mut &b"retry: 1500\nretry: soon\nretry:\n\n"[..]), Ok(None));
        assert_eq!(parser.retry_ms(), Some(1500));
    }

    #[test]
    fn an_unfinished_event_is_not_dispatched() {
        assert_eq!(data("data: a\n\ndata: b\n"), ["a"]);
    }

    #[test]
    fn an_event_over_the_bound_is_refused_and_memory_stays_bounded() {
        let mut parser = SseParser::new();
        let chunk = vec![b'x'; 1024 * 1024];
        let mut refused = false;
        for _ in 0..8 {
            refused |= parser.next(&mut chunk.as_slice()).is_err();
        }
        assert!(refused && parser.line.len() <= limits::FRAME_BYTES + limits::SSE_FIELD_BYTES);
        let mut parser = SseParser::new();
        let line = [b"data:".as_slice(), &vec![b'x'; 512 * 1024], b"\n"].concat();
        let refused = (0..9).any(|_| parser.next(&mut line.as_slice()).is_err());
        assert!(refused && parser.data.len() <= limits::FRAME_BYTES);
    }

    /// Text that is likely to hit the parser's corners.
    fn streams() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(b"data: ".to_vec()),
            Just(b"id: e.1".to_vec()),
            Just(b"event:".to_vec()),
            Just(b"retry: 10".to_vec()),
            Just(b":".to_vec()),
            Just(b"\r".to_vec()),
            Just(b"\n".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b"\n\n".to_vec()),
            Just("\u{feff}".as_bytes().to_vec()),
            Just("grüße \u{1f600}".as_bytes().to_vec()),
            prop::collection::vec(any::<u8>(), 0..6),
        ];
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_events(stream in streams(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20)) {
            let whole = read(&[&stream]);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
            prop_assert_eq!(&read(&chunks), &whole);
            let bytes: Vec<&[u8]> = stream.chunks(1).collect();
            prop_assert_eq!(&read(&bytes), &whole);
        }

        #[test]
        fn no_input_panics(stream in prop::collection::vec(any::<u8>(), 0..2000)) {
            let _ = read(&[&stream]);
        }

        #[test]
        fn what_a_server_writes_is_read_back(payloads in prop::collection::vec("[^\r\n\u{feff}]{1,40}", 0..10)) {
            let stream = payloads.iter().fold(String::new(), |stream, data| stream + "data: " + data + "\n\n");
            prop_assert_eq!(data(&stream), payloads);
        }
    }
}
