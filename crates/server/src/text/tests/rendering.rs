//! Markdown in, HTML out.

use switchback_core::Handle;

use super::super::{Mentions, mentions};
use super::harmless::assert_harmless;
use super::to_html;

const REL: &str = "target=\"_blank\" rel=\"noopener noreferrer nofollow\"";

/// `LINK` stands for the attributes that every link gets.
fn check(body: &str, expected: &str) {
    let html = to_html(body);
    assert_eq!(html.trim_end(), expected.replace("LINK", REL), "{body:?}");
    assert_harmless(&html, body);
}

#[test]
fn what_people_type_looks_as_they_expect() {
    check("hello", "<p>hello</p>");
    check("one\ntwo", "<p>one<br>\ntwo</p>");
    check("one\n\ntwo", "<p>one</p>\n<p>two</p>");
    check(
        "**bold** *it* ~~no~~ `x < y`",
        "<p><strong>bold</strong> <em>it</em> <del>no</del> <code>x &lt; y</code></p>",
    );
    check("snake_case_name and 2*3*4", "<p>snake_case_name and 2<em>3</em>4</p>");
    check("# Title", "<p class=\"heading\">Title</p>");
    check("> quoted\n> on", "<blockquote>\n<p>quoted<br>\non</p>\n</blockquote>");
    check("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>");
    check("3. a\n4. b", "<ol start=\"3\">\n<li>a</li>\n<li>b</li>\n</ol>");
    check("---", "<hr>");
    check("a & b <3 \"c\" 'd'", "<p>a &amp; b &lt;3 \"c\" 'd'</p>");
    check("\u{1f44d}\u{1f3fd} na\u{ef}ve", "<p>\u{1f44d}\u{1f3fd} na\u{ef}ve</p>");
}

#[test]
fn task_lists_are_signs_not_inputs() {
    check(
        "- [x] done\n- [ ] open",
        "<ul>\n<li><span class=\"task\">\u{2611}</span> done</li>\n<li><span class=\"task\">\u{2610}</span> open</li>\n</ul>",
    );
}

#[test]
fn tables_are_aligned_by_class() {
    check(
        "|a|b|c|\n|-|:-:|-:|\n|1|2|3|",
        "<table><thead><tr><th>a</th><th class=\"align-center\">b</th><th class=\"align-right\">c</th></tr></thead><tbody>\n\
         <tr><td>1</td><td class=\"align-center\">2</td><td class=\"align-right\">3</td></tr>\n</tbody></table>",
    );
}

#[test]
fn html_is_shown_not_obeyed() {
    check("a <b>c</b>", "<p>a &lt;b&gt;c&lt;/b&gt;</p>");
    check("<div>\nhi\n</div>", "<p>&lt;div&gt;<br>\nhi<br>\n&lt;/div&gt;</p>");
    check("<!-- note -->", "<p>&lt;!-- note --&gt;</p>");
}

#[test]
fn links_open_elsewhere_and_tell_nothing() {
    check("[x](https://a.b/c)", "<p><a href=\"https://a.b/c\" LINK>x</a></p>");
    check("[x](<https://a.b/c> \"title\")", "<p><a href=\"https://a.b/c\" LINK>x</a></p>");
    check("<https://a.b>", "<p><a href=\"https://a.b\" LINK>https://a.b</a></p>");
    check("<ada@a.example>", "<p><a href=\"mailto:ada@a.example\" LINK>ada@a.example</a></p>");
    check("[r]\n\n[r]: https://a.b", "<p><a href=\"https://a.b\" LINK>r</a></p>");
    check("[](https://a.b)", "<p><a href=\"https://a.b\" LINK>https://a.b</a></p>");
    check("[file](docs/a.md)", "<p>file</p>");
    check("[top](//a.b/c)", "<p>top</p>");
}

#[test]
fn pictures_are_links_to_them() {
    check("![cat](https://a.b/cat.png)", "<p><a href=\"https://a.b/cat.png\" LINK>cat</a></p>");
    check("![](https://a.b/cat.png)", "<p><a href=\"https://a.b/cat.png\" LINK>https://a.b/cat.png</a></p>");
    check("[![cat](https://a.b/cat.png)](https://a.b)", "<p><a href=\"https://a.b\" LINK>cat</a></p>");
}

