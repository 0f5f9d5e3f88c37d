//! A reconnect storm: everybody is connected when the server dies, and comes back at once. Then the
//! same with a planned restart, where each is told its own time to come back.
//!
//! A client counts as back when the server has told it `ready` on a connection whose `hello` came
//! after the old process was gone: it then has everything that it missed.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use switchback_client::{Transport, TransportPolicy};
use switchback_core::RoomId;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, sleep};

use crate::lean::Lean;
use crate::limits;
use crate::posts::{self, Ledger, Voice};
use crate::real::Real;
use crate::record::{Live, Record};
use crate::report::{self, tell};
use crate::samples::{self, Sampler};
use crate::server::Server;
use crate::team::{self, Person, Size, Team};
use crate::truth::{self, Log, Reader, Verdict};

/// People of one team, in one room.
const TEAM_PEOPLE: usize = 100;
/// Of so many clients one is the product's own Rust client, the others are lean ones.
const REAL_ONE_IN: usize = 20;
/// Clients of which one posts all the time.
const POSTER_ONE_IN: usize = 250;
/// Time between two posts of one poster.
const POST_EVERY: Duration = Duration::from_secs(1);
/// Of so many posts of one poster one goes to everybody.
const GENERAL_ONE_IN: u64 = 20;
/// Between two looks at who is back.
const LOOK_EVERY: Duration = Duration::from_millis(20);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(long, default_value_t = 5000)]
    clients: usize,
    /// Between a storm's end and what comes next, in seconds: presence settles, backoffs begin anew.
    #[arg(long, default_value_t = 8.0)]
    quiet: f64,
    /// The most memory that the server may take at any time, in MiB.
    #[arg(long, default_value_t = 1024.0)]
    most_mib: f64,
}

impl Args {
    pub(crate) const fn clients(&self) -> usize {
        self.clients
    }
}

/// Somebody's client.
struct Seat {
    person: Person,
    record: Record,
    task: JoinHandle<()>,
}

/// How a cut was survived.
struct Row {
    cut: &'static str,
    proof: String,
    /// From the cut until the server listened again.
    down: Duration,
    /// When how many were back, since the server listened again: 50 %, 99 %, all.
    back: [Duration; 3],
    /// From the cut until the last was back.
    blackout: Duration,
    lines: u64,
    peak_mib: f64,
    cpu_s: f64,
    busiest_percent: f64,
}

pub(crate) async fn run(args: &Args, binary: PathBuf, dir: PathBuf) -> Result<()> {
    let mut server = Server::new(binary, dir, &[])?;
    let rooms = args.clients.div_ceil(TEAM_PEOPLE);
    let size = Size { people: args.clients, rooms, history: 0 };
    let team = team::seed(server.data_dir(), server.address, size).await?;
    server.start().await?;
    tell(&format!("{} people in {rooms} rooms", args.clients));
    let sampler = Sampler::start(server.pid());
    let begun = Instant::now();
    let seats = arrive(&team).await?;
    all_back(&seats, begun).await?;
    tell(&format!("all connected after {:.1} s", begun.elapsed().as_secs_f64()));
    let (ledger, talking) = (Ledger::default(), Arc::new(AtomicBool::new(true)));
    let posters: Vec<_> = seats.iter().step_by(POSTER_ONE_IN).map(|seat| poster(seat, &team)).collect();
    let posters: Vec<JoinHandle<Result<()>>> = posters
        .into_iter()
        .map(|(voice, rooms)| tokio::spawn(talk(voice, rooms, ledger.clone(), Arc::clone(&talking))))
        .collect();
    let quiet = Duration::from_secs_f64(args.quiet);
    let mut rows = Vec::new();
    for planned in [false, true] {
        sleep(quiet).await;
        let row = cut(planned, &mut server, &seats, &sampler, quiet).await?;
        tell(&format!("{}: all back after {:.1} s, {}", row.cut, row.blackout.as_secs_f64(), ways(&seats)));
        rows.push(row);
    }
    talking.store(false, Ordering::Relaxed);
    for poster in posters {
        poster.await??;
    }
    // To everybody, so that each client hears of the log's end.
    posts::post(&[Voice::Post(team.people[0].target.clone())], team.general, &ledger).await?;
    let verdict = judge(&server, &seats, &team, &ledger).await?;
    for line in server.complaints().iter().take(10) {
        tell(line);
    }
    show(args, &rows, &verdict)?;
    ensure!(verdict.is_clean(), "{verdict}");
    let peak = rows.iter().map(|row| row.peak_mib).fold(0.0, f64::max);
    ensure!(peak <= args.most_mib, "the server took {peak:.0} MiB");
    Ok(())
}

/// Seven of ten by whatever is best, two by event stream, one by batches.
const fn policy(number: usize) -> TransportPolicy {
    match number % 10 {
        0..7 => TransportPolicy::Auto,
        7 | 8 => TransportPolicy::Only(Transport::Sse),
        _ => TransportPolicy::Only(Transport::Batch),
    }
}

async fn arrive(team: &Team) -> Result<Vec<Seat>> {
    let mut pace = tokio::time::interval(Duration::from_secs(1) / limits::ARRIVALS_PER_S);
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut seats = Vec::new();
    for (number, person) in team.people.iter().enumerate() {
        pace.tick().await;
        let record = Record::default();
        let (target, policy) = (person.target.clone(), policy(number));
        // Real ones over all ways in: 20 and 10 have no beat in common with the places they take.
        let is_real = (number / 10) % REAL_ONE_IN == number % REAL_ONE_IN;
        let task = if is_real {
            let mut real = Real::connect(&target, policy, record.clone())?;
            tokio::spawn(async move { real.stay().await })
        } else {
            let mut lean = Lean::new(target, policy, record.clone());
            tokio::spawn(async move { lean.stay().await })
        };
        seats.push(Seat { person: person.clone(), record, task });
    }
    Ok(seats)
}

