//! `switchback doctor` on networks that are well and on ones that are not.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use crate::kit::Server;
use crate::kit::proxy::{self, Manners};
use crate::kit::server::switchback;

/// It waits for what does not come.
const PATIENCE: Duration = Duration::from_secs(90);

/// Runs it; whether it was content, and its report.
async fn doctor(address: SocketAddr, token: Option<&str>, idle: &str) -> (bool, Value) {
    let mut command = switchback();
    command.arg("doctor").arg(format!("http://{address}")).args(["--json", "--idle", idle]);
    if let Some(token) = token {
        command.env("SWITCHBACK_TOKEN", token);
    }
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let output = timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.success(), report)
}

fn check<'r>(report: &'r Value, name: &str) -> &'r Value {
    report["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap_or(&Value::Null)
}

fn ways(report: &Value) -> [&str; 3] {
    ["websocket", "sse", "batch"].map(|way| report["ways"][way].as_str().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn on_an_open_network_everything_gets_through() {
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    let (content, report) = doctor(server.address, Some(&ada.token), "2").await;
    assert!(content, "{report:#}");
    assert_eq!(ways(&report), ["works"; 3], "{report:#}");
    for check in report["checks"].as_array().unwrap() {
        assert_eq!(check["state"], "ok", "{check}");
    }
    assert_eq!(check(&report, "who asks")["detail"], "@ada");
    assert!(check(&report, "quiet WebSocket").is_object() && check(&report, "HTTP/2 CONNECT").is_object());
    assert_eq!(report["advice"].as_array().unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_it_says_how_far_requests_get() {
    let server = Server::start().await;
    let (content, report) = doctor(server.address, None, "2").await;
    assert!(content, "{report:#}");
    assert_eq!(ways(&report), ["reaches"; 3], "{report:#}");
    assert!(report["verdict"].as_str().unwrap().contains("--token"), "{report:#}");
    let proxy = proxy::start(server.address, Manners::EatsUpgrade).await;
    let (content, report) = doctor(proxy, None, "2").await;
    assert!(content, "{report:#}");
    assert_eq!(ways(&report), ["blocked", "reaches", "reaches"], "{report:#}");
    assert!(
        check(&report, "WebSocket")["detail"].as_str().unwrap().contains("removes `Upgrade`"),
        "{report:#}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_eats_upgrade_is_found_out() {
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    let proxy = proxy::start(server.address, Manners::EatsUpgrade).await;
    let (content, report) = doctor(proxy, Some(&ada.token), "2").await;
    assert!(content, "{report:#}");
    assert_eq!(ways(&report), ["blocked", "works", "works"], "{report:#}");
    assert!(
        check(&report, "WebSocket")["detail"].as_str().unwrap().contains("removes `Upgrade`"),
        "{report:#}"
    );
    assert_eq!(check(&report, "POST")["state"], "ok", "{report:#}");
    assert!(report["advice"][0]["what"].as_str().unwrap().contains("WebSocket"), "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_holds_streams_back_is_found_out() {
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    let proxy = proxy::start(server.address, Manners::HoldsBack).await;
    let (content, report) = doctor(proxy, Some(&ada.token), "2").await;
    assert!(content, "{report:#}");
    assert_eq!(ways(&report), ["blocked", "blocked", "works"], "{report:#}");
    assert!(report["verdict"].as_str().unwrap().contains("batches"), "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_lets_only_the_handshake_pass_is_found_out() {
    let server = Server::start().await;
    let (ada, _) = server.people().await;
    let proxy = proxy::start(server.address, Manners::CutsSockets).await;
    let (content, report) = doctor(proxy, Some(&ada.token), "0").await;
    assert!(content, "{report:#}");
    assert_eq!(ways(&report), ["blocked", "works", "works"], "{report:#}");
    assert!(
        check(&report, "WebSocket")["detail"].as_str().unwrap().starts_with("101 came, but"),
        "{report:#}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_page_of_the_network_is_not_taken_for_the_server() {
    let server = Server::start().await;
    let proxy = proxy::start(server.address, Manners::Portal).await;
    let (content, report) = doctor(proxy, None, "0").await;
    assert!(!content, "{report:#}");
    assert!(check(&report, "HTTP")["detail"].as_str().unwrap().contains("sign-in page"), "{report:#}");
    assert_eq!(report["proxies"][0], "Server: nginx/1.22.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_listens_it_says_so() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (content, report) = doctor(address, None, "0").await;
    assert!(!content, "{report:#}");
    assert_eq!(check(&report, "name and TCP")["state"], "failed");
    assert!(report["verdict"].as_str().unwrap().contains("cannot be reached"), "{report:#}");
}
