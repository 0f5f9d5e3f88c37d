//! By way of a forward proxy: what is asked of it by `CONNECT` and what is given to it to pass on,
//! and what happens when it opens no tunnels.

use std::sync::{Arc, Mutex};

use switchback_client::{Client, ClientConfig, ProxyPolicy, Rest, Transport, TransportPolicy};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::fake::Fake;
use crate::kit::{bodies, config, events, live, post};
use crate::tls::{AUTHORITY, tls_in_front_of};

/// `ada:secret`
const AUTHORIZATION: &str = "Proxy-Authorization: Basic YWRhOnNlY3JldA==";

/// A forward proxy, and the first lines of what it was asked.
struct Forward {
    policy: ProxyPolicy,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Forward {
    async fn start(opens_tunnels: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://ada:secret@{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(stream, opens_tunnels, Arc::clone(&noted)));
            }
        });
        Self { policy: ProxyPolicy::Through(url.parse().unwrap()), asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// What comes first decides where a connection leads; the rest goes there unread.
async fn pass(mut client: TcpStream, opens_tunnels: bool, asked: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.ok()?);
    }
    let text = String::from_utf8(head.clone()).unwrap();
    let line = text.lines().next().unwrap().to_owned();
    asked.lock().unwrap().push(line.clone());
    let authorized = text.to_ascii_lowercase().contains(&AUTHORIZATION.to_ascii_lowercase());
    let target = line.split(' ').nth(1).unwrap();
    let connects = line.starts_with("CONNECT ");
    if !authorized || (connects && !opens_tunnels) {
        let status = if authorized { "403 Forbidden" } else { "407 Proxy Authentication Required" };
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        return client.write_all(answer.as_bytes()).await.ok();
    }
    let server = target.trim_start_matches("http://").split('/').next().unwrap();
    let mut server = TcpStream::connect(server).await.ok()?;
    if connects {
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.ok()?;
    } else {
        let origin = format!("http://{}", server.peer_addr().ok()?);
        server.write_all(text.replacen(&origin, "", 1).as_bytes()).await.ok()?;
    }
    copy_bidirectional(&mut client, &mut server).await.ok().map(drop)
}

#[tokio::test]
async fn tls_goes_through_a_tunnel_on_every_way_in() {
    for way in [Transport::Websocket, Transport::Sse, Transport::Batch] {
        let (fake, forward) = (Fake::start().await, Forward::start(true).await);
        let url = tls_in_front_of(fake.address).await;
        let transports = TransportPolicy::Only(way);
        let (extra_roots, proxy) = (Some(AUTHORITY.to_vec()), forward.policy.clone());
        let config = ClientConfig { url: url.clone(), transports, extra_roots, proxy, ..config(&fake) };
        let (handle, mut stream) = Client::connect(&config).unwrap();
        assert_eq!(live(&mut stream).await, way);
        handle.send(post("through")).await.unwrap();
        assert_eq!(bodies(&events(&mut stream, 1).await), ["through"], "{way:?}");
        let tunnel = format!("CONNECT {} HTTP/1.1", url.trim_start_matches("https://"));
        assert!(forward.asked().iter().all(|line| *line == tunnel), "{:?}", forward.asked());
    }
}

#[tokio::test]
async fn in_the_clear_a_websocket_takes_a_tunnel_and_requests_are_passed_on() {
    let (fake, forward) = (Fake::start().await, Forward::start(true).await);
    let proxy = forward.policy.clone();
    let (_handle, mut stream) = Client::connect(&ClientConfig { proxy, ..config(&fake) }).unwrap();
    assert_eq!(live(&mut stream).await, Transport::Websocket);
    let rest = Rest::through(fake.url().parse().unwrap(), None, None, &forward.policy).unwrap();
    let _ = rest.session().await;
    let asked = forward.asked();
    assert_eq!(asked[0], format!("CONNECT {} HTTP/1.1", fake.address));
    assert_eq!(asked[1], format!("GET {}/api/v1/session HTTP/1.1", fake.url()));
}

#[tokio::test]
async fn a_proxy_that_opens_no_tunnel_still_passes_an_event_stream_on() {
    let (fake, forward) = (Fake::start().await, Forward::start(false).await);
    let proxy = forward.policy.clone();
    let (_handle, mut stream) = Client::connect(&ClientConfig { proxy, ..config(&fake) }).unwrap();
    assert_eq!(live(&mut stream).await, Transport::Sse);
    assert_eq!(fake.opened(Transport::Websocket), 0);
    assert!(forward.asked()[1].starts_with(&format!("GET {}/chat?after=", fake.url())));
}
