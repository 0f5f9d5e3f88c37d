//! The one module that knows which database is behind a query.
//!
//! Everything else writes a query's text once, with `$1` parameters, and gets [`Row`]s back: the
//! same text runs natively on both. What differs (opening, the write transaction, error codes) is in
//! `sqlite` and `postgres`. The price is one small enum per parameter and per row; what a query
//! costs is the database.

mod direct;
mod row;
mod value;
mod words;

use std::fmt::Write as _;

use futures_util::future::BoxFuture;
use sqlx::pool::PoolConnection;
use sqlx::{
    AssertSqlSafe, Connection as _, Database, PgConnection, PgPool, Postgres, SqlSafeStr, Sqlite,
    SqliteConnection, SqlitePool, Transaction,
};
use switchback_core::Seq;
use switchback_core::wire::Timestamp;

pub(crate) use row::{Column, Row, damaged};
pub(crate) use value::{Value, for_sqlite, values, without_nul};
pub(crate) use words::UnknownWord;

use crate::place::Place;
use crate::postgres::{self, Server};
use crate::{Error, limits, sqlite};

/// A connection: the writer's own, or one that reads.
#[derive(Debug)]
pub(crate) enum Conn {
    Sqlite(Held<Sqlite>),
    Postgres(Held<Postgres>),
    /// Without a thread of its own: whoever has it waits for the disk themselves (`sqlite::Moments`).
    Direct(Box<rusqlite::Connection>),
    /// It broke, or did not answer in time. What was under way on it may have happened or not.
    Lost,
}

/// Whose connection it is.
#[derive(Debug)]
pub(crate) enum Held<DB: Database> {
    Writer(Box<DB::Connection>),
    /// In a transaction of its own, so that everything read through it is of one moment.
    Snapshot(Transaction<'static, DB>),
    Reader(PoolConnection<DB>),
}

impl<DB: Database> Held<DB> {
    fn get(&mut self) -> &mut DB::Connection {
        match self {
            Self::Writer(conn) => conn,
            Self::Snapshot(transaction) => transaction,
            Self::Reader(conn) => conn,
        }
    }
}

/// The connections for several queries that must agree with each other.
#[derive(Debug)]
pub(crate) enum Moments {
    Sqlite(sqlite::Moments),
    /// Those of [`Readers`].
    Postgres(PgPool),
}

impl Moments {
    /// Has `read` ask for what it wants, all of one moment.
    pub(crate) async fn read<T, F>(&self, read: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, Error>> + Send + 'static,
    {
        match self {
            Self::Sqlite(moments) => moments.read(read).await,
            Self::Postgres(pool) => {
                let transaction = Box::pin(postgres::snapshot(pool)).await?;
                read(&mut Conn::Postgres(Held::Snapshot(transaction))).await
            }
        }
    }

    pub(crate) async fn close(&self) {
        if let Self::Sqlite(moments) = self {
            moments.close().await;
        }
    }
}

/// The connections that read.
#[derive(Debug, Clone)]
pub(crate) enum Readers {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// Getting a connection takes tens of kilobytes while it lasts, which is short: on the heap, so that not everything
/// that may come to read has room for it.
impl Readers {
    /// For one query.
    pub(crate) async fn reader(&self) -> Result<Conn, Error> {
        Ok(match self {
            Self::Sqlite(pool) => Conn::Sqlite(Held::Reader(Box::pin(pool.acquire()).await?)),
            Self::Postgres(pool) => Conn::Postgres(Held::Reader(Box::pin(pool.acquire()).await?)),
        })
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => postgres::close_pool(pool).await,
        }
    }
}

/// Where the database is, for the connection that writes: it is opened anew as often as it is lost.
#[derive(Debug)]
pub(crate) enum Origin {
    Sqlite(Place),
    Postgres(Server),
}

impl Origin {
    /// `Unavailable` if what was opened is no longer where it was.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self {
            Self::Sqlite(place) => place.check(),
            Self::Postgres(_) => Ok(()),
        }
    }

    pub(crate) async fn reconnect_writer(&self) -> Result<Conn, Error> {
        Ok(match self {
            Self::Sqlite(place) => Conn::from(sqlite::reconnect_writer(place.path()).await?),
            Self::Postgres(server) => Conn::from(server.connect_writer().await?),
        })
    }

    /// Operations in one transaction.
    pub(crate) const fn group_max(&self) -> usize {
        match self {
            Self::Sqlite(_) => limits::GROUP_MAX,
            Self::Postgres(_) => limits::POSTGRES_GROUP_MAX,
        }
    }
}

impl From<SqliteConnection> for Conn {
    fn from(conn: SqliteConnection) -> Self {
        Self::Sqlite(Held::Writer(Box::new(conn)))
    }
}

impl From<PgConnection> for Conn {
    fn from(conn: PgConnection) -> Self {
        Self::Postgres(Held::Writer(Box::new(conn)))
    }
}

impl From<rusqlite::Connection> for Conn {
    fn from(conn: rusqlite::Connection) -> Self {
        Self::Direct(Box::new(conn))
    }
}

