//! How far long work has come, on standard error: a bar at a terminal, elsewhere a line every few
//! seconds, so that a log stays readable and silence does not look like a standstill.

use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use switchback_storage::transfer::{Progress, Stage};

/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(3);
/// Between two steps of a bar that cannot know how far it is.
const TICK_EVERY: Duration = Duration::from_millis(120);

const ROWS: &str = "{msg:24} {wide_bar} {percent:>3} %  {human_pos} rows, {per_sec}, {eta} left";
const BYTES: &str = "{msg:24} {wide_bar} {percent:>3} %  {bytes}, {bytes_per_sec}, {eta} left";
const UNKNOWN: &str = "{msg:24} {spinner} {elapsed}";

/// Shows progress until it is dropped.
pub(crate) struct Shown {
    state: Mutex<State>,
}

struct State {
    /// At a terminal.
    bar: Option<ProgressBar>,
    stage: Option<Stage>,
    last_line: Instant,
}

impl Shown {
    pub(crate) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(ProgressBar::no_length);
        let state = State { bar, stage: None, last_line: Instant::now() };
        Self { state: Mutex::new(state) }
    }

    pub(crate) fn tell(&self, progress: Progress) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = state.stage.replace(progress.stage) != Some(progress.stage);
        match &state.bar {
            Some(bar) => draw(bar, progress, is_new),
            None if is_new || state.last_line.elapsed() >= LINE_EVERY => {
                state.last_line = Instant::now();
                let text = if is_new { verb(progress.stage).to_owned() } else { line(progress) };
                // Nobody to tell if standard error is closed.
                let _ = writeln!(std::io::stderr(), "{text}");
            }
            None => {}
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = &state.bar {
            bar.finish_and_clear();
        }
    }
}

fn draw(bar: &ProgressBar, progress: Progress, is_new: bool) {
    if is_new {
        let template = match progress.stage {
            _ if progress.total == 0 => UNKNOWN,
            Stage::Writing => BYTES,
            _ => ROWS,
        };
        // A template that cannot be read is a matter of looks alone.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.reset();
        bar.enable_steady_tick(TICK_EVERY);
    }
    bar.set_message(doing(progress));
    if progress.total > 0 {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    }
}

fn line(progress: Progress) -> String {
    let Progress { stage, done, total, .. } = progress;
    let doing = doing(progress);
    match stage {
        _ if total == 0 => doing,
        Stage::Writing => format!("{doing}: {} of {}", HumanBytes(done), HumanBytes(total)),
        _ => format!("{doing}: {} of {} rows", HumanCount(done), HumanCount(total)),
    }
}

fn doing(progress: Progress) -> String {
    let verb = verb(progress.stage);
    if progress.table.is_empty() { verb.to_owned() } else { format!("{verb} {}", progress.table) }
}

const fn verb(stage: Stage) -> &'static str {
    match stage {
        Stage::Inspecting => "looking at the backup",
        Stage::Copying => "copying",
        Stage::Checking => "checking",
        Stage::Writing => "writing",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_done_and_how_far() {
        let rows = Progress { stage: Stage::Copying, table: "messages", done: 1_024, total: 200_000 };
        assert_eq!(line(rows), "copying messages: 1,024 of 200,000 rows");
        let bytes = Progress { stage: Stage::Writing, table: "", done: 1_024, total: 2_048 };
        assert_eq!(line(bytes), "writing: 1.00 KiB of 2.00 KiB");
        let unknown = Progress { stage: Stage::Inspecting, table: "", done: 0, total: 0 };
        assert_eq!(line(unknown), "looking at the backup");
    }

    #[test]
    fn every_template_can_be_read() {
        for template in [ROWS, BYTES, UNKNOWN] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
