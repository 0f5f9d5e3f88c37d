//! `switchback health`, as a container's health check runs it: nothing but an exit code and a line.

use std::process::Output;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::time::timeout;

use crate::kit::server::switchback;
use crate::kit::{PATIENCE, Server};

async fn asked(mut command: Command) -> Output {
    timeout(PATIENCE, command.output()).await.unwrap().unwrap()
}

fn health(args: &[&str]) -> Command {
    let mut command = switchback();
    command.arg("health").args(args);
    command
}

#[tokio::test]
async fn a_server_that_can_serve_is_healthy_and_one_that_is_gone_is_not() {
    let mut server = Server::start().await;
    let by_listen = || {
        let mut command = health(&[]);
        command.env("SWITCHBACK_LISTEN", server.address.to_string());
        command
    };
    for command in [by_listen(), health(&["--url", &server.url()])] {
        let healthy = asked(command).await;
        assert!(healthy.status.success(), "{healthy:?}");
        assert!(healthy.stdout.is_empty() && healthy.stderr.is_empty(), "{healthy:?}");
    }
    let gone = by_listen();
    server.kill().await;
    let gone = asked(gone).await;
    assert_eq!(gone.status.code(), Some(1));
    let said = String::from_utf8(gone.stderr).unwrap();
    assert!(said.contains(&server.address.to_string()) && said.contains("does not answer"), "{said}");
}

#[tokio::test]
async fn what_a_server_lacks_is_passed_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut socket = BufReader::new(listener.accept().await.unwrap().0);
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            socket.read_line(&mut line).await.unwrap();
        }
        let body = "{\"ready\":false,\"problems\":[\"database: away\"]}";
        let head = format!("HTTP/1.1 503 Unavailable\r\nContent-Length: {}\r\n\r\n", body.len());
        socket.write_all((head + body).as_bytes()).await.unwrap();
    });
    let output = asked(health(&["--url", &url])).await;
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("503") && said.contains("database: away"), "{said}");
}
