//! From an address to a byte stream: name lookup, TCP, TLS, with the time each took.
//!
//! Addresses are raced as RFC 8305 advises, because a host with a broken IPv6 route is a classic
//! reason why a chat "does not load". TLS is rustls on ring with Mozilla's roots and, for a company
//! with an authority of its own, certificates given by hand; the system's store is not read, so that
//! the same binary trusts the same on every machine.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use http::{Request, header};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use crate::{Address, Proxy, limits};

/// A byte stream, with or without TLS.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Which protocols are offered in the TLS handshake (RFC 7301).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alpn {
    /// `http/1.1` alone: a WebSocket's 101 exists only there.
    Http1,
    /// `h2`, then `http/1.1`.
    Http2,
}

/// Opens connections to one server. Cheap to clone.
#[derive(Clone)]
pub struct Dialer {
    address: Address,
    http1: Option<Arc<rustls::ClientConfig>>,
    http2: Option<Arc<rustls::ClientConfig>>,
    proxy: Option<Proxy>,
}

/// An open connection and how it came about.
pub struct Dialed {
    /// The stream.
    pub stream: Box<dyn Io>,
    /// The other end; a proxy, where there is one.
    pub peer: SocketAddr,
    /// Time for the name.
    pub lookup: Duration,
    /// Time for TCP's handshake.
    pub tcp: Duration,
    /// What TLS agreed on; `None` for http.
    pub tls: Option<TlsFacts>,
}

/// What TLS agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFacts {
    /// Time for the handshake.
    pub handshake: Duration,
    /// `TLS 1.3` or `TLS 1.2`.
    pub version: &'static str,
    /// The protocol the server chose, if any.
    pub alpn: Option<String>,
}

/// Why there is no connection. Each names the stage that failed.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The name has no address.
    #[error("cannot find the address of {host}: {source}")]
    Lookup {
        /// The name.
        host: String,
        /// What the system said.
        source: io::Error,
    },
    /// Nobody answers there.
    #[error("cannot connect to {host} port {port}: {source}")]
    Tcp {
        /// The name.
        host: String,
        /// The port.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// The proxy opens no tunnel.
    #[error("the proxy {proxy} does not connect to {host}: {source}")]
    Tunnel {
        /// The proxy.
        proxy: String,
        /// The server's name.
        host: String,
        /// What the proxy or the system said.
        source: io::Error,
    },
    /// Somebody answers, but not with a TLS that we trust.
    #[error("TLS with {host} failed: {source}")]
    Tls {
        /// The name.
        host: String,
        /// What rustls said.
        source: io::Error,
    },
}

/// The certificates given by hand cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the certificates: {0}")]
pub struct BadCertificates(String);

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer").field("address", &self.address).finish_non_exhaustive()
    }
}

impl fmt::Debug for Dialed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialed").field("peer", &self.peer).field("tls", &self.tls).finish_non_exhaustive()
    }
}

impl Dialer {
    /// For one server; `extra_roots` are certificates in PEM that are trusted beside Mozilla's.
    pub fn new(address: Address, extra_roots: Option<&[u8]>) -> Result<Self, BadCertificates> {
        if !address.is_secure() {
            return Ok(Self { address, http1: None, http2: None, proxy: None });
        }
        let http1 = tls_config(extra_roots, &[b"http/1.1"])?;
        let http2 = tls_config(extra_roots, &[b"h2", b"http/1.1"])?;
        Ok(Self { address, http1: Some(Arc::new(http1)), http2: Some(Arc::new(http2)), proxy: None })
    }

    /// The same by way of a proxy.
    #[must_use]
    pub fn through(mut self, proxy: Option<Proxy>) -> Self {
        self.proxy = proxy;
        self
    }

    /// The server's address.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// The proxy that is asked, if there is one.
    pub const fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    /// Makes a request fit for what [`Dialer::dial`] opens: a proxy that passes requests on is told
    /// which server they are for.
    pub fn name_server_to_proxy<B>(&self, request: &mut Request<B>) {
        let Some(proxy) = self.proxy.as_ref().filter(|_| !self.address.is_secure()) else { return };
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        // Address and path are both valid already.
        if let Ok(absolute) = self.address.join(path).parse() {
            *request.uri_mut() = absolute;
        }
        if let Some(authorization) = &proxy.authorization {
            request.headers_mut().insert(header::PROXY_AUTHORIZATION, authorization.clone());
        }
    }

    /// Opens a connection for requests within `limits::DIAL`. It leads to the server, or, for a
    /// server without TLS, to the proxy that passes requests on.
    pub async fn dial(&self, alpn: Alpn) -> Result<Dialed, DialError> {
        self.open(alpn, self.address.is_secure()).await
    }

    /// Opens a connection that leads to the server itself, for HTTP/1.1 that becomes something else.
    pub async fn tunnel(&self) -> Result<Dialed, DialError> {
        self.open(Alpn::Http1, true).await
    }

