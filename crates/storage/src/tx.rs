//! The write transaction: the head of the log, read under the database's write lock and moved
//! before the commit, and the appending of events in between.
//!
//! Nothing of it outlives the transaction, because another process may write in between.

use std::time::{SystemTime, UNIX_EPOCH};

use switchback_core::wire::Timestamp;
use switchback_core::{RoomId, Seq, UserId};
use uuid::Uuid;

use crate::db::{Conn, values};
use crate::kind::Kind;
use crate::{Error, LoggedEvent};

/// The writer's connection and, between `begin` and `commit`, the head of the log.
#[derive(Debug)]
pub(crate) struct Tx {
    pub(crate) conn: Conn,
    seq: Seq,
    /// `seq` as the database has it: nothing was appended while they are the same.
    stored_seq: Seq,
    /// `seq` at the running operation's savepoint.
    savepoint_seq: Seq,
    at: Timestamp,
    /// What was appended so far, as replay will say it; `None`: that was not worked out.
    told: Option<Vec<LoggedEvent>>,
}

/// A row of the log.
pub(crate) const INSERT_EVENT: &str = "INSERT INTO events (seq, at, kind, room_id, actor, subject, n, detail) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
/// An event to be.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    pub(crate) room: Option<RoomId>,
    pub(crate) actor: Option<UserId>,
    pub(crate) subject: Option<Uuid>,
    pub(crate) detail: Option<String>,
}

impl Entry {
    /// Something that happened in a room.
    pub(crate) const fn in_room(kind: Kind, room: RoomId, actor: Option<UserId>) -> Self {
        Self { kind, room: Some(room), actor, subject: None, detail: None }
    }

    /// Something that everybody sees.
    pub(crate) const fn everywhere(kind: Kind, actor: Option<UserId>) -> Self {
        Self { kind, room: None, actor, subject: None, detail: None }
    }

    /// To which message or person.
    pub(crate) fn about(self, subject: Uuid) -> Self {
        Self { subject: Some(subject), ..self }
    }

    /// With which emoji, or up to which position.
    pub(crate) fn with(self, detail: String) -> Self {
        Self { detail: Some(detail), ..self }
    }
}

impl Tx {
    pub(crate) const fn new(conn: Conn) -> Self {
        Self { conn, seq: 0, stored_seq: 0, savepoint_seq: 0, at: 0, told: None }
    }

    /// Takes the write lock and reads the head.
    pub(crate) async fn begin(&mut self) -> Result<(), Error> {
        let head = self.conn.begin_write().await?;
        self.seq = head.get("seq")?;
        self.stored_seq = self.seq;
        // A clock that was set back, or another node's that is ahead, must not order the log's
        // times against its positions.
        self.at = now().max(head.get("at")?);
        self.told = Some(Vec::new());
        Ok(())
    }

    /// Moves the head and makes everything durable.
    pub(crate) async fn commit(&mut self) -> Result<(), Error> {
        let moved = self.seq != self.stored_seq;
        self.conn.commit_write(moved.then_some((self.seq, self.at))).await
    }

    /// Gives everything up. That there may be no transaction any more is fine: `SQLite` ends it by
    /// itself after some errors.
    pub(crate) async fn rollback(&mut self) {
        if let Err(error) = self.conn.run("ROLLBACK", values![]).await {
            tracing::debug!(%error, "nothing was left to roll back");
        }
    }

    /// Gives everything up after trouble with the database itself. A connection to `PostgreSQL` is
    /// given up with it: a new one costs less than knowing in which state this one is.
    pub(crate) async fn abandon(&mut self) {
        if self.conn.postgres().is_some() {
            self.conn.lose();
        } else {
            self.rollback().await;
        }
    }

    /// Begins one operation of the group.
    pub(crate) async fn savepoint(&mut self) -> Result<(), Error> {
        self.savepoint_seq = self.seq;
        self.conn.run("SAVEPOINT operation", values![]).await?;
        Ok(())
    }

    /// Keeps what the operation did.
    pub(crate) async fn release(&mut self) -> Result<(), Error> {
        self.conn.run("RELEASE operation", values![]).await?;
        Ok(())
    }

    /// Undoes what the operation did.
    pub(crate) async fn undo(&mut self) -> Result<(), Error> {
        self.conn.run("ROLLBACK TO operation", values![]).await?;
        self.seq = self.savepoint_seq;
        self.release().await
    }

    /// Counts events that were appended in another way than by [`Tx::append`]; `told`: what they are.
    pub(crate) fn appended_through(&mut self, seq: Seq, told: Option<Vec<LoggedEvent>>) {
        self.seq = seq;
        self.told = self.told.take().zip(told).map(|(mut before, told)| {
            before.extend(told);
            before
        });
    }

    /// All that was appended, as replay will say it, if that is known.
    pub(crate) fn take_told(&mut self) -> Option<Vec<LoggedEvent>> {
        self.told.take()
    }

    /// The last event so far.
    pub(crate) const fn seq(&self) -> Seq {
        self.seq
    }

    /// The transaction's time: one for all its events, never before that of the last.
    pub(crate) const fn at(&self) -> Timestamp {
        self.at
    }

    /// Appends an event. Those that a room's members all see are counted by the room.
    pub(crate) async fn append(&mut self, entry: Entry) -> Result<Seq, Error> {
        let seq = self.seq + 1;
        let n = self.count(&entry, seq).await?;
        let Entry { kind, room, actor, subject, detail } = entry;
        self.conn.run(INSERT_EVENT, values![seq, self.at, kind, room, actor, subject, n, detail]).await?;
        self.seq = seq;
        self.told = None;
        Ok(seq)
    }

    /// The event's number in its room. A new message is the room's newest besides.
    async fn count(&mut self, entry: &Entry, seq: Seq) -> Result<Option<u64>, Error> {
        let Some(room) = entry.room else { return Ok(None) };
        let row = match entry.kind {
            // For one person alone.
            Kind::ReadMarked => return Ok(None),
            Kind::MessagePosted => {
                let sql = "UPDATE rooms SET n = n + 1, last_seq = $2, last_at = $3 WHERE id = $1 RETURNING n";
                self.conn.one(sql, values![room, seq, self.at]).await?
            }
            _ => self.conn.one("UPDATE rooms SET n = n + 1 WHERE id = $1 RETURNING n", values![room]).await?,
        };
        row.get("n")
    }
}

/// Microseconds since 1970 by this machine's clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::try_from(since.as_micros()).unwrap_or(Timestamp::MAX)
}

/// A new id that sorts after the older ones.
pub(crate) fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// A row that must be there for the thing to exist at all.
pub(crate) fn found<T>(row: Option<T>, what: &'static str) -> Result<T, Error> {
    row.ok_or(Error::NotFound(what))
}
