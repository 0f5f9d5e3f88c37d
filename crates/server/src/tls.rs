//! TLS on the server's own port: certificate and key from two PEM files, read again when asked.
//!
//! rustls on ring, TLS 1.2 and 1.3, `h2` before `http/1.1` (RFC 7301). A reload swaps the whole
//! configuration, session tickets included: a key that was replaced resumes nobody's session. Open
//! connections keep what they agreed on. A file that is no good changes nothing.
//!
//! What it trades away: no client certificates, no choice of ciphers, no OCSP stapling; who needs
//! those has a proxy.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, InconsistentKeys, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::guard::Guarded;
use crate::limits;

/// An accepted connection, encrypted. Boxed: what TLS remembers is far larger than a socket.
pub(crate) type Encrypted = Box<TlsStream<Guarded<TcpStream>>>;

/// The first byte of every TLS connection: a record of the handshake (RFC 8446 5.1).
const HANDSHAKE_RECORD: u8 = 0x16;

const PLAIN_REFUSED: &str = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Connection: close\r\nContent-Length: 64\r\n\r\n\
    This port speaks HTTPS: begin the address with https:// please.\n";

/// Where certificate and key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate in PEM, then those that it was signed by.
    pub certificate: PathBuf,
    /// Its private key in PEM, without a passphrase.
    pub key: PathBuf,
}

/// Why certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing, or not ours to read.
    #[error("cannot read {}: {source}", file.display())]
    Read {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{} {problem}", file.display())]
    Content {
        /// Which.
        file: PathBuf,
        /// What is wrong with it, after its name.
        problem: String,
    },
    /// Each is fine, together they are not.
    #[error(
        "the private key in {} does not belong to the first certificate in {}; the server's own certificate comes \
         first, those that it was signed by follow", key.display(), certificate.display()
    )]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The two are not usable for TLS.
    #[error("the certificate cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// What new connections are encrypted with.
#[derive(Debug)]
pub(crate) struct Tls {
    files: TlsFiles,
    current: RwLock<Arc<ServerConfig>>,
}

/// Has a server read its certificate and key again.
#[derive(Debug, Clone)]
pub struct TlsReload(pub(crate) Arc<Tls>);

impl TlsReload {
    /// New connections get what the files now hold. On an error, they get what they got before.
    pub async fn reload(&self) -> Result<(), TlsError> {
        let config = Arc::new(load(&self.0.files).await?);
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }
}

impl Tls {
    pub(crate) async fn new(files: TlsFiles) -> Result<Self, TlsError> {
        let current = RwLock::new(Arc::new(load(&files).await?));
        Ok(Self { files, current })
    }

    /// Does the handshake. `None`: there was none in time; who spoke plain HTTP was told so.
    pub(crate) async fn accept(&self, socket: TcpStream) -> Option<Encrypted> {
        let handshake = async {
            let mut first = [0];
            if socket.peek(&mut first).await? == 1 && first[0] != HANDSHAKE_RECORD {
                refuse_plain(socket).await?;
                return Ok(None);
            }
            let config = Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner));
            let accept = TlsAcceptor::from(config).accept_with(Guarded::new(socket), |connection| {
                connection.set_buffer_limit(Some(limits::TLS_SEND_BUFFER_BYTES));
            });
            Ok::<_, io::Error>(Some(Box::new(accept.await?)))
        };
        match tokio::time::timeout(limits::TLS_HANDSHAKE_TIMEOUT, handshake).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::debug!(%error, "a TLS handshake failed");
                None
            }
            Err(_) => {
                tracing::debug!("a TLS handshake took too long");
                None
            }
        }
    }
}

/// Says what is wrong, and reads what was sent: closing on unread bytes would be a reset, and the
/// answer might never be seen. The handshake's time limit ends this, too.
async fn refuse_plain(mut socket: TcpStream) -> io::Result<()> {
    socket.write_all(PLAIN_REFUSED.as_bytes()).await?;
    socket.shutdown().await?;
    let mut rest = [0; 1024];
    while socket.read(&mut rest).await? > 0 {}
    Ok(())
}

