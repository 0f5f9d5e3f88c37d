//! The failures. Each happens, is proven to have happened, and is over when its function returns; what
//! it returns is the proof.
//!
//! A node is chosen by how many connections it holds: a failure of one that holds none would show
//! nothing.

use std::time::Duration;

use serde_json::Value;

use crate::engine::{docker, inspect, try_docker};
use crate::stack::Stack;
use crate::until;

const NODES: [&str; 2] = ["node-1", "node-2"];
/// How long a node is paused.
const PAUSE: Duration = Duration::from_secs(20);
/// How long it is away from what it needs.
const CUT_BACK: Duration = Duration::from_secs(15);
/// How long it is away from the load balancer: longer than clients wait for a word (35 s).
const CUT_FRONT: Duration = Duration::from_secs(40);
/// How long NATS is away.
const NO_NATS: Duration = Duration::from_secs(10);

/// The network's name, as compose makes it.
fn network(name: &str) -> String {
    format!("{}_{name}", std::env::var("COMPOSE_PROJECT_NAME").unwrap())
}

/// Asks one node, from where all can be reached.
async fn ask(stack: &Stack, node: &str, path: &str) -> Result<String, String> {
    let balancer = stack.container("load-balancer").await;
    let url = format!("http://{node}:8080{path}");
    try_docker(&["exec", &balancer, "curl", "-fsS", "--max-time", "2", &url]).await
}

