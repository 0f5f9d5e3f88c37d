//! The web client's files, embedded in the binary and served for ever.
//!
//! All of them live below one prefix that holds a hash over all of them: modules import each other
//! by relative paths, so a page of one version can never mix with files of another, and nothing has
//! to be rewritten or built. The price: after an update a browser fetches all of them anew (about
//! 120 kB, compressed). So they are sent without their [`comments`], and the chat's style sheets as one.

mod comments;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{LazyLock, OnceLock};

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION, VARY,
};
use http::{HeaderMap, StatusCode};
use rust_embed::RustEmbed;
use sha2::{Digest as _, Sha256};

use crate::app::App;

/// Everything under `web/` that a browser may ask for.
#[derive(RustEmbed)]
#[folder = "../../web"]
#[include = "main.js"]
#[include = "manifest.webmanifest"]
#[include = "icons/*"]
#[include = "net/*.js"]
#[include = "state/*.js"]
#[include = "styles/*.css"]
#[include = "ui/*.js"]
#[include = "vendor/*.js"]
#[exclude = "node_modules/*"]
struct Files;

/// Bytes of a hash in an address or an `ETag`: enough that no two versions meet.
const HASH_BYTES: usize = 8;
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// For what has no hash in its address.
const A_DAY: &str = "public, max-age=86400";

/// Style sheets of pages outside the chat; the chat's shell loads the others and the first.
const PAGE_STYLES: [&str; 2] = ["styles/base.css", "styles/pages.css"];
/// All others, one after the other.
const CHAT_STYLE: &str = "styles/chat.css";
/// Loaded by every page before it is drawn, and not a module.
const EARLY_SCRIPT: &str = "ui/theme-early.js";
const FAVICON: &str = "icons/icon-32.png";

/// The embedded files.
pub(super) struct Assets {
    /// `/assets/<hash>`, without a slash at the end.
    pub(super) prefix: String,
    /// The shell's style sheet, below the prefix.
    pub(super) style: &'static str,
    /// The shell's modules, below the prefix.
    pub(super) modules: Vec<String>,
    hash: String,
    files: BTreeMap<String, Asset>,
}

struct Asset {
    content: Bytes,
    content_type: &'static str,
    hash: String,
    /// Smaller, if it is: made when it is first asked for.
    gzip: OnceLock<Option<Bytes>>,
}

static ASSETS: LazyLock<Assets> = LazyLock::new(Assets::load);

/// The embedded files, read when first asked for.
pub(super) fn assets() -> &'static Assets {
    &ASSETS
}

/// Their routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/assets/{hash}/{*path}", get(asset))
        .route("/favicon.ico", get(favicon))
        .route("/manifest.webmanifest", get(manifest))
}

async fn asset(Path((hash, path)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let assets = assets();
    let Some(asset) = assets.files.get(&path).filter(|_| hash == assets.hash) else {
        return (StatusCode::NOT_FOUND, "there is no such file in this version\n").into_response();
    };
    asset.respond(&headers, FOR_EVER)
}

async fn favicon(headers: HeaderMap) -> Response {
    match assets().files.get(FAVICON) {
        Some(icon) => icon.respond(&headers, A_DAY),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn manifest() -> Response {
    let location = format!("{}/manifest.webmanifest", assets().prefix);
    (StatusCode::FOUND, [(LOCATION, location)]).into_response()
}

impl Assets {
    fn load() -> Self {
        let names = Files::iter().map(Cow::into_owned);
        let mut contents: BTreeMap<String, Bytes> =
            names.filter_map(|name| Some((name.clone(), read(&name)?))).collect();
        let is_chat_style =
            |name: &String| name.starts_with("styles/") && !PAGE_STYLES.contains(&name.as_str());
        let chat_style: Vec<Bytes> =
            contents.extract_if(.., |name, _| is_chat_style(name)).map(|(_, style)| style).collect();
        contents.insert(CHAT_STYLE.to_owned(), Bytes::from(chat_style.concat()));
        let files: BTreeMap<String, Asset> =
            contents.into_iter().map(|(name, content)| (name.clone(), Asset::new(&name, content))).collect();
        let mut hasher = Sha256::new();
        for (name, asset) in &files {
            hasher.update(format!("{name}\0{}\0", asset.hash));
        }
        let hash = hex(&hasher.finalize());
        let starting = |prefix: &str, but: &[&str]| -> Vec<String> {
            files
                .keys()
                .filter(|name| name.starts_with(prefix) && !but.contains(&name.as_str()))
                .cloned()
                .collect()
        };
        let modules = ["net/", "state/", "ui/", "vendor/"].map(|prefix| starting(prefix, &[EARLY_SCRIPT]));
        Self { prefix: format!("/assets/{hash}"), style: CHAT_STYLE, modules: modules.concat(), hash, files }
    }
}

/// A file as it is sent.
fn read(name: &str) -> Option<Bytes> {
    let content = Files::get(name)?.data;
    // What is vendored has no comment but its licence.
    let is_text = matches!(name.rsplit('.').next(), Some("js" | "css"));
    let has_comments = is_text && !name.starts_with("vendor/");
    if has_comments && let Ok(text) = std::str::from_utf8(&content) {
        return Some(Bytes::from(comments::without_comments(text)));
    }
    Some(match content {
        Cow::Borrowed(embedded) => Bytes::from_static(embedded),
        Cow::Owned(read) => Bytes::from(read),
    })
}

impl Asset {
    fn new(name: &str, content: Bytes) -> Self {
        let hash = hex(&Sha256::digest(&content));
        Self { content, content_type: content_type(name), hash, gzip: OnceLock::new() }
    }

    fn respond(&self, headers: &HeaderMap, cache: &'static str) -> Response {
        let zipped = self.gzip().filter(|_| accepts_gzip(headers));
        let suffix = if zipped.is_some() { "-gz" } else { "" };
        let etag = format!("\"{}{suffix}\"", self.hash);
        let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        let caching =
            [(ETAG, etag.clone()), (CACHE_CONTROL, cache.to_owned()), (VARY, "accept-encoding".to_owned())];
        if known.is_some_and(|known| matches(known, &etag)) {
            return (StatusCode::NOT_MODIFIED, caching).into_response();
        }
        let content_type = [(CONTENT_TYPE, self.content_type)];
        match zipped {
            Some(zipped) => (caching, content_type, [(CONTENT_ENCODING, "gzip")], zipped).into_response(),
            None => (caching, content_type, self.content.clone()).into_response(),
        }
    }

    fn gzip(&self) -> Option<Bytes> {
        self.gzip.get_or_init(|| compress(&self.content)).clone()
    }
}

/// `None`: it would not become smaller (pictures are compressed already).
fn compress(content: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).ok()?;
    let zipped = encoder.finish().ok()?;
    (zipped.len() < content.len()).then(|| Bytes::from(zipped))
}

/// Whether gzip is among what the peer takes (RFC 9110 12.5.3).
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT_ENCODING).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let refused = parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
        matches!(name.to_ascii_lowercase().as_str(), "gzip" | "*") && !refused
    })
}