#[test]
fn bare_addresses_are_links() {
    check("see https://a.b/c.", "<p>see <a href=\"https://a.b/c\" LINK>https://a.b/c</a>.</p>");
    check("(https://a.b/c_(d))", "<p>(<a href=\"https://a.b/c_(d)\" LINK>https://a.b/c_(d)</a>)</p>");
    check(
        "https://a.b/?x=1&y=2",
        "<p><a href=\"https://a.b/?x=1&amp;y=2\" LINK>https://a.b/?x=1&amp;y=2</a></p>",
    );
    check("**https://a.b**", "<p><strong><a href=\"https://a.b\" LINK>https://a.b</a></strong></p>");
    check("`https://a.b`", "<p><code>https://a.b</code></p>");
    check("[see https://c.d](https://a.b)", "<p><a href=\"https://a.b\" LINK>see https://c.d</a></p>");
    check("https://a.b/@ada", "<p><a href=\"https://a.b/@ada\" LINK>https://a.b/@ada</a></p>");
}

#[test]
fn an_address_keeps_what_looks_like_emphasis() {
    check(
        "https://a.b/pkg/__init__.py and _more_",
        "<p><a href=\"https://a.b/pkg/__init__.py\" LINK>https://a.b/pkg/__init__.py</a> and <em>more</em></p>",
    );
    check("https://a.b/*x*, ok", "<p><a href=\"https://a.b/\" LINK>https://a.b/</a><em>x</em>, ok</p>");
    check("*https://a.b/c*d", "<p><em><a href=\"https://a.b/c\" LINK>https://a.b/c</a></em>d</p>");
}

#[test]
fn known_people_and_the_room_are_marked() {
    let ada = "<span class=\"mention\" data-user=\"00000000-0000-0000-0000-000000000001\">@ada</span>";
    let room = "<span class=\"mention mention-room\">@room</span>";
    check("hi @ada!", &format!("<p>hi {ada}!</p>"));
    check("**@ada**, @eve, @room", &format!("<p><strong>{ada}</strong>, @eve, {room}</p>"));
    check("`@ada` [@ada](https://a.b)", "<p><code>@ada</code> <a href=\"https://a.b\" LINK>@ada</a></p>");
    check("\\@ada and @Ada", &format!("<p>@ada and {}</p>", ada.replace("@ada", "@Ada")));
    check("ada@a.example", "<p>ada@a.example</p>");
    check(
        "> @ada\n\n- @ada",
        &format!("<blockquote>\n<p>{ada}</p>\n</blockquote>\n<ul>\n<li>{ada}</li>\n</ul>"),
    );
}

#[test]
fn code_is_coloured_by_class() {
    check(
        "```rust\nlet x = 1; // @ada\n```",
        "<pre><code class=\"language-rust\"><span class=\"hl-storage hl-type\">let</span> x \
         <span class=\"hl-keyword hl-operator\">=</span> <span class=\"hl-constant hl-numeric hl-integer\">1</span>; \
         <span class=\"hl-comment hl-line hl-double-slash\">// @ada\n</span></code></pre>",
    );
    check("```\na < b\n```", "<pre><code>a &lt; b\n</code></pre>");
    check("```nosuch\na\n```", "<pre><code class=\"language-nosuch\">a\n</code></pre>");
    check("```\"><script>\na\n```", "<pre><code>a\n</code></pre>");
    check("    indented", "<pre><code>indented</code></pre>");
}

#[test]
fn a_message_without_anything_to_see_is_shown_as_typed() {
    check("[a]: https://a.b", "<p>[a]: https://a.b</p>");
    check("[a]: https://a.b\n[b]: <c>", "<p>[a]: https://a.b<br>\n[b]: &lt;c&gt;</p>");
    check("[a]: b\r\n[c]: d\r[e]: f", "<p>[a]: b<br>\n[c]: d<br>\n[e]: f</p>");
}

#[test]
fn mentions_are_found_where_they_call_somebody() {
    let check = |body: &str, handles: &[&str], room: bool| {
        let found = mentions(body);
        assert_eq!(found.handles.iter().map(Handle::as_str).collect::<Vec<_>>(), handles, "{body:?}");
        assert_eq!(found.room, room, "{body:?}");
    };
    check("@ada and @Bob and @ada.", &["ada", "bob"], false);
    check("@room: @eve", &["eve"], true);
    check("`@ada` and\n\n```\n@bob @room\n```", &[], false);
    check("[@ada](https://a.b) <https://a.b/@bob> https://a.b/@eve", &[], false);
    check("bob@ada.example", &[], false);
    check("# @ada\n\n> **@bob**", &["ada", "bob"], false);
    check("<b>@ada</b>", &["ada"], false);
    check("|@ada|\n|-|\n|@bob|", &["ada", "bob"], false);
    assert_eq!(mentions(""), Mentions::default());
}

#[test]
fn no_more_people_are_mentioned_than_may_be() {
    let body = (0..200).map(|number| format!("@user{number} ")).collect::<Vec<_>>().concat();
    assert_eq!(mentions(&body).handles.len(), switchback_core::limits::MENTIONS_PER_MESSAGE);
}