    async fn open(&self, alpn: Alpn, to_the_server: bool) -> Result<Dialed, DialError> {
        let begun = Instant::now();
        let deadline = begun + limits::DIAL;
        let addresses = self.look_up(deadline).await?;
        let lookup = begun.elapsed();
        let tcp_begun = Instant::now();
        let mut stream = self.race(addresses, deadline).await?;
        let tcp = tcp_begun.elapsed();
        let failed = |source| self.tcp_failed(source);
        stream.set_nodelay(true).map_err(failed)?;
        let peer = stream.peer_addr().map_err(failed)?;
        if let Some(proxy) = self.proxy.as_ref().filter(|_| to_the_server) {
            let (name, host) = (proxy.to_string(), self.address.host().to_owned());
            let failed = |source| DialError::Tunnel { proxy: name, host, source };
            let asking = timeout_at(deadline, proxy.tunnel(&mut stream, &self.address)).await;
            asking.unwrap_or_else(|_| Err(timed_out("the proxy"))).map_err(failed)?;
        }
        let config = match alpn {
            Alpn::Http1 => &self.http1,
            Alpn::Http2 => &self.http2,
        };
        let Some(config) = config else {
            return Ok(Dialed { stream: Box::new(stream), peer, lookup, tcp, tls: None });
        };
        let (stream, tls) = self.secure(Arc::clone(config), stream, deadline).await?;
        Ok(Dialed { stream, peer, lookup, tcp, tls: Some(tls) })
    }

    async fn look_up(&self, deadline: Instant) -> Result<Vec<SocketAddr>, DialError> {
        let (host, port) = self.first_stop();
        let failed = |source| DialError::Lookup { host: host.to_owned(), source };
        let found = timeout_at(deadline, tokio::net::lookup_host((host, port))).await;
        let addresses: Vec<SocketAddr> =
            found.map_err(|_| failed(timed_out("the name service")))?.map_err(failed)?.collect();
        if addresses.is_empty() {
            return Err(failed(io::Error::new(io::ErrorKind::NotFound, "it has no addresses")));
        }
        Ok(addresses)
    }

    /// Tries the addresses in order, each a little after the one before; the first to answer wins.
    async fn race(&self, addresses: Vec<SocketAddr>, deadline: Instant) -> Result<TcpStream, DialError> {
        let mut waiting = addresses.into_iter();
        let mut racing = FuturesUnordered::new();
        let mut last_error = timed_out("the server");
        loop {
            if let Some(address) = waiting.next() {
                racing.push(TcpStream::connect(address));
            }
            let next_start = if waiting.len() > 0 {
                deadline.min(Instant::now() + limits::HAPPY_EYEBALLS_DELAY)
            } else {
                deadline
            };
            match timeout_at(next_start, racing.next()).await {
                Ok(Some(Ok(stream))) => return Ok(stream),
                Ok(Some(Err(error))) => last_error = error,
                Ok(None) => return Err(self.tcp_failed(last_error)),
                Err(_) if Instant::now() >= deadline => return Err(self.tcp_failed(timed_out("the server"))),
                Err(_) => {}
            }
        }
    }

    async fn secure(
        &self,
        config: Arc<rustls::ClientConfig>,
        stream: TcpStream,
        deadline: Instant,
    ) -> Result<(Box<dyn Io>, TlsFacts), DialError> {
        let host = self.address.host();
        let failed = |source| DialError::Tls { host: host.to_owned(), source };
        let invalid = |error| failed(io::Error::new(io::ErrorKind::InvalidInput, error));
        let name = ServerName::try_from(host.to_owned()).map_err(invalid)?;
        let begun = Instant::now();
        let handshake = TlsConnector::from(config).connect(name, stream);
        let stream =
            timeout_at(deadline, handshake).await.map_err(|_| failed(timed_out("TLS")))?.map_err(failed)?;
        let (_, connection) = stream.get_ref();
        let version = match connection.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS 1.3",
        };
        let alpn = connection.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
        Ok((Box::new(stream), TlsFacts { handshake: begun.elapsed(), version, alpn }))
    }

    fn tcp_failed(&self, source: io::Error) -> DialError {
        let (host, port) = self.first_stop();
        DialError::Tcp { host: host.to_owned(), port, source }
    }

    /// Where TCP leads: to the proxy, or to the server.
    fn first_stop(&self) -> (&str, u16) {
        match &self.proxy {
            Some(proxy) => (&proxy.host, proxy.port),
            None => (self.address.host(), self.address.port()),
        }
    }
}

fn timed_out(who: &str) -> io::Error {
    let text = format!("{who} did not answer within {} s", limits::DIAL.as_secs());
    io::Error::new(io::ErrorKind::TimedOut, text)
}

fn tls_config(extra_roots: Option<&[u8]>, alpn: &[&[u8]]) -> Result<rustls::ClientConfig, BadCertificates> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(pem) = extra_roots {
        let mut found = false;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| BadCertificates(error.to_string()))?;
            roots.add(certificate).map_err(|error| BadCertificates(error.to_string()))?;
            found = true;
        }
        if !found {
            return Err(BadCertificates("there is no PEM certificate in it".to_owned()));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| BadCertificates(error.to_string()))?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}
