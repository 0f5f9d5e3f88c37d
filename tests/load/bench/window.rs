//! One window of a measurement: everybody is connected, somebody posts at a rate, and what the server
//! takes meanwhile is counted until the last delivery.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::generator::{Generator, LineId, Reads, Tally};
use super::peers::{Peer, Way};
use super::stats::float;
use super::usage::{self, Cpu};
use super::wire;

/// How long nothing may come before what is missing is given up.
const GIVEN_UP: Duration = Duration::from_secs(5);
/// A wait for something that comes at once.
const MOMENT: Duration = Duration::from_millis(1);
/// A server has accepted new connections after this.
const ACCEPTED: Duration = Duration::from_millis(50);
/// Connections that post by HTTP.
const POSTERS: usize = 32;
/// The most that the generator may take of its processor: beyond, it measures itself.
pub(super) const SATURATED: f64 = 0.9;

/// Who listens to a server, and who speaks.
pub(super) struct Audience {
    pub(super) lines: Vec<LineId>,
    rooms: usize,
    posts_by_http: bool,
    posters: Vec<LineId>,
    idle: VecDeque<LineId>,
    /// Whose turn it is to speak.
    next: usize,
}

/// How much is said for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) posts_per_s: f64,
    pub(super) lasting: Duration,
    pub(super) text_bytes: usize,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Window {
    pub(super) tally: Tally,
    pub(super) posts: u64,
    pub(super) expected: u64,
    pub(super) elapsed: Duration,
    pub(super) server_ns: u64,
    /// Of its own processor, what the generator took.
    pub(super) generator_share: f64,
    /// Of all processors, what neither of them took.
    pub(super) others_share: f64,
    /// How late the latest post was sent.
    pub(super) latest: Duration,
}

impl Window {
    pub(super) fn us_per_delivery(&self) -> f64 {
        float(self.server_ns) / 1_000.0 / float(self.tally.deliveries)
    }

    pub(super) fn per_s(&self) -> f64 {
        float(self.tally.deliveries) / self.elapsed.as_secs_f64()
    }

    pub(super) const fn is_whole(&self) -> bool {
        self.tally.deliveries == self.expected
    }
}

impl Audience {
    /// Connects everybody: `seats` connections in `rooms` rooms, one after the other.
    pub(super) fn gather(
        generator: &mut Generator,
        peer: &Peer,
        way: Way,
        seats: usize,
        rooms: usize,
    ) -> Result<Self> {
        let lines = generator.open(peer.address, (0..seats).map(|seat| peer.listen(way, seat)))?;
        let posts_by_http = !peer.speaks_where_it_listens(way);
        Ok(Self { lines, rooms, posts_by_http, posters: Vec::new(), idle: VecDeque::new(), next: 0 })
    }

    pub(super) fn leave(&self, generator: &mut Generator) {
        generator.close(&self.lines);
    }

    /// Opens the connections that post, where listeners do not. For one window: a server may close what
    /// has nothing to say while others have theirs.
    fn open_posters(&mut self, generator: &mut Generator, peer: &Peer) -> Result<()> {
        if self.posts_by_http {
            for _ in 0..POSTERS {
                self.posters.push(generator.plain(peer.address, Reads::Answers)?);
            }
            self.idle = self.posters.iter().copied().collect();
            generator.settle(ACCEPTED, ACCEPTED)?;
        }
        Ok(())
    }

    fn close_posters(&mut self, generator: &mut Generator) {
        generator.close(&self.posters);
        self.posters.clear();
        self.idle.clear();
    }

    /// How many hear what is said from this seat.
    fn listeners(&self, seat: usize) -> usize {
        let room = seat % self.rooms;
        (self.lines.len() - room).div_ceil(self.rooms)
    }

    pub(super) fn window(&mut self, generator: &mut Generator, peer: &Peer, pace: Pace) -> Result<Window> {
        let mut window = Window::default();
        self.open_posters(generator, peer)?;
        generator.tally = Tally::default();
        let (cpu, own, busy) = (Cpu::of(peer.pid()), usage::own_cpu_ns(), usage::machine_busy_ns());
        let begun = Instant::now();
        let between = Duration::from_secs_f64(1.0 / pace.posts_per_s);
        let mut due = begun;
        let end = begun + pace.lasting;
        while due < end {
            let now = Instant::now();
            if now < due {
                generator.turn((due - now).min(Duration::from_millis(20)))?;
            } else {
                // Also when many are due, what has come is taken in between.
                if let Some(seat) = self.speak(generator, peer, pace.text_bytes)? {
                    window.latest = window.latest.max(now - due);
                    window.posts += 1;
                    window.expected += self.listeners(seat) as u64;
                    due += between;
                }
                let wait = if self.posts_by_http && self.idle.is_empty() { MOMENT } else { Duration::ZERO };
                if window.posts.is_multiple_of(8) || wait == MOMENT {
                    generator.turn(wait)?;
                }
            }
            self.freed(generator);
        }
        let mut last = (Instant::now(), generator.tally.deliveries);
        while generator.tally.deliveries < window.expected && last.0.elapsed() < GIVEN_UP {
            generator.turn(Duration::from_millis(5))?;
            self.freed(generator);
            if generator.tally.deliveries != last.1 {
                last = (Instant::now(), generator.tally.deliveries);
            }
        }
        window.elapsed = last.0.max(end).duration_since(begun);
        if !window.is_whole() {
            window.elapsed = last.0.duration_since(begun);
        }
        window.server_ns = Cpu::of(peer.pid()).since(&cpu);
        let own = usage::own_cpu_ns() - own;
        let wall_s = begun.elapsed().as_secs_f64();
        window.generator_share = float(own) / 1e9 / wall_s;
        let all = usage::machine_busy_ns().saturating_sub(busy);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let others_s = float(all.saturating_sub(own + window.server_ns)) / 1e9;
        window.others_share = others_s / wall_s / float(cores as u64);
        window.tally = std::mem::take(&mut generator.tally);
        self.close_posters(generator);
        Ok(window)
    }

    /// Has the next one say something. `None`: nobody is free to.
    fn speak(&mut self, generator: &mut Generator, peer: &Peer, bytes: usize) -> Result<Option<usize>> {
        let seat = self.next % self.lines.len();
        let text = wire::text(generator.now_ns(), bytes);
        if self.posts_by_http {
            let Some(poster) = self.idle.pop_front() else { return Ok(None) };
            generator.send(poster, &peer.post(seat, &text))?;
        } else {
            generator.send(self.lines[seat], &peer.say(seat, &text))?;
        }
        self.next += 1;
        Ok(Some(seat))
    }

    /// Who is free to post again. An answer that comes late may be for another server's posters.
    fn freed(&mut self, generator: &mut Generator) {
        let (posters, idle) = (&self.posters, &mut self.idle);
        let is_own = |id: LineId| posters.first() <= Some(&id) && Some(&id) <= posters.last();
        generator.answered.retain(|&id| {
            if is_own(id) {
                idle.push_back(id);
            }
            !is_own(id)
        });
    }
}
