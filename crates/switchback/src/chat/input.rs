//! What somebody types: a message, or a command that begins with a slash.

use std::io::BufRead as _;

use tokio::sync::mpsc;

/// Lines read ahead of what is done with them.
const LINES_AHEAD: usize = 16;

pub(super) const HELP: &str = "/rooms lists rooms, /join NAME goes to one (/join @ada: a direct conversation), \
                               /quit leaves; // at the beginning of a line sends one slash";

/// A line, understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    Nothing,
    Post(String),
    Rooms,
    Join(String),
    Help,
    Quit,
    Unknown(String),
}

impl Input {
    pub(super) fn parse(line: &str) -> Self {
        let line = line.trim_end();
        if line.is_empty() {
            return Self::Nothing;
        }
        let Some(command) = line.strip_prefix('/') else {
            return Self::Post(line.to_owned());
        };
        if command.starts_with('/') {
            return Self::Post(command.to_owned());
        }
        let (word, rest) = command.split_once(' ').unwrap_or((command, ""));
        match (word, rest.trim()) {
            ("rooms", _) => Self::Rooms,
            ("join", name) if !name.is_empty() => Self::Join(name.to_owned()),
            ("help" | "join", _) => Self::Help,
            ("quit" | "exit", _) => Self::Quit,
            _ => Self::Unknown(word.to_owned()),
        }
    }
}

/// Standard input, line by line, from a thread of its own: a read cannot be given up, and must not
/// keep the program from ending.
pub(super) struct Lines {
    lines: mpsc::Receiver<String>,
}

impl Lines {
    pub(super) fn start() -> Self {
        let (sender, lines) = mpsc::channel(LINES_AHEAD);
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines() {
                let Ok(line) = line else { return };
                if sender.blocking_send(line).is_err() {
                    return;
                }
            }
        });
        Self { lines }
    }

    /// The next line; `None` at the end. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<String> {
        self.lines.recv().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_message_unless_it_begins_with_a_slash() {
        let cases = [
            ("hello", Input::Post("hello".to_owned())),
            ("  indented  ", Input::Post("  indented".to_owned())),
            ("//etc/hosts", Input::Post("/etc/hosts".to_owned())),
            ("", Input::Nothing),
            ("   ", Input::Nothing),
            ("/rooms", Input::Rooms),
            ("/join  random ", Input::Join("random".to_owned())),
            ("/join", Input::Help),
            ("/quit", Input::Quit),
            ("/dance now", Input::Unknown("dance".to_owned())),
        ];
        for (line, input) in cases {
            assert_eq!(Input::parse(line), input, "{line:?}");
        }
    }
}
