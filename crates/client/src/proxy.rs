//! The forward proxy that some networks let nobody out without: which one, for which servers, and
//! how to ask it for a connection.
//!
//! A WebSocket and everything inside TLS go through a tunnel (`CONNECT`, RFC 9110 9.3.6), because a
//! proxy that reads them would take the upgrade out. Requests in the clear are given to the proxy to
//! pass on (absolute-form, RFC 9112 3.2.2): many allow `CONNECT` to port 443 alone. So a WebSocket
//! to an `http://` server may well be refused where its event stream passes, and the fallback chain
//! does the rest. Only proxies that are spoken to in the clear are supported, no SOCKS and no PAC.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{Address, limits};

/// Which proxy is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ProxyPolicy {
    /// What `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say, in capitals or not.
    #[default]
    Environment,
    /// None, whatever the environment says.
    Direct,
    /// This one for every server.
    Through(Proxy),
}

/// A proxy: `http://[name:password@]host[:port]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// `Proxy-Authorization`.
    pub(crate) authorization: Option<HeaderValue>,
}

/// Why a text is not a [`Proxy`]. It does not repeat the text, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the proxy{from} cannot be used: {why}; it looks like http://proxy.example.org:3128")]
pub struct BadProxy {
    from: String,
    why: &'static str,
}

/// Shows no password: it must not reach a log.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let colon = self.host.contains(':');
        let (open, close) = if colon { ("[", "]") } else { ("", "") };
        write!(f, "http://{open}{}{close}:{}", self.host, self.port)
    }
}

impl FromStr for Proxy {
    type Err = BadProxy;

    fn from_str(text: &str) -> Result<Self, BadProxy> {
        let bad = |why| BadProxy { from: String::new(), why };
        let text = text.trim();
        let rest = match text.split_once("://") {
            None => text,
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some((scheme, _)) if scheme.to_ascii_lowercase().starts_with("socks") => {
                return Err(bad("SOCKS is not supported"));
            }
            Some(_) => return Err(bad("only proxies with http:// are supported")),
        };
        let (credentials, place) = match rest.rsplit_once('@') {
            Some((credentials, place)) => (Some(credentials), place),
            None => (None, rest),
        };
        let address: Address =
            format!("http://{place}").parse().map_err(|_| bad("it has no host, or goes on after it"))?;
        // `Address` does not say whether the port was given; 80 is what http:// means.
        let authorization = credentials.map(basic).transpose().map_err(bad)?;
        Ok(Self { host: address.host().to_owned(), port: address.port(), authorization })
    }
}

/// RFC 7617: the name and password of a URL, without its percent signs.
fn basic(credentials: &str) -> Result<HeaderValue, &'static str> {
    let (name, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let mut pair = decoded(name)?;
    pair.push(b':');
    pair.extend(decoded(password)?);
    let value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)));
    let mut value = value.map_err(|_| "its name and password cannot stand in a header")?;
    value.set_sensitive(true);
    Ok(value)
}

fn decoded(text: &str) -> Result<Vec<u8>, &'static str> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let Some((hex, behind)) = (first == b'%').then(|| after.split_at_checked(2)).flatten() else {
            bytes.push(first);
            rest = after;
            continue;
        };
        let hex = std::str::from_utf8(hex).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(hex.ok_or("there is a % in its name or password that begins no byte")?);
        rest = behind;
    }
    Ok(bytes)
}

impl ProxyPolicy {
    /// The proxy for a server, if there is one.
    pub fn for_server(&self, server: &Address) -> Result<Option<Proxy>, BadProxy> {
        match self {
            Self::Environment => from_environment(server, |name| std::env::var(name).ok()),
            Self::Direct => Ok(None),
            Self::Through(proxy) => Ok(Some(proxy.clone())),
        }
    }
}

