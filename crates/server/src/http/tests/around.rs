//! Files, figures, and what goes along with every answer.

use std::io::Read as _;
use std::net::Ipv4Addr;

use axum::body::Body;
use http::{Method, Request};
use switchback_core::limits;
use tower::ServiceExt as _;

use super::super::assets::assets;
use super::super::{for_chat, layered};
use super::{Got, Site};
use crate::accept::Connection;

#[tokio::test]
async fn files_are_served_for_ever_under_their_hash() {
    let site = Site::empty().await;
    let path = format!("{}/styles/base.css", assets().prefix);
    let got = site.get(&path).send().await.assert_status(200);
    assert_eq!(got.header("content-type"), "text/css; charset=utf-8");
    assert_eq!(got.header("cache-control"), "public, max-age=31536000, immutable");
    let etag = got.header("etag").to_owned();
    let again = site.get(&path).with("if-none-match", &etag).send().await.assert_status(304);
    assert!(again.body.is_empty() && again.header("etag") == etag);
    let zipped = site.get(&path).with("accept-encoding", "gzip, br").send().await.assert_status(200);
    assert_eq!((zipped.header("content-encoding"), zipped.header("vary")), ("gzip", "accept-encoding"));
    assert_ne!(zipped.header("etag"), etag);
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(&zipped.body[..]).read_to_end(&mut plain).unwrap();
    assert_eq!(plain, got.body);
    let head = site.ask(Method::HEAD, &path).send().await.assert_status(200);
    assert!(head.body.is_empty());
}

#[tokio::test]
async fn files_that_are_not_there_are_not_found() {
    let site = Site::empty().await;
    let prefix = &assets().prefix;
    for path in [
        format!("{prefix}/nothing.js"),
        format!("{prefix}/package.json"),
        format!("{prefix}/../Cargo.toml"),
        format!("{prefix}/%2e%2e/Cargo.toml"),
        "/assets/0000000000000000/styles/base.css".to_owned(),
    ] {
        let got = site.get(&path).send().await.assert_status(404);
        assert_eq!(got.header("cache-control"), "no-store", "{path}");
    }
}

#[tokio::test]
async fn browsers_find_icon_and_manifest_where_they_look() {
    let site = Site::empty().await;
    let icon = site.get("/favicon.ico").send().await.assert_status(200);
    assert_eq!(icon.header("content-type"), "image/png");
    let manifest = site.get("/manifest.webmanifest").send().await.assert_status(302);
    let got = site.get(manifest.header("location")).send().await.assert_status(200);
    assert_eq!(got.header("content-type"), "application/manifest+json");
    assert!(got.json()["name"].is_string());
}

#[tokio::test]
async fn machines_are_told_how_it_is() {
    let site = Site::of_a_team().await;
    assert_eq!(site.get("/livez").send().await.assert_status(200).text(), "ok\n");
    assert_eq!(site.get("/readyz").send().await.assert_status(200).json()["ready"], true);
    site.get("/api/v1/users").bearer(&site.token("ada").await).send().await.assert_status(200);
    site.get("/x/y/z").send().await.assert_status(404);
    let got = site.get("/metrics").send().await.assert_status(200);
    let text = got.text();
    for line in [
        "switchback_http_requests_total{method=\"GET\",route=\"/api/v1/users\",status=\"2xx\"} 1",
        "switchback_http_requests_total{method=\"GET\",route=\"none\",status=\"4xx\"} 1",
        "switchback_connections{transport=\"websocket\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line:?} is not in:\n{text}");
    }
    assert!(text.contains("switchback_commit_groups_total "));
    assert!(got.header("content-type").starts_with("application/openmetrics-text"));
    site.store.close().await;
    let got = site.get("/readyz").send().await.assert_status(503);
    assert!(got.json()["problems"][0].as_str().unwrap().starts_with("database:"));
    assert_eq!(site.get("/livez").send().await.status, 200);
}

