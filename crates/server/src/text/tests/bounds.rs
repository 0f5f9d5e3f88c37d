//! Inputs made to cost time or space, and inputs nobody thought of.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use switchback_core::limits::MESSAGE_BODY_BYTES;

use super::super::sanitize::clean;
use super::super::{mentions, to_html as render};
use super::harmless::assert_harmless;
use super::{known, to_html};
use crate::limits::MESSAGE_HTML_BYTES;

/// Processor time. Generous for an unoptimized build; quadratic behaviour takes minutes.
const LONG: Duration = Duration::from_secs(8);

/// Pieces that are repeated up to the longest message.
const PIECES: &[&str] = &[
    ">",
    "> ",
    ">\n",
    "[",
    "]",
    "![",
    "[](",
    "[a](",
    "](",
    "[[a]",
    "[a][b]",
    "*",
    "**",
    "***a",
    "*a ",
    "*a_",
    "_",
    "__a",
    "a_",
    "~",
    "~~",
    "~a~~",
    "`",
    "``a`",
    "`a``",
    "- ",
    "- a\n",
    "-\n",
    "1. ",
    "1.\n",
    "* - ",
    "<",
    "<a ",
    "<!--",
    "<?",
    "<![CDATA[",
    "</a>",
    "<a b=\"",
    "&",
    "&#",
    "&amp;",
    "&#x10ffff;",
    "\\",
    "\\[",
    "|",
    "|a",
    "|-",
    "@",
    "@a",
    "@ada ",
    "@room ",
    "h",
    "http://",
    "http://a ",
    "http://a)",
    "http://a_b_",
    "http://a/*b*",
    "https://[",
    "a@b.c ",
    "#",
    "# ",
    "# a\n",
    "---\n",
    "===\n",
    "a\n---\n",
    "\t",
    " ",
    "\n",
    "    a\n",
    "```\n",
    "```a\n",
    "~~~\n",
    "[a]: b\n",
    "[a]: <b> \"c\"\n",
    "[^a]",
    "$",
    "$$",
    "<div>\n",
    "<script>",
    "\u{0}",
    "\u{301}",
    "\u{1f469}\u{200d}",
    "\u{202e}",
    "- [ ] ",
    "a|b\n",
    "<a@b.c>",
    "<http://a>",
    "![a](b)",
    "[![a](b)](c)",
    "*a*",
    "a**b",
    "\"",
    "'",
];

fn filled(piece: &str) -> String {
    piece.repeat(MESSAGE_BODY_BYTES / piece.len())
}

fn check(body: &str) {
    let (start, worked) = (Instant::now(), processor_time());
    let html = to_html(body);
    let found = mentions(body);
    // Where the system does not tell, the wall clock must do.
    let worked = processor_time().zip(worked).map(|(now, before)| now.saturating_sub(before));
    let took = worked.unwrap_or_else(|| start.elapsed());
    let beginning: String = body.chars().take(40).collect();
    assert!(took < LONG, "{beginning:?}... took {took:?}");
    assert!(html.len() <= MESSAGE_HTML_BYTES, "{beginning:?}... became {} bytes", html.len());
    assert!(!html.is_empty() && found.handles.len() <= 50);
    assert_harmless(&html, &beginning);
    assert_eq!(clean(&html), html, "{beginning:?}... changes when it is read again");
}

/// What this thread has had of a processor so far: a busy machine does not count as slow code.
fn processor_time() -> Option<Duration> {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    told.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

#[test]
fn repeated_pieces_cost_neither_time_nor_space() {
    for piece in PIECES {
        check(&filled(piece));
    }
}

#[test]
fn repeated_pieces_with_an_end_cost_neither_time_nor_space() {
    for (open, close) in
        [("[", "]"), ("*a ", " a*"), ("_a ", " a_"), ("(", ")"), ("<", ">"), ("![", "](a)"), ("`", "a")]
    {
        let half = MESSAGE_BODY_BYTES / (open.len() + close.len());
        check(&format!("{}{}", open.repeat(half), close.repeat(half)));
    }
}

#[test]
fn steps_of_nested_lists_cost_neither_time_nor_space() {
    let joined = |lines: Vec<String>| lines.concat();
    check(&joined((0..170).map(|depth| format!("{}- a\n", " ".repeat(depth))).collect()));
    check(&joined((1..170).map(|depth| format!("{} a\n", ">".repeat(depth))).collect()));
    check(&joined((1..170).map(|length| format!("{} ", "`".repeat(length))).collect()));
}

#[test]
fn a_table_with_a_great_many_cells_stays_small() {
    let columns = 2_000;
    let head = format!("{}|\n{}|\n", "|a".repeat(columns), "|-".repeat(columns));
    check(&format!("{head}{}", "|\n".repeat(3_000)));
    check(&format!("{head}{}", "a\n".repeat(3_000)));
}

#[test]
fn references_that_multiply_stay_small() {
    let long = format!("[a]: https://a.b/{}\n\n", "x".repeat(4_000));
    check(&format!("{long}{}", "[a] ".repeat(2_900)));
}

#[test]
fn code_made_to_confuse_a_grammar_is_given_up_in_time() {
    for language in
        ["rust", "js", "python", "php", "ruby", "html", "markdown", "c++", "perl", "sh", "sql", "latex"]
    {
        for piece in
            ["(", "{", "<", "\"", "'", "a.", "a,", "=>", "/*", "#{", "$", "`", "a b ", "<a b=", "[a](", "\\"]
        {
            let line = piece.repeat(300 / piece.len());
            check(&format!("```{language}\n{}\n```", format!("{line}\n").repeat(24)));
        }
    }
}

#[test]
fn colours_are_given_up_before_markup_is() {
    let code = "a = b + c[0] * 'x';\n".repeat(400);
    let html = to_html(&format!("**bold**\n\n```js\n{code}```"));
    assert!(html.starts_with("<p><strong>bold</strong></p>"), "{}", &html[..60]);
}

#[test]
fn the_longest_plain_message_fits() {
    let html = render(&"&".repeat(MESSAGE_BODY_BYTES), &known());
    assert_eq!(html.len(), "<p></p>".len() + MESSAGE_BODY_BYTES * "&amp;".len());
}

#[test]
fn a_byte_order_mark_does_not_come_to_the_front() {
    assert_eq!(clean("<?<script>\u{feff}"), "");
    assert_eq!(to_html("\u{feff}a"), "<p>\u{feff}a</p>");
}

/// Texts made of what Markdown and HTML give a meaning to.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => proptest::sample::select(PIECES).prop_map(str::to_owned),
        2 => proptest::sample::select(vec!["```rust\nfn a() {}\n```\n", "@ada", "https://a.b/c", "\n\n", " x "])
            .prop_map(str::to_owned),
        1 => "\\PC{0,6}",
        1 => any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_is_typed_is_harmless_and_settled(body in text()) {
        let html = to_html(&body);
        assert_harmless(&html, &body);
        prop_assert_eq!(clean(&html), html);
    }

    #[test]
    fn whatever_reaches_the_sanitizer_is_harmless_and_settled(html in text()) {
        let once = clean(&html);
        assert_harmless(&once, &html);
        prop_assert_eq!(clean(&once), once);
    }

    #[test]
    fn mentions_are_those_that_are_marked(body in text()) {
        let marked = to_html(&body).contains("data-user=\"00000000-0000-0000-0000-000000000001\"");
        prop_assert!(!marked || mentions(&body).handles.iter().any(|handle| handle.as_str() == "ada"));
    }
}
