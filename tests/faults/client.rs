//! One device: it does its plan's steps, keeps its connection by whatever way it is told to, gives
//! each command out until it is answered for good, and writes down everything.
//!
//! Posts do not wait for each other, as a person's do not. Changes (edit, delete, reactions, read
//! marks) go one after the other: each has to have had its effect before the next can be judged.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use switchback_client::{
    Client, ClientConfig, Credential, Handle, SendError, Transport, TransportPolicy, Update,
};
use switchback_core::wire::Request;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use crate::plan::{Act, ClientPlan, Way};
use crate::raw::{self, RawPort, Sink};
use crate::record::{Ack, Given, Record, Told, What, seq_of};
use crate::wire::exchange;

/// Between two attempts, of a command or of a connection.
const AGAIN: Duration = Duration::from_millis(200);
/// Between two batches there is no pause but this.
const NEXT_BATCH: Duration = Duration::from_millis(5);
const SNAPSHOT: Duration = Duration::from_secs(20);

#[derive(Clone)]
enum Port {
    Ours(Handle),
    Raw(RawPort),
}

/// Whose device, where the server is for it, and what there is to talk about.
#[derive(Clone)]
pub(crate) struct Seat {
    pub(crate) name: String,
    pub(crate) emoji: &'static str,
    pub(crate) user: String,
    pub(crate) token: String,
    pub(crate) address: SocketAddr,
    pub(crate) rooms: Vec<String>,
    pub(crate) began: Instant,
}

struct Shared {
    seat: Seat,
    record: Mutex<Record>,
    cursor: Mutex<String>,
    port: watch::Sender<Option<Port>>,
    /// Which way in; `None`: away.
    wanted: watch::Sender<Option<Way>>,
    ids: AtomicU64,
}

pub(crate) struct Device {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

impl Device {
    /// Begins at this snapshot.
    pub(crate) fn start(seat: Seat, plan: &ClientPlan, begun: Value) -> Self {
        let cursor = begun["cursor"].as_str().unwrap().to_owned();
        let record = Record {
            name: seat.name.clone(),
            user: seat.user.clone(),
            way: plan.way,
            begun,
            told: Vec::new(),
            given: Vec::new(),
            unwanted: Vec::new(),
        };
        let shared = Arc::new(Shared {
            seat,
            record: Mutex::new(record),
            cursor: Mutex::new(cursor),
            port: watch::channel(None).0,
            wanted: watch::channel(Some(plan.way)).0,
            ids: AtomicU64::new(1),
        });
        let (changes, waiting) = mpsc::unbounded_channel();
        let tasks = vec![
            tokio::spawn(connected(Arc::clone(&shared))),
            tokio::spawn(act_all(Arc::clone(&shared), plan.clone(), changes)),
            tokio::spawn(change_all(Arc::clone(&shared), waiting)),
        ];
        Self { shared, tasks }
    }

    /// Whether all steps are done and all commands answered.
    pub(crate) fn is_done(&self) -> bool {
        self.tasks[1..].iter().all(JoinHandle::is_finished)
            && self.shared.record.lock().unwrap().given.iter().all(Given::settled)
    }

    /// Posts outside of the plan; where it stands in the log.
    pub(crate) async fn last_word(&self) -> u64 {
        let shared = &self.shared;
        let post = shared.post(0, "the last word", None);
        let index = shared.given(post.clone());
        shared.give(index, &post).await;
        shared.record.lock().unwrap().given[index].acks[0].seq.unwrap()
    }

    pub(crate) fn heard(&self) -> u64 {
        self.shared.record.lock().unwrap().events().last().map_or(0, |event| event["seq"].as_u64().unwrap())
    }

