//! Writing, editing, deleting, reacting, and marking as read.

use std::collections::{HashMap, HashSet};

use sha2::{Digest as _, Sha256};
use switchback_core::wire::{Message, Quote, Timestamp};
use switchback_core::{MessageBody, MessageId, RoomId, Seq, UserId, limits};

use crate::db::values;
use crate::kind::Kind;
use crate::read::messages;
use crate::tx::{Entry, Tx, found, new_id};
use crate::write::standing::{Standing, not_found_as};
use crate::{Changed, Error, NewMessage, NewReaction, Posted, Store};

impl Store {
    /// Posts a message once, however often it is tried: a nonce that its author has used before is
    /// answered with the message of then, even if they have left or the room was archived since.
    /// With another content it is a `Conflict` of `nonce`.
    ///
    /// Not an `async fn`, which would hold room for its argument twice.
    pub fn post_message(&self, new: NewMessage) -> impl Future<Output = Result<Posted, Error>> + Send {
        #[cfg(feature = "simulation")]
        let new = crate::simulation::perhaps_renamed(new);
        self.writer().post(new)
    }

    /// Changes one's own message. The same text again changes nothing.
    pub async fn edit_message(
        &self,
        actor: UserId,
        message: MessageId,
        body: MessageBody,
        html: String,
    ) -> Result<Changed, Error> {
        self.write(move |tx| Box::pin(edit(tx, actor, message, body, html))).await
    }

    /// Leaves a tombstone. Whoever can see the room can delete what they wrote, and what others
    /// wrote if they `may_delete_others`.
    pub async fn delete_message(
        &self,
        actor: UserId,
        message: MessageId,
        may_delete_others: bool,
    ) -> Result<Changed, Error> {
        self.write(move |tx| Box::pin(delete(tx, actor, message, may_delete_others))).await
    }

    /// Puts an emoji under a message or takes it back.
    pub async fn react(&self, reaction: NewReaction) -> Result<Changed, Error> {
        self.write(move |tx| Box::pin(react(tx, reaction))).await
    }

    /// Marks a room as read up to a position, forward only and not beyond the head. `None`: it was.
    pub async fn mark_read(&self, user: UserId, room: RoomId, seq: Seq) -> Result<Option<Seq>, Error> {
        self.writer().mark_read(ReadMark { user, room, seq }).await
    }
}

/// See [`Store::post_message`].
pub(crate) async fn post(tx: &mut Tx, new: &NewMessage) -> Result<Posted, Error> {
    let digest = digest(new);
    if let Some(posted) = earlier(tx, new, digest).await? {
        return Ok(posted);
    }
    Standing::of(&mut tx.conn, new.author, new.room).await?.member()?.open()?;
    let reply_to = quote(tx, new).await?;
    let mentions = members_mentioned(tx, new).await?;
    let id = MessageId::from_uuid(new_id());
    let entry = Entry::in_room(Kind::MessagePosted, new.room, Some(new.author)).about(id.as_uuid());
    let seq = tx.append(entry).await?;
    let message = fresh(new, id, seq, tx.at(), reply_to, mentions);
    insert(tx, &message, digest).await?;
    Ok(Posted { seq, message, fresh: true })
}

/// The message that a post becomes.
pub(crate) fn fresh(
    new: &NewMessage,
    id: MessageId,
    seq: Seq,
    at: Timestamp,
    reply_to: Option<Quote>,
    mentions: Vec<UserId>,
) -> Message {
    Message {
        id,
        room: new.room,
        author: new.author,
        seq,
        at,
        edited_at: None,
        body: new.body.as_str().to_owned(),
        html: new.html.clone(),
        nonce: new.nonce,
        reply_to,
        reactions: Vec::new(),
        mentions,
        mentions_room: new.mentions_room,
        deleted: false,
    }
}

/// The messages that those posts (by their index) become that go through, numbered on from `first`. One
/// that comes a second time among them does not.
pub(crate) fn assemble(
    news: &[&NewMessage],
    mut clear: HashMap<usize, Option<Quote>>,
    mut mentions: HashMap<usize, Vec<UserId>>,
    first: Seq,
    at: Timestamp,
) -> Vec<Option<Posted>> {
    let mut once = HashSet::new();
    let mut seq = first;
    let each = news.iter().enumerate().map(|(index, new)| {
        let quote = clear.remove(&index).filter(|_| once.insert((new.author, new.nonce)))?;
        let id = MessageId::from_uuid(new_id());
        let message = fresh(new, id, seq, at, quote, mentions.remove(&index).unwrap_or_default());
        seq += 1;
        Some(Posted { seq: message.seq, message, fresh: true })
    });
    each.collect()
}

