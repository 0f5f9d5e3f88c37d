//! Colours code blocks: syntect's grammars, flat spans, a handful of classes.
//!
//! Syntect's own HTML nests a span for every scope and repeats the language in each; that is ten
//! to thirty times the code. Here a token gets one span with the first words of its most telling
//! scope (`hl-keyword hl-control`), and the style sheet decides what they look like.
//!
//! The grammars are regular expressions with backtracking, so time is bounded three ways: by size,
//! by the length of a line, and by a clock that is looked at after each line.

use std::ops::Range;
use std::sync::LazyLock;
use std::time::Instant;

use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxReference, SyntaxSet};

use crate::limits;

/// Whether code is highlighted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colours {
    On,
    Off,
}

/// A piece of code and its classes; empty: none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) range: Range<usize>,
    pub(super) classes: String,
}

/// What people write behind the fence, where the grammar has another name.
const ALIASES: [(&str, &str); 16] = [
    ("console", "sh"),
    ("cjs", "js"),
    ("dockerfile", "sh"),
    ("golang", "go"),
    ("jsonc", "json"),
    ("jsx", "js"),
    ("kotlin", "java"),
    ("mjs", "js"),
    ("objc", "m"),
    ("postgresql", "sql"),
    ("shell", "sh"),
    ("sqlite", "sql"),
    ("svg", "xml"),
    ("ts", "js"),
    ("tsx", "js"),
    ("typescript", "js"),
];

/// The first words of scopes that say something about a token's looks.
const TELLING: [&str; 10] = [
    "comment", "constant", "entity", "invalid", "keyword", "markup", "storage", "string", "support",
    "variable",
];
/// Words of a scope that become classes.
const SCOPE_WORDS: usize = 3;

static SYNTAXES: LazyLock<SyntaxSet> = LazyLock::new(SyntaxSet::load_defaults_newlines);

/// Cuts code into tokens. `None`: unknown language, too long, or it took too long.
pub(super) fn highlight(code: &str, language: &str, until: Instant) -> Option<Vec<Token>> {
    let syntax = syntax(language)?;
    let long = |line: &str| line.len() > limits::HIGHLIGHT_LINE_BYTES;
    if code.len() > limits::HIGHLIGHT_BYTES || code.lines().any(long) {
        return None;
    }
    let mut state = ParseState::new(syntax);
    let mut scopes = ScopeStack::new();
    let mut tokens = Vec::new();
    let mut start = 0;
    for line in code.split_inclusive('\n') {
        tokenize(line, start, &mut state, &mut scopes, &mut tokens)?;
        start += line.len();
        if Instant::now() > until {
            return None;
        }
    }
    Some(tokens)
}

fn syntax(language: &str) -> Option<&'static SyntaxReference> {
    if language.is_empty() {
        return None;
    }
    let name = language.to_ascii_lowercase();
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name).map(|(_, token)| *token);
    SYNTAXES.find_syntax_by_token(alias.unwrap_or(&name))
}

/// Cuts the line that begins at `start` of the code.
fn tokenize(
    line: &str,
    start: usize,
    state: &mut ParseState,
    scopes: &mut ScopeStack,
    tokens: &mut Vec<Token>,
) -> Option<()> {
    let mut from = 0;
    for (at, change) in state.parse_line(line, &SYNTAXES).ok()? {
        push(tokens, line.get(from..at)?, start + from, scopes);
        from = at;
        scopes.apply(&change).ok()?;
    }
    push(tokens, line.get(from..)?, start + from, scopes);
    Some(())
}

/// Adds a piece, to the token before it if that looks the same.
fn push(tokens: &mut Vec<Token>, text: &str, start: usize, scopes: &ScopeStack) {
    let end = start + text.len();
    if text.is_empty() {
        return;
    }
    let classes = if text.trim().is_empty() { String::new() } else { classes(scopes) };
    match tokens.last_mut() {
        Some(last) if last.classes == classes => last.range.end = end,
        _ => tokens.push(Token { range: start..end, classes }),
    }
}

fn classes(scopes: &ScopeStack) -> String {
    scopes.as_slice().iter().rev().find_map(|scope| telling(*scope)).unwrap_or_default()
}

/// `keyword.control.rust` becomes `hl-keyword hl-control`: the last word is the language.
fn telling(scope: Scope) -> Option<String> {
    let name = scope.build_string();
    let words: Vec<&str> = name.split('.').collect();
    if !TELLING.contains(words.first()?) {
        return None;
    }
    let without_language = &words[..words.len().saturating_sub(1).clamp(1, SCOPE_WORDS)];
    let classes: Vec<String> = without_language.iter().map(|word| format!("hl-{word}")).collect();
    Some(classes.join(" "))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + std::time::Duration::from_mins(1)
    }

    fn classes_of(code: &str, language: &str) -> Vec<(String, String)> {
        let tokens = highlight(code, language, soon()).unwrap();
        let text = |token: &Token| code[token.range.clone()].to_owned();
        assert_eq!(tokens.iter().map(text).collect::<String>(), code, "nothing is lost");
        tokens.iter().map(|token| (text(token), token.classes.clone())).collect()
    }

    #[test]
    fn tokens_get_the_first_words_of_their_scope() {
        let found = classes_of("fn main() { /* hi */ let x = \"y\"; }\n", "rust");
        let class = |text: &str| found.iter().find(|(token, _)| token == text).unwrap().1.clone();
        assert_eq!(class("fn"), "hl-storage hl-type hl-function");
        assert_eq!(class("main"), "hl-entity hl-name hl-function");
        assert_eq!(class("/* hi */"), "hl-comment hl-block");
        assert_eq!(class("\"y\""), "hl-string hl-quoted hl-double");
    }

    #[test]
    fn common_languages_are_known_by_their_common_names() {
        for language in [
            "rust",
            "rs",
            "js",
            "javascript",
            "ts",
            "tsx",
            "python",
            "py",
            "sh",
            "bash",
            "json",
            "yaml",
            "yml",
            "go",
            "java",
            "c",
            "cpp",
            "c++",
            "sql",
            "html",
            "css",
            "xml",
            "diff",
            "markdown",
            "md",
            "ruby",
            "php",
            "RUST",
        ] {
            assert!(syntax(language).is_some(), "{language}");
        }
        assert!(syntax("").is_none());
        assert!(syntax("nosuch").is_none());
    }

    #[test]
    fn long_code_and_long_lines_are_left_alone() {
        assert!(highlight(&"x\n".repeat(limits::HIGHLIGHT_BYTES), "rust", soon()).is_none());
        assert!(highlight(&"x".repeat(limits::HIGHLIGHT_LINE_BYTES + 1), "rust", soon()).is_none());
        assert!(highlight("x\ny\n", "rust", Instant::now()).is_none());
    }
}