/// Whether `If-None-Match` names this tag (RFC 9110 13.1.2; weak comparison).
fn matches(known: &str, etag: &str) -> bool {
    known.trim() == "*" || known.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag)
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "webmanifest" => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

fn hex(digest: &[u8]) -> String {
    digest.iter().take(HASH_BYTES).fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_the_browser_needs_is_there_and_nothing_else() {
        let names: Vec<&str> = assets().files.keys().map(String::as_str).collect();
        for name in ["manifest.webmanifest", "styles/base.css", "vendor/lit.js", FAVICON, EARLY_SCRIPT] {
            assert!(names.contains(&name), "{name} is missing");
        }
        let dev = |name: &&str| {
            let ending = name.rsplit('.').next().unwrap_or_default();
            name.contains("node_modules") || name.starts_with("test/") || matches!(ending, "ts" | "json")
        };
        assert_eq!(names.iter().copied().find(dev), None);
        let unknown = names.iter().find(|name| content_type(name) == "application/octet-stream");
        assert_eq!(unknown, None, "a content type is missing");
        let styles: Vec<&str> = names.iter().copied().filter(|name| name.starts_with("styles/")).collect();
        assert_eq!(styles, ["styles/base.css", CHAT_STYLE, "styles/pages.css"]);
        assert!(!assets().modules.iter().any(|module| module == EARLY_SCRIPT));
    }

    #[test]
    fn what_is_sent_has_no_comments_of_ours() {
        for (name, asset) in &assets().files {
            let text = std::str::from_utf8(&asset.content).unwrap_or_default();
            let is_ours = !name.starts_with("vendor/");
            assert!(!is_ours || !text.contains("/**") && !text.starts_with("//"), "{name}");
        }
        let style = std::str::from_utf8(&assets().files[CHAT_STYLE].content).unwrap();
        assert!(style.contains("sb-timeline {") && style.contains(".side-link"), "all sheets are in it");
        let lit = std::str::from_utf8(&assets().files["vendor/lit.js"].content).unwrap();
        assert!(lit.contains("BSD-3-Clause"), "its licence stays");
    }

    #[test]
    fn gzip_is_sent_to_those_who_take_it_where_it_helps() {
        let accept =
            |value: &'static str| HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(value))]);
        assert!(accepts_gzip(&accept("br, gzip;q=0.8")));
        assert!(accepts_gzip(&accept("*")));
        assert!(!accepts_gzip(&accept("gzip;q=0, br")));
        assert!(!accepts_gzip(&HeaderMap::new()));
        assert!(compress(&[7; 1_000]).unwrap().len() < 100);
        assert!(compress(b"x").is_none());
    }

    #[test]
    fn a_tag_is_found_in_a_list() {
        assert!(matches("\"a\", W/\"b\"", "\"b\"") && matches("*", "\"b\""));
        assert!(!matches("\"a\"", "\"b\""));
    }
}
