//! Posting many messages at once: four statements, whatever their number (two more if somebody is
//! mentioned), where one by one it would be seven for each. Every statement is a message to the
//! connection's thread and one back, which is most of what a post costs.
//!
//! Only what simply goes through is done here. A post that was seen before, is refused, or comes
//! twice in the group is left to the ordinary path, which is the one place that says why.

use std::collections::{BTreeMap, HashMap};

use sqlx::AssertSqlSafe;
use switchback_core::wire::Quote;
use switchback_core::{MessageId, RoomId, Seq, UserId, limits};
use uuid::Uuid;

use crate::db::{Value, values};
use crate::kind::Kind;
use crate::tx::Tx;
use crate::write::messages::{assemble, digest, mentionable};
use crate::{Error, NewMessage, Posted};

/// Posts what goes through; `None` stands for one that the ordinary path must look at. An error
/// leaves the transaction good for nothing but to be rolled back.
pub(crate) async fn post(tx: &mut Tx, news: &[&NewMessage]) -> Result<Vec<Option<Posted>>, Error> {
    let mut all = Vec::with_capacity(news.len());
    for some in news.chunks(SIZES[SIZES.len() - 1]) {
        all.extend(post_some(tx, some).await?);
    }
    Ok(all)
}

async fn post_some(tx: &mut Tx, news: &[&NewMessage]) -> Result<Vec<Option<Posted>>, Error> {
    let clear = clear(tx, news).await?;
    let mentions = mentions(tx, news).await?;
    let posted = assemble(news, clear, mentions, tx.seq() + 1, tx.at());
    let Some(last) = posted.iter().flatten().map(|posted| posted.seq).max() else { return Ok(posted) };
    let counted = count(tx, &posted).await?;
    log(tx, &posted, counted).await?;
    insert(tx, news, &posted).await?;
    tx.appended_through(last);
    Ok(posted)
}

