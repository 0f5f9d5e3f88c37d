//! Rooms, as everybody sees them and as one person stands to them.

use switchback_core::wire::{Room, RoomKind, RoomView};
use switchback_core::{RoomId, RoomName, Seq, UserId};
use uuid::Uuid;

use crate::db::{Conn, Row, values};
use crate::read::access::oldest_alive;
use crate::read::hydrate;
use crate::read::unread::{mentions_sql, no_end, unread_sql};
use crate::turn;
use crate::tx::found;
use crate::{Credential, Error, Membership, Reached, RoomMembers, Store};

/// The columns of [`room`], from `rooms r`.
macro_rules! room_columns {
    () => {
        "r.id, r.kind, r.name, r.topic, r.archived, r.general, r.created_at, \
         (SELECT count(*) FROM memberships cm JOIN users cu ON cu.id = cm.user_id \
         WHERE cm.room_id = r.id AND cu.active) AS member_count"
    };
}
pub(crate) use room_columns;

/// Rooms `r` as `$1` stands to them by the membership `m`, to be narrowed by a WHERE.
macro_rules! view_sql {
    ($join:literal) => {
        concat!(
            "SELECT ",
            room_columns!(),
            ", r.n, r.last_seq, r.last_at, m.user_id IS NOT NULL AS joined, ",
            "coalesce(m.read_seq, 0) AS read_seq, ",
            unread_sql!("m.user_id", "r.id", "m.read_seq", no_end!()),
            " AS unread, ",
            mentions_sql!("m.user_id", "r.id", "m.read_seq", no_end!()),
            " AS mentions FROM rooms r ",
            $join,
            " memberships m ON m.room_id = r.id AND m.user_id = $1 "
        )
    };
}

impl Store {
    /// What this person may see: public rooms and those they are in; by name, direct ones last.
    pub async fn rooms(&self, viewer: UserId) -> Result<Vec<RoomView>, Error> {
        self.at_one_moment(move |conn| Box::pin(visible(conn, viewer))).await
    }

    /// One room, if this person may see it.
    pub async fn room(&self, viewer: UserId, room: RoomId) -> Result<RoomView, Error> {
        self.at_one_moment(move |conn| Box::pin(view(conn, viewer, room))).await
    }

    /// Rooms of this name that this person may see, without regard to ASCII case: names of private rooms
    /// are not unique.
    pub async fn rooms_named(&self, viewer: UserId, name: &RoomName) -> Result<Vec<RoomId>, Error> {
        let sql = "SELECT r.id, r.name FROM rooms r WHERE r.kind = 'public' AND r.name_key = $2 UNION ALL \
                   SELECT r.id, r.name FROM memberships m JOIN rooms r ON r.id = m.room_id \
                   WHERE m.user_id = $1 AND r.kind = 'private'";
        let key = name.as_str().to_ascii_lowercase();
        let mut found = Vec::new();
        for row in self.reader().await?.all(sql, values![viewer, key.clone()]).await? {
            if row.get::<String>("name")?.to_ascii_lowercase() == key {
                found.push(row.get("id")?);
            }
        }
        Ok(found)
    }

    /// Who is in a room that this person may see, by the time they joined. Deactivated people are
    /// left out, as they are from `member_count`, except from a direct conversation.
    pub async fn members(&self, viewer: UserId, room: RoomId) -> Result<Vec<UserId>, Error> {
        self.at_one_moment(move |conn| {
            Box::pin(async move {
                must_see(conn, viewer, room).await?;
                members(conn, room).await
            })
        })
        .await
    }

    /// A room with who is in it, whoever asks.
    pub async fn room_members(&self, room: RoomId) -> Result<RoomMembers, Error> {
        self.at_one_moment(move |conn| {
            Box::pin(async move {
                let members = members(conn, room).await?;
                let room = hydrate::rooms(conn, &[room]).await?.remove(&room);
                Ok(RoomMembers { room: found(room, "room")?, members })
            })
        })
        .await
    }

    /// The rooms this person is in, and as of which head.
    pub async fn memberships(&self, user: UserId) -> Result<(Seq, Vec<Membership>), Error> {
        let sql = "SELECT h.seq, m.room_id, m.joined_seq FROM log_head h \
                   LEFT JOIN memberships m ON m.user_id = $1 WHERE h.id = 1";
        let rows = self.reader().await?.all(sql, values![user]).await?;
        // By now the log may have gone on: whoever asks must be ready for that.
        turn::answer().await;
        found(as_of_head(&rows)?, "log")
    }

    /// The same for who comes in; `None`: what lets them in does not count any more, or their account
    /// is not active.
    pub async fn entering(
        &self,
        user: UserId,
        credential: Credential,
    ) -> Result<Option<(Seq, Vec<Membership>)>, Error> {
        let sql = "SELECT h.seq, m.room_id, m.joined_seq FROM log_head h \
                   LEFT JOIN memberships m ON m.user_id = $1 WHERE h.id = 1 \
                   AND EXISTS (SELECT 1 FROM users u WHERE u.id = $1 AND u.active) \
                   AND (EXISTS (SELECT 1 FROM sessions s WHERE s.id = $2 AND s.user_id = $1 AND s.last_used_at > $3) \
                   OR EXISTS (SELECT 1 FROM tokens t WHERE t.id = $4 AND t.user_id = $1))";
        let (session, token) = match credential {
            Credential::Session(session) => (Some(session.as_uuid()), None),
            Credential::Token(token) => (None, Some(token.as_uuid())),
        };
        let rows = self.reader().await?.all(sql, values![user, session, oldest_alive(), token]).await?;
        // As above.
        turn::answer().await;
        as_of_head(&rows)
    }
}

