//! HTTPS by the server itself, with a certificate of a company's own authority.

use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;
use switchback_client::{Client, ClientConfig, Credential, Rest, Status, Transport, TransportPolicy, Update};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::kit::certificates::{Authority, Files};
use crate::kit::server::{PASSWORD, switchback};
use crate::kit::{PATIENCE, Server, until};

const ALL_WAYS: [Transport; 3] = [Transport::Websocket, Transport::Sse, Transport::Batch];

/// A server with a certificate, and somebody's token.
struct Secured {
    server: Server,
    authority: Authority,
    token: String,
    dir: TempDir,
}

impl Secured {
    async fn start() -> Self {
        let dir = TempDir::new().unwrap();
        let authority = Authority::new(dir.path());
        let files = authority.sign(dir.path());
        let server = Server::start_with(&flags(&files)).await;
        let create = ["create-user", "--handle", "ada", "--role", "owner", "--password-stdin"];
        server.admin(&create, &format!("{PASSWORD}\n")).await;
        let printed = server.admin(&["create-token", "--user", "ada", "--label", "test"], "").await;
        let token = printed.lines().last().unwrap().to_owned();
        Self { server, authority, token, dir }
    }

    /// Whether somebody who trusts this authority gets through.
    async fn is_trusted_by(&self, authority: &Authority) -> bool {
        let roots = std::fs::read(&authority.file).unwrap();
        let credential = Credential::Token(self.token.clone());
        let address = self.server.url().parse().unwrap();
        let rest = Rest::new(address, Some(&credential), Some(&roots)).unwrap();
        match timeout(PATIENCE, rest.session()).await.unwrap() {
            Ok(session) => session.user.handle.as_str() == "ada",
            Err(error) => {
                assert!(error.to_string().contains("TLS"), "{error}");
                false
            }
        }
    }

    async fn says(&self, text: &str) {
        until(&format!("the server says \"{text}\""), async || self.server.said().contains(text)).await;
    }

    /// Runs another command of the binary against it.
    async fn run(&self, args: &[&str], trust: bool) -> Output {
        let mut command = switchback();
        command.args(args).env("SWITCHBACK_TOKEN", &self.token);
        if trust {
            command.env("SWITCHBACK_CA_FILE", &self.authority.file);
        }
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        timeout(PATIENCE * 2, child.wait_with_output()).await.unwrap().unwrap()
    }
}

fn flags(files: &Files) -> [&str; 4] {
    ["--tls-cert", files.certificate.to_str().unwrap(), "--tls-key", files.key.to_str().unwrap()]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rust_client_talks_over_it_on_every_way_in() {
    let secured = Secured::start().await;
    assert!(secured.server.said().contains(&format!("    https://{}/setup/", secured.server.address)));
    for way in ALL_WAYS {
        let credential = Credential::Token(secured.token.clone());
        let mut config = ClientConfig::new(secured.server.url(), credential);
        config.transports = TransportPolicy::Only(way);
        config.extra_roots = Some(std::fs::read(&secured.authority.file).unwrap());
        let (handle, mut stream) = Client::connect(&config).unwrap();
        loop {
            match timeout(PATIENCE, stream.next()).await.unwrap().unwrap() {
                Update::Status(Status::Live { transport }) => break assert_eq!(transport, way),
                Update::Status(Status::Waiting { why, .. }) => panic!("{way:?}: {why}"),
                _ => {}
            }
        }
        handle.close();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_check_asks_the_server_beside_it_whatever_the_certificate_says() {
    let secured = Secured::start().await;
    let listen = secured.server.address.to_string();
    let own = ["health", "--listen", &listen, "--tls-cert", "any.pem"];
    let healthy = secured.run(&own, false).await;
    assert!(healthy.status.success(), "{healthy:?}");
    // Somebody by name must prove it.
    let named = secured.run(&["health", "--url", &secured.server.url()], false).await;
    assert_eq!(named.status.code(), Some(1), "{named:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_brings_a_new_certificate_and_a_broken_one_changes_nothing() {
    let secured = Secured::start().await;
    let first = &secured.authority;
    assert!(secured.is_trusted_by(first).await);
    let elsewhere = TempDir::new().unwrap();
    let second = Authority::new(elsewhere.path());
    second.sign(secured.dir.path());
    assert!(secured.is_trusted_by(first).await && !secured.is_trusted_by(&second).await);
    secured.server.signal("HUP").await;
    secured.says("certificate and key read again").await;
    assert!(secured.is_trusted_by(&second).await && !secured.is_trusted_by(first).await);

    std::fs::write(secured.dir.path().join("cert.pem"), "scribble").unwrap();
    secured.server.signal("HUP").await;
    secured.says("the certificate stays as it was: ").await;
    secured.says("cert.pem holds no certificate in PEM").await;
    assert!(secured.is_trusted_by(&second).await);
    std::fs::remove_file(secured.dir.path().join("cert.pem")).unwrap();
    secured.server.signal("HUP").await;
    secured.says("cert.pem: No such file").await;
    assert!(secured.is_trusted_by(&second).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_without_tls_is_noted_and_ends_nothing() {
    let server = Server::start().await;
    server.signal("HUP").await;
    until("it is noted", async || server.said().contains("nothing to read again")).await;
    let (ada, _) = server.people().await;
    assert_eq!(ada.get("/readyz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_is_warned_of_and_served() {
    let dir = TempDir::new().unwrap();
    let files = Authority::new(dir.path()).sign_for(dir.path(), &["127.0.0.1"], (2020, 2021));
    let server = Server::start_with(&flags(&files)).await;
    assert!(server.said().contains("browsers will refuse the certificate"), "{}", server.said());
    assert!(server.said().contains("expired"), "{}", server.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_files_is_said_before_anything_is_served() {
    let dir = TempDir::new().unwrap();
    let files = Authority::new(dir.path()).sign(dir.path());
    let certificate = files.certificate.to_str().unwrap();
    assert!(refused(dir.path(), &["--tls-cert", certificate]).await.contains("without tls_key"));
    let said = refused(dir.path(), &["--tls-cert", certificate, "--tls-key", "/nowhere/key.pem"]).await;
    assert!(said.contains("cannot start with TLS: cannot read /nowhere/key.pem"), "{said}");
    let said = refused(dir.path(), &["--tls-cert", certificate, "--tls-key", certificate]).await;
    assert!(said.contains("are the two files exchanged?"), "{said}");
}

async fn refused(dir: &Path, flags: &[&str]) -> String {
    let mut command = switchback();
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(dir.join("data")).args(flags);
    let output = timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_and_chat_trust_the_authority_they_are_given_and_no_other() {
    let secured = Secured::start().await;
    let url = secured.server.url();
    let doctor = ["doctor", url.as_str(), "--json", "--idle", "2"];
    let output = secured.run(&doctor, true).await;
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success(), "{report:#}");
    for way in ["websocket", "sse", "batch"] {
        assert_eq!(report["ways"][way], "works", "{report:#}");
    }
    for check in report["checks"].as_array().unwrap() {
        assert_eq!(check["state"], "ok", "{check}");
    }
    assert!(!secured.run(&doctor, false).await.status.success());

    // Standard input is at its end at once.
    let chat = ["chat", url.as_str()];
    assert!(secured.run(&chat, true).await.status.success());
    let output = secured.run(&chat, false).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("TLS with 127.0.0.1 failed"), "{said}");
}
