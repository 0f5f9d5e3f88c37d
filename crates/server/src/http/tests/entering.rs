//! Set-up, invitation, sign-in and sign-out by API.

use http::Method;
use serde_json::json;
use switchback_core::Handle;
use switchback_core::wire::{ByeReason, Transport};
use switchback_storage::Credential;

use super::{PASSWORD, Site};
use crate::Config;

#[tokio::test]
async fn the_owner_is_made_once_and_is_signed_in() {
    let site = Site::empty().await;
    let token = site.app.ops.new_setup_secret().await.unwrap().unwrap();
    let mut request = json!({
        "token": "wrong", "workspace": "Zermatt", "handle": "Ada", "name": "Ada L", "password": PASSWORD,
    });
    site.post("/api/v1/setup").json(&request).await.assert_problem(404, "set-up link");
    request["token"] = json!(token);
    let got = site.post("/api/v1/setup").json(&request).await.assert_status(201);
    assert_eq!(got.json()["user"]["handle"], "ada");
    assert_eq!(got.json()["user"]["role"], "owner");
    assert_eq!(got.json()["session"]["current"], true);
    let snapshot = site.get("/api/v1/snapshot").with_cookie(&got.cookie()).send().await.assert_status(200);
    assert_eq!(snapshot.json()["workspace"]["name"], "Zermatt");
    assert_eq!(snapshot.json()["rooms"][0]["general"], true);
    site.post("/api/v1/setup").json(&request).await.assert_problem(410, "owner");
}

#[tokio::test]
async fn an_invitation_lets_as_many_in_as_it_says() {
    let site = Site::of_a_team().await;
    let ada = site.token("ada").await;
    let invite = json!({ "max_uses": 1 });
    let got = site.post("/api/v1/invitations").bearer(&ada).json(&invite).await.assert_status(201);
    let url = got.json()["url"].as_str().unwrap().to_owned();
    let token = url.strip_prefix("http://chat.test/join/").unwrap();
    let mut request = json!({ "token": token, "handle": "ada", "name": "Eve", "password": PASSWORD });
    let in_use = site.post("/api/v1/join").json(&request).await.assert_problem(409, "handle");
    assert_eq!(in_use["field"], "handle");
    request["handle"] = json!("eve");
    let got = site.post("/api/v1/join").json(&request).await.assert_status(201);
    assert_eq!(got.json()["user"]["role"], "member");
    let session = site.get("/api/v1/session").with_cookie(&got.cookie()).send().await.assert_status(200);
    assert_eq!(session.json()["user"]["handle"], "eve");
    request["handle"] = json!("mallory");
    site.post("/api/v1/join").json(&request).await.assert_problem(410, "used up");
    let listed = site.get("/api/v1/invitations").bearer(&ada).send().await.json();
    assert_eq!(listed["invitations"][0]["uses"], 1);
    assert!(listed["invitations"][0].get("url").is_none(), "the link is shown once");
}

#[tokio::test]
async fn links_begin_with_the_public_address() {
    let public_url = Some("https://chat.example.org/".to_owned());
    let site = Site::with(Config { public_url, ..Config::default() }).await;
    site.person("ada", switchback_core::wire::Role::Owner).await;
    let ada = site.token("ada").await;
    let got = site.post("/api/v1/invitations").bearer(&ada).json(&json!({})).await.assert_status(201);
    assert!(got.json()["url"].as_str().unwrap().starts_with("https://chat.example.org/join/"));
    let credentials = json!({ "handle": "ada", "password": PASSWORD });
    let got = site.post("/api/v1/session").json(&credentials).await.assert_status(200);
    assert!(got.cookie().starts_with("__Host-switchback_session="));
    assert!(got.header("set-cookie").contains("Secure"));
    assert_eq!(got.header("strict-transport-security"), "max-age=31536000");
    site.get("/api/v1/session").with_cookie(&got.cookie()).send().await.assert_status(200);
}

#[tokio::test]
async fn only_admins_invite() {
    let site = Site::of_a_team().await;
    let bob = site.token("bob").await;
    site.post("/api/v1/invitations").bearer(&bob).json(&json!({})).await.assert_problem(403, "admin");
    let ada = site.token("ada").await;
    let bad = json!({ "max_uses": 0 });
    let problem = site.post("/api/v1/invitations").bearer(&ada).json(&bad).await;
    assert_eq!(problem.assert_problem(422, "max_uses")["field"], "max_uses");
}

#[tokio::test]
async fn signing_in_sets_a_cookie_and_signing_out_ends_it() {
    let site = Site::of_a_team().await;
    let credentials = json!({ "handle": " ADA ", "password": PASSWORD });
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
    let asking = site.post("/api/v1/session").with("user-agent", agent);
    let got = asking.json(&credentials).await.assert_status(200);
    assert_eq!(got.json()["session"]["label"], "Firefox on Linux");
    assert!(got.header("set-cookie").contains("HttpOnly; SameSite=Lax"));
    assert_eq!(got.header("cache-control"), "no-store");
    let cookie = got.cookie();
    let sessions = site.get("/api/v1/sessions").with_cookie(&cookie).send().await.assert_status(200);
    assert_eq!(sessions.json()["sessions"][0]["current"], true);
    let out =
        site.ask(Method::DELETE, "/api/v1/session").with_cookie(&cookie).send().await.assert_status(204);
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    site.get("/api/v1/session").with_cookie(&cookie).send().await.assert_problem(401, "ended");
}

