//! `switchback chat` in a pipe.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::timeout;

use crate::kit::server::{Account, PASSWORD, switchback};
use crate::kit::{PATIENCE, Server, post};

struct Terminal {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Terminal {
    fn open(who: &Account, args: &[&str]) -> Self {
        let mut command = switchback();
        command.arg("chat").arg(format!("http://{}", who.address)).args(args);
        command.env("SWITCHBACK_TOKEN", &who.token);
        Self::spawn(command)
    }

    fn spawn(mut command: tokio::process::Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, input, output: BufReader::new(output).lines() }
    }

    async fn types(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// The next line that says this.
    async fn shows(&mut self, text: &str) -> String {
        loop {
            let line = timeout(PATIENCE, self.output.next_line()).await.unwrap().unwrap().unwrap();
            if line.contains(text) {
                return line;
            }
        }
    }

    async fn ends(mut self) -> bool {
        drop(self.input);
        timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap().success()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_terminals_talk_to_each_other() {
    let server = Server::start().await;
    let (ada, bob) = server.people().await;
    ada.command(&post(1, &ada.general().await, "written before")).await;
    let mut hers = Terminal::open(&ada, &[]);
    let mut his = Terminal::open(&bob, &["--transport", "sse"]);
    for terminal in [&mut hers, &mut his] {
        let line = terminal.shows("written before").await;
        assert!(line.starts_with('[') && line.ends_with("] The ada: written before"), "{line}");
    }
    hers.types("hello bob").await;
    his.shows("The ada: hello bob").await;
    his.types("//quit is a command").await;
    hers.shows("The bob: /quit is a command").await;
    hers.types("/quit").await;
    assert!(hers.ends().await);
    assert!(his.ends().await, "the end of the input ends it, too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_entered_by_name() {
    let server = Server::start().await;
    let (ada, bob) = server.people().await;
    let made = ada.request("POST", "/api/v1/rooms", r#"{"kind":"public","name":"random"}"#).await.json();
    ada.command(&post(1, made["id"].as_str().unwrap(), "nobody is here")).await;
    let mut his = Terminal::open(&bob, &[]);
    his.types("/join random").await;
    his.shows("The ada: nobody is here").await;
    his.types("now I am").await;
    his.shows("The bob: now I am").await;
    assert!(his.ends().await);
    let rooms = bob.snapshot().await["rooms"].as_array().unwrap().len();
    assert_eq!(rooms, 2, "he is a member now");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_piped_in_is_sent_before_it_ends() {
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    let mut terminal = Terminal::open(&ada, &[]);
    for number in 0..50 {
        terminal.types(&format!("line {number}")).await;
    }
    assert!(terminal.ends().await);
    let history = ada.get(&format!("/api/v1/rooms/{}/messages?limit=100", ada.general().await)).await.json();
    let bodies: Vec<_> =
        history["messages"].as_array().unwrap().iter().map(|one| one["body"].clone()).collect();
    let wanted: Vec<_> = (0..50).map(|number| serde_json::json!(format!("line {number}"))).collect();
    assert_eq!(bodies, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_opens_it_and_its_session_ends_with_it() {
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    let mut command = switchback();
    command.arg("chat").arg(server.url()).args(["--handle", "ada"]).env("SWITCHBACK_PASSWORD", PASSWORD);
    let mut terminal = Terminal::spawn(command);
    terminal.types("by password").await;
    terminal.shows("The ada: by password").await;
    let sessions = async || ada.get("/api/v1/sessions").await.json()["sessions"].as_array().unwrap().len();
    assert_eq!(sessions().await, 1);
    assert!(terminal.ends().await);
    assert_eq!(sessions().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_outlives_the_server() {
    let mut server = Server::start().await;
    let (ada, bob) = server.people().await;
    let mut hers = Terminal::open(&ada, &[]);
    hers.types("before").await;
    hers.shows("before").await;
    server.kill().await;
    hers.types("while it is away").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.restart().await;
    hers.shows("The ada: while it is away").await;
    bob.command(&post(1, &bob.general().await, "welcome back")).await;
    hers.shows("The bob: welcome back").await;
    assert!(hers.ends().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_come_in_is_told_so() {
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    let stranger = Account { token: "A".repeat(32), ..ada.clone() };
    assert!(!Terminal::open(&stranger, &[]).ends().await);
    assert!(!Terminal::open(&ada, &["--room", "nowhere"]).ends().await);
}