/// Which posts (by their index) go through: new, by an active member of an open room, and in answer
/// to nothing or to a message of the same room, whose quote comes with it.
async fn clear(tx: &mut Tx, news: &[&NewMessage]) -> Result<HashMap<usize, Option<Quote>>, Error> {
    let posts = news.iter().enumerate().map(|(place, new)| {
        values![place, new.author, new.nonce, new.room, new.reply_to.map(|id| id.as_uuid())]
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
    let rows = tabled(tx, sql, posts, values![limits::REPLY_EXCERPT_CHARS]).await?;
    let quote = |row: &crate::db::Row| -> Result<_, Error> {
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
    for some in wanted.chunks(SIZES[SIZES.len() - 1]) {
        for row in &tabled(tx, sql, some.iter().cloned(), values![]).await? {
            found.entry(place(row)?).or_default().push(row.get("user_id")?);
        }
    }
    // Those of one post may have come in two pieces.
    found.values_mut().for_each(|users| {
        users.sort_unstable();
        users.dedup();
    });
    Ok(found)
}

/// Counts the posts in their rooms; for each room how far it was.
async fn count(tx: &mut Tx, posted: &[Option<Posted>]) -> Result<HashMap<RoomId, u64>, Error> {
    let mut rooms: BTreeMap<RoomId, (u64, Seq)> = BTreeMap::new();
    for Posted { message, seq, .. } in posted.iter().flatten() {
        let (posts, last) = rooms.entry(message.room).or_default();
        *posts += 1;
        *last = *seq;
    }
    let counts = rooms.iter().map(|(room, (posts, last))| values![*room, *posts, *last]);
    let sql = "WITH c (room, posts, last) AS (VALUES {rows}) \
               UPDATE rooms SET n = n + c.posts, last_seq = c.last, last_at = ? FROM c \
               WHERE rooms.id = c.room RETURNING id, n";
    let at = tx.at();
    let rows = tabled(tx, sql, counts, values![at]).await?;
    let before = |row: &crate::db::Row| -> Result<_, Error> {
        let room = row.get("id")?;
        let posts = rooms.get(&room).map_or(0, |(posts, _)| *posts);
        Ok((room, row.get::<u64>("n")? - posts))
    };
    rows.iter().map(before).collect()
}

/// Appends the events, numbered on in each room.
async fn log(tx: &mut Tx, posted: &[Option<Posted>], mut counted: HashMap<RoomId, u64>) -> Result<(), Error> {
    let at = tx.at();
    let events = posted.iter().flatten().map(|Posted { seq, message, .. }| {
        let n = counted.entry(message.room).or_default();
        *n += 1;
        values![*seq, at, Kind::MessagePosted, message.room, message.author, message.id, *n]
    });
    let sql = "WITH e (seq, at, kind, room, actor, subject, n) AS (VALUES {rows}) \
               INSERT INTO events (seq, at, kind, room_id, actor, subject, n) SELECT * FROM e WHERE e.seq > 0";
    tabled(tx, sql, events, values![]).await.map(drop)
}

async fn insert(tx: &mut Tx, news: &[&NewMessage], posted: &[Option<Posted>]) -> Result<(), Error> {
    let fresh = || news.iter().zip(posted).filter_map(|(new, posted)| Some((new, posted.as_ref()?)));
    let messages = fresh().map(|(new, Posted { seq, message, .. })| {
        let reply_to = message.reply_to.as_ref().map(|quote| quote.id);
        values![
            *seq,
            message.id,
            message.room,
            message.author,
            message.nonce,
            digest(new),
            message.at,
            message.body.as_str(),
            message.html.as_str(),
            reply_to,
            message.mentions_room
        ]
    });
    let sql = "WITH m (seq, id, room, author, nonce, digest, at, body, html, reply_to, mentions_room) \
               AS (VALUES {rows}) \
               INSERT INTO messages (seq, id, room_id, author_id, nonce, digest, at, body, html, \
               reply_to, mentions_room) SELECT * FROM m WHERE m.seq > 0";
    tabled(tx, sql, messages, values![]).await?;
    let mentioned: Vec<Vec<Value>> = fresh()
        .flat_map(|(_, posted)| {
            let (room, seq) = (posted.message.room, posted.seq);
            posted.message.mentions.iter().map(move |user| values![*user, room, seq])
        })
        .collect();
    let sql = "WITH m (user, room, seq) AS (VALUES {rows}) \
               INSERT INTO mentions (user_id, room_id, seq) SELECT * FROM m WHERE m.seq > 0";
    for some in mentioned.chunks(SIZES[SIZES.len() - 1]) {
        tabled(tx, sql, some.iter().cloned(), values![]).await?;
    }
    Ok(())
}

/// Sizes of tables of parameters. One between two is filled up with rows of NULL, which go nowhere, so
/// that few statements are prepared and kept.
const SIZES: [usize; 5] = [1, 8, 32, 128, 512];

/// Runs `sql` with its `{rows}` as a table of parameters, `after` behind them. Nothing is run for no
/// rows.
async fn tabled(
    tx: &mut Tx,
    sql: &'static str,
    rows: impl Iterator<Item = Vec<Value>>,
    after: Vec<Value>,
) -> Result<Vec<crate::db::Row>, Error> {
    let rows: Vec<Vec<Value>> = rows.collect();
    let Some(columns) = rows.first().map(Vec::len) else { return Ok(Vec::new()) };
    let size = SIZES.into_iter().find(|size| *size >= rows.len()).unwrap_or(rows.len());
    let filling = (size - rows.len()) * columns;
    let row = format!("({})", vec!["?"; columns].join(","));
    let table = vec![row; size].join(",");
    let values = rows.into_iter().flatten();
    let values = values.chain(std::iter::repeat_n(Value::Int(None), filling)).chain(after);
    // The text consists of our own SQL and question marks; every value is bound.
    tx.conn.all(AssertSqlSafe(sql.replace("{rows}", &table)), values.collect()).await
}

fn place(row: &crate::db::Row) -> Result<usize, Error> {
    Ok(usize::try_from(row.get::<u64>("place")?).unwrap_or(usize::MAX))
}
