//! The faults. Each happens, is proven to have happened, and is over when its function returns; what it
//! returns is the proof.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::link::{Counts, Link, Weather};
use crate::plan::Fault;
use crate::server::{Server, run};
use crate::until;
use crate::wire::exchange;

/// A server that is well answers a probe within this time.
const PROBE: Duration = Duration::from_secs(1);
/// For an answer over a bad network.
const SLOW_PROBE: Duration = Duration::from_secs(30);
/// Descriptors left to the server when they are used up.
const DESCRIPTORS_LEFT: usize = 1;
/// Between two attempts to use up what is left.
const HOG_EVERY: Duration = Duration::from_millis(20);
/// Connections that say nothing: more than there are descriptors for.
const HOGS: usize = 40;
/// What a jump of the clock may be off by: asking takes a while.
const CLOCK_ERROR_S: i64 = 30;
/// A probe's message: large enough to need space of its own.
const PROBE_BYTES: usize = 8_000;

/// The server, the ways to it, and somebody who looks.
pub(crate) struct Site {
    pub(crate) server: Server,
    pub(crate) links: Vec<Link>,
    pub(crate) token: String,
    pub(crate) room: String,
    /// How far the server's clock is off.
    pub(crate) clock_off_s: i64,
}

impl Site {
    pub(crate) async fn suffer(&mut self, fault: &Fault) -> String {
        match *fault {
            Fault::Kill => self.kill().await,
            Fault::Stop { for_ms } => self.stop(ms(for_ms)).await,
            Fault::DiskFull { for_ms } => self.disk_full(ms(for_ms)).await,
            Fault::ReadOnly { for_ms } => self.read_only(ms(for_ms)).await,
            Fault::Clock { by_s } => self.clock(by_s).await,
            Fault::Descriptors { for_ms } => self.descriptors(ms(for_ms)).await,
            Fault::Reset => self.reset().await,
            Fault::HalfOpen { for_ms } => self.half_open(ms(for_ms)).await,
            Fault::BlackHole { for_ms } => self.black_hole(ms(for_ms)).await,
            Fault::SlowReader { client, for_ms } => self.slow(client, Weather::SlowReader, ms(for_ms)).await,
            Fault::SlowSender { client, for_ms } => self.slow(client, Weather::SlowSender, ms(for_ms)).await,
            Fault::Phone { for_ms } => self.phone(ms(for_ms)).await,
        }
    }

    async fn kill(&mut self) -> String {
        let before = self.server.pid();
        self.server.kill().await;
        self.server.spawn().await;
        format!("process {before} ended by signal 9")
    }

    async fn stop(&mut self, duration: Duration) -> String {
        self.server.signal("STOP").await;
        until("it is stopped", async || self.server.state() == 'T').await;
        assert!(!answers(self.server.address).await, "it answers although it is stopped");
        sleep(duration).await;
        assert_eq!(self.server.state(), 'T');
        self.server.signal("CONT").await;
        until("it answers", async || answers(self.server.address).await).await;
        format!("state T for {} s, and no answer", duration.as_secs())
    }

    async fn disk_full(&mut self, duration: Duration) -> String {
        let disk = self.server.disk.as_ref().unwrap();
        until("a post finds no space", async || {
            disk.fill();
            self.refused().await
        })
        .await;
        let until_then = Instant::now() + duration;
        while Instant::now() < until_then {
            disk.fill();
            sleep(PROBE).await;
        }
        assert!(self.refused().await, "there is space again");
        disk.free();
        until("a post finds space", async || self.post().await["type"] == "ack").await;
        format!("posts answered 503, `unavailable`, at its beginning and after {} s", duration.as_secs())
    }

