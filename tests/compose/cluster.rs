//! Two nodes behind a load balancer, clients on every way in that post all the time, and one failure
//! after the other.

use std::time::Duration;

use switchback_client::{Transport, TransportPolicy};
use switchback_core::{RoomId, Seq};
use tokio::time::{Instant, timeout};

use crate::check::{check, longest_silence};
use crate::profiles::people_talk;
use crate::record::{Record, Recorder};
use crate::stack::{Stack, last_words};
use crate::table::{Row, Table};
use crate::team::Team;
use crate::{faults, until};

const WAYS: [Transport; 3] = [Transport::Websocket, Transport::Sse, Transport::Batch];
/// Everything that a client may need to find a way back: it watches for 35 s, then backs off.
const SETTLE: Duration = Duration::from_mins(2);
/// Messages that everybody hears before a failure, so that it falls into the middle of a conversation.
const WARM: Seq = 30;

#[tokio::test(flavor = "multi_thread")]
async fn no_failure_in_a_cluster_loses_or_doubles_a_message() {
    let stack = Stack::up(Some("cluster")).await;
    let expected = ["load-balancer", "nats", "node-1", "node-2", "postgres", "secrets"];
    assert_eq!(stack.services().await, expected);
    stack.healthy(&["node-1", "node-2", "load-balancer"]).await;
    let team = Team::form(&stack, "node-2").await;
    people_talk(&stack, &team).await;
    let mut crowd = Crowd::gather(&stack, &team).await;
    crowd.endure("nothing", async || "both nodes healthy".to_owned()).await;
    crowd.endure("kill -9 one node", async || faults::kill_a_node(&stack).await).await;
    crowd.endure("stop and start NATS", async || faults::stop_and_start_nats(&stack).await).await;
    crowd.endure("restart PostgreSQL", async || faults::restart_postgres(&stack).await).await;
    crowd.endure("pause a node for 20 s", async || faults::pause_a_node(&stack).await).await;
    crowd.endure("cut a node off PostgreSQL and NATS", async || faults::cut_off_back(&stack).await).await;
    crowd.endure("cut a node off the load balancer", async || faults::cut_off_front(&stack).await).await;
    crowd.endure("rolling restart of both nodes", async || faults::rolling_restart(&stack).await).await;
    let (rows, complaints) = crowd.disperse();
    Table(rows).publish("cluster");
    assert!(complaints.is_empty(), "{}\n{}", complaints.join("\n"), last_words(&stack).await);
    stack.down().await;
}

/// Clients on every way in.
struct Crowd<'s> {
    stack: &'s Stack,
    recorders: Vec<Recorder>,
    rows: Vec<Row>,
    complaints: Vec<String>,
}

impl<'s> Crowd<'s> {
    /// Three people on three ways in each.
    async fn gather(stack: &'s Stack, team: &Team) -> Self {
        let mut rooms: Vec<RoomId> = Vec::new();
        for name in ["bridge", "engine-room"] {
            rooms.push(team.room(stack, name).await);
        }
        let mut recorders = Vec::new();
        for way in WAYS {
            for (number, person) in team.people.iter().enumerate() {
                let name = format!("{way:?} {number}");
                let client = person.connect(TransportPolicy::Only(way)).await;
                recorders.push(Recorder::start(&name, way, rooms.clone(), client));
            }
        }
        Self { stack, recorders, rows: Vec::new(), complaints: Vec::new() }
    }

    /// Lets something happen while everybody posts, waits until all is well again, and judges.
    async fn endure(&mut self, fault: &'static str, happens: impl AsyncFnOnce() -> String) {
        println!("--- {fault}");
        let acked_before = check(&self.records()).acked;
        self.post(true);
        self.everybody_hears(self.head() + WARM).await;
        let from = Instant::now();
        let proof = happens().await;
        self.stack.healthy(&["node-1", "node-2", "load-balancer"]).await;
        self.everybody_hears(self.head() + WARM).await;
        let to = Instant::now();
        self.post(false);
        self.come_to_rest().await;
        let records = self.records();
        let verdict = check(&records);
        let silence = WAYS.map(|way| longest_silence(&records, way, from, to));
        let (lost, doubled) = (verdict.lost.len(), verdict.doubled.len());
        let acked = verdict.acked - acked_before;
        println!("    {acked} posts acknowledged, silence {silence:.1?}; {proof}");
        if !verdict.is_clean() {
            self.complaints.push(format!("after \"{fault}\":\n{verdict}"));
        }
        self.rows.push(Row { fault, acked, lost, doubled, silence, proof });
    }

    /// Everybody leaves.
    fn disperse(self) -> (Vec<Row>, Vec<String>) {
        (self.rows, self.complaints)
    }

    fn records(&self) -> Vec<Record> {
        self.recorders.iter().map(Recorder::record).collect()
    }

    fn post(&self, go_on: bool) {
        self.recorders.iter().for_each(|recorder| recorder.post(go_on));
    }

    /// The last position that anybody has heard of.
    fn head(&self) -> Seq {
        self.recorders.iter().map(Recorder::last_heard).max().unwrap_or_default()
    }

    async fn everybody_hears(&self, seq: Seq) {
        let heard = async || self.recorders.iter().all(|recorder| recorder.last_heard() >= seq);
        until(&format!("everybody hears {seq}"), heard).await;
    }

    /// Everything that was given out is answered, and everybody has heard it.
    async fn come_to_rest(&self) {
        let rest = async || {
            let mut acked = self.recorders.iter().map(Recorder::last_acked);
            acked
                .try_fold(0, |last: Seq, acked| Some(last.max(acked?)))
                .is_some_and(|last| self.recorders.iter().all(|recorder| recorder.last_heard() >= last))
        };
        // What is missing then is the verdict's to say.
        let _ = timeout(SETTLE, until("everything is answered and heard", rest)).await;
    }
}
