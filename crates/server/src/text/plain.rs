//! The short way for what most messages are: a sentence, with nothing in it that could mean more than itself.
//!
//! It is not asked what the text means but whether anybody could ask: a character that Markdown, HTML or we
//! ourselves give a meaning to somewhere leaves the text to the parser and the sanitizer, even where this one
//! has none. A test holds the two ways to the same answer.

/// ASCII punctuation that means nothing in the middle of a line.
const HARMLESS: &[u8] = b" ,.;:?!'\"()/%#=+-";

/// The text as HTML, if that is all there is to it.
pub(super) fn sentence(body: &str) -> Option<String> {
    // Lists, headings and quotations begin with something else, and so does what a parser trims.
    let is_sentence = body.starts_with(char::is_alphabetic)
        && !body.ends_with(' ')
        && body.chars().all(stands_for_itself)
        && !body.contains("://");
    is_sentence.then(|| ["<p>", body, "</p>"].concat())
}

/// Whether somebody mentions anybody in it, perhaps: `&commat;` is an `@` too.
pub(super) fn may_mention(body: &str) -> bool {
    body.contains(['@', '&'])
}

fn stands_for_itself(c: char) -> bool {
    match u8::try_from(c) {
        Ok(byte) if byte.is_ascii() => byte.is_ascii_alphanumeric() || HARMLESS.contains(&byte),
        // A no-break space is written in another way, and a line may end in other ways than we know.
        _ => !c.is_whitespace() && !c.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::super::{Mentions, code::Colours, markdown, rich};
    use super::*;

    fn the_long_way(body: &str) -> Option<String> {
        rich(body, &HashMap::new(), Colours::On)
    }

    #[test]
    fn what_people_say_goes_the_short_way() {
        for body in [
            "Lunch at 12:30?",
            "It's done, \"finally\" (see the minutes of 3/4): 100 % #release = good + fast - cheap!",
            "\u{dc}bermorgen gibt's K\u{e4}se \u{2013} \u{1f600}\u{1f3fd}",
            "\u{4eca}\u{65e5}\u{306f}",
        ] {
            assert_eq!(sentence(body), the_long_way(body), "{body}");
            assert!(sentence(body).is_some(), "{body}");
        }
    }

    #[test]
    fn what_may_mean_more_goes_the_long_way() {
        for body in [
            "1. one",
            "- one",
            "# one",
            "*one*",
            "a_b",
            "a\nb",
            "a ",
            " a",
            "a\\b",
            "a<b",
            "a&b",
            "a|b",
            "~a~",
            "a@b",
            "see http://a.b",
            "[a](b)",
            "`a`",
            "a\u{a0}b",
            "a\u{2028}b",
            "a\tb",
            "a\rb",
            "",
            "\u{feff}a",
        ] {
            assert_eq!(sentence(body), None, "{body:?}");
        }
    }

    #[test]
    fn every_character_that_stands_for_itself_does() {
        const AT_ONCE: usize = 1_000;
        let all: Vec<char> = ('\0'..=char::MAX).filter(|&c| stands_for_itself(c)).collect();
        for some in all.chunks(AT_ONCE) {
            let body = format!("a{}b", String::from_iter(some));
            assert_eq!(sentence(&body), the_long_way(&body), "{some:?}");
        }
    }

    /// Mostly what stands for itself, so that much goes the short way.
    fn text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            6 => "[a-zA-Z0-9]{1,6}",
            4 => proptest::sample::select(HARMLESS).prop_map(|byte| char::from(byte).to_string()),
            1 => any::<char>().prop_map(String::from),
            1 => "\\PC{0,3}",
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn the_short_way_leads_where_the_long_one_does(body in text()) {
            if let Some(html) = sentence(&body) {
                prop_assert_eq!(Some(html), the_long_way(&body));
            }
        }

        #[test]
        fn who_is_mentioned_is_found(body in text()) {
            if !may_mention(&body) {
                let compiled = markdown::compile(&body, &HashMap::new(), Colours::Off);
                prop_assert_eq!(compiled.map(|compiled| compiled.mentions).unwrap_or_default(), Mentions::default());
            }
        }
    }
}
