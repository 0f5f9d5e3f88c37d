//! From ids to things as they now stand, a whole page at a time: a few queries however many ids.

use std::collections::HashMap;
use std::hash::Hash;

use switchback_core::wire::{Message, Quote, Reaction, Room, RoomKind, User};
use switchback_core::{Emoji, MessageId, RoomId, Seq, UserId, limits};

use crate::Error;
use crate::db::{Conn, Row, values};
use crate::read::people::{self, user_columns};
use crate::read::rooms::{self, room_columns};

/// Rows for [`filled`], `m`, to be narrowed by a WHERE; `$1` is `limits::REPLY_EXCERPT_CHARS`.
///
/// Not EXISTS: for a page of a large room `PostgreSQL` might read all reactions there are, to have them ready for
/// as many rows as the room has.
macro_rules! message_sql {
    () => {
        "SELECT m.seq, m.id, m.room_id, m.author_id, m.nonce, m.at, m.edited_at, m.body, m.html, \
         m.reply_to, m.mentions_room, m.deleted_seq IS NOT NULL AS deleted, \
         q.author_id AS quote_author, substr(q.body, 1, CAST($1 AS INTEGER)) AS quote_excerpt, \
         q.deleted_seq IS NOT NULL AS quote_deleted, \
         (SELECT 1 FROM reactions WHERE message_id = m.id LIMIT 1) IS NOT NULL AS has_reactions, \
         (SELECT 1 FROM mentions WHERE seq = m.seq LIMIT 1) IS NOT NULL AS has_mentions \
         FROM messages m LEFT JOIN messages q ON q.id = m.reply_to "
    };
}
pub(crate) use message_sql;

/// Messages by id; an id that is no message's is left out.
pub(crate) async fn messages(
    conn: &mut Conn,
    ids: &[MessageId],
) -> Result<HashMap<MessageId, Message>, Error> {
    let sql = concat!(message_sql!(), "WHERE m.id IN ({keys})");
    let rows = conn.all_in(sql, values![limits::REPLY_EXCERPT_CHARS], ids).await?;
    let messages = filled(conn, &rows).await?;
    Ok(messages.into_iter().map(|message| (message.id, message)).collect())
}

/// The messages of rows of [`message_sql`], with their reactions and mentions. Most have none, and are not asked for
/// them.
pub(crate) async fn filled(conn: &mut Conn, rows: &[Row]) -> Result<Vec<Message>, Error> {
    let mut messages = Vec::with_capacity(rows.len());
    let (mut reacted_to, mut mentioning) = (Vec::new(), Vec::new());
    for row in rows {
        let message = message(row)?;
        if row.get("has_reactions")? {
            reacted_to.push(message.id);
        }
        if row.get("has_mentions")? {
            mentioning.push(message.seq);
        }
        messages.push(message);
    }
    fill_reactions(conn, &reacted_to, &mut messages).await?;
    fill_mentions(conn, &mentioning, &mut messages).await?;
    Ok(messages)
}

/// Rooms by id.
pub(crate) async fn rooms(conn: &mut Conn, ids: &[RoomId]) -> Result<HashMap<RoomId, Room>, Error> {
    let sql = concat!("SELECT ", room_columns!(), " FROM rooms r WHERE r.id IN ({keys})");
    let rows = conn.all_in(sql, values![], ids).await?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        let room = rooms::room(row)?;
        found.insert(room.id, room);
    }
    fill_members(conn, found.values_mut()).await?;
    Ok(found)
}

/// People by id.
pub(crate) async fn users(conn: &mut Conn, ids: &[UserId]) -> Result<HashMap<UserId, User>, Error> {
    let sql = concat!("SELECT ", user_columns!(), " FROM users u WHERE u.id IN ({keys})");
    let rows = conn.all_in(sql, values![], ids).await?;
    let users = rows.iter().map(|row| people::user(row).map(|user| (user.id, user)));
    users.collect()
}

/// Gives direct conversations among `rooms` their `members`.
pub(crate) async fn fill_members<'r>(
    conn: &mut Conn,
    rooms: impl Iterator<Item = &'r mut Room>,
) -> Result<(), Error> {
    let mut direct: HashMap<RoomId, &mut Vec<UserId>> = rooms
        .filter(|room| room.kind == RoomKind::Direct)
        .map(|room| (room.id, room.members.insert(Vec::new())))
        .collect();
    let ids: Vec<RoomId> = direct.keys().copied().collect();
    let sql = "SELECT room_id, user_id FROM memberships WHERE room_id IN ({keys}) \
               ORDER BY room_id, joined_seq, user_id";
    for row in conn.all_in(sql, values![], &ids).await? {
        if let Some(members) = direct.get_mut(&row.get::<RoomId>("room_id")?) {
            members.push(row.get("user_id")?);
        }
    }
    Ok(())
}

/// A row of [`message_sql`]; reactions and mentions are still to be filled in.
fn message(row: &Row) -> Result<Message, Error> {
    Ok(Message {
        id: row.get("id")?,
        room: row.get("room_id")?,
        author: row.get("author_id")?,
        seq: row.get("seq")?,
        at: row.get("at")?,
        edited_at: row.get("edited_at")?,
        body: row.get("body")?,
        html: row.get("html")?,
        nonce: row.get("nonce")?,
        reply_to: row.get::<Option<MessageId>>("reply_to")?.map(|id| quote(row, id)).transpose()?,
        reactions: Vec::new(),
        mentions: Vec::new(),
        mentions_room: row.get("mentions_room")?,
        deleted: row.get("deleted")?,
    })
}

fn quote(row: &Row, id: MessageId) -> Result<Quote, Error> {
    Ok(Quote {
        id,
        author: row.get("quote_author")?,
        excerpt: row.get("quote_excerpt")?,
        deleted: row.get("quote_deleted")?,
    })
}

async fn fill_reactions(conn: &mut Conn, ids: &[MessageId], messages: &mut [Message]) -> Result<(), Error> {
    let sql = "SELECT message_id, emoji, user_id FROM reactions WHERE message_id IN ({keys}) ORDER BY seq";
    let rows = conn.all_in(sql, values![], ids).await?;
    let place = places(&rows, messages, |message| message.id);
    for row in &rows {
        let Some(place) = place.get(&row.get::<MessageId>("message_id")?) else { continue };
        let reactions = &mut messages[*place].reactions;
        let (emoji, user) = (row.get::<Emoji>("emoji")?, row.get("user_id")?);
        match reactions.iter_mut().find(|reaction| reaction.emoji == emoji) {
            Some(reaction) => reaction.users.push(user),
            None => reactions.push(Reaction { emoji, users: vec![user] }),
        }
    }
    Ok(())
}

async fn fill_mentions(conn: &mut Conn, seqs: &[Seq], messages: &mut [Message]) -> Result<(), Error> {
    let sql = "SELECT seq, user_id FROM mentions WHERE seq IN ({keys}) ORDER BY user_id";
    let rows = conn.all_in(sql, values![], seqs).await?;
    let place = places(&rows, messages, |message| message.seq);
    for row in &rows {
        if let Some(place) = place.get(&row.get::<Seq>("seq")?) {
            messages[*place].mentions.push(row.get("user_id")?);
        }
    }
    Ok(())
}

/// Where each message is; of most pages nobody wants to know.
fn places<K: Eq + Hash>(
    rows: &[Row],
    messages: &[Message],
    key: impl Fn(&Message) -> K,
) -> HashMap<K, usize> {
    if rows.is_empty() {
        return HashMap::new();
    }
    messages.iter().enumerate().map(|(place, message)| (key(message), place)).collect()
}
