//! An echo at `/` through the server's own upgrade and socket code, to hold it against RFC 6455 with
//! Autobahn's cases: `cargo run --release -p switchback-server --example echo -- 127.0.0.1:9001`.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> io::Result<()> {
    let usage = || io::Error::other("say where to listen: echo 127.0.0.1:9001");
    let address: SocketAddr =
        std::env::args().nth(1).and_then(|address| address.parse().ok()).ok_or_else(usage)?;
    let listener = TcpListener::bind(address).await?;
    println!("echoing at ws://{}/", listener.local_addr()?);
    switchback_server::echo::serve(listener).await;
    Ok(())
}
