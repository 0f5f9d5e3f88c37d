//! Going on from a cursor: from memory, from storage, or not at all.

use serde_json::Value;
use switchback_server::Config;

use crate::kit::{TestServer, is_event};

/// Far fewer than the events of the test.
const SMALL_RING: usize = 4;

#[tokio::test]
async fn a_cursor_that_fell_out_of_memory_is_served_from_storage_without_a_gap() {
    let server = TestServer::with(Config { ring_events: SMALL_RING, ..Config::default() }).await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let general = server.general(&ada).await;
    let cursor = server.batch(&bob, "?mode=batch&wait=0").await[0]["cursor"].as_str().unwrap().to_owned();
    let mut said = Vec::new();
    for number in 0..300 {
        said.push(server.say(&ada, general, &number.to_string()).await["seq"].clone());
    }
    let query = format!("?after={cursor}");
    for mut live in [server.websocket(&bob, &query).await, server.event_stream(&bob, &query).await] {
        let frames = live.until_ready().await;
        assert_eq!(frames[0]["cursor"], cursor.as_str());
        let events: Vec<_> = frames.into_iter().filter(is_event).collect();
        assert!(events.iter().map(|event| &event["seq"]).eq(&said), "lost, doubled or out of order");
        let counted = events.iter().map(|event| event["n"].as_u64().unwrap());
        let first = events[0]["n"].as_u64().unwrap();
        assert!(counted.eq(first..first + 300));
    }
    // A batch is bounded; the client goes on from where it ended.
    let (mut cursor, mut collected) = (cursor, Vec::<Value>::new());
    while collected.len() < said.len() {
        let batch = server.batch(&bob, &format!("?mode=batch&after={cursor}")).await;
        cursor = batch.last().unwrap()["cursor"].as_str().unwrap().to_owned();
        collected.extend(batch.into_iter().filter(is_event).map(|event| event["seq"].clone()));
    }
    assert_eq!(collected, said);
}

#[tokio::test]
async fn what_cannot_be_continued_is_reset_and_goes_on_from_the_head() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let general = server.general(&ada).await;
    let head = server.batch(&ada, "?mode=batch&wait=0").await[0]["cursor"].as_str().unwrap().to_owned();
    let epoch = head.split('.').next().unwrap();
    let cases = [
        ("nonsense".to_owned(), "malformed"),
        (format!("{epoch}.-1"), "malformed"),
        ("other.1".to_owned(), "foreign_epoch"),
        (format!("{epoch}.999999"), "ahead"),
    ];
    for (after, reason) in cases {
        let query = format!("?after={after}");
        for mut live in [server.websocket(&ada, &query).await, server.event_stream(&ada, &query).await] {
            assert_eq!(live.next().await["type"], "hello");
            let reset = live.next().await;
            assert_eq!((&reset["type"], &reset["reason"]), (&"reset".into(), &reason.into()), "{after}");
            assert_eq!(live.next_of("ready").await["cursor"], reset["cursor"]);
            let seq = server.say(&ada, general, "after the reset").await["seq"].clone();
            // What was said while the other connection was looked at comes first.
            while live.event().await["seq"] != seq {}
        }
        let batch = server.batch(&ada, &format!("?mode=batch&wait=20&after={after}")).await;
        assert_eq!(batch[1]["reason"], reason, "a batch does not wait with a reset");
    }
}

#[tokio::test]
async fn last_event_id_wins_over_after() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let general = server.general(&ada).await;
    let cursor = server.batch(&ada, "?mode=batch&wait=0").await[0]["cursor"].as_str().unwrap().to_owned();
    server.say(&ada, general, "one").await;
    let request = http::Request::get("/chat?mode=batch&wait=0&after=other.1")
        .header("host", "test")
        .header("accept", "text/event-stream")
        .header("authorization", format!("Bearer {}", ada.token))
        .header("last-event-id", &cursor)
        .body(http_body_util::Full::default())
        .unwrap();
    let (_, body) = server.fetch(request).await;
    let body = std::str::from_utf8(&body).unwrap();
    assert!(body.contains("message.posted") && !body.contains("reset"), "{body}");
}

#[tokio::test]
async fn who_comes_back_never_sees_a_text_that_is_gone() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let general = server.general(&ada).await;
    let cursor = server.batch(&ada, "?mode=batch&wait=0").await[0]["cursor"].as_str().unwrap().to_owned();
    let secret = server.say(&ada, general, "the password is swordfish").await["message"]["id"].clone();
    let mut reply = crate::kit::post(general, "never post passwords");
    reply["reply_to"] = secret.clone();
    server.command(&ada, &reply).await;
    server.say(&ada, general, "something else").await;
    let query = format!("?mode=batch&after={cursor}");
    let text = |frames: &[Value]| serde_json::to_string(frames).unwrap();
    assert!(text(&server.batch(&ada, &query).await).contains("swordfish"), "it is there to be forgotten");
    let edit =
        serde_json::json!({"type": "message.edit", "message": secret, "body": "the password is hunter2"});
    server.command(&ada, &edit).await;
    let after = server.batch(&ada, &query).await;
    assert!(!text(&after).contains("swordfish") && text(&after).contains("hunter2"), "{after:?}");
    server.command(&ada, &serde_json::json!({"type": "message.delete", "message": secret})).await;
    let after = server.batch(&ada, &query).await;
    assert!(!text(&after).contains("hunter2"), "{after:?}");
    let kinds: Vec<_> = after.iter().filter(|frame| is_event(frame)).map(|event| &event["type"]).collect();
    assert_eq!(
        kinds,
        ["message.posted", "message.posted", "message.posted", "message.edited", "message.deleted"]
    );
}
