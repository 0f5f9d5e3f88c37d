//! Which way in is taken.

use std::time::Duration;

use switchback_client::{
    Client, ClientConfig, Status, StopReason, Timings, Transport, TransportPolicy, Update,
};
use tokio::time::Instant;

use crate::fake::{Act, Fake};
use crate::kit::{self, config, connect, events, live, next, post, seqs, timings, until};

const WEBSOCKET: Transport = Transport::Websocket;
const SSE: Transport = Transport::Sse;
const BATCH: Transport = Transport::Batch;

#[tokio::test]
async fn a_websocket_that_opens_is_taken_and_nothing_else_is_tried() {
    let fake = Fake::start().await;
    let (_handle, mut stream) = connect(&fake);
    assert_eq!(next(&mut stream).await, Update::Status(Status::Connecting));
    assert_eq!(live(&mut stream).await, WEBSOCKET);
    fake.happen(2);
    assert_eq!(seqs(&events(&mut stream, 2).await), [1, 2]);
    assert_eq!((fake.opened(WEBSOCKET), fake.opened(SSE), fake.opened(BATCH)), (1, 0, 0));
}

#[tokio::test]
async fn a_refused_handshake_turns_to_the_event_stream_at_once() {
    for status in [200, 400, 403, 426, 502] {
        let fake = Fake::start().await;
        fake.orders(WEBSOCKET, [Act::Status(status)]);
        let slow = Timings { hello_websocket: kit::LONG, ..timings() };
        let (_handle, mut stream) =
            Client::connect(&ClientConfig { timings: slow, ..config(&fake) }).unwrap();
        assert_eq!(live(&mut stream).await, SSE, "{status}");
    }
}

#[tokio::test]
async fn a_silent_websocket_gets_an_event_stream_beside_it_in_time() {
    let fake = Fake::start().await;
    fake.orders(WEBSOCKET, [Act::Silent]);
    let begun = Instant::now();
    let (_handle, mut stream) = connect(&fake);
    assert_eq!(live(&mut stream).await, SSE);
    assert!(begun.elapsed() >= timings().hello_websocket);
    fake.happen(3);
    assert_eq!(seqs(&events(&mut stream, 3).await), [1, 2, 3]);
}

#[tokio::test]
async fn where_even_a_stream_is_held_back_batches_get_through() {
    for act in [Act::Silent, Act::Status(502)] {
        let fake = Fake::start().await;
        fake.orders(WEBSOCKET, [Act::Silent]).orders(SSE, [act]).happen(2);
        let (_handle, mut stream) = connect(&fake);
        assert_eq!(live(&mut stream).await, BATCH);
        assert_eq!(seqs(&events(&mut stream, 2).await), [1, 2]);
        fake.happen(1);
        assert_eq!(seqs(&events(&mut stream, 1).await), [3]);
        fake.happen(2);
        assert_eq!(seqs(&events(&mut stream, 2).await), [4, 5]);
    }
}

#[tokio::test]
async fn where_nothing_gets_through_it_says_so_and_keeps_trying() {
    let fake = Fake::start().await;
    for way in [WEBSOCKET, SSE, BATCH] {
        fake.orders(way, [Act::Silent, Act::Well]);
    }
    let (_handle, mut stream) = connect(&fake);
    let why = until(&mut stream, |update| match update {
        Update::Status(Status::Waiting { why, .. }) => Some(why.clone()),
        _ => None,
    })
    .await;
    assert!(why.contains("hello"), "{why}");
    assert_eq!(live(&mut stream).await, WEBSOCKET);
}

#[tokio::test]
async fn a_late_websocket_still_wins_if_nobody_was_faster() {
    let fake = Fake::start().await;
    fake.orders(WEBSOCKET, [Act::HelloAfter(Duration::from_millis(700))]).orders(SSE, [Act::Silent]);
    let (_handle, mut stream) = connect(&fake);
    assert_eq!(live(&mut stream).await, WEBSOCKET);
    assert_eq!((fake.opened(SSE), fake.opened(BATCH)), (1, 0));
}

#[tokio::test]
async fn a_websocket_that_says_hello_after_the_event_stream_is_not_taken() {
    let fake = Fake::start().await;
    fake.orders(WEBSOCKET, [Act::HelloAfter(Duration::from_millis(700))]);
    let (_handle, mut stream) = connect(&fake);
    assert_eq!(live(&mut stream).await, SSE);
    tokio::time::sleep(Duration::from_millis(800)).await;
    fake.happen(1);
    assert_eq!(seqs(&events(&mut stream, 1).await), [1]);
}

#[tokio::test]
async fn unauthorized_stops_for_good() {
    for way in [WEBSOCKET, SSE, BATCH] {
        let fake = Fake::start().await;
        fake.orders(way, [Act::Status(401)]);
        let config = ClientConfig { transports: TransportPolicy::Only(way), ..config(&fake) };
        let (_handle, mut stream) = Client::connect(&config).unwrap();
        let why = until(&mut stream, |update| match update {
            Update::Stopped(why) => Some(*why),
            _ => None,
        })
        .await;
        assert_eq!((why, stream.next().await, fake.opened(way)), (StopReason::SignedOut, None, 1));
    }
}

