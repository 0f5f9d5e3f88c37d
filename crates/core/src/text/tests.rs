//! What each text takes, what it makes of it, and what it says when it refuses.

use super::*;

fn check<T: FromStr<Err = BadText>>(cases: &[(&str, Result<&str, &str>)], text_of: fn(&T) -> &str) {
    for (input, expected) in cases {
        let actual = input.parse::<T>();
        let shown = actual.as_ref().map(text_of).map_err(ToString::to_string);
        let expected = expected.map_err(str::to_owned);
        assert_eq!(shown, expected, "{input:?}");
    }
}

const EMPTY: Result<&str, &str> = Err("must not be empty");

#[test]
fn handles_are_lower_case_words() {
    const RULE: Result<&str, &str> = Err(
        "may hold letters a-z, digits, dot, underscore and hyphen, and begins and ends with a letter or digit",
    );
    check::<Handle>(
        &[
            ("ada", Ok("ada")),
            (" Ada.Lovelace-1_2 ", Ok("ada.lovelace-1_2")),
            ("7", Ok("7")),
            ("", EMPTY),
            ("  ", EMPTY),
            (".ada", RULE),
            ("ada-", RULE),
            ("ada lovelace", RULE),
            ("@ada", RULE),
            ("zoë", RULE),
            ("room", Err("`room` is reserved: @room mentions everybody")),
            ("Room", Err("`room` is reserved: @room mentions everybody")),
            (&"a".repeat(33), Err("is too long: 33 characters, the limit is 32")),
        ],
        Handle::as_str,
    );
}

#[test]
fn names_are_one_line_without_characters_that_reorder_their_surroundings() {
    const RULE: Result<&str, &str> = Err("must be one line without control characters");
    check::<DisplayName>(
        &[
            (" Ada Lovelace ", Ok("Ada Lovelace")),
            ("Zoë 👩🏽‍🚀", Ok("Zoë 👩🏽‍🚀")),
            ("Ada\nLovelace", RULE),
            ("Ada\u{0}", RULE),
            ("Ada \u{202e}ecalevoL", RULE),
            ("Ada\u{2028}Lovelace", RULE),
            (" \t ", EMPTY),
            (&"é".repeat(81), Err("is too long: 81 characters, the limit is 80")),
        ],
        DisplayName::as_str,
    );
    check::<Label>(
        &[
            (" backup bot ", Ok("backup bot")),
            ("a\0b", RULE),
            ("", EMPTY),
            (&"é".repeat(81), Err("is too long: 81 characters, the limit is 80")),
        ],
        Label::as_str,
    );
}

#[test]
fn a_room_name_loses_its_number_signs() {
    check::<RoomName>(
        &[
            ("general", Ok("general")),
            ("#general", Ok("general")),
            (" # #general ", Ok("general")),
            ("c#", Ok("c#")),
            ("##", EMPTY),
            ("# # ", EMPTY),
        ],
        RoomName::as_str,
    );
}

#[test]
fn a_topic_may_be_empty() {
    check::<Topic>(
        &[
            ("", Ok("")),
            (" \n ", Ok("")),
            (" what we ship ", Ok("what we ship")),
            ("two\nlines", Err("must be one line without control characters")),
            (&"x".repeat(251), Err("is too long: 251 characters, the limit is 250")),
        ],
        Topic::as_str,
    );
}

#[test]
fn a_body_keeps_its_lines_and_loses_its_end() {
    check::<MessageBody>(
        &[
            ("  code\r\nmore\rend \n\n", Ok("  code\nmore\nend")),
            ("", EMPTY),
            (" \r\n\t ", EMPTY),
            ("a\0b", Err("must not contain the character U+0000")),
            (&"é".repeat(8_001), Err("is too long: 16002 bytes, the limit is 16000")),
        ],
        MessageBody::as_str,
    );
    assert!(MessageBody::new(&"é".repeat(8_000)).is_ok());
}

#[test]
fn a_reaction_is_one_emoji() {
    const RULE: Result<&str, &str> = Err("must be one emoji");
    let emoji = [
        "👍",
        "👍🏽",
        "❤",
        "❤️",
        "☕",
        "⭐",
        "✅",
        "‼️",
        "↔️",
        "⌚",
        "Ⓜ️",
        "㊗️",
        "〰️",
        "©️",
        "ℹ️",
        "🅰️",
        "🈁",
        "🀄",
        "🫠",
        "🇩🇪",
        "🏴󠁧󠁢󠁷󠁬󠁳󠁿",
        "🏳️‍🌈",
        "👩🏽‍🚀",
        "👨‍👩‍👧‍👦",
        "🧑🏻‍❤️‍💋‍🧑🏿",
        "1️⃣",
        "#⃣",
        "*️⃣",
        "🏽",
    ];
    check::<Emoji>(&emoji.map(|emoji| (emoji, Ok(emoji))), Emoji::as_str);
    let refused = [
        "x",
        "1",
        "12",
        "#",
        "lol",
        "中",
        "٣",
        "—",
        "«",
        "…",
        " ",
        "\n",
        "👍 ",
        "👍👍",
        "🇩",
        "🇩🇪🇩",
        "👍1",
        "x⃣",
        "12⃣",
        "<>⃣",
        "\u{200d}",
        "\u{fe0f}",
        "👩\u{200d}",
        "\u{200d}👩",
        "\u{e007f}",
        "👍\u{202e}",
        "e\u{301}",
        "\0",
    ];
    check::<Emoji>(&refused.map(|text| (text, RULE)), Emoji::as_str);
    check::<Emoji>(
        &[("", EMPTY), (&"👍".repeat(17), Err("is too long: 68 bytes, the limit is 64"))],
        Emoji::as_str,
    );
}

#[test]
fn a_password_is_taken_as_typed() {
    check::<Password>(
        &[
            (" pass word ", Ok(" pass word ")),
            ("пароль12", Ok("пароль12")),
            ("1234567", Err("is too short: at least 8 characters")),
            (&"x".repeat(257), Err("is too long: 257 bytes, the limit is 256")),
        ],
        Password::as_str,
    );
}

#[test]
fn what_must_not_reach_a_log_is_not_shown() {
    let body = MessageBody::new("the secret").ok();
    let password = Password::new("the secret").ok();
    assert_eq!(format!("{body:?} {password:?}"), "Some(MessageBody(10 bytes)) Some(Password(10 bytes))");
}

#[test]
fn only_length_is_a_matter_of_length() {
    assert!(Handle::new(&"a".repeat(33)).is_err_and(|refused| refused.is_too_long()));
    assert!(Handle::new("").is_err_and(|refused| !refused.is_too_long()));
    assert!(Password::new("short").is_err_and(|refused| !refused.is_too_long()));
}
