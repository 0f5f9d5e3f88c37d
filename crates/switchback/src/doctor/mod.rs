//! `switchback doctor URL`: which ways in get through from where it is run, and what to change.
//!
//! Each check does one thing that a browser would do and says what came back, in plain words. The
//! requests are written by hand rather than through the client, because what matters here is the
//! answer that the client would only call "broken". Without a token the checks use what the server
//! answers anyway (it refuses a wrong WebSocket version with 426 before it asks who one is): that
//! shows that a request arrives as it was sent, but not that a stream stays open.

mod advice;
mod http2;
mod idle;
mod probe;
mod report;
mod streams;
mod websocket;

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use switchback_client::Dialer;

use crate::cli::DoctorArgs;
use probe::Probe;
use report::{Check, Report, Way};

/// For one request and its answer; longer than any of the protocol's own waits.
const PATIENCE: Duration = Duration::from_secs(8);

pub(crate) async fn run(args: DoctorArgs) -> Result<ExitCode> {
    let address = args.remote.address()?;
    let proxy = args.remote.proxy()?.for_server(&address)?;
    let dialer = Dialer::new(address.clone(), args.remote.extra_roots()?.as_deref())?.through(proxy);
    let mut probe = Probe::new(dialer, args.remote.token.clone());
    let mut report = Report::new(address.to_string());
    let printer = Printer { json: args.json };
    printer.begin(&report);
    examine(&mut probe, &mut report, Duration::from_secs(args.idle), &printer).await;
    report.conclude(probe.has_token(), probe.seen());
    printer.end(&report)?;
    Ok(if report.gets_through { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// All checks in order; what cannot work after a failure is left out.
async fn examine(probe: &mut Probe, report: &mut Report, idle: Duration, printer: &Printer) {
    let note = |report: &mut Report, checks: Vec<Check>| {
        for check in checks {
            printer.check(&check);
            report.checks.push(check);
        }
    };
    let (checks, reached) = probe.connect().await;
    note(report, checks);
    if !reached {
        return;
    }
    let (checks, ours) = probe.identify().await;
    note(report, checks);
    if !ours {
        return;
    }
    let (check, state) = websocket::check(probe).await;
    report.ways.push((Way::WebSocket, state));
    note(report, vec![check]);
    let (check, state) = streams::event_stream(probe).await;
    report.ways.push((Way::EventStream, state));
    note(report, vec![check]);
    let (check, state) = streams::batch(probe).await;
    report.ways.push((Way::Batch, state));
    note(report, vec![check]);
    note(report, vec![streams::post(probe).await]);
    note(report, vec![http2::check(probe).await]);
    if !idle.is_zero() && probe.has_token() {
        let watched = (report.works(Way::WebSocket), report.works(Way::EventStream));
        let checks = idle::check(probe, idle, watched, |seconds| printer.progress(seconds, idle)).await;
        note(report, checks);
    }
}

/// Prints as things become known, or everything at once as JSON.
struct Printer {
    json: bool,
}

impl Printer {
    fn begin(&self, report: &Report) {
        if !self.json {
            // A closed pipe shows at the end.
            let _ = writeln!(std::io::stdout(), "What gets through to {}\n", report.url);
        }
    }

    fn check(&self, check: &Check) {
        if !self.json {
            let _ = writeln!(std::io::stdout(), "{}", check.line());
        }
    }

    fn progress(&self, seconds: u64, of: Duration) {
        let mut stderr = std::io::stderr();
        if !self.json && stderr.is_terminal() {
            let end = if seconds >= of.as_secs() { "\r\x1b[2K" } else { "" };
            let _ = write!(stderr, "\r  watching quiet connections: {seconds} of {} s {end}", of.as_secs());
        }
    }

    fn end(&self, report: &Report) -> Result<()> {
        if self.json {
            writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(report)?)?;
        } else {
            write!(std::io::stdout(), "\n{}", report.closing())?;
        }
        Ok(())
    }
}
