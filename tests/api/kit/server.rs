//! `switchback serve` as a process with a data directory of its own, and `switchback admin` beside it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use switchback_client::{Client, ClientConfig, Credential, EventStream, Handle, TransportPolicy};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::http::{self, Answer};
use super::{Connection, PATIENCE, Port, until};

pub(crate) const PASSWORD: &str = "correct horse battery";

#[derive(Debug, Clone, Copy)]
pub(crate) enum Role {
    Owner,
    Member,
}

/// A running server. Killed and cleared away when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    scheme: String,
    child: Option<Child>,
    data_dir: PathBuf,
    /// What it said on both of its outputs since it was started last.
    said: Arc<Mutex<String>>,
    args: Vec<String>,
    /// Where it comes back, if it does.
    _port: Port,
    _dir: Option<TempDir>,
}

/// The binary under test, without the settings of whoever runs the test.
pub(crate) fn switchback() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SWITCHBACK_")) {
        command.env_remove(name);
    }
    command.kill_on_drop(true).stdin(Stdio::null());
    command
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With further options.
    pub(crate) async fn start_with(args: &[&str]) -> Self {
        let dir = TempDir::new().unwrap();
        let data_dir = dir.path().join("data");
        Self { _dir: Some(dir), ..Self::start_in(&data_dir, args).await }
    }

    /// On a data directory that stays.
    pub(crate) async fn start_in(data_dir: &Path, args: &[&str]) -> Self {
        let port = Port::keep().unwrap();
        let mut server = Self {
            address: port.address,
            scheme: String::new(),
            child: None,
            data_dir: data_dir.to_owned(),
            said: Arc::default(),
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            _port: port,
            _dir: None,
        };
        server.spawn().await;
        server
    }

    async fn spawn(&mut self) {
        let mut command = switchback();
        command.arg("serve").arg("--data-dir").arg(&self.data_dir);
        command.args(["--listen", &self.address.to_string()]).args(&self.args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        self.said = Arc::default();
        gather(BufReader::new(child.stdout.take().unwrap()), &self.said);
        gather(BufReader::new(child.stderr.take().unwrap()), &self.said);
        self.child = Some(child);
        let said = Arc::clone(&self.said);
        let child = self.child.as_mut().unwrap();
        until("the server listens", async || {
            assert!(child.try_wait().unwrap().is_none(), "it ended:\n{}", said.lock().unwrap());
            said.lock().unwrap().contains("listening on http")
        })
        .await;
        let said = self.said();
        let (scheme, listening) =
            said.split("listening on ").nth(1).and_then(|url| url.split_once("://")).unwrap();
        scheme.clone_into(&mut self.scheme);
        self.address = listening.split([' ', '\n', '"']).next().unwrap().parse().unwrap();
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    pub(crate) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id().unwrap()
    }

    /// `kill -9`.
    pub(crate) async fn kill(&mut self) {
        self.child.take().unwrap().kill().await.unwrap();
    }

    /// Comes back on the same data and port.
    pub(crate) async fn restart(&mut self) {
        self.spawn().await;
    }

    /// Asks it to stop.
    pub(crate) async fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &pid]).status().await.unwrap();
        assert!(status.success());
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        timeout(PATIENCE, self.child.as_mut().unwrap().wait()).await.unwrap().unwrap()
    }

    /// Runs an admin command; standard output on success.
    pub(crate) async fn admin(&self, args: &[&str], input: &str) -> String {
        let output = admin(&self.data_dir, args, input).await;
        let (stdout, stderr) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{args:?}: {stderr}");
        stdout
    }

    /// Makes an account and a token for it.
    pub(crate) async fn account(&self, handle: &str, role: Role) -> Account {
        let role = match role {
            Role::Owner => "owner",
            Role::Member => "member",
        };
        let name = format!("The {handle}");
        let args = ["create-user", "--handle", handle, "--name", &name, "--role", role, "--password-stdin"];
        self.admin(&args, &format!("{PASSWORD}\n")).await;
        let printed = self.admin(&["create-token", "--user", handle, "--label", "test"], "").await;
        let token = printed.lines().last().unwrap().to_owned();
        let account = Account { address: self.address, handle: handle.to_owned(), token };
        assert_eq!(account.get("/api/v1/session").await.status, 200);
        account
    }

    /// The owner ada, and bob.
    pub(crate) async fn people(&self) -> (Account, Account) {
        (self.account("ada", Role::Owner).await, self.account("bob", Role::Member).await)
    }
}

/// Runs `switchback admin` on a data directory.
pub(crate) async fn admin(data_dir: &Path, args: &[&str], input: &str) -> Output {
    let (command, rest) = args.split_first().unwrap();
    let mut process = switchback();
    process.arg("admin").arg(command).arg("--data-dir").arg(data_dir).args(rest);
    process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = process.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may have refused its arguments and gone already.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap()
}

fn gather(output: BufReader<impl tokio::io::AsyncRead + Unpin + Send + 'static>, said: &Arc<Mutex<String>>) {
    let said = Arc::clone(said);
    tokio::spawn(async move {
        let mut lines = output.lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let mut said = said.lock().unwrap();
            said.push_str(&line);
            said.push('\n');
        }
    });
}

/// Somebody with a token.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) address: SocketAddr,
    pub(crate) handle: String,
    pub(crate) token: String,
}

impl Account {
    pub(crate) fn authorization(&self) -> String {
        format!("Authorization: Bearer {}\r\n", self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, "").await
    }

    /// A request with a JSON body, or with none.
    pub(crate) async fn request(&self, method: &str, path: &str, body: &str) -> Answer {
        let request = http::request(method, path, &self.authorization(), body);
        Connection::open(self.address).await.exchange(&request).await
    }

    /// A command by POST.
    pub(crate) async fn command(&self, command: &Value) -> Answer {
        self.request("POST", "/chat", &command.to_string()).await
    }

    pub(crate) async fn snapshot(&self) -> Value {
        self.get("/api/v1/snapshot").await.json()
    }

    /// The id of the room that always exists.
    pub(crate) async fn general(&self) -> String {
        self.snapshot().await["rooms"][0]["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn id(&self) -> String {
        self.snapshot().await["me"]["id"].as_str().unwrap().to_owned()
    }

    /// The beginning of the log.
    pub(crate) async fn origin(&self) -> String {
        let cursor = self.snapshot().await["cursor"].as_str().unwrap().to_owned();
        format!("{}.0", cursor.split_once('.').unwrap().0)
    }

    /// The Rust client, from the beginning of the log.
    pub(crate) async fn connect(&self, transports: TransportPolicy) -> (Handle, EventStream) {
        let mut config =
            ClientConfig::new(format!("http://{}", self.address), Credential::Token(self.token.clone()));
        config.transports = transports;
        config.cursor = Some(self.origin().await.parse().unwrap());
        Client::connect(&config).unwrap()
    }
}
