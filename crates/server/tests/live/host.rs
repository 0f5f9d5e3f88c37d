//! Which host is asked for (RFC 9112 3.2).

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::kit::{TestServer, patient};

async fn status(server: &TestServer, head: &str) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    patient(stream.read_exact(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_request_names_exactly_one_host_unless_it_is_older_than_that_rule() {
    let server = TestServer::start().await;
    assert_eq!(status(&server, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").await, "HTTP/1.1 200");
    assert_eq!(status(&server, "GET /livez HTTP/1.1\r\n\r\n").await, "HTTP/1.1 400");
    assert_eq!(status(&server, "GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").await, "HTTP/1.1 400");
    assert_eq!(status(&server, "GET /livez HTTP/1.0\r\n\r\n").await, "HTTP/1.0 200");
}
