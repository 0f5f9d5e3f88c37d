//! The Docker engine: the one that runs on this machine, or one of our own.
//!
//! Our own has namespaces of its own for network, mounts and processes: its bridges, firewall rules,
//! mounts and containers are gone with it, however it ends, and it meets nobody else's. The price:
//! it cannot pull anything, and what talks to published ports must run in its network.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::NAME;

/// How long an engine may take to answer for the first time.
const START: Duration = Duration::from_mins(1);
/// How long its processes may take to end.
const STOP: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(100);
const CGROUPS: &str = "/sys/fs/cgroup";
/// Controllers lie in directories below, and the groups below those.
const CGROUP_DEPTH: usize = 4;

/// An engine that answers.
pub(super) enum Engine {
    /// Somebody else's: only what is ours in it is touched.
    Theirs,
    /// Started by us, ended by us.
    Ours(Own),
}

/// An engine of our own.
pub(super) struct Own {
    /// Holds the namespaces; whatever is in them ends with it.
    holder: Child,
    /// Everything that the engine writes.
    dir: PathBuf,
}

impl Engine {
    pub(super) fn find_or_start() -> Result<Self> {
        if answers(&mut Command::new("docker")) {
            println!("a Docker engine runs here: using it");
            return Ok(Self::Theirs);
        }
        println!("no Docker engine runs here: starting one");
        Own::start().map(Self::Ours)
    }

    /// Whether it reaches a registry at all.
    pub(super) const fn may_pull(&self) -> bool {
        matches!(self, Self::Theirs)
    }

    /// A command that talks to this engine.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        if let Self::Ours(own) = self {
            command.env("DOCKER_HOST", own.host());
        }
        command
    }

    /// A command that also reaches the ports that containers publish.
    pub(super) fn beside(&self, program: &str) -> Command {
        let Self::Ours(own) = self else { return self.command(program) };
        let mut command = self.command("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", own.holder.id())).args(["--", program]);
        command
    }

    /// `docker` with these arguments; what it prints on success.
    pub(super) fn docker(&self, args: &[&str]) -> Result<String> {
        let output = self.command("docker").args(args).stdin(Stdio::null()).output()?;
        if !output.status.success() {
            bail!("\"docker {}\": {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Leaves things as they were found.
    pub(super) fn stop(self) -> Result<()> {
        match self {
            Self::Theirs => Ok(()),
            Self::Ours(mut own) => own.end(),
        }
    }
}

fn answers(docker: &mut Command) -> bool {
    docker.arg("version").stdin(Stdio::null()).output().is_ok_and(|output| output.status.success())
}

impl Own {
    fn start() -> Result<Self> {
        // Not under target/: the socket's path must be short.
        let dir = std::env::temp_dir().join(format!("{NAME}-{}", std::process::id()));
        fs::create_dir_all(&dir)?;
        let log = fs::File::create(dir.join("log"))?;
        // Ends with us: setpriv sees to the holder, the holder's kill-child to everything in it.
        let mut holder = Command::new("setpriv");
        holder.args(["--pdeathsig", "KILL", "--", "unshare", "--net", "--mount", "--pid", "--fork"]);
        holder.args(["--mount-proc", "--kill-child=KILL", "--", "sh", "-euc"]);
        holder.arg("ip link set lo up; exec \"$@\"").args(["sh", "dockerd"]);
        let paths = [("--data-root", "data"), ("--exec-root", "exec"), ("--pidfile", "pid")];
        for (flag, name) in paths {
            holder.arg(flag).arg(dir.join(name));
        }
        holder.arg("--host").arg(host(&dir)).arg(format!("--cgroup-parent=/{}", cgroup()));
        holder.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let holder = holder.spawn().context("cannot start dockerd in namespaces of its own")?;
        let mut own = Self { holder, dir };
        own.wait_until_it_answers()?;
        Ok(own)
    }

    fn wait_until_it_answers(&mut self) -> Result<()> {
        let deadline = Instant::now() + START;
        while !answers(Command::new("docker").env("DOCKER_HOST", self.host())) {
            if self.holder.try_wait()?.is_some() || Instant::now() >= deadline {
                let log = fs::read_to_string(self.dir.join("log")).unwrap_or_default();
                let last: Vec<&str> = log.lines().rev().take(10).collect();
                bail!(
                    "the Docker engine did not start (it needs root and namespaces); it said last:\n{}",
                    last.into_iter().rev().collect::<Vec<_>>().join("\n")
                );
            }
            sleep(PAUSE);
        }
        Ok(())
    }

    fn host(&self) -> String {
        host(&self.dir)
    }

    /// Ends it and removes what it wrote. Calling it again does nothing more.
    fn end(&mut self) -> Result<()> {
        if self.holder.try_wait()?.is_none() {
            self.holder.kill()?;
        }
        self.holder.wait()?;
        if self.dir.exists() {
            until_it_works(|| fs::remove_dir_all(&self.dir))
                .with_context(|| format!("{} is left behind", self.dir.display()))?;
        }
        remove_cgroups(Path::new(CGROUPS), CGROUP_DEPTH);
        Ok(())
    }
}

/// For the way out by an error; on the good one it has ended already.
impl Drop for Own {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("the Docker engine could not be cleared away: {error:#}");
        }
    }
}

fn host(dir: &Path) -> String {
    format!("unix://{}", dir.join("docker.sock").display())
}

fn cgroup() -> String {
    format!("{NAME}-{}", std::process::id())
}

/// Processes that were killed need a moment to let go.
fn until_it_works(mut attempt: impl FnMut() -> std::io::Result<()>) -> std::io::Result<()> {
    let deadline = Instant::now() + STOP;
    loop {
        match attempt() {
            Err(_) if Instant::now() < deadline => sleep(PAUSE),
            done => return done,
        }
    }
}

/// The control groups are the machine's: namespaces do not take them away.
fn remove_cgroups(dir: &Path, depth: usize) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    let ours = cgroup();
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        let path = entry.path();
        if entry.file_name().to_string_lossy() == ours {
            remove_tree_of_groups(&path);
        } else if depth > 0 {
            remove_cgroups(&path, depth - 1);
        }
    }
}

/// Directories only: the files in them are the kernel's.
fn remove_tree_of_groups(dir: &Path) {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        remove_tree_of_groups(&entry.path());
    }
    if let Err(error) = until_it_works(|| fs::remove_dir(dir)) {
        eprintln!("the control group {} is left behind: {error}", dir.display());
    }
}
