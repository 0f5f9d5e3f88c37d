//! The load generator: one thread, one epoll, thousands of connections. It shares the machine with
//! what it measures, so it reads into one buffer, looks for a few bytes and counts.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use memchr::memmem;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::stats::{Latencies, float};
use super::wire::{self, Scanner};
use crate::limits;

/// Bytes read at once, for all connections together.
const READ_BYTES: usize = 256 * 1024;
/// Heartbeats of ten thousand connections, and some room.
const TRICKLE_BYTES_PER_S: f64 = 128.0 * 1024.0;
/// Ready sockets taken from the kernel at once.
const EVENTS: usize = 1_024;
/// Connections that are being opened at once.
const OPENING_AT_ONCE: usize = 64;
/// An event loop that waits has nothing to do for this long at most.
const WAIT: Duration = Duration::from_millis(100);

/// One of the generator's connections.
pub(super) type LineId = usize;

/// What is looked for on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reads {
    /// Deliveries of posts.
    Deliveries,
    /// Acknowledgements of commands.
    Acks,
    /// Answers of HTTP with a length.
    Answers,
}

/// How a connection begins.
#[derive(Debug, Clone)]
pub(super) struct Opening {
    pub(super) request: Vec<u8>,
    /// Open once this was read.
    pub(super) until: &'static [u8],
    pub(super) reads: Reads,
}

struct Line {
    stream: TcpStream,
    reads: Reads,
    /// Not open yet: what is waited for.
    until: Option<&'static [u8]>,
    kept: Vec<u8>,
    going: Vec<u8>,
}

/// What came since it was last looked at.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub(super) deliveries: u64,
    pub(super) bytes: u64,
    pub(super) latencies: Latencies,
}

pub(super) struct Generator {
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    scanner: Scanner,
    lines: Vec<Option<Line>>,
    opening: usize,
    /// From which times are told.
    epoch: Instant,
    pub(super) tally: Tally,
    /// Lines on which an acknowledgement or an answer came, each as often as one came.
    pub(super) answered: VecDeque<LineId>,
    /// Answers that refused something.
    pub(super) refused: u64,
}

