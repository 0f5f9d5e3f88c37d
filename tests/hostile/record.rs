//! What a client behind a network went through, and the judgement over it. The Rust client and the
//! page in Chromium fill in the same record, so that both are judged alike.

use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;

/// What the partner outside writes begins with this.
pub(crate) const PARTNER: &str = "ada";

/// A client's own account. Times are milliseconds of any one clock.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Record {
    /// From its start to its first `hello`.
    pub(crate) hello_ms: u64,
    /// The way it was live on last, at the end of each time of talking and of all.
    pub(crate) transports: Vec<String>,
    /// What it posted and knows to be acknowledged.
    pub(crate) acked: Vec<String>,
    /// What it posted and does not know to be.
    pub(crate) unacked: Vec<String>,
    /// Every message it was told or shows, in order, with the time when it came.
    pub(crate) heard: Vec<(u64, String)>,
    /// From when to when everybody was talking.
    pub(crate) talks: Vec<(u64, u64)>,
    /// What must not be said to a client: start over, stop; complaints of the page.
    pub(crate) unwanted: Vec<String>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) hello: Duration,
    pub(crate) ended_on: String,
    pub(crate) silence: Duration,
    pub(crate) acked: usize,
    pub(crate) lost: usize,
    pub(crate) doubled: usize,
    /// Everything else that is wrong.
    pub(crate) other: Vec<String>,
}

/// `stored` is what the server has of the room, in order; `partners` what was acknowledged to the
/// partner outside.
pub(crate) fn judge(record: &Record, stored: &[String], partners: &[String]) -> Verdict {
    let mut other = record.unwanted.clone();
    other.extend(record.unacked.iter().map(|text| format!("no answer to {text}")));
    let heard: Vec<&String> = record.heard.iter().map(|(_, text)| text).collect();
    let (in_store, by_client) = (occurrences(stored.iter()), occurrences(heard.iter().copied()));
    let acked = || record.acked.iter().chain(partners);
    let missing = |text: &&String| !in_store.contains_key(text) || !by_client.contains_key(text);
    let lost = acked().filter(missing).count();
    let twice = |seen: &HashMap<&String, usize>| seen.values().filter(|count| **count > 1).count();
    let doubled = twice(&in_store) + twice(&by_client);
    let known: Vec<&String> = stored.iter().filter(|text| by_client.contains_key(text)).collect();
    if lost == 0 && doubled == 0 && known != heard {
        other.push(format!("another order: {heard:?}, and the server has {known:?}"));
    }
    Verdict {
        hello: Duration::from_millis(record.hello_ms),
        ended_on: record.transports.last().cloned().unwrap_or_default(),
        silence: longest_silence(record),
        acked: acked().count(),
        lost,
        doubled,
        other,
    }
}

fn occurrences<'t>(texts: impl Iterator<Item = &'t String>) -> HashMap<&'t String, usize> {
    texts.fold(HashMap::new(), |mut counts, text| {
        *counts.entry(text).or_default() += 1;
        counts
    })
}

/// The longest time in which nothing of the partner's came although everybody was talking. One's own
/// messages do not count: a page shows them before they are sent.
fn longest_silence(record: &Record) -> Duration {
    let partners = || record.heard.iter().filter(|(_, text)| text.starts_with(PARTNER)).map(|(at, _)| *at);
    let silence = |&(from, to): &(u64, u64)| {
        let within = partners().filter(|at| (from..=to).contains(at));
        let (longest, _) = within
            .chain([to])
            .fold((0, from), |(longest, last), at| (longest.max(at.saturating_sub(last)), at));
        longest
    };
    Duration::from_millis(record.talks.iter().map(silence).max().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    fn record(heard: &[&str], acked: &[&str]) -> Record {
        let heard = heard.iter().zip(1..).map(|(text, second)| (second * 1000, (*text).to_owned())).collect();
        Record { heard, acked: texts(acked), talks: vec![(500, 5_500)], ..Record::default() }
    }

    fn judged(heard: &[&str], stored: &[&str]) -> Verdict {
        judge(&record(heard, &["b"]), &texts(stored), &texts(&["a", "c"]))
    }

    #[test]
    fn what_was_acknowledged_must_be_there_and_heard_once_in_order() {
        let good = judged(&["a", "b", "c"], &["a", "b", "c"]);
        assert_eq!((good.acked, good.lost, good.doubled, good.other.len()), (3, 0, 0, 0));
        assert_eq!(judged(&["a", "b"], &["a", "b", "c"]).lost, 1);
        assert_eq!(judged(&["a", "b", "c"], &["a", "c"]).lost, 1);
        assert_eq!(judged(&["a", "b", "b", "c"], &["a", "b", "c"]).doubled, 1);
        assert_eq!(judged(&["a", "b", "c"], &["a", "b", "b", "c"]).doubled, 1);
        assert_eq!(judged(&["a", "c", "b"], &["a", "b", "c"]).other.len(), 1);
    }

    #[test]
    fn silence_is_counted_only_while_everybody_talks() {
        let mut one = record(&["ada 1", "ada 2", "bob", "ada 3"], &[]);
        assert_eq!(longest_silence(&one).as_millis(), 2_000);
        one.talks = vec![(900, 2_100), (3_500, 4_100)];
        assert_eq!(longest_silence(&one).as_millis(), 1_000);
    }
}
