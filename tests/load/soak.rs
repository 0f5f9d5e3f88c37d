//! A long run: clients come and go over every way in, away for shorter and for longer than the
//! server's memory of the log reaches, while somebody posts and reacts all the time. The server's
//! memory must be flat once it is warm, and no client may miss an event.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use rand::RngExt as _;
use switchback_client::{Handle, HistoryPage, Rest, Transport, TransportPolicy};
use switchback_core::limits::HISTORY_PAGE_MESSAGES;
use switchback_core::{RoomId, Seq};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, sleep};

use crate::http::Http;
use crate::lean::Lean;
use crate::limits;
use crate::posts::{self, Ledger, Voice};
use crate::publish::publish;
use crate::real::Real;
use crate::record::Record;
use crate::report::{self, tell};
use crate::samples::{self, Sample, Sampler};
use crate::server::Server;
use crate::team::{self, Person, Size, Team};
use crate::truth::{self, Log, Reader, Verdict};

/// People of one team, in one room.
const TEAM_PEOPLE: usize = 50;
/// Of so many clients one is the product's own Rust client, the others are lean ones.
const REAL_ONE_IN: usize = 10;
/// How long the server's memory of the log lasts at most, at the rate of this run.
const MEMORY_LASTS: Duration = Duration::from_mins(1);
/// Of so many things said one is a reaction.
const REACTION_ONE_IN: u64 = 5;
/// Of so many posts one goes to everybody.
const GENERAL_ONE_IN: u64 = 50;
/// Rooms whose history is read at once before it begins: more than the server has connections that read.
const READING_AT_ONCE: usize = 8;
/// Warm-up: this part of the run does not count for the slope.
const WARM_PART: u32 = 3;
/// The most that memory may grow by after that, in MiB per minute: what an allocator and a database
/// cache that fills slowly may take, and a leak of one small thing per connection may not.
const GROWTH_MIB_PER_MIN: f64 = 0.5;
/// Runs shorter than this say nothing about growth.
const SLOPE_NEEDS: Duration = Duration::from_mins(10);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How long clients come and go.
    #[arg(long, default_value_t = 30.0)]
    minutes: f64,
    #[arg(long, default_value_t = 1000)]
    clients: usize,
    /// Posts and reactions a second.
    #[arg(long, default_value_t = 40)]
    rate: u32,
    /// Messages that are there before it begins: the database's caches are full sooner.
    #[arg(long, default_value_t = 150_000)]
    history: usize,
}

impl Args {
    pub(crate) const fn clients(&self) -> usize {
        self.clients
    }
}

/// A place that one person's client comes to and goes from.
#[derive(Clone)]
struct Slot {
    person: Person,
    record: Record,
    is_real: bool,
    /// Of the real client that is connected.
    handle: Arc<Mutex<Option<Handle>>>,
}

/// How often what happened.
#[derive(Default)]
struct Counts {
    lives: AtomicU64,
    fresh_starts: AtomicU64,
    beyond_memory: AtomicU64,
    by_way: [AtomicUsize; 3],
}

struct Churn {
    /// How long the server's memory lasts.
    memory: Duration,
    ring_events: u64,
    counts: Counts,
    /// Something near the log's head, for a look at how much was missed.
    head: AtomicU64,
}

pub(crate) async fn run(args: &Args, binary: PathBuf, dir: PathBuf) -> Result<()> {
    let lasting = Duration::from_secs_f64(args.minutes * 60.0);
    let memory = MEMORY_LASTS.min(lasting / 8);
    let ring_events = (f64::from(args.rate) * memory.as_secs_f64()).ceil();
    let ring = format!("{ring_events:.0}");
    let mut server = Server::new(binary, dir, &["--ring-events", &ring])?;
    let rooms = args.clients.div_ceil(TEAM_PEOPLE);
    let size = Size { people: args.clients, rooms, history: args.history };
    let team = team::seed(server.data_dir(), server.address, size).await?;
    server.start().await?;
    read_history(&team).await?;
    tell(&format!("{} people in {rooms} rooms; {} events kept in memory", args.clients, ring));
    let churn = Arc::new(Churn {
        memory,
        ring_events: ring.parse()?,
        counts: Counts::default(),
        head: AtomicU64::new(0),
    });
    let begun = Instant::now();
    let sampler = Sampler::start(server.pid());
    let (ledger, (churning, told)) = (Ledger::default(), watch::channel(true));
    let slots: Vec<Slot> =
        team.people.iter().enumerate().map(|(number, person)| slot(number, person)).collect();
    let clients: Vec<JoinHandle<Result<()>>> = slots
        .iter()
        .map(|slot| tokio::spawn(come_and_go(slot.clone(), Arc::clone(&churn), told.clone())))
        .collect();
    let talking = tokio::spawn(talk(slots.clone(), team.clone(), args.rate, ledger.clone(), told));
    watch_over(begun + lasting, &slots, &clients, &sampler, begun).await?;
    churning.send_replace(false);
    talking.await??;
    // To everybody, so that each client hears of the log's end.
    posts::post(&[Voice::Post(team.people[0].target.clone())], team.general, &ledger).await?;
    gather(&slots, server.data_dir(), team.head).await?;
    let taken = sampler.since(begun);
    let metrics = metrics(&server).await?;
    clients.iter().for_each(JoinHandle::abort);
    server.stop().await?;
    let log = Log::read(server.data_dir(), team.head).await?;
    let readers = slots.iter().map(|slot| reader(slot, &team));
    let verdict = truth::check(&log, &ledger.read(), readers);
    conclude(args, &churn, &taken, &verdict, &log, &metrics, &server)
}