impl Generator {
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS),
            buffer: vec![0; READ_BYTES],
            scanner: Scanner::new(),
            lines: Vec::new(),
            opening: 0,
            epoch: Instant::now(),
            tally: Tally::default(),
            answered: VecDeque::new(),
            refused: 0,
        })
    }

    pub(super) fn now_ns(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Opens connections; done when all are open.
    pub(super) fn open(
        &mut self,
        address: SocketAddr,
        openings: impl IntoIterator<Item = Opening>,
    ) -> Result<Vec<LineId>> {
        let mut ids = Vec::new();
        for opening in openings {
            ids.push(self.dial(address, opening)?);
            self.opened(OPENING_AT_ONCE - 1)?;
        }
        self.opened(0)?;
        Ok(ids)
    }

    /// A connection that has nothing to wait for.
    pub(super) fn plain(&mut self, address: SocketAddr, reads: Reads) -> Result<LineId> {
        let id = self.dial(address, Opening { request: Vec::new(), until: b"", reads })?;
        if let Some(line) = &mut self.lines[id] {
            (line.until, self.opening) = (None, self.opening - 1);
        }
        Ok(id)
    }

    fn dial(&mut self, address: SocketAddr, opening: Opening) -> Result<LineId> {
        let stream = std::net::TcpStream::connect(address).context("cannot connect")?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        let id = self.lines.len();
        self.poll.registry().register(&mut stream, Token(id), Interest::READABLE | Interest::WRITABLE)?;
        let Opening { request, until, reads } = opening;
        let line = Line { stream, reads, until: Some(until), kept: Vec::new(), going: Vec::new() };
        self.lines.push(Some(line));
        self.opening += 1;
        self.send(id, &request)?;
        Ok(id)
    }

    /// Until no more than so many are being opened.
    fn opened(&mut self, most: usize) -> Result<()> {
        let deadline = Instant::now() + limits::ALL_LIVE;
        while self.opening > most {
            ensure!(Instant::now() < deadline, "{} connections do not open", self.opening);
            self.turn(WAIT)?;
        }
        Ok(())
    }

    pub(super) fn close(&mut self, ids: &[LineId]) {
        for &id in ids {
            self.lines[id] = None;
        }
    }

    pub(super) fn send(&mut self, id: LineId, bytes: &[u8]) -> Result<()> {
        let line = self.lines.get_mut(id).and_then(Option::as_mut).context("a connection that is closed")?;
        if line.going.is_empty() {
            let written = write(&mut line.stream, bytes)?;
            line.going.extend_from_slice(&bytes[written..]);
        } else {
            line.going.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// Takes what there is, waiting so long for something.
    pub(super) fn turn(&mut self, wait: Duration) -> Result<()> {
        super::go_on()?;
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            done => done?,
        }
        let now_ns = self.now_ns();
        let ready: Vec<(LineId, bool, bool)> = self
            .events
            .iter()
            .map(|event| (event.token().0, event.is_readable(), event.is_writable()))
            .collect();
        for (id, readable, writable) in ready {
            if writable
                && let Some(line) = self.lines.get_mut(id).and_then(Option::as_mut)
                && !line.going.is_empty()
            {
                let written = write(&mut line.stream, &line.going)?;
                line.going.drain(..written);
            }
            if readable {
                self.read(id, now_ns)?;
            }
        }
        Ok(())
    }

    fn read(&mut self, id: LineId, now_ns: u64) -> Result<()> {
        loop {
            let Some(line) = self.lines.get_mut(id).and_then(Option::as_mut) else { return Ok(()) };
            let count = match line.stream.read(&mut self.buffer) {
                Ok(0) => bail!("the server closed a connection"),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("a connection broke"),
            };
            self.tally.bytes += count as u64;
            self.take(id, count, now_ns)?;
            // Not filled: the socket is empty, and one that is not comes again.
            if count < self.buffer.len() {
                return Ok(());
            }
        }
    }

    fn take(&mut self, id: LineId, count: usize, now_ns: u64) -> Result<()> {
        let Some(line) = self.lines[id].as_mut() else { return Ok(()) };
        let fresh = &self.buffer[..count];
        if let Some(until) = line.until {
            line.kept.extend_from_slice(fresh);
            let head = String::from_utf8_lossy(&line.kept[..line.kept.len().min(160)]);
            ensure!(head.starts_with("HTTP/1.1 101") || head.starts_with("HTTP/1.1 200"), "refused: {head}");
            if memmem::find(&line.kept, until).is_some() {
                (line.until, line.kept) = (None, Vec::new());
                self.opening -= 1;
            }
            return Ok(());
        }
        match line.reads {
            Reads::Deliveries => {
                let tally = &mut self.tally;
                self.scanner.deliveries(&mut line.kept, fresh, |sent_ns| {
                    tally.deliveries += 1;
                    tally.latencies.note(now_ns.saturating_sub(sent_ns) / 1_000);
                });
            }
            Reads::Acks => {
                let acks = self.scanner.acks(&mut line.kept, fresh);
                self.answered.extend(std::iter::repeat_n(id, acks));
            }
            Reads::Answers => {
                line.kept.extend_from_slice(fresh);
                while let Some((status, whole)) = wire::answer(&line.kept) {
                    line.kept.drain(..whole);
                    self.answered.push_back(id);
                    self.refused += u64::from(!(200..300).contains(&status));
                }
            }
        }
        Ok(())
    }

    /// Takes what comes until nothing but heartbeats has come for this long.
    pub(super) fn settle(&mut self, quiet: Duration, most: Duration) -> Result<()> {
        let deadline = Instant::now() + most;
        let mut last = (Instant::now(), self.tally.bytes);
        while last.0.elapsed() < quiet && Instant::now() < deadline {
            self.turn(quiet / 4)?;
            let trickled = last.0.elapsed().as_secs_f64() * TRICKLE_BYTES_PER_S;
            if float(self.tally.bytes - last.1) > trickled {
                last = (Instant::now(), self.tally.bytes);
            }
        }
        Ok(())
    }
}

fn write(stream: &mut TcpStream, bytes: &[u8]) -> Result<usize> {
    let mut written = 0;
    while written < bytes.len() {
        match stream.write(&bytes[written..]) {
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context("a connection broke"),
        }
    }
    Ok(written)
}
