//! Is this text one emoji? The shape of UTS #51's emoji sequences, with ranges in place of its
//! tables: a table of thousands of sequences would be out of date each September, and a reaction
//! with an emoji that this build has not heard of is welcome.
//!
//! Kept out is what would make a reaction something else: words, numbers, punctuation, white
//! space, direction marks, two emoji.

/// Joins emoji to one picture: a woman, a joiner, a rocket.
const JOINER: char = '\u{200d}';
/// Asks for the coloured form of a character that also has a plain one.
const COLOURED: char = '\u{fe0f}';
/// Encloses a digit, `#` or `*`.
const KEYCAP: char = '\u{20e3}';
/// Ends a run of tags (the flags of England, Scotland, Wales).
const TAG_END: char = '\u{e007f}';

/// Whether the text is one flag, one keycap, or one picture, joined from others or not.
pub(super) fn is_one(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    match chars[..] {
        [first, second] if is_regional(first) => is_regional(second),
        [key, KEYCAP] | [key, COLOURED, KEYCAP] => key.is_ascii_digit() || matches!(key, '#' | '*'),
        _ => chars.split(|&c| c == JOINER).all(is_picture),
    }
}

/// A picture, perhaps coloured, perhaps with a skin tone, perhaps with tags.
fn is_picture(chars: &[char]) -> bool {
    let [base, rest @ ..] = chars else { return false };
    let rest = skip(rest, |c| c == COLOURED);
    let rest = skip(rest, |c| matches!(u32::from(c), 0x1f3fb..=0x1f3ff));
    is_base(*base) && (rest.is_empty() || is_tags(rest))
}

fn skip(chars: &[char], one: fn(char) -> bool) -> &[char] {
    match chars {
        [first, rest @ ..] if one(*first) => rest,
        _ => chars,
    }
}

fn is_tags(chars: &[char]) -> bool {
    matches!(chars, [tags @ .., TAG_END] if tags.iter().all(|&c| matches!(u32::from(c), 0xe0020..=0xe007e)))
}

fn is_regional(c: char) -> bool {
    matches!(u32::from(c), 0x1f1e6..=0x1f1ff)
}

/// The blocks that emoji are in. Arrows, stars and squares that have no coloured form get in with
/// them; they harm nobody.
fn is_base(c: char) -> bool {
    matches!(u32::from(c),
        0xa9 | 0xae                     // copyright, registered
        | 0x203c | 0x2049 | 0x2122 | 0x2139
        | 0x2190..=0x21ff               // arrows
        | 0x2300..=0x23ff               // technical: watch, keyboard, alarm clock
        | 0x24c2
        | 0x25a0..=0x27bf               // shapes, symbols, dingbats
        | 0x2900..=0x297f | 0x2b00..=0x2bff
        | 0x3030 | 0x303d | 0x3297 | 0x3299
        | 0x1f000..=0x1f1e5             // tiles, cards, squared letters
        | 0x1f200..=0x1faff             // pictures
    )
}
