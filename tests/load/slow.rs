//! Readers who stop reading while the log runs on: a thousand connections stand still while 100,000
//! events pass through the real write path, and the server's memory must not grow by what they are
//! owed. Then they read again and must have everything, in order, nothing twice.
//!
//! Who may see what: each reader is in one of many small rooms and is owed that room's share of the
//! events. It is far more than the kernel's buffers of a connection hold, so that the server really
//! meets sockets that take nothing, and few enough that a thousand readers can be told all of it, and
//! every reader's record be held against the log, on two cores within the time that a test may take.
//!
//! Two ways to stand still. Most stop before the first event and go on after the last one, on the
//! connection they have: such a connection may be as far behind as it likes. Some come and stop later and
//! stay so until the server cuts them (`NO_PROGRESS`), and come back at their cursor. They come later because
//! whoever *comes back* more than `CATCH_UP_EVENTS` behind is told to start over, by design.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::future::try_join_all;
use switchback_client::Transport;
use switchback_core::wire::{Ack, Command, Request};
use switchback_core::{Nonce, RoomId, Seq};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::http::Http;
use crate::lean;
use crate::limits;
use crate::line::{Breadth, Line, Lost, Target};
use crate::posts::Ledger;
use crate::record::{Live, Record};
use crate::report::{self, tell};
use crate::samples::Sampler;
use crate::server::Server;
use crate::sockets;
use crate::team::{self, Person, Size, Team};
use crate::truth::{self, Log, Reader, Verdict};

/// Readers of one room.
const ROOM_PEOPLE: usize = 20;
/// Of so many readers one stops late and stays until it is cut.
const LATE_ONE_IN: usize = 10;
/// Of so many readers one has an event stream, the others a WebSocket.
const STREAM_ONE_IN: usize = 4;
/// When so many percent of the events have passed, the late ones come and stop: what is left is less
/// than `CATCH_UP_EVENTS`.
const LATE_AFTER_PERCENT: usize = 60;
/// Events that pass before anybody comes: the ring, the database's caches and the allocator are then as
/// full as they get. The ring has 8,192.
const WARM_EVENTS: usize = 12_000;
/// Senders at once.
const SENDERS: usize = 128;
/// A post, in bytes of text, and its event on the wire, at least.
const TEXT_BYTES: usize = 200;
const EVENT_BYTES: usize = 800;
/// On a machine so slow that the events take this long, those who must not be cut take a sip.
const THIRSTY: Duration = Duration::from_secs(18);
/// Frames of a sip: more than a third of what the kernel holds, which is what makes it take more.
const SIP_FRAMES: usize = 320;
/// How long the server may take to cut whoever takes nothing: its 30 s, and a slow machine.
const CUT_WITHIN: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Looks at the kernel's buffers until nothing moves in them.
const LOOKS: u32 = 8;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(long, default_value_t = 1000)]
    readers: usize,
    /// Events that pass while they do not read.
    #[arg(long, default_value_t = 100_000)]
    events: usize,
    /// The most that the server may hold for each while nobody reads, in KiB: what is left of one page of the log
    /// where most of them begin to catch up with it, however much is owed. Which page, the kernel's buffers decide.
    #[arg(long, default_value_t = 48)]
    most_kib_each: usize,
    /// The server's ring; the default if it is not said.
    #[arg(long)]
    ring_events: Option<usize>,
}

impl Args {
    pub(crate) const fn clients(&self) -> usize {
        self.readers
    }
}

/// What a reader is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Wait,
    /// Connect, and stop reading as soon as that is done. A connection that had already read much
    /// would have been given much larger buffers by the kernel.
    Join,
    /// A few frames, so as not to be cut.
    Sip(usize),
    Read,
}

struct Seat {
    person: Person,
    record: Record,
    is_late: bool,
    /// Connections lost.
    lost: Arc<AtomicUsize>,
    task: JoinHandle<Result<()>>,
}

/// Both groups' orders.
struct Orders {
    early: watch::Sender<Order>,
    late: watch::Sender<Order>,
}

/// What was seen while they stood still.
struct Stood {
    passed: Duration,
    growth_mib: f64,
    before_mib: f64,
    /// Connections of the server with bytes that it cannot get rid of, and bytes in the kernel for each.
    stuck: usize,
    unsent_bytes: u64,
    /// Connections that the server has. On a slow machine some are cut by now.
    not_cut: usize,
    sips: usize,
}

