//! Making rooms, changing them, coming in and going out.

use sha2::{Digest as _, Sha256};
use switchback_core::wire::{RoomKind, RoomView};
use switchback_core::{RoomId, RoomName, Seq, Topic, UserId, limits};
use uuid::Uuid;

use crate::db::values;
use crate::kind::Kind;
use crate::read::{people, rooms};
use crate::tx::{Entry, Tx, new_id};
use crate::write::standing::Standing;
use crate::{Error, NewRoom, RoomChange, Store};

impl Store {
    /// Makes a room with its creator in it. The position is that of the last event of it.
    pub async fn create_room(&self, new: NewRoom) -> Result<(Option<Seq>, RoomView), Error> {
        self.write(move |tx| Box::pin(create(tx, new))).await
    }

    /// The conversation between exactly these people, made if there is none. Nobody else: a note
    /// to oneself.
    pub async fn open_direct(&self, opener: UserId, others: Vec<UserId>) -> Result<RoomView, Error> {
        self.write(move |tx| Box::pin(open_direct(tx, opener, others))).await
    }

    /// Changes what is different, with one event for each. The actor must see the room.
    pub async fn update_room(
        &self,
        actor: UserId,
        room: RoomId,
        change: RoomChange,
    ) -> Result<RoomView, Error> {
        self.write(move |tx| Box::pin(update(tx, actor, room, change))).await
    }

    /// Joins a public room, or adds somebody to a room one is in. `None`: they were in it.
    pub async fn add_member(&self, actor: UserId, room: RoomId, user: UserId) -> Result<Option<Seq>, Error> {
        self.write(move |tx| Box::pin(add(tx, actor, room, user))).await
    }

    /// Leaves a room, or removes somebody from a room one sees. `None`: they were not in it.
    pub async fn remove_member(
        &self,
        actor: UserId,
        room: RoomId,
        user: UserId,
    ) -> Result<Option<Seq>, Error> {
        self.write(move |tx| Box::pin(remove(tx, actor, room, user))).await
    }
}

async fn create(tx: &mut Tx, new: NewRoom) -> Result<(Option<Seq>, RoomView), Error> {
    if new.kind == RoomKind::Direct {
        return Err(Error::Forbidden("a direct conversation is opened, not created"));
    }
    people::active(&mut tx.conn, new.creator).await?;
    name_is_free(tx, &new.name, None).await?;
    let room = RoomId::from_uuid(new_id());
    let sql = "INSERT INTO rooms (id, kind, name, name_key, topic, archived, general, n, last_seq, \
               last_at, created_at) VALUES ($1, $2, $3, $4, $5, FALSE, FALSE, 0, 0, $6, $6)";
    let name_key = reserved_key(new.kind, &new.name);
    let values = values![room, new.kind, new.name.as_str(), name_key, new.topic.as_str(), tx.at()];
    tx.conn.run(sql, values).await?;
    let seq = found_with(tx, room, new.creator, &[new.creator]).await?;
    Ok((Some(seq), rooms::view(&mut tx.conn, new.creator, room).await?))
}

async fn open_direct(tx: &mut Tx, opener: UserId, others: Vec<UserId>) -> Result<RoomView, Error> {
    let mut members = vec![opener];
    for user in others {
        if !members.contains(&user) {
            members.push(user);
        }
        if members.len() > limits::DIRECT_MEMBERS {
            return Err(Error::Forbidden("too many people for a direct conversation; make a private room"));
        }
    }
    people::active(&mut tx.conn, opener).await?;
    let key = direct_key(&members);
    let sql = "SELECT id FROM rooms WHERE direct_key = $1";
    if let Some(row) = tx.conn.maybe(sql, values![key]).await? {
        return rooms::view(&mut tx.conn, opener, row.get("id")?).await;
    }
    for user in &members {
        people::active(&mut tx.conn, *user).await?;
    }
    let room = RoomId::from_uuid(new_id());
    let sql = "INSERT INTO rooms (id, kind, direct_key, topic, archived, general, n, last_seq, last_at, \
               created_at) VALUES ($1, $2, $3, '', FALSE, FALSE, 0, 0, $4, $4)";
    tx.conn.run(sql, values![room, RoomKind::Direct, key, tx.at()]).await?;
    found_with(tx, room, opener, &members).await?;
    rooms::view(&mut tx.conn, opener, room).await
}

/// Tells of a new room and lets its first members in, who all see it from its first event on.
/// Answers with the position of the last event.
async fn found_with(tx: &mut Tx, room: RoomId, actor: UserId, members: &[UserId]) -> Result<Seq, Error> {
    let created_seq = tx.append(Entry::in_room(Kind::RoomCreated, room, Some(actor))).await?;
    for user in members {
        let_in(tx, room, *user, actor, Some(created_seq)).await?;
    }
    Ok(tx.seq())
}

/// One key for one set of people.
fn direct_key(members: &[UserId]) -> [u8; 32] {
    let mut ids: Vec<Uuid> = members.iter().map(|user| user.as_uuid()).collect();
    ids.sort_unstable();
    let mut hash = Sha256::new();
    for id in &ids {
        hash.update(id.as_bytes());
    }
    hash.finalize().into()
}

