//! Lines on the terminal. What other people wrote is stripped of control characters first: a message
//! must not be able to move our cursor, rename our window or paint over what others said.

use std::io::{IsTerminal as _, Write as _};

use jiff::Timestamp as Instant;
use jiff::tz::TimeZone;
use switchback_client::{Status, Transport};
use switchback_core::wire::Timestamp;

const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";
/// One line up, and clear it.
const TAKE_BACK: &str = "\x1b[1A\x1b[2K";

pub(super) struct Screen {
    zone: TimeZone,
    /// Standard error is a terminal: what is about the connection is dimmed.
    dims: bool,
    /// Both ends are a terminal: what was typed comes back as a message, so it is taken back.
    takes_back: bool,
}

impl Screen {
    pub(super) fn new() -> Self {
        let terminal = std::io::stdout().is_terminal();
        Self {
            zone: TimeZone::system(),
            dims: std::io::stderr().is_terminal(),
            takes_back: terminal && std::io::stdin().is_terminal(),
        }
    }

    /// `[12:03] text`; further lines are indented under the first.
    pub(super) fn line(&self, at: Timestamp, text: &str) {
        let clock = clock(at, &self.zone);
        // A closed pipe ends the program at the next input; it must not panic before.
        let _ = writeln!(std::io::stdout(), "[{clock}] {}", indented(&harmless(text)));
    }

    /// Something about the program or the connection.
    pub(super) fn notice(&self, text: &str) {
        let text = indented(&harmless(text));
        let (dim, plain) = if self.dims { (DIM, PLAIN) } else { ("", "") };
        let _ = writeln!(std::io::stderr(), "{dim}-- {text}{plain}");
    }

    /// How the connection is doing; `chosen`: by whoever started us, not by what the network allows.
    pub(super) fn status(&self, status: &Status, chosen: bool) {
        match status {
            Status::Connecting => {}
            Status::Live { transport } => self.notice(match (transport, chosen) {
                (Transport::Websocket, _) => "live by WebSocket",
                (Transport::Sse, false) => "live by event stream: this network blocks WebSocket",
                (Transport::Batch, false) => "live by batches: this network holds streams back",
                (Transport::Sse, true) => "live by event stream",
                (Transport::Batch, true) => "live by batches",
            }),
            Status::Waiting { retry_in, why, queued } => {
                let waiting = match queued {
                    0 => String::new(),
                    1 => ", 1 message waiting".to_owned(),
                    more => format!(", {more} messages waiting"),
                };
                self.notice(&format!("reconnecting in {:.1} s{waiting} ({why})", retry_in.as_secs_f32()));
            }
        }
    }

    /// Removes the line that was just typed.
    pub(super) fn take_back_input(&self) {
        if self.takes_back {
            let _ = write!(std::io::stdout(), "{TAKE_BACK}");
        }
    }
}

fn clock(at: Timestamp, zone: &TimeZone) -> String {
    match Instant::from_microsecond(at) {
        Ok(instant) => instant.to_zoned(zone.clone()).strftime("%H:%M").to_string(),
        Err(_) => "--:--".to_owned(),
    }
}

/// Without control characters, except the end of a line; a tab becomes a space.
fn harmless(text: &str) -> String {
    let bidi = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars()
        .map(|c| if c == '\t' { ' ' } else { c })
        .filter(|c| *c == '\n' || !(c.is_control() || bidi(*c)))
        .collect()
}

fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n        ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_that_of_the_zone() {
        let at = 1_700_000_000_000_000;
        assert_eq!(clock(at, &TimeZone::UTC), "22:13");
        assert_eq!(clock(at, &TimeZone::fixed(jiff::tz::offset(2))), "00:13");
        assert_eq!(clock(i64::MAX, &TimeZone::UTC), "--:--");
    }

    #[test]
    fn a_message_cannot_steer_the_terminal() {
        assert_eq!(harmless("a\x1b[2Jb\r\u{9b}1Ac\td\u{202e}e"), "a[2Jb1Ac de");
        assert_eq!(indented("one\ntwo\n"), "one\n        two");
    }
}
