//! https: who is trusted, and that every way in works inside TLS.
//!
//! The certificates beside this file are for `localhost`, made for these tests alone; the authority's
//! key was thrown away.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use switchback_client::{
    Address, Alpn, Client, ClientConfig, DialError, Dialer, Status, Transport, TransportPolicy, Update,
};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::fake::Fake;
use crate::kit::{bodies, config, events, live, post, until};

pub(crate) const AUTHORITY: &[u8] = include_bytes!("certificates/authority.pem");
const CERTIFICATE: &[u8] = include_bytes!("certificates/server.pem");
const KEY: &[u8] = include_bytes!("certificates/server.key");

/// A proxy that ends TLS in front of a server.
pub(crate) async fn tls_in_front_of(server: SocketAddr) -> String {
    let chain = vec![CertificateDer::from_pem_slice(CERTIFICATE).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = builder.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut inside = acceptor.accept(stream).await.ok()?;
                let mut behind = TcpStream::connect(server).await.ok()?;
                copy_bidirectional(&mut inside, &mut behind).await.ok()
            });
        }
    });
    format!("https://localhost:{port}")
}

#[tokio::test]
async fn every_way_in_works_inside_tls() {
    for way in [Transport::Websocket, Transport::Sse, Transport::Batch] {
        let fake = Fake::start().await;
        let url = tls_in_front_of(fake.address).await;
        let transports = TransportPolicy::Only(way);
        let extra_roots = Some(AUTHORITY.to_vec());
        let config = ClientConfig { url, transports, extra_roots, ..config(&fake) };
        let (handle, mut stream) = Client::connect(&config).unwrap();
        assert_eq!(live(&mut stream).await, way);
        assert_eq!(handle.send(post("in secret")).await.unwrap().seq, Some(1), "{way:?}");
        assert_eq!(bodies(&events(&mut stream, 1).await), ["in secret"], "{way:?}");
        assert_eq!(handle.rest().snapshot().await.unwrap().cursor.seq, 1);
    }
}

#[tokio::test]
async fn a_certificate_of_nobody_we_know_is_not_trusted() {
    let fake = Fake::start().await;
    let url = tls_in_front_of(fake.address).await;
    let (_handle, mut stream) = Client::connect(&ClientConfig { url, ..config(&fake) }).unwrap();
    let why = until(&mut stream, |update| match update {
        Update::Status(Status::Waiting { why, .. }) => Some(why.clone()),
        _ => None,
    })
    .await;
    assert!(why.contains("TLS with localhost failed"), "{why}");
    assert_eq!(fake.opened(Transport::Websocket), 0);
}

#[tokio::test]
async fn dialing_says_what_tls_agreed_on() {
    let fake = Fake::start().await;
    let address: Address = tls_in_front_of(fake.address).await.parse().unwrap();
    let dialer = Dialer::new(address.clone(), Some(AUTHORITY)).unwrap();
    for (alpn, chosen) in [(Alpn::Http1, "http/1.1"), (Alpn::Http2, "h2")] {
        let tls = dialer.dial(alpn).await.unwrap().tls.unwrap();
        assert_eq!((tls.version, tls.alpn.as_deref()), ("TLS 1.3", Some(chosen)));
    }
    let other_name = format!("https://127.0.0.2:{}", address.port()).parse().unwrap();
    let wrong_name = Dialer::new(other_name, Some(AUTHORITY)).unwrap().dial(Alpn::Http1).await;
    // Where the whole of 127.0.0.0/8 is not local there is nobody at that address.
    assert!(matches!(wrong_name, Err(DialError::Tls { .. } | DialError::Tcp { .. })), "{wrong_name:?}");
}

#[tokio::test]
async fn what_is_no_certificate_is_refused_before_anything_is_sent() {
    let fake = Fake::start().await;
    let https = "https://localhost:1".to_owned();
    for roots in ["", "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"] {
        let extra_roots = Some(roots.as_bytes().to_vec());
        let config = ClientConfig { url: https.clone(), extra_roots, ..config(&fake) };
        assert!(Client::connect(&config).is_err_and(|error| error.to_string().contains("certificates")));
    }
}
