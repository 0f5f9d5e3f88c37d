//! WebSocket over HTTP/2's extended CONNECT (RFC 8441).

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::Empty;
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Message, protocol::Role};

use crate::kit::{Person, TestServer, patient};

async fn connect(
    server: &TestServer,
    person: &Person,
    protocol: &'static str,
) -> http::Response<hyper::body::Incoming> {
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::connect(format!("http://{}/chat", server.address))
        .extension(Protocol::from_static(protocol))
        .header("authorization", format!("Bearer {}", person.token))
        .header("sec-websocket-version", "13")
        .header("sec-websocket-protocol", "switchback.v1")
        .body(Empty::<Bytes>::new())
        .unwrap();
    patient(sender.send_request(request)).await.unwrap()
}

#[tokio::test]
async fn a_websocket_runs_over_a_stream_of_http2() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let response = connect(&server, &ada, "websocket").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["sec-websocket-protocol"], "switchback.v1");
    let upgraded = hyper::upgrade::on(response).await.unwrap();
    let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await;
    socket.send(Message::text(r#"{"id":1,"type":"ping"}"#)).await.unwrap();
    let mut kinds = Vec::new();
    while !kinds.contains(&"ack".to_owned()) {
        let text = patient(socket.next()).await.unwrap().unwrap().into_text().unwrap();
        let frame: Value = serde_json::from_str(text.as_str()).unwrap();
        kinds.push(frame["type"].as_str().unwrap().to_owned());
    }
    assert_eq!(kinds[0], "hello");
}

#[tokio::test]
async fn another_protocol_is_not_implemented() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    assert_eq!(connect(&server, &ada, "connect-udp").await.status(), 501);
}
