//! Posting many messages at once: two scripts, whatever their number (one more if somebody is mentioned),
//! where one by one it would be seven statements for each. Every script or statement is a message to the
//! connection's thread and one back, which is most of what a post costs.
//!
//! Only what simply goes through is done here. A post that was seen before, is refused, or comes
//! twice in the group is left to the ordinary path, which is the one place that says why.

use std::collections::{BTreeMap, HashMap};

use sqlx::AssertSqlSafe;
use switchback_core::wire::{Event, EventBody, Message, Quote};
use switchback_core::{MessageId, RoomId, Seq, UserId, limits};
use uuid::Uuid;

use crate::db::{Row, Value, values};
use crate::kind::Kind;
use crate::tx::Tx;
use crate::write::messages::{assemble, digest, mentionable};
use crate::{Audience, Error, LoggedEvent, NewMessage, Posted};

/// Posts what goes through; `None` stands for one that the ordinary path must look at. An error
/// leaves the transaction good for nothing but to be rolled back.
pub(crate) async fn post(tx: &mut Tx, news: &[&NewMessage]) -> Result<Vec<Option<Posted>>, Error> {
    let mut all = Vec::with_capacity(news.len());
    for some in news.chunks(MOST) {
        all.extend(post_some(tx, some).await?);
    }
    Ok(all)
}

async fn post_some(tx: &mut Tx, news: &[&NewMessage]) -> Result<Vec<Option<Posted>>, Error> {
    let clear = clear(tx, news).await?;
    let mentions = mentions(tx, news).await?;
    let posted = assemble(news, clear, mentions, tx.seq() + 1, tx.at());
    let Some(last) = posted.iter().flatten().map(|posted| posted.seq).max() else { return Ok(posted) };
    let counts = write(tx, news, &posted).await?;
    let told = posted.iter().flatten().zip(counts).map(|(posted, n)| logged(posted, n)).collect();
    tx.appended_through(last, Some(told));
    Ok(posted)
}

/// What replay will say of a post that is new.
fn logged(posted: &Posted, n: u64) -> LoggedEvent {
    let Message { room, author, at, .. } = posted.message;
    let body = EventBody::MessagePosted { message: posted.message.clone() };
    let event = Event { body, seq: posted.seq, n: Some(n), room: Some(room), at, actor: Some(author) };
    LoggedEvent { event, audience: Audience::Room(room) }
}

/// Which posts (by their index) go through: new, by an active member of an open room, and in answer
/// to nothing or to a message of the same room, whose quote comes with it.
async fn clear(tx: &mut Tx, news: &[&NewMessage]) -> Result<HashMap<usize, Option<Quote>>, Error> {
    let posts = news.iter().enumerate().map(|(place, new)| {
        values![place, new.author, new.nonce, new.room, new.reply_to.map(MessageId::as_uuid)]
    });
    let sql = "WITH p (place, author, nonce, room, reply_to) AS (VALUES {rows}) \
               SELECT p.place, q.id, q.author_id, substr(q.body, 1, CAST(? AS INTEGER)) AS excerpt, \
               q.deleted_seq IS NOT NULL AS deleted FROM p \
               JOIN users u ON u.id = p.author AND u.active \
               JOIN rooms r ON r.id = p.room AND NOT r.archived \
               JOIN memberships m ON m.room_id = p.room AND m.user_id = p.author \
               LEFT JOIN messages q ON q.id = p.reply_to \
               WHERE (p.reply_to IS NULL OR q.room_id = p.room) AND NOT EXISTS \
               (SELECT 1 FROM messages e WHERE e.author_id = p.author AND e.nonce = p.nonce)";
    let mut script = Script::default();
    script.add(sql, posts, values![limits::REPLY_EXCERPT_CHARS]);
    let rows = script.run(tx).await?;
    let quote = |row: &Row| -> Result<_, Error> {
        let Some(id) = row.get::<Option<Uuid>>("id")? else { return Ok(None) };
        Ok(Some(Quote {
            id: MessageId::from_uuid(id),
            author: row.get("author_id")?,
            excerpt: row.get("excerpt")?,
            deleted: row.get("deleted")?,
        }))
    };
    rows.iter().map(|row| Ok((place(row)?, quote(row)?))).collect()
}

/// Of those whom each post (by its index) mentions, the members of its room, in the order in which
/// they are read.
async fn mentions(tx: &mut Tx, news: &[&NewMessage]) -> Result<HashMap<usize, Vec<UserId>>, Error> {
    let wanted: Vec<Vec<Value>> = news
        .iter()
        .enumerate()
        .flat_map(|(place, new)| mentionable(new).map(move |user| values![place, new.room, user]))
        .collect();
    let sql = "WITH p (place, room, mentioned) AS (VALUES {rows}) \
               SELECT DISTINCT p.place, m.user_id FROM p \
               JOIN memberships m ON m.room_id = p.room AND m.user_id = p.mentioned \
               ORDER BY p.place, m.user_id";
    let mut found: HashMap<usize, Vec<UserId>> = HashMap::new();
    for some in wanted.chunks(MOST) {
        let mut script = Script::default();
        script.add(sql, some.iter().cloned(), values![]);
        for row in &script.run(tx).await? {
            found.entry(place(row)?).or_default().push(row.get("user_id")?);
        }
    }
    // Those of one post may have come in two pieces.
    for users in found.values_mut() {
        users.sort_unstable();
        users.dedup();
    }
    Ok(found)
}

