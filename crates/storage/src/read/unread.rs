//! Counting what somebody has not read, as one piece of SQL that several queries contain.
//!
//! The count stops at `limits::UNREAD_COUNT_MAX`, so that a room that nobody reads stays cheap. It
//! is as of a position: a message deleted later still counted then.

/// How far the counting goes; a test holds it against `limits::UNREAD_COUNT_MAX`.
macro_rules! unread_cap {
    () => {
        "1000"
    };
}
pub(crate) use unread_cap;

/// No upper position: as of the moment that is read.
macro_rules! no_end {
    () => {
        "9223372036854775807"
    };
}
pub(crate) use no_end;

/// Messages of others in `room` after position `from` up to `until`, not deleted as of `until`.
macro_rules! unread_sql {
    ($user:literal, $room:literal, $from:literal, $until:expr) => {
        concat!(
            "(SELECT count(*) FROM (SELECT 1 FROM messages um WHERE um.room_id = ",
            $room,
            " AND um.seq > ",
            $from,
            " AND um.seq <= ",
            $until,
            " AND um.author_id <> ",
            $user,
            " AND (um.deleted_seq IS NULL OR um.deleted_seq > ",
            $until,
            ") LIMIT ",
            crate::read::unread::unread_cap!(),
            ") counted)"
        )
    };
}
pub(crate) use unread_sql;

/// Those of them that mention `user`, by handle or as part of the room.
macro_rules! mentions_sql {
    ($user:literal, $room:literal, $from:literal, $until:expr) => {
        concat!(
            "(SELECT count(*) FROM (SELECT seq FROM (SELECT mm.seq FROM mentions x JOIN messages mm ON mm.seq = x.seq",
            " WHERE x.user_id = ",
            $user,
            " AND x.room_id = ",
            $room,
            " AND x.seq > ",
            $from,
            " AND x.seq <= ",
            $until,
            " AND (mm.deleted_seq IS NULL OR mm.deleted_seq > ",
            $until,
            ") LIMIT ",
            crate::read::unread::unread_cap!(),
            ") by_handle UNION SELECT seq FROM (SELECT mr.seq FROM messages mr WHERE mr.mentions_room AND mr.room_id = ",
            $room,
            " AND mr.seq > ",
            $from,
            " AND mr.seq <= ",
            $until,
            " AND mr.author_id <> ",
            $user,
            " AND (mr.deleted_seq IS NULL OR mr.deleted_seq > ",
            $until,
            ") LIMIT ",
            crate::read::unread::unread_cap!(),
            ") by_room LIMIT ",
            crate::read::unread::unread_cap!(),
            ") counted)"
        )
    };
}
pub(crate) use mentions_sql;

#[cfg(test)]
mod tests {
    #[test]
    fn counting_stops_where_the_wire_says() {
        assert_eq!(unread_cap!(), switchback_core::limits::UNREAD_COUNT_MAX.to_string());
    }
}
