//! The Rust client behind a network: posts while it is told to, and writes down what it goes through.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use switchback_client::{Client, ClientConfig, EventStream, Handle, Status, Transport, Update};
use switchback_core::wire::{Command, EventBody};
use switchback_core::{Nonce, RoomId};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};
use uuid::Uuid;

use crate::record::Record;

/// Between two posts of a client behind a network; the page in Chromium has the same.
pub(crate) const PACE: Duration = Duration::from_secs(1);

/// A client at work.
pub(crate) struct Talker {
    name: String,
    log: Arc<Mutex<Log>>,
    handle: Handle,
    listener: JoinHandle<()>,
    begun: Instant,
}

#[derive(Default)]
struct Log {
    record: Record,
    /// The way it was live on last: a network that cuts may have it between two connections just now.
    way: Option<Transport>,
}

impl Log {
    fn note_way(&mut self) {
        let way = self.way.map_or_else(|| "none".to_owned(), name);
        self.record.transports.push(way);
    }
}

/// Puts a message into a room; `false`: the client has given up.
pub(crate) async fn say(handle: &Handle, room: RoomId, text: &str) -> bool {
    let nonce = Nonce::from_uuid(Uuid::now_v7());
    let command = Command::MessagePost { room, nonce, body: text.parse().unwrap(), reply_to: None };
    handle.send(command).await.is_ok()
}

impl Talker {
    pub(crate) fn start(name: String, room: RoomId, config: &ClientConfig) -> Self {
        let begun = Instant::now();
        let (handle, stream) = Client::connect(config).unwrap();
        let log = Arc::default();
        let listener = tokio::spawn(listen(stream, room, Arc::clone(&log), begun));
        Self { name, log, handle, listener, begun }
    }

    pub(crate) fn had_hello(&self) -> bool {
        self.log.lock().unwrap().way.is_some()
    }

    /// Posts until it is told to stop, and notes when that was.
    pub(crate) async fn talk(&self, room: RoomId, mut talking: watch::Receiver<bool>, number: usize) {
        let from = millis(self.begun.elapsed());
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for n in 0_usize.. {
            tokio::select! {
                _ = pace.tick() => {},
                _ = talking.wait_for(|talking| !talking) => break,
            }
            let text = format!("{} {number}.{n}", self.name);
            self.log.lock().unwrap().record.unacked.push(text.clone());
            let (handle, log) = (self.handle.clone(), Arc::clone(&self.log));
            tokio::spawn(async move {
                if say(&handle, room, &text).await {
                    let record = &mut log.lock().unwrap().record;
                    record.unacked.retain(|other| *other != text);
                    record.acked.push(text);
                }
            });
        }
        let mut log = self.log.lock().unwrap();
        log.record.talks.push((from, millis(self.begun.elapsed())));
        log.note_way();
    }

    /// Everything it said is answered, and it has heard so many messages.
    pub(crate) fn has_settled(&self, messages: usize) -> bool {
        let log = self.log.lock().unwrap();
        log.record.unacked.is_empty() && log.record.heard.len() >= messages
    }

    /// Ends it.
    pub(crate) fn finish(&self) -> Record {
        self.listener.abort();
        self.handle.close();
        let mut log = self.log.lock().unwrap();
        log.note_way();
        log.record.clone()
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap()
}

/// As the page calls it.
pub(crate) fn name(transport: Transport) -> String {
    match transport {
        Transport::Websocket => "websocket",
        Transport::Sse => "sse",
        Transport::Batch => "batch",
    }
    .to_owned()
}

async fn listen(mut stream: EventStream, room: RoomId, log: Arc<Mutex<Log>>, begun: Instant) {
    while let Some(update) = stream.next().await {
        let at = millis(begun.elapsed());
        let mut log = log.lock().unwrap();
        match update {
            Update::Event(event) => {
                if let EventBody::MessagePosted { message } = event.body
                    && message.room == room
                {
                    log.record.heard.push((at, message.body));
                }
            }
            Update::Status(Status::Live { transport }) => {
                if log.way.replace(transport).is_none() {
                    log.record.hello_ms = at;
                }
            }
            Update::Reset { cause, .. } => log.record.unwanted.push(format!("told to start over: {cause:?}")),
            Update::Stopped(why) => log.record.unwanted.push(format!("told to stop: {why:?}")),
            Update::Status(_) | Update::Frame(_) => {}
        }
    }
}