    async fn read_only(&mut self, duration: Duration) -> String {
        // What it has written so far reaches the disk first: a commit that is under way at the very
        // moment is not what is measured here; docs/DELIVERY.md says what is known of that.
        self.server.signal("STOP").await;
        until("it is stopped", async || self.server.state() == 'T').await;
        self.server.disk.as_ref().unwrap().break_down().await;
        self.server.signal("CONT").await;
        until("a post cannot be written", async || self.refused().await).await;
        sleep(duration).await;
        assert!(self.refused().await, "the disk can be written again");
        // No such file system comes back under open files.
        self.server.kill().await;
        self.server.disk.as_ref().unwrap().repair().await;
        self.server.spawn().await;
        format!(
            "EROFS on its disk; posts answered 503 for {} s; disk repaired, server started again",
            duration.as_secs()
        )
    }

    async fn clock(&mut self, by_s: i64) -> String {
        let before = self.clock_now().await;
        self.server.set_clock(by_s);
        let after = self.clock_now().await;
        let jump = after - before;
        let off = by_s - std::mem::replace(&mut self.clock_off_s, by_s);
        assert!((jump - off).abs() < CLOCK_ERROR_S, "jumped by {jump} s, not by {off}");
        format!("two tokens made at once are dated {jump:+} s apart")
    }

    /// What it dates a new token with. (Not the `Date` of its answers: that one never goes back.)
    async fn clock_now(&self) -> i64 {
        let line = ("POST", "/api/v1/tokens");
        let body = json!({"label": "what time is it"}).to_string();
        let answer = exchange(self.server.address, SLOW_PROBE, line, &self.token, &body).await.unwrap().1;
        answer["info"]["created_at"].as_i64().unwrap_or_else(|| panic!("{answer}")) / 1_000_000
    }

    /// The clients are cut off at the beginning, and connections that say nothing take what they leave.
    async fn descriptors(&mut self, duration: Duration) -> String {
        let pid = format!("--pid={}", self.server.pid());
        let limit = || std::fs::read_to_string(format!("/proc/{}/limits", self.server.pid())).unwrap();
        let before = limit();
        let soft = before.lines().find(|line| line.starts_with("Max open files")).unwrap();
        let soft = soft.split_whitespace().nth(3).unwrap().to_owned();
        let most = self.server.next_descriptor() + DESCRIPTORS_LEFT;
        run("prlimit", &[&pid, &format!("--nofile={most}:")]).await;
        let mut hogs = Vec::new();
        let began = Instant::now();
        let mut unanswered = 0;
        while began.elapsed() < duration {
            // Those that the server has given up are replaced.
            hogs.retain(|hog: &TcpStream| !is_at_end(hog));
            if hogs.is_empty() {
                self.links.iter().for_each(Link::reset);
            }
            while hogs.len() < HOGS {
                hogs.push(TcpStream::connect(self.server.address).await.unwrap());
            }
            sleep(HOG_EVERY).await;
            if self.server.next_descriptor() >= most && !answers(self.server.address).await {
                unanswered += 1;
            }
        }
        let next = self.server.next_descriptor();
        assert!(unanswered > 0, "there was always a descriptor left: {next} of {most}");
        drop(hogs);
        run("prlimit", &[&pid, &format!("--nofile={soft}:")]).await;
        until("it answers", async || answers(self.server.address).await).await;
        format!("all of {most} in use and no answer, {unanswered} times in {} s", duration.as_secs())
    }

