//! One round: the same client behind every network at once, a partner outside who posts all the time,
//! and a quiet spell in the middle, which is when short timeouts bite.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use switchback_client::Handle;
use switchback_core::RoomId;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep};

use crate::network::{self, Standing};
use crate::record::{PARTNER, Record, Verdict, judge};
use crate::site::Site;
use crate::talker::say;

/// How often everybody talks, with a quiet spell between.
const TALKS: usize = 2;
const QUIET: Duration = Duration::from_secs(7);
/// Between two posts of the partner in one room.
const PARTNERS_PACE: Duration = Duration::from_millis(500);
/// The captive portal closes so long after the talk began, and opens again after this.
const PORTAL_AFTER: Duration = Duration::from_secs(1);
const PORTAL_SHUT: Duration = Duration::from_secs(5);
/// When all is said, everything has come within this time.
const SETTLES: Duration = Duration::from_mins(1);
/// How long a program may take to log what it did.
const LOGGED: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);

/// The same kind of client, once behind each network.
pub(crate) trait Clients {
    /// Waits until every one has had its first `hello`.
    async fn live(&mut self);
    /// Posts from now on, or not.
    async fn talk(&mut self, go_on: bool);
    /// Waits until each has an answer to everything and has been told what the server has, and ends.
    async fn finish(self, stored: &[Vec<String>]) -> Vec<Record>;
}

/// What became of a client behind a network.
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    /// Of each evidence, how often it was seen.
    pub(crate) seen: Vec<u64>,
}

/// How long everybody talks each time.
pub(crate) fn talk_time() -> Duration {
    let seconds = std::env::var("SWITCHBACK_HOSTILE_SECS").map_or(8, |text| text.parse().unwrap());
    Duration::from_secs(seconds)
}

pub(crate) async fn run<C: Clients>(
    site: &Site,
    name: &str,
    start: impl AsyncFnOnce(&Site, &[Standing], &[RoomId]) -> C,
) -> Vec<Outcome> {
    let rooms = site.rooms(name).await;
    // One after the other: a port that was free a moment ago must not be another one's by now.
    let mut networks = Vec::new();
    for network in network::ALL {
        networks.push(network.start(site.server.address).await);
    }
    let before = counts(&networks);
    let mut clients = start(site, &networks, &rooms).await;
    clients.live().await;
    let partner = Partner::start(site.partner().await, rooms.clone());
    for number in 0..TALKS {
        partner.talking.send_replace(true);
        clients.talk(true).await;
        let weather = async {
            if number == 0 {
                shut_portals(&networks).await;
            }
        };
        tokio::join!(sleep(talk_time()), weather);
        partner.talking.send_replace(false);
        clients.talk(false).await;
        sleep(QUIET).await;
    }
    let told = partner.finish().await;
    let stored = settled(site, &rooms, &told).await;
    let records = clients.finish(&stored).await;
    // What the clients had under way at the end has come by now.
    let stored = join_all(rooms.iter().map(|room| site.stored(*room))).await;
    let seen = evidence(name, &networks, &before).await;
    let judged =
        records.iter().zip(&stored).zip(&told).map(|((record, stored), told)| judge(record, stored, told));
    let outcomes: Vec<Outcome> = judged.zip(seen).map(|(verdict, seen)| Outcome { verdict, seen }).collect();
    for (network, Outcome { verdict, seen }) in network::ALL.iter().zip(&outcomes) {
        println!("{name}: {}: {verdict:?}, seen {seen:?}", network.name);
    }
    outcomes
}

async fn shut_portals(networks: &[Standing]) {
    sleep(PORTAL_AFTER).await;
    set_portals(networks, true);
    sleep(PORTAL_SHUT).await;
    set_portals(networks, false);
}

/// Shuts or opens every captive portal.
pub(crate) fn set_portals(networks: &[Standing], shut: bool) {
    for (network, standing) in network::ALL.iter().zip(networks) {
        if let Standing::Box(middlebox) = standing
            && network.is_portal()
        {
            middlebox.shut(shut);
        }
    }
}

fn counts(networks: &[Standing]) -> Vec<Vec<u64>> {
    network::ALL.iter().zip(networks).map(|(network, standing)| network.counts(standing)).collect()
}

/// What the server has when everything that the partner knows of is there.
async fn settled(site: &Site, rooms: &[RoomId], told: &[Vec<String>]) -> Vec<Vec<String>> {
    let stored = join_all(rooms.iter().map(|room| site.stored(*room))).await;
    for (stored, told) in stored.iter().zip(told) {
        assert!(told.iter().all(|text| stored.contains(text)), "the server has forgotten {told:?}");
    }
    stored
}

/// How often each evidence was seen in this round. A program may log a moment later: some find out that
/// somebody has left when they next write to them, which is a heartbeat later.
async fn evidence(client: &str, networks: &[Standing], before: &[Vec<u64>]) -> Vec<Vec<u64>> {
    let deadline = Instant::now() + LOGGED;
    loop {
        let seen: Vec<Vec<u64>> = counts(networks)
            .iter()
            .zip(before)
            .map(|(now, before)| now.iter().zip(before).map(|(now, before)| now - before).collect())
            .collect();
        let complete = network::ALL.iter().zip(&seen).all(|(network, seen)| {
            network.evidence.iter().zip(seen).all(|(evidence, seen)| !evidence.is_due(client) || *seen > 0)
        });
        if complete || Instant::now() > deadline {
            return seen;
        }
        sleep(POLL).await;
    }
}

/// Waits until something is so, longer than the kit does.
pub(crate) async fn settles(mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + SETTLES;
    while !holds() {
        if Instant::now() > deadline {
            return false;
        }
        sleep(POLL).await;
    }
    true
}

/// Posts into every room while it is told to.
struct Partner {
    talking: watch::Sender<bool>,
    acked: Arc<Mutex<Vec<Vec<String>>>>,
    poster: tokio::task::JoinHandle<()>,
}

impl Partner {
    fn start(handle: Handle, rooms: Vec<RoomId>) -> Self {
        let (talking, told) = watch::channel(false);
        let acked = Arc::new(Mutex::new(vec![Vec::new(); rooms.len()]));
        let poster = tokio::spawn(post(handle, rooms, told, Arc::clone(&acked)));
        Self { talking, acked, poster }
    }

    /// Everything that was acknowledged, by room, in order.
    async fn finish(self) -> Vec<Vec<String>> {
        drop(self.talking);
        self.poster.await.unwrap();
        std::mem::take(&mut self.acked.lock().unwrap())
    }
}

async fn post(
    handle: Handle,
    rooms: Vec<RoomId>,
    mut told: watch::Receiver<bool>,
    acked: Arc<Mutex<Vec<Vec<String>>>>,
) {
    let mut pace = interval(PARTNERS_PACE);
    let mut under_way = JoinSet::new();
    for n in 0_usize.. {
        pace.tick().await;
        if told.wait_for(|talking| *talking).await.is_err() {
            break;
        }
        for (index, room) in rooms.iter().copied().enumerate() {
            let (handle, acked) = (handle.clone(), Arc::clone(&acked));
            under_way.spawn(async move {
                let text = format!("{PARTNER} {n}");
                assert!(say(&handle, room, &text).await, "nothing stands in the partner's way");
                acked.lock().unwrap()[index].push(text);
            });
        }
    }
    while let Some(posted) = under_way.join_next().await {
        posted.unwrap();
    }
}
