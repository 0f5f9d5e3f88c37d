//! A query's parameters, and how each database takes them.

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Postgres, SqlSafeStr, Sqlite};
use switchback_core::wire::{Role, RoomKind};
use uuid::Uuid;

use crate::db::words::{kind_text, role_text};

/// A parameter of a query. `None` is NULL of that type.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Int(Option<i64>),
    Bool(Option<bool>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
    Id(Option<Uuid>),
}

/// `values![room, user, seq]`: a query's parameters, `$1` first.
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$($crate::db::Value::from($value)),*] };
}
pub(crate) use values;

macro_rules! value_from {
    ($($type:ty => |$value:ident| $made:expr;)*) => {
        $(impl From<$type> for Value {
            fn from($value: $type) -> Self {
                $made
            }
        })*
    };
}

value_from! {
    i64 => |value| Self::Int(Some(value));
    Option<i64> => |value| Self::Int(value);
    u64 => |value| Self::Int(Some(saturating(value)));
    Option<u64> => |value| Self::Int(value.map(saturating));
    u32 => |value| Self::Int(Some(value.into()));
    Option<u32> => |value| Self::Int(value.map(i64::from));
    usize => |value| Self::Int(Some(i64::try_from(value).unwrap_or(i64::MAX)));
    bool => |value| Self::Bool(Some(value));
    &str => |value| Self::Text(Some(value.to_owned()));
    String => |value| Self::Text(Some(value));
    Option<String> => |value| Self::Text(value);
    Vec<u8> => |value| Self::Bytes(Some(value));
    [u8; 32] => |value| Self::Bytes(Some(value.to_vec()));
    Uuid => |value| Self::Id(Some(value));
    Option<Uuid> => |value| Self::Id(value);
    Role => |value| Self::Text(Some(role_text(value).to_owned()));
    RoomKind => |value| Self::Text(Some(kind_text(value).to_owned()));
}

/// Positions are kept as signed 64-bit integers; one beyond is after everything all the same.
fn saturating(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The query for `SQLite`.
pub(crate) fn for_sqlite(
    sql: impl SqlSafeStr,
    values: Vec<Value>,
) -> Query<'static, Sqlite, SqliteArguments> {
    values.into_iter().fold(sqlx::query(sql), |query, value| match value {
        Value::Int(value) => query.bind(value),
        Value::Bool(value) => query.bind(value),
        Value::Text(value) => query.bind(value),
        Value::Bytes(value) => query.bind(value),
        Value::Id(value) => query.bind(value),
    })
}

/// The query for `PostgreSQL`.
pub(crate) fn for_postgres(
    sql: impl SqlSafeStr,
    values: Vec<Value>,
) -> Query<'static, Postgres, PgArguments> {
    values.into_iter().fold(sqlx::query(sql), |query, value| match value {
        Value::Int(value) => query.bind(value),
        Value::Bool(value) => query.bind(value),
        Value::Text(value) => query.bind(value.map(without_nul)),
        Value::Bytes(value) => query.bind(value),
        Value::Id(value) => query.bind(value),
    })
}

/// `PostgreSQL` takes no U+0000 in a text.
pub(crate) fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "") } else { text }
}