#[tokio::test]
async fn where_nobody_listens_no_other_way_is_tried() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let fake = Fake::start().await;
    let config = ClientConfig { url: format!("http://{address}"), ..config(&fake) };
    let (_handle, mut stream) = Client::connect(&config).unwrap();
    let why = until(&mut stream, |update| match update {
        Update::Status(Status::Waiting { why, .. }) => Some(why.clone()),
        _ => None,
    })
    .await;
    assert!(why.contains("cannot connect"), "{why}");
}

#[tokio::test]
async fn only_the_way_that_was_asked_for_is_tried() {
    let fake = Fake::start().await;
    for way in [WEBSOCKET, SSE, BATCH] {
        let (_handle, mut stream) = kit::connect_by(&fake, way);
        assert_eq!(live(&mut stream).await, way);
    }
    assert_eq!((fake.opened(WEBSOCKET), fake.opened(SSE)), (1, 1));
}

#[tokio::test]
async fn the_winner_is_remembered_when_it_breaks() {
    let fake = Fake::start().await;
    fake.orders(WEBSOCKET, [Act::Status(426)]).orders(SSE, [Act::CutAfter(1), Act::Well]);
    let (_handle, mut stream) = connect(&fake);
    assert_eq!(live(&mut stream).await, SSE);
    fake.happen(2);
    assert_eq!(live(&mut stream).await, SSE);
    assert_eq!((fake.opened(WEBSOCKET), fake.opened(SSE)), (1, 2));
}

#[tokio::test]
async fn a_remembered_way_that_no_longer_opens_is_forgotten() {
    let fake = Fake::start().await;
    fake.orders(WEBSOCKET, [Act::Status(426), Act::Well]);
    fake.orders(SSE, [Act::CutAfter(0), Act::Status(502)]).orders(BATCH, [Act::Status(502)]);
    let (_handle, mut stream) = connect(&fake);
    assert_eq!(live(&mut stream).await, SSE);
    fake.happen(1);
    assert_eq!(live(&mut stream).await, WEBSOCKET);
}

#[tokio::test]
async fn a_better_way_is_taken_in_mid_flight_without_loss_or_doubles() {
    let fake = Fake::start().await;
    fake.orders(WEBSOCKET, [Act::Status(426), Act::Status(426), Act::Well]);
    let timings = Timings { probe: Duration::from_millis(100), ..timings() };
    let (_handle, mut stream) = Client::connect(&ClientConfig { timings, ..config(&fake) }).unwrap();
    assert_eq!(live(&mut stream).await, SSE);
    let writing = fake.clone();
    tokio::spawn(async move {
        for _ in 0..200 {
            writing.happen(1);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    let (mut seen, mut switched) = (Vec::new(), false);
    while seen.len() < 200 {
        match next(&mut stream).await {
            Update::Event(event) => seen.push(event.seq),
            Update::Status(Status::Live { transport }) => switched = transport == WEBSOCKET,
            Update::Status(status) => panic!("{status:?}"),
            _ => {}
        }
    }
    assert_eq!(seen, (1..=200).collect::<Vec<_>>());
    assert!(switched && fake.opened(SSE) == 1);
}

/// What a restart behind a proxy can do: the stream's turn comes just before the server is back, the
/// batch's just after.
#[tokio::test]
async fn after_a_loss_a_better_way_is_looked_for_soon() {
    let fake = Fake::start().await;
    fake.orders(WEBSOCKET, [Act::CutAfter(0), Act::Status(502), Act::Status(426)]);
    fake.orders(SSE, [Act::Status(502), Act::Well]);
    let timings =
        Timings { probe_soon: Duration::from_millis(200), transport_memory: Duration::ZERO, ..timings() };
    let (_handle, mut stream) = Client::connect(&ClientConfig { timings, ..config(&fake) }).unwrap();
    assert_eq!(live(&mut stream).await, WEBSOCKET);
    fake.happen(1);
    assert_eq!(live(&mut stream).await, BATCH);
    assert_eq!(live(&mut stream).await, SSE);
}

#[tokio::test]
async fn a_websocket_on_which_frames_come_and_no_answers_is_left_for_the_event_stream() {
    let fake = Fake::start().await;
    fake.orders(Transport::Websocket, [Act::Deaf]);
    let timings = Timings { command_answer: Duration::from_millis(300), ..timings() };
    let (handle, mut stream) = Client::connect(&ClientConfig { timings, ..config(&fake) }).unwrap();
    assert_eq!(live(&mut stream).await, Transport::Websocket);
    let sent = tokio::spawn(async move { handle.send(post("is anybody there")).await });
    let talking = async {
        loop {
            fake.happen(1);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        way = live(&mut stream) => assert_eq!(way, Transport::Sse),
        () = talking => {},
    }
    // Read on, or the answer would wait.
    tokio::spawn(async move { while stream.next().await.is_some() {} });
    assert!(sent.await.unwrap().is_ok());
    assert_eq!((fake.opened(Transport::Websocket), fake.posts()), (1, 1));
}

#[tokio::test]
async fn a_websocket_that_says_nothing_after_its_opening_is_left_the_second_time() {
    let fake = Fake::start().await;
    fake.orders(Transport::Websocket, [Act::Stalls]);
    let timings = Timings { watchdog: Duration::from_millis(300), ..timings() };
    let (_handle, mut stream) = Client::connect(&ClientConfig { timings, ..config(&fake) }).unwrap();
    let mut ways = Vec::new();
    for _ in 0..3 {
        ways.push(live(&mut stream).await);
    }
    assert_eq!(ways, [Transport::Websocket, Transport::Websocket, Transport::Sse]);
}
