//! What there is most of, posts and read marks, on a thread and a connection of their own: a group costs
//! one message to the thread and one back, whatever is in it. Through sqlx each statement is such a
//! message, and waking a thread and being woken was most of what a post cost (docs/decisions/018).
//!
//! Only what simply goes through is done here. A post that was seen before or is refused, a mark that
//! changes nothing, and a whole group that cannot be written are left to the ordinary path, which is
//! the one place that says why.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Builder;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error, ErrorCode, PrepFlags, Result, Statement, params};
use switchback_core::wire::{Event, EventBody, Message, Quote, Timestamp};
use switchback_core::{MessageId, RoomId, Seq, UserId, limits};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{open_direct, writer_pragmas};
use crate::kind::Kind;
use crate::tx::{INSERT_EVENT, new_id, now};
use crate::write::messages::{INSERT_MENTION, INSERT_MESSAGE, ReadMark, digest, fresh, mentionable};
use crate::{Audience, LoggedEvent, NewMessage, Posted};

/// The way to the thread. Dropped, it ends.
#[derive(Debug)]
pub(crate) struct Express {
    asks: Sender<Ask>,
    /// Never sent; dropped once the connection is closed.
    ended: oneshot::Receiver<()>,
}

#[derive(Debug)]
enum Ask {
    Write {
        group: Group,
        reply: oneshot::Sender<Result<Done>>,
    },
    End,
    #[cfg(test)]
    Set {
        sql: String,
    },
}

/// What is to be written together, in this order.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) posts: Vec<Arc<NewMessage>>,
    pub(crate) marks: Vec<ReadMark>,
}

/// What was committed. `None` stands for one that the ordinary path must look at.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) posts: Vec<Option<Posted>>,
    /// The positions of the events that tell of the marks.
    pub(crate) marks: Vec<Option<Seq>>,
    /// The posts, as replay will say them.
    pub(crate) told: Vec<LoggedEvent>,
    /// The head of the log, unless nothing was written.
    pub(crate) head: Option<Seq>,
}

impl Express {
    /// Starts the thread; the database is opened with its first group.
    pub(crate) fn start(path: &Path) -> std::io::Result<Self> {
        let (asks, asked) = channel();
        let (running, ended) = oneshot::channel();
        let path = path.to_owned();
        Builder::new().name("switchback-posts".to_owned()).spawn(move || {
            serve(&path, &asked);
            drop(running);
        })?;
        Ok(Self { asks, ended })
    }

    /// Ends the thread, and waits until its connection is closed.
    pub(crate) async fn end(self) {
        drop(self.asks.send(Ask::End));
        let _: std::result::Result<(), _> = self.ended.await;
    }