/// Counts the posts in their rooms, appends the events, numbered on in each room, and inserts the
/// messages. Returns each event's number in its room.
async fn write(tx: &mut Tx, news: &[&NewMessage], posted: &[Option<Posted>]) -> Result<Vec<u64>, Error> {
    let at = tx.at();
    let fresh = || news.iter().zip(posted).filter_map(|(new, posted)| Some((new, posted.as_ref()?)));
    let mut script = Script::default();

    let mut rooms: BTreeMap<RoomId, (u64, Seq)> = BTreeMap::new();
    for (_, posted) in fresh() {
        let (posts, last) = rooms.entry(posted.message.room).or_default();
        *posts += 1;
        *last = posted.seq;
    }
    let counts = rooms.iter().map(|(room, (posts, last))| values![*room, *posts, *last]);
    let sql = "WITH c (room, posts, last) AS (VALUES {rows}) \
               UPDATE rooms SET n = n + c.posts, last_seq = c.last, last_at = ? FROM c \
               WHERE rooms.id = c.room RETURNING id, n";
    script.add(sql, counts, values![at]);

    // The room's count is that of its last new event.
    let mut behind: HashMap<RoomId, u64> = rooms.iter().map(|(room, (posts, _))| (*room, *posts)).collect();
    let mut of_room = Vec::with_capacity(posted.len());
    for (_, Posted { message, .. }) in fresh() {
        let behind = behind.entry(message.room).or_default();
        *behind = behind.saturating_sub(1);
        of_room.push((message.room, *behind));
    }
    let events = fresh().zip(&of_room).map(|((_, Posted { seq, message, .. }), (room, behind))| {
        values![*seq, at, Kind::MessagePosted, *room, message.author, message.id, *behind]
    });
    let sql = "WITH e (seq, at, kind, room, actor, subject, behind) AS (VALUES {rows}) \
               INSERT INTO events (seq, at, kind, room_id, actor, subject, n) \
               SELECT e.seq, e.at, e.kind, e.room, e.actor, e.subject, \
               (SELECT r.n FROM rooms r WHERE r.id = e.room) - e.behind FROM e WHERE e.seq > 0";
    script.add(sql, events, values![]);

    let messages = fresh().map(|(new, Posted { seq, message, .. })| {
        let reply_to = message.reply_to.as_ref().map(|quote| quote.id);
        let Message { id, room, author, nonce, at, mentions_room, .. } = *message;
        let (body, html) = (message.body.as_str(), message.html.as_str());
        values![*seq, id, room, author, nonce, digest(new), at, body, html, reply_to, mentions_room]
    });
    let sql = "WITH m (seq, id, room, author, nonce, digest, at, body, html, reply_to, mentions_room) \
               AS (VALUES {rows}) \
               INSERT INTO messages (seq, id, room_id, author_id, nonce, digest, at, body, html, \
               reply_to, mentions_room) SELECT * FROM m WHERE m.seq > 0";
    script.add(sql, messages, values![]);

    let mentioned = fresh().flat_map(|(_, posted)| {
        let (room, seq) = (posted.message.room, posted.seq);
        posted.message.mentions.iter().map(move |user| values![*user, room, seq])
    });
    let sql = "WITH m (user, room, seq) AS (VALUES {rows}) \
               INSERT INTO mentions (user_id, room_id, seq) SELECT * FROM m WHERE m.seq > 0";
    let mentioned: Vec<Vec<Value>> = mentioned.collect();
    mentioned.chunks(MOST).for_each(|some| script.add(sql, some.iter().cloned(), values![]));

    let rows = script.run(tx).await?;
    let counted: HashMap<RoomId, u64> =
        rows.iter().map(|row| Ok((row.get("id")?, row.get("n")?))).collect::<Result<_, Error>>()?;
    let n = |(room, behind): (RoomId, u64)| {
        counted.get(&room).copied().unwrap_or_default().saturating_sub(behind)
    };
    Ok(of_room.into_iter().map(n).collect())
}

/// Sizes of tables of parameters. One between two is filled up with rows of NULL, which go nowhere, so
/// that few statements are prepared and kept.
const SIZES: [usize; 5] = [1, 8, 32, 128, MOST];
/// Rows of the largest table.
const MOST: usize = 512;

/// Statements that go to the connection's thread together.
#[derive(Default)]
struct Script {
    sql: String,
    values: Vec<Value>,
}

impl Script {
    /// Adds `sql` with its `{rows}` as a table of parameters, `after` behind them; nothing for no rows.
    fn add(&mut self, sql: &'static str, rows: impl Iterator<Item = Vec<Value>>, after: Vec<Value>) {
        let rows: Vec<Vec<Value>> = rows.collect();
        let Some(columns) = rows.first().map(Vec::len) else { return };
        let size = SIZES.into_iter().find(|size| *size >= rows.len()).unwrap_or(rows.len());
        let filling = (size - rows.len()) * columns;
        let row = format!("({})", vec!["?"; columns].join(","));
        if !self.sql.is_empty() {
            self.sql.push(';');
        }
        self.sql.push_str(&sql.replace("{rows}", &vec![row; size].join(",")));
        self.values.extend(rows.into_iter().flatten());
        self.values.extend(std::iter::repeat_n(Value::Int(None), filling));
        self.values.extend(after);
    }

    /// All rows that come of it.
    async fn run(self, tx: &mut Tx) -> Result<Vec<Row>, Error> {
        if self.sql.is_empty() {
            return Ok(Vec::new());
        }
        // The text consists of our own SQL and question marks; every value is bound.
        tx.conn.all(AssertSqlSafe(self.sql), self.values).await
    }
}

fn place(row: &Row) -> Result<usize, Error> {
    Ok(usize::try_from(row.get::<u64>("place")?).unwrap_or(usize::MAX))
}
