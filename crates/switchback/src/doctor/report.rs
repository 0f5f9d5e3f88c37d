//! What was found, and what it means.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::advice::{self, Advice, Trouble};

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) took_ms: Option<u64>,
    pub(super) detail: String,
    /// What an administrator may have to mend.
    #[serde(skip)]
    pub(super) trouble: Option<Trouble>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Ok,
    Failed,
    /// Not tried, not offered, or not to be seen from here.
    Open,
}

/// A way in to a live connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    WebSocket,
    EventStream,
    Batch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WayState {
    /// `hello` came.
    Works,
    /// The request arrives as it was sent; without a token nobody can say more.
    Reaches,
    Blocked,
}

#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) url: String,
    pub(super) with_token: bool,
    pub(super) checks: Vec<Check>,
    #[serde(serialize_with = "as_object")]
    pub(super) ways: Vec<(Way, WayState)>,
    pub(super) gets_through: bool,
    pub(super) verdict: String,
    pub(super) advice: Vec<Advice>,
    /// `Server` and `Via` of whoever stands between.
    pub(super) proxies: BTreeSet<String>,
}

impl Check {
    pub(super) fn ok(name: &'static str, took: Duration, detail: impl Into<String>) -> Self {
        Self { name, state: State::Ok, took_ms: Some(millis(took)), detail: detail.into(), trouble: None }
    }

    pub(super) fn failed(name: &'static str, took: Duration, detail: impl Into<String>) -> Self {
        Self { state: State::Failed, ..Self::ok(name, took, detail) }
    }

    pub(super) fn open(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, state: State::Open, took_ms: None, detail: detail.into(), trouble: None }
    }

    pub(super) fn because(mut self, trouble: Trouble) -> Self {
        self.trouble = Some(trouble);
        self
    }

    /// A row of the table.
    pub(super) fn line(&self) -> String {
        let mark = match self.state {
            State::Ok => '✓',
            State::Failed => '✗',
            State::Open => '–',
        };
        let took = self.took_ms.map_or_else(String::new, |ms| format!("{ms} ms"));
        format!(" {mark} {:<16}{took:>9}  {}", self.name, self.detail)
    }
}

impl Report {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            with_token: false,
            checks: Vec::new(),
            ways: Vec::new(),
            gets_through: false,
            verdict: String::new(),
            advice: Vec::new(),
            proxies: BTreeSet::new(),
        }
    }

    pub(super) fn works(&self, way: Way) -> bool {
        self.ways.contains(&(way, WayState::Works))
    }

    /// Draws the conclusions from the checks. `with_token`: they could look behind the door.
    pub(super) fn conclude(&mut self, with_token: bool, proxies: &BTreeSet<String>) {
        self.with_token = with_token;
        self.proxies.clone_from(proxies);
        let opens = |state| state == WayState::Works || (!with_token && state == WayState::Reaches);
        let best = self.ways.iter().find(|(_, state)| opens(*state)).map(|(way, _)| *way);
        self.gets_through = best.is_some();
        self.verdict = self.in_words(best);
        let troubles: Vec<Trouble> = self.checks.iter().filter_map(|check| check.trouble).collect();
        self.advice = advice::of(&troubles, proxies);
    }

    fn in_words(&self, best: Option<Way>) -> String {
        let verdict = match best {
            Some(Way::WebSocket) if self.with_token => "WebSocket gets through: nothing is in the way.",
            Some(Way::WebSocket) => "The WebSocket handshake reaches the server as it was sent.",
            Some(Way::EventStream) => {
                "WebSocket does not get through, the event stream does: people chat as usual by that."
            }
            Some(Way::Batch) => {
                "Only batches get through: people can chat, with a little delay and more requests."
            }
            None if self.ways.is_empty() => "The server cannot be reached from here.",
            None => "No way in gets through from here.",
        };
        let hint = if self.with_token || self.ways.is_empty() {
            ""
        } else {
            "\nRun it again with --token TOKEN for the full picture: only then can streams be opened and watched."
        };
        format!("{verdict}{hint}")
    }

    /// Verdict and advice, as text.
    pub(super) fn closing(&self) -> String {
        let mut text = format!("{}\n", self.verdict);
        if !self.proxies.is_empty() && !self.advice.is_empty() {
            let proxies: Vec<&str> = self.proxies.iter().map(String::as_str).collect();
            let _ = writeln!(text, "In between stands: {}", proxies.join(", "));
        }
        for advice in &self.advice {
            let _ = writeln!(text, "\n{}\n", advice.what);
            for line in advice.how.lines() {
                let _ = writeln!(text, "    {line}");
            }
        }
        text
    }
}

fn as_object<S: Serializer>(ways: &[(Way, WayState)], serializer: S) -> Result<S::Ok, S::Error> {
    let name = |way: &Way| match way {
        Way::WebSocket => "websocket",
        Way::EventStream => "sse",
        Way::Batch => "batch",
    };
    serializer.collect_map(ways.iter().map(|(way, state)| (name(way), state)))
}

pub(super) fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn concluded(with_token: bool, ways: &[(Way, WayState)]) -> Report {
        let mut report = Report::new("http://127.0.0.1".to_owned());
        report.ways = ways.to_vec();
        report.conclude(with_token, &BTreeSet::new());
        report
    }

    #[test]
    fn one_way_that_works_is_enough() {
        let blocked = [(Way::WebSocket, WayState::Blocked), (Way::EventStream, WayState::Blocked)];
        let batch = concluded(true, &[blocked.as_slice(), &[(Way::Batch, WayState::Works)]].concat());
        assert!(batch.gets_through && batch.verdict.contains("Only batches"), "{}", batch.verdict);
        let nothing = concluded(true, &[blocked.as_slice(), &[(Way::Batch, WayState::Blocked)]].concat());
        assert!(!nothing.gets_through);
    }

    #[test]
    fn without_a_token_reaching_the_server_is_what_can_be_known() {
        let report = concluded(false, &[(Way::WebSocket, WayState::Reaches)]);
        assert!(report.gets_through && report.verdict.contains("--token"), "{}", report.verdict);
        assert!(!concluded(true, &[(Way::WebSocket, WayState::Reaches)]).gets_through);
    }

    #[test]
    fn a_row_shows_mark_name_time_and_words() {
        let check = Check::failed("WebSocket", Duration::from_millis(12), "403");
        assert_eq!(check.line(), " ✗ WebSocket           12 ms  403");
    }
}
