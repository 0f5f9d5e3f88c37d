//! Starting: what is printed, what is refused, where settings come from, and `admin` beside it.

use std::path::Path;
use std::process::{Output, Stdio};

use tokio::time::timeout;

use crate::kit::http::request;
use crate::kit::server::{PASSWORD, admin, switchback};
use crate::kit::{Connection, PATIENCE, Role, Server};

/// Runs the binary to its end.
async fn run(args: &[&str], variables: &[(&str, &str)], dir: &Path) -> Output {
    let mut command = switchback();
    command.args(args).envs(variables.iter().copied()).current_dir(dir);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap()
}

/// What it says when it refuses to start.
async fn refusal(args: &[&str], variables: &[(&str, &str)], dir: &Path) -> String {
    let output = run(args, variables, dir).await;
    assert!(!output.status.success(), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn the_first_start_says_where_the_data_is_and_how_to_become_the_owner() {
    let mut server = Server::start().await;
    let said = server.said();
    assert!(said.contains(&format!("listening on {}", server.url())), "{said}");
    assert!(said.contains(server.data_dir().to_str().unwrap()), "{said}");
    let setup = said.split_whitespace().find(|word| word.contains("/setup/")).unwrap().to_owned();
    assert!(setup.starts_with(&server.url()), "{setup}");
    let path = setup.strip_prefix(&server.url()).unwrap();
    let page = Connection::open(server.address).await.exchange(request("GET", path, "", "")).await;
    assert_eq!((page.status, page.head.header("content-type")), (200, Some("text/html; charset=utf-8")));
    server.account("ada", Role::Owner).await;
    server.signal("TERM").await;
    assert!(server.ended().await.success());
    server.restart().await;
    let said = server.said();
    assert!(!said.contains("/setup/") && said.contains(&server.url()), "{said}");
}

#[tokio::test]
async fn what_cannot_start_says_what_to_do() {
    let server = Server::start().await;
    let dir = tempfile::tempdir().unwrap();
    let taken = server.address.to_string();
    let said = refusal(&["serve", "--listen", &taken, "--data-dir", "other"], &[], dir.path()).await;
    assert!(said.contains("is taken") && said.contains("--listen"), "{said}");
    let data_dir = server.data_dir().to_str().unwrap();
    let said = refusal(&["--listen", "127.0.0.1:0", "--data-dir", data_dir], &[], dir.path()).await;
    assert!(said.contains("another Switchback server") && said.contains("--data-dir"), "{said}");
    let said = refusal(&["--listen", "203.0.113.7:0"], &[], dir.path()).await;
    assert!(said.contains("not an address of this machine"), "{said}");
}

#[tokio::test]
async fn a_flag_wins_over_the_environment_and_the_environment_over_the_file() {
    let dir = tempfile::tempdir().unwrap();
    // Each place names an address that is taken: the error says which one counted.
    let listeners: Vec<_> = (0..3).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let taken: Vec<String> = listeners.iter().map(|one| one.local_addr().unwrap().to_string()).collect();
    let file = format!("listen = \"{}\"\ndata_dir = \"there\"\n", taken[0]);
    std::fs::write(dir.path().join("switchback.toml"), file).unwrap();
    let said = refusal(&[], &[], dir.path()).await;
    assert!(said.contains(&format!("{} is taken", taken[0])), "{said}");
    let variable = [("SWITCHBACK_LISTEN", taken[1].as_str())];
    let said = refusal(&["serve"], &variable, dir.path()).await;
    assert!(said.contains(&format!("{} is taken", taken[1])), "{said}");
    let said = refusal(&["serve", "--listen", &taken[2]], &variable, dir.path()).await;
    assert!(said.contains(&format!("{} is taken", taken[2])), "{said}");
    assert!(dir.path().join("there").is_dir(), "the file's data directory was used");
}

#[tokio::test]
async fn a_setting_that_nobody_knows_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("switchback.toml"), "lisen = \"127.0.0.1:0\"\n").unwrap();
    let said = refusal(&[], &[], dir.path()).await;
    assert!(said.contains("lisen") && said.contains("switchback.toml"), "{said}");
    let said = refusal(&["serve", "--config", "nowhere.toml"], &[], dir.path()).await;
    assert!(said.contains("nowhere.toml"), "{said}");
    let said = refusal(&["serve", "--drain-seconds", "11"], &[], dir.path()).await;
    assert!(said.contains("--drain-seconds"), "{said}");
}

#[tokio::test]
async fn logs_can_be_json() {
    let server = Server::start_with(&["--log-format", "json"]).await;
    let said = server.said();
    let line = said.lines().find(|line| line.contains("listening on http://")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["message"], format!("listening on {}", server.url()));
}

#[tokio::test]
async fn admin_works_without_a_server_and_beside_one() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("data");
    let create = ["create-user", "--handle", "ada", "--name", "Ada", "--role", "owner", "--password-stdin"];
    let made = admin(&data_dir, &create, &format!("{PASSWORD}\n")).await;
    assert!(made.status.success(), "{made:?}");
    let server = Server::start_in(&data_dir, &[]).await;
    assert!(!server.said().contains("/setup/"), "ada owns it already");
    let token = server.admin(&["create-token", "--user", "ada", "--label", "x"], "").await;
    let token = token.lines().last().unwrap();
    let session = request("GET", "/api/v1/session", &format!("Authorization: Bearer {token}\r\n"), "");
    let answer = Connection::open(server.address).await.exchange(session).await;
    assert_eq!((answer.status, answer.json()["user"]["name"].as_str()), (200, Some("Ada")));
    server.admin(&["reset-password", "--user", "ada", "--password-stdin"], "another horse battery\n").await;
    let sign_in = |password: &str| {
        let body = serde_json::json!({"handle": "ada", "password": password}).to_string();
        request("POST", "/api/v1/session", "", &body)
    };
    let old = Connection::open(server.address).await.exchange(sign_in(PASSWORD)).await;
    let new = Connection::open(server.address).await.exchange(sign_in("another horse battery")).await;
    assert_eq!((old.status, new.status), (401, 200));
}

#[tokio::test]
async fn admin_refuses_what_is_wrong_and_says_why() {
    let server = Server::start().await;
    server.account("ada", Role::Owner).await;
    let create = |handle| vec!["create-user", "--handle", handle, "--password-stdin"];
    let cases = [
        (create("ada"), PASSWORD, "somebody else has this handle"),
        (create("Not a handle"), PASSWORD, "--handle"),
        (create("room"), PASSWORD, "reserved"),
        (create("bob"), "short", "too short"),
        (vec!["create-token", "--user", "carol", "--label", "x"], "", "@carol"),
        (vec!["create-token", "--user", "ada", "--label", " "], "", "--label"),
        (vec!["setup-link"], "", "has an owner"),
    ];
    for (args, input, reason) in cases {
        let output = admin(server.data_dir(), &args, &format!("{input}\n")).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(reason), "{args:?}: {said}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

#[tokio::test]
async fn an_account_made_beside_a_running_server_is_told_to_those_who_listen() {
    let server = Server::start().await;
    let ada = server.account("ada", Role::Owner).await;
    let mut socket = crate::kit::WebSocket::open(ada.address, "/chat", &ada.authorization()).await;
    socket.until("ready").await;
    server.account("bob", Role::Member).await;
    while socket.until("user.joined").await["user"]["handle"] != "bob" {}
}