    async fn reset(&mut self) -> String {
        let before = self.sum(|counts| &counts.reset);
        let link = &self.links[0];
        let mut probe = TcpStream::connect(link.address).await.unwrap();
        probe.write_all(b"GET /livez HTTP/1.1\r\nHost: chat.test\r\n\r\n").await.unwrap();
        let mut buffer = [0; 4_096];
        assert!(probe.read(&mut buffer).await.unwrap() > 0, "the probe has no connection");
        self.links.iter().for_each(Link::reset);
        let error = loop {
            match probe.read(&mut buffer).await {
                Ok(read) => assert!(read > 0, "the connection ended in good order"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        until("they are counted", async || self.sum(|counts| &counts.reset) > before + 1).await;
        format!(
            "{} connections reset, and a probe read ECONNRESET",
            self.sum(|counts| &counts.reset) - before
        )
    }

    async fn half_open(&mut self, duration: Duration) -> String {
        let before = self.sum(|counts| &counts.silenced);
        self.links.iter().for_each(Link::silence);
        until("connections are silent", async || self.sum(|counts| &counts.silenced) > before).await;
        sleep(duration).await;
        let (silenced, swallowed) =
            (self.sum(|counts| &counts.silenced) - before, self.sum(|counts| &counts.swallowed));
        format!("{silenced} connections left open without a byte passing, {swallowed} bytes swallowed")
    }

    async fn black_hole(&mut self, duration: Duration) -> String {
        self.all(Weather::Black);
        assert!(!answers(self.links[0].address).await, "something gets through");
        sleep(duration).await;
        self.all(Weather::Fine);
        until("it is reached", async || answers(self.links[0].address).await).await;
        format!("a probe by the same way had no answer; lasted {} s", duration.as_secs())
    }

    async fn slow(&mut self, client: usize, weather: Weather, duration: Duration) -> String {
        let link = &self.links[client];
        let before = of(link, |counts| &counts.slow_bytes);
        let memory = self.memory_kb();
        link.weather(weather);
        sleep(duration).await;
        let bytes = of(link, |counts| &counts.slow_bytes) - before;
        let grown = self.memory_kb().saturating_sub(memory);
        link.weather(Weather::Fine);
        assert!(bytes > 0, "nothing passed at all");
        format!("{bytes} bytes passed in {} s; the server grew by {grown} KiB meanwhile", duration.as_secs())
    }

    async fn phone(&mut self, duration: Duration) -> String {
        let (held, bytes) = (self.sum(|counts| &counts.held_ms), self.sum(|counts| &counts.slow_bytes));
        self.all(Weather::Phone);
        let asked = Instant::now();
        exchange(self.links[0].address, SLOW_PROBE, ("GET", "/livez"), "", "").await.unwrap();
        let answered = asked.elapsed();
        sleep(duration).await;
        self.all(Weather::Fine);
        let (held, bytes) =
            (self.sum(|counts| &counts.held_ms) - held, self.sum(|counts| &counts.slow_bytes) - bytes);
        assert!(held > 0 && bytes > 0);
        format!(
            "a probe took {:.1} s; {bytes} bytes held back for {} s in sum",
            answered.as_secs_f64(),
            held / 1_000
        )
    }

    fn all(&self, weather: Weather) {
        self.links.iter().for_each(|link| link.weather(weather));
    }

    fn sum(&self, count: impl Fn(&Counts) -> &AtomicU64) -> u64 {
        self.links.iter().map(|link| count(&link.counts).load(Ordering::Relaxed)).sum()
    }

    fn memory_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.server.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Whether a post is answered with "later": 503 in the protocol's words.
    async fn refused(&self) -> bool {
        let answer = self.post().await;
        (answer["code"].as_str(), &answer["retry"]) == (Some("unavailable"), &Value::Bool(true))
    }

    async fn post(&self) -> Value {
        let nonce = uuid::Uuid::now_v7().to_string();
        let body = "y".repeat(PROBE_BYTES);
        let post = json!({"type": "message.post", "room": self.room, "nonce": nonce, "body": body});
        let line = ("POST", "/chat");
        let answer = exchange(self.server.address, SLOW_PROBE, line, &self.token, &post.to_string()).await;
        answer.map_or(Value::Null, |(_, body)| body)
    }
}

fn is_at_end(stream: &TcpStream) -> bool {
    !matches!(stream.try_read(&mut [0; 1]), Err(error) if error.kind() == ErrorKind::WouldBlock)
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn of(link: &Link, count: impl Fn(&Counts) -> &AtomicU64) -> u64 {
    count(&link.counts).load(Ordering::Relaxed)
}

async fn answers(address: SocketAddr) -> bool {
    exchange(address, PROBE, ("GET", "/livez"), "", "").await.is_ok_and(|(head, _)| head.status == 200)
}
