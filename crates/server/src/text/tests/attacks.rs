//! What has been tried against others.

use super::super::sanitize::clean;
use super::harmless::assert_harmless;
use super::to_html;

/// Published vectors (OWASP's filter evasion list, html5sec, advisories against Markdown renderers
/// and sanitizers), as a message.
const ATTACKS: &[&str] = &[
    "<script>alert(1)</script>",
    "<SCRIPT SRC=https://evil.example/x.js></SCRIPT>",
    "<<SCRIPT>alert(1);//<</SCRIPT>",
    "<script/src=data:,alert(1)>",
    "<script\n>alert(1)</script\n>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)>",
    "<img src=\"x\" onerror=\"alert(1)\">",
    "<img/src=`x`onerror=alert(1)>",
    "<IMG SRC=\"javascript:alert('XSS');\">",
    "<IMG \"\"\"><SCRIPT>alert(1)</SCRIPT>\"\\>",
    "<img src=x:x onerror\x0b=alert(1)>",
    "<body onload=alert(1)>",
    "<body background=\"javascript:alert(1)\">",
    "<svg onload=alert(1)>",
    "<svg/onload=alert(1)//",
    "<svg><script>alert&#40;1)</script>",
    "<svg><a xlink:href=\"javascript:alert(1)\"><text x=20 y=20>x</text></a>",
    "<svg><animate xlink:href=#x attributeName=href values=javascript:alert(1) /><a id=x><text>x</text></a>",
    "<svg><foreignObject><iframe srcdoc=\"<script>alert(1)</script>\">",
    "<math href=\"javascript:alert(1)\">x</math>",
    "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
    "<math><mi//xlink:href=\"data:x,<script>alert(1)</script>\">",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
    "<svg></p><style><a id=\"</style><img src=1 onerror=alert(1)>\">",
    "<template><script>alert(1)</script></template>",
    "<textarea><script>alert(1)</script></textarea>",
    "<title><img src=x onerror=alert(1)></title>",
    "<xmp><img src=x onerror=alert(1)></xmp>",
    "<plaintext><img src=x onerror=alert(1)>",
    "<iframe src=\"javascript:alert(1)\"></iframe>",
    "<iframe srcdoc=\"&lt;script&gt;alert(1)&lt;/script&gt;\"></iframe>",
    "<object data=\"data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==\"></object>",
    "<embed src=\"https://evil.example/x.swf\" allowscriptaccess=always>",
    "<applet code=x></applet>",
    "<base href=\"javascript:alert(1)//\">",
    "<link rel=stylesheet href=\"https://evil.example/x.css\">",
    "<meta http-equiv=\"refresh\" content=\"0;url=javascript:alert(1)\">",
    "<style>@import 'https://evil.example/x.css';</style>",
    "<div style=\"background-image:url(javascript:alert(1))\">",
    "<div style=\"width:expression(alert(1))\">",
    "<p style=position:fixed;inset:0>cover</p>",
    "<table background=\"javascript:alert(1)\"><td>x",
    "<input type=image src=x onerror=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "<select autofocus onfocus=alert(1)>",
    "<video><source onerror=\"alert(1)\"></video>",
    "<audio src=x onerror=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<marquee onstart=alert(1)>",
    "<isindex action=javascript:alert(1) type=image>",
    "<form action=\"javascript:alert(1)\"><button>x</button></form>",
    "<button formaction=javascript:alert(1)>x</button>",
    "<a href=\"javascript:alert(1)\">x</a>",
    "<a href=\"https://a.b\" onclick=\"alert(1)\">x</a>",
    "<a href=\"https://a.b\"target=\"_self\"onmouseover=alert(1)>x</a>",
    "<span class=\"mention\" data-user=\"x\" onclick=alert(1)>@ada</span>",
    "<!--[if gte IE 4]><script>alert(1)</script><![endif]-->",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "<?xml version=\"1.0\"?><x onclick=alert(1)>",
    "</p><script>alert(1)</script><p>",
    "<x:script xmlns:x=\"http://www.w3.org/1999/xhtml\">alert(1)</x:script>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](java&Tab;script:alert(1))",
    "[x](java&#10;script:alert(1))",
    "[x](java&NewLine;script:alert(1))",
    "[x](&#x6A&#x61&#x76&#x61&#x73&#x63&#x72&#x69&#x70&#x74&#x3A;alert(1))",
    "[x](&#106;&#97;&#118;&#97;&#115;&#99;&#114;&#105;&#112;&#116;&#58;alert(1))",
    "[x](<java\tscript:alert(1)>)",
    "[x](<\u{1}javascript:alert(1)>)",
    "[x](< javascript:alert(1)>)",
    "[x](\u{a0}javascript:alert(1))",
    "[x](javascript://a.b/%0Aalert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](DATA:text/html,<script>alert(1)</script>)",
    "[x](file:///etc/passwd)",
    "[x](blob:https://a.b/1)",
    "[x](view-source:https://a.b)",
    "[x](intent://a.b#Intent;scheme=http;end)",
    "[x](//evil.example)",
    "[x](\\\\evil.example)",
    "[x](https:javascript:alert(1))",
    "[x](https://a.b\" onmouseover=\"alert(1))",
    "[x](https://a.b' onmouseover='alert(1))",
    "[x](<https://a.b\"onmouseover=alert(1)//>)",
    "[x](https://a.b \"title\" onclick=alert(1))",
    "[x](https://a.b \"\\\"><script>alert(1)</script>\")",
    "[<script>alert(1)</script>](https://a.b)",
    "[a]: javascript:alert(1)\n\n[a]",
    "[a]: <javascript:alert(1)> \"x\"\n\n![a]",
    "![x](javascript:alert(1))",
    "![x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)",
    "![\" onerror=\"alert(1)](https://a.b/x.png)",
    "![x](https://a.b/x.png\"onerror=\"alert(1))",
    "<javascript:alert(1)>",
    "<data:text/html,x>",
    "<https://a.b\"onclick=alert(1)>",
    "<ada@a.b?subject=\"><script>alert(1)</script>>",
    "https://a.b/\"onmouseover=\"alert(1)",
    "https://a.b/'onmouseover='alert(1)",
    "https://a.b/<script>alert(1)</script>",
    "https://a.b/`onmouseover=alert(1)`",
    "http://javascript:alert(1)@a.b/",
    "```\"onmouseover=\"alert(1)\nx\n```",
    "```html\n<script>alert(1)</script>\n```",
    "```rust\"><img src=x onerror=alert(1)>\nx\n```",
    "`<script>alert(1)</script>`",
    "`` ` <img src=x onerror=alert(1)> ``",
    "# <img src=x onerror=alert(1)>",
    "|<script>alert(1)</script>|\n|:-:|\n|<img src=x onerror=alert(1)>|",
    "- [x] <img src=x onerror=alert(1)>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "&amp;lt;script&amp;gt;",
    "@ada\"><script>alert(1)</script>",
    "\u{fdd0}<script>\u{feff}alert(1)</script>",
    "<a\u{2028}href=javascript:alert(1)>x</a>",
    "\u{ff1c}script\u{ff1e}alert(1)\u{ff1c}/script\u{ff1e}",
];

