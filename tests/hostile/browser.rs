//! The round of the web client: one Chromium, a window behind each network, driven by
//! `tests/browser/hostile.js`, which is told what to do and answers in lines of JSON.

use std::process::Stdio;

use serde::Deserialize;
use serde_json::json;
use switchback_core::RoomId;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::kit::server::PASSWORD;
use crate::network::Standing;
use crate::record::{PARTNER, Record};
use crate::round::Clients;
use crate::site::Site;
use crate::talker::PACE;

/// The driver's slowest answer: a browser's start and everybody's sign-in, or the last messages.
const ANSWER: std::time::Duration = std::time::Duration::from_mins(5);
const DRIVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/browser/hostile.js");

pub(crate) struct Browser {
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

#[derive(Deserialize)]
struct Said {
    done: String,
    #[serde(default)]
    records: Vec<Record>,
}

impl Browser {
    pub(crate) async fn start(site: &Site, networks: &[Standing], _rooms: &[RoomId]) -> Self {
        let mut child = Command::new("node")
            .arg(DRIVER)
            .kill_on_drop(true)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node is missing; `cargo xtask test --only hostile` installs it");
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut browser = Self { stdin, lines: BufReader::new(stdout).lines(), _child: child };
        let windows: Vec<_> = networks
            .iter()
            .zip(&site.members)
            .enumerate()
            .map(|(n, (network, member))| {
                let (url, proxy) = network.way(site.server.address);
                json!({"url": url, "proxy": proxy, "handle": member.handle, "room": format!("{ROUND}{n}")})
            })
            .collect();
        let pace_ms = PACE.as_millis();
        let begin = json!({"do": "begin", "windows": windows, "password": PASSWORD, "partner": PARTNER, "pace_ms": pace_ms});
        browser.tell(&begin).await;
        browser
    }

    async fn tell(&mut self, what: &serde_json::Value) {
        self.stdin.write_all(format!("{what}\n").as_bytes()).await.unwrap();
    }

    /// Waits until the driver has done it.
    async fn done(&mut self, what: &str) -> Said {
        let line = timeout(ANSWER, self.lines.next_line()).await.unwrap().unwrap();
        let line = line.unwrap_or_else(|| panic!("the driver ended before \"{what}\""));
        let said: Said = serde_json::from_str(&line).unwrap();
        assert_eq!(said.done, what);
        said
    }
}

/// How the rooms of this round are called.
pub(crate) const ROUND: &str = "web";

impl Clients for Browser {
    async fn live(&mut self) {
        self.done("begin").await;
    }

    async fn talk(&mut self, go_on: bool) {
        let what = if go_on { "talk" } else { "hush" };
        self.tell(&json!({"do": what})).await;
        self.done(what).await;
    }

    async fn finish(mut self, stored: &[Vec<String>]) -> Vec<Record> {
        let partners = |texts: &Vec<String>| texts.iter().filter(|text| text.starts_with(PARTNER)).count();
        let counts: Vec<usize> = stored.iter().map(partners).collect();
        self.tell(&json!({"do": "finish", "partners": counts})).await;
        let records = self.done("finish").await.records;
        assert_eq!(records.len(), stored.len());
        records
    }
}
