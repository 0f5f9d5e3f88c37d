//! Which credential a request presents: `Authorization: Bearer` (RFC 6750 2.1) or the session's
//! cookie. Where both are there, the token counts: whoever sets it means it.

use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE};

/// The session's cookie over plain HTTP.
pub(crate) const COOKIE_NAME: &str = "switchback_session";
/// The session's cookie over HTTPS: browsers take it only if it is `Secure`, for this host alone
/// and for `/` (RFC 6265bis 4.1.3.2).
pub(crate) const SECURE_COOKIE_NAME: &str = "__Host-switchback_session";

/// A secret that a request presents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presented<'h> {
    /// Sent by the browser by itself: the request's origin must be checked.
    Cookie(&'h str),
    /// Set by a program.
    Bearer(&'h str),
}

impl<'h> Presented<'h> {
    /// The secret.
    pub(crate) const fn secret(self) -> &'h str {
        match self {
            Self::Cookie(secret) | Self::Bearer(secret) => secret,
        }
    }
}

/// What the request presents, if anything.
pub(crate) fn presented(headers: &HeaderMap) -> Option<Presented<'_>> {
    bearer(headers).map(Presented::Bearer).or_else(|| cookie(headers).map(Presented::Cookie))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The secure cookie counts before the plain one: the plain one may be left over from before TLS.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    named(headers, SECURE_COOKIE_NAME).or_else(|| named(headers, COOKIE_NAME))
}

fn named<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
}
