//! What is peculiar to `PostgreSQL`: connecting, what must be set, migrations, the write transaction,
//! error codes.
//!
//! Several nodes write. Each does so on one connection, in transactions that begin by locking the
//! head's row and hold it to the commit, so that the log's order is the commits' order. Inside, the
//! isolation is `READ COMMITTED`: each statement sees everything that was committed before the lock
//! was taken. Nobody may sit on the lock: a node that falls silent loses its connection.
//!
//! Connections break. The writer's is opened anew when it is next needed, the readers' by their
//! pool. Needs a direct connection or a pooler in session mode, because of what is set per session.

mod bulk;
mod line;
mod marks;
mod transfer;

use std::future::Future;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgDatabaseError, PgPoolOptions, PgRow, PgSeverity};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, PgPool, Postgres, Row as _,
    SqlSafeStr as _, Transaction, raw_sql,
};
use switchback_core::wire::Timestamp;
use switchback_core::{Epoch, Seq};

pub(crate) use bulk::post;
pub use line::Line;
pub(crate) use marks::mark_read;
pub(crate) use transfer::UNFINISHED;

use crate::{OpenError, PostgresAddress, limits};

/// The oldest that is tested, as `server_version_num` spells it.
const OLDEST_VERSION: i64 = 150_000;

/// A database server and how to reach it.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    address: PostgresAddress,
    /// Whose log it is that this process knows, once it knows.
    log: Arc<OnceLock<Epoch>>,
}

impl Server {
    pub(crate) const fn address(&self) -> &PostgresAddress {
        &self.address
    }

    pub(crate) fn new(address: PostgresAddress) -> Self {
        Self { address, log: Arc::default() }
    }

    /// From now on, a connection that leads to another log (a backup was restored in its place) is
    /// not used: its events are not those that go on after what this process and its clients have.
    pub(crate) fn expect(&self, epoch: Epoch) {
        self.log.get_or_init(|| epoch);
    }

    fn options(&self) -> PgConnectOptions {
        self.address.options().statement_cache_capacity(limits::STATEMENT_CACHE)
    }

    /// Opens the connection that writes.
    pub(crate) async fn connect_writer(&self) -> Result<PgConnection, sqlx::Error> {
        let options = self.options();
        let connected = async {
            let mut conn = options.connect().await?;
            raw_sql(AssertSqlSafe(writer_settings())).execute(&mut conn).await?;
            must_be_ours(&self.log, &mut conn).await?;
            Ok(conn)
        };
        within(limits::POSTGRES_CONNECT, connected).await
    }

    /// Opens the connection that extends the search index.
    pub(crate) async fn connect_indexer(&self) -> Result<PgConnection, sqlx::Error> {
        let options = self.options();
        let connected = async {
            let mut conn = options.connect().await?;
            raw_sql(AssertSqlSafe(indexer_settings())).execute(&mut conn).await?;
            must_be_ours(&self.log, &mut conn).await?;
            Ok(conn)
        };
        within(limits::POSTGRES_CONNECT, connected).await
    }

    /// Opens it for the first time: makes sure that this is a database to rely on, and of a schema
    /// that this version knows. Several servers may do so at once.
    pub(crate) async fn open_writer(&self) -> Result<PgConnection, OpenError> {
        let failed = |source| OpenError::Connect { database: self.address.to_string(), source };
        let mut conn = self.connect_writer().await.map_err(failed)?;
        self.must_be_suitable(&mut conn).await?;
        self.must_be_finished(&mut conn).await?;
        if self.is_behind(&mut conn).await? {
            // Under an advisory lock; whoever comes second finds it done.
            self.migrate(&mut conn).await?;
        }
        Ok(conn)
    }

    /// Brings the schema up to date.
    pub(crate) async fn migrate(&self, conn: &mut PgConnection) -> Result<(), OpenError> {
        migrator().run_direct(None, conn, false).await?;
        Ok(())
    }