#[tokio::test]
async fn one_session_can_end_another_but_not_somebody_elses() {
    let site = Site::of_a_team().await;
    let (first, second, bob) = (site.cookie("ada").await, site.cookie("ada").await, site.cookie("bob").await);
    let current = site.get("/api/v1/session").with_cookie(&second).send().await.json();
    let path = format!("/api/v1/sessions/{}", current["session"]["id"].as_str().unwrap());
    site.ask(Method::DELETE, &path).with_cookie(&bob).send().await.assert_problem(404, "session");
    site.get("/api/v1/session").with_cookie(&second).send().await.assert_status(200);
    site.ask(Method::DELETE, &path).with_cookie(&first).send().await.assert_status(204);
    site.get("/api/v1/session").with_cookie(&second).send().await.assert_status(401);
}

#[tokio::test]
async fn what_does_not_match_is_refused_in_the_same_words() {
    let site = Site::of_a_team().await;
    for (handle, password) in
        [("ada", "wrong horse"), ("nobody", PASSWORD), ("not a handle!", PASSWORD), ("", "")]
    {
        let credentials = json!({ "handle": handle, "password": password });
        let got = site.post("/api/v1/session").json(&credentials).await;
        got.assert_problem(401, "handle or password is wrong");
        assert_eq!(got.header("www-authenticate"), "Bearer");
        assert_eq!(got.header("set-cookie"), "");
    }
}

#[tokio::test]
async fn too_many_attempts_are_told_when_to_come_back() {
    let site = Site::of_a_team().await;
    let credentials = json!({ "handle": "ada", "password": "" });
    for _ in 0..crate::limits::SIGN_INS_PER_HANDLE_BURST {
        site.post("/api/v1/session").json(&credentials).await.assert_status(401);
    }
    let got = site.post("/api/v1/session").json(&credentials).await;
    let problem = got.assert_problem(429, "too many attempts");
    assert_eq!(problem["retry"], true);
    let wait_s: u64 = got.header("retry-after").parse().unwrap();
    assert_eq!(wait_s, problem["retry_after_ms"].as_u64().unwrap().div_ceil(1_000));
    assert!(site.get("/metrics").send().await.text().contains("switchback_rate_limited_total 1"));
}

#[tokio::test]
async fn a_token_works_wherever_a_cookie_does_until_it_is_ended() {
    let site = Site::of_a_team().await;
    let cookie = site.cookie("ada").await;
    let label = json!({ "label": "bot" });
    let made = site.post("/api/v1/tokens").with_cookie(&cookie).json(&label).await.assert_status(201).json();
    let bearer = format!("bearer {}", made["token"].as_str().unwrap());
    let session = site.get("/api/v1/session").bearer(&bearer).send().await.assert_status(200).json();
    assert_eq!((&session["user"]["handle"], &session["session"]), (&json!("ada"), &json!(null)));
    let listed = site.get("/api/v1/tokens").bearer(&bearer).send().await.json();
    assert_eq!(listed["tokens"][0]["label"], "bot");
    let path = format!("/api/v1/tokens/{}", made["info"]["id"].as_str().unwrap());
    site.ask(Method::DELETE, &path).bearer(&bearer).send().await.assert_status(204);
    site.get("/api/v1/session").bearer(&bearer).send().await.assert_problem(401, "ended");
    for bad in [" ", "a\u{0}b", "two\nlines"] {
        let bad = json!({ "label": bad });
        site.post("/api/v1/tokens").with_cookie(&cookie).json(&bad).await.assert_problem(422, "label");
    }
}

#[tokio::test]
async fn a_changed_password_ends_the_other_sessions() {
    let site = Site::of_a_team().await;
    let (here, there) = (site.cookie("ada").await, site.cookie("ada").await);
    let path = "/api/v1/users/me/password";
    let wrong = json!({ "current": "no", "new": "battery staple" });
    let problem =
        site.ask(Method::PUT, path).with_cookie(&here).json(&wrong).await.assert_problem(422, "current");
    assert_eq!(problem["field"], "current");
    let short = json!({ "current": PASSWORD, "new": "short" });
    let problem =
        site.ask(Method::PUT, path).with_cookie(&here).json(&short).await.assert_problem(422, "at least 8");
    assert_eq!(problem["field"], "new");
    let right = json!({ "current": PASSWORD, "new": "battery staple" });
    site.ask(Method::PUT, path).with_cookie(&here).json(&right).await.assert_status(204);
    site.get("/api/v1/session").with_cookie(&here).send().await.assert_status(200);
    site.get("/api/v1/session").with_cookie(&there).send().await.assert_status(401);
}

#[tokio::test]
async fn the_session_that_makes_room_for_a_new_one_takes_its_connections_with_it() {
    let site = Site::of_a_team().await;
    let bob = site.store.account(&Handle::new("bob").unwrap()).await.unwrap().unwrap().user.id;
    let mut sessions = Vec::new();
    for _ in 0..switchback_storage::limits::SESSIONS_PER_USER {
        let hash = crate::secrets::new_secret().hash;
        sessions.push(site.store.create_session(bob, hash, String::new()).await.unwrap().id);
    }
    let connect = async |session| {
        let hub = site.app.chat.hub();
        hub.connect(bob, Credential::Session(session), Transport::Websocket, None).await.unwrap()
    };
    let (oldest, newest) = (connect(sessions[0]).await, connect(sessions[sessions.len() - 1]).await);
    site.cookie("bob").await;
    let goodbye = oldest.session().goodbye().unwrap();
    assert_eq!((goodbye.reason, goodbye.retry_ms), (ByeReason::SignedOut, None));
    assert!(newest.session().goodbye().is_none());
}
