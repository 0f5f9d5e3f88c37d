//! A disk without space: sends fail and say "later", reading goes on, nothing acknowledged is lost,
//! and with space again everything works as before.
//!
//! The disk is a small tmpfs, which takes the right to mount. Where that is missing the test says so
//! and passes; in CI as root it must be there, so that it cannot be skipped for ever unnoticed.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::kit::server::Account;
use crate::kit::{Role, Server, WebSocket, post, until};

const DISK_BYTES: &str = "size=6m";
/// Left free after filling up, so that some sends still succeed.
const MARGIN_BYTES: usize = 256 * 1024;

/// A tmpfs that is unmounted when dropped.
struct Disk {
    dir: TempDir,
}

impl Disk {
    async fn mount() -> Option<Self> {
        let dir = TempDir::new().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", DISK_BYTES, "tmpfs"]).arg(dir.path());
        let done = mount.output().await;
        if done.is_ok_and(|output| output.status.success()) {
            return Some(Self { dir });
        }
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
        assert!(!(is_root && std::env::var_os("CI").is_some()), "a tmpfs could not be mounted");
        None
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: the server may still be ending.
        let _ = std::process::Command::new("umount").arg("-l").arg(self.dir.path()).status();
    }
}

/// Fills the disk up to a margin with a file of its own.
fn fill(disk: &Disk) -> PathBuf {
    let path = disk.path().join("filler");
    let mut size = 0;
    let mut file = std::fs::File::create(&path).unwrap();
    while std::io::Write::write_all(&mut file, &[7; 4096]).is_ok() {
        size += 4096;
    }
    drop(file);
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(u64::try_from(size - MARGIN_BYTES).unwrap()).unwrap();
    path
}

/// Posts until a message does not fit any more: the bodies that were acknowledged, and the refusal.
async fn post_until_refused(who: &Account, room: &str) -> (Vec<String>, Value, Value) {
    let mut acked = Vec::new();
    for number in 0..1_000 {
        let body = format!("{number} {}", "x".repeat(8_000));
        let command = post(number, room, &body);
        let answer = who.command(&command).await;
        if answer.status != 200 {
            assert_eq!((answer.status, answer.problem().as_str()), (503, "unavailable"), "{answer:?}");
            return (acked, command, answer.json());
        }
        acked.push(body);
    }
    panic!("the disk did not fill up");
}

async fn bodies(who: &Account, room: &str) -> Vec<String> {
    let mut bodies = Vec::new();
    let mut after = 0;
    loop {
        let page = who.get(&format!("/api/v1/rooms/{room}/messages?limit=50&after={after}")).await.json();
        for message in page["messages"].as_array().unwrap() {
            bodies.push(message["body"].as_str().unwrap().to_owned());
            after = message["seq"].as_u64().unwrap();
        }
        if page["has_after"] == false {
            return bodies;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_fail_with_later_and_nothing_acknowledged_is_lost() {
    let Some(disk) = Disk::mount().await else {
        eprintln!("skipped: a tmpfs cannot be mounted here");
        return;
    };
    let mut server = Server::start_in(&disk.path().join("data"), &[]).await;
    let ada = server.account("ada", Role::Owner).await;
    let room = ada.general().await;
    let mut socket = WebSocket::open(ada.address, "/chat", &ada.authorization()).await;
    socket.until("ready").await;
    let filler = fill(&disk);
    let (mut acked, refused, problem) = post_until_refused(&ada, &room).await;
    assert_eq!(problem["retry"], true, "{problem}");
    // Reading goes on, and so does what is open.
    assert_eq!(bodies(&ada, &room).await, acked);
    socket.command(&serde_json::json!({"id": "still here", "type": "ping"})).await;
    socket.until("ack").await;
    socket.command(&refused).await;
    let error = socket.until("error").await;
    assert_eq!((error["code"].as_str(), &error["retry"]), (Some("unavailable"), &Value::Bool(true)));
    // With space again the same message goes through, once.
    std::fs::remove_file(filler).unwrap();
    until("the message goes through", async || {
        tokio::time::sleep(Duration::from_millis(100)).await;
        ada.command(&refused).await.status == 200
    })
    .await;
    assert_eq!(ada.command(&refused).await.status, 200);
    acked.push(refused["body"].as_str().unwrap().to_owned());
    assert_eq!(bodies(&ada, &room).await, acked);
    server.kill().await;
    server.restart().await;
    assert_eq!(bodies(&ada, &room).await, acked);
}
