//! REST as a client uses it: rooms, people.

use http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Site;

#[tokio::test]
async fn rooms_are_made_changed_entered_and_left() {
    let site = Site::of_a_team().await;
    let (ada, bob) = (site.token("ada").await, site.token("bob").await);
    let new = json!({ "kind": "public", "name": "#Peaks", "topic": "4000 m" });
    let room = site.post("/api/v1/rooms").bearer(&ada).json(&new).await.assert_status(201).json();
    assert_eq!(
        (&room["name"], &room["topic"], &room["joined"]),
        (&json!("Peaks"), &json!("4000 m"), &json!(true))
    );
    let path = format!("/api/v1/rooms/{}", room["id"].as_str().unwrap());
    let seen = site.get(&path).bearer(&bob).send().await.assert_status(200).json();
    assert_eq!(seen["joined"], false);
    site.ask(Method::PUT, &format!("{path}/members/me")).bearer(&bob).send().await.assert_status(204);
    let members = site.get(&format!("{path}/members")).bearer(&bob).send().await.assert_status(200).json();
    assert_eq!(members["members"].as_array().unwrap().len(), 2);
    let change = json!({ "topic": "5000 m" });
    let changed = site.ask(Method::PATCH, &path).bearer(&bob).json(&change).await.assert_status(200).json();
    assert_eq!((&changed["name"], &changed["topic"]), (&json!("Peaks"), &json!("5000 m")));
    site.ask(Method::DELETE, &format!("{path}/members/me")).bearer(&bob).send().await.assert_status(204);
    let rooms = site.get("/api/v1/rooms").bearer(&bob).send().await.assert_status(200).json();
    let names: Vec<&str> =
        rooms["rooms"].as_array().unwrap().iter().map(|room| room["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"Peaks") && names.contains(&"general"), "{names:?}");
    let close = json!({ "archived": true });
    site.ask(Method::PATCH, &path).bearer(&bob).json(&close).await.assert_problem(403, "admin");
    let closed = site.ask(Method::PATCH, &path).bearer(&ada).json(&close).await.assert_status(200).json();
    assert_eq!(closed["archived"], true);
}

#[tokio::test]
async fn a_direct_conversation_is_opened_once() {
    let site = Site::of_a_team().await;
    let (ada, bob) = (site.token("ada").await, site.token("bob").await);
    let id = |person: Value| person["id"].clone();
    let (ada_id, bob_id) = (
        id(site.get("/api/v1/users/me").bearer(&ada).send().await.json()),
        id(site.get("/api/v1/users/me").bearer(&bob).send().await.json()),
    );
    let first = site.post("/api/v1/direct").bearer(&ada).json(&json!({ "users": [bob_id] })).await;
    let again = site.post("/api/v1/direct").bearer(&bob).json(&json!({ "users": [ada_id] })).await;
    assert_eq!(first.assert_status(200).json()["id"], again.assert_status(200).json()["id"]);
    let nobody = json!({ "users": [Uuid::nil()] });
    site.post("/api/v1/direct").bearer(&ada).json(&nobody).await.assert_problem(404, "user");
}

#[tokio::test]
async fn people_change_their_name_and_owners_more() {
    let site = Site::of_a_team().await;
    let (ada, bob) = (site.token("ada").await, site.token("bob").await);
    let users = site.get("/api/v1/users").bearer(&bob).send().await.assert_status(200).json();
    assert_eq!(users["users"].as_array().unwrap().len(), 2);
    let name = json!({ "name": "Robert" });
    let me =
        site.ask(Method::PATCH, "/api/v1/users/me").bearer(&bob).json(&name).await.assert_status(200).json();
    assert_eq!(me["name"], "Robert");
    let path = format!("/api/v1/users/{}", me["id"].as_str().unwrap());
    let admin = json!({ "role": "admin" });
    site.ask(Method::PATCH, &path).bearer(&bob).json(&admin).await.assert_problem(403, "owner");
    let promoted = site.ask(Method::PATCH, &path).bearer(&ada).json(&admin).await.assert_status(200).json();
    assert_eq!(promoted["role"], "admin");
    let out = json!({ "active": false });
    site.ask(Method::PATCH, &path).bearer(&ada).json(&out).await.assert_status(200);
    site.get("/api/v1/session").bearer(&bob).send().await.assert_status(401);
    site.ask(Method::PATCH, "/api/v1/users/me").bearer(&ada).json(&out).await.assert_problem(403, "owner");
    let rename = json!({ "name": "Zermatt" });
    let renamed = site.ask(Method::PATCH, "/api/v1/workspace").bearer(&ada).json(&rename).await;
    assert_eq!(renamed.assert_status(200).json()["name"], "Zermatt");
}

#[tokio::test]
async fn the_description_is_there_for_everybody() {
    let site = Site::empty().await;
    let got = site.get("/api/v1/openapi.json").send().await.assert_status(200);
    assert_eq!(got.header("content-type"), "application/json");
    assert!(got.json()["paths"]["/api/v1/rooms/{id}/messages"]["get"].is_object());
}