async fn connections(stack: &Stack, node: &str) -> u64 {
    let metrics = ask(stack, node, "/metrics").await.unwrap();
    let counts = metrics.lines().filter(|line| line.starts_with("switchback_connections{"));
    counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// The node with the most connections, and how many.
async fn busiest(stack: &Stack) -> (&'static str, u64) {
    let [one, two] = [connections(stack, NODES[0]).await, connections(stack, NODES[1]).await];
    let (node, count) = if one >= two { (NODES[0], one) } else { (NODES[1], two) };
    assert!(count > 0, "nobody is connected");
    (node, count)
}

/// From outside, as a power cut: the engine brings it back by itself.
pub(crate) async fn kill_a_node(stack: &Stack) -> String {
    let (node, held) = busiest(stack).await;
    let id = stack.container(node).await;
    let before = inspect(&id).await;
    let pid = before["State"]["Pid"].as_u64().unwrap();
    let image = inspect(&stack.container("postgres").await).await["Config"]["Image"].clone();
    let kill = format!("kill -9 {pid}");
    let run = ["run", "--rm", "--pid=host", "--network=none", "--user=root", "--entrypoint=sh"];
    docker(&[&run[..], &[image.as_str().unwrap(), "-c", &kill]].concat()).await;
    let is_back = async || {
        let now = inspect(&id).await;
        now["State"]["Running"] == true && now["RestartCount"] != before["RestartCount"]
    };
    until("the node was killed and is back", is_back).await;
    let after = inspect(&id).await["State"]["Pid"].as_u64().unwrap();
    assert_ne!(pid, after);
    format!("{node} with {held} connections: process {pid}, then {after}")
}

pub(crate) async fn stop_and_start_nats(stack: &Stack) -> String {
    let before = stack.state("nats").await;
    stack.compose(&["stop", "nats"]).await;
    assert_eq!(stack.state("nats").await["Running"], false);
    for node in NODES {
        until("the nodes miss it", async || !hears_the_others(stack, node).await).await;
    }
    tokio::time::sleep(NO_NATS).await;
    stack.compose(&["start", "nats"]).await;
    let after = stack.state("nats").await;
    assert!(after["Running"] == true && after["StartedAt"] != before["StartedAt"]);
    for node in NODES {
        until("the nodes have found it again", async || hears_the_others(stack, node).await).await;
    }
    format!("both nodes said that their bus is away, for {} s", NO_NATS.as_secs())
}

/// What a node says of its bus.
async fn hears_the_others(stack: &Stack, node: &str) -> bool {
    let said: Value = serde_json::from_str(&ask(stack, node, "/readyz").await.unwrap()).unwrap();
    assert_eq!(said["bus"]["home"], "nats", "{said}");
    said["bus"]["connected"] == true
}

pub(crate) async fn restart_postgres(stack: &Stack) -> String {
    let began = async || {
        let id = stack.container("postgres").await;
        let ask = ["psql", "--username=switchback", "--tuples-only", "--no-align", "--command"];
        let sql = ["SELECT pg_postmaster_start_time()"];
        try_docker(&[&["exec", &id], &ask[..], &sql[..]].concat()).await
    };
    let before = began().await.unwrap();
    stack.compose(&["restart", "postgres"]).await;
    until("PostgreSQL answers", async || began().await.is_ok()).await;
    let after = began().await.unwrap();
    assert_ne!(before, after);
    format!("server began {}, then {}", clock(&before), clock(&after))
}

/// The time of day in a timestamp.
fn clock(timestamp: &str) -> &str {
    timestamp.get(11..19).unwrap_or(timestamp)
}

pub(crate) async fn pause_a_node(stack: &Stack) -> String {
    let (node, held) = busiest(stack).await;
    let id = stack.container(node).await;
    docker(&["pause", &id]).await;
    assert_eq!(inspect(&id).await["State"]["Paused"], true);
    assert!(!answers(stack, node).await, "it answers although it is paused");
    tokio::time::sleep(PAUSE).await;
    docker(&["unpause", &id]).await;
    until("the node answers", async || answers(stack, node).await).await;
    format!("{node} with {held} connections was paused and did not answer")
}

async fn answers(stack: &Stack, node: &str) -> bool {
    ask(stack, node, "/livez").await.is_ok()
}

/// Clients reach it, and it reaches nobody.
pub(crate) async fn cut_off_back(stack: &Stack) -> String {
    let (node, held) = busiest(stack).await;
    let id = stack.container(node).await;
    let network = network("back");
    docker(&["network", "disconnect", &network, &id]).await;
    assert!(networks(&id).await.get(&network).is_none());
    let is_unwell = async || try_docker(&["exec", &id, "/usr/local/bin/switchback", "health"]).await.is_err();
    until("the node says that it cannot serve", is_unwell).await;
    tokio::time::sleep(CUT_BACK).await;
    docker(&["network", "connect", "--alias", node, &network, &id]).await;
    format!("{node} with {held} connections said that its database is away")
}

/// It is well, and nobody reaches it: no connection is closed, nothing comes any more.
pub(crate) async fn cut_off_front(stack: &Stack) -> String {
    let (node, held) = busiest(stack).await;
    let id = stack.container(node).await;
    let network = network("front");
    docker(&["network", "disconnect", &network, &id]).await;
    assert!(networks(&id).await.get(&network).is_none());
    assert!(!answers(stack, node).await);
    tokio::time::sleep(CUT_FRONT).await;
    docker(&["network", "connect", "--alias", "nodes", "--alias", node, &network, &id]).await;
    until("the node is reached again", async || answers(stack, node).await).await;
    format!("{node} with {held} connections could not be reached")
}

async fn networks(id: &str) -> Value {
    inspect(id).await["NetworkSettings"]["Networks"].clone()
}

/// As docs/OPERATIONS.md has it: one after the other, each new and well before the next one goes.
pub(crate) async fn rolling_restart(stack: &Stack) -> String {
    let mut proofs = Vec::new();
    for node in NODES {
        let before = stack.container(node).await;
        stack.compose(&["up", "-d", "--no-deps", "--force-recreate", node]).await;
        stack.healthy(&[node]).await;
        let after = stack.container(node).await;
        assert_ne!(before, after);
        proofs.push(format!("{node} {} then {}", &before[..6], &after[..6]));
    }
    format!("containers {}", proofs.join(", "))
}
