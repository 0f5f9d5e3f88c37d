//! From ids to things as they now stand, a whole page at a time: a few queries however many ids.

use std::collections::HashMap;

use switchback_core::wire::{Message, Quote, Reaction, Room, RoomKind, User};
use switchback_core::{Emoji, MessageId, RoomId, UserId, limits};

use crate::Error;
use crate::db::{Conn, Row, values};
use crate::read::people::{self, user_columns};
use crate::read::rooms::{self, room_columns};

/// Messages by id; an id that is no message's is left out.
pub(crate) async fn messages(
    conn: &mut Conn,
    ids: &[MessageId],
) -> Result<HashMap<MessageId, Message>, Error> {
    let sql = "SELECT m.seq, m.id, m.room_id, m.author_id, m.nonce, m.at, m.edited_at, m.body, m.html, \
               m.reply_to, m.mentions_room, m.deleted_seq IS NOT NULL AS deleted, \
               q.author_id AS quote_author, substr(q.body, 1, CAST($1 AS INTEGER)) AS quote_excerpt, \
               q.deleted_seq IS NOT NULL AS quote_deleted \
               FROM messages m LEFT JOIN messages q ON q.id = m.reply_to WHERE m.id IN ({keys})";
    let rows = conn.all_in(sql, values![limits::REPLY_EXCERPT_CHARS], ids).await?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        let message = message(row)?;
        found.insert(message.id, message);
    }
    fill_reactions(conn, ids, &mut found).await?;
    fill_mentions(conn, ids, &mut found).await?;
    Ok(found)
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

async fn fill_reactions(
    conn: &mut Conn,
    ids: &[MessageId],
    messages: &mut HashMap<MessageId, Message>,
) -> Result<(), Error> {
    let sql = "SELECT message_id, emoji, user_id FROM reactions WHERE message_id IN ({keys}) ORDER BY seq";
    for row in conn.all_in(sql, values![], ids).await? {
        let Some(message) = messages.get_mut(&row.get::<MessageId>("message_id")?) else { continue };
        let (emoji, user) = (row.get::<Emoji>("emoji")?, row.get("user_id")?);
        match message.reactions.iter_mut().find(|reaction| reaction.emoji == emoji) {
            Some(reaction) => reaction.users.push(user),
            None => message.reactions.push(Reaction { emoji, users: vec![user] }),
        }
    }
    Ok(())
}

async fn fill_mentions(
    conn: &mut Conn,
    ids: &[MessageId],
    messages: &mut HashMap<MessageId, Message>,
) -> Result<(), Error> {
    let sql = "SELECT m.id, x.user_id FROM messages m JOIN mentions x ON x.seq = m.seq \
               WHERE m.id IN ({keys}) ORDER BY x.user_id";
    for row in conn.all_in(sql, values![], ids).await? {
        if let Some(message) = messages.get_mut(&row.get::<MessageId>("id")?) {
            message.mentions.push(row.get("user_id")?);
        }
    }
    Ok(())
}
