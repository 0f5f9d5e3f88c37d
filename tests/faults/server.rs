//! The server under test as a process: started with a clock that can be set, stopped, killed.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use crate::disk::{Disk, Kind};
use crate::port::Port;
use crate::until;

/// Names another binary to test.
const BINARY: &str = "SWITCHBACK_BINARY";
const PASSWORD: &str = "correct horse battery";
const SIGKILL: i32 = 9;
/// Where Debian has the library that shows a process another clock.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    child: Option<Child>,
    dir: TempDir,
    pub(crate) disk: Option<Disk>,
    /// The file that says how far its clock is off.
    clock: Option<PathBuf>,
    /// Where it comes back after a kill.
    _port: Port,
}

fn switchback() -> Command {
    let binary = std::env::var_os(BINARY).unwrap_or_else(|| env!("CARGO_BIN_EXE_switchback").into());
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SWITCHBACK_")) {
        command.env_remove(name);
    }
    command.kill_on_drop(true).stdin(Stdio::null());
    command
}

impl Server {
    /// On a disk of its own, if one is wanted.
    pub(crate) async fn start(disk: Option<Kind>, with_clock: bool) -> Self {
        let dir = TempDir::new().unwrap();
        let disk = match disk {
            Some(kind) => Some(Disk::mount(kind, dir.path()).await),
            None => None,
        };
        let clock = with_clock.then(|| dir.path().join("clock"));
        if let Some(clock) = &clock {
            assert!(Path::new(FAKETIME).exists(), "{FAKETIME} is missing: install Debian's package faketime");
            std::fs::write(clock, "+0\n").unwrap();
        }
        let port = Port::keep().unwrap();
        let mut server = Self { address: port.address, child: None, dir, disk, clock, _port: port };
        server.spawn().await;
        server
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.disk.as_ref().map_or_else(|| self.dir.path(), Disk::path).join("data")
    }

    pub(crate) async fn spawn(&mut self) {
        let mut command = switchback();
        command.arg("serve").arg("--data-dir").arg(self.data_dir());
        command.args(["--listen", &self.address.to_string()]);
        if let Some(clock) = &self.clock {
            command.env("LD_PRELOAD", FAKETIME).env("FAKETIME_TIMESTAMP_FILE", clock);
            command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
            command.env("FAKETIME_DONT_RESET", "1");
        }
        let log = std::fs::File::options().create(true).append(true).open(self.log()).unwrap();
        let before = usize::try_from(log.metadata().unwrap().len()).unwrap();
        let mut child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let mut address = None;
        until("the server listens", async || {
            assert!(child.try_wait().unwrap().is_none(), "it ended: {}", self.last_words());
            let said = std::fs::read(self.log()).unwrap();
            let said = String::from_utf8_lossy(&said[before..]).into_owned();
            let url = said.split_once("listening on http://").map(|(_, url)| url);
            address = url.and_then(|url| url.split([' ', '"', '\n']).next()?.parse().ok());
            address.is_some()
        })
        .await;
        self.address = address.unwrap();
        self.child = Some(child);
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    /// The end of its log, for a failure's report.
    pub(crate) fn last_words(&self) -> String {
        let said = std::fs::read_to_string(self.log()).unwrap_or_default();
        said.lines().rev().take(10).collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id().unwrap()
    }

    /// `kill -9`; by its exit status.
    pub(crate) async fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.start_kill().unwrap();
        assert_eq!(child.wait().await.unwrap().signal(), Some(SIGKILL));
    }

    pub(crate) async fn signal(&self, name: &str) {
        run("kill", &[&format!("-{name}"), &self.pid().to_string()]).await;
    }

    /// How the kernel says that it is: `T` for stopped.
    pub(crate) fn state(&self) -> char {
        let status = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        status.rsplit_once(") ").unwrap().1.chars().next().unwrap()
    }

    /// The lowest number that is not open: the next one that it is given.
    pub(crate) fn next_descriptor(&self) -> usize {
        let listed = std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap();
        let number = |entry: std::fs::DirEntry| entry.file_name().to_str().unwrap().parse().unwrap();
        let open: HashSet<usize> = listed.map(|entry| number(entry.unwrap())).collect();
        (0..=open.len()).find(|number| !open.contains(number)).unwrap()
    }

    /// How far its clock is off from now on.
    pub(crate) fn set_clock(&self, by_s: i64) {
        let clock = self.clock.as_ref().unwrap();
        // In one step: it may be read at any moment.
        let next = clock.with_extension("next");
        std::fs::write(&next, format!("{by_s:+}\n")).unwrap();
        std::fs::rename(next, clock).unwrap();
    }

    pub(crate) async fn admin(&self, args: &[&str], input: &str) -> String {
        let mut command = switchback();
        command.arg("admin").arg(args[0]).arg("--data-dir").arg(self.data_dir()).args(&args[1..]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).await.unwrap();
        drop(stdin);
        let output = child.wait_with_output().await.unwrap();
        assert!(output.status.success(), "{args:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Makes an account; its token.
    pub(crate) async fn account(&self, handle: &str, role: &str) -> String {
        let args = ["create-user", "--handle", handle, "--name", handle, "--role", role, "--password-stdin"];
        self.admin(&args, &format!("{PASSWORD}\n")).await;
        let printed = self.admin(&["create-token", "--user", handle, "--label", "test"], "").await;
        printed.lines().last().unwrap().to_owned()
    }
}

impl Drop for Server {
    /// Gone before its disk is.
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.start_kill();
            let deadline = std::time::Instant::now() + Duration::from_secs(2);
            while matches!(child.try_wait(), Ok(None)) && std::time::Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

/// Runs a program that must succeed.
pub(crate) async fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().await;
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Waits until nothing holds the server's files any more.
pub(crate) async fn unmounted(path: &str) {
    until("it is unmounted", async || {
        Command::new("umount").arg(path).output().await.is_ok_and(|output| output.status.success())
    })
    .await;
}
