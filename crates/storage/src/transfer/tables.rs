//! What a transfer carries: every table, its columns and their types, in one place.
//!
//! The order is that in which rows can be written, so that whatever a row refers to is there before
//! it. A table or column that is in a schema and not here fails the tests below, which compare this
//! list with both live databases.

/// What a column holds, in either database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Int,
    Bool,
    Text,
    Bytes,
    Id,
}

/// A table. `key` is unique and puts rows in the same order on both databases.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) key: &'static str,
    pub(super) columns: &'static [(&'static str, Type)],
}

impl Table {
    /// Its columns, as a query names them.
    pub(super) fn names(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        names.join(", ")
    }

    /// Where a column stands in a row.
    pub(super) fn place_of(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|(name, _)| *name == column)
    }
}

macro_rules! table {
    ($name:ident by $key:literal: $($column:ident $type:ident),* $(,)?) => {
        Table {
            name: stringify!($name),
            key: $key,
            columns: &[$((stringify!($column), Type::$type)),*],
        }
    };
}

/// Where the head of the log is.
pub(super) const LOG_HEAD: &str = "log_head";
/// What people wrote.
pub(super) const MESSAGES: &str = "messages";

pub(super) const TABLES: [Table; 12] = [
    table!(log_head by "id": id Int, epoch Text, seq Int, at Int),
    table!(workspace by "id": id Int, name Text, setup_hash Bytes),
    table!(users by "id":
        id Id, handle Text, name Text, role Text, active Bool, password_hash Text, created_at Int),
    table!(rooms by "id":
        id Id, kind Text, name Text, name_key Text, topic Text, archived Bool, general Bool,
        direct_key Bytes, n Int, last_seq Int, last_at Int, created_at Int),
    table!(memberships by "room_id, user_id": room_id Id, user_id Id, joined_seq Int, read_seq Int),
    table!(messages by "seq":
        seq Int, id Id, room_id Id, author_id Id, nonce Id, digest Bytes, at Int, edited_at Int,
        body Text, html Text, reply_to Id, mentions_room Bool, deleted_seq Int),
    table!(mentions by "user_id, room_id, seq": user_id Id, room_id Id, seq Int),
    table!(reactions by "message_id, emoji, user_id": message_id Id, emoji Text, user_id Id, seq Int),
    table!(sessions by "id":
        id Id, user_id Id, secret_hash Bytes, label Text, created_at Int, last_used_at Int),
    table!(tokens by "id":
        id Id, user_id Id, secret_hash Bytes, label Text, created_at Int, last_used_at Int),
    table!(invitations by "id":
        id Id, secret_hash Bytes, created_by Id, created_at Int, expires_at Int, max_uses Int,
        uses Int, revoked Bool),
    table!(events by "seq":
        seq Int, at Int, kind Text, room_id Id, actor Id, subject Id, n Int, detail Text),
];
