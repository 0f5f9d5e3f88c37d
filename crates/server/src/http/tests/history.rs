//! History by page: what is where, who may read it, and that a page that was read before is never
//! shown again when it no longer holds.

use serde_json::{Value, json};
use switchback_core::wire::{Role, RoomKind};
use switchback_core::{Emoji, Handle, MessageBody, MessageId, Nonce, RoomId, RoomName, Topic, UserId};
use switchback_storage::{NewMessage, NewReaction, NewRoom, OpenMode, Store, UserChange};
use uuid::Uuid;

use super::Site;
use crate::secrets;

fn message(author: UserId, room: RoomId, number: u128) -> NewMessage {
    NewMessage {
        author,
        room,
        nonce: Nonce::from_uuid(Uuid::from_u128(number + 1)),
        body: MessageBody::new(&format!("message {number}")).unwrap(),
        html: format!("<p>message {number}</p>"),
        reply_to: None,
        mentions: Vec::new(),
        mentions_room: false,
    }
}

/// Posts `count` messages by ada to `general`; returns their `seq`.
async fn posted(site: &Site, count: u128) -> Vec<u64> {
    let account = site.store.account(&Handle::new("ada").unwrap()).await.unwrap().unwrap();
    let room = site.general().await;
    let mut seqs = Vec::new();
    for number in 0..count {
        let new = message(account.user.id, room, number);
        seqs.push(site.store.post_message(new).await.unwrap().seq);
    }
    seqs
}

