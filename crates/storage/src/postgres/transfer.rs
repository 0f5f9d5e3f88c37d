//! What a transfer needs of `PostgreSQL`: a connection without limits of time, and the mark by which
//! servers know a database that is being filled.

use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection, raw_sql};

use super::{Server, within};
use crate::{OpenError, limits};

/// A table that is there while a transfer fills the database, and after one that was interrupted.
pub(crate) const UNFINISHED: &str = "unfinished_transfer";

impl Server {
    /// Opens a connection that copies everything: nothing it does is bounded in time.
    pub(crate) async fn connect_transfer(&self) -> Result<PgConnection, OpenError> {
        let connected = within(limits::POSTGRES_CONNECT, self.options().connect()).await;
        let mut conn =
            connected.map_err(|source| OpenError::Connect { database: self.address.to_string(), source })?;
        self.must_be_suitable(&mut conn).await?;
        raw_sql(AssertSqlSafe(transfer_settings())).execute(&mut conn).await?;
        Ok(conn)
    }

    /// Refuses a database that a transfer fills, or was interrupted in.
    pub(crate) async fn must_be_finished(&self, conn: &mut PgConnection) -> Result<(), OpenError> {
        let sql = "SELECT to_regclass($1) IS NOT NULL";
        if !sqlx::query_scalar(sql).bind(UNFINISHED).fetch_one(conn).await? {
            return Ok(());
        }
        let instead = format!("drop the table {UNFINISHED}");
        Err(OpenError::Unfinished { database: self.address.to_string(), instead })
    }
}

fn transfer_settings() -> String {
    format!(
        "SELECT set_config('synchronous_commit', 'on', FALSE) \
         WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply'); \
         SET idle_in_transaction_session_timeout = 0; SET statement_timeout = 0; SET lock_timeout = {}",
        limits::BUSY_TIMEOUT.as_millis(),
    )
}
