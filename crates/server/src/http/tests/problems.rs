//! Bad input, and what it gets.

use axum::body::Body;
use bytes::Bytes;
use http::Method;
use serde_json::json;

use super::Site;
use crate::limits;

#[tokio::test]
async fn without_a_credential_nothing_is_told() {
    let site = Site::of_a_team().await;
    for path in ["/api/v1/snapshot", "/api/v1/rooms", "/api/v1/users", "/api/v1/session", "/api/v1/rooms/x"] {
        let got = site.get(path).send().await;
        got.assert_problem(401, "sign in");
        assert_eq!(got.header("www-authenticate"), "Bearer");
    }
    site.get("/api/v1/rooms").bearer("Bearer nonsense").send().await.assert_problem(401, "ended");
    // A proxy's own credential is not ours, and not in the way.
    let cookie = site.cookie("ada").await;
    site.get("/api/v1/rooms").bearer("Basic abc").with_cookie(&cookie).send().await.assert_status(200);
}

#[tokio::test]
async fn bad_bodies_name_what_is_wrong() {
    let site = Site::of_a_team().await;
    let ada = site.token("ada").await;
    let ask = |body: &'static str| {
        site.post("/api/v1/rooms").bearer(&ada).with_body("application/json; charset=utf-8", body).send()
    };
    assert_eq!(ask("{").await.assert_problem(400, "line 1")["code"], "bad_json");
    ask("").await.assert_problem(400, "not JSON");
    ask("[]").await.assert_problem(400, "JSON object");
    assert_eq!(ask(r#"{"kind":"public"}"#).await.assert_problem(422, "missing")["field"], "name");
    assert_eq!(ask(r#"{"kind":1,"name":"a"}"#).await.assert_problem(422, "kind")["field"], "kind");
    let direct = ask(r#"{"kind":"direct","name":"a"}"#).await.assert_problem(422, "POST /api/v1/direct");
    assert_eq!(direct["field"], "kind");
    ask(r#"{"kind":"public","name":"General"}"#).await.assert_problem(409, "name");
    let asking = site.post("/api/v1/rooms").bearer(&ada).with_body("text/plain", "{}");
    asking.send().await.assert_problem(415, "application/json");
    site.post("/api/v1/rooms").bearer(&ada).send().await.assert_problem(415, "application/json");
}

#[tokio::test]
async fn too_long_bodies_are_told_the_limit() {
    let site = Site::of_a_team().await;
    let ada = site.token("ada").await;
    let body = format!(r#"{{"kind":"public","name":"{}"}}"#, "a".repeat(limits::JSON_BYTES));
    let got = site.post("/api/v1/rooms").bearer(&ada).with_body("application/json", body).send().await;
    got.assert_problem(413, "65536 bytes");
    let body = json!({ "kind": "public", "name": "a".repeat(81) });
    let got = site.post("/api/v1/rooms").bearer(&ada).json(&body).await;
    assert_eq!(got.assert_problem(413, "the limit is 80")["field"], "name");
}

#[tokio::test]
async fn an_endless_body_is_given_up() {
    let site = Site::of_a_team().await;
    // The clock runs ahead as soon as everybody waits.
    tokio::time::pause();
    for (path, content_type) in
        [("/api/v1/session", "application/json"), ("/sign-in", "application/x-www-form-urlencoded")]
    {
        let endless = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        let got = site.post(path).with_body(content_type, Body::from_stream(endless)).send().await;
        let got = got.assert_status(503);
        assert!(got.text().contains("longer than 30 s") && got.headers.contains_key("retry-after"), "{path}");
    }
}

#[tokio::test]
async fn what_is_not_there_and_what_may_not_be_known_look_the_same() {
    let site = Site::of_a_team().await;
    let (ada, bob) = (site.token("ada").await, site.token("bob").await);
    let private = json!({ "kind": "private", "name": "secret" });
    let room = site.post("/api/v1/rooms").bearer(&ada).json(&private).await.assert_status(201).json();
    let hidden = format!("/api/v1/rooms/{}", room["id"].as_str().unwrap());
    let absent = "/api/v1/rooms/0198c0de-0000-7000-8000-000000000000";
    for below in ["", "/members", "/messages"] {
        let one = site.get(&format!("{hidden}{below}")).bearer(&bob).send().await;
        let other = site.get(&format!("{absent}{below}")).bearer(&bob).send().await;
        assert_eq!(one.assert_problem(404, "no such room"), other.assert_problem(404, "no such room"));
    }
    site.get("/api/v1/rooms/general")
        .bearer(&bob)
        .send()
        .await
        .assert_problem(404, "nothing at this address");
}

#[tokio::test]
async fn unknown_addresses_and_methods_answer_in_the_language_of_the_asker() {
    let site = Site::of_a_team().await;
    site.get("/api/v1/nowhere").send().await.assert_problem(404, "openapi.json");
    site.get("/api").send().await.assert_problem(404, "openapi.json");
    let got = site.ask(Method::DELETE, "/api/v1/snapshot").send().await;
    let problem = got.assert_problem(405, "Allow");
    assert_eq!((got.header("allow"), problem["title"].as_str()), ("GET,HEAD", Some("Method Not Allowed")));
    let page = site.get("/nowhere").send().await.assert_status(404);
    assert!(
        page.text().contains("Nothing at this address")
            && page.header("content-type").starts_with("text/html")
    );
    let page = site.post("/").send().await.assert_status(405);
    assert_eq!(page.header("allow"), "GET,HEAD");
    assert!(page.text().contains("not possible"));
}
