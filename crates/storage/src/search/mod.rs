//! The search index: a reader of the log that writes down which words stand in which message.
//!
//! It is derived data. It follows the log with a cursor of its own, off the writer's path, and may be
//! behind, lost, damaged or of another log: then it is made again, page by page, out of the messages. What is
//! found in it is never believed: every message is held against its row as it is now, so that nobody finds
//! what they may not see, what was deleted, or a word that an edit has taken out.
//!
//! `sqlite` keeps it in a file of its own beside the database, so that it takes neither the
//! writer's lock nor its WAL; `postgres` in two tables, extended by one node at a time. `entry` is what both
//! write down, `find` how both are asked.

mod entry;
mod find;
mod postgres;
mod sqlite;

use switchback_core::search::Phrase;
use switchback_core::wire::{Message, Timestamp};
use switchback_core::{Epoch, RoomId, Seq, UserId};

use crate::place::Place;
use crate::postgres::Server;
use crate::turn::turn;
use crate::{Error, Store};

/// By which rules the words of a message are written down. Another number: the index is made again.
const FORMAT: i64 = 1;

/// What is looked for.
#[derive(Debug, Clone, Default)]
pub struct SearchFor {
    /// All of them must be there.
    pub phrases: Vec<Phrase>,
    /// Written by this person.
    pub author: Option<UserId>,
    /// In one of these rooms; `None`: in any.
    pub rooms: Option<Vec<RoomId>>,
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
}

/// A page of what was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Newest first.
    pub messages: Vec<Message>,
    /// There may be older ones, before this `seq`.
    pub before: Option<Seq>,
    /// Messages up to here were looked at.
    pub indexed_to: Seq,
    /// The log's last event.
    pub head: Seq,
}

/// How far the index has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Indexed {
    /// The log is indexed up to here.
    pub through: Seq,
    /// The log's last event when that was read.
    pub head: Seq,
    /// Messages that were written down by this call.
    pub messages: u64,
    /// It was not this process that did it: another node is at it, or one of a newer version.
    pub by_another: bool,
}

/// Where the index is.
#[derive(Debug)]
pub(crate) enum Index {
    Sqlite(sqlite::Index),
    Postgres(postgres::Index),
}

impl Index {
    pub(crate) fn beside(database: &Place, epoch: Epoch) -> Self {
        Self::Sqlite(sqlite::Index::beside(database.path(), epoch))
    }

    pub(crate) fn on(server: Server, epoch: Epoch) -> Self {
        Self::Postgres(postgres::Index::new(server, epoch))
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(index) => index.close().await,
            Self::Postgres(index) => index.close().await,
        }
    }
}

impl Store {
    /// Extends the search index by what is next in the log: a page of it, at most
    /// `limits::INDEX_PAGE_EVENTS` events. Nobody else calls this at the same time.
    pub async fn index_next(&self) -> Result<Indexed, Error> {
        match self.index() {
            Index::Sqlite(index) => index.next().await,
            Index::Postgres(index) => index.next().await,
        }
    }

    /// Messages that this person may see, newest first, at most `limit` of them, before a `seq`. One call
    /// looks at no more than `limits::SEARCH_CANDIDATES` that have the words: a page may be short or
    /// empty and yet have a `before`.
    pub async fn search(
        &self,
        viewer: UserId,
        asked: &SearchFor,
        before: Option<Seq>,
        limit: usize,
    ) -> Result<Found, Error> {
        let limit = limit.clamp(1, switchback_core::limits::SEARCH_PAGE_MESSAGES);
        let Index::Sqlite(index) = self.index() else {
            let asked = asked.clone();
            return self
                .at_one_moment(move |conn| {
                    Box::pin(async move { find::page(conn, viewer, &asked, before, limit).await })
                })
                .await;
        };
        let _turn = turn().await;
        let found = find::page(&mut index.snapshot().await?, viewer, asked, before, limit).await;
        if found.as_ref().is_err_and(sqlite::is_damage) {
            index.discard().await;
        }
        found
    }
}
