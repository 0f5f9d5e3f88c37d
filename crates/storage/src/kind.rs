//! The kinds of events, as the log spells them: the same words as on the wire.

use crate::db::{Column, Row, UnknownWord, Value};

macro_rules! kinds {
    ($($kind:ident = $text:literal,)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Kind {
            $($kind,)*
        }

        impl Kind {
            pub(crate) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $text,)*
                }
            }

            fn parse(text: &str) -> Result<Self, UnknownWord> {
                match text {
                    $($text => Ok(Self::$kind),)*
                    _ => Err(UnknownWord(text.to_owned())),
                }
            }
        }
    };
}

kinds! {
    MessagePosted = "message.posted",
    MessageEdited = "message.edited",
    MessageDeleted = "message.deleted",
    ReactionAdded = "reaction.added",
    ReactionRemoved = "reaction.removed",
    RoomCreated = "room.created",
    RoomRenamed = "room.renamed",
    RoomTopicChanged = "room.topic_changed",
    RoomArchived = "room.archived",
    RoomUnarchived = "room.unarchived",
    MemberJoined = "member.joined",
    MemberLeft = "member.left",
    UserJoined = "user.joined",
    UserUpdated = "user.updated",
    WorkspaceRenamed = "workspace.renamed",
    ReadMarked = "read.marked",
}

impl From<Kind> for Value {
    fn from(kind: Kind) -> Self {
        Self::from(kind.as_str())
    }
}

impl Column for Kind {
    fn read(row: &Row, name: &str) -> Result<Self, sqlx::Error> {
        let text = String::read(row, name)?;
        Self::parse(&text).map_err(|error| crate::db::damaged(name, error))
    }
}
