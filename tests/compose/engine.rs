//! `docker` and `docker-compose` as a person types them.

use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::PATIENCE;

/// Runs a command to its end; what it printed, on both streams.
pub(crate) async fn run(mut command: Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = timeout(PATIENCE, output).await.unwrap().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    if output.status.success() { Ok(printed) } else { Err(format!("{command:?}:\n{printed}")) }
}

/// A command without the settings of whoever runs the test.
pub(crate) fn clean(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SWITCHBACK_")) {
        command.env_remove(name);
    }
    command
}

/// `docker`; what it prints.
pub(crate) async fn docker(args: &[&str]) -> String {
    try_docker(args).await.unwrap()
}

pub(crate) async fn try_docker(args: &[&str]) -> Result<String, String> {
    let mut command = clean("docker");
    command.args(args);
    run(command).await.map(|printed| printed.trim().to_owned())
}

/// Everything that the engine knows of a container or an image.
pub(crate) async fn inspect(id: &str) -> Value {
    let found: Value = serde_json::from_str(&docker(&["inspect", id]).await).unwrap();
    found[0].clone()
}

/// The compose that this machine has: both read the same file.
pub(crate) async fn compose() -> Command {
    static CLASSIC: OnceCell<bool> = OnceCell::const_new();
    let classic = CLASSIC.get_or_init(async || {
        let mut version = clean("docker");
        version.args(["compose", "version"]);
        run(version).await.is_err()
    });
    if *classic.await {
        return clean("docker-compose");
    }
    let mut command = clean("docker");
    command.arg("compose");
    command
}
