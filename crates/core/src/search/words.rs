//! What counts as a word: the same on both databases, whatever their own rules are.
//!
//! A word is a run of letters and digits, in lower case and without accents: `Café` is `cafe`.
//! Everything else separates. Scripts that are written without spaces (Chinese, Japanese, Thai, ...)
//! have no such runs; there each character is a word, and a text of several is found as a phrase of them:
//! no dictionary, and whatever stands in a message is found, though also where it is part of another word.

use unicode_normalization::UnicodeNormalization as _;

use crate::limits;

/// The words of a text, in order.
pub fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    each_word(text, |word| found.push(word.to_owned()));
    found
}

/// Shows the words of a text, in order.
pub fn each_word(text: &str, mut found: impl FnMut(&str)) {
    let mut word = Word { text: String::with_capacity(USUAL_WORD_BYTES), chars: 0 };
    for c in text.chars() {
        if stands_alone(c) {
            word.end(&mut found);
            // Half-width and other forms of a character are that character.
            word.push(c.nfkc().next().unwrap_or(c));
            word.end(&mut found);
        } else if c.is_ascii() {
            if c.is_ascii_alphanumeric() {
                word.push(c.to_ascii_lowercase());
            } else {
                word.end(&mut found);
            }
        } else {
            word.push_folded(c, &mut found);
        }
    }
    word.end(&mut found);
}

/// Few words of any language are longer.
const USUAL_WORD_BYTES: usize = 32;

struct Word {
    text: String,
    chars: usize,
}

impl Word {
    fn push(&mut self, c: char) {
        if self.chars < limits::SEARCH_WORD_CHARS {
            self.text.push(c);
            self.chars += 1;
        }
    }

    /// In lower case, taken apart, without accents.
    fn push_folded(&mut self, c: char, found: &mut impl FnMut(&str)) {
        if is_accent(c) || is_joiner(c) {
            return;
        }
        let lower: String = c.to_lowercase().collect();
        for part in lower.nfkd().filter(|part| !is_accent(*part)) {
            if part.is_alphanumeric() || is_sign(part) {
                self.push(part);
            } else {
                self.end(found);
            }
        }
    }

    fn end(&mut self, found: &mut impl FnMut(&str)) {
        if !self.text.is_empty() {
            found(&self.text);
            self.text.clear();
            self.chars = 0;
        }
    }
}

/// Accents of Latin, Greek and Cyrillic letters: the blocks of combining marks.
const fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}')
}

/// What joins letters without being one: soft hyphen, zero-width joiners, variation selectors.
const fn is_joiner(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// A mark that is part of its word, as in Hindi; not all of them count as letters.
fn is_sign(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

/// Characters of scripts without spaces between words, and pictures.
const fn stands_alone(c: char) -> bool {
    matches!(c,
        // Thai, Lao, Myanmar, Khmer.
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        // Kana, Bopomofo, Han.
        | '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{3096}' | '\u{309d}'..='\u{309f}'
        | '\u{30a1}'..='\u{30fa}' | '\u{30fc}'..='\u{30ff}' | '\u{3105}'..='\u{312f}' | '\u{31f0}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ff9f}' | '\u{20000}'..='\u{323af}'
        // Emoji.
        | '\u{2600}'..='\u{27bf}' | '\u{1f300}'..='\u{1faff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_letters_and_digits_in_lower_case_without_accents() {
        assert_eq!(words("Hello, **World**! v2"), ["hello", "world", "v2"]);
        assert_eq!(words("Café naïve ÅNGSTRÖM Ελλάδα Ёлка"), ["cafe", "naive", "angstrom", "ελλαδα", "елка"]);
        // Taken apart or in one piece.
        assert_eq!(words("cafe\u{301}"), words("caf\u{e9}"));
        assert_eq!(words("don't foo-bar foo_bar a.b"), ["don", "t", "foo", "bar", "foo", "bar", "a", "b"]);
        assert_eq!(words("co\u{ad}operate ﬁne ２０２６"), ["cooperate", "fine", "2026"]);
        assert_eq!(words("हिन्दी"), ["हिन्दी"]);
        assert!(words(" .,;:!?\"'()[]{}*^~-+\u{0}\n").is_empty());
    }

    #[test]
    fn a_script_without_spaces_is_searched_character_by_character() {
        assert_eq!(words("日本語のtest"), ["日", "本", "語", "の", "test"]);
        assert_eq!(words("ｶﾅ"), ["カ", "ナ"]);
        assert_eq!(words("ไทย"), ["ไ", "ท", "ย"]);
        assert_eq!(words("한국어 검색").len(), 2);
        assert_eq!(words("ship it🎉🎉"), ["ship", "it", "🎉", "🎉"]);
    }

    #[test]
    fn of_a_word_without_end_only_its_beginning_counts() {
        let long = "x".repeat(limits::SEARCH_WORD_CHARS + 100);
        let found = words(&format!("{long} y"));
        assert_eq!(found, [&long[..limits::SEARCH_WORD_CHARS], "y"]);
    }
}