    pub(crate) fn record(&self) -> Record {
        self.shared.record.lock().unwrap().clone()
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.shared.wanted.send_replace(None);
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Shared {
    fn tell(&self, what: What) {
        let at_ms = u64::try_from(self.seat.began.elapsed().as_millis()).unwrap();
        self.record.lock().unwrap().told.push(Told { at_ms, what });
    }

    fn unwanted(&self, what: String) {
        self.record.lock().unwrap().unwanted.push(what);
    }

    fn post(&self, room: usize, body: &str, reply_to: Option<String>) -> Value {
        let mut post = json!({"type": "message.post", "room": self.seat.rooms[room],
                              "nonce": uuid::Uuid::now_v7().to_string(), "body": body});
        if let Some(message) = reply_to {
            post["reply_to"] = message.into();
        }
        post
    }

    /// Writes a command down before it goes out.
    fn given(&self, command: Value) -> usize {
        let mut record = self.record.lock().unwrap();
        record.given.push(Given { command, acks: Vec::new(), refused: None });
        record.given.len() - 1
    }

    /// Until it is answered for good.
    async fn give(&self, index: usize, command: &Value) {
        let mut ports = self.port.subscribe();
        loop {
            let port = ports.wait_for(Option::is_some).await.unwrap().clone().unwrap();
            let answer = match port {
                Port::Ours(handle) => by_ours(&handle, command).await,
                Port::Raw(port) => {
                    port.send(self.ids.fetch_add(1, Ordering::Relaxed), command).await.unwrap_or_default()
                }
            };
            let mut record = self.record.lock().unwrap();
            if answer["type"] == "ack" {
                let message = answer["message"]["id"].as_str().map(str::to_owned);
                record.given[index].acks.push(Ack { seq: answer["seq"].as_u64(), message });
                return;
            }
            if answer["retry"] == false {
                record.given[index].refused = Some(answer.to_string());
                return;
            }
            drop(record);
            sleep(AGAIN).await;
        }
    }
}

/// The answer as a frame; null where there is none.
async fn by_ours(handle: &Handle, command: &Value) -> Value {
    let request = Request::parse(command.to_string().as_bytes()).unwrap();
    match handle.send(request.command).await {
        Ok(ack) => {
            let mut frame = serde_json::to_value(ack).unwrap();
            frame["type"] = "ack".into();
            frame
        }
        Err(SendError::Refused(error)) => {
            json!({"code": error.code, "retry": error.retry, "detail": error.detail})
        }
        Err(SendError::Lost) => Value::Null,
    }
}

impl Sink for Shared {
    fn frame(&self, frame: Value) -> bool {
        let position = frame["cursor"].as_str().map(str::to_owned);
        match frame["type"].as_str().unwrap_or_default() {
            "hello" => self.tell(What::Hello(position.unwrap_or_default())),
            "ready" | "heartbeat" => {
                let mut cursor = self.cursor.lock().unwrap();
                if let Some(to) = position.filter(|to| seq_of(to) > seq_of(&cursor)) {
                    *cursor = to;
                }
            }
            // The loop that keeps the connection loads the snapshot.
            "reset" => {
                self.cursor.lock().unwrap().clear();
                return false;
            }
            "bye" => return false,
            _ if frame["seq"].is_u64() => {
                let mut cursor = self.cursor.lock().unwrap();
                let epoch = cursor.split('.').next().unwrap_or_default().to_owned();
                *cursor = format!("{epoch}.{}", frame["seq"]);
                drop(cursor);
                self.tell(What::Event(frame));
            }
            _ => {}
        }
        true
    }

    fn cursor(&self) -> String {
        self.cursor.lock().unwrap().clone()
    }
}

/// Keeps a connection open by the way that is wanted.
async fn connected(shared: Arc<Shared>) {
    let mut wanted = shared.wanted.subscribe();
    loop {
        let Ok(way) = wanted.wait_for(Option::is_some).await.map(|way| way.unwrap()) else { return };
        let until_changed = async {
            // The sender lives as long as what this runs on.
            let _ = wanted.wait_for(|now| *now != Some(way)).await;
        };
        let policy = match way {
            Way::Auto => Some(TransportPolicy::Auto),
            Way::WebSocket => Some(TransportPolicy::Only(Transport::Websocket)),
            Way::Sse => Some(TransportPolicy::Only(Transport::Sse)),
            Way::Batch => Some(TransportPolicy::Only(Transport::Batch)),
            _ => None,
        };
        if let Some(policy) = policy {
            ours(&shared, policy, until_changed).await;
        } else {
            tokio::select! {
                () = by_hand(&shared, way) => {}
                () = until_changed => {}
            }
        }
        shared.port.send_replace(None);
    }
}

async fn ours(shared: &Shared, transports: TransportPolicy, until_changed: impl Future<Output = ()>) {
    let credential = Credential::Token(shared.seat.token.clone());
    let mut config = ClientConfig::new(format!("http://{}", shared.seat.address), credential);
    config.transports = transports;
    config.cursor = Some(shared.cursor().parse().unwrap());
    let (handle, mut stream) = Client::connect(&config).unwrap();
    shared.port.send_replace(Some(Port::Ours(handle.clone())));
    tokio::pin!(until_changed);
    loop {
        let update = tokio::select! {
            update = stream.next() => update,
            () = &mut until_changed => break,
        };
        match update {
            Some(Update::Event(event)) => shared.tell(What::Event(serde_json::to_value(event).unwrap())),
            Some(Update::Reset { snapshot, .. }) => {
                shared.tell(What::Reset(serde_json::to_value(snapshot).unwrap()));
            }
            Some(Update::Stopped(why)) => shared.unwanted(format!("told to stop: {why:?}")),
            Some(Update::Status(_) | Update::Frame(_)) => {}
            None => break,
        }
        if let Some(cursor) = stream.cursor() {
            *shared.cursor.lock().unwrap() = cursor.to_string();
        }
    }
    handle.close();
}

async fn by_hand(shared: &Shared, way: Way) {
    loop {
        let seat = &shared.seat;
        if shared.cursor().is_empty() {
            let line = ("GET", "/api/v1/snapshot");
            match exchange(seat.address, SNAPSHOT, line, &seat.token, "").await {
                Ok((head, snapshot)) if head.status == 200 => {
                    snapshot["cursor"].as_str().unwrap().clone_into(&mut shared.cursor.lock().unwrap());
                    shared.tell(What::Reset(snapshot));
                }
                _ => sleep(AGAIN).await,
            }
            continue;
        }
        let port = RawPort {
            address: seat.address,
            token: seat.token.clone(),
            socket: None,
            waiting: Arc::default(),
        };
        let ended = raw::session(way, port, shared, |port| {
            shared.port.send_replace(Some(Port::Raw(port)));
        })
        .await;
        // Whatever ended it, the next one goes on at the cursor.
        sleep(if ended.is_ok() && way == Way::RawBatch { NEXT_BATCH } else { AGAIN }).await;
    }
}

/// Does the steps, each at its time.
async fn act_all(shared: Arc<Shared>, plan: ClientPlan, changes: mpsc::UnboundedSender<Act>) {
    for (number, step) in plan.steps.into_iter().enumerate() {
        sleep_until(shared.seat.began + Duration::from_millis(step.at_ms)).await;
        match step.act {
            Act::Post { room, bytes } => {
                let body = format!("{} number {number} {}", shared.seat.name, "x".repeat(bytes));
                talk(&shared, shared.post(room, &body, None));
            }
            Act::Reply { pick } => {
                let Some((room, message)) = shared.picked(pick) else { continue };
                let body = format!("{} answers with number {number}", shared.seat.name);
                talk(&shared, shared.post(room, &body, Some(message)));
            }
            Act::Resend { pick } => {
                let index = shared.acked_post(pick).map(|(index, _)| index);
                let Some(index) = index else { continue };
                let command = shared.record.lock().unwrap().given[index].command.clone();
                let shared = Arc::clone(&shared);
                tokio::spawn(async move { shared.give(index, &command).await });
            }
            Act::Switch { way } => {
                shared.wanted.send_replace(Some(way));
            }
            Act::Away { for_ms } => {
                let way = *shared.wanted.borrow();
                shared.wanted.send_replace(None);
                sleep(Duration::from_millis(for_ms)).await;
                shared.wanted.send_replace(way);
            }
            // Its receiver ends after this sender.
            change => drop(changes.send(change)),
        }
    }
}

fn talk(shared: &Arc<Shared>, post: Value) {
    let index = shared.given(post.clone());
    let shared = Arc::clone(shared);
    tokio::spawn(async move { shared.give(index, &post).await });
}

/// Changes, one after the other.
async fn change_all(shared: Arc<Shared>, mut changes: mpsc::UnboundedReceiver<Act>) {
    while let Some(act) = changes.recv().await {
        if let Some(command) = shared.change(&act) {
            let index = shared.given(command.clone());
            shared.give(index, &command).await;
        }
    }
}

impl Shared {
    /// The command of a change, as things now stand here.
    fn change(&self, act: &Act) -> Option<Value> {
        Some(match *act {
            Act::Edit { pick } => {
                let (_, message) = self.acked_post(pick)?;
                let body =
                    format!("{} thought again: {}", self.seat.name, self.ids.fetch_add(1, Ordering::Relaxed));
                json!({"type": "message.edit", "message": message, "body": body})
            }
            Act::Delete { pick } => json!({"type": "message.delete", "message": self.acked_post(pick)?.1}),
            Act::React { pick } => {
                json!({"type": "reaction.add", "message": self.picked(pick)?.1, "emoji": self.seat.emoji})
            }
            Act::Unreact { pick } => {
                json!({"type": "reaction.remove", "message": self.picked(pick)?.1, "emoji": self.seat.emoji})
            }
            Act::Read { room } => {
                let room = &self.seat.rooms[room];
                let record = self.record.lock().unwrap();
                let newest = record.events().rev().find(|event| event["room"] == **room)?;
                json!({"type": "read.mark", "room": room, "seq": newest["seq"]})
            }
            _ => return None,
        })
    }

    /// One of the messages seen lately: which room, and its id.
    fn picked(&self, pick: usize) -> Option<(usize, String)> {
        const LATELY: usize = 12;
        let record = self.record.lock().unwrap();
        let posted = record.events().rev().filter(|event| event["type"] == "message.posted");
        let recent: Vec<&Value> = posted.take(LATELY).collect();
        let message = &recent.get(pick % recent.len().max(1))?["message"];
        let room = self.seat.rooms.iter().position(|room| message["room"] == **room)?;
        Some((room, message["id"].as_str()?.to_owned()))
    }

    /// One of this device's own: the command's index and the message's id.
    fn acked_post(&self, pick: usize) -> Option<(usize, String)> {
        let record = self.record.lock().unwrap();
        let mine: Vec<(usize, String)> = (0..)
            .zip(&record.given)
            .filter(|(_, given)| given.kind() == "message.post")
            .filter_map(|(index, given)| Some((index, given.acks.first()?.message.clone()?)))
            .collect();
        mine.get(pick % mine.len().max(1)).cloned()
    }
}
