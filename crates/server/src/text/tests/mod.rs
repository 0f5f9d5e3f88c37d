//! What people type and what everybody sees, attacks, and inputs made to hurt.

mod attacks;
mod bounds;
mod rendering;

use std::collections::HashMap;

use switchback_core::{Handle, UserId};
use uuid::Uuid;

/// `ada` and `bob` are known; their ids end in 1 and 2.
fn known() -> HashMap<Handle, UserId> {
    let user = |name, id| (Handle::new(name).ok(), UserId::from_uuid(Uuid::from_u128(id)));
    [user("ada", 1), user("bob", 2)].into_iter().filter_map(|(name, id)| Some((name?, id))).collect()
}

fn to_html(body: &str) -> String {
    super::to_html(body, &known())
}

/// Reads HTML as strictly as a machine may write it: every `<` opens a listed tag, with listed
/// attributes in double quotes, with the values they may have. Independent of the sanitizer.
fn assert_harmless(html: &str, source: &str) {
    let mut rest = html;
    while let Some(start) = rest.find(['<', '>']) {
        assert!(rest[start..].starts_with('<'), "a lone `>` in {html:?} of {source:?}");
        let Some(end) = rest[start..].find('>') else { panic!("an open tag in {html:?} of {source:?}") };
        let tag = &rest[start + 1..start + end];
        assert!(is_harmless(tag), "<{tag}> in {html:?} of {source:?}");
        rest = &rest[start + end + 1..];
    }
}

fn is_harmless(tag: &str) -> bool {
    const NAMES: [&str; 20] = [
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
    if let Some(name) = tag.strip_prefix('/') {
        return NAMES.contains(&name);
    }
    let (name, mut attributes) = tag.split_once(' ').unwrap_or((tag, ""));
    while !attributes.is_empty() {
        let Some((attribute, rest)) = attributes.split_once("=\"") else { return false };
        let Some((value, rest)) = rest.split_once('"') else { return false };
        if !is_harmless_attribute(name, attribute, value) {
            return false;
        }
        attributes = rest.trim_start_matches(' ');
    }
    NAMES.contains(&name)
}

fn is_harmless_attribute(tag: &str, attribute: &str, value: &str) -> bool {
    let of_classes = |c: char| c.is_ascii_alphanumeric() || "-_+# ".contains(c);
    match (tag, attribute) {
        ("a", "href") => ["http://", "https://", "mailto:"]
            .iter()
            .any(|scheme| value.to_ascii_lowercase().starts_with(scheme)),
        ("a", "rel") => value == "noopener noreferrer nofollow",
        ("a", "target") => value == "_blank",
        ("code" | "p" | "span" | "td" | "th", "class") => value.chars().all(of_classes),
        ("span", "data-user") => Uuid::try_parse(value).is_ok(),
        ("ol", "start") => value.parse::<u32>().is_ok(),
        _ => false,
    }
}