#[test]
fn published_attacks_come_out_as_text() {
    assert!(ATTACKS.len() >= 60);
    for attack in ATTACKS {
        let html = to_html(attack);
        assert_harmless(&html, attack);
        assert_eq!(clean(&html), html, "{attack:?} changes when it is read again");
    }
}

#[test]
fn the_sanitizer_alone_withstands_them_too() {
    // As if the renderer had passed everything through.
    for attack in ATTACKS {
        let html = clean(attack);
        assert_harmless(&html, attack);
        assert_eq!(clean(&html), html, "{attack:?} changes when it is read again");
    }
}

#[test]
fn classes_and_data_are_ours_alone() {
    let check = |html: &str, expected: &str| assert_eq!(clean(html), expected, "{html}");
    check("<span class=\"mention fixed overlay\">x</span>", "<span class=\"mention\">x</span>");
    check("<span class=\"overlay\">x</span>", "<span>x</span>");
    check("<span data-user=\"1\" id=\"app\">x</span>", "<span>x</span>");
    check("<code class=\"language-c++ hl-\">x</code>", "<code class=\"language-c++\">x</code>");
    check("<ol start=\"-1\"><li>x</li></ol>", "<ol><li>x</li></ol>");
    check("<p onclick=\"x\" style=\"x\" class=\"heading\">x</p>", "<p class=\"heading\">x</p>");
}
