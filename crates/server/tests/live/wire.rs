//! The four wires that a server speaks on: HTTP/1.1 and HTTP/2, each without and with TLS.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use switchback_server::TlsFiles;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::kit::patient;

/// How a test talks to its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Http1,
    Http2,
    TlsHttp1,
    TlsHttp2,
}

impl Wire {
    pub(crate) const ALL: [Self; 4] = [Self::Http1, Self::Http2, Self::TlsHttp1, Self::TlsHttp2];

    pub(crate) const fn is_tls(self) -> bool {
        matches!(self, Self::TlsHttp1 | Self::TlsHttp2)
    }

    pub(crate) const fn is_http2(self) -> bool {
        matches!(self, Self::Http2 | Self::TlsHttp2)
    }
}

/// A byte stream, with or without TLS.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

pub(crate) type Request = http::Request<Full<Bytes>>;
pub(crate) type Response = http::Response<Incoming>;
pub(crate) type Http2Sender = http2::SendRequest<Full<Bytes>>;

/// A certificate for 127.0.0.1 that nobody signed but itself, written to two files.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    pub(crate) der: CertificateDer<'static>,
    pub(crate) chain_pem: String,
    pub(crate) key_pem: String,
}

impl Certificate {
    pub(crate) fn new() -> Self {
        Self::from(&rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap())
    }

    pub(crate) fn expired() -> Self {
        let mut params = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        (params.not_before, params.not_after) =
            (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2021, 1, 1));
        Self::from(&params)
    }

    fn from(params: &rcgen::CertificateParams) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let (chain_pem, key_pem) = (certificate.pem(), key.serialize_pem());
        Self { der: certificate.into(), chain_pem, key_pem }
    }

    pub(crate) fn write(&self, dir: &Path) -> TlsFiles {
        let files = TlsFiles { certificate: dir.join("cert.pem"), key: dir.join("key.pem") };
        std::fs::write(&files.certificate, &self.chain_pem).unwrap();
        std::fs::write(&files.key, &self.key_pem).unwrap();
        files
    }

    /// A client that trusts this certificate alone.
    pub(crate) fn client(&self, alpn: &[u8], tls12: bool) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let versions = if tls12 { [&TLS12] } else { [&TLS13] };
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.to_vec()];
        config
    }
}

/// TLS with a server on loopback; an error if its certificate is another one.
pub(crate) async fn handshake(
    address: SocketAddr,
    config: ClientConfig,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    patient(TlsConnector::from(Arc::new(config)).connect(name, stream)).await
}

/// Opens a connection.
pub(crate) async fn dial(wire: Wire, address: SocketAddr, certificate: &Certificate) -> Box<dyn Io> {
    let alpn: &[u8] = match wire {
        Wire::Http1 | Wire::Http2 => return Box::new(TcpStream::connect(address).await.unwrap()),
        Wire::TlsHttp1 => b"http/1.1",
        Wire::TlsHttp2 => b"h2",
    };
    let stream = handshake(address, certificate.client(alpn, false)).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(alpn));
    Box::new(stream)
}

/// Sends a request of HTTP/1.1 on a connection of its own.
pub(crate) async fn send_http1(io: Box<dyn Io>, request: Request) -> Response {
    let (mut sender, connection) = http1::handshake(TokioIo::new(io)).await.unwrap();
    tokio::spawn(connection.with_upgrades());
    patient(sender.send_request(request)).await.unwrap()
}

/// An HTTP/2 connection; `window_bytes` is what the peer may send on a stream that nobody reads.
pub(crate) async fn open_http2(io: Box<dyn Io>, window_bytes: u32) -> Http2Sender {
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(window_bytes)
        .handshake(TokioIo::new(io))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

pub(crate) async fn send_http2(sender: &mut Http2Sender, wire: Wire, request: Request) -> Response {
    patient(sender.ready()).await.unwrap();
    patient(sender.send_request(for_http2(wire, request))).await.unwrap()
}

/// The same request with the host where HTTP/2 has it.
fn for_http2(wire: Wire, mut request: Request) -> Request {
    let host = request.headers_mut().remove("host").unwrap();
    let scheme = if wire.is_tls() { "https" } else { "http" };
    let path = request.uri().path_and_query().unwrap().as_str();
    *request.uri_mut() = format!("{scheme}://{}{path}", host.to_str().unwrap()).parse().unwrap();
    request
}

/// A handshake for a WebSocket over HTTP/2 (RFC 8441 4).
pub(crate) fn extended_connect(protocol: &'static str, token: &str, query: &str) -> Request {
    http::Request::connect(format!("/chat{query}"))
        .extension(Protocol::from_static(protocol))
        .header("host", "test")
        .header("authorization", format!("Bearer {token}"))
        .header("sec-websocket-version", "13")
        .header("sec-websocket-protocol", "switchback.v1")
        .body(Full::default())
        .unwrap()
}