/// Reads every room from its end to its beginning, by as many at once as keep every connection of
/// the server's to its database busy: their page caches are then as full as they get. Otherwise they
/// fill for half an hour, which looks like a leak.
async fn read_history(team: &Team) -> Result<()> {
    let mut rooms = HashMap::new();
    rooms.extend(team.people.iter().map(|person| (person.room, person)));
    let reading = stream::iter(rooms).map(async |(room, person)| {
        let rest = rest(person)?;
        let mut page = HistoryPage::Newest;
        loop {
            let messages = rest.history(room, page, HISTORY_PAGE_MESSAGES).await.context("a page")?.messages;
            let Some(oldest) = messages.first() else { return Ok(()) };
            page = HistoryPage::Before(oldest.seq);
        }
    });
    reading.buffer_unordered(READING_AT_ONCE).try_collect().await
}

fn rest(person: &Person) -> Result<Rest> {
    let credential = switchback_client::Credential::Token(person.target.token.clone());
    Ok(Rest::new(format!("http://{}", person.target.address).parse()?, Some(&credential), None)?)
}

fn slot(number: usize, person: &Person) -> Slot {
    let is_real = number.is_multiple_of(REAL_ONE_IN);
    Slot { person: person.clone(), record: Record::default(), is_real, handle: Arc::default() }
}

fn reader<'s>(slot: &'s Slot, team: &Team) -> Reader<'s> {
    let Person { user, room, .. } = slot.person;
    Reader { name: user.to_string(), user, rooms: [room, team.general], record: &slot.record }
}

async fn come_and_go(slot: Slot, churn: Arc<Churn>, mut churning: watch::Receiver<bool>) -> Result<()> {
    let mut first = true;
    loop {
        let away = away(&churn, std::mem::take(&mut first));
        tokio::select! {
            () = sleep(away) => {}
            () = ended(&mut churning) => {}
        }
        begin(&slot, &churn).await?;
        let life = churn.memory.mul_f64(rand::rng().random_range(0.1..2.5));
        live_for(&slot, life, &churn, &mut churning).await?;
    }
}

/// Until nobody comes or goes any more.
async fn ended(churning: &mut watch::Receiver<bool>) {
    // The other end is dropped only after it has said so.
    let _ = churning.wait_for(|on| !*on).await;
}

/// Mostly a moment; sometimes longer than the server's memory of the log.
fn away(churn: &Churn, first: bool) -> Duration {
    let mut rng = rand::rng();
    let part =
        if first || rng.random_bool(0.85) { rng.random_range(0.0..0.3) } else { rng.random_range(1.1..2.0) };
    churn.memory.mul_f64(part)
}

/// Where the next life begins: mostly at the cursor of the one before, sometimes at a snapshot.
async fn begin(slot: &Slot, churn: &Churn) -> Result<()> {
    let through = slot.record.lock().through();
    let head = churn.head.load(Ordering::Relaxed);
    if through > 0 && head.saturating_sub(through) > churn.ring_events {
        churn.counts.beyond_memory.fetch_add(1, Ordering::Relaxed);
    }
    if through > 0 && rand::rng().random_bool(0.9) {
        return Ok(());
    }
    churn.counts.fresh_starts.fetch_add(1, Ordering::Relaxed);
    let snapshot = rest(&slot.person)?.snapshot().await.context("a snapshot")?;
    slot.record.lock().begin(snapshot.cursor);
    Ok(())
}

