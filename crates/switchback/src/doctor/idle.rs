//! How long a quiet connection stays open. The server speaks every 20 seconds by a heartbeat, so
//! what shows here is a proxy that cuts sooner than that, or that holds heartbeats back.

use std::time::Duration;

use switchback_core::limits::WATCHDOG_MS;
use switchback_core::wire::{Incoming, ServerFrame};
use tokio::time::{Instant, interval, timeout_at};

use super::advice::Trouble;
use super::probe::Probe;
use super::report::{Check, millis};
use super::{streams, websocket};

const TELL_EVERY: Duration = Duration::from_secs(1);

/// What was seen of one connection.
struct Watched {
    heartbeats: u32,
    /// When it was cut.
    cut_after: Option<Duration>,
    longest_silence: Duration,
}

/// Watches a WebSocket and an event stream side by side, those of them that work.
pub(super) async fn check(
    probe: &Probe,
    duration: Duration,
    (websocket, event_stream): (bool, bool),
    progress: impl Fn(u64),
) -> Vec<Check> {
    let begun = Instant::now();
    let until = begun + duration;
    let watch_websocket = async {
        let mut socket = if websocket { websocket::open(probe).await? } else { return None };
        Some(watch(until, async || websocket::next_frame(&mut socket).await).await)
    };
    let watch_stream = async {
        let mut events = if event_stream { streams::open(probe).await? } else { return None };
        Some(watch(until, async || events.next().await).await)
    };
    let watching = async { tokio::join!(watch_websocket, watch_stream) };
    let telling = async {
        let mut every = interval(TELL_EVERY);
        loop {
            every.tick().await;
            progress(begun.elapsed().as_secs().min(duration.as_secs().saturating_sub(1)));
        }
    };
    let (socket, stream) = tokio::select! {
        watched = watching => watched,
        () = telling => (None, None),
    };
    progress(duration.as_secs());
    let found = [("quiet WebSocket", socket), ("quiet stream", stream)];
    found.into_iter().filter_map(|(name, watched)| Some(judge(name, &watched?, duration))).collect()
}

async fn watch(until: Instant, mut next: impl AsyncFnMut() -> Option<Incoming>) -> Watched {
    let begun = Instant::now();
    let mut last = begun;
    let mut watched = Watched { heartbeats: 0, cut_after: None, longest_silence: Duration::ZERO };
    loop {
        let frame = timeout_at(until, next()).await;
        watched.longest_silence = watched.longest_silence.max(last.elapsed());
        match frame {
            Err(_) => return watched,
            Ok(None) => {
                watched.cut_after = Some(begun.elapsed());
                return watched;
            }
            Ok(Some(frame)) => {
                last = Instant::now();
                watched.heartbeats += u32::from(is_heartbeat(&frame));
            }
        }
    }
}

fn is_heartbeat(frame: &Incoming) -> bool {
    matches!(frame, Incoming::Frame(frame) if matches!(**frame, ServerFrame::Heartbeat { .. }))
}

fn judge(name: &'static str, watched: &Watched, duration: Duration) -> Check {
    let Watched { heartbeats, cut_after, longest_silence } = watched;
    if let Some(after) = cut_after {
        let detail = format!("cut after {:.1} s, {heartbeats} heartbeats", after.as_secs_f32());
        return Check::failed(name, *after, detail).because(Trouble::Idle);
    }
    if millis(*longest_silence) > WATCHDOG_MS {
        let silence = longest_silence.as_secs_f32();
        let detail = format!("open, but silent for {silence:.1} s: somebody holds heartbeats back");
        return Check::failed(name, duration, detail).because(Trouble::Buffered);
    }
    Check::ok(name, duration, format!("stays open, {heartbeats} heartbeats"))
}

#[cfg(test)]
mod tests {
    use super::super::report::State;
    use super::*;

    #[test]
    fn a_cut_and_a_long_silence_are_told_from_each_other() {
        let second = Duration::from_secs(1);
        let judged = |cut_after, silence_s| {
            let watched = Watched { heartbeats: 1, cut_after, longest_silence: second * silence_s };
            let check = judge("quiet stream", &watched, second * 60);
            (check.state, check.trouble)
        };
        assert_eq!(judged(None, 20), (State::Ok, None));
        assert_eq!(judged(Some(second * 10), 10), (State::Failed, Some(Trouble::Idle)));
        assert_eq!(judged(None, 59), (State::Failed, Some(Trouble::Buffered)));
    }
}
