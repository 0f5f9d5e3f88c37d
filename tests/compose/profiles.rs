//! The image, and each profile: it comes up from nothing with one command, and people talk in it.

use std::time::Duration;

use serde_json::Value;
use switchback_client::{HistoryPage, Transport, TransportPolicy};

use crate::engine::{docker, inspect, try_docker};
use crate::script::{self, Talker};
use crate::stack::{Stack, timed};
use crate::team::Team;
use crate::until;

/// Unpacked, in bytes.
const IMAGE_BYTES: u64 = 40_000_000;
/// A stop ends before the engine would kill: the server's own limit is 10 s.
const STOP: Duration = Duration::from_secs(15);

const WAYS: [Transport; 3] = [Transport::Websocket, Transport::Sse, Transport::Batch];

/// The same conversation on every way in, through the port that is published.
pub(crate) async fn people_talk(stack: &Stack, team: &Team) {
    let mut told: Vec<[Vec<Value>; 2]> = Vec::new();
    for way in WAYS {
        let room = team.room(stack, &format!("talk-{way:?}").to_lowercase()).await;
        let mut talkers = Vec::new();
        for person in &team.people[..2] {
            let (handle, stream) = person.connect(TransportPolicy::Only(way)).await;
            talkers.push(Talker::new(handle, stream));
        }
        let (bob, ada) = (talkers.pop().unwrap(), talkers.pop().unwrap());
        let (hers, his) = script::converse(room, ada, bob).await;
        assert!(hers.len() >= 10 && his.len() > hers.len(), "{way:?}: {} and {}", hers.len(), his.len());
        told.push([script::without_chance(&hers), script::without_chance(&his)]);
    }
    assert_eq!(told[0], told[1], "WebSocket and event stream differ");
    assert_eq!(told[0], told[2], "WebSocket and batches differ");
}

/// How many messages bob finds in the room of the first conversation.
async fn messages(team: &Team) -> usize {
    let rest = team.people[1].rest();
    let rooms = rest.rooms().await.unwrap().rooms;
    let room =
        rooms.iter().find(|room| room.room.name.as_ref().is_some_and(|name| name.as_str() == "talk-sse"));
    rest.history(room.unwrap().room.id, HistoryPage::Newest, 100).await.unwrap().messages.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_profile_is_one_node_on_a_volume_and_a_team_can_outgrow_it() {
    let mut stack = Stack::up(None).await;
    assert_eq!(stack.services().await, ["switchback"]);
    stack.healthy(&["switchback"]).await;
    the_image_holds_little_and_may_little(&stack).await;
    let team = Team::form(&stack, "switchback").await;
    people_talk(&stack, &team).await;
    let before = messages(&team).await;
    assert!(before > 3);
    back_up(&stack).await;
    let took = timed(async { drop(stack.compose(&["stop"]).await) }).await;
    let state = stack.state("switchback").await;
    assert!(state["ExitCode"] == 0 && took < STOP, "{took:?}: {state:#}");
    // Away and made anew; the volume stays.
    stack.compose(&["down"]).await;
    assert!(stack.services().await.is_empty());
    stack.compose(&["up", "-d"]).await;
    stack.healthy(&["switchback"]).await;
    assert_eq!(messages(&team).await, before);
    stack.compose(&["down"]).await;
    stack.profile = Some("team");
    move_to_postgresql(&stack).await;
    stack.compose(&["up", "-d"]).await;
    stack.healthy(&["node"]).await;
    assert_eq!(messages(&team).await, before);
    stack.down().await;
}

/// As docs/OPERATIONS.md has it.
async fn back_up(stack: &Stack) {
    let said = stack.compose(&["exec", "-T", "switchback", "switchback", "backup", "/data/monday.db"]).await;
    assert!(said.contains("messages"), "{said}");
    let dir = tempfile::tempdir().unwrap();
    let (inside, here) =
        (stack.container("switchback").await + ":/data/monday.db", dir.path().join("monday.db"));
    docker(&["cp", &inside, here.to_str().unwrap()]).await;
    assert!(std::fs::read(here).unwrap().starts_with(b"SQLite format 3\0"));
}

/// As docs/OPERATIONS.md has it.
async fn move_to_postgresql(stack: &Stack) {
    stack.compose(&["up", "-d", "postgres"]).await;
    stack.healthy(&["postgres"]).await;
    let address = stack.compose(&["exec", "-T", "postgres", "cat", "/run/switchback/database-url"]).await;
    let to = format!("SWITCHBACK_TO={}", address.trim());
    stack.compose(&["run", "--rm", "-T", "-e", &to, "node", "migrate", "--from", "sqlite:/data"]).await;
}

async fn the_image_holds_little_and_may_little(stack: &Stack) {
    let id = stack.container("switchback").await;
    let container = inspect(&id).await;
    let host = &container["HostConfig"];
    assert_eq!(host["ReadonlyRootfs"], true);
    assert_eq!(host["CapDrop"][0], "ALL");
    assert_eq!(container["Config"]["User"], "65532:65532");
    let image = container["Image"].as_str().unwrap();
    let size = inspect(image).await["Size"].as_u64().unwrap();
    println!("the image takes {} kB unpacked", size / 1000);
    assert!(size < IMAGE_BYTES, "{size}");
    for shell in ["/bin/sh", "/bin/bash", "/bin/busybox", "/usr/bin/apt-get"] {
        let refused = try_docker(&["exec", &id, shell]).await.unwrap_err();
        assert!(refused.contains("no such file"), "{refused}");
    }
    let processes = docker(&["top", &id, "-eo", "pid,uid"]).await;
    let mut lines = processes.lines().skip(1).map(str::split_whitespace);
    assert!(lines.all(|mut words| words.nth(1) == Some("65532")), "{processes}");
    // The port is for this machine, until somebody says otherwise.
    let ports = &container["NetworkSettings"]["Ports"]["8080/tcp"];
    assert_eq!(ports[0]["HostIp"], "127.0.0.1", "{ports:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_team_profile_is_a_node_with_postgresql_and_a_password_that_nobody_chose() {
    let stack = Stack::up(Some("team")).await;
    assert_eq!(stack.services().await, ["node", "postgres", "secrets"]);
    stack.healthy(&["postgres", "node"]).await;
    let team = Team::form(&stack, "node").await;
    people_talk(&stack, &team).await;
    the_database_asks_for_the_password(&stack).await;
    // The data and the password outlive all containers.
    let before = messages(&team).await;
    stack.compose(&["down"]).await;
    stack.compose(&["up", "-d"]).await;
    stack.healthy(&["postgres", "node"]).await;
    assert_eq!(messages(&team).await, before);
    stack.down().await;
}

/// Asked by TCP, as a node does, but without the file.
async fn the_database_asks_for_the_password(stack: &Stack) {
    let postgres = stack.container("postgres").await;
    let ask = ["psql", "--no-password", "--username=switchback", "--command=SELECT 1", "--host=postgres"];
    let refused = try_docker(&[&["exec", &postgres], &ask[..]].concat()).await.unwrap_err();
    assert!(refused.contains("password"), "{refused}");
    let node = inspect(&stack.container("node").await).await;
    let environment = node["Config"]["Env"].to_string();
    assert!(!environment.contains("postgres://"), "a secret stands in the environment");
    until("PostgreSQL publishes no port", async || {
        let ports = inspect(&postgres).await["NetworkSettings"]["Ports"]["5432/tcp"].clone();
        ports.is_null() || ports.as_array().is_some_and(Vec::is_empty)
    })
    .await;
}
