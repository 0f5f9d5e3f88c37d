//! Whether a browser sent this request from another site. A cookie goes along with those too, so
//! for them it counts for nothing.
//!
//! `Sec-Fetch-Site` (W3C Fetch Metadata) is believed where it is there: pages cannot set it. Where
//! it is not (plain HTTP, old browsers, WebSocket in some), `Origin` must name the host that was
//! asked (RFC 6454 7).

use http::HeaderMap;
use http::header::{HOST, HeaderName, ORIGIN};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether another site's page sent it. `authority`: what was asked for, if not in `Host` (HTTP/2).
pub(crate) fn is_foreign(headers: &HeaderMap, authority: Option<&str>, public_url: Option<&str>) -> bool {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some("same-origin" | "none") = text(SEC_FETCH_SITE) {
        return false;
    }
    let Some(origin) = text(ORIGIN) else {
        return text(SEC_FETCH_SITE).is_some();
    };
    let own = text(HOST).or(authority);
    !is_own(origin, own, public_url)
}

fn is_own(origin: &str, host: Option<&str>, public_url: Option<&str>) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    if host.is_some_and(|host| host.eq_ignore_ascii_case(authority)) {
        return true;
    }
    public_url.and_then(|url| url.split_once("://")).is_some_and(|(own_scheme, rest)| {
        let own = rest.split('/').next().unwrap_or_default();
        own_scheme.eq_ignore_ascii_case(scheme) && own.eq_ignore_ascii_case(authority)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn foreign(lines: &[(&'static str, &'static str)]) -> bool {
        let lines = lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        is_foreign(&lines.collect(), None, Some("https://chat.example.org/"))
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
        assert!(foreign(&[host, ("sec-fetch-site", "cross-site")]));
        assert!(foreign(&[host, ("sec-fetch-site", "same-site"), ("origin", "http://b.example")]));
    }
}
