//! `kill -9` in the middle of a thousand sends, again and again: what was acknowledged is there, what
//! was not is tried again, and every message stands exactly once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use switchback_client::{Handle, Transport, TransportPolicy};
use switchback_core::wire::Command;
use switchback_core::{Nonce, RoomId};
use tokio::time::timeout;
use uuid::Uuid;

use crate::kit::server::Account;
use crate::kit::{Server, WebSocket, until};

const SENDS_PER_CLIENT: usize = 250;
/// After so many acknowledgements the server is killed.
const KILLS: [usize; 3] = [100, 400, 700];
/// For everything to be acknowledged in the end.
const ENOUGH: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_of_a_thousand_sends_every_message_stands_exactly_once() {
    let mut server = Server::start().await;
    let (ada, bob) = server.people().await;
    let room: RoomId = ada.general().await.parse().unwrap();
    let acked = Arc::new(AtomicUsize::new(0));
    let ways = [
        (&ada, TransportPolicy::Auto),
        (&bob, TransportPolicy::Auto),
        (&ada, TransportPolicy::Only(Transport::Sse)),
        (&bob, TransportPolicy::Only(Transport::Batch)),
    ];
    let mut sending = Vec::new();
    for (number, (who, policy)) in ways.into_iter().enumerate() {
        let (handle, mut stream) = who.connect(policy).await;
        tokio::spawn(async move { while stream.next().await.is_some() {} });
        sending.push(tokio::spawn(send_all(handle, room, number, Arc::clone(&acked))));
    }
    for kill in KILLS {
        until("enough sends are acknowledged", async || acked.load(Ordering::SeqCst) >= kill).await;
        server.kill().await;
        server.restart().await;
    }
    let mut acks = HashMap::new();
    for sent in sending {
        acks.extend(timeout(ENOUGH, sent).await.unwrap().unwrap());
    }
    assert_eq!(acks.len(), 4 * SENDS_PER_CLIENT);
    prove(&ada, &acks).await;
    prove(&bob, &acks).await;
    server.kill().await;
    server.restart().await;
    prove(&ada, &acks).await;
}

/// Sends all messages, a few at a time; bodies and the `seq` of their acknowledgement.
async fn send_all(
    handle: Handle,
    room: RoomId,
    client: usize,
    acked: Arc<AtomicUsize>,
) -> Vec<(String, u64)> {
    let mut sent = Vec::new();
    let numbers: Vec<usize> = (0..SENDS_PER_CLIENT).collect();
    for few in numbers.chunks(10) {
        let sends = few.iter().map(|number| {
            let body = format!("client {client} message {number}");
            let nonce = Nonce::from_uuid(Uuid::now_v7());
            let post = Command::MessagePost { room, nonce, body: body.parse().unwrap(), reply_to: None };
            let (handle, acked) = (handle.clone(), Arc::clone(&acked));
            async move {
                let ack = handle.send(post).await.unwrap();
                acked.fetch_add(1, Ordering::SeqCst);
                (body, ack.seq.unwrap())
            }
        });
        sent.extend(futures_util::future::join_all(sends).await);
    }
    sent
}

/// Reads the whole log: every acknowledged message once, at its `seq`, and no gap anywhere.
async fn prove(who: &Account, acks: &HashMap<String, u64>) {
    // What was before the first message is not all for everybody: people came in one by one.
    let log: Vec<Value> =
        whole_log(who).await.into_iter().skip_while(|event| event["type"] != "message.posted").collect();
    let mut posted = BTreeMap::new();
    let (mut last_seq, mut last_n) = (None, None);
    for event in &log {
        let seq = event["seq"].as_u64().unwrap();
        assert!(last_seq.is_none_or(|last| seq == last + 1), "a gap in the log before {event}");
        last_seq = Some(seq);
        if let Some(n) = event["n"].as_u64() {
            assert!(last_n.is_none_or(|last| n == last + 1), "a gap in the room before {event}");
            last_n = Some(n);
        }
        if event["type"] == "message.posted" {
            let body = event["message"]["body"].as_str().unwrap().to_owned();
            assert_eq!(posted.insert(body, seq), None, "twice: {event}");
        }
    }
    assert_eq!(posted.len(), acks.len());
    for (body, seq) in acks {
        assert_eq!(posted.get(body), Some(seq), "{body}");
    }
}

pub(crate) async fn whole_log(who: &Account) -> Vec<Value> {
    let path = format!("/chat?after={}", who.origin().await);
    let mut socket = WebSocket::open(who.address, &path, &who.authorization()).await;
    let mut log = Vec::new();
    loop {
        let frame = socket.json().await;
        if frame["type"] == "ready" {
            return log;
        }
        if frame["seq"].is_u64() {
            log.push(frame);
        }
    }
}