pub(crate) async fn run(args: &Args, binary: PathBuf, dir: PathBuf) -> Result<()> {
    let ring = args.ring_events.map(|events| events.to_string());
    let more: Vec<&str> = ring.iter().flat_map(|events| ["--ring-events", events.as_str()]).collect();
    let mut server = Server::new(binary, dir, &more)?;
    let rooms = args.readers.div_ceil(ROOM_PEOPLE);
    let size = Size { people: args.readers, rooms, history: 0 };
    let team = team::seed(server.data_dir(), server.address, size).await?;
    server.start().await?;
    let sampler = Sampler::start(server.pid());
    let ledger = Ledger::default();
    pass(&team, &ledger, WARM_EVENTS, |_| ()).await?;
    let (orders, seats) = sit_down(&team);
    let (early, late): (Vec<&Seat>, Vec<&Seat>) = seats.iter().partition(|seat| !seat.is_late);
    orders.early.send_replace(Order::Join);
    live(&early).await?;
    tell(&format!("{} readers in {rooms} rooms are connected, and stop", early.len()));
    let stood = stand_still(args, &server, &sampler, &orders, &ledger, &team).await?;
    let cut_at = Instant::now();
    orders.early.send_replace(Order::Read);
    let head = tell_all(&team, &ledger).await?;
    caught_up(&early, head).await?;
    let back = cut_at.elapsed();
    tell(&format!("those who were not cut have caught up after {:.1} s", back.as_secs_f64()));
    wait_for_cut(&server, &late).await?;
    orders.late.send_replace(Order::Read);
    caught_up(&late, head).await?;
    let after = sampler.since(cut_at).iter().map(|sample| sample.usage.pss_mib).fold(0.0, f64::max);

    for seat in &seats {
        seat.task.abort();
    }
    server.stop().await?;
    let log = Log::read(server.data_dir(), team.head).await?;
    let verdict = truth::check(&log, &ledger.read(), seats.iter().map(|seat| reader(seat, &team)));
    for line in server.complaints().iter().take(10) {
        tell(line);
    }
    conclude(args, &seats, &stood, &verdict, back, after)
}

fn sit_down(team: &Team) -> (Orders, Vec<Seat>) {
    let (early, early_told) = watch::channel(Order::Wait);
    let (late, late_told) = watch::channel(Order::Wait);
    let seat = |(number, person): (usize, &Person)| {
        let is_late = number.is_multiple_of(LATE_ONE_IN);
        let told = if is_late { late_told.clone() } else { early_told.clone() };
        // No beat in common with the late ones, so that these have both ways in.
        let is_stream = (number / LATE_ONE_IN + number).is_multiple_of(STREAM_ONE_IN);
        let way = if is_stream { Transport::Sse } else { Transport::Websocket };
        let (record, lost) = (Record::default(), Arc::<AtomicUsize>::default());
        let task = tokio::spawn(sit(person.target.clone(), way, record.clone(), told, Arc::clone(&lost)));
        Seat { person: person.clone(), record, is_late, lost, task }
    };
    (Orders { early, late }, team.people.iter().enumerate().map(seat).collect())
}

fn reader<'s>(seat: &'s Seat, team: &Team) -> Reader<'s> {
    let Person { user, room, .. } = seat.person;
    Reader { name: user.to_string(), user, rooms: [room, team.general], record: &seat.record }
}

/// Reads as it is told, coming back at its cursor whenever the connection is lost.
async fn sit(
    target: Target,
    way: Transport,
    record: Record,
    mut told: watch::Receiver<Order>,
    lost: Arc<AtomicUsize>,
) -> Result<()> {
    loop {
        told.wait_for(|order| matches!(order, Order::Join | Order::Read)).await?;
        let cursor = record.lock().cursor();
        match Line::open_as(&target, way, cursor, Breadth::Narrow).await {
            Ok(mut line) => {
                {
                    let mut record = record.lock();
                    record.lines += 1;
                    if cursor.is_none() {
                        record.begin(line.began);
                    }
                }
                let Err(why) = read(&mut line, &record, &mut told).await;
                lost.fetch_add(1, Ordering::Relaxed);
                let mut record = record.lock();
                (record.live, record.lost) = (None, why.why);
            }
            // So many at once: the next attempt finds a place.
            Err(_) => sleep(LOOK_EVERY).await,
        }
    }
}

/// Once there is enough, the socket is not touched until the next order: what comes stays in the kernel,
/// and soon with the server.
async fn read(
    line: &mut Line,
    record: &Record,
    told: &mut watch::Receiver<Order>,
) -> Result<std::convert::Infallible, Lost> {
    loop {
        let order = *told.borrow_and_update();
        for frames in 0.. {
            let is_enough = match order {
                Order::Wait => true,
                Order::Join => record.lock().live.is_some(),
                Order::Sip(_) => frames >= SIP_FRAMES,
                Order::Read => false,
            };
            if is_enough {
                break;
            }
            tokio::select! {
                biased;
                changed = told.changed() => {
                    changed.map_err(Lost::broken)?;
                    told.mark_changed();
                    break;
                }
                text = line.next() => lean::take(record, &text?, line)?,
            }
        }
        told.changed().await.map_err(Lost::broken)?;
    }
}