async fn live_for(
    slot: &Slot,
    life: Duration,
    churn: &Churn,
    churning: &mut watch::Receiver<bool>,
) -> Result<()> {
    churn.counts.lives.fetch_add(1, Ordering::Relaxed);
    let draw = rand::rng().random_range(0..10);
    let (policy, way) = match draw {
        0..6 => (TransportPolicy::Auto, 0),
        6..8 => (TransportPolicy::Only(Transport::Sse), 1),
        _ => (TransportPolicy::Only(Transport::Batch), 2),
    };
    churn.counts.by_way[way].fetch_add(1, Ordering::Relaxed);
    let over = async {
        tokio::select! {
            () = sleep(life) => {}
            // The run is over: stay, so that everybody can be seen to have everything.
            () = ended(churning) => std::future::pending().await,
        }
    };
    if slot.is_real {
        let mut real = Real::connect(&slot.person.target, policy, slot.record.clone())?;
        *slot.handle.lock().unwrap_or_else(PoisonError::into_inner) = Some(real.handle.clone());
        tokio::select! {
            () = real.stay() => {}
            () = over => {}
        }
        slot.handle.lock().unwrap_or_else(PoisonError::into_inner).take();
        real.leave();
        // What it was told before it ended and nobody has read yet counts as told.
        real.stay().await;
        slot.record.lock().live = None;
    } else {
        let mut lean = Lean::new(slot.person.target.clone(), policy, slot.record.clone());
        tokio::select! {
            () = lean.stay() => {}
            () = over => {}
        }
        let in_order = rand::rng().random_bool(0.5);
        lean.leave(in_order).await;
    }
    churn.head.fetch_max(slot.record.lock().through(), Ordering::Relaxed);
    Ok(())
}

/// Somebody posts or reacts at a steady rate, whoever is there.
async fn talk(
    slots: Vec<Slot>,
    team: Team,
    rate: u32,
    ledger: Ledger,
    mut churning: watch::Receiver<bool>,
) -> Result<()> {
    let mut pace = tokio::time::interval(Duration::from_secs(1) / rate.max(1));
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut saying = JoinSet::new();
    for number in 0_u64.. {
        tokio::select! {
            _ = pace.tick() => {}
            () = ended(&mut churning) => break,
        }
        let slot = &slots[rand::rng().random_range(0..slots.len())];
        let (slot, ledger, general) = (slot.clone(), ledger.clone(), team.general);
        saying.spawn(async move { speak(number, &slot, general, &ledger).await });
        while let Some(done) = saying.try_join_next() {
            done??;
        }
    }
    while let Some(done) = saying.join_next().await {
        done??;
    }
    Ok(())
}

async fn speak(number: u64, slot: &Slot, general: RoomId, ledger: &Ledger) -> Result<()> {
    let handle = slot.handle.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let by_post = Voice::Post(slot.person.target.clone());
    let voices: Vec<Voice> = handle.map(Voice::Client).into_iter().chain([by_post]).collect();
    let newest = slot.record.lock().newest;
    if let (0, Some((_, message))) = (number % REACTION_ONE_IN, newest) {
        return posts::react(&voices, message, ledger).await;
    }
    let room = if number % GENERAL_ONE_IN == 1 { general } else { slot.person.room };
    posts::post(&voices, room, ledger).await
}

/// Until the time is over; a client that gave up, or a record with a fault, ends the run early.
async fn watch_over(
    until: Instant,
    slots: &[Slot],
    clients: &[JoinHandle<Result<()>>],
    sampler: &Sampler,
    begun: Instant,
) -> Result<()> {
    let mut every = tokio::time::interval(report::TELL_EVERY);
    every.tick().await;
    let mut over = pin!(tokio::time::sleep_until(until));
    loop {
        let is_over = tokio::select! {
            () = &mut over => true,
            _ = every.tick() => false,
        };
        ensure!(!clients.iter().any(JoinHandle::is_finished), "a client gave up");
        for slot in slots {
            let record = slot.record.lock();
            ensure!(record.faults.is_empty(), "{}: {:?}", slot.person.user, record.faults);
        }
        let live = slots.iter().filter(|slot| slot.record.lock().live.is_some()).count();
        let now = sampler.since(begun).last().map(|sample| sample.usage).unwrap_or_default();
        tell(&format!(
            "{:6.1} min: {live} live, {:.1} MiB resident, {:.1} MiB proportional, {} descriptors",
            begun.elapsed().as_secs_f64() / 60.0,
            now.rss_mib,
            now.pss_mib,
            now.descriptors
        ));
        if is_over {
            return Ok(());
        }
    }
}