    async fn must_be_suitable(&self, conn: &mut PgConnection) -> Result<(), OpenError> {
        let sql = "SELECT current_setting('server_version_num')::bigint AS version, \
                   current_setting('server_encoding') AS encoding, current_setting('fsync') AS fsync";
        let row = sqlx::query(sql).fetch_one(conn).await?;
        let unsuitable =
            |reason: String| Err(OpenError::Unsuitable { database: self.address.to_string(), reason });
        let version: i64 = row.try_get("version")?;
        if version < OLDEST_VERSION {
            return unsuitable(format!(
                "it is PostgreSQL {}; version {} or newer is needed",
                version / 10_000,
                OLDEST_VERSION / 10_000
            ));
        }
        let encoding: String = row.try_get("encoding")?;
        if encoding != "UTF8" {
            return unsuitable(format!("its encoding is {encoding}; make it with ENCODING 'UTF8'"));
        }
        if row.try_get::<String, _>("fsync")? != "on" {
            tracing::warn!("PostgreSQL runs with fsync off: a power failure can take acknowledged messages");
        }
        Ok(())
    }

    /// Whether there are migrations to run. A schema from the future is refused.
    pub(crate) async fn is_behind(&self, conn: &mut PgConnection) -> Result<bool, OpenError> {
        let known = migrator().iter().map(|migration| migration.version).max().unwrap_or_default();
        let found = schema_version(conn).await?.unwrap_or_default();
        if found > known {
            return Err(OpenError::NewerSchema { database: self.address.to_string(), found, known });
        }
        Ok(found < known)
    }

    /// The connections that read. They are opened when they are first needed, and kept.
    pub(crate) fn readers(&self) -> PgPool {
        let log = Arc::clone(&self.log);
        PgPoolOptions::new()
            .max_connections(limits::READERS)
            .acquire_timeout(limits::READER_WAIT)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .after_connect(move |conn, _| {
                let log = Arc::clone(&log);
                Box::pin(async move {
                    raw_sql(AssertSqlSafe(reader_settings())).execute(&mut *conn).await?;
                    must_be_ours(&log, conn).await
                })
            })
            // Trying each time would cost each read a way there and back.
            .before_acquire(|conn, idle| {
                Box::pin(async move {
                    if idle.idle_for > limits::POSTGRES_TRY_AFTER {
                        within(limits::READER_WAIT, conn.ping()).await?;
                    }
                    Ok(true)
                })
            })
            // One that does not answer must not keep its place in the pool, nor one whose reader gave
            // up just as its transaction began: whoever reads on it next would read the past.
            .after_release(|conn, _| {
                Box::pin(async move { within(limits::READER_WAIT, is_outside_transaction(conn)).await })
            })
            .connect_lazy_with(self.options())
    }
}

/// What an acknowledgement and the other nodes rely on, whatever the server's defaults are.
///
/// The planner is kept from scans: the writer looks single rows up under a lock that everybody
/// waits for, and statistics from when a table was small must not make it read all of a large one.
fn writer_settings() -> String {
    format!(
        "SELECT set_config('synchronous_commit', 'on', FALSE) \
         WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply'); \
         SET idle_in_transaction_session_timeout = {}; SET lock_timeout = {}; SET statement_timeout = {}; \
         SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off",
        limits::POSTGRES_SILENCE.as_millis(),
        limits::BUSY_TIMEOUT.as_millis(),
        limits::POSTGRES_STATEMENT.as_millis(),
    )
}

fn indexer_settings() -> String {
    format!(
        "SET synchronous_commit = off; SET idle_in_transaction_session_timeout = {}; SET lock_timeout = {}; \
         SET statement_timeout = {}",
        limits::POSTGRES_SILENCE.as_millis(),
        limits::BUSY_TIMEOUT.as_millis(),
        limits::POSTGRES_STATEMENT.as_millis(),
    )
}

fn reader_settings() -> String {
    format!(
        "SET default_transaction_read_only = on; SET statement_timeout = {}",
        limits::POSTGRES_STATEMENT.as_millis(),
    )
}

async fn must_be_ours(log: &OnceLock<Epoch>, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    let Some(ours) = log.get() else { return Ok(()) };
    let sql = "SELECT epoch FROM log_head WHERE id = 1";
    let found: Option<String> = sqlx::query_scalar(sql).fetch_optional(conn).await?;
    if found.and_then(|found| found.parse().ok()) == Some(*ours) {
        return Ok(());
    }
    let reason = "the database holds another log than before, perhaps a restored one: restart this server";
    Err(sqlx::Error::Io(io::Error::other(reason)))
}

