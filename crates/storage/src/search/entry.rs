//! What is written down of a message, and how it is asked for, in the words of each database.
//!
//! `core::search` makes the words; they consist of letters, digits, marks and pictures alone. Room and author
//! are words as well, told from all others by a colon: so the index itself narrows a search to them.

use std::fmt::{self, Write as _};

use switchback_core::search::{Phrase, each_word, words};
use switchback_core::wire::Timestamp;
use switchback_core::{RoomId, Seq, UserId};

use super::SearchFor;

/// A message as the index takes it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) seq: Seq,
    pub(super) room: RoomId,
    pub(super) author: UserId,
    pub(super) body: String,
    pub(super) edited_at: Option<Timestamp>,
    pub(super) deleted: bool,
}

impl Entry {
    /// For FTS5: words with spaces between them.
    pub(super) fn text(&self) -> String {
        // Words are seldom longer than they were written.
        let mut text = String::with_capacity(2 * KEY_BYTES + self.body.len());
        // Into a `String`: cannot fail, here and below.
        let _ = write!(text, "{} {}", Key::Room(self.room), Key::Author(self.author));
        each_word(&self.body, |word| {
            text.push(' ');
            text.push_str(word);
        });
        text
    }

    /// For `PostgreSQL`: a `tsvector`, each word with its places.
    pub(super) fn vector(&self) -> String {
        let mut text = format!("'{}' '{}'", Key::Room(self.room), Key::Author(self.author));
        for (word, place) in words(&self.body).iter().zip(1..=LAST_PLACE) {
            let _ = write!(text, " '{word}':{place}");
        }
        text
    }
}

/// `PostgreSQL` keeps no place beyond this one (manual, "Limitations" of full text search).
const LAST_PLACE: u32 = 16_383;

/// A word that a message is found by beside those it says.
#[derive(Clone, Copy)]
enum Key {
    Room(RoomId),
    Author(UserId),
}

/// Of a key, and the space after it.
const KEY_BYTES: usize = 35;

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Room(room) => write!(f, ":r{}", room.as_uuid().simple()),
            Self::Author(author) => write!(f, ":a{}", author.as_uuid().simple()),
        }
    }
}

/// As an expression of FTS5. `None`: nothing can be found.
pub(super) fn fts5(asked: &SearchFor) -> Option<String> {
    let phrase = |phrase: &Phrase| {
        format!("\"{}\"{}", phrase.words.join(" "), if phrase.is_beginning { " *" } else { "" })
    };
    expression(asked, phrase, |key| format!("\"{key}\""), " AND ", " OR ")
}

/// As a `tsquery`. `None`: nothing can be found.
pub(super) fn tsquery(asked: &SearchFor) -> Option<String> {
    let phrase = |phrase: &Phrase| {
        let words: Vec<String> = phrase.words.iter().map(|word| format!("'{word}'")).collect();
        format!("({}{})", words.join(" <-> "), if phrase.is_beginning { ":*" } else { "" })
    };
    expression(asked, phrase, |key| format!("'{key}'"), " & ", " | ")
}

fn expression(
    asked: &SearchFor,
    phrase: impl Fn(&Phrase) -> String,
    key: impl Fn(Key) -> String,
    and: &str,
    or: &str,
) -> Option<String> {
    let mut all: Vec<String> = asked.phrases.iter().map(phrase).collect();
    all.extend(asked.author.map(|author| key(Key::Author(author))));
    if let Some(rooms) = &asked.rooms {
        let rooms: Vec<String> = rooms.iter().map(|room| key(Key::Room(*room))).collect();
        all.push(if rooms.is_empty() { return None } else { format!("({})", rooms.join(or)) });
    }
    (!all.is_empty()).then(|| all.join(and))
}

#[cfg(test)]
mod tests {
    use switchback_core::search::Query;
    use uuid::Uuid;

    use super::*;

    fn asked(text: &str) -> SearchFor {
        let phrases = Query::parse(text).map(|query| query.phrases).unwrap_or_default();
        let rooms = Some(vec![RoomId::from_uuid(Uuid::nil())]);
        SearchFor { phrases, rooms, ..SearchFor::default() }
    }

    #[test]
    fn each_database_is_asked_in_its_own_words() {
        let asked = asked("\"going live\" now");
        let nil = "00000000000000000000000000000000";
        assert_eq!(fts5(&asked), Some(format!("\"going live\" AND \"now\" * AND (\":r{nil}\")")));
        assert_eq!(tsquery(&asked), Some(format!("('going' <-> 'live') & ('now':*) & (':r{nil}')")));
        assert_eq!(fts5(&SearchFor { rooms: Some(Vec::new()), ..asked }), None);
    }

    #[test]
    fn a_message_is_its_words_with_its_room_and_author() {
        let (room, author) = (RoomId::from_uuid(Uuid::nil()), UserId::from_uuid(Uuid::nil()));
        let body = "It's 'quoted' \\ and \"more\"".to_owned();
        let entry = Entry { seq: 1, room, author, body, edited_at: None, deleted: false };
        assert!(entry.text().ends_with(" it s quoted and more"), "{}", entry.text());
        assert!(entry.vector().ends_with(" 'it':1 's':2 'quoted':3 'and':4 'more':5"), "{}", entry.vector());
    }
}
