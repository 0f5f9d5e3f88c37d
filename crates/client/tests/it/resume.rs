//! Coming back: at the cursor, in time, or not at all.

use std::time::Duration;

use switchback_client::{
    Client, ClientConfig, EventStream, ResetCause, Status, StopReason, Timings, Transport, TransportPolicy,
    Update,
};
use switchback_core::wire::{ByeReason, ResetReason};
use tokio::time::Instant;

use crate::fake::{Act, Fake};
use crate::kit::{self, config, connect, connect_by, cursor, events, live, next, post, seqs, timings, until};

const WAYS: [Transport; 3] = [Transport::Websocket, Transport::Sse, Transport::Batch];

async fn stopped(stream: &mut EventStream) -> StopReason {
    until(stream, |update| match update {
        Update::Stopped(why) => Some(*why),
        _ => None,
    })
    .await
}

async fn reset(stream: &mut EventStream) -> (ResetCause, u64) {
    until(stream, |update| match update {
        Update::Reset { cause, snapshot } => Some((*cause, snapshot.cursor.seq)),
        Update::Event(event) => panic!("the event {} came before the snapshot", event.seq),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn a_connection_cut_in_mid_stream_goes_on_at_its_cursor() {
    for way in WAYS {
        let fake = Fake::start().await;
        fake.orders(way, [Act::CutAfter(3), Act::CutAfter(0), Act::CutAfter(2), Act::Well]).happen(10);
        let (_handle, mut stream) = connect_by(&fake, way);
        let seen = events(&mut stream, 10).await;
        assert_eq!(seqs(&seen), (1..=10).collect::<Vec<_>>(), "{way:?}");
        assert_eq!(stream.cursor(), Some(cursor("e.10")), "{way:?}");
        assert!(fake.opened(way) >= 3, "{way:?}");
    }
}

#[tokio::test]
async fn another_run_begins_where_the_first_one_ended() {
    let fake = Fake::start().await;
    fake.happen(3);
    let (handle, mut stream) = connect(&fake);
    events(&mut stream, 3).await;
    handle.close();
    assert_eq!(stopped(&mut stream).await, StopReason::Asked);
    fake.happen(2);
    let config = ClientConfig { cursor: stream.cursor(), ..config(&fake) };
    let (_handle, mut stream) = Client::connect(&config).unwrap();
    assert_eq!(seqs(&events(&mut stream, 2).await), [4, 5]);
}

#[tokio::test]
async fn a_goodbye_says_when_to_come_back() {
    for way in WAYS {
        let fake = Fake::start().await;
        fake.orders(way, [Act::Bye { reason: "going_away", retry_ms: Some(400) }, Act::Well]);
        let (_handle, mut stream) = connect_by(&fake, way);
        assert_eq!(live(&mut stream).await, way);
        let left = Instant::now();
        let retry_in = until(&mut stream, |update| match update {
            Update::Status(Status::Waiting { retry_in, .. }) => Some(*retry_in),
            _ => None,
        })
        .await;
        assert_eq!(retry_in, Duration::from_millis(400), "{way:?}");
        assert_eq!(live(&mut stream).await, way);
        assert!(left.elapsed() >= Duration::from_millis(350), "{way:?}");
    }
}

#[tokio::test]
async fn a_goodbye_for_good_is_the_end() {
    let cases = [
        ("signed_out", StopReason::SignedOut),
        ("deactivated", StopReason::Deactivated),
        ("too_many_connections", StopReason::Said(ByeReason::TooManyConnections)),
    ];
    for way in WAYS {
        for (reason, why) in cases {
            let fake = Fake::start().await;
            fake.orders(way, [Act::Bye { reason, retry_ms: None }]);
            let (_handle, mut stream) = connect_by(&fake, way);
            assert_eq!((stopped(&mut stream).await, fake.opened(way)), (why, 1), "{way:?}");
        }
    }
}

#[tokio::test]
async fn close_codes_say_whether_to_come_back() {
    for (code, end) in
        [(1008, Some(StopReason::SignedOut)), (4000, Some(StopReason::Closed(4000))), (4001, None)]
    {
        let fake = Fake::start().await;
        fake.orders(Transport::Websocket, [Act::Close(code), Act::Well]);
        let (_handle, mut stream) = connect(&fake);
        assert_eq!(live(&mut stream).await, Transport::Websocket);
        match end {
            Some(why) => assert_eq!(stopped(&mut stream).await, why, "{code}"),
            None => assert_eq!(live(&mut stream).await, Transport::Websocket, "{code}"),
        }
    }
}

#[tokio::test]
async fn a_connection_on_which_nothing_comes_is_taken_for_dead() {
    for way in WAYS {
        let fake = Fake::start().await;
        let timings = Timings { watchdog: Duration::from_millis(300), batch_wait_s: 25, ..timings() };
        let transports = TransportPolicy::Only(way);
        let (_handle, mut stream) =
            Client::connect(&ClientConfig { timings, transports, ..config(&fake) }).unwrap();
        live(&mut stream).await;
        let why = until(&mut stream, |update| match update {
            Update::Status(Status::Waiting { why, .. }) => Some(why.clone()),
            _ => None,
        })
        .await;
        assert!(why.contains("nothing came"), "{why}");
        assert_eq!(live(&mut stream).await, way);
    }
}

#[tokio::test]
async fn answers_to_posts_do_not_make_up_for_a_stream_on_which_nothing_comes() {
    let stalls = [vec![Act::Stalls, Act::Well], vec![Act::Well, Act::Silent, Act::Well]];
    for (way, acts) in [Transport::Sse, Transport::Batch].into_iter().zip(stalls) {
        let fake = Fake::start().await;
        fake.orders(way, acts);
        let timings = Timings { watchdog: Duration::from_millis(300), batch_wait_s: 25, ..timings() };
        let transports = TransportPolicy::Only(way);
        let (handle, mut stream) =
            Client::connect(&ClientConfig { timings, transports, ..config(&fake) }).unwrap();
        live(&mut stream).await;
        let talk = tokio::spawn(async move {
            loop {
                handle.send(post("Is anybody there?")).await.unwrap();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let why = until(&mut stream, |update| match update {
            Update::Status(Status::Waiting { why, .. }) => Some(why.clone()),
            _ => None,
        })
        .await;
        assert!(why.contains("nothing came") && fake.posts() > 3, "{way:?}: {why}");
        assert_eq!(seqs(&events(&mut stream, 3).await), [1, 2, 3], "{way:?}");
        talk.abort();
    }
}

#[tokio::test]
async fn after_a_reset_comes_a_snapshot_and_then_what_is_newer() {
    for way in WAYS {
        let fake = Fake::start().await;
        fake.happen(7).orders(way, [Act::Reset, Act::Well]);
        let (_handle, mut stream) = connect_by(&fake, way);
        assert_eq!(reset(&mut stream).await, (ResetCause::Server(ResetReason::Behind), 7), "{way:?}");
        fake.happen(2);
        assert_eq!(seqs(&events(&mut stream, 2).await), [8, 9], "{way:?}");
    }
}

#[tokio::test]
async fn a_gap_in_a_rooms_counter_is_noticed_and_healed_by_a_snapshot() {
    let fake = Fake::start().await;
    fake.happen(1);
    let (_handle, mut stream) = connect(&fake);
    assert_eq!(seqs(&events(&mut stream, 1).await), [1]);
    fake.lose_one().happen(1);
    assert_eq!(reset(&mut stream).await, (ResetCause::Gap, 3));
    fake.happen(1);
    assert_eq!(seqs(&events(&mut stream, 1).await), [4]);
}

#[tokio::test]
async fn a_server_that_does_not_see_the_cursor_is_noticed() {
    let fake = Fake::start().await;
    fake.happen(5).orders(Transport::Websocket, [Act::IgnoresCursor]);
    let (_handle, mut stream) = connect(&fake);
    assert_eq!(reset(&mut stream).await, (ResetCause::Gap, 5));
}

#[tokio::test]
async fn a_client_without_a_cursor_begins_now() {
    let fake = Fake::start().await;
    fake.happen(5);
    let (_handle, mut stream) = Client::connect(&ClientConfig { cursor: None, ..config(&fake) }).unwrap();
    until(&mut stream, |update| matches!(update, Update::Frame(_)).then_some(())).await;
    fake.happen(1);
    assert_eq!(seqs(&events(&mut stream, 1).await), [6]);
}

#[tokio::test]
async fn ready_is_told_once_for_each_connection() {
    let fake = Fake::start().await;
    let (_handle, mut stream) = connect_by(&fake, Transport::Batch);
    live(&mut stream).await;
    assert!(matches!(next(&mut stream).await, Update::Frame(_)));
    fake.happen(1);
    assert!(matches!(next(&mut stream).await, Update::Event(_)));
    fake.happen(1);
    assert!(matches!(next(&mut stream).await, Update::Event(_)));
}

#[tokio::test]
async fn a_session_that_nobody_wants_any_more_ends() {
    let fake = Fake::start().await;
    let (handle, mut stream) = connect(&fake);
    live(&mut stream).await;
    drop(stream);
    let ack = handle.send(kit::post("still here")).await;
    assert!(ack.is_ok(), "a client that only sends needs no stream");
    drop(handle);
    assert_eq!(fake.bodies(), ["still here"]);
}