async fn live(seats: &[&Seat]) -> Result<()> {
    until("live", limits::ALL_LIVE, seats, |seat| {
        let live: Option<Live> = seat.record.lock().live;
        live.is_some()
    })
    .await
}

/// Something for everybody, so that each reader hears of the log's end. Where it stands.
async fn tell_all(team: &Team, ledger: &Ledger) -> Result<Seq> {
    let person = team.people.first().context("nobody")?;
    let mut http = Http::dial(person.target.address).await?;
    post(&mut http, person, team.general, ledger).await
}

async fn caught_up(seats: &[&Seat], head: Seq) -> Result<()> {
    until("caught up", limits::ALL_CAUGHT_UP, seats, |seat| seat.record.lock().through() >= head).await
}

async fn until(what: &str, within: Duration, seats: &[&Seat], is_so: impl Fn(&Seat) -> bool) -> Result<()> {
    let deadline = Instant::now() + within;
    loop {
        let missing: Vec<&Seat> = seats.iter().copied().filter(|seat| !is_so(seat)).collect();
        let Some(first) = missing.first() else { return Ok(()) };
        for seat in &missing {
            ensure!(!seat.task.is_finished(), "a reader gave up");
        }
        if Instant::now() > deadline {
            let record = first.record.lock();
            bail!("{} are not {what}; one is at {}, {:?}", missing.len(), record.through(), record.lost);
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Has so many events written, everybody's room in turn, each acknowledged before the sender's next.
async fn pass(team: &Team, ledger: &Ledger, events: usize, progress: impl Fn(usize)) -> Result<()> {
    let next = AtomicU64::new(0);
    let sending = (0..SENDERS).map(async |_| {
        let mut http = Http::dial(team.people[0].target.address).await?;
        loop {
            let number = usize::try_from(next.fetch_add(1, Ordering::Relaxed))?;
            if number >= events {
                return anyhow::Ok(());
            }
            progress(number);
            let person = &team.people[number % team.people.len()];
            post(&mut http, person, person.room, ledger).await?;
        }
    });
    try_join_all(sending).await?;
    Ok(())
}

async fn post(http: &mut Http, person: &Person, room: RoomId, ledger: &Ledger) -> Result<Seq> {
    let nonce = Nonce::from_uuid(Uuid::now_v7());
    let mut body = format!("{nonce} ");
    body.extend("the quick brown fox ".chars().cycle().take(TEXT_BYTES - body.len()));
    let command = Command::MessagePost { room, nonce, body: body.trim().parse()?, reply_to: None };
    let request = Request { id: None, command }.to_json();
    let headers = format!("Content-Type: application/json\r\n{}", person.target.authorization());
    let head = http.ask("POST", "/chat", &headers, &request).await?;
    let answer = http.body(&head).await?;
    // Not tried again: whoever does not read must not keep others from writing.
    ensure!(head.status == 200, "a post was answered {}: {answer}", head.status);
    let ack: Ack = serde_json::from_str(&answer)?;
    let seq = ack.seq.context("an acknowledgement without a place in the log")?;
    ledger.acknowledged(nonce, seq);
    Ok(seq)
}

async fn stand_still(
    args: &Args,
    server: &Server,
    sampler: &Sampler,
    orders: &Orders,
    ledger: &Ledger,
    team: &Team,
) -> Result<Stood> {
    let usage = || server.pid().usage().context("the server is gone");
    let before_mib = usage()?.pss_mib;
    let begun = Instant::now();
    let late_from = args.events * LATE_AFTER_PERCENT / 100;
    let sips = AtomicUsize::new(0);
    let thirst = async {
        loop {
            sleep(THIRSTY).await;
            let sip = sips.fetch_add(1, Ordering::Relaxed);
            orders.early.send_replace(Order::Sip(sip));
        }
    };
    let thirst = std::pin::pin!(thirst);
    let passing = pass(team, ledger, args.events, |number| {
        if number == late_from {
            orders.late.send_replace(Order::Join);
        }
    });
    tokio::select! {
        done = passing => done?,
        never = thirst => never,
    }
    let passed = begun.elapsed();
    let (stuck, not_cut) = stuck(server.address.port()).await?;
    let largest =
        sampler.since(begun).iter().map(|sample| sample.usage.pss_mib).fold(usage()?.pss_mib, f64::max);
    let stood = Stood {
        passed,
        growth_mib: largest - before_mib,
        before_mib,
        stuck: stuck.len(),
        not_cut,
        unsent_bytes: stuck.iter().sum::<u64>() / u64::try_from(stuck.len().max(1))?,
        sips: sips.load(Ordering::Relaxed),
    };
    tell(&format!(
        "{} events passed in {:.1} s; {} of {} connections are stuck with {} bytes each in the kernel; {:.1} MiB more",
        args.events,
        passed.as_secs_f64(),
        stood.stuck,
        stood.not_cut,
        stood.unsent_bytes,
        stood.growth_mib,
    ));
    Ok(stood)
}

/// Looks until nothing moves any more: of the connections that the server has, the unsent bytes of those that have
/// some and stay as they are; and how many there are.
async fn stuck(port: u16) -> Result<(Vec<u64>, usize)> {
    let mut before = sockets::unsent(port)?;
    let mut looks = 0;
    loop {
        sleep(limits::SAMPLE_EVERY).await;
        looks += 1;
        let now = sockets::unsent(port)?;
        let stays = now.iter().filter(|(peer, bytes)| **bytes > 0 && before.get(*peer) == Some(bytes));
        let stuck: Vec<u64> = stays.map(|(_, bytes)| *bytes).collect();
        if stuck.len() == now.len() || looks == LOOKS {
            return Ok((stuck, now.len()));
        }
        before = now;
    }
}

/// Until the server has cut all of them.
async fn wait_for_cut(server: &Server, late: &[&Seat]) -> Result<()> {
    let deadline = Instant::now() + CUT_WITHIN;
    loop {
        // Readers that have caught up have nothing unsent.
        let stuck = sockets::unsent(server.address.port())?.values().filter(|bytes| **bytes > 0).count();
        if stuck == 0 {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{stuck} of {} who take nothing are not cut", late.len());
        sleep(LOOK_EVERY).await;
    }
}

fn conclude(
    args: &Args,
    seats: &[Seat],
    stood: &Stood,
    verdict: &Verdict,
    back: Duration,
    after_mib: f64,
) -> Result<()> {
    let lost = |seat: &&Seat| seat.lost.load(Ordering::Relaxed);
    let cut = seats.iter().filter(|seat| lost(seat) > 0).count();
    let late = seats.iter().filter(|seat| seat.is_late).count();
    let owed_mib =
        args.events / args.readers.div_ceil(ROOM_PEOPLE) * args.readers * EVENT_BYTES / (1024 * 1024);
    let owed_mib = f64::from(u32::try_from(owed_mib)?);
    let most_mib = f64::from(u32::try_from(args.most_kib_each * args.readers)?) / 1_024.0;
    let rows = [
        (
            "readers; events that passed while they stood still".to_owned(),
            format!("{}; {}", args.readers, args.events),
        ),
        ("posted and acknowledged in".to_owned(), format!("{:.1} s", stood.passed.as_secs_f64())),
        (
            "connections whose socket took nothing more; bytes in the kernel for each".to_owned(),
            format!("{}; {}", stood.stuck, stood.unsent_bytes),
        ),
        ("owed to them, at least".to_owned(), format!("{owed_mib:.0} MiB")),
        (
            "memory (PSS) before; most growth while they stood still (bound)".to_owned(),
            format!("{:.1} MiB; {:.1} MiB ({:.0} MiB)", stood.before_mib, stood.growth_mib, most_mib),
        ),
        ("memory at most while they caught up".to_owned(), format!("{after_mib:.1} MiB")),
        (
            "read on where they were; cut after 30 s and back at their cursor".to_owned(),
            format!("{}; {cut}", seats.len() - cut),
        ),
        ("sips taken, for the machine was slow".to_owned(), stood.sips.to_string()),
        ("until those who were not cut had everything".to_owned(), format!("{:.1} s", back.as_secs_f64())),
        (
            "events delivered; lost; doubled".to_owned(),
            format!("{}; {}; {}", verdict.delivered, verdict.lost, verdict.doubled),
        ),
    ];
    report::table("slow", &["slow readers", ""], rows.map(|(what, value)| vec![what, value]))?;
    ensure!(verdict.is_clean(), "{verdict}");
    ensure!(stood.stuck == stood.not_cut, "only {} of {} were really stuck", stood.stuck, stood.not_cut);
    ensure!(
        stood.not_cut >= seats.len() - late,
        "only {} of {} were not cut too soon",
        stood.not_cut,
        seats.len()
    );
    ensure!(cut == late, "{cut} readers were cut, {late} should have been");
    // A server that kept what it owes would be found by it; what the kernel has is not in its memory.
    let kept_mib = owed_mib - mib(stood.unsent_bytes)? * f64::from(u32::try_from(args.readers)?);
    ensure!(
        kept_mib > 1.5 * most_mib,
        "{kept_mib:.0} MiB owed beyond what the kernel has would not be noticed"
    );
    ensure!(stood.growth_mib <= most_mib, "the server's memory grew by {:.0} MiB", stood.growth_mib);
    Ok(())
}

fn mib(bytes: u64) -> Result<f64> {
    Ok(f64::from(u32::try_from(bytes)?) / 1_048_576.0)
}
