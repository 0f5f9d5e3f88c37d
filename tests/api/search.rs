//! Searching, from outside: who finds what, and an index that survives its server and its own loss.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::kit::server::Account;
use crate::kit::{Role, Server, until};

async fn say(who: &Account, room: &str, body: &str) -> Value {
    let nonce = Uuid::now_v7();
    let command = json!({ "id": 1, "type": "message.post", "room": room, "nonce": nonce, "body": body });
    let answer = who.command(&command).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["message"].clone()
}

async fn change(who: &Account, command: Value) {
    let answer = who.command(&command).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// The texts that are found once the index has caught up, newest first.
async fn found(who: &Account, query: &str) -> Vec<String> {
    let mut found = Value::Null;
    until("the index has caught up", async || {
        let answer = who.get(&format!("/api/v1/search?q={query}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        found = answer.json();
        found["complete"] == true
    })
    .await;
    let messages = found["messages"].as_array().unwrap();
    messages.iter().map(|message| message["body"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn everybody_finds_what_they_may_see_now_and_nothing_else() {
    let server = Server::start().await;
    let (ada, bob) = server.people().await;
    let general = ada.general().await;
    let room = json!({ "kind": "private", "name": "plans" }).to_string();
    let room = ada.request("POST", "/api/v1/rooms", &room).await.json();
    let room = room["id"].as_str().unwrap().to_owned();
    say(&ada, &room, "an orchard, in private").await;
    let edited = say(&ada, &general, "an orchard of pears").await;
    let deleted = say(&ada, &general, "an orchard of plums").await;
    assert_eq!(found(&bob, "orchard").await, ["an orchard of plums", "an orchard of pears"]);
    let member = format!("/api/v1/rooms/{room}/members/{}", bob.id().await);
    assert!(ada.request("PUT", &member, "").await.status < 300);
    assert_eq!(found(&bob, "orchard").await.len(), 3);
    assert!(ada.request("DELETE", &member, "").await.status < 300);
    assert_eq!(found(&bob, "orchard").await.len(), 2);
    assert_eq!(found(&ada, "orchard").await.len(), 3);
    change(
        &ada,
        json!({ "id": 2, "type": "message.edit", "message": edited["id"], "body": "a grove of pears" }),
    )
    .await;
    change(&ada, json!({ "id": 3, "type": "message.delete", "message": deleted["id"] })).await;
    assert_eq!(found(&bob, "orchard").await, [""; 0]);
    assert_eq!(found(&bob, "plums").await, [""; 0]);
    assert_eq!(found(&bob, "grove%20pears").await, ["a grove of pears"]);
}

#[tokio::test]
async fn killed_or_robbed_of_its_file_the_index_is_whole_again() {
    let mut server = Server::start().await;
    let ada = server.account("ada", Role::Owner).await;
    let general = ada.general().await;
    for number in 0..50 {
        say(&ada, &general, &format!("lighthouse {number}")).await;
    }
    assert_eq!(found(&ada, "lightho&limit=50").await.len(), 50);
    // Killed with something that is perhaps not indexed.
    say(&ada, &general, "lighthouse keeper").await;
    server.kill().await;
    server.restart().await;
    assert_eq!(found(&ada, "keeper").await, ["lighthouse keeper"]);
    server.kill().await;
    for file in ["search.db", "search.db-wal", "search.db-shm"] {
        let path = server.data_dir().join(file);
        assert!(path.exists() || file != "search.db", "{file}");
        drop(std::fs::remove_file(path));
    }
    server.restart().await;
    assert_eq!(found(&ada, "lighthouse%20keeper").await, ["lighthouse keeper"]);
    assert_eq!(found(&ada, "lightho&limit=50").await.len(), 50);
    let metrics = ada.get("/metrics").await.body;
    assert!(metrics.contains("switchback_search_messages_total 51"), "{metrics}");
}
