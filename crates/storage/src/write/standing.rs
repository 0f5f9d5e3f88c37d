//! How somebody stands to a room at the moment of writing.

use switchback_core::wire::RoomKind;
use switchback_core::{RoomId, UserId};

use crate::Error;
use crate::db::{Conn, values};
use crate::tx::found;

/// A room and one person's relation to it.
#[expect(clippy::struct_excessive_bools, reason = "the columns of one row, each a question of its own")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) kind: RoomKind,
    pub(crate) general: bool,
    pub(crate) joined: bool,
    archived: bool,
    active: bool,
}

impl Standing {
    pub(crate) async fn of(conn: &mut Conn, user: UserId, room: RoomId) -> Result<Self, Error> {
        let sql = "SELECT r.kind, r.archived, r.general, \
                   EXISTS (SELECT 1 FROM memberships m WHERE m.room_id = r.id AND m.user_id = $2) AS joined, \
                   EXISTS (SELECT 1 FROM users u WHERE u.id = $2 AND u.active) AS active \
                   FROM rooms r WHERE r.id = $1";
        let row = found(conn.maybe(sql, values![room, user]).await?, "room")?;
        Ok(Self {
            kind: row.get("kind")?,
            general: row.get("general")?,
            joined: row.get("joined")?,
            archived: row.get("archived")?,
            active: row.get("active")?,
        })
    }

    /// Whoever is not in it learns nothing of it by trying to write.
    pub(crate) const fn member(self) -> Result<Self, Error> {
        if self.joined && self.active { Ok(self) } else { Err(Error::NotFound("room")) }
    }

    /// Members, and everybody if it is public.
    pub(crate) fn visible(self) -> Result<Self, Error> {
        let seen = self.joined || self.kind == RoomKind::Public;
        if seen && self.active { Ok(self) } else { Err(Error::NotFound("room")) }
    }

    /// Not archived.
    pub(crate) const fn open(self) -> Result<Self, Error> {
        if self.archived { Err(Error::Forbidden("this room is archived")) } else { Ok(self) }
    }

    /// Not a conversation between people who chose each other.
    pub(crate) fn not_direct(self) -> Result<Self, Error> {
        match self.kind {
            RoomKind::Direct => Err(Error::Forbidden("a direct conversation cannot be changed")),
            RoomKind::Public | RoomKind::Private => Ok(self),
        }
    }
}

/// Says `thing` instead of `room` where the asker did not name the room.
pub(crate) fn not_found_as<T>(result: Result<T, Error>, thing: &'static str) -> Result<T, Error> {
    result.map_err(|error| match error {
        Error::NotFound(_) => Error::NotFound(thing),
        other => other,
    })
}
