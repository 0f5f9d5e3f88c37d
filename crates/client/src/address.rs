//! The address of a server: `http` or `https`, a host, a port. Nothing else, because the server's
//! paths are fixed and a path in the address would have to be guessed at.

use std::fmt;
use std::str::FromStr;

use http::Uri;

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    host: String,
    port: u16,
    secure: bool,
}

/// Why a text is not an [`Address`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a server's address: {why}; it looks like https://chat.example.org")]
pub struct BadAddress {
    text: String,
    why: &'static str,
}

impl Address {
    /// The name or literal address to look up, without brackets.
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The TCP port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// `https`.
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// What goes into `Host`: the port is left out where it is the scheme's own.
    pub fn authority(&self) -> String {
        if self.port == default_port(self.secure) {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// What goes into `Origin`, and what a person opens: `https://host[:port]`.
    pub fn origin(&self) -> String {
        format!("{}://{}", if self.secure { "https" } else { "http" }, self.authority())
    }

    /// What `CONNECT` names: the port is always there.
    pub(crate) fn authority_with_port(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The origin with a path behind it.
    pub fn join(&self, path_and_query: &str) -> String {
        format!("{}{path_and_query}", self.origin())
    }
}

const fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let bad = |why| BadAddress { text: text.to_owned(), why };
        let uri: Uri = text.trim().parse().map_err(|_| bad("it is no URL"))?;
        let secure = match uri.scheme_str() {
            Some("http" | "ws") => false,
            Some("https" | "wss") => true,
            Some(_) => return Err(bad("its scheme is neither http nor https")),
            None => return Err(bad("it does not begin with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| bad("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("a name and password do not belong into it"));
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(bad("it goes on after the host"));
        }
        if authority.host().is_empty() {
            return Err(bad("it has no host"));
        }
        // `Authority::port` hides a port that is too large.
        let port = match authority.as_str().strip_prefix(authority.host()).unwrap_or_default() {
            "" | ":" => default_port(secure),
            port => {
                port.trim_start_matches(':').parse().map_err(|_| bad("its port is no number up to 65535"))?
            }
        };
        Ok(Self { host: authority.host().to_ascii_lowercase(), port, secure })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_scheme_host_and_port() {
        let cases = [
            ("http://127.0.0.1:8080", "127.0.0.1", 8080, "http://127.0.0.1:8080"),
            ("https://Chat.Example.org/", "chat.example.org", 443, "https://chat.example.org"),
            ("https://chat.example.org:443", "chat.example.org", 443, "https://chat.example.org"),
            ("wss://chat.example.org:8443", "chat.example.org", 8443, "https://chat.example.org:8443"),
            ("http://[::1]:8080", "::1", 8080, "http://[::1]:8080"),
        ];
        for (text, host, port, origin) in cases {
            let address: Result<Address, _> = text.parse();
            let seen = address.as_ref().map(|address| (address.host(), address.port(), address.origin()));
            assert_eq!(seen, Ok((host, port, origin.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_reason() {
        let cases = [
            ("chat.example.org", "begin with"),
            ("ftp://chat.example.org", "neither"),
            ("http://", "URL"),
            ("http://ada:secret@host", "password"),
            ("http://host/room/7", "goes on"),
            ("http://host?x=1", "goes on"),
            ("http://host:99999", "port"),
            ("not a url", "URL"),
        ];
        for (text, reason) in cases {
            let refused = text.parse::<Address>().map_err(|error| error.to_string());
            assert!(refused.as_ref().is_err_and(|error| error.contains(reason)), "{text}: {refused:?}");
        }
    }
}