/// Until everybody is there and has heard of the last event.
async fn gather(slots: &[Slot], data_dir: &Path, from: Seq) -> Result<()> {
    let head = Log::read(data_dir, from).await?.head;
    let deadline = Instant::now() + limits::ALL_CAUGHT_UP;
    let behind = || slots.iter().filter(|slot| slot.record.lock().through() < head).count();
    while behind() > 0 {
        ensure!(Instant::now() < deadline, "{} clients have not caught up", behind());
        sleep(limits::SAMPLE_EVERY).await;
    }
    Ok(())
}

/// What the server says of itself.
async fn metrics(server: &Server) -> Result<String> {
    let mut http = Http::dial(server.address).await?;
    let head = http.ask("GET", "/metrics", "", "").await?;
    let mut text = String::new();
    if head.length.is_some() {
        return http.body(&head).await;
    }
    while let Some(chunk) = http.chunk().await? {
        text.push_str(std::str::from_utf8(&chunk)?);
    }
    Ok(text)
}

fn conclude(
    args: &Args,
    churn: &Churn,
    samples: &[Sample],
    verdict: &Verdict,
    log: &Log,
    metrics: &str,
    server: &Server,
) -> Result<()> {
    let lasting = Duration::from_secs_f64(args.minutes * 60.0);
    let warm = lasting / WARM_PART;
    let first = samples.first().context("no samples")?.at;
    let settled: Vec<Sample> = samples.iter().filter(|sample| sample.at >= first + warm).copied().collect();
    let slope = samples::slope_mib_per_min(&settled);
    let events = metrics.lines().find_map(|line| line.strip_prefix("switchback_events_total "));
    let counted = events.context("no count of events in /metrics")?.trim();
    let at = |samples: &[Sample]| samples.first().map_or(0.0, |sample| sample.usage.rss_mib);
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let [auto, stream, batch] = churn.counts.by_way.each_ref().map(|way| way.load(Ordering::Relaxed));
    let last = samples.last().context("no samples")?.usage;
    let rows = [
        ("clients; minutes".to_owned(), format!("{}; {:.1}", args.clients, args.minutes)),
        (
            "connections made by choice: any way; event stream; batches".to_owned(),
            format!("{auto}; {stream}; {batch}"),
        ),
        (
            "of them, back at a cursor older than the server's memory".to_owned(),
            load(&churn.counts.beyond_memory).to_string(),
        ),
        ("of them, from a fresh snapshot".to_owned(), load(&churn.counts.fresh_starts).to_string()),
        (
            "said and acknowledged (tried more than once)".to_owned(),
            format!("{} ({})", verdict.acked, verdict.tried_again),
        ),
        ("events in the log; made visible, by `/metrics`".to_owned(), format!("{}; {counted}", log.len())),
        ("events delivered".to_owned(), verdict.delivered.to_string()),
        ("lost".to_owned(), verdict.lost.to_string()),
        ("doubled".to_owned(), verdict.doubled.to_string()),
        (
            "resident memory after warm-up; at the end; peak".to_owned(),
            format!("{:.1} MiB; {:.1} MiB; {:.1} MiB", at(&settled), last.rss_mib, last.peak_mib),
        ),
        (
            format!("growth after warm-up (bound: {GROWTH_MIB_PER_MIN} MiB per minute)"),
            format!("{slope:.2} MiB per minute"),
        ),
        ("processor, mean".to_owned(), format!("{:.0} % of one", last.cpu_s / lasting.as_secs_f64() * 100.0)),
        ("warnings and errors in the server's log".to_owned(), server.complaints().len().to_string()),
    ];
    report::table("soak", &["", ""], rows.iter().map(|(what, how)| vec![what.clone(), how.clone()]))?;
    publish("soak.svg", &samples::svg(samples, warm))?;
    server.complaints().iter().take(10).for_each(|line| tell(line));
    ensure!(verdict.is_clean(), "{verdict}");
    let is_long = lasting >= SLOPE_NEEDS;
    ensure!(!is_long || slope <= GROWTH_MIB_PER_MIN, "memory grows by {slope:.2} MiB per minute");
    Ok(())
}
