//! Several servers on one database: what one does, the people on the other see at once; and what
//! becomes of that when the bus between them is away.
//!
//! These tests want a `PostgreSQL` (`SWITCHBACK_TEST_POSTGRES`, its programs on the `PATH`) and the
//! program `nats-server`: `cargo xtask test` sees to both.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use serde_json::{Value, json};
use switchback_core::RoomId;
use switchback_core::wire::RoomKind;
use switchback_server::{BusHome, Config};
use switchback_storage::{Credential, Database, OpenMode, Store};
use uuid::Uuid;

use crate::kit::{Live, Person, TestServer, is_event, post};
use crate::port::Port;

/// What needs no bus is seen after the next look at the database, once a second.
const A_LOOK: Duration = Duration::from_secs(3);

/// A database of its own, gone when the test ends.
struct TestDatabase {
    name: String,
}

impl TestDatabase {
    fn new() -> Self {
        assert!(
            std::env::var_os("SWITCHBACK_TEST_POSTGRES").is_some(),
            "set SWITCHBACK_TEST_POSTGRES, as `cargo xtask test --only postgres` does"
        );
        let name = format!("nodes_{}", Uuid::now_v7().simple());
        program("createdb", &[&name]);
        Self { name }
    }

    async fn open(&self) -> Store {
        let address: Database = format!("postgres://localhost/{}", self.name).parse().unwrap();
        Store::open_database(&address, OpenMode::Server).await.unwrap()
    }

    /// Two servers that meet at `bus`.
    async fn nodes(&self, bus: &BusHome) -> [TestServer; 2] {
        let config = || Config { bus: bus.clone(), ..Config::default() };
        [TestServer::on(self.open().await, config()).await, TestServer::on(self.open().await, config()).await]
    }

    /// What a statement answers.
    fn run(&self, sql: &str) -> String {
        program("psql", &["-qAt", "-c", sql, &self.name])
    }