/// What makes two posts the same: where, in answer to what, and the text.
pub(crate) fn digest(new: &NewMessage) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(new.room.as_uuid().as_bytes());
    // The nil UUID stands for no answer: no message has it.
    hash.update(new.reply_to.map(MessageId::as_uuid).unwrap_or_default().as_bytes());
    hash.update(new.body.as_str().as_bytes());
    hash.finalize().into()
}

/// The message that the author has posted with this nonce before.
async fn earlier(tx: &mut Tx, new: &NewMessage, digest: [u8; 32]) -> Result<Option<Posted>, Error> {
    let sql = "SELECT id, seq, digest FROM messages WHERE author_id = $1 AND nonce = $2";
    let Some(row) = tx.conn.maybe(sql, values![new.author, new.nonce]).await? else { return Ok(None) };
    // A tombstone has no digest any more: nothing is left to compare, and nothing to give away.
    let known: Option<Vec<u8>> = row.get("digest")?;
    if known.is_some_and(|known| known != digest) {
        let detail = "this nonce was used for another message; a new message needs a new nonce";
        return Err(Error::Conflict { field: "nonce", detail });
    }
    let message = messages::one(&mut tx.conn, row.get("id")?).await?;
    Ok(Some(Posted { seq: row.get("seq")?, message, fresh: false }))
}

/// The beginning of the message answered, which must be in the same room.
async fn quote(tx: &mut Tx, new: &NewMessage) -> Result<Option<Quote>, Error> {
    let Some(id) = new.reply_to else { return Ok(None) };
    let sql = "SELECT author_id, substr(body, 1, CAST($3 AS INTEGER)) AS excerpt, deleted_seq IS NOT NULL AS deleted \
               FROM messages WHERE id = $1 AND room_id = $2";
    let row = tx.conn.maybe(sql, values![id, new.room, limits::REPLY_EXCERPT_CHARS]).await?;
    let row = found(row, "message")?;
    let quote = Quote {
        id,
        author: row.get("author_id")?,
        excerpt: row.get("excerpt")?,
        deleted: row.get("deleted")?,
    };
    Ok(Some(quote))
}

/// Whom a post mentions besides its author, as many as may be.
pub(crate) fn mentionable(new: &NewMessage) -> impl Iterator<Item = UserId> {
    let others = new.mentions.iter().copied().filter(|user| *user != new.author);
    others.take(limits::MENTIONS_PER_MESSAGE)
}

/// Those mentioned who are in the room, the author left out, in the order in which they are read.
async fn members_mentioned(tx: &mut Tx, new: &NewMessage) -> Result<Vec<UserId>, Error> {
    let wanted: Vec<UserId> = mentionable(new).collect();
    let sql = "SELECT user_id FROM memberships WHERE room_id = $1 AND user_id IN ({keys})";
    let rows = tx.conn.all_in(sql, values![new.room], &wanted).await?;
    let mut members = rows.iter().map(|row| row.get("user_id")).collect::<Result<Vec<_>, _>>()?;
    members.sort_unstable();
    members.dedup();
    Ok(members)
}

/// A message's row, and one for each who is mentioned.
pub(crate) const INSERT_MESSAGE: &str = "INSERT INTO messages (seq, id, room_id, author_id, nonce, digest, \
    at, body, html, reply_to, mentions_room) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
pub(crate) const INSERT_MENTION: &str = "INSERT INTO mentions (user_id, room_id, seq) VALUES ($1, $2, $3)";

async fn insert(tx: &mut Tx, message: &Message, digest: [u8; 32]) -> Result<(), Error> {
    let reply_to = message.reply_to.as_ref().map(|quote| quote.id);
    let Message { seq, id, room, author, nonce, at, mentions_room, .. } = *message;
    let (body, html) = (message.body.as_str(), message.html.as_str());
    let values = values![seq, id, room, author, nonce, digest, at, body, html, reply_to, mentions_room];
    tx.conn.run(INSERT_MESSAGE, values).await?;
    for user in &message.mentions {
        tx.conn.run(INSERT_MENTION, values![*user, room, seq]).await?;
    }
    Ok(())
}

