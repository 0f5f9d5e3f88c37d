//! What to change, for the proxies that teams really have.

use std::collections::BTreeSet;

use serde::Serialize;

/// What went wrong, as far as an administrator can mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// `Upgrade` or `Connection` do not arrive, or the 101 does not come back.
    Upgrade,
    /// A stream is held back until it ends.
    Buffered,
    /// Quiet connections are cut.
    Idle,
    /// TLS with somebody whom we do not trust.
    Certificate,
    /// Somebody else answers.
    Foreign,
}

/// A piece of advice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Advice {
    pub(super) what: String,
    pub(super) how: &'static str,
}

/// The proxies that say who they are, by a word in `Server` or `Via`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proxy {
    Nginx,
    Haproxy,
    Apache,
    Caddy,
    Unknown,
}

const NGINX: &str = "\
location / {
    proxy_pass http://127.0.0.1:8080;
    proxy_http_version 1.1;
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;
    proxy_buffering off;
    proxy_read_timeout 75s;
}
# and once, in http { }:
map $http_upgrade $connection_upgrade { default upgrade; '' ''; }";

const HAPROXY: &str = "\
defaults
    mode http
    timeout client 75s
    timeout server 75s
    timeout tunnel 1h
backend switchback
    option forwardfor
    server switchback 127.0.0.1:8080
# HAProxy passes Upgrade and streams by itself; look for `http-request del-header Upgrade`,
# `option http-buffer-request` and short `timeout` lines.";

const APACHE: &str = "\
# a2enmod proxy proxy_http headers
ProxyPreserveHost On
ProxyPass / http://127.0.0.1:8080/ upgrade=websocket flushpackets=on timeout=75
RequestHeader set X-Forwarded-Proto expr=%{REQUEST_SCHEME}
# and no mod_deflate for event streams:
SetEnvIf Request_URI ^/chat no-gzip";

const CADDY: &str = "\
chat.example.org {
    reverse_proxy 127.0.0.1:8080 {
        flush_interval -1
    }
}
# Caddy passes Upgrade by itself; look for `header_up -Upgrade` and for another proxy behind it.";

const ANY: &str = "\
- pass `Upgrade` and `Connection` on to the server, over HTTP/1.1, and its 101 back;
- do not buffer answers of type text/event-stream (the server says X-Accel-Buffering: no);
- let a connection be quiet for 60 seconds (the server speaks every 20).";

const CERTIFICATE: &str = "\
- If your company reads TLS on its way (many do), ask for its authority's certificate and give it
  with --ca-file company.pem. Browsers there have it already.
- If the server has a certificate of its own making, give that one.
- If the name is not in the certificate, open the address that is.";

const FOREIGN: &str = "\
- In a hotel, on a train: open any page in a browser and sign in to the network first.
- Otherwise the address is another server's, or a proxy does not know where Switchback is.";

/// What to do about these troubles, each at most once.
pub(super) fn of(troubles: &[Trouble], proxies: &BTreeSet<String>) -> Vec<Advice> {
    let mut advice = Vec::new();
    let has = |trouble| troubles.contains(&trouble);
    if has(Trouble::Certificate) {
        advice.push(Advice { what: "The certificate is not trusted:".to_owned(), how: CERTIFICATE });
    }
    if has(Trouble::Foreign) {
        advice.push(Advice { what: "Somebody else answers for the server:".to_owned(), how: FOREIGN });
    }
    let wishes = [
        (Trouble::Upgrade, "let WebSocket through"),
        (Trouble::Buffered, "not hold streams back"),
        (Trouble::Idle, "leave quiet connections open"),
    ];
    let wishes: Vec<&str> =
        wishes.iter().filter(|(trouble, _)| has(*trouble)).map(|(_, wish)| *wish).collect();
    if !wishes.is_empty() {
        let (name, how) = snippet(known(proxies));
        advice.push(Advice { what: format!("To {}, {name}:", wishes.join(" and to ")), how });
    }
    advice
}

const fn snippet(proxy: Proxy) -> (&'static str, &'static str) {
    match proxy {
        Proxy::Nginx => ("give nginx these lines", NGINX),
        Proxy::Haproxy => ("give HAProxy these lines", HAPROXY),
        Proxy::Apache => ("give Apache these lines", APACHE),
        Proxy::Caddy => ("give Caddy these lines", CADDY),
        Proxy::Unknown => ("every proxy on the way has to", ANY),
    }
}

fn known(proxies: &BTreeSet<String>) -> Proxy {
    let says = |word: &str| proxies.iter().any(|proxy| proxy.to_ascii_lowercase().contains(word));
    if says("nginx") || says("openresty") {
        Proxy::Nginx
    } else if says("haproxy") {
        Proxy::Haproxy
    } else if says("apache") || says("httpd") {
        Proxy::Apache
    } else if says("caddy") {
        Proxy::Caddy
    } else {
        Proxy::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proxy_that_was_seen_gets_its_own_lines() {
        let advised = |proxy: &str| {
            let proxies = BTreeSet::from([proxy.to_owned()]);
            of(&[Trouble::Upgrade, Trouble::Buffered], &proxies).first().map(|advice| advice.how)
        };
        assert_eq!(advised("Server: nginx/1.22.1"), Some(NGINX));
        assert_eq!(advised("Via: 1.1 haproxy"), Some(HAPROXY));
        assert_eq!(advised("Server: Apache/2.4.57 (Debian)"), Some(APACHE));
        assert_eq!(advised("Via: 1.1 Caddy"), Some(CADDY));
        assert_eq!(advised("Via: 1.1 squid"), Some(ANY));
    }

    #[test]
    fn where_nothing_is_wrong_there_is_no_advice() {
        assert_eq!(of(&[], &BTreeSet::new()), []);
    }
}