/// As curl reads it: the name without capitals first, the scheme's own before the one for all.
fn from_environment(
    server: &Address,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Proxy>, BadProxy> {
    let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
    let either = |name: &str| set(&name.to_ascii_lowercase()).map(|value| (name.to_ascii_lowercase(), value));
    let capitals = |name: &str| set(name).map(|value| (name.to_owned(), value));
    if let Some((_, exceptions)) = either("NO_PROXY").or_else(|| capitals("NO_PROXY"))
        && is_excepted(server, &exceptions)
    {
        return Ok(None);
    }
    let own = if server.is_secure() { "HTTPS_PROXY" } else { "HTTP_PROXY" };
    // In a CGI program HTTP_PROXY is a request's header `Proxy` (CVE-2016-5385).
    let forged = own == "HTTP_PROXY" && variable("REQUEST_METHOD").is_some();
    let found = either(own)
        .or_else(|| if forged { None } else { capitals(own) })
        .or_else(|| either("ALL_PROXY"))
        .or_else(|| capitals("ALL_PROXY"));
    let Some((name, value)) = found else { return Ok(None) };
    value.parse().map(Some).map_err(|error: BadProxy| BadProxy { from: format!(" of {name}"), ..error })
}

/// `*`, `host`, `host:port`, `.domain` or `*.domain`; a name stands for what is below it, too. An
/// address may have a prefix length behind it.
fn is_excepted(server: &Address, exceptions: &str) -> bool {
    let host = server.host().trim_end_matches('.');
    let literal: Option<IpAddr> = host.parse().ok();
    exceptions.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        if entry == "*" {
            return true;
        }
        if let Some(address) = literal {
            return covers(entry, address, server.port());
        }
        let (name, port) = match entry.rsplit_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (entry, None),
        };
        let name = name.trim_start_matches('*').trim_start_matches('.').trim_end_matches('.');
        let below = |host: &str| {
            host.len() > name.len()
                && host[..host.len() - name.len()].ends_with('.')
                && host.to_ascii_lowercase().ends_with(&name.to_ascii_lowercase())
        };
        (host.eq_ignore_ascii_case(name) || below(host))
            && port.is_none_or(|port| port.parse() == Ok(server.port()))
    })
}

/// Whether an entry is this address, with or without a port, or a network that holds it.
fn covers(entry: &str, address: IpAddr, port: u16) -> bool {
    if let Ok(socket) = entry.parse::<std::net::SocketAddr>() {
        return socket.ip() == address && socket.port() == port;
    }
    let (network, prefix) = match entry.split_once('/') {
        Some((network, prefix)) => (network, prefix.parse().ok()),
        None => (entry, Some(128_u32)),
    };
    let network = network.trim_start_matches('[').trim_end_matches(']').parse();
    let (Ok(network), Some(prefix)) = (network, prefix) else { return false };
    let same = |one: u128, other: u128, bits: u32| {
        let kept = prefix.min(bits);
        kept == 0 || (one ^ other) >> (bits - kept) == 0
    };
    match (network, address) {
        (IpAddr::V4(one), IpAddr::V4(other)) => same(one.to_bits().into(), other.to_bits().into(), 32),
        (IpAddr::V6(one), IpAddr::V6(other)) => same(one.to_bits(), other.to_bits(), 128),
        _ => false,
    }
}