fn poster(seat: &Seat, team: &Team) -> (Voice, [RoomId; 2]) {
    (Voice::Post(seat.person.target.clone()), [seat.person.room, team.general])
}

async fn talk(
    voice: Voice,
    [room, general]: [RoomId; 2],
    ledger: Ledger,
    talking: Arc<AtomicBool>,
) -> Result<()> {
    let mut pace = tokio::time::interval(POST_EVERY);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 1_u64.. {
        pace.tick().await;
        if !talking.load(Ordering::Relaxed) {
            break;
        }
        let room = if number % GENERAL_ONE_IN == 0 { general } else { room };
        posts::post(std::slice::from_ref(&voice), room, &ledger).await?;
    }
    Ok(())
}

/// Waits until everybody is live on a line that opened after `gone`. When each was.
async fn all_back(seats: &[Seat], gone: Instant) -> Result<Vec<Instant>> {
    let deadline = Instant::now() + limits::ALL_LIVE;
    loop {
        let live = |seat: &Seat| seat.record.lock().live.filter(|live: &Live| live.opened_at >= gone);
        let mut ready: Vec<Instant> = seats.iter().filter_map(live).map(|live| live.ready_at).collect();
        if ready.len() == seats.len() {
            ready.sort_unstable();
            return Ok(ready);
        }
        if Instant::now() > deadline {
            let missing = seats.iter().find(|seat| live(seat).is_none());
            let why = missing.map(|seat| seat.record.lock().lost.clone()).unwrap_or_default();
            bail!("only {} of {} are live; one of the others: {why}", ready.len(), seats.len());
        }
        sleep(LOOK_EVERY).await;
    }
}

/// How many are live by which way in.
fn ways(seats: &[Seat]) -> String {
    let by = |way| {
        let on = |seat: &&Seat| seat.record.lock().live.is_some_and(|live| live.transport == way);
        seats.iter().filter(on).count()
    };
    let [socket, stream, batch] = [Transport::Websocket, Transport::Sse, Transport::Batch].map(by);
    format!("{socket} by WebSocket, {stream} by event stream, {batch} by batches")
}

fn lines(seats: &[Seat]) -> u64 {
    seats.iter().map(|seat| seat.record.lock().lines).sum()
}

async fn cut(
    planned: bool,
    server: &mut Server,
    seats: &[Seat],
    sampler: &Sampler,
    quiet: Duration,
) -> Result<Row> {
    let (lines_before, old, cut_at) = (lines(seats), server.id(), Instant::now());
    if planned {
        server.stop().await?;
    } else {
        server.kill()?;
    }
    let gone = Instant::now();
    let listening = server.start().await?;
    let ready = all_back(seats, gone).await?;
    let at = |percent: usize| ready[(ready.len() * percent).div_ceil(100).max(1) - 1];
    let back = [50, 99, 100].map(|percent| at(percent).saturating_duration_since(listening));
    // What comes after: everybody's presence is told.
    sleep(quiet).await;
    let taken = sampler.since(listening);
    let how = if planned { "ended with 0 after SIGTERM" } else { "ended by signal 9" };
    Ok(Row {
        cut: if planned { "planned restart" } else { "kill -9" },
        proof: format!("process {old} {how}, {} answers since", server.id()),
        down: listening - cut_at,
        back,
        blackout: at(100) - cut_at,
        lines: lines(seats) - lines_before,
        peak_mib: taken.last().map_or(0.0, |sample| sample.usage.peak_mib),
        cpu_s: taken.last().map_or(0.0, |sample| sample.usage.cpu_s),
        busiest_percent: samples::busiest_percent(&taken),
    })
}

async fn judge(server: &Server, seats: &[Seat], team: &Team, ledger: &Ledger) -> Result<Verdict> {
    let log = Log::read(server.data_dir(), team.head).await?;
    let deadline = Instant::now() + limits::ALL_CAUGHT_UP;
    while seats.iter().any(|seat| seat.record.lock().through() < log.head) {
        // A verdict follows in any case, which says who is behind.
        if Instant::now() > deadline {
            break;
        }
        sleep(limits::SAMPLE_EVERY).await;
    }
    for seat in seats {
        seat.task.abort();
    }
    let readers = seats.iter().map(|seat| {
        let Person { user, room, .. } = seat.person;
        Reader { name: user.to_string(), user, rooms: [room, team.general], record: &seat.record }
    });
    Ok(truth::check(&log, &ledger.read(), readers))
}

fn show(args: &Args, rows: &[Row], verdict: &Verdict) -> Result<()> {
    let head = [
        "cut",
        "clients",
        "down",
        "50 % back",
        "99 % back",
        "100 % back",
        "longest blackout",
        "connections made",
        "peak memory",
        "processor time",
        "at most",
        "how the fault was proven",
    ];
    let s = |duration: Duration| format!("{:.1} s", duration.as_secs_f64());
    let lines = rows.iter().map(|row| {
        let [half, most, all] = row.back.map(s);
        vec![
            row.cut.to_owned(),
            args.clients.to_string(),
            s(row.down),
            half,
            most,
            all,
            s(row.blackout),
            row.lines.to_string(),
            format!("{:.0} MiB", row.peak_mib),
            format!("{:.1} s", row.cpu_s),
            format!("{:.0} %", row.busiest_percent),
            row.proof.clone(),
        ]
    });
    report::table("storm", &head, lines)?;
    tell(&format!(
        "{} posts acknowledged ({} tried more than once), {} events delivered, {} lost, {} doubled",
        verdict.acked, verdict.tried_again, verdict.delivered, verdict.lost, verdict.doubled
    ));
    Ok(())
}
