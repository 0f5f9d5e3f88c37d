//! Posting many messages at once: two statements while the head is locked, whatever their number (more
//! if there is much text, two more if somebody is mentioned), where one by one it would be seven for each.
//!
//! Only what simply goes through is done here. A post that was seen before, is refused, or comes
//! twice in the group is left to the ordinary path, which is the one place that says why.

use std::collections::HashMap;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Postgres, Row as _};
use switchback_core::wire::{Message, Quote, Timestamp};
use switchback_core::{MessageId, Seq, UserId, limits};
use uuid::Uuid;

use crate::db::without_nul;
use crate::postgres::in_time;
use crate::tx::Tx;
use crate::write::messages::{assemble, digest, mentionable};
use crate::{Error, NewMessage, Posted, limits as storage};

/// Posts what goes through; `None` stands for one that the ordinary path must look at. An error
/// leaves the transaction good for nothing but to be rolled back.
pub(crate) async fn post(tx: &mut Tx, news: &[&NewMessage]) -> Result<Vec<Option<Posted>>, Error> {
    let (first, at) = (tx.seq() + 1, tx.at());
    let Some(conn) = tx.conn.postgres() else { return Ok(news.iter().map(|_| None).collect()) };
    let done = in_time(post_on(conn, news, first, at)).await;
    let posted = tx.conn.kept(done)?;
    if let Some(last) = posted.iter().flatten().map(|posted| posted.seq).max() {
        tx.appended_through(last, None);
    }
    Ok(posted)
}

async fn post_on(
    conn: &mut PgConnection,
    news: &[&NewMessage],
    first: Seq,
    at: Timestamp,
) -> Result<Vec<Option<Posted>>, sqlx::Error> {
    let clear = clear(conn, news).await?;
    let mentions = mentions(conn, news).await?;
    let posted = assemble(news, clear, mentions, first, at);
    let (mut statements, mut rows) = (Vec::new(), Rows::default());
    for (new, posted) in news.iter().zip(&posted) {
        let Some(Posted { message, .. }) = posted else { continue };
        if !rows.has_room_for(message) {
            statements.push(std::mem::take(&mut rows));
        }
        rows.push(message, digest(new));
    }
    statements.push(rows);
    for rows in statements {
        rows.insert(conn, at).await?;
    }
    Ok(posted)
}

/// Which posts (by their index) go through: new, by an active member of an open room, and in answer
/// to nothing or to a message of the same room, whose quote comes with it.
async fn clear(
    conn: &mut PgConnection,
    news: &[&NewMessage],
) -> Result<HashMap<usize, Option<Quote>>, sqlx::Error> {
    let sql = "SELECT p.place, q.id, q.author_id, substr(q.body, 1, $5) AS excerpt, \
               q.deleted_seq IS NOT NULL AS deleted \
               FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[]) WITH ORDINALITY \
               AS p (author, nonce, room, reply_to, place) \
               JOIN users u ON u.id = p.author AND u.active \
               JOIN rooms r ON r.id = p.room AND NOT r.archived \
               JOIN memberships m ON m.room_id = p.room AND m.user_id = p.author \
               LEFT JOIN messages q ON q.id = p.reply_to \
               WHERE (p.reply_to IS NULL OR q.room_id = p.room) AND NOT EXISTS \
               (SELECT 1 FROM messages e WHERE e.author_id = p.author AND e.nonce = p.nonce)";
    let ids = |id: fn(&NewMessage) -> Uuid| news.iter().map(|new| id(new)).collect::<Vec<_>>();
    let replies: Vec<_> = news.iter().map(|new| new.reply_to.map(MessageId::as_uuid)).collect();
    let rows = sqlx::query::<Postgres>(sql)
        .bind(ids(|new| new.author.as_uuid()))
        .bind(ids(|new| new.nonce.as_uuid()))
        .bind(ids(|new| new.room.as_uuid()))
        .bind(replies)
        .bind(i32::try_from(limits::REPLY_EXCERPT_CHARS).unwrap_or(i32::MAX))
        .fetch_all(conn)
        .await?;
    rows.iter().map(|row| Ok((index(row)?, quote(row)?))).collect()
}

fn quote(row: &PgRow) -> Result<Option<Quote>, sqlx::Error> {
    let Some(id) = row.try_get::<Option<Uuid>, _>("id")? else { return Ok(None) };
    Ok(Some(Quote {
        id: MessageId::from_uuid(id),
        author: UserId::from_uuid(row.try_get("author_id")?),
        excerpt: row.try_get("excerpt")?,
        deleted: row.try_get("deleted")?,
    }))
}

/// Ordinality counts from one.
fn index(row: &PgRow) -> Result<usize, sqlx::Error> {
    let place: i64 = row.try_get("place")?;
    Ok(usize::try_from(place - 1).unwrap_or(usize::MAX))
}

