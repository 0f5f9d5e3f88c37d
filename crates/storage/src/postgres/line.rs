//! `LISTEN`/`NOTIFY`: short texts from node to node through the database that they share anyway.
//!
//! `NOTIFY` takes a lock of the whole server at commit, so it never happens inside a transaction
//! that writes messages, and its own commit does not wait for the disk: nothing it says needs to
//! outlive a crash. One connection both listens and notifies.

use sqlx::postgres::{PgListener, PgPoolOptions};
use sqlx::{AssertSqlSafe, raw_sql};
use switchback_core::Epoch;

use super::{Server, in_time, within};
use crate::{Error, limits};

/// A way to every other node on this database, and to oneself: what is sent is also received.
pub struct Line {
    listener: PgListener,
    channel: String,
}

impl Line {
    pub(crate) async fn open(server: &Server, epoch: Epoch) -> Result<Self, Error> {
        // `PgListener` wants a pool to reconnect from. We give a lost line up instead, because
        // whoever holds it must know that it missed something.
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(limits::POSTGRES_CONNECT)
            .after_connect(|conn, _| {
                Box::pin(async move { raw_sql(AssertSqlSafe(settings())).execute(conn).await.map(drop) })
            })
            .connect_lazy_with(server.options());
        let channel = format!("switchback.{epoch}");
        let opening = async {
            let mut listener = PgListener::connect_with(&pool).await?;
            listener.eager_reconnect(false);
            listener.ignore_pool_close_event(true);
            listener.listen(&channel).await?;
            Ok(listener)
        };
        let listener = within(limits::POSTGRES_CONNECT, opening).await?;
        Ok(Self { listener, channel })
    }

    /// Tells all nodes a text of at most `limits::NOTIFY_BYTES`.
    pub async fn send(&mut self, text: &str) -> Result<(), Error> {
        let notify = sqlx::query("SELECT pg_notify($1, $2)").bind(&self.channel).bind(text);
        in_time(notify.execute(&mut self.listener)).await?;
        Ok(())
    }

    /// The next text. After an error the line is of no more use: open another. Nothing is lost if
    /// the wait is given up.
    pub async fn receive(&mut self) -> Result<String, Error> {
        match self.listener.try_recv().await? {
            Some(notification) => Ok(notification.payload().to_owned()),
            None => Err(Error::Unavailable("the connection to the database was lost".to_owned())),
        }
    }
}

/// Whoever waits at a commit for the lock is not seen to have gone away: without a bound, every line
/// that was given up meanwhile would leave a connection behind. `statement_timeout` ends before.
fn settings() -> String {
    format!("SET synchronous_commit = off; SET lock_timeout = {}", limits::NOTIFY_LOCK.as_millis())
}
