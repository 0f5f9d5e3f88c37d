//! The session's cookie on its way to the browser: out of reach for scripts, sent along only when
//! our own pages ask or when somebody follows a link to us (RFC 6265bis).

use axum::response::{AppendHeaders, IntoResponseParts};
use cookie::time::Duration;
use cookie::{Cookie, SameSite};
use http::header::SET_COOKIE;

use super::credential::{COOKIE_NAME, SECURE_COOKIE_NAME};
use crate::limits;

/// Gives the browser its session. `https`: for such connections alone, from then on.
pub(super) fn set(secret: &str, https: bool) -> impl IntoResponseParts + use<> {
    let name = if https { SECURE_COOKIE_NAME } else { COOKIE_NAME };
    let cookie = session(name, secret.to_owned(), Duration::seconds(i64::from(limits::SESSION_COOKIE_S)));
    AppendHeaders([(SET_COOKIE, cookie.to_string())])
}

/// Takes the session away, by whichever name it was given.
pub(super) fn clear() -> impl IntoResponseParts + use<> {
    let cleared = [COOKIE_NAME, SECURE_COOKIE_NAME].map(|name| session(name, String::new(), Duration::ZERO));
    AppendHeaders(cleared.map(|cookie| (SET_COOKIE, cookie.to_string())))
}

fn session(name: &'static str, value: String, max_age: Duration) -> Cookie<'static> {
    Cookie::build((name, value))
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(name == SECURE_COOKIE_NAME)
        .path("/")
        .max_age(max_age)
        .build()
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;

    use super::*;

    fn lines(parts: impl IntoResponseParts) -> Vec<String> {
        let response = (parts, ()).into_response();
        response
            .headers()
            .get_all(SET_COOKIE)
            .iter()
            .map(|line| format!("{line:?}").replace('"', ""))
            .collect()
    }

    #[test]
    fn over_https_the_cookie_is_bound_to_host_and_tls() {
        let plain = "switchback_session=abc; HttpOnly; SameSite=Lax; Path=/; Max-Age=34560000";
        assert_eq!(lines(set("abc", false)), [plain]);
        let secure =
            "__Host-switchback_session=abc; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=34560000";
        assert_eq!(lines(set("abc", true)), [secure]);
    }

    #[test]
    fn signing_out_clears_both_names() {
        let cleared = lines(clear());
        assert_eq!(cleared.len(), 2);
        assert!(
            cleared.iter().all(|line| line.contains("session=;") && line.contains("Max-Age=0")),
            "{cleared:?}"
        );
    }
}
