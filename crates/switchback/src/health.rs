//! `switchback health`: one question to the server beside us, for health checks in an image that
//! holds no other program.
//!
//! It asks `/readyz` and nothing else. Where it asks comes from the same settings as where the server
//! listens, so that whoever changes one need not think of the other.

mod own;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use switchback_client::dial::Io;
use switchback_client::{Address, Alpn, Dialer};
use switchback_server::Config;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::cli::{HealthArgs, ServeOptions};
use crate::settings;

/// From the first packet to the answer's last. Shorter than what callers of health checks wait.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer that is read, in bytes.
const ANSWER_BYTES: usize = 16 * 1024;

pub(crate) async fn run(args: &HealthArgs) -> Result<ExitCode> {
    let place = place(args)?;
    let (status, answer) = timeout(PATIENCE, ask(&place))
        .await
        .with_context(|| format!("{place} did not answer within {} s", PATIENCE.as_secs()))?
        .with_context(|| format!("{place} does not answer"))?;
    if status != StatusCode::OK {
        bail!("{place} is not ready: {status} {}", answer.trim());
    }
    Ok(ExitCode::SUCCESS)
}

/// Where the server is, seen from this machine.
fn place(args: &HealthArgs) -> Result<Place> {
    if let Some(url) = &args.url {
        return Ok(Place::Named(url.parse()?));
    }
    let (data_dir, listen, tls_cert) = (args.data_dir.clone(), args.listen, args.tls_cert.clone());
    let options = ServeOptions { data_dir, listen, tls_cert, ..ServeOptions::default() };
    let (options, _) = settings::with_file(&options, &args.config)?;
    let listen = reachable(options.listen.unwrap_or(Config::default().listen));
    let tls = options.tls_cert.is_some_and(|file| !file.as_os_str().is_empty());
    Ok(Place::Beside { listen, tls })
}

/// Whom to ask.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// Somebody by name, whose certificate must be right.
    Named(Address),
    /// The server on this machine. Its certificate is for another name than we come by.
    Beside { listen: SocketAddr, tls: bool },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(address) => address.fmt(f),
            Self::Beside { listen, tls } => write!(f, "http{}://{listen}", if *tls { "s" } else { "" }),
        }
    }
}

impl Place {
    async fn connect(&self) -> Result<Box<dyn Io>> {
        let (listen, tls) = match self {
            Self::Named(address) => {
                return Ok(Dialer::new(address.clone(), None)?.dial(Alpn::Http1).await?.stream);
            }
            Self::Beside { listen, tls } => (*listen, *tls),
        };
        let socket = TcpStream::connect(listen).await?;
        if !tls {
            return Ok(Box::new(socket));
        }
        let connector = TlsConnector::from(Arc::new(own::any_certificate()?));
        Ok(Box::new(connector.connect(ServerName::from(listen.ip()), socket).await?))
    }
}

/// "All addresses" is none that could be asked.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

async fn ask(place: &Place) -> Result<(StatusCode, String)> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(place.connect().await?)).await?;
    // It ends with the answer, or with this process.
    tokio::spawn(connection);
    let request = Request::get("/readyz").header(header::HOST, "localhost").body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
    let body = body.map_err(|error| anyhow::anyhow!("its answer cannot be read: {error}"))?;
    Ok((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use super::*;
    use crate::cli::ConfigArg;

    #[test]
    fn it_asks_where_the_server_listens() {
        let dir = tempfile::tempdir().unwrap();
        let of = |url: Option<&str>, listen: Option<&str>, file: &str| {
            let path = dir.path().join("settings.toml");
            std::fs::write(&path, file).unwrap();
            let args = HealthArgs {
                url: url.map(str::to_owned),
                listen: listen.map(|listen| listen.parse().unwrap()),
                tls_cert: None,
                config: ConfigArg { path: Some(path) },
                data_dir: None,
            };
            place(&args).unwrap().to_string()
        };
        assert_eq!(of(None, None, ""), "http://127.0.0.1:8080");
        assert_eq!(of(None, Some("0.0.0.0:80"), ""), "http://127.0.0.1:80");
        assert_eq!(of(None, Some("[::]:9000"), ""), "http://[::1]:9000");
        assert_eq!(of(None, None, "listen = \"10.0.0.7:9001\""), "http://10.0.0.7:9001");
        assert_eq!(of(None, None, "tls_cert = \"c.pem\"\ntls_key = \"k.pem\""), "https://127.0.0.1:8080");
        assert_eq!(of(None, None, "tls_cert = \"\""), "http://127.0.0.1:8080");
        assert_eq!(of(Some("https://chat.test"), Some("0.0.0.0:80"), ""), "https://chat.test");
    }
}
