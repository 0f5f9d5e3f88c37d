//! The network between one client and the server: a TCP proxy that can be as bad as a real one.
//!
//! It works on bytes and knows nothing of what they say. What it cannot do is lose one packet of a
//! connection that goes on: TCP would send it again, and that is delay, which it can do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::rng::Rng;

/// A receive buffer so small that a reader who stops is noticed at the other end soon.
const SMALL_BUFFER_BYTES: u32 = 4_096;
/// Read at once.
const PIECE_BYTES: usize = 4_096;
/// A bad phone network: bytes a second, latency and how much it varies, and pauses.
const PHONE: Pace = Pace {
    piece_bytes: 4_096,
    bytes_s: 8_000,
    latency_ms: 300,
    jitter_ms: 200,
    stall_every: 12,
    stall_ms: 3_000,
};
const ONE_BYTE: Pace =
    Pace { piece_bytes: 1, bytes_s: 1, latency_ms: 0, jitter_ms: 0, stall_every: 0, stall_ms: 0 };

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pace {
    piece_bytes: usize,
    bytes_s: u64,
    latency_ms: u64,
    jitter_ms: u64,
    /// Every so many pieces one waits long; 0: none.
    stall_every: u64,
    stall_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    Fine,
    /// Nothing passes; nothing is closed.
    Black,
    /// The client reads slowly.
    SlowReader,
    /// The client sends slowly.
    SlowSender,
    Phone,
}

/// What has been done so far; the proof of a fault.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    opened: AtomicU64,
    /// Bytes that were let through slowly.
    pub(crate) slow_bytes: AtomicU64,
    /// Bytes that were swallowed by connections given up in silence.
    pub(crate) swallowed: AtomicU64,
    pub(crate) reset: AtomicU64,
    pub(crate) silenced: AtomicU64,
    /// Milliseconds that pieces were held back.
    pub(crate) held_ms: AtomicU64,
}

pub(crate) struct Link {
    pub(crate) address: SocketAddr,
    weather: watch::Sender<Weather>,
    /// Counts what befell the connections that there were, and whether it was silence.
    fate: watch::Sender<(u64, bool)>,
    pub(crate) counts: Arc<Counts>,
}

impl Link {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (weather, sees) = watch::channel(Weather::Fine);
        let (fate, feels) = watch::channel((0, false));
        let counts = Arc::new(Counts::default());
        let counting = Arc::clone(&counts);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let mut feels = feels.clone();
                feels.mark_unchanged();
                tokio::spawn(pass(client, server, sees.clone(), feels, Arc::clone(&counting)));
            }
        });
        Self { address, weather, fate, counts }
    }

    pub(crate) fn weather(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    /// Each connection ends with RST, at both ends.
    pub(crate) fn reset(&self) {
        self.fate.send_modify(|(count, silence)| (*count, *silence) = (*count + 1, false));
    }

    /// Each connection stays open and carries nothing any more.
    pub(crate) fn silence(&self) {
        self.fate.send_modify(|(count, silence)| (*count, *silence) = (*count + 1, true));
    }
}

/// One connection from its beginning to its end. Where an end is gone there is nobody left to tell.
async fn pass(
    mut client: TcpStream,
    server: SocketAddr,
    mut sees: watch::Receiver<Weather>,
    mut feels: watch::Receiver<(u64, bool)>,
    counts: Arc<Counts>,
) -> Option<()> {
    sees.wait_for(|weather| *weather != Weather::Black).await.ok()?;
    let socket = TcpSocket::new_v4().ok()?;
    socket.set_recv_buffer_size(SMALL_BUFFER_BYTES).ok()?;
    let mut upstream = socket.connect(server).await.ok()?;
    client.set_nodelay(true).ok()?;
    upstream.set_nodelay(true).ok()?;
    let number = counts.opened.fetch_add(1, Ordering::Relaxed);
    let silenced = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = upstream.split();
        let up = Lane { sees: sees.clone(), up: true, rng: Rng::new(number), counts: Arc::clone(&counts) };
        let down = Lane { sees, up: false, rng: Rng::new(!number), counts: Arc::clone(&counts) };
        tokio::select! {
            _ = async { tokio::join!(up.carry(from_client, to_server), down.carry(from_server, to_client)) } => {
                return Some(());
            }
            changed = feels.changed() => changed.ok().map(|()| feels.borrow().1)?,
        }
    };
    if silenced {
        counts.silenced.fetch_add(1, Ordering::Relaxed);
        swallow(&mut client, &counts).await;
    } else {
        counts.reset.fetch_add(1, Ordering::Relaxed);
    }
    client.set_zero_linger().ok()?;
    upstream.set_zero_linger().ok()
}

/// Until the client has given the connection up. What the server says is not even read.
async fn swallow(client: &mut TcpStream, counts: &Counts) {
    let mut buffer = [0; PIECE_BYTES];
    while let Ok(read @ 1..) = client.read(&mut buffer).await {
        counts.swallowed.fetch_add(u64::try_from(read).unwrap(), Ordering::Relaxed);
    }
}

/// One direction of a connection.
struct Lane {
    sees: watch::Receiver<Weather>,
    up: bool,
    rng: Rng,
    counts: Arc<Counts>,
}

impl Lane {
    async fn carry(mut self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> Option<()> {
        let mut buffer = [0; PIECE_BYTES];
        loop {
            let most = self.pace().map_or(PIECE_BYTES, |pace| pace.piece_bytes);
            let Ok(read @ 1..) = from.read(&mut buffer[..most]).await else {
                return to.shutdown().await.ok();
            };
            let mut rest = &buffer[..read];
            while !rest.is_empty() {
                self.sees.wait_for(|weather| *weather != Weather::Black).await.ok()?;
                let most = self.pace().map_or(PIECE_BYTES, |pace| pace.piece_bytes);
                let (piece, after) = rest.split_at(rest.len().min(most));
                self.wait(piece.len()).await;
                to.write_all(piece).await.ok()?;
                rest = after;
            }
        }
    }

    fn pace(&self) -> Option<Pace> {
        match (*self.sees.borrow(), self.up) {
            (Weather::Phone, _) => Some(PHONE),
            (Weather::SlowReader, false) | (Weather::SlowSender, true) => Some(ONE_BYTE),
            _ => None,
        }
    }

    async fn wait(&mut self, bytes: usize) {
        let Some(pace) = self.pace() else { return };
        let bytes = u64::try_from(bytes).unwrap();
        let jitter = self.rng.within(0, 2 * pace.jitter_ms + 1);
        let stalls = pace.stall_every > 0 && self.rng.within(0, pace.stall_every) == 0;
        let stall = if stalls { pace.stall_ms } else { 0 };
        let wait =
            (pace.latency_ms + jitter).saturating_sub(pace.jitter_ms) + bytes * 1_000 / pace.bytes_s + stall;
        self.counts.held_ms.fetch_add(wait, Ordering::Relaxed);
        self.counts.slow_bytes.fetch_add(bytes, Ordering::Relaxed);
        sleep(Duration::from_millis(wait)).await;
    }
}