async fn edit(
    tx: &mut Tx,
    actor: UserId,
    id: MessageId,
    body: MessageBody,
    html: String,
) -> Result<Changed, Error> {
    let (message, standing) = look(tx, actor, id).await?;
    let standing = not_found_as(standing.member(), "message")?;
    if message.author != actor {
        return Err(Error::Forbidden("only its author can edit a message"));
    }
    if message.deleted {
        return Err(Error::Gone("this message was deleted"));
    }
    if message.body == body.as_str() {
        return Ok(Changed { seq: None, message });
    }
    standing.open()?;
    let entry = Entry::in_room(Kind::MessageEdited, message.room, Some(actor)).about(id.as_uuid());
    let seq = tx.append(entry).await?;
    let edited_at = Some(tx.at());
    // The digest stays that of the post as it was sent: a retry of it is still the same post.
    let sql = "UPDATE messages SET body = $2, html = $3, edited_at = $4 WHERE id = $1";
    tx.conn.run(sql, values![id, body.as_str(), html.as_str(), edited_at]).await?;
    let message = Message { body: body.as_str().to_owned(), html, edited_at, ..message };
    Ok(Changed { seq: Some(seq), message })
}

async fn delete(
    tx: &mut Tx,
    actor: UserId,
    id: MessageId,
    may_delete_others: bool,
) -> Result<Changed, Error> {
    let (message, standing) = look(tx, actor, id).await?;
    not_found_as(standing.visible(), "message")?;
    if message.author != actor && !may_delete_others {
        return Err(Error::Forbidden("only its author or an admin can delete a message"));
    }
    if message.deleted {
        return Ok(Changed { seq: None, message });
    }
    let entry = Entry::in_room(Kind::MessageDeleted, message.room, Some(actor)).about(id.as_uuid());
    let seq = tx.append(entry).await?;
    let sql = "UPDATE messages SET body = '', html = '', digest = NULL, deleted_seq = $2 WHERE id = $1";
    tx.conn.run(sql, values![id, seq]).await?;
    tx.conn.run("DELETE FROM reactions WHERE message_id = $1", values![id]).await?;
    let (body, html, reactions) = (String::new(), String::new(), Vec::new());
    Ok(Changed { seq: Some(seq), message: Message { body, html, reactions, deleted: true, ..message } })
}

async fn react(tx: &mut Tx, reaction: NewReaction) -> Result<Changed, Error> {
    let NewReaction { user, message: id, emoji, present } = reaction;
    let (message, standing) = look(tx, user, id).await?;
    let standing = not_found_as(standing.member(), "message")?;
    if message.deleted {
        return Err(Error::Gone("this message was deleted"));
    }
    let known = message.reactions.iter().find(|known| known.emoji == emoji);
    if known.is_some_and(|known| known.users.contains(&user)) == present {
        return Ok(Changed { seq: None, message });
    }
    standing.open()?;
    if present && known.is_none() && message.reactions.len() >= limits::EMOJI_PER_MESSAGE {
        return Err(Error::Forbidden("this message has as many different emoji as it can"));
    }
    let kind = if present { Kind::ReactionAdded } else { Kind::ReactionRemoved };
    let entry = Entry::in_room(kind, message.room, Some(user)).about(id.as_uuid());
    let seq = tx.append(entry.with(emoji.as_str().to_owned())).await?;
    if present {
        let sql = "INSERT INTO reactions (message_id, emoji, user_id, seq) VALUES ($1, $2, $3, $4)";
        tx.conn.run(sql, values![id, emoji.as_str(), user, seq]).await?;
    } else {
        let sql = "DELETE FROM reactions WHERE message_id = $1 AND emoji = $2 AND user_id = $3";
        tx.conn.run(sql, values![id, emoji.as_str(), user]).await?;
    }
    Ok(Changed { seq: Some(seq), message: messages::one(&mut tx.conn, id).await? })
}

/// Up to where somebody has read in a room.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadMark {
    pub(crate) user: UserId,
    pub(crate) room: RoomId,
    pub(crate) seq: Seq,
}

/// See [`Store::mark_read`].
pub(crate) async fn mark_read(tx: &mut Tx, mark: ReadMark) -> Result<Option<Seq>, Error> {
    let ReadMark { user, room, seq } = mark;
    Standing::of(&mut tx.conn, user, room).await?.member()?;
    let read_seq = seq.min(tx.seq());
    let sql = "UPDATE memberships SET read_seq = $3 WHERE room_id = $1 AND user_id = $2 AND read_seq < $3";
    if tx.conn.run(sql, values![room, user, read_seq]).await? == 0 {
        return Ok(None);
    }
    let entry = Entry::in_room(Kind::ReadMarked, room, Some(user)).about(user.as_uuid());
    tx.append(entry.with(read_seq.to_string())).await.map(Some)
}

/// A message and how `actor` stands to its room.
async fn look(tx: &mut Tx, actor: UserId, id: MessageId) -> Result<(Message, Standing), Error> {
    let message = messages::one(&mut tx.conn, id).await?;
    let standing = Standing::of(&mut tx.conn, actor, message.room).await?;
    Ok((message, standing))
}
