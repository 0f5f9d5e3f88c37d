//! From nothing to the first answer, and what it then takes.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::peers::{ELSEWHERE, product};
use super::report::{Section, Verdict, cell};
use super::stats::{float, median};
use super::{Bench, usage};
use crate::limits;
use crate::port::Port;
use crate::report::tell;
use crate::team::{self, Size};

/// A team as it is after a while.
const SIZE: Size = Size { people: 50, rooms: 10, history: 10_000 };
/// Between two attempts to be answered.
const AGAIN: Duration = Duration::from_micros(200);
/// After so long everything that is done at the start is done.
const IDLE: Duration = Duration::from_secs(3);
const MOST_MS: f64 = 50.0;
const MOST_MIB: f64 = 12.0;

/// One start.
struct Started {
    ms: f64,
    pss: u64,
    rss: u64,
}

pub(super) fn run(bench: &Bench) -> Result<Section> {
    tell("start");
    let mut section = Section::new("Cold start to first answer, idle memory".to_owned());
    section.head = ["which", "ms", "each round", "PSS MiB", "RSS MiB"].map(str::to_owned).to_vec();
    let dir = bench.fresh_dir()?;
    bench.wait_for(team::seed(&dir, ELSEWHERE, SIZE))?;
    let (mut again, mut first) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        again.push(start(bench, &dir)?);
        first.push(start(bench, &bench.fresh_dir()?)?);
    }
    for (which, starts) in [("a team's data", &again), ("an empty directory", &first)] {
        let mib = |of: fn(&Started) -> u64| median(starts.iter().map(|start| float(of(start)) / 1_048_576.0));
        section.rows.push(vec![
            which.to_owned(),
            cell(median(starts.iter().map(|start| start.ms)), 1),
            starts.iter().map(|start| cell(start.ms, 1)).collect::<Vec<_>>().join(" "),
            cell(mib(|start| start.pss), 1),
            cell(mib(|start| start.rss), 1),
        ]);
    }
    let ms = median(again.iter().map(|start| start.ms));
    section.verdicts.push(Verdict::at_most("cold start to first answer, in ms".to_owned(), ms, MOST_MS));
    let mib = median(again.iter().map(|start| float(start.pss) / 1_048_576.0));
    section.verdicts.push(Verdict::at_most("idle memory (PSS), in MiB".to_owned(), mib, MOST_MIB));
    let bytes = std::fs::metadata(&bench.programs.product)?.len();
    section.notes.push(format!("The program as measured has {:.1} MiB.", float(bytes) / 1_048_576.0));
    Ok(section)
}

fn start(bench: &Bench, dir: &Path) -> Result<Started> {
    super::go_on()?;
    let port = Port::keep()?;
    let mut command = product(&bench.programs.product, dir, port.address);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let begun = Instant::now();
    let mut child = command.spawn()?;
    let answered = loop {
        if is_ready(port.address) {
            break Ok(begun.elapsed());
        }
        if begun.elapsed() > limits::SERVER_START {
            break Err(anyhow::anyhow!("no answer"));
        }
        std::thread::sleep(AGAIN);
    };
    std::thread::sleep(IDLE);
    let (pss, rss) = (usage::pss_bytes(child.id()), usage::rss_bytes(child.id()));
    child.kill()?;
    child.wait()?;
    let ms = answered?.as_secs_f64() * 1_000.0;
    ensure!(pss > 0, "it ended at its start");
    Ok(Started { ms, pss, rss })
}

/// Whether it says that it can serve.
fn is_ready(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: chat.test\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer.starts_with(b"HTTP/1.1 200"))
    };
    ask().unwrap_or(false)
}
