//! What the load generator puts on the wire, and how it finds what comes: by looking for a few bytes,
//! never by parsing. A generator that reads JSON would measure itself.

use memchr::memmem::Finder;

/// Stands in every delivery of a post, whoever delivers it.
const DELIVERY: &[u8] = b"\"message.posted\"";
/// Stands before a post's text. The text begins with when it was sent, in hexadecimal digits.
const TEXT: &[u8] = b"\"body\":\"T";
const DIGITS: usize = 16;
/// Stands in the answer to a command.
const ACK: &[u8] = b"\"type\":\"ack\"";

/// A post's text of `size` bytes: when it was sent, then what somebody might say.
pub(super) fn text(sent_ns: u64, size: usize) -> String {
    const WORDS: &str = "the quick brown fox jumps over the lazy dog and comes home late. ";
    let mut text = format!("T{sent_ns:016x} ");
    text.extend(WORDS.chars().cycle().take(size.saturating_sub(text.len() + 1)));
    text.push('.');
    text
}

/// The same as those servers send it on that only pass texts on: the frame a client would see.
pub(super) fn bare(text: &str) -> String {
    format!("{{\"type\":\"message.posted\",\"body\":\"{text}\"}}")
}

/// A text message as a client frames it. The mask is nothing: it costs the server the same.
pub(super) fn masked(text: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(text.len() + 14);
    frame.push(0x81);
    length(&mut frame, text.len(), 0x80);
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(text);
    frame
}

/// A frame's length (RFC 6455 5.2); `mask` is the bit beside it.
pub(super) fn length(frame: &mut Vec<u8>, length: usize, mask: u8) {
    if let Ok(short) = u8::try_from(length)
        && short < 126
    {
        frame.push(mask | short);
    } else if let Ok(medium) = u16::try_from(length) {
        frame.push(mask | 0x7e);
        frame.extend_from_slice(&medium.to_be_bytes());
    } else {
        frame.push(mask | 0x7f);
        frame.extend_from_slice(&(length as u64).to_be_bytes());
    }
}

/// A request for a WebSocket; `headers` are whole lines.
pub(super) fn websocket(path: &str, headers: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: chat.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    )
    .into_bytes()
}

/// A request for an event stream.
pub(super) fn stream(path: &str, headers: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: chat.test\r\nAccept: text/event-stream\r\n{headers}\r\n")
        .into_bytes()
}

/// Another request.
pub(super) fn request(method: &str, path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nHost: chat.test\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// Finds deliveries in what a connection brings.
pub(super) struct Scanner {
    delivery: Finder<'static>,
    text: Finder<'static>,
    ack: Finder<'static>,
}

impl Scanner {
    pub(super) fn new() -> Self {
        Self { delivery: Finder::new(DELIVERY), text: Finder::new(TEXT), ack: Finder::new(ACK) }
    }

    /// Shows when each delivery was sent. `kept`: what of earlier bytes may be the beginning of one.
    pub(super) fn deliveries(&self, kept: &mut Vec<u8>, fresh: &[u8], mut found: impl FnMut(u64)) {
        let joined;
        let data = if kept.is_empty() {
            fresh
        } else {
            kept.extend_from_slice(fresh);
            joined = std::mem::take(kept);
            &joined
        };
        let mut at = 0;
        while let Some(begin) = self.delivery.find(&data[at..]).map(|found| at + found) {
            let digits = self.text.find(&data[begin..]).map(|found| begin + found + TEXT.len());
            let Some(digits) = digits.filter(|digits| digits + DIGITS <= data.len()) else {
                kept.extend_from_slice(&data[begin..]);
                return;
            };
            if let Some(sent_ns) = hexadecimal(&data[digits..digits + DIGITS]) {
                found(sent_ns);
            }
            at = digits + DIGITS;
        }
        keep_beginning(kept, &data[at..], DELIVERY);
    }

    /// How many acknowledgements there are.
    pub(super) fn acks(&self, kept: &mut Vec<u8>, fresh: &[u8]) -> usize {
        kept.extend_from_slice(fresh);
        let data = std::mem::take(kept);
        let (mut count, mut at) = (0, 0);
        while let Some(found) = self.ack.find(&data[at..]) {
            (count, at) = (count + 1, at + found + ACK.len());
        }
        keep_beginning(kept, &data[at..], ACK);
        count
    }
}

/// Keeps the end of `data` if it may be the beginning of `what`, which begins with a quote.
fn keep_beginning(kept: &mut Vec<u8>, data: &[u8], what: &[u8]) {
    let end = &data[data.len().saturating_sub(what.len() - 1)..];
    let begin = (0..end.len()).find(|&at| end[at] == b'"' && what.starts_with(&end[at..]));
    if let Some(begin) = begin {
        kept.extend_from_slice(&end[begin..]);
    }
}

fn hexadecimal(digits: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// An answer of HTTP/1.1 with a length, once it is whole: its status, and how long it is.
pub(super) fn answer(data: &[u8]) -> Option<(u16, usize)> {
    let head = memchr::memmem::find(data, b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&data[..head]).ok()?;
    let status = text.split(' ').nth(1)?.parse().ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let whole = head + length.unwrap_or_default();
    (data.len() >= whole).then_some((status, whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_found_however_it_is_cut() {
        let scanner = Scanner::new();
        let whole = [bare(&text(7, 40)), bare(&text(0xabc, 40)), "{\"type\":\"typing\"}".to_owned()].concat();
        for cut in 0..whole.len() {
            let (mut kept, mut found) = (Vec::new(), Vec::new());
            for part in [&whole[..cut], &whole[cut..]] {
                scanner.deliveries(&mut kept, part.as_bytes(), |sent| found.push(sent));
            }
            assert_eq!((found, kept.len()), (vec![7, 0xabc], 0), "cut at {cut}");
        }
    }

    #[test]
    fn acknowledgements_are_counted_and_nothing_else() {
        let (scanner, mut kept) = (Scanner::new(), Vec::new());
        assert_eq!(scanner.acks(&mut kept, b"{\"type\":\"hello\"}{\"type\":\"a"), 0);
        assert_eq!(scanner.acks(&mut kept, b"ck\",\"id\":\"1\"}{\"type\":\"ack\"}"), 2);
    }

    #[test]
    fn a_text_has_the_size_that_was_asked_for() {
        assert_eq!(text(1, 200).len(), 200);
    }

    #[test]
    fn an_answer_is_whole_with_its_body() {
        assert_eq!(answer(b"HTTP/1.1 204 No Content\r\n\r\n"), Some((204, 27)));
        assert_eq!(answer(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"), None);
        assert_eq!(answer(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"), Some((200, 41)));
    }
}