#[tokio::test]
async fn every_answer_keeps_browsers_careful() {
    let site = Site::of_a_team().await;
    for path in ["/sign-in", "/nowhere", "/api/v1/snapshot", "/livez", "/chat", "/favicon.ico"] {
        let got = site.get(path).with("accept", "text/event-stream").send().await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("strict-transport-security", ""),
            ("access-control-allow-origin", ""),
        ] {
            assert_eq!(got.header(name), value, "{name} of {path}");
        }
        assert!(
            !got.header("permissions-policy").is_empty() && !got.header("cache-control").is_empty(),
            "{path}"
        );
    }
}

#[tokio::test]
async fn long_texts_are_compressed_for_those_who_take_it() {
    let site = Site::of_a_team().await;
    let ada = site.token("ada").await;
    let asking = site.get("/api/v1/openapi.json").with("accept-encoding", "gzip");
    assert_eq!(asking.send().await.header("content-encoding"), "gzip");
    assert_eq!(site.get("/api/v1/openapi.json").send().await.header("content-encoding"), "");
    let short = site.get("/api/v1/session").bearer(&ada).with("accept-encoding", "gzip").send().await;
    assert_eq!(short.header("content-encoding"), "");
}

type Headers<'t> = &'t [(&'t str, &'t str)];

#[tokio::test]
async fn a_command_is_answered_alike_with_and_without_its_route() {
    let site = Site::of_a_team().await;
    let (token, cookie) = (site.token("ada").await, site.cookie("ada").await);
    let (host, bearer) = (("host", "chat.test"), ("authorization", token.as_str()));
    let long = "x".repeat(limits::COMMAND_BYTES + 1);
    let cases: [(Headers<'_>, &str, u16); 9] = [
        (&[host, bearer], r#"{"type":"ping","id":1}"#, 200),
        (&[host, ("cookie", &cookie)], r#"{"type":"ping"}"#, 200),
        (&[host, ("cookie", &cookie), ("origin", "https://other.test")], r#"{"type":"ping"}"#, 403),
        (&[host], r#"{"type":"ping"}"#, 401),
        (&[host, bearer], "{", 400),
        (&[host, bearer], r#"{"type":"dance","id":2}"#, 400),
        (&[host, bearer], &long, 413),
        (&[bearer], r#"{"type":"ping"}"#, 400),
        (&[host, host, bearer], r#"{"type":"ping"}"#, 400),
    ];
    for (headers, body, status) in cases {
        let request = || {
            let mut request = Request::post("/chat");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let connection = Connection { peer: Ipv4Addr::LOCALHOST.into(), tls: false, place: None };
            request.extension(connection).body(Body::from(body.to_owned())).unwrap()
        };
        let mut routed = Got::from(site.router.clone().oneshot(request()).await.unwrap()).await;
        let straight = Got::from(for_chat(site.app.clone(), request()).await).await.assert_status(status);
        // Without a route, it is HTTP that says so.
        routed.headers.remove("content-length");
        assert_eq!(straight, routed, "{headers:?}");
    }
    let figures = site.get("/metrics").send().await.text();
    let counted = figures.lines().filter(|line| line.contains(r#"route="/chat""#) && line.contains("total"));
    let counted: f64 = counted.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum();
    assert!((counted - 18.0).abs() < 0.5, "{counted} of 18");
}

#[tokio::test]
async fn a_defect_is_answered_like_everything_else() {
    let site = Site::empty().await;
    let route = axum::Router::new().route("/defect", axum::routing::get(defect));
    let router = layered(route, site.app.clone());
    let connection = Connection { peer: Ipv4Addr::LOCALHOST.into(), tls: false, place: None };
    let request = Request::get("/defect").header("host", "chat.test").extension(connection);
    let got = Got::from(router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap()).await;
    got.assert_problem(500, "its log says what");
    assert_eq!(got.header("x-content-type-options"), "nosniff");
    let figures = site.get("/metrics").send().await.text();
    let is_counted = |line: &str| line.contains(r#"route="/defect""#) && line.contains(r#"status="5xx""#);
    assert!(figures.lines().any(is_counted), "{figures}");
}

#[expect(clippy::panic, reason = "a handler with a defect")]
async fn defect() {
    panic!("a defect")
}
