//! Reads a message's HTML as strictly as a machine may write it, independent of the sanitizer.

use uuid::Uuid;

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

/// Every `<` opens a listed tag, with listed attributes in double quotes, with the values they may
/// have.
pub(crate) fn assert_harmless(html: &str, source: &str) {
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
