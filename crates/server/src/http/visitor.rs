//! From where a request comes, and under which address it knows us.
//!
//! Our own TLS we see ourselves. Behind a proxy both are hearsay: `X-Forwarded-For` and `X-Forwarded-Proto` count only where the
//! socket's other end is a proxy that the operator trusts. Whoever can reach the server directly
//! must not choose the address that rate limits see.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};

use axum::extract::FromRequestParts;
use http::header::{HOST, HeaderName, USER_AGENT};
use http::request::Parts;
use http::uri::Authority;
use http::{Extensions, HeaderMap, Uri};

use super::user_agent;
use crate::accept::Connection;
use crate::app::App;
use crate::ops::Peer;
use crate::{Config, limits};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Whoever sends a request, signed in or not.
#[derive(Debug)]
pub(super) struct Visitor {
    /// For rate limits and the list of sessions.
    pub(super) peer: Peer,
    /// What links to us begin with, without a slash at the end.
    pub(super) base_url: String,
    /// Whether the browser's side of the connection is encrypted.
    pub(super) https: bool,
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(visitor(socket(&parts.extensions), &parts.headers, &parts.uri, &app.config))
    }
}

/// Whether the browser's side of the connection is encrypted, as far as we can know.
pub(crate) fn is_https(extensions: &Extensions, headers: &HeaderMap, config: &Config) -> bool {
    scheme(socket(extensions), headers, config) == "https"
}

/// The socket's other end, and whether we decrypt what comes from there.
#[derive(Debug, Clone, Copy)]
struct Socket {
    peer: IpAddr,
    tls: bool,
}

fn socket(extensions: &Extensions) -> Socket {
    let unknown = Socket { peer: IpAddr::V4(Ipv4Addr::UNSPECIFIED), tls: false };
    let known = |connection: &Connection| Socket { peer: connection.peer, tls: connection.tls };
    extensions.get().map_or(unknown, known)
}

fn visitor(socket: Socket, headers: &HeaderMap, uri: &Uri, config: &Config) -> Visitor {
    let scheme = scheme(socket, headers, config);
    let user_agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    Visitor {
        peer: Peer { address: address(socket.peer, headers, config), label: user_agent::label(user_agent) },
        base_url: match &config.public_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("{scheme}://{}", host(headers, uri, config)),
        },
        https: scheme == "https",
    }
}

fn scheme(socket: Socket, headers: &HeaderMap, config: &Config) -> &'static str {
    let is_https = |text: &str| text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("https"));
    let https = if let Some(url) = &config.public_url {
        is_https(url)
    } else {
        let told = text(headers, &X_FORWARDED_PROTO).filter(|_| config.trusts(socket.peer));
        told.map_or(socket.tls, is_https)
    };
    if https { "https" } else { "http" }
}

fn host(headers: &HeaderMap, uri: &Uri, config: &Config) -> String {
    let asked = text(headers, &HOST).and_then(|host| Authority::try_from(host).ok());
    let asked = asked.or_else(|| uri.authority().cloned());
    // Without the user part that an authority may have: it would make a link lie about its target.
    let asked = asked.filter(|authority| !authority.as_str().contains('@'));
    asked.map_or_else(|| config.listen.to_string(), |authority| authority.to_string())
}

/// The nearest address that is not one of our proxies. Each proxy appends whom it talked to, so the
/// list is read from its end.
fn address(socket: IpAddr, headers: &HeaderMap, config: &Config) -> IpAddr {
    let lines = headers.get_all(X_FORWARDED_FOR).into_iter().filter_map(|line| line.to_str().ok());
    let hops: Vec<&str> = lines.flat_map(|line| line.split(',')).collect();
    let mut nearest = socket;
    for hop in hops.iter().rev().take(limits::PROXIES_IN_A_ROW) {
        if !config.trusts(nearest) {
            break;
        }
        let Some(address) = parse_hop(hop) else { break };
        nearest = address;
    }
    nearest.to_canonical()
}

/// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1` or `[2001:db8::1]:4711`.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    hop.parse().ok().or_else(|| hop.parse::<std::net::SocketAddr>().ok().map(|address| address.ip()))
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn visit(socket: &str, lines: &[(&'static str, &'static str)], config: &Config) -> Visitor {
        visit_over(socket, false, lines, config)
    }

    fn visit_over(
        socket: &str,
        tls: bool,
        lines: &[(&'static str, &'static str)],
        config: &Config,
    ) -> Visitor {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let socket = Socket { peer: socket.parse().unwrap(), tls };
        visitor(socket, &headers, &Uri::from_static("/"), config)
    }

    #[test]
    fn only_a_trusted_proxy_can_tell_the_address() {
        let address = |socket: &str, lines: &[(&'static str, &'static str)]| {
            visit(socket, lines, &Config::default()).peer.address.to_string()
        };
        let forwarded = ("x-forwarded-for", "198.51.100.7, 192.0.2.1");
        assert_eq!(address("127.0.0.1", &[]), "127.0.0.1");
        assert_eq!(address("127.0.0.1", &[forwarded]), "192.0.2.1");
        assert_eq!(address("203.0.113.5", &[forwarded]), "203.0.113.5");
        assert_eq!(address("127.0.0.1", &[("x-forwarded-for", "192.0.2.1, 127.0.0.9")]), "192.0.2.1");
        assert_eq!(address("127.0.0.1", &[("x-forwarded-for", "[2001:db8::1]:4711")]), "2001:db8::1");
        assert_eq!(address("127.0.0.1", &[("x-forwarded-for", "unknown")]), "127.0.0.1");
        assert_eq!(address("::1", &[forwarded, ("x-forwarded-for", "192.0.2.2")]), "192.0.2.2");
    }

    #[test]
    fn links_begin_with_the_configured_address_or_the_one_asked_for() {
        let base = |socket: &str, lines: &[(&'static str, &'static str)], config: &Config| {
            let visitor = visit(socket, lines, config);
            (visitor.base_url, visitor.https)
        };
        let open = Config::default();
        let host = ("host", "chat.example.org:8080");
        let proto = ("x-forwarded-proto", "https");
        assert_eq!(base("127.0.0.1", &[host], &open), ("http://chat.example.org:8080".to_owned(), false));
        assert_eq!(
            base("127.0.0.1", &[host, proto], &open),
            ("https://chat.example.org:8080".to_owned(), true)
        );
        assert!(!base("203.0.113.5", &[host, proto], &open).1);
        assert_eq!(base("127.0.0.1", &[("host", "evil/x?y")], &open).0, "http://127.0.0.1:8080");
        assert_eq!(base("127.0.0.1", &[("host", "a@evil.example")], &open).0, "http://127.0.0.1:8080");
        let fixed = Config { public_url: Some("https://chat.example.org/".to_owned()), ..Config::default() };
        assert_eq!(
            base("203.0.113.5", &[("host", "x")], &fixed),
            ("https://chat.example.org".to_owned(), true)
        );
    }
    #[test]
    fn our_own_tls_is_known_and_a_trusted_proxy_may_know_better() {
        let base = |socket: &str, lines: &[(&'static str, &'static str)]| {
            visit_over(socket, true, lines, &Config::default()).base_url
        };
        let host = ("host", "chat.example.org");
        let proto = ("x-forwarded-proto", "http");
        assert_eq!(base("203.0.113.5", &[host]), "https://chat.example.org");
        assert_eq!(base("203.0.113.5", &[host, proto]), "https://chat.example.org");
        assert_eq!(base("127.0.0.1", &[host, proto]), "http://chat.example.org");
    }
}
