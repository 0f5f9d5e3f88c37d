//! One profile of docker-compose.yml, brought up with the command that the README gives.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

use crate::engine::{clean, compose, docker, inspect, run};
use crate::{PATIENCE, until};

/// A running stack. Removed with its volumes when dropped.
pub(crate) struct Stack {
    /// `None`: what .env says.
    pub(crate) profile: Option<&'static str>,
    pub(crate) address: SocketAddr,
}

impl Stack {
    /// `up -d`, and nothing before it.
    pub(crate) async fn up(profile: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stack = Self { profile, address: listener.local_addr().unwrap() };
        // What a run that was cut off has left.
        stack.down().await;
        drop(listener);
        stack.compose(&["up", "-d"]).await;
        stack
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A compose command; what it printed.
    pub(crate) async fn compose(&self, args: &[&str]) -> String {
        let mut command = compose().await;
        self.aim(&mut command, args);
        run(command).await.unwrap()
    }

    fn aim(&self, command: &mut tokio::process::Command, args: &[&str]) {
        if let Some(profile) = self.profile {
            command.args(["--profile", profile]);
        }
        command.args(args).env("SWITCHBACK_PORT", self.address.port().to_string());
    }

    /// Runs the binary in a node, with something on its standard input.
    pub(crate) async fn exec(&self, node: &str, args: &[&str], input: &str) -> String {
        let mut command = compose().await;
        self.aim(&mut command, &[&["exec", "-T", node, "switchback"], args].concat());
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).await.unwrap();
        drop(stdin);
        let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap();
        assert!(output.status.success(), "{args:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The id of a service's container, running or not.
    pub(crate) async fn container(&self, service: &str) -> String {
        let (ours, label) = (ours(), format!("label=com.docker.compose.service={service}"));
        let listed =
            docker(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &ours, "--filter", &label]).await;
        assert_eq!(listed.lines().count(), 1, "{service}: {listed}");
        listed
    }

    pub(crate) async fn state(&self, service: &str) -> Value {
        inspect(&self.container(service).await).await["State"].clone()
    }

    /// Waits until the health checks of these services are content.
    pub(crate) async fn healthy(&self, services: &[&str]) {
        for service in services {
            let id = self.container(service).await;
            until(&format!("{service} is healthy"), async || {
                inspect(&id).await["State"]["Health"]["Status"] == "healthy"
            })
            .await;
        }
    }

    /// The end of the one-time address, as a person reads it from the log of the node that was started
    /// last.
    pub(crate) async fn setup_secret(&self, node: &str) -> String {
        let logs = self.compose(&["logs", "--no-color", node]).await;
        let address = logs.lines().filter_map(|line| line.split_once("/setup/")).next_back();
        address.unwrap_or_else(|| panic!("no set-up address:\n{logs}")).1.trim().to_owned()
    }

    /// The names of the containers' services that are there, running or not.
    pub(crate) async fn services(&self) -> Vec<String> {
        let label = "{{.Label \"com.docker.compose.service\"}}";
        let listed = docker(&["ps", "--all", "--filter", &ours(), "--format", label]).await;
        let mut services: Vec<String> = listed.lines().map(str::to_owned).collect();
        services.sort();
        services
    }

    /// Everything goes, the data too.
    pub(crate) async fn down(&self) {
        self.compose(&["down", "--volumes", "--remove-orphans", "--timeout", "5"]).await;
    }
}

/// Finds what belongs to this project.
fn ours() -> String {
    format!("label=com.docker.compose.project={}", std::env::var("COMPOSE_PROJECT_NAME").unwrap())
}

/// For the way out by a panic. A test that ends well has called `down` itself.
impl Drop for Stack {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let mut command = clean("sh").into_std();
        command.args(["-c", "docker rm --force --volumes $(docker ps -aq --filter $0)", &ours()]);
        // Already failing; the next run clears away what this one cannot.
        let _ = command.status();
    }
}

/// What a node's log said, for a failure's report.
pub(crate) async fn last_words(stack: &Stack) -> String {
    stack.compose(&["logs", "--no-color", "--tail", "30"]).await
}

/// How long something takes to be so.
pub(crate) async fn timed(work: impl Future<Output = ()>) -> Duration {
    let since = tokio::time::Instant::now();
    work.await;
    since.elapsed()
}