impl Proxy {
    /// Asks for a tunnel to the server. After it the stream is as one that leads there directly.
    pub(crate) async fn tunnel(&self, stream: &mut TcpStream, server: &Address) -> io::Result<()> {
        let target = server.authority_with_port();
        let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").into_bytes();
        if let Some(authorization) = &self.authorization {
            request.extend_from_slice(b"Proxy-Authorization: ");
            request.extend_from_slice(authorization.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        stream.write_all(&request).await?;
        let mut head = Vec::new();
        // Byte by byte, so that nothing is taken of what belongs to the tunnel.
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() >= limits::PROXY_HEAD_BYTES {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "its answer is too long"));
            }
            head.push(stream.read_u8().await?);
        }
        let line = String::from_utf8_lossy(&head);
        let line = line.lines().next().unwrap_or_default();
        let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..)).unwrap_or_default();
        if status.starts_with('2') {
            return Ok(());
        }
        let why = format!("it refused a tunnel: {}", line.escape_default());
        Err(io::Error::new(io::ErrorKind::ConnectionRefused, why))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use super::*;

    fn chosen(server: &str, environment: &[(&str, &str)]) -> Result<Option<String>, String> {
        let server = server.parse().map_err(|error: crate::address::BadAddress| error.to_string())?;
        let variable = |name: &str| {
            environment.iter().find(|(given, _)| *given == name).map(|(_, value)| (*value).to_owned())
        };
        let found = from_environment(&server, variable);
        found.map(|proxy| proxy.map(|proxy| proxy.to_string())).map_err(|error| error.to_string())
    }

    #[test]
    fn the_environment_names_a_proxy_for_each_scheme_and_one_for_all() {
        let all = [("HTTP_PROXY", "http://one:1"), ("https_proxy", "two:2"), ("ALL_PROXY", "http://three:3")];
        let (http, https) = ("http://chat.example.org", "https://chat.example.org");
        assert_eq!(chosen(http, &all), Ok(Some("http://one:1".to_owned())));
        assert_eq!(chosen(https, &all), Ok(Some("http://two:2".to_owned())));
        assert_eq!(chosen(https, &all[2..]), Ok(Some("http://three:3".to_owned())));
        assert_eq!(chosen(https, &[("HTTPS_PROXY", " ")]), Ok(None));
        assert_eq!(
            chosen(http, &[("HTTP_PROXY", "http://one:1"), ("http_proxy", "four")]).unwrap().unwrap(),
            "http://four:80"
        );
        assert_eq!(chosen(http, &[("HTTP_PROXY", "http://one:1"), ("REQUEST_METHOD", "GET")]), Ok(None));
        assert!(
            chosen(https, &[("ALL_PROXY", "socks5://one:1")])
                .is_err_and(|why| why.contains("of ALL_PROXY") && why.contains("SOCKS"))
        );
    }

    #[test]
    fn what_no_proxy_names_is_reached_directly() {
        let cases = [
            ("*", "https://chat.example.org", true),
            ("example.org", "https://chat.example.org", true),
            (".example.org", "https://chat.example.org", true),
            ("*.Example.org", "https://chat.example.org", true),
            ("example.org", "https://badexample.org", false),
            ("chat.example.org:8443", "https://chat.example.org", false),
            ("chat.example.org:443", "https://chat.example.org", true),
            ("localhost, 127.0.0.1", "http://127.0.0.1:8080", true),
            ("localhost,10.0.0.0/8", "http://10.1.2.3", true),
            ("10.0.0.0/8", "http://11.1.2.3", false),
            ("127.0.0.1:9", "http://127.0.0.1:8080", false),
            ("::1", "http://[::1]:8080", true),
            ("fd00::/8", "http://[fd12::1]", true),
            ("0.0.0.0/0", "http://[::1]", false),
            ("", "http://chat.example.org", false),
        ];
        for (exceptions, server, direct) in cases {
            let found = chosen(server, &[("no_proxy", exceptions), ("all_proxy", "http://proxy:1")]);
            assert_eq!(found.map(|proxy| proxy.is_none()), Ok(direct), "{exceptions} and {server}");
        }
    }

    #[test]
    fn a_proxys_name_and_password_are_sent_and_never_shown() {
        let proxy: Proxy = "http://ada:p%40ss%3a@proxy.example.org:3128".parse().unwrap();
        assert_eq!(proxy.authorization.as_ref().unwrap(), &format!("Basic {}", STANDARD.encode("ada:p@ss:")));
        assert_eq!(format!("{proxy:?}"), "http://proxy.example.org:3128");
        for bad in [
            "",
            "http://",
            "https://proxy:1",
            "http://proxy:99999",
            "http://a%zz:b@proxy",
            "http://proxy/path",
        ] {
            assert!(bad.parse::<Proxy>().is_err(), "{bad}");
        }
    }
}
