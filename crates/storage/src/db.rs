//! The one module that knows which database is behind a query.
//!
//! Everything else writes a query's text once, with `$1` parameters, and gets [`Row`]s back. A
//! second database is a second variant of [`Conn`] and [`Row`] and a second [`bind`], not a second
//! copy of the queries. The price is one small enum per parameter; what a query costs is the database.

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Connection as _, Row as _, Sqlite, SqliteConnection, SqlitePool, Transaction};
use switchback_core::wire::{Role, RoomKind};
use switchback_core::{
    DisplayName, Emoji, Handle, InvitationId, MessageId, Nonce, RoomId, SessionId, TokenId, UserId,
};
use uuid::Uuid;

use crate::Error;

/// A connection: the writer's own, or a reader's in a transaction of its own, so that everything
/// read through it is of one moment.
#[derive(Debug)]
pub(crate) enum Conn {
    Writer(Box<SqliteConnection>),
    Snapshot(Transaction<'static, Sqlite>),
    Reader(PoolConnection<Sqlite>),
}

/// The connections that read.
#[derive(Debug, Clone)]
pub(crate) struct Readers(SqlitePool);

impl Readers {
    pub(crate) const fn new(pool: SqlitePool) -> Self {
        Self(pool)
    }

    /// For several queries that must agree with each other.
    pub(crate) async fn snapshot(&self) -> Result<Conn, Error> {
        Ok(Conn::Snapshot(self.0.begin().await?))
    }

    /// For one query.
    pub(crate) async fn reader(&self) -> Result<Conn, Error> {
        Ok(Conn::Reader(self.0.acquire().await?))
    }

    pub(crate) async fn close(&self) {
        self.0.close().await;
    }
}

impl Conn {
    fn sqlite(&mut self) -> &mut SqliteConnection {
        match self {
            Self::Writer(conn) => conn,
            Self::Snapshot(transaction) => transaction,
            Self::Reader(conn) => conn,
        }
    }

    /// All rows.
    pub(crate) async fn all(&mut self, sql: &'static str, values: Vec<Value>) -> Result<Vec<Row>, Error> {
        let rows = bind(sqlx::query(sql), values).fetch_all(self.sqlite()).await?;
        Ok(rows.into_iter().map(Row).collect())
    }

    /// The row, if there is one.
    pub(crate) async fn maybe(
        &mut self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<Option<Row>, Error> {
        Ok(bind(sqlx::query(sql), values).fetch_optional(self.sqlite()).await?.map(Row))
    }

    /// The row; its absence is a defect.
    pub(crate) async fn one(&mut self, sql: &'static str, values: Vec<Value>) -> Result<Row, Error> {
        Ok(Row(bind(sqlx::query(sql), values).fetch_one(self.sqlite()).await?))
    }

    /// How many rows were changed.
    pub(crate) async fn run(&mut self, sql: &'static str, values: Vec<Value>) -> Result<u64, Error> {
        Ok(bind(sqlx::query(sql), values).execute(self.sqlite()).await?.rows_affected())
    }

    /// All rows of `sql` for any number of `keys`: `{keys}` in it becomes a list of parameters that
    /// stands after `values`. Asked in pieces of a few fixed sizes, so that few statements are
    /// prepared and kept.
    pub(crate) async fn all_in<K: Copy + Into<Value>>(
        &mut self,
        sql: &str,
        values: Vec<Value>,
        keys: &[K],
    ) -> Result<Vec<Row>, Error> {
        let mut found = Vec::with_capacity(keys.len());
        for piece in keys.chunks(LIST_SIZES[LIST_SIZES.len() - 1]) {
            let size = LIST_SIZES.into_iter().find(|size| *size >= piece.len()).unwrap_or(piece.len());
            let numbers = (values.len() + 1)..=(values.len() + size);
            let list: Vec<String> = numbers.map(|number| format!("${number}")).collect();
            // The text consists of our own SQL and parameter numbers; every value is bound.
            let text = AssertSqlSafe(sql.replace("{keys}", &list.join(",")));
            let filled = piece.iter().chain(std::iter::repeat_n(&piece[0], size - piece.len()));
            let bound = values.iter().cloned().chain(filled.map(|key| (*key).into())).collect();
            let rows = bind(sqlx::query(text), bound).fetch_all(self.sqlite()).await?;
            found.extend(rows.into_iter().map(Row));
        }
        Ok(found)
    }

    /// Ends the connection in good order.
    pub(crate) async fn close(self) -> Result<(), Error> {
        match self {
            Self::Writer(conn) => conn.close().await?,
            Self::Snapshot(transaction) => transaction.rollback().await?,
            Self::Reader(conn) => drop(conn),
        }
        Ok(())
    }
}

/// Sizes of parameter lists; a list between two is filled up with its first member.
const LIST_SIZES: [usize; 4] = [1, 8, 64, 256];

fn bind(
    query: sqlx::query::Query<'_, Sqlite, SqliteArguments>,
    values: Vec<Value>,
) -> sqlx::query::Query<'_, Sqlite, SqliteArguments> {
    values.into_iter().fold(query, |query, value| match value {
        Value::Int(value) => query.bind(value),
        Value::Bool(value) => query.bind(value),
        Value::Text(value) => query.bind(value),
        Value::Bytes(value) => query.bind(value),
        Value::Id(value) => query.bind(value),
    })
}

/// A parameter of a query. `None` is NULL of that type.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Int(Option<i64>),
    Bool(bool),
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
    bool => |value| Self::Bool(value);
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

/// A row of an answer; columns are taken by name.
#[derive(Debug)]
pub(crate) struct Row(SqliteRow);

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
                row.0.try_get(name)
            }
        })*
    };
}

native!(i64, Option<i64>, bool, String, Option<String>, Vec<u8>, Option<Vec<u8>>, Uuid, Option<Uuid>);

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

pub(crate) fn damaged(column: &str, error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(error) }
}

/// A word in a column that this version does not know.
#[derive(Debug, thiserror::Error)]
#[error("unknown word {0:?}")]
pub(crate) struct UnknownWord(pub(crate) String);

const fn role_text(role: Role) -> &'static str {
    match role {
        Role::Member => "member",
        Role::Admin => "admin",
        Role::Owner => "owner",
    }
}

fn role_from(text: &str) -> Result<Role, UnknownWord> {
    match text {
        "member" => Ok(Role::Member),
        "admin" => Ok(Role::Admin),
        "owner" => Ok(Role::Owner),
        _ => Err(UnknownWord(text.to_owned())),
    }
}

const fn kind_text(kind: RoomKind) -> &'static str {
    match kind {
        RoomKind::Public => "public",
        RoomKind::Private => "private",
        RoomKind::Direct => "direct",
    }
}

fn kind_from(text: &str) -> Result<RoomKind, UnknownWord> {
    match text {
        "public" => Ok(RoomKind::Public),
        "private" => Ok(RoomKind::Private),
        "direct" => Ok(RoomKind::Direct),
        _ => Err(UnknownWord(text.to_owned())),
    }
}
