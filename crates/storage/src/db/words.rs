//! The words that columns hold for a few things, the same in every database.

use switchback_core::wire::{Role, RoomKind};

/// A word in a column that this version does not know.
#[derive(Debug, thiserror::Error)]
#[error("unknown word {0:?}")]
pub(crate) struct UnknownWord(pub(crate) String);

pub(crate) const fn role_text(role: Role) -> &'static str {
    match role {
        Role::Member => "member",
        Role::Admin => "admin",
        Role::Owner => "owner",
    }
}

pub(crate) fn role_from(text: &str) -> Result<Role, UnknownWord> {
    match text {
        "member" => Ok(Role::Member),
        "admin" => Ok(Role::Admin),
        "owner" => Ok(Role::Owner),
        _ => Err(UnknownWord(text.to_owned())),
    }
}

pub(crate) const fn kind_text(kind: RoomKind) -> &'static str {
    match kind {
        RoomKind::Public => "public",
        RoomKind::Private => "private",
        RoomKind::Direct => "direct",
    }
}

pub(crate) fn kind_from(text: &str) -> Result<RoomKind, UnknownWord> {
    match text {
        "public" => Ok(RoomKind::Public),
        "private" => Ok(RoomKind::Private),
        "direct" => Ok(RoomKind::Direct),
        _ => Err(UnknownWord(text.to_owned())),
    }
}
