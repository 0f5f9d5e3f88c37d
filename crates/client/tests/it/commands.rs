//! Commands: tried until answered, carried out once, in order.

use std::time::Duration;

use switchback_client::{Address, Credential, Rest, SendError, StopReason, Transport, Update};
use switchback_core::wire::{Command, ErrorCode};

use crate::fake::{Act, Answer, Fake};
use crate::kit::{bodies, connect, connect_by, events, live, post, until};

const WAYS: [Transport; 3] = [Transport::Websocket, Transport::Sse, Transport::Batch];

#[tokio::test]
async fn a_command_gets_the_same_answer_on_every_way_in() {
    for way in WAYS {
        let fake = Fake::start().await;
        let (handle, mut stream) = connect_by(&fake, way);
        let ack = handle.send(post("one")).await.unwrap();
        assert_eq!((ack.seq, ack.message.unwrap().body.as_str()), (Some(1), "one"), "{way:?}");
        assert_eq!(bodies(&events(&mut stream, 1).await), ["one"], "{way:?}");
        assert_eq!(handle.send(Command::Ping).await.unwrap().seq, None, "{way:?}");
        let by_post = if way == Transport::Websocket { 0 } else { 2 };
        assert_eq!(fake.posts(), by_post, "{way:?}");
    }
}

#[tokio::test]
async fn messages_stand_in_the_order_in_which_they_were_given() {
    for way in WAYS {
        let fake = Fake::start().await;
        let (handle, mut stream) = connect_by(&fake, way);
        let reading = tokio::spawn(async move { events(&mut stream, 200).await.len() });
        let wanted: Vec<String> = (0..200).map(|number| number.to_string()).collect();
        let sends = wanted.iter().map(|body| handle.send(post(body)));
        let acks = futures_util::future::join_all(sends).await;
        assert!(acks.iter().all(Result::is_ok), "{way:?}");
        assert_eq!(fake.bodies(), wanted, "{way:?}");
        assert_eq!(reading.await.unwrap(), 200);
    }
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_and_the_message_stands_once() {
    for way in WAYS {
        let fake = Fake::start().await;
        fake.answers([Answer::LostAfterwards, Answer::LostAfterwards]);
        let (handle, mut stream) = connect_by(&fake, way);
        let ack = handle.send(post("once")).await.unwrap();
        assert_eq!(ack.seq, Some(1), "{way:?}");
        assert_eq!(bodies(&events(&mut stream, 1).await), ["once"], "{way:?}");
        assert_eq!((fake.head(), fake.bodies().len()), (1, 1), "{way:?}");
    }
}

#[tokio::test]
async fn later_means_later_and_keeps_the_order() {
    let busy = Answer::Error { code: "unavailable", retry: true, retry_after_ms: Some(20) };
    for way in WAYS {
        let fake = Fake::start().await;
        fake.answers([busy, busy]);
        let (handle, mut stream) = connect_by(&fake, way);
        live(&mut stream).await;
        let first = handle.send(post("first")).await;
        assert_eq!(first.unwrap().seq, Some(1), "{way:?}");
    }
}

#[tokio::test]
async fn a_refusal_is_final_and_says_why() {
    let refusal = Answer::Error { code: "forbidden", retry: false, retry_after_ms: None };
    for way in WAYS {
        let fake = Fake::start().await;
        fake.answers([refusal]);
        let (handle, _stream) = connect_by(&fake, way);
        let refused = handle.send(post("no")).await.unwrap_err();
        let SendError::Refused(error) = refused else { panic!("{refused:?}") };
        assert_eq!((error.code, error.retry, error.id.is_some()), (ErrorCode::Forbidden, false, true));
        assert!(fake.bodies().is_empty());
    }
}

#[tokio::test]
async fn a_server_that_never_can_is_given_up() {
    let fake = Fake::start().await;
    fake.answers([Answer::Error { code: "internal", retry: true, retry_after_ms: Some(1) }; 50]);
    let (handle, _stream) = connect(&fake);
    let refused = handle.send(post("no")).await.unwrap_err();
    assert!(matches!(refused, SendError::Refused(error) if error.retry), "the caller may try again");
}

#[tokio::test]
async fn what_was_given_out_without_a_connection_waits_for_one() {
    let fake = Fake::start().await;
    fake.orders(Transport::Websocket, [Act::Status(503), Act::Status(503), Act::Well]);
    let (handle, _stream) = connect_by(&fake, Transport::Websocket);
    assert_eq!(handle.send(post("patience")).await.unwrap().seq, Some(1));
}

#[tokio::test]
async fn what_is_about_now_does_not_wait_for_a_connection() {
    let fake = Fake::start().await;
    fake.orders(Transport::Websocket, [Act::Silent]);
    let (handle, _stream) = connect_by(&fake, Transport::Websocket);
    assert_eq!(handle.send(Command::Ping).await, Err(SendError::Lost));
}

#[tokio::test]
async fn a_command_survives_a_change_of_way() {
    let fake = Fake::start().await;
    fake.orders(Transport::Websocket, [Act::Well, Act::Status(426)]).answers([Answer::LostAfterwards]);
    let (handle, mut stream) = connect(&fake);
    assert_eq!(live(&mut stream).await, Transport::Websocket);
    assert_eq!(handle.send(post("once")).await.unwrap().seq, Some(1));
    assert_eq!((fake.bodies().len(), fake.posts()), (1, 1));
}

#[tokio::test]
async fn closing_loses_what_has_no_answer() {
    let fake = Fake::start().await;
    fake.orders(Transport::Websocket, [Act::Silent]);
    let (handle, mut stream) = connect_by(&fake, Transport::Websocket);
    let sending = tokio::spawn({
        let handle = handle.clone();
        async move { handle.send(post("never")).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    handle.close();
    assert_eq!(sending.await.unwrap(), Err(SendError::Lost));
    let stopped = until(&mut stream, |update| match update {
        Update::Stopped(why) => Some(*why),
        _ => None,
    });
    assert_eq!(stopped.await, StopReason::Asked);
    assert_eq!(handle.send(post("never")).await, Err(SendError::Lost));
}

#[tokio::test]
async fn being_signed_out_loses_what_has_no_answer() {
    let fake = Fake::start().await;
    fake.orders(Transport::Websocket, [Act::Status(401)]);
    let (handle, _stream) = connect(&fake);
    assert_eq!(handle.send(post("never")).await, Err(SendError::Lost));
}

#[tokio::test]
async fn signing_in_gives_a_cookie_to_go_on_with() {
    let fake = Fake::start().await;
    let address: Address = fake.url().parse().unwrap();
    let rest = Rest::new(address, None, None).unwrap();
    let signed_in = rest.sign_in("ada", "correct horse").await.unwrap();
    assert_eq!(signed_in.credential(), Credential::Cookie("switchback_session=s3cret".to_owned()));
    let refused = rest.sign_in("ada", "wrong").await.unwrap_err();
    assert_eq!(refused.status(), Some(503), "what the problem says");
    let foreign = rest.users().await.unwrap_err();
    assert_eq!(foreign.to_string(), "the answer is not Switchback's: 404 Not Found with text/plain");
}
