//! The server under test: a process, with what it takes of memory and processor, as Linux tells it.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::limits;
use crate::port::Port;

/// Ticks of a second in `/proc/PID/stat`: what Linux shows to programs, whatever it counts itself.
const TICKS_PER_S: f64 = 100.0;

/// Killed when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    binary: PathBuf,
    data_dir: PathBuf,
    args: Vec<String>,
    child: Option<Child>,
    pid: Pid,
    starts: usize,
    /// Where it comes back after a kill.
    _port: Port,
}

/// Of the process that runs now; 0: none does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pid(Arc<AtomicU32>);

impl Pid {
    /// What it takes now; `None` while it does not run.
    pub(crate) fn usage(&self) -> Option<Usage> {
        usage(self.0.load(Ordering::Relaxed))
    }
}

/// What the process takes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    pub(crate) rss_mib: f64,
    pub(crate) pss_mib: f64,
    /// The most it ever took.
    pub(crate) peak_mib: f64,
    /// Processor time since its start.
    pub(crate) cpu_s: f64,
    pub(crate) descriptors: usize,
}

impl Server {
    /// Not started yet.
    pub(crate) fn new(binary: PathBuf, data_dir: PathBuf, args: &[&str]) -> Result<Self> {
        let port = Port::keep()?;
        let args = args.iter().map(|&arg| arg.to_owned()).collect();
        Ok(Self {
            address: port.address,
            binary,
            data_dir,
            args,
            child: None,
            pid: Pid::default(),
            starts: 0,
            _port: port,
        })
    }

    pub(crate) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Starts it; done when it takes connections. When that was.
    pub(crate) async fn start(&mut self) -> Result<Instant> {
        self.starts += 1;
        let log = File::create(self.data_dir.join(format!("log-{}.txt", self.starts)))?;
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SWITCHBACK_")) {
            command.env_remove(name);
        }
        command.arg("serve").arg("--data-dir").arg(&self.data_dir);
        command.args(["--listen", &self.address.to_string()]).args(&self.args);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("cannot run {}", self.binary.display()))?;
        self.pid.0.store(child.id(), Ordering::Relaxed);
        let child = self.child.insert(child);
        let deadline = Instant::now() + limits::SERVER_START;
        while TcpStream::connect(self.address).await.is_err() {
            ensure!(child.try_wait()?.is_none(), "the server ended at its start");
            ensure!(Instant::now() < deadline, "the server does not listen");
            sleep(limits::LOOK_EVERY).await;
        }
        Ok(Instant::now())
    }

    /// `kill -9`; done when it is gone.
    pub(crate) fn kill(&mut self) -> Result<()> {
        let mut child = self.child.take().context("it does not run")?;
        self.pid.0.store(0, Ordering::Relaxed);
        child.kill()?;
        let status = child.wait()?;
        ensure!(
            std::os::unix::process::ExitStatusExt::signal(&status) == Some(9),
            "it ended by itself: {status}"
        );
        Ok(())
    }

    /// A planned stop; done when it is gone.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        let mut child = self.child.take().context("it does not run")?;
        self.pid.0.store(0, Ordering::Relaxed);
        let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status()?;
        ensure!(asked.success(), "the signal could not be sent");
        let deadline = Instant::now() + limits::SERVER_STOP;
        loop {
            if let Some(status) = child.try_wait()? {
                ensure!(status.success(), "it ended with {status}");
                return Ok(());
            }
            if Instant::now() > deadline {
                child.kill()?;
                bail!("it did not stop in time");
            }
            sleep(limits::LOOK_EVERY).await;
        }
    }

    /// The process that runs now.
    pub(crate) fn id(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    pub(crate) fn pid(&self) -> Pid {
        self.pid.clone()
    }

    /// Its warnings and errors since its first start.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let read = |start| std::fs::read_to_string(self.data_dir.join(format!("log-{start}.txt")));
        let logs = (1..=self.starts).filter_map(|start| read(start).ok());
        let bad = |line: &&str| line.contains("WARN") || line.contains("ERROR") || line.contains("panicked");
        logs.flat_map(|log| log.lines().filter(bad).map(str::to_owned).collect::<Vec<_>>()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may be gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn usage(pid: u32) -> Option<Usage> {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
    let mib = |text: &str, field: &str| {
        let kib = text.lines().find_map(|line| line.strip_prefix(field))?;
        kib.trim().trim_end_matches(" kB").trim().parse::<f64>().ok().map(|kib| kib / 1024.0)
    };
    let (status, stat) = (read("status")?, read("stat")?);
    // After the name in brackets: state is the first field, utime the 12th, stime the 13th.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<f64>().ok());
    let pss = read("smaps_rollup").and_then(|text| mib(&text, "Pss:")).unwrap_or_default();
    Some(Usage {
        rss_mib: mib(&status, "VmRSS:")?,
        pss_mib: pss,
        peak_mib: mib(&status, "VmHWM:")?,
        cpu_s: (ticks(11)? + ticks(12)?) / TICKS_PER_S,
        descriptors: std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count(),
    })
}
