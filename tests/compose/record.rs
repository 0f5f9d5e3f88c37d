//! A client that posts at a steady pace and writes down everything it was told.
//!
//! It decides nothing: what it wrote is judged by `check`. A post whose acknowledgement does not come
//! is given again with the same nonce for as long as it takes, as a person's client does it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use switchback_client::{EventStream, Handle, SendError, Transport, Update};
use switchback_core::wire::{Command, EventBody};
use switchback_core::{Nonce, RoomId, Seq};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};
use uuid::Uuid;

/// Time between two posts of one client.
const PACE: Duration = Duration::from_millis(200);
/// Posts of one client without an answer; beyond it the pace is not kept.
const OUTSTANDING: usize = 100;
/// Between two attempts of a post, where the client has given up by itself.
const AGAIN: Duration = Duration::from_millis(200);

/// A message that reached a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) at: Instant,
    pub(crate) seq: Seq,
    pub(crate) room: RoomId,
    pub(crate) n: u64,
    pub(crate) nonce: Nonce,
}

/// A message that a client gave out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Post {
    pub(crate) nonce: Nonce,
    pub(crate) room: RoomId,
    /// Where it stands in the log, once it was acknowledged.
    pub(crate) acked: Option<Seq>,
    /// The server's refusal, if it will say no again.
    pub(crate) refused: Option<String>,
}

/// Everything that one client did and saw.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) name: String,
    pub(crate) transport: Transport,
    pub(crate) posts: Vec<Post>,
    pub(crate) heard: Vec<Heard>,
    /// What must not be said to a client in such a test: start over, stop.
    pub(crate) unwanted: Vec<String>,
}

/// A client at work.
pub(crate) struct Recorder {
    record: Arc<Mutex<Record>>,
    posting: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    handle: Handle,
}

impl Recorder {
    /// Listens from now on; posts to these rooms in turn when it is told to.
    pub(crate) fn start(
        name: &str,
        transport: Transport,
        rooms: Vec<RoomId>,
        (handle, stream): (Handle, EventStream),
    ) -> Self {
        let record = Record {
            name: name.to_owned(),
            transport,
            posts: Vec::new(),
            heard: Vec::new(),
            unwanted: Vec::new(),
        };
        let record = Arc::new(Mutex::new(record));
        let (posting, told) = watch::channel(false);
        let listener = tokio::spawn(listen(stream, Arc::clone(&record)));
        let poster = tokio::spawn(talk(handle.clone(), rooms, told, Arc::clone(&record)));
        Self { record, posting, tasks: vec![listener, poster], handle }
    }

    pub(crate) fn post(&self, go_on: bool) {
        self.posting.send_replace(go_on);
    }

    /// What it has written down so far.
    pub(crate) fn record(&self) -> Record {
        self.record.lock().unwrap().clone()
    }

    /// The last position it has heard of.
    pub(crate) fn last_heard(&self) -> Seq {
        self.record.lock().unwrap().heard.last().map_or(0, |heard| heard.seq)
    }

    /// The last position that was acknowledged to it; `None` while an answer is missing.
    pub(crate) fn last_acked(&self) -> Option<Seq> {
        let record = self.record.lock().unwrap();
        let answered = |post: &Post| post.acked.or(post.refused.as_ref().map(|_| 0));
        record.posts.iter().map(answered).try_fold(0, |last, seq| Some(last.max(seq?)))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.handle.close();
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn listen(mut stream: EventStream, record: Arc<Mutex<Record>>) {
    while let Some(update) = stream.next().await {
        let at = Instant::now();
        let mut record = record.lock().unwrap();
        match update {
            Update::Event(event) => {
                if let EventBody::MessagePosted { message } = &event.body {
                    let (room, n) = (message.room, event.n.unwrap_or_default());
                    record.heard.push(Heard { at, seq: event.seq, room, n, nonce: message.nonce });
                }
            }
            Update::Reset { cause, .. } => record.unwanted.push(format!("told to start over: {cause:?}")),
            Update::Stopped(why) => record.unwanted.push(format!("told to stop: {why:?}")),
            Update::Status(_) | Update::Frame(_) => {}
        }
    }
}

async fn talk(
    handle: Handle,
    rooms: Vec<RoomId>,
    mut told: watch::Receiver<bool>,
    record: Arc<Mutex<Record>>,
) {
    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 0_usize.. {
        pace.tick().await;
        // The other end is held by whoever holds the recorder.
        if told.wait_for(|go_on| *go_on).await.is_err() {
            return;
        }
        let room = rooms[number % rooms.len()];
        let nonce = Nonce::from_uuid(Uuid::now_v7());
        let index = {
            let mut record = record.lock().unwrap();
            // Asked once more under the lock: whoever has said stop and looks, sees every post there will be.
            if !*told.borrow() || outstanding(&record) >= OUTSTANDING {
                continue;
            }
            record.posts.push(Post { nonce, room, acked: None, refused: None });
            record.posts.len() - 1
        };
        let body = format!("number {number}").parse().unwrap();
        let command = Command::MessagePost { room, nonce, body, reply_to: None };
        tokio::spawn(give(handle.clone(), command, index, Arc::clone(&record)));
    }
}

/// Posts without an answer.
fn outstanding(record: &Record) -> usize {
    record.posts.iter().filter(|post| post.acked.is_none() && post.refused.is_none()).count()
}

/// Gives a post out until it is answered for good.
async fn give(handle: Handle, command: Command, index: usize, record: Arc<Mutex<Record>>) {
    loop {
        let answer = handle.send(command.clone()).await;
        {
            let mut record = record.lock().unwrap();
            match answer {
                Ok(ack) => {
                    record.posts[index].acked = ack.seq;
                    return;
                }
                Err(SendError::Refused(error)) if !error.retry => {
                    record.posts[index].refused = Some(error.detail);
                    return;
                }
                Err(SendError::Lost) if !record.unwanted.is_empty() => return,
                Err(_) => {}
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}
