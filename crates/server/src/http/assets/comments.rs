//! Scripts and style sheets as they are sent: without the comments, which are for whoever reads the
//! source and a quarter of what would be loaded.
//!
//! By lines, not by a parser: our sources are written so that this is enough. `web/scripts/served.js` is
//! the same rule for tests, which show that nothing but comments goes (`web/test/served.test.js`) and
//! that a running server sends just that (`tests/browser`).

/// How a licence begins, which must stay.
const LICENCE: &str = "/*!";
/// How a type begins that a script says in the middle of a line.
const TYPE: &str = "/** @";
const END: &str = "*/";

/// The text without comments that have lines of their own, or begin a line, and without types inside
/// lines.
pub(super) fn without_comments(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut is_inside = false;
    for line in text.lines() {
        let Some(code) = code(line, &mut is_inside) else { continue };
        let mut rest = code;
        while let Some((before, after)) = next_type(rest) {
            kept.push_str(before);
            rest = after;
        }
        kept.push_str(rest);
        kept.push('\n');
    }
    kept
}

/// What of a line is code; `None`: it is all comment.
fn code<'l>(line: &'l str, is_inside: &mut bool) -> Option<&'l str> {
    let begin = line.trim_start();
    if !*is_inside && (begin.starts_with(LICENCE) || !(begin.starts_with("/*") || begin.starts_with("//"))) {
        return Some(line);
    }
    if !*is_inside && begin.starts_with("//") {
        return None;
    }
    let end = begin.find(END);
    *is_inside = end.is_none();
    let code = begin[end? + END.len()..].trim_start();
    (!code.is_empty()).then_some(code)
}

/// What is before and after the first type inside a line.
fn next_type(code: &str) -> Option<(&str, &str)> {
    let (before, comment) = code.split_once(TYPE)?;
    let (_, after) = comment.split_once(END)?;
    Some((before, after.strip_prefix(' ').unwrap_or(after)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_and_code_stays() {
        let source = "/*\n * What it is.\n */\nlet a = 1; // one\n\n  // a line\n/** @type {A} */ this.a = given();\n\
                      const b = /** @type {B} */ (c) ?? /** @type {D} */ (e);\n/** both\n * of them */\nx();\n";
        let served = "let a = 1; // one\n\nthis.a = given();\nconst b = (c) ?? (e);\nx();\n";
        assert_eq!(without_comments(source), served);
    }

    #[test]
    fn a_licence_stays() {
        assert_eq!(without_comments("/*! MIT */\nx();\n"), "/*! MIT */\nx();\n");
    }
}
