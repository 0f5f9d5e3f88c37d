//! Proxies that behave as badly as real ones do, small enough to see what they do.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};

/// What a proxy does to what it passes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manners {
    /// Removes `Upgrade` and `Connection` from requests.
    EatsUpgrade,
    /// The same, and passes an answer on only when it is complete.
    HoldsBack,
    /// Passes the handshake, then nothing.
    CutsSockets,
    /// Answers everything itself, with a page to sign in to the network.
    Portal,
}

/// Starts a proxy in front of a server.
pub(crate) async fn start(server: SocketAddr, manners: Manners) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(async move { pass(client, server, manners).await });
        }
    });
    address
}

/// One request, then the connection ends.
async fn pass(mut client: TcpStream, server: SocketAddr, manners: Manners) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.ok()?);
    }
    if manners == Manners::Portal {
        let page = "<!DOCTYPE html><title>Welcome aboard</title>";
        let answer = format!(
            "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{page}",
            page.len()
        );
        return client.write_all(answer.as_bytes()).await.ok();
    }
    let head = String::from_utf8(head).ok()?;
    let eaten = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        manners != Manners::CutsSockets && (name == "upgrade" || name == "connection")
    };
    let asks_upgrade = head.to_ascii_lowercase().contains("\r\nupgrade: websocket");
    let lines: Vec<&str> = head.trim_end().split("\r\n").filter(|line| !eaten(line)).collect();
    let close = if asks_upgrade && manners == Manners::CutsSockets { "" } else { "\r\nConnection: close" };
    let mut upstream = TcpStream::connect(server).await.ok()?;
    upstream.write_all(format!("{}{close}\r\n\r\n", lines.join("\r\n")).as_bytes()).await.ok()?;
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = upstream.split();
    let answering = async {
        if manners == Manners::HoldsBack {
            let mut whole = Vec::new();
            from_server.read_to_end(&mut whole).await.ok()?;
            return to_client.write_all(&whole).await.ok();
        }
        if asks_upgrade && manners == Manners::CutsSockets {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(from_server.read_u8().await.ok()?);
            }
            return to_client.write_all(&head).await.ok();
        }
        copy(&mut from_server, &mut to_client).await.ok().map(drop)
    };
    tokio::select! {
        done = answering => done,
        // The body of a POST; at its end the answer is still to come.
        None = async { copy(&mut from_client, &mut to_server).await.ok()?; std::future::pending::<Option<()>>().await } => None,
    }
}