async fn update(tx: &mut Tx, actor: UserId, room: RoomId, change: RoomChange) -> Result<RoomView, Error> {
    let standing = Standing::of(&mut tx.conn, actor, room).await?.visible()?.not_direct()?;
    if standing.general && change.archived == Some(true) {
        return Err(Error::Forbidden("the room of all cannot be archived"));
    }
    let now = rooms::view(&mut tx.conn, actor, room).await?.room;
    if let Some(name) = change.name
        && now.name.as_deref() != Some(name.as_str())
    {
        rename(tx, actor, room, standing.kind, &name).await?;
    }
    if let Some(topic) = change.topic
        && now.topic != topic.as_str()
    {
        set_topic(tx, actor, room, &topic).await?;
    }
    if let Some(archived) = change.archived
        && now.archived != archived
    {
        set_archived(tx, actor, room, archived).await?;
    }
    rooms::view(&mut tx.conn, actor, room).await
}

async fn rename(
    tx: &mut Tx,
    actor: UserId,
    room: RoomId,
    kind: RoomKind,
    name: &RoomName,
) -> Result<(), Error> {
    name_is_free(tx, name, Some(room)).await?;
    let sql = "UPDATE rooms SET name = $2, name_key = $3 WHERE id = $1";
    tx.conn.run(sql, values![room, name.as_str(), reserved_key(kind, name)]).await?;
    tx.append(Entry::in_room(Kind::RoomRenamed, room, Some(actor))).await.map(drop)
}

async fn set_topic(tx: &mut Tx, actor: UserId, room: RoomId, topic: &Topic) -> Result<(), Error> {
    tx.conn.run("UPDATE rooms SET topic = $2 WHERE id = $1", values![room, topic.as_str()]).await?;
    tx.append(Entry::in_room(Kind::RoomTopicChanged, room, Some(actor))).await.map(drop)
}

async fn set_archived(tx: &mut Tx, actor: UserId, room: RoomId, archived: bool) -> Result<(), Error> {
    tx.conn.run("UPDATE rooms SET archived = $2 WHERE id = $1", values![room, archived]).await?;
    let kind = if archived { Kind::RoomArchived } else { Kind::RoomUnarchived };
    tx.append(Entry::in_room(kind, room, Some(actor))).await.map(drop)
}

/// Names are told apart without regard to ASCII case.
fn name_key(name: &RoomName) -> String {
    name.as_str().to_ascii_lowercase()
}

/// What a room's name keeps others from taking. A private room keeps nothing: a name that is refused
/// would tell that there is such a room.
fn reserved_key(kind: RoomKind, name: &RoomName) -> Option<String> {
    (kind == RoomKind::Public).then(|| name_key(name))
}

/// No public room has this name. A private one must not pass for it either.
async fn name_is_free(tx: &mut Tx, name: &RoomName, besides: Option<RoomId>) -> Result<(), Error> {
    let sql = "SELECT id FROM rooms WHERE name_key = $1";
    match tx.conn.maybe(sql, values![name_key(name)]).await? {
        Some(row) if besides != Some(row.get("id")?) => {
            Err(Error::Conflict { field: "name", detail: "another room has this name" })
        }
        _ => Ok(()),
    }
}

async fn add(tx: &mut Tx, actor: UserId, room: RoomId, user: UserId) -> Result<Option<Seq>, Error> {
    let theirs = Standing::of(&mut tx.conn, user, room).await?;
    if actor == user {
        theirs.visible()?.not_direct()?;
    } else {
        Standing::of(&mut tx.conn, actor, room).await?.member()?.not_direct()?;
        people::active(&mut tx.conn, user).await?;
    }
    if theirs.joined {
        return Ok(None);
    }
    theirs.open()?;
    let_in(tx, room, user, actor, None).await.map(Some)
}

async fn remove(tx: &mut Tx, actor: UserId, room: RoomId, user: UserId) -> Result<Option<Seq>, Error> {
    let standing = Standing::of(&mut tx.conn, actor, room).await?.visible()?.not_direct()?;
    if standing.general {
        return Err(Error::Forbidden("nobody can leave the room of all"));
    }
    let sql = "DELETE FROM memberships WHERE room_id = $1 AND user_id = $2";
    if tx.conn.run(sql, values![room, user]).await? == 0 {
        return Ok(None);
    }
    let entry = Entry::in_room(Kind::MemberLeft, room, Some(actor)).about(user.as_uuid());
    tx.append(entry).await.map(Some)
}

/// Makes `user` a member: they see events from `from` on, or from their own joining. Nothing before
/// it is unread to them.
pub(super) async fn let_in(
    tx: &mut Tx,
    room: RoomId,
    user: UserId,
    actor: UserId,
    from: Option<Seq>,
) -> Result<Seq, Error> {
    let entry = Entry::in_room(Kind::MemberJoined, room, Some(actor)).about(user.as_uuid());
    let seq = tx.append(entry).await?;
    let joined_seq = from.unwrap_or(seq);
    let sql = "INSERT INTO memberships (room_id, user_id, joined_seq, read_seq) VALUES ($1, $2, $3, $3)";
    tx.conn.run(sql, values![room, user, joined_seq]).await?;
    Ok(seq)
}