/// Every migration in order; what is listed here is never changed, only added to.
fn migrator() -> Migrator {
    let migration = |version, name: &'static str, sql: &'static str| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(vec![
        migration(1, "init", include_str!("../../../migrations/postgres/0001_init.sql")),
        migration(2, "search", include_str!("../../../migrations/postgres/0002_search.sql")),
        migration(
            3,
            "events by position",
            include_str!("../../../migrations/postgres/0003_events_by_position.sql"),
        ),
    ])
}

/// The schema that a database has, if it has one of ours.
pub(crate) async fn schema_version(conn: &mut PgConnection) -> Result<Option<i64>, sqlx::Error> {
    let sql = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
    if !sqlx::query_scalar::<_, bool>(sql).fetch_one(&mut *conn).await? {
        return Ok(None);
    }
    sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(conn).await
}

/// A transaction in which everything read is of one moment.
pub(crate) async fn snapshot(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    in_time(pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")).await
}

/// sqlx counts only transactions that have begun to its knowledge; the server knows. A simple query
/// outside of one is its own, and began with it.
async fn is_outside_transaction(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    raw_sql("SELECT now() = statement_timestamp()").fetch_one(conn).await?.try_get(0)
}

/// Locks the head and reads it, in one way there and back: from here on the other nodes wait.
pub(crate) async fn begin_write(conn: &mut PgConnection) -> Result<PgRow, sqlx::Error> {
    let sql = "BEGIN ISOLATION LEVEL READ COMMITTED; \
               SELECT seq, at FROM log_head WHERE id = 1 FOR UPDATE";
    raw_sql(sql).fetch_all(conn).await?.pop().ok_or(sqlx::Error::RowNotFound)
}

/// Moves the head, if it moves, and commits, in one way there and back.
pub(crate) async fn commit_write(
    conn: &mut PgConnection,
    head: Option<(Seq, Timestamp)>,
) -> Result<(), sqlx::Error> {
    let sql = match head {
        // Numbers alone: there is nothing to quote.
        Some((seq, at)) => format!("UPDATE log_head SET seq = {seq}, at = {at} WHERE id = 1; COMMIT"),
        None => "COMMIT".to_owned(),
    };
    raw_sql(AssertSqlSafe(sql)).execute(conn).await.map(drop)
}

/// An answer, or an IO error once nothing was heard for `limits::POSTGRES_ANSWER`.
pub(crate) async fn in_time<T>(
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    within(limits::POSTGRES_ANSWER, answer).await
}

async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    let late = |_| sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "PostgreSQL does not answer"));
    tokio::time::timeout(limit, answer).await.map_err(late)?
}

/// Waits for readers, though not for a server that no longer answers.
pub(crate) async fn close_pool(pool: &PgPool) {
    if tokio::time::timeout(limits::POSTGRES_ANSWER, pool.close()).await.is_err() {
        tracing::warn!("PostgreSQL does not answer: connections that read were left as they are");
    }
}

/// Whether the connection is at its end: nothing was heard, or nonsense, or a farewell.
pub(crate) fn has_ended(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) => true,
        sqlx::Error::Database(error) => error
            .try_downcast_ref::<PgDatabaseError>()
            .is_some_and(|error| matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic)),
        _ => false,
    }
}

/// Whether nobody answers yet, or a server that is starting or stopping, as opposed to one that does
/// not let us in.
pub(crate) fn comes_later(error: &sqlx::Error) -> bool {
    /// "the database system is starting up" and the like (`PostgreSQL`, appendix A: `cannot_connect_now`).
    const NOT_NOW: &str = "57P03";
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code == NOT_NOW),
        _ => false,
    }
}

/// Classes of codes that speak of the surroundings: connection, who may connect, resources,
/// intervention by an operator, system errors.
const PASSING_CLASSES: [&str; 5] = ["08", "28", "53", "57", "58"];
/// Of other classes: a server that only reads (not yet promoted), silence for too long, a conflict
/// with another transaction, a deadlock, a lock that was not to be had, a database that is gone.
const PASSING_CODES: [&str; 6] = ["25006", "25P03", "40001", "40P01", "55P03", "3D000"];

/// Whether an operator or time can mend it.
pub(crate) fn is_passing(error: &dyn DatabaseError) -> bool {
    error.code().is_some_and(|code| {
        PASSING_CLASSES.iter().any(|class| code.starts_with(class)) || PASSING_CODES.contains(&&*code)
    })
}
