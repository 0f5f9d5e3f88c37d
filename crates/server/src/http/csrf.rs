//! Whether a browser sent this request from another site. A cookie goes along with those too, so
//! for them it counts for nothing.
//!
//! `Sec-Fetch-Site` (W3C Fetch Metadata) is believed where it is there: pages cannot set it. Where
//! it is not (plain HTTP, old browsers, WebSocket in some), `Origin` must name the host that was
//! asked (RFC 6454 7).

use http::header::{HOST, HeaderName, ORIGIN};
use http::{HeaderMap, Request};

use super::visitor;
use crate::Config;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What we are known by.
#[derive(Debug, Clone, Copy)]
struct Own<'r> {
    /// What was asked for, if not in `Host` (HTTP/2).
    authority: Option<&'r str>,
    public_url: Option<&'r str>,
    /// The browser's side of this connection is known to be encrypted.
    https: bool,
}

/// Whether another site's page sent it.
pub(crate) fn is_foreign<B>(request: &Request<B>, config: &Config) -> bool {
    let own = Own {
        authority: request.uri().authority().map(http::uri::Authority::as_str),
        public_url: config.public_url.as_deref(),
        https: visitor::is_https(request.extensions(), request.headers(), config),
    };
    is_from_elsewhere(request.headers(), own)
}

fn is_from_elsewhere(headers: &HeaderMap, own: Own<'_>) -> bool {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some("same-origin" | "none") = text(SEC_FETCH_SITE) {
        return false;
    }
    let Some(origin) = text(ORIGIN) else {
        return text(SEC_FETCH_SITE).is_some();
    };
    !is_own(origin, text(HOST).or(own.authority), own)
}

fn is_own(origin: &str, host: Option<&str>, own: Own<'_>) -> bool {
    let Some((scheme, authority)) = web_address(origin) else { return false };
    let is_same =
        |other: &str| without_port(other, scheme).eq_ignore_ascii_case(without_port(authority, scheme));
    if let Some((own_scheme, rest)) = own.public_url.and_then(web_address)
        && is_same(rest.split('/').next().unwrap_or_default())
    {
        // Known by this address, we are known by its scheme too: in the clear, anybody on the way
        // could have written the page.
        return own_scheme == scheme;
    }
    if own.https && scheme != "https" {
        return false;
    }
    host.is_some_and(is_same)
}

/// Scheme and what follows it, of an address on the web.
fn web_address(url: &str) -> Option<(&'static str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let known = ["http", "https"].into_iter().find(|known| known.eq_ignore_ascii_case(scheme))?;
    Some((known, rest))
}

/// Browsers leave a scheme's own port out of `Origin`; some proxies put it into `Host`.
fn without_port<'a>(authority: &'a str, scheme: &str) -> &'a str {
    let port = if scheme == "https" { ":443" } else { ":80" };
    authority.strip_suffix(port).unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn foreign(lines: &[(&'static str, &'static str)]) -> bool {
        let own = Own { authority: None, public_url: Some("https://chat.example.org/"), https: false };
        foreign_to(own, lines)
    }

    fn foreign_to(own: Own<'_>, lines: &[(&'static str, &'static str)]) -> bool {
        let lines = lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        is_from_elsewhere(&lines.collect(), own)
    }

    #[test]
    fn only_the_own_site_passes() {
        let host = ("host", "127.0.0.1:8080");
        assert!(!foreign(&[host]));
        assert!(!foreign(&[host, ("origin", "http://127.0.0.1:8080")]));
        assert!(!foreign(&[host, ("origin", "https://chat.example.org")]));
        assert!(!foreign(&[host, ("origin", "https://other.example"), ("sec-fetch-site", "same-origin")]));
        assert!(!foreign(&[host, ("sec-fetch-site", "none")]));
        assert!(foreign(&[host, ("origin", "https://evil.example")]));
        assert!(foreign(&[host, ("origin", "http://127.0.0.1:8081")]));
        assert!(foreign(&[host, ("origin", "http://chat.example.org")]));
        assert!(foreign(&[host, ("origin", "null")]));
        assert!(foreign(&[host, ("origin", "ftp://127.0.0.1:8080")]));
        assert!(foreign(&[host, ("origin", "https://chat.example.org.")]));
        assert!(foreign(&[host, ("sec-fetch-site", "cross-site")]));
        assert!(foreign(&[host, ("sec-fetch-site", "same-site"), ("origin", "http://b.example")]));
    }

    #[test]
    fn a_scheme_has_a_port_of_its_own() {
        let origin = |host, origin| foreign(&[("host", host), ("origin", origin)]);
        assert!(!origin("a.example:443", "https://a.example"));
        assert!(!origin("a.example", "http://a.example:80"));
        assert!(!origin("[::1]", "http://[::1]:80"));
        assert!(origin("a.example:443", "http://a.example"));
        assert!(origin("a.example", "https://a.example:80"));
    }

    #[test]
    fn where_the_scheme_is_known_a_page_sent_in_the_clear_is_not_ours() {
        let origin = |origin| foreign(&[("host", "chat.example.org"), ("origin", origin)]);
        assert!(!origin("https://Chat.example.org"));
        assert!(origin("http://chat.example.org"));
        let encrypted = Own { authority: Some("a.example:8443"), public_url: None, https: true };
        assert!(!foreign_to(encrypted, &[("origin", "https://a.example:8443")]));
        assert!(foreign_to(encrypted, &[("origin", "http://a.example:8443")]));
        let unknown = Own { https: false, ..encrypted };
        assert!(!foreign_to(unknown, &[("origin", "https://a.example:8443")]));
    }
}
