//! A row of an answer, and what its columns can be read as.

use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use switchback_core::wire::{Role, RoomKind};
use switchback_core::{
    DisplayName, Emoji, Handle, InvitationId, MessageId, Nonce, RoomId, SessionId, TokenId, UserId,
};
use uuid::Uuid;

use crate::Error;
use crate::db::Value;
use crate::db::direct::DirectRow;
use crate::db::words::{kind_from, role_from};

/// A row of an answer; columns are taken by name.
#[derive(Debug)]
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
    Direct(DirectRow),
}

impl Row {
    pub(crate) fn get<T: Column>(&self, name: &str) -> Result<T, Error> {
        Ok(T::read(self, name)?)
    }
}

/// What a column can be read as.
pub(crate) trait Column: Sized {
    fn read(row: &Row, name: &str) -> Result<Self, sqlx::Error>;
}

macro_rules! native {
    ($($type:ty),*) => {
        $(impl Column for $type {
            fn read(row: &Row, name: &str) -> Result<Self, sqlx::Error> {
                match row {
                    Row::Sqlite(row) => row.try_get(name),
                    Row::Postgres(row) => row.try_get(name),
                    Row::Direct(row) => row.get(name).map_err(|error| damaged(name, error)),
                }
            }
        })*
    };
}

native!(
    i64,
    Option<i64>,
    bool,
    Option<bool>,
    String,
    Option<String>,
    Vec<u8>,
    Option<Vec<u8>>,
    Uuid,
    Option<Uuid>
);

macro_rules! made_from {
    ($($type:ty, $from:ty, $make:expr;)*) => {
        $(impl Column for $type {
            fn read(row: &Row, name: &str) -> Result<Self, sqlx::Error> {
                let value = <$from>::read(row, name)?;
                $make(value).map_err(|error| damaged(name, error))
            }
        })*
    };
}

made_from! {
    u64, i64, u64::try_from;
    u32, i64, u32::try_from;
    Option<u64>, Option<i64>, |value: Option<i64>| value.map(u64::try_from).transpose();
    Option<u32>, Option<i64>, |value: Option<i64>| value.map(u32::try_from).transpose();
    Handle, String, |text: String| Handle::new(&text);
    DisplayName, String, |text: String| DisplayName::new(&text);
    Emoji, String, |text: String| Emoji::new(&text);
    Role, String, |text: String| role_from(&text);
    RoomKind, String, |text: String| kind_from(&text);
}

macro_rules! id_columns {
    ($($type:ident),*) => {
        $(
            impl Column for $type {
                fn read(row: &Row, name: &str) -> Result<Self, sqlx::Error> {
                    Uuid::read(row, name).map($type::from_uuid)
                }
            }

            impl Column for Option<$type> {
                fn read(row: &Row, name: &str) -> Result<Self, sqlx::Error> {
                    Ok(Option::<Uuid>::read(row, name)?.map($type::from_uuid))
                }
            }

            impl From<$type> for Value {
                fn from(value: $type) -> Self {
                    Self::Id(Some(value.as_uuid()))
                }
            }

            impl From<Option<$type>> for Value {
                fn from(value: Option<$type>) -> Self {
                    Self::Id(value.map($type::as_uuid))
                }
            }
        )*
    };
}

id_columns!(UserId, RoomId, MessageId, SessionId, TokenId, InvitationId, Nonce);

/// A column holds what it cannot hold.
pub(crate) fn damaged(column: &str, error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(error) }
}
