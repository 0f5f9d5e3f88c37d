//! A team behind a proxy, and connections to it from outside.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use switchback_client::{
    Client, ClientConfig as Settings, Credential, EventStream, Handle, Transport, TransportPolicy,
};
use tokio::net::TcpSocket;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::kit::http::{Answer, Io, request};
use crate::kit::server::Account;
use crate::kit::{Connection, PATIENCE, Server};
use crate::proxy::{HOST, Kind, Proxy};

/// Where a browser comes from, as far as the proxy can tell. Not the proxy's own address, which is
/// the only one that the server believes.
const VISITOR: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

pub(crate) struct Site {
    /// `None`: the test has it.
    pub(crate) server: Option<Server>,
    pub(crate) proxy: Proxy,
    pub(crate) ada: Account,
    pub(crate) bob: Account,
}

impl Site {
    pub(crate) async fn start(kind: Kind) -> Self {
        let server = Server::start_with(&["--trusted-proxies", "127.0.0.1"]).await;
        let (ada, bob) = server.people().await;
        let proxy = Proxy::start(kind, server.address).await;
        Self { server: Some(server), proxy, ada, bob }
    }

    pub(crate) fn server(&mut self) -> &mut Server {
        self.server.as_mut().unwrap()
    }

    /// TLS with the proxy, as somebody at the usual address.
    pub(crate) async fn dial(&self, alpn: &str) -> Box<dyn Io> {
        self.dial_from(VISITOR, alpn).await
    }

    pub(crate) async fn dial_from(&self, visitor: IpAddr, alpn: &str) -> Box<dyn Io> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&self.proxy.authority.file).unwrap()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(visitor, 0)).unwrap();
        let stream = timeout(PATIENCE, socket.connect(self.proxy.address)).await.unwrap().unwrap();
        stream.set_nodelay(true).unwrap();
        let name = ServerName::try_from(HOST).unwrap();
        let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream);
        let stream = timeout(PATIENCE, handshake).await.unwrap().unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(alpn.as_bytes()));
        Box::new(stream)
    }

    /// A connection for HTTP/1.1 by hand.
    pub(crate) async fn open(&self) -> Connection {
        Connection::over(self.dial("http/1.1").await)
    }

    /// One request of HTTP/1.1. `headers` are whole lines.
    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        self.open().await.exchange(self.request(method, path, headers, body)).await
    }

    /// The same, not sent yet: for the host that the proxy answers for.
    pub(crate) fn request(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        request(method, path, headers, body).replace("chat.test", &self.authority())
    }

    pub(crate) fn authority(&self) -> String {
        format!("{HOST}:{}", self.proxy.address.port())
    }

    /// A connection of HTTP/2.
    pub(crate) async fn open_http2(&self) -> http2::SendRequest<Full<Bytes>> {
        let io = TokioIo::new(self.dial("h2").await);
        let (sender, connection) = http2::Builder::new(TokioExecutor::new()).handshake(io).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    /// An event stream over HTTP/2.
    pub(crate) async fn stream_http2(&self, who: &Account) -> http::Response<Incoming> {
        let request = http::Request::get(format!("https://{}/chat", self.authority()))
            .header("accept", "text/event-stream")
            .header("accept-encoding", "gzip, br")
            .header("authorization", format!("Bearer {}", who.token))
            .body(Full::default())
            .unwrap();
        let mut sender = self.open_http2().await;
        let response = timeout(PATIENCE, sender.send_request(request)).await.unwrap().unwrap();
        // hyper ends a connection whose last sender is gone.
        tokio::spawn(async move { sender.ready().await.is_ok() && std::future::pending().await });
        response
    }

    /// The Rust client on one way in, from the beginning of the log.
    pub(crate) async fn connect(&self, who: &Account, way: Transport) -> (Handle, EventStream) {
        let mut settings = Settings::new(self.proxy.url(), Credential::Token(who.token.clone()));
        settings.transports = TransportPolicy::Only(way);
        settings.extra_roots = Some(std::fs::read(&self.proxy.authority.file).unwrap());
        settings.cursor = Some(who.origin().await.parse().unwrap());
        Client::connect(&settings).unwrap()
    }
}
