//! Searching: what is answered, and what is refused.

use serde_json::{Value, json};
use switchback_core::wire::{Role, RoomKind};
use switchback_core::{Handle, RoomName, Topic, UserId};
use switchback_storage::NewRoom;

use super::Site;
use crate::limits;

impl Site {
    async fn id_of(&self, handle: &str) -> UserId {
        self.store.account(&Handle::new(handle).unwrap()).await.unwrap().unwrap().user.id
    }

    async fn says(&self, token: &str, room: &str, body: &str) {
        let nonce = uuid::Uuid::now_v7();
        let command = json!({ "id": 1, "type": "message.post", "room": room, "nonce": nonce, "body": body });
        let said = self.post("/chat").bearer(token).json(&command).await;
        assert_eq!(said.status, 200, "{}", said.text());
    }

    async fn indexed(&self) {
        while self.app.ops.index().step().await.unwrap().messages > 0 {}
    }

    async fn found(&self, token: &str, query: &str) -> Value {
        let path = format!("/api/v1/search?{query}");
        self.get(&path).bearer(token).send().await.assert_status(200).json()
    }
}

fn bodies(found: &Value) -> Vec<&str> {
    found["messages"].as_array().unwrap().iter().map(|message| message["body"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_is_found_is_a_page_of_messages_with_their_rooms() {
    let site = Site::of_a_team().await;
    let (ada, bob) = (site.token("ada").await, site.token("bob").await);
    let general = site.general().await.to_string();
    for number in 1..=3 {
        site.says(&ada, &general, &format!("Crème brûlée {number}")).await;
    }
    site.says(&bob, &general, "no dessert").await;
    site.indexed().await;
    let first = site.found(&bob, "q=creme+brulee&limit=2").await;
    assert_eq!(bodies(&first), ["Crème brûlée 3", "Crème brûlée 2"]);
    assert_eq!(first["messages"][0]["room"], general);
    assert!(first["messages"][0]["html"].as_str().unwrap().contains("brûlée"));
    assert_eq!(first["complete"], true);
    let second = site.found(&bob, &format!("q=creme&limit=2&before={}", first["before"])).await;
    assert_eq!((bodies(&second), &second["before"]), (vec!["Crème brûlée 1"], &Value::Null));
    assert_eq!(bodies(&site.found(&ada, "q=from%3A%40bob").await), ["no dessert"]);
    assert_eq!(bodies(&site.found(&ada, "q=dessert+in%3A%23General").await), ["no dessert"]);
    assert!(bodies(&site.found(&ada, "q=brulee+before%3A2020-01-01").await).is_empty());
    assert_eq!(bodies(&site.found(&ada, "q=brulee+after%3A2020-01-01").await).len(), 3);
}

#[tokio::test]
async fn an_index_that_is_behind_says_so() {
    let site = Site::of_a_team().await;
    let ada = site.token("ada").await;
    let general = site.general().await.to_string();
    site.indexed().await;
    site.says(&ada, &general, "too fresh").await;
    let found = site.found(&ada, "q=fresh").await;
    assert_eq!((bodies(&found), &found["complete"]), (Vec::new(), &Value::Bool(false)));
    assert!(found["indexed_to"].as_u64().unwrap() < site.store.head().await.unwrap());
}

#[tokio::test]
async fn names_of_private_rooms_are_known_to_their_members_alone() {
    let site = Site::of_a_team().await;
    let (ada, bob) = (site.token("ada").await, site.token("bob").await);
    let name = RoomName::new("board").unwrap();
    let topic = Topic::new("").unwrap();
    for creator in [site.id_of("ada").await, site.person("eve", Role::Member).await] {
        let new = NewRoom { creator, kind: RoomKind::Private, name: name.clone(), topic: topic.clone() };
        let (_, room) = site.store.create_room(new).await.unwrap();
        let handle = if creator == site.id_of("ada").await { "ada" } else { "eve" };
        let token = site.token(handle).await;
        site.says(&token, &room.room.id.to_string(), &format!("numbers of {handle}")).await;
    }
    site.indexed().await;
    assert_eq!(bodies(&site.found(&ada, "q=numbers+in%3Aboard").await), ["numbers of ada"]);
    assert!(bodies(&site.found(&bob, "q=numbers").await).is_empty());
    let refused = site.get("/api/v1/search?q=numbers+in%3Aboard").bearer(&bob).send().await;
    refused.assert_problem(422, "there is no room #board, or you are not in it");
}

#[tokio::test]
async fn a_query_that_cannot_be_answered_is_told_why() {
    let site = Site::of_a_team().await;
    let bob = site.token("bob").await;
    let long = format!("q={}", "x".repeat(600));
    for (query, status, field, words) in [
        ("", 422, "q", "write a word to look for"),
        ("q=", 422, "q", "write a word to look for"),
        ("q=%21%21", 422, "q", "write a word to look for"),
        ("q=x+from%3A%40nobody", 422, "q", "nobody is called @nobody"),
        ("q=x+in%3A%23nowhere", 422, "q", "there is no room #nowhere"),
        ("q=x+before%3Atoday", 422, "q", "YYYY-MM-DD"),
        (&long, 413, "q", "the limit is 512"),
        ("q=x&limit=51", 422, "limit", "1 to 50"),
        ("q=x&before=y", 422, "before", "whole number"),
        ("q=x&q=y", 422, "q", "duplicate"),
    ] {
        let refused = site.get(&format!("/api/v1/search?{query}")).bearer(&bob).send().await;
        assert_eq!(refused.assert_problem(status, words)["field"], field, "{query}");
    }
    site.get("/api/v1/search?q=x").send().await.assert_problem(401, "sign in");
}

#[tokio::test]
async fn searching_too_often_is_refused_for_a_moment() {
    let site = Site::of_a_team().await;
    let bob = site.token("bob").await;
    site.indexed().await;
    let mut refused = None;
    for _ in 0..=2 * limits::SEARCHES_BURST {
        let got = site.get("/api/v1/search?q=x").bearer(&bob).send().await;
        if got.status != 200 {
            refused = Some(got);
            break;
        }
    }
    refused.unwrap().assert_problem(429, "too many searches");
}