impl Conn {
    /// All rows.
    pub(crate) async fn all(&mut self, sql: impl SqlSafeStr, values: Vec<Value>) -> Result<Vec<Row>, Error> {
        match self {
            Self::Sqlite(held) => {
                let rows = for_sqlite(sql, values).fetch_all(held.get()).await?;
                Ok(rows.into_iter().map(Row::Sqlite).collect())
            }
            Self::Postgres(held) => {
                let query = value::for_postgres(sql, values);
                let rows = postgres::in_time(query.fetch_all(held.get())).await;
                Ok(self.kept(rows)?.into_iter().map(Row::Postgres).collect())
            }
            Self::Direct(conn) => {
                let rows = direct::all(conn, sql.into_sql_str().as_str(), values)?;
                Ok(rows.into_iter().map(Row::Direct).collect())
            }
            Self::Lost => Err(lost()),
        }
    }

    /// The row, if there is one.
    pub(crate) async fn maybe(
        &mut self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<Option<Row>, Error> {
        match self {
            Self::Sqlite(held) => {
                let row = for_sqlite(sql, values).fetch_optional(held.get()).await?;
                Ok(row.map(Row::Sqlite))
            }
            Self::Postgres(held) => {
                let query = value::for_postgres(sql, values);
                let row = postgres::in_time(query.fetch_optional(held.get())).await;
                Ok(self.kept(row)?.map(Row::Postgres))
            }
            Self::Direct(conn) => Ok(direct::all(conn, sql, values)?.into_iter().next().map(Row::Direct)),
            Self::Lost => Err(lost()),
        }
    }

    /// The row; its absence is a defect.
    pub(crate) async fn one(&mut self, sql: &'static str, values: Vec<Value>) -> Result<Row, Error> {
        self.maybe(sql, values).await?.ok_or(Error::Database(sqlx::Error::RowNotFound))
    }

    /// How many rows were changed.
    pub(crate) async fn run(&mut self, sql: &'static str, values: Vec<Value>) -> Result<u64, Error> {
        match self {
            Self::Sqlite(held) => Ok(for_sqlite(sql, values).execute(held.get()).await?.rows_affected()),
            Self::Postgres(held) => {
                let query = value::for_postgres(sql, values);
                let done = postgres::in_time(query.execute(held.get())).await;
                Ok(self.kept(done)?.rows_affected())
            }
            Self::Direct(conn) => Ok(u64::try_from(direct::run(conn, sql, values)?).unwrap_or(u64::MAX)),
            Self::Lost => Err(lost()),
        }
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
            // The text consists of our own SQL and parameter numbers; every value is bound.
            let text = AssertSqlSafe(sql.replace("{keys}", &numbers(values.len() + 1, size)));
            let filled = piece.iter().chain(std::iter::repeat_n(&piece[0], size - piece.len()));
            let bound = values.iter().cloned().chain(filled.map(|key| (*key).into())).collect();
            found.extend(self.all(text, bound).await?);
        }
        Ok(found)
    }

    /// Begins a write transaction, with the head of the log locked and read: `seq` and `at`.
    pub(crate) async fn begin_write(&mut self) -> Result<Row, Error> {
        match self {
            Self::Sqlite(held) => Ok(Row::Sqlite(sqlite::begin_write(held.get()).await?)),
            Self::Postgres(held) => {
                let begun = postgres::in_time(postgres::begin_write(held.get())).await;
                self.kept(begun).map(Row::Postgres)
            }
            Self::Direct(_) | Self::Lost => Err(lost()),
        }
    }

    /// Moves the head of the log, if it moves, and makes everything durable.
    pub(crate) async fn commit_write(&mut self, moved: Option<(Seq, Timestamp)>) -> Result<(), Error> {
        match self {
            Self::Sqlite(held) => Ok(sqlite::commit_write(held.get(), moved).await?),
            Self::Postgres(held) => {
                let committed = postgres::in_time(postgres::commit_write(held.get(), moved)).await;
                self.kept(committed)
            }
            Self::Direct(_) | Self::Lost => Err(lost()),
        }
    }

    /// The connection to `PostgreSQL`, if it is one.
    pub(crate) fn postgres(&mut self) -> Option<&mut PgConnection> {
        match self {
            Self::Postgres(held) => Some(held.get()),
            Self::Sqlite(_) | Self::Direct(_) | Self::Lost => None,
        }
    }

    /// Gives the connection up at once. The server then rolls back what was not committed.
    pub(crate) fn lose(&mut self) {
        *self = Self::Lost;
    }

    /// A connection that broke is of no more use.
    pub(crate) fn kept<T>(&mut self, answer: Result<T, sqlx::Error>) -> Result<T, Error> {
        if answer.as_ref().is_err_and(postgres::has_ended) {
            self.lose();
        }
        Ok(answer?)
    }

    /// Ends the writer's connection in good order.
    pub(crate) async fn close(self) -> Result<(), Error> {
        match self {
            Self::Sqlite(Held::Writer(conn)) => conn.close().await?,
            Self::Postgres(Held::Writer(conn)) => postgres::in_time(conn.close()).await?,
            // Readers go back to their pool by themselves.
            Self::Sqlite(_) | Self::Postgres(_) | Self::Direct(_) | Self::Lost => {}
        }
        Ok(())
    }
}

/// Sizes of parameter lists; a list between two is filled up with its first member.
const LIST_SIZES: [usize; 4] = [1, 8, 64, 256];

/// So many parameters from this one on, as a list.
fn numbers(first: usize, count: usize) -> String {
    let mut list = format!("${first}");
    for number in first + 1..first + count {
        // Writing to a string cannot fail.
        let _ = write!(list, ",${number}");
    }
    list
}

fn lost() -> Error {
    Error::Unavailable("the connection to the database was lost".to_owned())
}
