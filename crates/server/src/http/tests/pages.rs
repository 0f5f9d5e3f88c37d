//! Pages as a browser without scripts uses them.

use serde_json::json;
use switchback_core::wire::Role;

use super::{Got, PASSWORD, Site};

const FORM_PASSWORD: &str = "correct+horse";

/// Every page keeps the policy's promises: no inline script, no inline style, no handler.
fn assert_page(got: &Got, words: &str) {
    let text = got.text();
    assert!(got.header("content-type").starts_with("text/html"), "{text}");
    assert!(text.contains(words), "{words:?} is not in {text}");
    let policy = got.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
    assert!(policy.contains("require-trusted-types-for 'script'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(got.header("cache-control"), "no-store");
    assert!(!text.contains(" style=") && !text.contains("<style") && !text.contains(" onclick="));
    assert!(text.split("<script").skip(1).all(|script| script.contains("src=\"/assets/")), "{text}");
}

#[tokio::test]
async fn a_stranger_is_led_to_the_way_in() {
    let site = Site::of_a_team().await;
    let led_to = async |path: &str| {
        let got = site.get(path).send().await.assert_status(303);
        got.header("location").to_owned()
    };
    assert_eq!(led_to("/").await, "/sign-in");
    assert_eq!(led_to("/room/0198-ab").await, "/sign-in?next=/room/0198-ab");
    assert_eq!(led_to("/message/0198-ab").await, "/sign-in?next=/message/0198-ab");
    let stale = site.get("/").with_cookie("switchback_session=old").send().await.assert_status(303);
    assert_eq!(stale.header("location"), "/sign-in");
    assert_page(&site.get("/sign-in").send().await.assert_status(200), "Sign in");
}

#[tokio::test]
async fn before_set_up_the_sign_in_page_tells_where_to_look() {
    let site = Site::empty().await;
    assert_eq!(site.get("/").send().await.header("location"), "/sign-in");
    assert_page(&site.get("/sign-in").send().await.assert_status(200), "no owner yet");
}

#[tokio::test]
async fn signing_in_and_out_works_by_plain_forms() {
    let site = Site::of_a_team().await;
    let wrong = site.post("/sign-in").form("handle=ada%3C&password=x&next=/room/1").await.assert_status(401);
    assert_page(&wrong, "Handle or password is wrong.");
    assert!(
        wrong.text().contains("value=\"ada&#60;\"") && wrong.text().contains("value=\"/room/1\""),
        "{}",
        wrong.text()
    );
    let form = format!("handle=@ada&password={FORM_PASSWORD}&next=/room/1");
    let got = site.post("/sign-in").form(&form).await.assert_status(303);
    assert_eq!(got.header("location"), "/room/1");
    let cookie = got.cookie();
    for path in ["/", "/room/1", "/message/1"] {
        let shell = site.get(path).with_cookie(&cookie).send().await.assert_status(200);
        assert_page(&shell, "main.js");
        assert!(shell.text().contains("rel=\"modulepreload\""));
    }
    assert_eq!(site.get("/sign-in").with_cookie(&cookie).send().await.header("location"), "/");
    let out = site.post("/sign-out").with_cookie(&cookie).form("").await.assert_status(303);
    assert_eq!(out.header("location"), "/sign-in");
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    site.get("/").with_cookie(&cookie).send().await.assert_status(303);
    site.post("/sign-out").form("").await.assert_status(303);
}

#[tokio::test]
async fn no_form_leads_to_another_site() {
    let site = Site::of_a_team().await;
    let form = format!("handle=ada&password={FORM_PASSWORD}&next=//evil.example");
    assert_eq!(site.post("/sign-in").form(&form).await.header("location"), "/");
    let page = site.get("/sign-in?next=https://evil.example/room/").send().await;
    assert!(!page.text().contains("evil"));
}

#[tokio::test]
async fn the_owner_is_made_by_form() {
    let site = Site::empty().await;
    let token = site.app.ops.new_setup_secret().await.unwrap().unwrap();
    let path = format!("/setup/{token}");
    assert_page(&site.get(&path).send().await.assert_status(200), "Set up your workspace");
    let bad =
        site.post(&path).form("workspace=&name=Ada&handle=a%20b&password=short").await.assert_status(422);
    assert_page(&bad, "Please fill this in.");
    assert!(bad.text().contains("at least 8 characters") && bad.text().contains("value=\"Ada\""));
    assert!(!bad.text().contains("short\""), "a password is never sent back");
    let form = format!("workspace=Zermatt&name=Ada&handle=ada&password={FORM_PASSWORD}");
    assert_page(&site.post("/setup/wrong").form(&form).await.assert_status(404), "Nothing at this address");
    let got = site.post(&path).form(&form).await.assert_status(303);
    assert_eq!(got.header("location"), "/");
    assert_page(&site.get("/").with_cookie(&got.cookie()).send().await.assert_status(200), "Zermatt");
    assert_page(&site.get(&path).send().await.assert_status(410), "Already set up");
    assert_page(&site.post(&path).form(&form).await.assert_status(410), "Already set up");
}

/// The path of a fresh invitation by ada.
async fn invitation(site: &Site, request: serde_json::Value) -> (String, String) {
    let ada = site.token("ada").await;
    let made = site.post("/api/v1/invitations").bearer(&ada).json(&request).await.assert_status(201).json();
    let path = made["url"].as_str().unwrap().strip_prefix("http://chat.test").unwrap().to_owned();
    (path, made["id"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn somebody_joins_by_form() {
    let site = Site::of_a_team().await;
    let (path, _) = invitation(&site, json!({ "max_uses": 1 })).await;
    let page = site.get(&path).send().await.assert_status(200);
    assert_page(&page, "invited you");
    assert!(page.text().contains("<strong>ada</strong>"));
    let taken = site.post(&path).form(&format!("name=Eve&handle=bob&password={FORM_PASSWORD}")).await;
    assert_page(&taken.assert_status(409), "Somebody else has this handle.");
    let bad = site.post(&path).form("name=&handle=&password=").await.assert_status(422);
    assert_eq!(bad.text().matches("Please fill this in.").count(), 2);
    let got = site
        .post(&path)
        .form(&format!("name=Eve&handle=eve&password={FORM_PASSWORD}"))
        .await
        .assert_status(303);
    site.get("/").with_cookie(&got.cookie()).send().await.assert_status(200);
    assert_page(&site.get(&path).send().await.assert_status(410), "used as often");
}

#[tokio::test]
async fn a_closed_invitation_says_why() {
    let site = Site::of_a_team().await;
    let (path, id) = invitation(&site, json!({})).await;
    let ada = site.token("ada").await;
    let revoke = site.ask(http::Method::DELETE, &format!("/api/v1/invitations/{id}")).bearer(&ada);
    revoke.send().await.assert_status(204);
    assert_page(&site.get(&path).send().await.assert_status(410), "has ended it");
    let form = format!("name=Eve&handle=eve&password={FORM_PASSWORD}");
    assert_page(&site.post(&path).form(&form).await.assert_status(410), "has ended it");
    assert_page(&site.get("/join/unknown").send().await.assert_status(404), "Nothing at this address");
    assert_page(&site.post("/join/unknown").form(&form).await.assert_status(404), "Nothing at this address");
    // Expiry cannot be waited for: its word is enough, the page is the same.
    let (path, _) = invitation(&site, json!({ "expires_in_s": 1 })).await;
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    assert_page(&site.get(&path).send().await.assert_status(410), "has expired");
}

#[tokio::test]
async fn a_deactivated_account_is_told_so() {
    let site = Site::of_a_team().await;
    let eve = site.person("eve", Role::Member).await;
    let change = switchback_storage::UserChange { active: Some(false), ..Default::default() };
    site.store.update_user(None, eve, change).await.unwrap();
    let got = site.post("/sign-in").form(&format!("handle=eve&password={FORM_PASSWORD}")).await;
    assert_page(&got.assert_status(403), "deactivated");
    let credentials = json!({ "handle": "eve", "password": PASSWORD });
    site.post("/api/v1/session").json(&credentials).await.assert_problem(403, "deactivated");
}

#[tokio::test]
async fn a_form_that_is_none_or_too_long_gets_a_page() {
    let site = Site::of_a_team().await;
    let long = format!("handle={}", "a".repeat(crate::limits::FORM_BYTES));
    assert_page(&site.post("/sign-in").form(&long).await.assert_status(413), "16384 bytes");
    let json = site.post("/sign-in").json(&json!({})).await.assert_status(415);
    assert_page(&json, "not one of our forms");
}