    /// Writes and commits what goes through. `None`: nothing was written, as far as anybody can know.
    pub(crate) async fn write(&self, group: Group) -> Option<Done> {
        let (reply, answer) = oneshot::channel();
        // Without a thread there is no answer either.
        drop(self.asks.send(Ask::Write { group, reply }));
        match answer.await {
            Ok(Ok(done)) => Some(done),
            Ok(Err(error)) => {
                tracing::warn!(%error, "operations could not be written together; now one by one");
                None
            }
            Err(_) => {
                tracing::error!("the thread that posts is gone; posts are written one by one");
                None
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn setter(&self) -> Setter {
        Setter(self.asks.clone())
    }
}

/// Runs statements on the thread's connection.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct Setter(Sender<Ask>);

#[cfg(test)]
impl Setter {
    pub(crate) fn set(&self, sql: &str) {
        drop(self.0.send(Ask::Set { sql: sql.to_owned() }));
    }
}

/// Until nobody can ask any more. The connection is opened with the first group, and anew after trouble.
fn serve(path: &Path, asked: &Receiver<Ask>) {
    let mut next = asked.recv().ok();
    while let Some(ask) = next {
        next = match open(path) {
            Ok(conn) => serve_on(&conn, ask, asked),
            Err(error) => {
                if let Ask::Write { reply, .. } = ask {
                    // Nobody may be waiting any more, which is fine, here and below.
                    drop(reply.send(Err(error)));
                }
                asked.recv().ok()
            }
        };
    }
}

/// The same, as long as this connection serves. Returns what the next one begins with.
fn serve_on(conn: &Connection, first: Ask, asked: &Receiver<Ask>) -> Option<Ask> {
    let (mut next, mut kept) = (Some(first), None);
    loop {
        match next? {
            Ask::End => return None,
            Ask::Write { group, reply } => {
                let done = Statements::kept(&mut kept, conn).and_then(|statements| write(statements, &group));
                let is_sound = match &done {
                    Ok(_) => true,
                    Err(error) => leaves_it_sound(error) && roll_back(conn).is_ok(),
                };
                drop(reply.send(done));
                if !is_sound {
                    return asked.recv().ok();
                }
            }
            #[cfg(test)]
            Ask::Set { sql } => drop(conn.execute_batch(&sql)),
        }
        next = asked.recv().ok();
    }
}

fn open(path: &Path) -> Result<Connection> {
    let conn = open_direct(path)?;
    // Who finds the lock taken leaves the waiting to the ordinary path.
    conn.busy_timeout(std::time::Duration::ZERO)?;
    conn.pragma_update(None, "foreign_keys", "ON")?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    for (name, value) in writer_pragmas() {
        conn.pragma_update(None, name, value)?;
    }
    Ok(conn)
}

/// Whether the connection can be used on after this error. After others it may be in any state.
fn leaves_it_sound(error: &Error) -> bool {
    let codes = [ErrorCode::DatabaseBusy, ErrorCode::DiskFull, ErrorCode::ConstraintViolation];
    error.sqlite_error_code().is_some_and(|code| codes.contains(&code))
}

/// Ends a transaction that has failed, unless it ended with that.
fn roll_back(conn: &Connection) -> Result<()> {
    if conn.is_autocommit() { Ok(()) } else { conn.execute_batch("ROLLBACK") }
}

/// What is asked of the database, compiled once for a connection.
///
/// None of it has a RETURNING: `SQLite` answers that from a table of its own, made for each time.
struct Statements<'c> {
    begin: Statement<'c>,
    head: Statement<'c>,
    /// How a post stands: the room's row and number, and what is quoted. No row: for the ordinary path.
    look: Statement<'c>,
    is_member: Statement<'c>,
    count: Statement<'c>,
    event: Statement<'c>,
    message: Statement<'c>,
    mention: Statement<'c>,
    mark: Statement<'c>,
    move_head: Statement<'c>,
    commit: Statement<'c>,
}

impl<'c> Statements<'c> {
    fn kept<'k>(kept: &'k mut Option<Self>, conn: &'c Connection) -> Result<&'k mut Self> {
        if kept.is_none() {
            *kept = Some(Self::of(conn)?);
        }
        kept.as_mut().ok_or(Error::InvalidQuery)
    }

    fn of(conn: &'c Connection) -> Result<Self> {
        let prepare = |sql| conn.prepare_with_flags(sql, PrepFlags::SQLITE_PREPARE_PERSISTENT);
        Ok(Self {
            begin: prepare("BEGIN IMMEDIATE")?,
            head: prepare("SELECT seq, at FROM log_head WHERE id = 1")?,
            look: prepare(
                "SELECT r.rowid, r.n, q.id, q.author_id, substr(q.body, 1, ?5), q.deleted_seq IS NOT NULL \
                 FROM memberships m JOIN users u ON u.id = m.user_id AND u.active \
                 JOIN rooms r ON r.id = m.room_id AND NOT r.archived LEFT JOIN messages q ON q.id = ?4 \
                 WHERE m.room_id = ?3 AND m.user_id = ?1 AND (?4 IS NULL OR q.room_id = m.room_id) \
                 AND NOT EXISTS (SELECT 1 FROM messages e WHERE e.author_id = ?1 AND e.nonce = ?2)",
            )?,
            is_member: prepare("SELECT 1 FROM memberships WHERE room_id = ?1 AND user_id = ?2")?,
            count: prepare("UPDATE rooms SET n = ?2, last_seq = ?3, last_at = ?4 WHERE rowid = ?1")?,
            event: prepare(INSERT_EVENT)?,
            message: prepare(INSERT_MESSAGE)?,
            mention: prepare(INSERT_MENTION)?,
            mark: prepare(
                "UPDATE memberships SET read_seq = ?3 WHERE room_id = ?1 AND user_id = ?2 \
                 AND read_seq < ?3 AND EXISTS (SELECT 1 FROM users u WHERE u.id = ?2 AND u.active)",
            )?,
            move_head: prepare("UPDATE log_head SET seq = ?1, at = ?2 WHERE id = 1")?,
            commit: prepare("COMMIT")?,
        })
    }
}

/// One transaction. It is still open after an error.
fn write(statements: &mut Statements<'_>, group: &Group) -> Result<Done> {
    statements.begin.execute([])?;
    let (stored, last_at): (i64, Timestamp) =
        statements.head.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    // Times of the log are in the order of its positions, whatever the clock does.
    let mut log = Log { statements, seq: stored, at: now().max(last_at) };
    let mut done = Done {
        posts: Vec::with_capacity(group.posts.len()),
        marks: Vec::with_capacity(group.marks.len()),
        told: Vec::with_capacity(group.posts.len()),
        head: None,
    };
    for new in &group.posts {
        let posted = log.post(new)?;
        done.told.extend(posted.as_ref().map(|(posted, n)| logged(posted, *n)));
        done.posts.push(posted.map(|(posted, _)| posted));
    }
    for mark in &group.marks {
        done.marks.push(log.mark(mark)?);
    }
    let Log { statements, seq, at } = log;
    if seq > stored {
        statements.move_head.execute(params![seq, at])?;
        done.head = Some(position(seq));
    }
    statements.commit.execute([])?;
    Ok(done)
}

/// What replay will say of a post that is new.
fn logged(posted: &Posted, n: u64) -> LoggedEvent {
    let Message { room, author, at, .. } = posted.message;
    let body = EventBody::MessagePosted { message: posted.message.clone() };
    let event = Event { body, seq: posted.seq, n: Some(n), room: Some(room), at, actor: Some(author) };
    LoggedEvent { event, audience: Audience::Room(room) }
}

/// A post that goes through: new, by an active member of an open room, and in answer to nothing or to a
/// message of the same room.
struct Clear {
    /// The room's row, and its newest event's number.
    room: (i64, i64),
    reply_to: Option<Quote>,
}

/// The end of the log in a transaction that writes.
struct Log<'s, 'c> {
    statements: &'s mut Statements<'c>,
    seq: i64,
    at: Timestamp,
}

impl Log<'_, '_> {
    /// Posts a message that goes through; with the event's number in its room.
    fn post(&mut self, new: &NewMessage) -> Result<Option<(Posted, u64)>> {
        let Some(Clear { room: (row, n), reply_to }) = self.look(new)? else { return Ok(None) };
        let mentions = self.mentions(new)?;
        let (seq, n) = (self.seq + 1, n + 1);
        self.statements.count.execute(params![row, n, seq, self.at])?;
        let id = MessageId::from_uuid(new_id());
        let room = new.room.as_uuid();
        let event = (Kind::MessagePosted, room, new.author.as_uuid(), id.as_uuid());
        self.append(seq, event, Some(n), None)?;
        let message = fresh(new, id, position(seq), self.at, reply_to, mentions);
        self.insert(new, &message)?;
        Ok(Some((Posted { seq: position(seq), message, fresh: true }, position(n))))
    }

    /// `None`: for the ordinary path.
    fn look(&mut self, new: &NewMessage) -> Result<Option<Clear>> {
        let values = params![
            new.author.as_uuid(),
            new.nonce.as_uuid(),
            new.room.as_uuid(),
            new.reply_to.map(MessageId::as_uuid),
            i64::try_from(limits::REPLY_EXCERPT_CHARS).unwrap_or(i64::MAX),
        ];
        let mut rows = self.statements.look.query(values)?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let room = (row.get(0)?, row.get(1)?);
        let reply_to = match row.get_ref(2)? {
            ValueRef::Null => None,
            _ => Some(Quote {
                id: MessageId::from_uuid(row.get(2)?),
                author: UserId::from_uuid(row.get(3)?),
                excerpt: row.get(4)?,
                deleted: row.get(5)?,
            }),
        };
        Ok(Some(Clear { room, reply_to }))
    }

    /// Of those whom a post mentions the members of its room, in the order in which they are read.
    fn mentions(&mut self, new: &NewMessage) -> Result<Vec<UserId>> {
        let mut members = Vec::new();
        for user in mentionable(new) {
            if self.is_member(user, new.room)? {
                members.push(user);
            }
        }
        members.sort_unstable();
        members.dedup();
        Ok(members)
    }

    fn is_member(&mut self, user: UserId, room: RoomId) -> Result<bool> {
        self.statements.is_member.exists(params![room.as_uuid(), user.as_uuid()])
    }

    fn append(
        &mut self,
        seq: i64,
        (kind, room, actor, subject): (Kind, Uuid, Uuid, Uuid),
        n: Option<i64>,
        detail: Option<&str>,
    ) -> Result<()> {
        let values = params![seq, self.at, kind.as_str(), room, actor, subject, n, detail];
        self.statements.event.execute(values)?;
        self.seq = seq;
        Ok(())
    }

    fn insert(&mut self, new: &NewMessage, message: &Message) -> Result<()> {
        let room = message.room.as_uuid();
        let values = params![
            self.seq,
            message.id.as_uuid(),
            room,
            message.author.as_uuid(),
            message.nonce.as_uuid(),
            digest(new),
            message.at,
            message.body,
            message.html,
            message.reply_to.as_ref().map(|quote| quote.id.as_uuid()),
            message.mentions_room,
        ];
        self.statements.message.execute(values)?;
        for user in &message.mentions {
            self.statements.mention.execute(params![user.as_uuid(), room, self.seq])?;
        }
        Ok(())
    }

    /// Marks a room as read, if that moves the mark of an active member.
    fn mark(&mut self, mark: &ReadMark) -> Result<Option<Seq>> {
        let (user, room) = (mark.user.as_uuid(), mark.room.as_uuid());
        let read_seq = i64::try_from(mark.seq).unwrap_or(i64::MAX).min(self.seq);
        if self.statements.mark.execute(params![room, user, read_seq])? == 0 {
            return Ok(None);
        }
        let seq = self.seq + 1;
        self.append(seq, (Kind::ReadMarked, room, user, user), None, Some(&read_seq.to_string()))?;
        Ok(Some(position(seq)))
    }
}

/// Positions and numbers in rooms begin at 1.
fn position(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use sqlx::Connection as _;

    use super::super::{WAL_KEPT_BYTES, WAL_PAGES, connect_writer};
    use super::*;

    /// What an acknowledgement stands on, and that what is deleted is gone.
    #[tokio::test]
    async fn both_connections_that_write_are_set_alike() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("test.db");
        let mut ordinary = connect_writer(&path).await.unwrap();
        let express = open(&path).unwrap();
        let settings = [
            // FULL.
            ("synchronous", 2),
            ("foreign_keys", 1),
            ("secure_delete", 1),
            ("wal_autocheckpoint", WAL_PAGES.into()),
            ("journal_size_limit", WAL_KEPT_BYTES.into()),
        ];
        for (name, wanted) in settings {
            let sql = format!("PRAGMA {name}");
            let ours: i64 = express.query_row(&sql, [], |row| row.get(0)).unwrap();
            let theirs: i64 =
                sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut ordinary).await.unwrap();
            assert_eq!((ours, theirs), (wanted, wanted), "{name}");
        }
        let journal: String = express.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        assert_eq!(journal, "wal");
        ordinary.close().await.unwrap();
    }
}