/// Of those whom each post (by its index) mentions, the members of its room, in the order in which
/// they are read.
async fn mentions(
    conn: &mut PgConnection,
    news: &[&NewMessage],
) -> Result<HashMap<usize, Vec<UserId>>, sqlx::Error> {
    let (mut places, mut rooms, mut users) = (Vec::new(), Vec::new(), Vec::new());
    for (new, place) in news.iter().zip(1_i64..) {
        for user in mentionable(new) {
            places.push(place);
            rooms.push(new.room.as_uuid());
            users.push(user.as_uuid());
        }
    }
    let mut found: HashMap<usize, Vec<UserId>> = HashMap::new();
    if places.is_empty() {
        return Ok(found);
    }
    let sql = "SELECT DISTINCT p.place, m.user_id \
               FROM unnest($1::bigint[], $2::uuid[], $3::uuid[]) AS p (place, room, mentioned) \
               JOIN memberships m ON m.room_id = p.room AND m.user_id = p.mentioned \
               ORDER BY p.place, m.user_id";
    let query = sqlx::query::<Postgres>(sql).bind(places).bind(rooms).bind(users);
    for row in &query.fetch_all(conn).await? {
        found.entry(index(row)?).or_default().push(UserId::from_uuid(row.try_get("user_id")?));
    }
    Ok(found)
}

/// New messages, column by column.
#[derive(Default)]
struct Rows {
    bytes: usize,
    seqs: Vec<i64>,
    ids: Vec<Uuid>,
    rooms: Vec<Uuid>,
    authors: Vec<Uuid>,
    nonces: Vec<Uuid>,
    digests: Vec<Vec<u8>>,
    bodies: Vec<String>,
    htmls: Vec<String>,
    reply_tos: Vec<Option<Uuid>>,
    mentions_rooms: Vec<bool>,
    mentioned: Mentioned,
}

/// About what a row takes in a statement.
fn size_bytes(message: &Message) -> usize {
    /// A position, five ids, a digest, two lengths, a truth value, each with its own length.
    const FIXED_BYTES: usize = 176;
    FIXED_BYTES + message.body.len() + message.html.len()
}

#[derive(Default)]
struct Mentioned {
    users: Vec<Uuid>,
    rooms: Vec<Uuid>,
    seqs: Vec<i64>,
}

impl Rows {
    /// A row that is too large for any statement has one of its own.
    fn has_room_for(&self, message: &Message) -> bool {
        self.bytes == 0 || self.bytes + size_bytes(message) <= storage::POSTGRES_INSERT_BYTES
    }

    fn push(&mut self, message: &Message, digest: [u8; 32]) {
        self.bytes += size_bytes(message);
        let seq = i64::try_from(message.seq).unwrap_or(i64::MAX);
        let room = message.room.as_uuid();
        self.seqs.push(seq);
        self.ids.push(message.id.as_uuid());
        self.rooms.push(room);
        self.authors.push(message.author.as_uuid());
        self.nonces.push(message.nonce.as_uuid());
        self.digests.push(digest.to_vec());
        self.bodies.push(without_nul(message.body.clone()));
        self.htmls.push(without_nul(message.html.clone()));
        self.reply_tos.push(message.reply_to.as_ref().map(|quote| quote.id.as_uuid()));
        self.mentions_rooms.push(message.mentions_room);
        for user in &message.mentions {
            self.mentioned.users.push(user.as_uuid());
            self.mentioned.rooms.push(room);
            self.mentioned.seqs.push(seq);
        }
    }

    /// Messages and their events, numbered on in each room, and the rooms' new counts: as one
    /// statement, all parts of which see the tables as they were before it.
    async fn insert(self, conn: &mut PgConnection, at: Timestamp) -> Result<(), sqlx::Error> {
        if self.seqs.is_empty() {
            return Ok(());
        }
        let sql = "WITH p AS (\
                   SELECT *, row_number() OVER (PARTITION BY room ORDER BY seq) AS nth \
                   FROM unnest($2::bigint[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::bytea[], \
                   $8::text[], $9::text[], $10::uuid[], $11::boolean[]) \
                   AS u (seq, id, room, author, nonce, digest, body, html, reply_to, mentions_room)\
                   ), counted AS (\
                   UPDATE rooms r SET n = r.n + c.posts, last_seq = c.last_seq, last_at = $1 \
                   FROM (SELECT room, count(*) AS posts, max(seq) AS last_seq FROM p GROUP BY room) c \
                   WHERE r.id = c.room RETURNING r.id, r.n - c.posts AS before\
                   ), logged AS (\
                   INSERT INTO events (seq, at, kind, room_id, actor, subject, n) \
                   SELECT p.seq, $1, 'message.posted', p.room, p.author, p.id, c.before + p.nth \
                   FROM p JOIN counted c ON c.id = p.room\
                   ) INSERT INTO messages (seq, id, room_id, author_id, nonce, digest, at, body, html, \
                   reply_to, mentions_room) SELECT seq, id, room, author, nonce, digest, $1, body, html, \
                   reply_to, mentions_room FROM p";
        let query = sqlx::query::<Postgres>(sql)
            .bind(at)
            .bind(self.seqs)
            .bind(self.ids)
            .bind(self.rooms)
            .bind(self.authors)
            .bind(self.nonces)
            .bind(self.digests)
            .bind(self.bodies)
            .bind(self.htmls)
            .bind(self.reply_tos)
            .bind(self.mentions_rooms);
        query.execute(&mut *conn).await?;
        self.mentioned.insert(conn).await
    }
}

impl Mentioned {
    async fn insert(self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.users.is_empty() {
            return Ok(());
        }
        let sql = "INSERT INTO mentions (user_id, room_id, seq) \
                   SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[])";
        let query = sqlx::query::<Postgres>(sql).bind(self.users).bind(self.rooms).bind(self.seqs);
        query.execute(conn).await.map(drop)
    }
}
