//! The last word over a message's HTML: an allow-list, applied to the parsed tree.
//!
//! Nothing here knows how the HTML came about. What is not listed is dropped (a tag leaves its text
//! behind, script and style do not), so that a mistake in the renderer, or in the parser under it,
//! costs looks and not safety.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use ammonia::{Builder, UrlRelative};
use uuid::Uuid;

/// The schemes a link may have.
pub(super) const LINK_SCHEMES: [&str; 3] = ["http", "https", "mailto"];

const TAGS: [&str; 20] = [
    "a",
    "blockquote",
    "br",
    "code",
    "del",
    "em",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "span",
    "strong",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
];

/// Classes that stand alone.
const CLASSES: [&str; 7] =
    ["mention", "mention-room", "heading", "task", "align-left", "align-center", "align-right"];
/// Classes of highlighted code, and of its language.
const CLASS_PREFIXES: [&str; 2] = ["hl-", "language-"];

static SANITIZER: LazyLock<Builder<'static>> = LazyLock::new(sanitizer);

/// How often HTML is read again at most, until it reads the same.
const PASSES_MAX: usize = 8;

/// What of `html` may be shown. Its own output passes unchanged.
pub(super) fn clean(html: &str) -> String {
    let mut clean = pass(html);
    // What a dropped tag leaves behind may stand where a parser would move it from (text in a table).
    for _ in 0..PASSES_MAX {
        let again = pass(&clean);
        if again == clean {
            break;
        }
        clean = again;
    }
    clean
}

fn pass(html: &str) -> String {
    let clean = SANITIZER.clean(html).to_string();
    // A parser drops a byte order mark at the beginning: what comes first now was not first before.
    clean.trim_start_matches('\u{feff}').to_owned()
}

fn sanitizer() -> Builder<'static> {
    let attributes = HashMap::from([
        ("a", HashSet::from(["href"])),
        ("code", HashSet::from(["class"])),
        ("ol", HashSet::from(["start"])),
        ("p", HashSet::from(["class"])),
        ("span", HashSet::from(["class", "data-user"])),
        ("td", HashSet::from(["class"])),
        ("th", HashSet::from(["class"])),
    ]);
    // Not `noreferrer` alone: a page opened by a link must have no hold on ours.
    let on_links = HashMap::from([("a", HashMap::from([("target", "_blank")]))]);
    let mut builder = Builder::empty();
    builder
        .tags(HashSet::from(TAGS))
        .clean_content_tags(HashSet::from(["script", "style"]))
        .tag_attributes(attributes)
        .set_tag_attribute_values(on_links)
        .generic_attributes(HashSet::new())
        .url_schemes(HashSet::from(LINK_SCHEMES))
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer nofollow"))
        .strip_comments(true)
        .attribute_filter(|_tag, attribute, value| filter(attribute, value));
    builder
}

/// What of an attribute's value may stay; `None` drops the attribute.
fn filter<'v>(attribute: &str, value: &'v str) -> Option<Cow<'v, str>> {
    let keep = |keep: bool| keep.then_some(Cow::Borrowed(value));
    match attribute {
        "class" => classes(value),
        "data-user" => keep(Uuid::try_parse(value).is_ok()),
        "start" => keep(value.parse::<u32>().is_ok()),
        _ => keep(true),
    }
}

fn classes(value: &str) -> Option<Cow<'_, str>> {
    let known: Vec<&str> = value.split_ascii_whitespace().filter(|class| is_known(class)).collect();
    (!known.is_empty()).then(|| Cow::Owned(known.join(" ")))
}

fn is_known(class: &str) -> bool {
    let plain = |rest: &str| {
        !rest.is_empty()
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+' | b'#'))
    };
    CLASSES.contains(&class)
        || CLASS_PREFIXES.iter().filter_map(|prefix| class.strip_prefix(prefix)).any(plain)
}
