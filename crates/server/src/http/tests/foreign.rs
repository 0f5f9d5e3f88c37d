//! Requests that another site's page has a browser send.

use http::Method;
use serde_json::json;

use super::{PASSWORD, Site};

const EVIL: [&[(&str, &str)]; 4] = [
    &[("origin", "https://evil.example")],
    &[("origin", "null")],
    &[("sec-fetch-site", "cross-site")],
    &[("sec-fetch-site", "same-site"), ("origin", "http://other.chat.test")],
];

const OWN: [&[(&str, &str)]; 4] = [
    &[],
    &[("origin", "http://chat.test")],
    &[("sec-fetch-site", "same-origin"), ("origin", "http://chat.test")],
    &[("sec-fetch-site", "none")],
];

#[tokio::test]
async fn with_a_cookie_only_our_own_pages_change_anything() {
    let site = Site::of_a_team().await;
    let cookie = site.cookie("ada").await;
    let room = |name: String| json!({ "kind": "public", "name": name });
    for lines in EVIL {
        let asking = site.post("/api/v1/rooms").with_cookie(&cookie);
        let asking = lines.iter().fold(asking, |asking, (name, value)| asking.with(name, value));
        let problem = asking.json(&room("evil".to_owned())).await.assert_problem(403, "another site");
        assert_eq!(problem["code"], "forbidden");
    }
    for (number, lines) in OWN.iter().enumerate() {
        let asking = site.post("/api/v1/rooms").with_cookie(&cookie);
        let asking = lines.iter().fold(asking, |asking, (name, value)| asking.with(name, value));
        asking.json(&room(format!("own {number}"))).await.assert_status(201);
    }
}

#[tokio::test]
async fn every_method_that_changes_something_is_guarded() {
    let site = Site::of_a_team().await;
    let cookie = site.cookie("ada").await;
    for (method, path) in [
        (Method::POST, "/api/v1/direct"),
        (Method::PATCH, "/api/v1/workspace"),
        (Method::PUT, "/api/v1/users/me/password"),
        (Method::DELETE, "/api/v1/session"),
    ] {
        let asking = site.ask(method, path).with_cookie(&cookie).with("origin", "https://evil.example");
        asking.json(&json!({})).await.assert_problem(403, "another site");
    }
    site.get("/api/v1/session")
        .with_cookie(&cookie)
        .with("origin", "https://evil.example")
        .send()
        .await
        .assert_status(200);
}

#[tokio::test]
async fn a_token_is_set_by_hand_and_needs_no_origin() {
    let site = Site::of_a_team().await;
    let ada = site.token("ada").await;
    for lines in EVIL {
        let asking = site.ask(Method::PATCH, "/api/v1/users/me").bearer(&ada);
        let asking = lines.iter().fold(asking, |asking, (name, value)| asking.with(name, value));
        asking.json(&json!({ "name": "Ada" })).await.assert_status(200);
    }
}

#[tokio::test]
async fn forms_of_other_sites_are_refused_even_without_a_cookie() {
    let site = Site::of_a_team().await;
    let form = format!("handle=ada&password={}", PASSWORD.replace(' ', "+"));
    for lines in EVIL {
        let asking = site.post("/sign-in");
        let asking = lines.iter().fold(asking, |asking, (name, value)| asking.with(name, value));
        let got = asking.form(&form).await.assert_status(403);
        assert!(got.text().contains("another site") && got.header("content-type").starts_with("text/html"));
        assert_eq!(got.header("set-cookie"), "");
    }
    for lines in OWN {
        let asking = site.post("/sign-in");
        let asking = lines.iter().fold(asking, |asking, (name, value)| asking.with(name, value));
        asking.form(&form).await.assert_status(303);
    }
}

#[tokio::test]
async fn a_foreign_sign_in_cannot_pass_as_a_form() {
    let site = Site::of_a_team().await;
    // What a page can send to another site without asking it first.
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        let body = json!({ "handle": "ada", "password": PASSWORD }).to_string();
        let got =
            site.post("/api/v1/session").with("origin", "https://evil.example").with_body(content_type, body);
        got.send().await.assert_problem(415, "application/json");
    }
}
