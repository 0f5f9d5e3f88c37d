//! The same scripted conversation over WebSocket, event stream with POST, and batches yields the
//! identical list of events: live as they happen, and again when the log is replayed.

use serde_json::Value;
use switchback_client::{Transport, TransportPolicy};
use switchback_core::wire::Event;

use crate::kit::http::{Events, frames};
use crate::kit::server::Account;
use crate::kit::{Server, WebSocket};
use crate::script::{self, Talker};

const WAYS: [Transport; 3] = [Transport::Websocket, Transport::Sse, Transport::Batch];

#[tokio::test]
async fn the_conversation_is_the_same_whatever_carries_it() {
    let mut told = Vec::new();
    for way in WAYS {
        let server = Server::start().await;
        let (ada, bob) = server.people().await;
        let (hers, his) = converse(&ada, &bob, TransportPolicy::Only(way)).await;
        assert!(hers.len() > 10 && his.len() > 10, "{way:?}");
        told.push((script::without_chance(&hers), script::without_chance(&his)));
    }
    assert_eq!(told[0], told[1], "WebSocket and event stream differ");
    assert_eq!(told[0], told[2], "WebSocket and batches differ");
}

#[tokio::test]
async fn a_replay_is_byte_for_byte_the_same_on_every_way_in() {
    let server = Server::start().await;
    let (ada, bob) = server.people().await;
    converse(&ada, &bob, TransportPolicy::Auto).await;
    for who in [&ada, &bob] {
        let websocket = replay_websocket(who).await;
        assert!(websocket.len() > 10);
        assert_eq!(websocket, replay_event_stream(who).await);
        assert_eq!(websocket, replay_batches(who).await);
    }
}

async fn talker(who: &Account, transports: TransportPolicy) -> Talker {
    let (handle, stream) = who.connect(transports).await;
    Talker::new(handle, stream)
}

/// What each of them heard.
async fn converse(ada: &Account, bob: &Account, transports: TransportPolicy) -> (Vec<Event>, Vec<Event>) {
    let room = ada.general().await.parse().unwrap();
    script::converse(room, talker(ada, transports).await, talker(bob, transports).await).await
}

fn is_event(frame: &Value) -> bool {
    frame["type"].as_str().is_some_and(|kind| kind.contains('.'))
}

async fn replay_websocket(who: &Account) -> Vec<String> {
    let path = format!("/chat?after={}", who.origin().await);
    let mut socket = WebSocket::open(who.address, &path, &who.authorization()).await;
    let mut events = Vec::new();
    loop {
        let frame = socket.json().await;
        match frame["type"].as_str() {
            Some("ready") => return events,
            _ if is_event(&frame) => events.push(frame.to_string()),
            _ => {}
        }
    }
}

async fn replay_event_stream(who: &Account) -> Vec<String> {
    let path = format!("/chat?after={}", who.origin().await);
    let mut stream = Events::open(who.address, &path, &who.authorization()).await;
    let mut events = Vec::new();
    loop {
        let (frame, id) = stream.next().await.unwrap();
        match frame["type"].as_str() {
            Some("ready") => return events,
            _ if is_event(&frame) => {
                assert!(id.unwrap().ends_with(&format!(".{}", frame["seq"])));
                events.push(frame.to_string());
            }
            _ => {}
        }
    }
}

async fn replay_batches(who: &Account) -> Vec<String> {
    let mut after = who.origin().await;
    let mut events = Vec::new();
    loop {
        let answer = who.get(&format!("/chat?mode=batch&wait=0&after={after}")).await;
        let frames = frames(&answer.body);
        let ready = frames.iter().find(|frame| frame["type"] == "ready").unwrap();
        let brought = frames.iter().filter(|frame| is_event(frame)).count();
        events.extend(frames.iter().filter(|frame| is_event(frame)).map(ToString::to_string));
        if brought == 0 {
            return events;
        }
        ready["cursor"].as_str().unwrap().clone_into(&mut after);
    }
}