/// Memberships, each beside the head; a row without a membership says that there is none.
fn as_of_head(rows: &[Row]) -> Result<Option<(Seq, Vec<Membership>)>, Error> {
    let Some(first) = rows.first() else { return Ok(None) };
    let membership = |row: &Row| -> Result<_, Error> {
        let Some(room) = row.get::<Option<Uuid>>("room_id")? else { return Ok(None) };
        Ok(Some(Membership { room: RoomId::from_uuid(room), joined_seq: row.get("joined_seq")? }))
    };
    let memberships = rows.iter().filter_map(|row| membership(row).transpose()).collect::<Result<_, _>>()?;
    Ok(Some((first.get("seq")?, memberships)))
}

async fn visible(conn: &mut Conn, viewer: UserId) -> Result<Vec<RoomView>, Error> {
    let sql = concat!(view_sql!("LEFT JOIN"), "WHERE r.kind = 'public' OR m.user_id IS NOT NULL");
    let rows = conn.all(sql, values![viewer]).await?;
    views(conn, &rows).await
}

/// The rooms this person is in: `general` first, then by name, direct ones last.
pub(crate) async fn joined(conn: &mut Conn, viewer: UserId) -> Result<Vec<RoomView>, Error> {
    let rows = conn.all(view_sql!("JOIN"), values![viewer]).await?;
    let mut views = views(conn, &rows).await?;
    // Stable: the others stay in order.
    views.sort_by_key(|view| !view.room.general);
    Ok(views)
}

/// One room, if `viewer` may see it.
pub(crate) async fn view(conn: &mut Conn, viewer: UserId, room: RoomId) -> Result<RoomView, Error> {
    let sql =
        concat!(view_sql!("LEFT JOIN"), "WHERE r.id = $2 AND (r.kind = 'public' OR m.user_id IS NOT NULL)");
    let row = found(conn.maybe(sql, values![viewer, room]).await?, "room")?;
    found(views(conn, &[row]).await?.pop(), "room")
}

/// Refuses as not found what `viewer` may not know of.
pub(crate) async fn must_see(conn: &mut Conn, viewer: UserId, room: RoomId) -> Result<Reached, Error> {
    let sql = "SELECT r.n, r.last_seq FROM rooms r WHERE r.id = $2 AND (r.kind = 'public' OR EXISTS \
               (SELECT 1 FROM memberships m WHERE m.room_id = r.id AND m.user_id = $1))";
    reached(&found(conn.maybe(sql, values![viewer, room]).await?, "room")?)
}

/// A row with a room's `n` and `last_seq`.
pub(crate) fn reached(row: &Row) -> Result<Reached, Error> {
    Ok(Reached { n: row.get("n")?, last_seq: row.get("last_seq")? })
}

/// The rooms `user` is in.
pub(crate) async fn memberships(conn: &mut Conn, user: UserId) -> Result<Vec<Membership>, Error> {
    let sql = "SELECT room_id, joined_seq FROM memberships WHERE user_id = $1";
    let membership =
        |row: &Row| Ok(Membership { room: row.get("room_id")?, joined_seq: row.get("joined_seq")? });
    conn.all(sql, values![user]).await?.iter().map(membership).collect()
}

async fn members(conn: &mut Conn, room: RoomId) -> Result<Vec<UserId>, Error> {
    let sql = "SELECT m.user_id FROM memberships m JOIN users u ON u.id = m.user_id \
               JOIN rooms r ON r.id = m.room_id WHERE m.room_id = $1 \
               AND (u.active OR r.kind = 'direct') ORDER BY m.joined_seq, m.user_id";
    conn.all(sql, values![room]).await?.iter().map(|row| row.get("user_id")).collect()
}

/// A row of [`room_columns`]; `members` of a direct conversation are still to be filled in.
pub(crate) fn room(row: &Row) -> Result<Room, Error> {
    Ok(Room {
        id: row.get("id")?,
        kind: row.get("kind")?,
        name: row.get("name")?,
        topic: row.get("topic")?,
        archived: row.get("archived")?,
        general: row.get("general")?,
        member_count: row.get("member_count")?,
        members: None,
        created_at: row.get("created_at")?,
    })
}

async fn views(conn: &mut Conn, rows: &[Row]) -> Result<Vec<RoomView>, Error> {
    let mut views = rows.iter().map(room_view).collect::<Result<Vec<_>, _>>()?;
    hydrate::fill_members(conn, views.iter_mut().map(|view| &mut view.room)).await?;
    // A direct conversation has no name; newest first tells them apart.
    views.sort_by_cached_key(|view| {
        let direct = view.room.kind == RoomKind::Direct;
        let name = view.room.name.as_ref().map(|name| name.to_lowercase());
        (direct, name, if direct { -view.last_at } else { 0 }, view.room.id)
    });
    Ok(views)
}

fn room_view(row: &Row) -> Result<RoomView, Error> {
    let room = room(row)?;
    if !row.get::<bool>("joined")? {
        let (n, last_seq, last_at, read_seq) = (0, 0, 0, 0);
        return Ok(RoomView { room, joined: false, n, last_seq, last_at, read_seq, unread: 0, mentions: 0 });
    }
    let unread = row.get("unread")?;
    let mentions = if room.kind == RoomKind::Direct { unread } else { row.get("mentions")? };
    Ok(RoomView {
        room,
        joined: true,
        n: row.get("n")?,
        last_seq: row.get("last_seq")?,
        last_at: row.get("last_at")?,
        read_seq: row.get("read_seq")?,
        unread,
        mentions,
    })
}