    /// Lets everybody wait who reads a table.
    fn lock(&self, table: &str) -> Lock {
        let mut command = Command::new("psql");
        command.args(["-qAt", &self.name]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = command.spawn().unwrap();
        let sql = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE;\n\\echo locked\n");
        holder.stdin.as_mut().unwrap().write_all(sql.as_bytes()).unwrap();
        let mut answer = String::new();
        BufReader::new(holder.stdout.as_mut().unwrap()).read_line(&mut answer).unwrap();
        assert_eq!(answer, "locked\n");
        Lock(holder)
    }

    /// Breaks every connection to it, as a restart would.
    fn break_connections(&self) {
        let sql =
            format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'", self.name);
        program("psql", &["-qAt", "-c", &sql, "postgres"]);
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        program("dropdb", &["--force", &self.name]);
    }
}

/// A lock on a table, for as long as it lives.
struct Lock(Child);

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn program(name: &str, args: &[&str]) -> String {
    let done = Command::new(name).args(args).output().unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(done.status.success(), "{name}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

/// A NATS server on a port that stays its own while it is down.
struct Nats {
    port: Port,
    running: Option<Child>,
}

impl Nats {
    fn start() -> Self {
        let mut nats = Self { port: Port::keep().unwrap(), running: None };
        nats.run();
        nats
    }

    fn run(&mut self) {
        let address = self.port.address;
        let port = address.port().to_string();
        let mut command = Command::new("nats-server");
        command.args(["-a", "127.0.0.1", "-p", &port]).stdout(Stdio::null()).stderr(Stdio::null());
        self.running = Some(command.spawn().unwrap_or_else(|error| panic!("nats-server: {error}")));
        let until = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(address).is_err() {
            assert!(Instant::now() < until, "nats-server does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.kill().unwrap();
            running.wait().unwrap();
        }
    }

    fn home(&self) -> BusHome {
        format!("nats://{}", self.port.address).parse().unwrap()
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn get(server: &TestServer, path: &str) -> Bytes {
    let request = http::Request::get(path).header("host", "test").body(Full::default()).unwrap();
    let (status, body) = server.fetch(request).await;
    assert_eq!(status, 200);
    body
}

/// Waits until the bus of each is as wanted, by `/readyz`: it is told, and no reason to be not ready.
async fn bus_is(nodes: &[TestServer], home: &str, connected: bool) {
    let until = Instant::now() + Duration::from_secs(20);
    for node in nodes {
        loop {
            let ready: Value = serde_json::from_slice(&get(node, "/readyz").await).unwrap();
            assert_eq!((&ready["ready"], &ready["bus"]["home"]), (&json!(true), &json!(home)));
            if ready["bus"]["connected"] == connected {
                break;
            }
            assert!(Instant::now() < until, "the bus did not become {connected}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A figure of `/metrics`.
async fn figure(server: &TestServer, name: &str) -> u64 {
    let text = get(server, "/metrics").await;
    let text = std::str::from_utf8(&text).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0, |figure| figure.parse().unwrap())
}

/// Two people in one room, each live with another node.
struct Pair {
    ada: Person,
    bob: Person,
    general: RoomId,
    here: Live,
    there: Live,
}

async fn pair([a, b]: &[TestServer; 2]) -> Pair {
    let (ada, bob) = (a.person("ada").await, a.person("bob").await);
    let general = a.general(&ada).await;
    let (mut here, mut there) = (a.websocket(&ada, "").await, b.event_stream(&bob, "").await);
    here.next_of("presence").await;
    there.next_of("presence").await;
    Pair { ada, bob, general, here, there }
}

/// Everything that one node has to tell the other, over a bus that works.
async fn neighbours_hear_of_each_other(home: &BusHome, name: &str) {
    let database = TestDatabase::new();
    let nodes = database.nodes(home).await;
    bus_is(&nodes, name, true).await;
    let Pair { ada, bob, general, mut here, mut there } = pair(&nodes).await;
    let [a, b] = &nodes;
    here.tells(&json!({"user": bob.id, "state": "online"})).await;

    let taken = "switchback_bus_doorbells_total{events=\"taken\"}";
    let before = figure(b, taken).await;
    for _ in 0..20 {
        let seq = a.say(&ada, general, "hello").await["seq"].clone();
        assert_eq!(there.event().await["seq"], seq);
        assert_eq!(here.event().await["seq"], seq);
    }
    assert!(figure(b, taken).await >= before + 15, "the events did not come with the doorbell");

    here.send(&json!({"type": "typing", "room": general})).await;
    assert_eq!(there.next_of("typing").await["user"], json!(ada.id));
    here.send(&json!({"type": "presence", "state": "away"})).await;
    there.tells(&json!({"user": ada.id, "state": "away"})).await;
    let present = a.websocket(&ada, "").await.next_of("presence").await;
    let present = present["changes"].as_array().unwrap().clone();
    assert!(present.contains(&json!({"user": bob.id, "state": "online"})), "{present:?}");

    // A secret that is taken back here closes what is open there.
    let id = a.store.tokens(bob.id).await.unwrap()[0].id;
    let request = http::Request::delete(format!("/api/v1/tokens/{id}"))
        .header("host", "test")
        .header("authorization", format!("Bearer {}", bob.token))
        .body(Full::default())
        .unwrap();
    assert_eq!(a.fetch(request).await.0, 204);
    assert_eq!(there.next_of("bye").await["reason"], "signed_out");
    assert_eq!(there.try_next().await, None);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo xtask test --only postgres"]
async fn nodes_hear_of_each_other_through_the_database() {
    neighbours_hear_of_each_other(&BusHome::Automatic, "postgres").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL and nats-server: cargo xtask test --only postgres"]
async fn nodes_hear_of_each_other_through_nats() {
    let nats = Nats::start();
    neighbours_hear_of_each_other(&nats.home(), "nats").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo xtask test --only postgres"]
async fn without_a_bus_a_node_finds_new_events_within_a_second() {
    let database = TestDatabase::new();
    let nodes = database.nodes(&BusHome::InProcess).await;
    let Pair { ada, bob, general, mut there, .. } = pair(&nodes).await;
    for _ in 0..3 {
        let seq = nodes[0].say(&ada, general, "hello").await["seq"].clone();
        let said = Instant::now();
        assert_eq!(there.event().await["seq"], seq);
        assert!(said.elapsed() < A_LOOK, "{:?}", said.elapsed());
    }
    nodes[0].store.remove_member(ada.id, general, bob.id).await.unwrap_err();
    let secret = nodes[0].room(&ada, RoomKind::Private, "secret").await;
    nodes[0].store.add_member(ada.id, secret, bob.id).await.unwrap();
    assert_eq!(there.event().await["type"], "member.joined");
    nodes[0].store.remove_member(ada.id, secret, bob.id).await.unwrap();
    nodes[0].say(&ada, secret, "not for bob").await;
    let seq = nodes[0].say(&ada, general, "for all").await["seq"].clone();
    assert_eq!(there.event().await["type"], "member.left");
    assert_eq!(there.event().await["seq"], seq);
    // Nobody can tell the other node, so it asks.
    let token = nodes[0].store.tokens(bob.id).await.unwrap()[0].id;
    nodes[0].store.end_token(bob.id, token).await.unwrap();
    assert_eq!(there.next_of("bye").await["reason"], "signed_out");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo xtask test --only postgres"]
async fn nodes_hear_each_other_while_the_database_lets_them_wait() {
    let database = TestDatabase::new();
    let nodes = database.nodes(&BusHome::Automatic).await;
    bus_is(&nodes, "postgres", true).await;
    let Pair { ada, general, mut here, mut there, .. } = pair(&nodes).await;
    let locked = database.lock("sessions");
    // Somebody comes: all look up whose sessions are left, and wait.
    let waiting = "SELECT count(*) >= 2 FROM pg_locks WHERE NOT granted AND relation = 'sessions'::regclass";
    let hello = json!({"node": Uuid::now_v7(), "frames": [{"type": "node.hello"}]});
    let channel = format!("switchback.{}", nodes[0].store.epoch());
    database.run(&format!("SELECT pg_notify('{channel}', '{hello}')"));
    let until = Instant::now() + Duration::from_secs(5);
    while database.run(waiting) != "t" {
        assert!(Instant::now() < until, "nobody looks sessions up");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let typing = Instant::now();
    here.send(&json!({"type": "typing", "room": general})).await;
    assert_eq!(there.next_of("typing").await["user"], json!(ada.id));
    assert!(typing.elapsed() < A_LOOK, "{:?}", typing.elapsed());
    drop(locked);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL and nats-server: cargo xtask test --only postgres"]
async fn a_bus_that_is_away_costs_latency_only() {
    let (database, mut nats) = (TestDatabase::new(), Nats::start());
    let nodes = database.nodes(&nats.home()).await;
    bus_is(&nodes, "nats", true).await;
    let Pair { ada, bob, general, mut there, .. } = pair(&nodes).await;
    nats.kill();
    bus_is(&nodes, "nats", false).await;
    assert_eq!(figure(&nodes[0], "switchback_bus_connected{home=\"nats\"}").await, 0);
    for _ in 0..3 {
        let seq = nodes[0].say(&ada, general, "hello").await["seq"].clone();
        let said = Instant::now();
        assert_eq!(there.event().await["seq"], seq);
        assert!(said.elapsed() < A_LOOK, "{:?}", said.elapsed());
    }
    // Nobody can tell the other node, so it asks.
    let id = nodes[0].store.tokens(bob.id).await.unwrap()[0].id;
    nodes[0].store.end_token(bob.id, id).await.unwrap();
    assert_eq!(there.next_of("bye").await["reason"], "signed_out");

    nats.run();
    bus_is(&nodes, "nats", true).await;
    let mut there = nodes[1].websocket(&ada, "").await;
    there.next_of("presence").await;
    let taken = "switchback_bus_doorbells_total{events=\"taken\"}";
    let before = figure(&nodes[1], taken).await;
    let until = Instant::now() + Duration::from_secs(10);
    while figure(&nodes[1], taken).await == before {
        assert!(Instant::now() < until, "no doorbell rings");
        let seq = nodes[0].say(&ada, general, "again").await["seq"].clone();
        assert_eq!(there.event().await["seq"], seq);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo xtask test --only postgres"]
async fn broken_connections_to_the_database_lose_nothing() {
    let database = TestDatabase::new();
    let nodes = database.nodes(&BusHome::Automatic).await;
    bus_is(&nodes, "postgres", true).await;
    let Pair { ada, general, mut there, .. } = pair(&nodes).await;
    let lines = figure(&nodes[1], "switchback_bus_connects_total").await;
    for round in 0..20 {
        if round % 5 == 2 {
            database.break_connections();
        }
        // The client's part: the same nonce until there is an answer.
        let command = post(general, "hello");
        let seq = loop {
            let (status, answer) = nodes[0].command(&ada, &command).await;
            if status == 200 {
                break answer["seq"].clone();
            }
            assert_eq!(status, 503, "{answer}");
        };
        assert_eq!(there.event().await["seq"], seq);
    }
    bus_is(&nodes, "postgres", true).await;
    assert!(figure(&nodes[1], "switchback_bus_connects_total").await > lines, "the line was never broken");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo xtask test --only postgres"]
async fn who_comes_to_another_node_with_a_fresh_cursor_goes_on_from_there() {
    let database = TestDatabase::new();
    // Without a bus the other node is as far behind as it can be.
    let [a, b] = database.nodes(&BusHome::InProcess).await;
    let ada = a.person("ada").await;
    let general = a.general(&ada).await;
    let epoch = a.store.epoch();
    for _ in 0..5 {
        let first = a.say(&ada, general, "one").await["seq"].as_u64().unwrap();
        let second = a.say(&ada, general, "two").await["seq"].as_u64().unwrap();
        let mut live = b.websocket(&ada, &format!("?after={epoch}.{first}")).await;
        let frames = live.until_ready().await;
        let seqs: Vec<_> = frames.iter().filter(|frame| is_event(frame)).map(|event| &event["seq"]).collect();
        assert_eq!(seqs, [&json!(second)], "{frames:?}");
        let mut live = b.event_stream(&ada, &format!("?after={epoch}.{second}")).await;
        let frames = live.until_ready().await;
        assert!(frames.iter().all(|frame| frame["type"] != "reset" && !is_event(frame)), "{frames:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo xtask test --only postgres"]
async fn a_batch_client_that_goes_to_and_fro_waits_as_on_one_node() {
    let database = TestDatabase::new();
    let nodes = database.nodes(&BusHome::Automatic).await;
    bus_is(&nodes, "postgres", true).await;
    let ada = nodes[0].person("ada").await;
    let first = nodes[0].batch(&ada, "?mode=batch&wait=0").await;
    let mut ready = first.last().unwrap().clone();
    // The first answers may tell at once that ada is there. A client that is told so again by each
    // node in turn never comes to waiting.
    let mut waited = 0;
    for round in 0..12 {
        let (cursor, seen) = (ready["cursor"].as_str().unwrap(), ready["seen"].as_u64().unwrap());
        let asked = Instant::now();
        let query = format!("?mode=batch&wait=1&after={cursor}&seen={seen}");
        let frames = nodes[(round + 1) % 2].batch(&ada, &query).await;
        waited = if asked.elapsed() >= Duration::from_millis(900) { waited + 1 } else { 0 };
        if waited == 3 {
            return;
        }
        ready = frames.last().unwrap().clone();
    }
    panic!("answered at once again and again: {ready}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo xtask test --only postgres"]
async fn everybody_sees_what_all_nodes_wrote_in_one_order() {
    const POSTS: usize = 100;
    let database = TestDatabase::new();
    let nodes = database.nodes(&BusHome::Automatic).await;
    bus_is(&nodes, "postgres", true).await;
    let Pair { ada, bob, general, mut here, mut there } = pair(&nodes).await;
    let write = async |node: &TestServer, person: &Person| {
        for _ in 0..POSTS {
            node.say(person, general, "hello").await;
        }
    };
    let read = async |live: &mut Live| {
        let mut events = Vec::new();
        while events.len() < 2 * POSTS {
            let event = live.event().await;
            events.push((event["seq"].as_u64().unwrap(), event["n"].as_u64().unwrap()));
        }
        events
    };
    let writing = async { tokio::join!(write(&nodes[0], &ada), write(&nodes[1], &bob)) };
    let (_, near, far) = tokio::join!(writing, read(&mut here), read(&mut there));
    assert_eq!(near, far);
    assert!(near.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1 && pair[1].1 == pair[0].1 + 1), "{near:?}");
    let credential = Credential::Token(nodes[0].store.tokens(ada.id).await.unwrap()[0].id);
    assert!(nodes[1].store.alive(&[ada.id, bob.id]).await.unwrap().contains(&(ada.id, credential)));
}
