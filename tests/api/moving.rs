//! `switchback migrate`, `backup` and `restore` as a team meets them: with servers, clients that post all
//! the time, and processes that are killed. Each on `SQLite`, and, where `SWITCHBACK_TEST_POSTGRES`
//! names a database, with `PostgreSQL` at the other end.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use switchback_client::{Handle, TransportPolicy};
use switchback_core::wire::{Command, Role};
use switchback_core::{Nonce, RoomId};
use switchback_storage::{NewMessage, NewUser, OpenMode, Store};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::timeout;
use uuid::Uuid;

use crate::crash::whole_log;
use crate::kit::base::Base;
use crate::kit::server::{Account, switchback};
use crate::kit::{Server, WebSocket, post, until};

/// For a command that copies.
const ENOUGH: Duration = Duration::from_mins(2);
/// So many that copying them takes longer than noticing that it has begun.
const MANY: usize = 10_000;
/// Acknowledgements before the backup begins.
const SOME: usize = 200;

async fn run(args: &[&str]) -> Output {
    let child = switchback().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    timeout(ENOUGH, child.wait_with_output()).await.unwrap().unwrap()
}

/// What it prints on success.
async fn done(args: &[&str]) -> String {
    let output = run(args).await;
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What it says when it refuses.
async fn refusal(args: &[&str]) -> String {
    let output = run(args).await;
    assert_eq!(output.status.code(), Some(1), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

async fn stop(mut server: Server) {
    server.signal("TERM").await;
    assert!(server.ended().await.success());
}

fn at(server: &Server, account: &Account) -> Account {
    Account { address: server.address, ..account.clone() }
}

async fn posted(account: &Account, command: &Value) -> u64 {
    let answer = account.command(command).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["seq"].as_u64().unwrap()
}

/// The frames from a cursor on, until it is up to date.
async fn from_cursor(account: &Account, cursor: &str) -> Vec<Value> {
    let path = format!("/chat?after={cursor}");
    let mut socket = WebSocket::open(account.address, &path, &account.authorization()).await;
    let mut frames = Vec::new();
    loop {
        let frame = socket.json().await;
        let kind = frame["type"].as_str().unwrap().to_owned();
        frames.push(frame);
        if kind == "ready" || kind == "reset" {
            return frames;
        }
    }
}

async fn clients_go_on_after_a_move(from: Base, to: Base) {
    let server = from.server().await;
    let (ada, _) = server.people().await;
    let room = ada.general().await;
    posted(&ada, &post(1, &room, "seen")).await;
    let cursor = ada.snapshot().await["cursor"].as_str().unwrap().to_owned();
    let last = post(2, &room, "not seen yet");
    let seq = posted(&ada, &last).await;
    let (from_address, to_address) = (from.address(), to.address());
    let migrate = ["migrate", "--from", &from_address, "--to", &to_address];
    let said = refusal(&migrate).await;
    assert!(said.contains("stop"), "{said}");
    stop(server).await;
    let said = done(&migrate).await;
    assert!(said.contains("Counts and hashes agree") && said.contains("SWITCHBACK_DATABASE_URL="), "{said}");
    let said = refusal(&migrate).await;
    assert!(said.contains("already holds a workspace"), "{said}");
    let server = to.server().await;
    let ada = at(&server, &ada);
    let frames = from_cursor(&ada, &cursor).await;
    assert!(frames.iter().all(|frame| frame["type"] != "reset"), "{frames:?}");
    let bodies = frames.iter().filter_map(|frame| frame["message"]["body"].as_str());
    assert_eq!(bodies.collect::<Vec<_>>(), ["not seen yet"]);
    assert_eq!(posted(&ada, &last).await, seq, "a retry is a second message");
    assert_eq!(posted(&ada, &post(3, &room, "goes on")).await, seq + 1);
    stop(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_move_clients_go_on_at_their_cursors() {
    clients_go_on_after_a_move(Base::directory(), Base::directory()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: set SWITCHBACK_TEST_POSTGRES"]
async fn after_a_move_to_postgres_clients_go_on_at_their_cursors() {
    clients_go_on_after_a_move(Base::directory(), Base::postgres()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: set SWITCHBACK_TEST_POSTGRES"]
async fn after_a_move_from_postgres_clients_go_on_at_their_cursors() {
    clients_go_on_after_a_move(Base::postgres(), Base::directory()).await;
}

/// A workspace with many messages, written by the store itself.
async fn with_many_messages(base: &Base) {
    let store = Store::open(&base.data_dir(), OpenMode::Server).await.unwrap();
    let (handle, name) = ("ada".parse().unwrap(), "Ada".parse().unwrap());
    let ada = NewUser { handle, name, role: Role::Owner, password_hash: "none".to_owned() };
    let ada = store.create_user(ada).await.unwrap().id;
    let general = store.rooms(ada).await.unwrap()[0].room.id;
    let numbers: Vec<usize> = (0..MANY).collect();
    for some in numbers.chunks(1_000) {
        let posts = some.iter().map(|number| {
            store.post_message(NewMessage {
                author: ada,
                room: general,
                nonce: Nonce::from_uuid(Uuid::now_v7()),
                body: format!("message {number}").parse().unwrap(),
                html: format!("<p>message {number}</p>"),
                reply_to: None,
                mentions: Vec::new(),
                mentions_room: false,
            })
        });
        futures_util::future::try_join_all(posts).await.unwrap();
    }
    store.close().await;
}

/// Kills it once it copies, and proves that this was in the middle.
async fn killed_while_it_copies(args: &[&str]) {
    let mut child = switchback().args(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let copying = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.starts_with("copying") {
                return;
            }
        }
        panic!("it ended before it copied anything");
    };
    timeout(ENOUGH, copying).await.unwrap();
    child.start_kill().unwrap();
    let status = child.wait().await.unwrap();
    assert_eq!(status.signal(), Some(9), "it ended by itself: {status}");
}

/// An empty database that says that it is being filled.
fn is_half_there(to: &Base) -> bool {
    let Some(schema) = to.schema() else {
        let there = |name: &str| to.data_dir().join(name).exists();
        return there("switchback.db.incoming") && !there("switchback.db");
    };
    let name = schema.name();
    let sql = format!(
        "SELECT to_regclass('{name}.unfinished_transfer') IS NOT NULL \
         AND NOT EXISTS (SELECT 1 FROM {name}.log_head)"
    );
    schema.psql(&sql) == "t"
}

async fn killed_in_the_middle_it_is_started_again(to: Base) {
    let from = Base::directory();
    with_many_messages(&from).await;
    let (from_address, to_address) = (from.address(), to.address());
    let migrate = ["migrate", "--from", &from_address, "--to", &to_address];
    for _ in 0..2 {
        killed_while_it_copies(&migrate).await;
        assert!(is_half_there(&to));
    }
    let data_dir = to.data_dir().to_str().unwrap().to_owned();
    let said = refusal(&["serve", "--data-dir", &data_dir, "--listen", "127.0.0.1:0"]).await;
    assert!(said.contains("has not finished") && said.contains("run it again"), "{said}");
    assert!(is_half_there(&to));
    let said = done(&migrate).await;
    assert!(said.contains("10,000") && said.contains("Counts and hashes agree"), "{said}");
    assert!(!is_half_there(&to));
    let server = to.server().await;
    let bob = server.account("bob", crate::kit::Role::Member).await;
    let snapshot = bob.snapshot().await;
    // ada, her membership, general, the messages; then bob and his membership.
    let cursor = snapshot["cursor"].as_str().unwrap();
    assert!(cursor.ends_with(&format!(".{}", MANY + 5)), "{cursor}");
    stop(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_killed_in_the_middle_is_started_again_and_no_server_starts_in_between() {
    killed_in_the_middle_it_is_started_again(Base::directory()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: set SWITCHBACK_TEST_POSTGRES"]
async fn a_move_to_postgres_killed_in_the_middle_is_started_again_and_no_server_starts_in_between() {
    killed_in_the_middle_it_is_started_again(Base::postgres()).await;
}

/// What was acknowledged: body and `seq`.
type Acked = Arc<Mutex<BTreeMap<String, u64>>>;

/// Posts until it is told to stop, a few at a time.
async fn keep_posting(handle: Handle, room: RoomId, who: usize, acked: Acked, enough: Arc<AtomicBool>) {
    for number in 0.. {
        if enough.load(Ordering::SeqCst) {
            return;
        }
        let sends = (0..4).map(|part| {
            let body = format!("client {who} message {number}.{part}");
            let nonce = Nonce::from_uuid(Uuid::now_v7());
            let post = Command::MessagePost { room, nonce, body: body.parse().unwrap(), reply_to: None };
            let (handle, acked) = (handle.clone(), Arc::clone(&acked));
            async move {
                let ack = handle.send(post).await.unwrap();
                acked.lock().unwrap().insert(body, ack.seq.unwrap());
            }
        });
        futures_util::future::join_all(sends).await;
    }
}

async fn backed_up_under_load(from: Base, to: Base) {
    let server = from.server().await;
    let (ada, bob) = server.people().await;
    let room: RoomId = ada.general().await.parse().unwrap();
    let (acked, enough) = (Acked::default(), Arc::new(AtomicBool::new(false)));
    let mut posting = Vec::new();
    for (number, who) in [&ada, &bob].into_iter().enumerate() {
        let (handle, mut stream) = who.connect(TransportPolicy::Auto).await;
        tokio::spawn(async move { while stream.next().await.is_some() {} });
        posting.push(tokio::spawn(keep_posting(
            handle,
            room,
            number,
            Arc::clone(&acked),
            Arc::clone(&enough),
        )));
    }
    let count = || acked.lock().unwrap().len();
    until("enough is acknowledged", async || count() >= SOME).await;
    let before = acked.lock().unwrap().clone();
    let (file, data_dir) = (from.file("backup.db"), from.data_dir().to_str().unwrap().to_owned());
    let said = done(&["backup", &file, "--data-dir", &data_dir]).await;
    let during = count() - before.len();
    assert!(during > 0, "nothing was posted during the backup");
    assert!(said.contains(&file) && said.contains("messages"), "{said}");
    until("it goes on after the backup", async || count() > before.len() + during).await;
    enough.store(true, Ordering::SeqCst);
    for posting in posting {
        timeout(ENOUGH, posting).await.unwrap().unwrap();
    }
    let cursor = ada.snapshot().await["cursor"].as_str().unwrap().to_owned();
    stop(server).await;

    let data_dir = to.data_dir().to_str().unwrap().to_owned();
    let said = done(&["restore", &file, "--data-dir", &data_dir]).await;
    assert!(said.contains("Counts and hashes agree"), "{said}");
    let server = to.server().await;
    let all = acked.lock().unwrap().clone();
    prove(&at(&server, &ada), &before, &all).await;
    let frames = from_cursor(&at(&server, &ada), &cursor).await;
    assert_eq!(frames.last().unwrap()["type"], "reset", "{frames:?}");
    stop(server).await;
    let said = refusal(&["restore", &file, "--data-dir", &data_dir]).await;
    assert!(said.contains("already holds a workspace"), "{said}");
}

/// Everything acknowledged before the backup, each message once and at its place, and no gap.
async fn prove(who: &Account, before: &BTreeMap<String, u64>, all: &BTreeMap<String, u64>) {
    let log = whole_log(who).await;
    let mut found = BTreeMap::new();
    let (mut last_seq, mut last_n) = (None, None);
    for event in log.into_iter().skip_while(|event| event["type"] != "message.posted") {
        let (seq, n) = (event["seq"].as_u64().unwrap(), event["n"].as_u64().unwrap());
        assert!(last_seq.replace(seq).is_none_or(|last| seq == last + 1), "a gap before {event}");
        assert!(last_n.replace(n).is_none_or(|last| n == last + 1), "a gap in the room before {event}");
        let body = event["message"]["body"].as_str().unwrap().to_owned();
        assert_eq!(found.insert(body, seq), None, "twice: {event}");
    }
    for (body, seq) in before {
        assert_eq!(found.get(body), Some(seq), "{body} is not in the backup");
    }
    // What was posted meanwhile is in it or not, but nothing is at another place.
    for (body, seq) in found {
        assert!(all.get(&body).is_none_or(|acked| *acked == seq), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_holds_what_was_acknowledged_and_resets_old_cursors() {
    backed_up_under_load(Base::directory(), Base::directory()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: set SWITCHBACK_TEST_POSTGRES"]
async fn a_backup_of_postgres_under_load_holds_what_was_acknowledged_and_resets_old_cursors() {
    backed_up_under_load(Base::postgres(), Base::postgres()).await;
}

#[tokio::test]
async fn an_address_that_cannot_be_read_is_refused_without_its_password() {
    let bad = "postgres://ada:s3cret@db:port/chat";
    for args in [["--from", bad, "--to", "sqlite:data"], ["--from", "sqlite:data", "--to", bad]] {
        let said = refusal(&[&["migrate"], &args[..]].concat()).await;
        assert!(said.contains("not a database address") && !said.contains("s3cret"), "{said}");
    }
}