#[tokio::test]
async fn history_is_read_by_page_in_both_directions_and_around_a_message() {
    let site = Site::of_a_team().await;
    let bob = site.token("bob").await;
    let seqs = posted(&site, 120).await;
    let path = format!("/api/v1/rooms/{}/messages", site.general().await);
    let page = async |query: &str| {
        let page = site.get(&format!("{path}{query}")).bearer(&bob).send().await.assert_status(200).json();
        let found: Vec<u64> = page["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|message| message["seq"].as_u64().unwrap())
            .collect();
        (found, page["has_before"].as_bool().unwrap(), page["has_after"].as_bool().unwrap())
    };
    assert_eq!(page("").await, (seqs[70..].to_vec(), true, false));
    assert_eq!(page("?limit=100").await, (seqs[20..].to_vec(), true, false));
    assert_eq!(page(&format!("?before={}&limit=20", seqs[20])).await, (seqs[..20].to_vec(), false, true));
    assert_eq!(page(&format!("?after={}&limit=5", seqs[9])).await, (seqs[10..15].to_vec(), true, true));
    let (around, before, after) = page(&format!("?around={}&limit=11", seqs[60])).await;
    assert!(around.contains(&seqs[60]) && around.len() <= 11 && before && after, "{around:?}");
}

#[tokio::test]
async fn a_bad_page_names_the_parameter() {
    let site = Site::of_a_team().await;
    let bob = site.token("bob").await;
    let path = format!("/api/v1/rooms/{}/messages", site.general().await);
    for (query, field) in [
        ("?limit=0", "limit"),
        ("?limit=101", "limit"),
        ("?before=x", "before"),
        ("?after=-1", "after"),
        ("?before=1&around=2", "around"),
    ] {
        let got = site.get(&format!("{path}{query}")).bearer(&bob).send().await;
        assert_eq!(got.assert_problem(422, field)["field"], field, "{query}");
    }
}

#[tokio::test]
async fn one_message_is_found_by_those_who_may_read_it() {
    let site = Site::of_a_team().await;
    site.person("eve", Role::Member).await;
    posted(&site, 1).await;
    let bob = site.token("bob").await;
    let path = format!("/api/v1/rooms/{}/messages", site.general().await);
    let page = site.get(&path).bearer(&bob).send().await.json();
    let path = format!("/api/v1/messages/{}", page["messages"][0]["id"].as_str().unwrap());
    let message = site.get(&path).bearer(&bob).send().await.assert_status(200).json();
    assert_eq!((&message["body"], &message["html"]), (&json!("message 0"), &json!("<p>message 0</p>")));
    site.get("/api/v1/messages/x").bearer(&bob).send().await.assert_problem(404, "nothing");
    let absent = format!("/api/v1/messages/{}", Uuid::nil());
    site.get(&absent).bearer(&bob).send().await.assert_problem(404, "no such message");
}

/// Somebody who writes to the same data from another process: nobody tells the server.
struct Elsewhere {
    store: Store,
    ada: UserId,
    bob: UserId,
}

impl Elsewhere {
    async fn beside(site: &Site) -> Self {
        let store = Store::open(site.directory.path(), OpenMode::Admin).await.unwrap();
        let [ada, bob] = ["ada", "bob"].map(|name| Handle::new(name).unwrap());
        let id = async |handle| store.account(handle).await.unwrap().unwrap().user.id;
        Self { ada: id(&ada).await, bob: id(&bob).await, store }
    }
}

async fn newest(site: &Site, room: RoomId, secret: &str) -> Vec<Value> {
    let path = format!("/api/v1/rooms/{room}/messages?limit=3");
    let page = site.get(&path).bearer(secret).send().await.assert_status(200).json();
    page["messages"].as_array().unwrap().clone()
}

#[tokio::test]
async fn what_was_changed_elsewhere_is_in_the_very_next_page() {
    let site = Site::of_a_team().await;
    let (room, bob) = (site.general().await, site.token("bob").await);
    posted(&site, 5).await;
    let there = Elsewhere::beside(&site).await;
    let page = newest(&site, room, &bob).await;
    assert_eq!(newest(&site, room, &bob).await, page);
    let ids: Vec<MessageId> = page
        .iter()
        .map(|message| MessageId::from_uuid(message["id"].as_str().unwrap().parse().unwrap()))
        .collect();

    let body = MessageBody::new("corrected").unwrap();
    there.store.edit_message(there.ada, ids[0], body, "<p>corrected</p>".to_owned()).await.unwrap();
    assert_eq!(newest(&site, room, &bob).await[0]["body"], "corrected");

    let reaction =
        NewReaction { user: there.ada, message: ids[1], emoji: Emoji::new("👍").unwrap(), present: true };
    there.store.react(reaction.clone()).await.unwrap();
    assert_eq!(newest(&site, room, &bob).await[1]["reactions"][0]["emoji"], "👍");
    there.store.react(NewReaction { present: false, ..reaction }).await.unwrap();
    assert_eq!(newest(&site, room, &bob).await[1]["reactions"], page[1]["reactions"]);

    there.store.delete_message(there.ada, ids[2], false).await.unwrap();
    let deleted = newest(&site, room, &bob).await;
    assert_eq!((&deleted[2]["deleted"], &deleted[2]["body"]), (&json!(true), &json!("")));

    let answer = NewMessage { reply_to: Some(ids[0]), ..message(there.ada, room, 5) };
    there.store.post_message(answer).await.unwrap();
    let page = newest(&site, room, &bob).await;
    assert_eq!(
        (&page[2]["body"], &page[2]["reply_to"]["excerpt"]),
        (&json!("message 5"), &json!("corrected"))
    );
    // What it quotes changes, and with it the answer.
    there.store.delete_message(there.ada, ids[0], false).await.unwrap();
    let page = newest(&site, room, &bob).await;
    assert_eq!((&page[2]["body"], &page[2]["reply_to"]["excerpt"]), (&json!("message 5"), &json!("")));
}

#[tokio::test]
async fn older_pages_go_on_beside_new_messages_and_say_that_there_are_newer_ones() {
    let site = Site::of_a_team().await;
    let (room, bob) = (site.general().await, site.token("bob").await);
    let seqs = posted(&site, 10).await;
    let there = Elsewhere::beside(&site).await;
    let all = async |query: &str| {
        let path = format!("/api/v1/rooms/{room}/messages?{query}");
        let page = site.get(&path).bearer(&bob).send().await.assert_status(200).json();
        let found =
            page["messages"].as_array().unwrap().iter().map(|message| message["seq"].as_u64().unwrap());
        (found.collect::<Vec<u64>>(), page["has_before"] == true, page["has_after"] == true)
    };
    let newest = format!("before={}&limit=4", seqs[9] + 1);
    assert_eq!(all("limit=4").await, (seqs[6..].to_vec(), true, false));
    assert_eq!(all(&newest).await, (seqs[6..].to_vec(), true, false));
    let later = there.store.post_message(message(there.ada, room, 10)).await.unwrap().seq;
    assert_eq!(all(&newest).await, (seqs[6..].to_vec(), true, true));
    assert_eq!(all("limit=2").await, (vec![seqs[9], later], true, false));
    // Who comes writes nothing.
    site.person("eve", Role::Member).await;
    assert_eq!(all("limit=2").await, (vec![seqs[9], later], true, false));
}

#[tokio::test]
async fn whoever_may_not_read_any_more_is_refused_at_the_very_next_request() {
    let site = Site::of_a_team().await;
    let there = Elsewhere::beside(&site).await;
    let new = NewRoom {
        creator: there.ada,
        kind: RoomKind::Private,
        name: RoomName::new("secrets").unwrap(),
        topic: Topic::new("").unwrap(),
    };
    let room = there.store.create_room(new).await.unwrap().1.room.id;
    there.store.add_member(there.ada, room, there.bob).await.unwrap();
    there.store.post_message(message(there.ada, room, 0)).await.unwrap();
    let (ada, bob) = (site.token("ada").await, site.token("bob").await);
    let path = format!("/api/v1/rooms/{room}/messages");
    let ask = async |secret: &str| site.get(&path).bearer(secret).send().await;
    for secret in [&ada, &bob, &bob] {
        assert_eq!(ask(secret).await.status, 200);
    }
    there.store.remove_member(there.ada, room, there.bob).await.unwrap();
    ask(&bob).await.assert_problem(404, "no such room");
    assert_eq!(ask(&ada).await.status, 200);
    there.store.add_member(there.ada, room, there.bob).await.unwrap();
    assert_eq!(ask(&bob).await.status, 200);

    let session = secrets::new_secret();
    let opened = there.store.create_session(there.bob, session.hash, String::new()).await.unwrap();
    let session = format!("Bearer {}", session.text);
    assert_eq!(ask(&session).await.status, 200);
    there.store.end_session(there.bob, opened.id).await.unwrap();
    ask(&session).await.assert_problem(401, "sign in again");

    let out = UserChange { active: Some(false), ..UserChange::default() };
    there.store.update_user(Some(there.ada), there.bob, out).await.unwrap();
    ask(&bob).await.assert_problem(401, "sign in again");
    site.get(&path).send().await.assert_problem(401, "sign in first");
}

#[tokio::test]
async fn a_stranger_hears_that_before_what_else_is_wrong() {
    let site = Site::of_a_team().await;
    let bob = site.token("bob").await;
    let bad_page = format!("/api/v1/rooms/{}/messages?limit=0", site.general().await);
    for (path, status) in [(bad_page.as_str(), 422), ("/api/v1/rooms/x/messages", 404)] {
        site.get(path).bearer("Bearer unknown").send().await.assert_problem(401, "sign in again");
        site.get(path).send().await.assert_problem(401, "sign in first");
        site.get(path).bearer(&bob).send().await.assert_problem(status, "");
    }
}
