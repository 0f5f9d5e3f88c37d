//! The table: a row for each network, a group of columns for each client.

use std::fmt::{self, Write as _};

use crate::network::ALL;
use crate::record::Verdict;
use crate::round::Outcome;

/// Rounds of both clients, network by network.
pub(crate) struct Table {
    pub(crate) rust: Vec<Outcome>,
    pub(crate) web: Vec<Outcome>,
}

impl Table {
    /// Everything that is not as it must be, in sentences.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        for (client, outcomes) in [("Rust", &self.rust), ("web", &self.web)] {
            assert_eq!(outcomes.len(), ALL.len());
            for (network, outcome) in ALL.iter().zip(outcomes) {
                let Verdict { ended_on, acked, lost, doubled, other, .. } = &outcome.verdict;
                let mut complain =
                    |what: String| complaints.push(format!("{}, {client}: {what}", network.name));
                if *lost + *doubled > 0 || !other.is_empty() || *acked == 0 {
                    complain(format!("{acked} acknowledged, {lost} lost, {doubled} doubled, {other:?}"));
                }
                if !network.cuts && *ended_on != crate::talker::name(network.ends_on) {
                    complain(format!("ended on {ended_on}, not on {:?}", network.ends_on));
                }
                for (evidence, seen) in network.evidence.iter().zip(&outcome.seen) {
                    if evidence.is_due(client) && *seen == 0 {
                        complain(format!("it was not hostile: 0 {}", evidence.what));
                    }
                }
            }
        }
        complaints
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| network | Rust: ends on | first `hello`, s | longest silence, s | acked | lost | doubled | \
             web: ends on | first `hello`, s | longest silence, s | acked | lost | doubled | \
             how the hostility was proven (Rust / web) |\n\
             |---|---|---:|---:|---:|---:|---:|---|---:|---:|---:|---:|---:|---|"
        )?;
        for (index, network) in ALL.iter().enumerate() {
            let (rust, web) = (&self.rust[index], &self.web[index]);
            let (one, other) = (cells(&rust.verdict), cells(&web.verdict));
            writeln!(f, "| {} | {one} | {other} | {} |", network.name, proof(network, rust, web))?;
        }
        writeln!(f, "| Traefik | not run: Debian has no package of it {}|", "| ".repeat(12))
    }
}

fn cells(verdict: &Verdict) -> String {
    let way = match verdict.ended_on.as_str() {
        "websocket" => "WebSocket",
        "sse" => "event stream",
        "batch" => "batches",
        other => other,
    };
    let Verdict { hello, silence, acked, lost, doubled, .. } = verdict;
    format!(
        "{way} | {:.2} | {:.1} | {acked} | {lost} | {doubled}",
        hello.as_secs_f64(),
        silence.as_secs_f64()
    )
}

fn proof(network: &crate::network::Network, rust: &Outcome, web: &Outcome) -> String {
    let mut text = String::new();
    for ((evidence, rust), web) in network.evidence.iter().zip(&rust.seen).zip(&web.seen) {
        let separator = if text.is_empty() { "" } else { "; " };
        let _ = write!(text, "{separator}{rust} / {web} {}", evidence.what);
    }
    text
}
