//! Searching in words: the language of a query, and what counts as a word.
//!
//! Both databases index the words that [`words`] makes of a message and are asked for the words that
//! [`Query`] makes of a query. So the same query finds the same messages on either, and nothing that
//! somebody types is ever syntax of a database.

mod date;
mod query;
mod words;

pub use query::{BadQuery, Phrase, Query};
pub use words::{each_word, words};