async fn load(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let chain = certificates(&files.certificate, &read(&files.certificate).await?)?;
    let key = private_key(&files.key, &read(&files.key).await?)?;
    let provider = Arc::new(ring::default_provider());
    let certified = CertifiedKey::from_der(chain.clone(), key, &provider);
    if let Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) = certified {
        let (certificate, key) = (files.certificate.clone(), files.key.clone());
        return Err(TlsError::Mismatch { certificate, key });
    }
    let resolver = Arc::new(rustls::sign::SingleCertAndKey::from(certified?));
    if let Some(problem) = out_of_date(&chain, &provider) {
        tracing::warn!(certificate = %files.certificate.display(), "browsers will refuse the certificate: {problem}");
    }
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Tickets instead of remembered sessions: everybody who comes back after a dropped network
    // resumes, and the server keeps nothing for it.
    config.ticketer = ring::Ticketer::new()?;
    Ok(config)
}

async fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |source| TlsError::Read { file: file.to_owned(), source };
    let mut content = Vec::new();
    let opened = tokio::fs::File::open(file).await.map_err(failed)?;
    opened.take(limits::TLS_FILE_BYTES + 1).read_to_end(&mut content).await.map_err(failed)?;
    if content.len() as u64 > limits::TLS_FILE_BYTES {
        let problem = format!("is longer than {} bytes", limits::TLS_FILE_BYTES);
        return Err(TlsError::Content { file: file.to_owned(), problem });
    }
    Ok(content)
}

fn certificates(file: &Path, content: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let problem = |problem: String| TlsError::Content { file: file.to_owned(), problem };
    let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(content).collect();
    let chain = chain.map_err(|error| problem(format!("is not whole: {error}")))?;
    if chain.is_empty() {
        let swapped = PrivateKeyDer::from_pem_slice(content).is_ok();
        let hint = if swapped { ", but a private key: are the two files exchanged?" } else { "" };
        return Err(problem(format!("holds no certificate in PEM (-----BEGIN CERTIFICATE-----){hint}")));
    }
    Ok(chain)
}

fn private_key(file: &Path, content: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(content).map_err(|error| {
        let has = |text: &str| content.windows(text.len()).any(|part| part == text.as_bytes());
        let problem = match error {
            _ if has("ENCRYPTED") => {
                "is protected by a passphrase; take it away with `openssl pkey -in FILE -out FILE`".to_owned()
            }
            pem::Error::NoItemsFound if has("BEGIN CERTIFICATE") => {
                "holds no private key, but a certificate: are the two files exchanged?".to_owned()
            }
            pem::Error::NoItemsFound => {
                "holds no private key in PEM (-----BEGIN PRIVATE KEY-----)".to_owned()
            }
            error => format!("is not whole: {error}"),
        };
        TlsError::Content { file: file.to_owned(), problem }
    })
}

/// Whether the server's own certificate is not valid today. Asked of the verifier that clients have:
/// it looks at the time before it looks at who signed.
fn out_of_date(chain: &[CertificateDer<'static>], provider: &Arc<CryptoProvider>) -> Option<String> {
    let (own, signers) = chain.split_first()?;
    let mut roots = RootCertStore::empty();
    roots.add(chain.last()?.clone()).ok()?;
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build().ok()?;
    let anybody = ServerName::try_from("localhost").ok()?;
    match verifier.verify_server_cert(own, signers, &anybody, &[], UnixTime::now()) {
        Err(rustls::Error::InvalidCertificate(
            error @ (CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. }),
        )) => Some(error.to_string()),
        _ => None,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_handshake_that_does_not_come_to_its_end_is_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        let files = TlsFiles { certificate: dir.path().join("cert.pem"), key: dir.path().join("key.pem") };
        std::fs::write(&files.certificate, params.self_signed(&key).unwrap().pem()).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        let tls = Tls::new(files).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        for beginning in [&b""[..], &[HANDSHAKE_RECORD], b"GET / HTTP/1.1\r\n"] {
            let mut peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            peer.write_all(beginning).await.unwrap();
            let (socket, _) = listener.accept().await.unwrap();
            let begun = Instant::now();
            assert!(tls.accept(socket).await.is_none());
            assert_eq!(begun.elapsed().as_secs(), limits::TLS_HANDSHAKE_TIMEOUT.as_secs(), "{beginning:?}");
        }
    }

    #[test]
    fn the_answer_to_plain_http_has_the_length_that_it_says() {
        let (head, body) = PLAIN_REFUSED.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())));
    }
}
