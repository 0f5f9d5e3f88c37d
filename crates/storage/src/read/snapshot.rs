//! Everything a client needs to draw, of one moment, so that events go on exactly after it.

use switchback_core::UserId;

use crate::db::Conn;
use crate::read::{people, rooms};
use crate::store::head;
use crate::{Error, SnapshotData, Store};

impl Store {
    /// What this person sees now, and where the log stands at that moment.
    pub async fn snapshot(&self, viewer: UserId) -> Result<SnapshotData, Error> {
        self.at_one_moment(move |conn| Box::pin(snapshot(conn, viewer))).await
    }
}

async fn snapshot(conn: &mut Conn, viewer: UserId) -> Result<SnapshotData, Error> {
    Ok(SnapshotData {
        seq: head(conn).await?,
        me: people::active(conn, viewer).await?,
        workspace: people::workspace(conn).await?,
        users: people::everybody(conn).await?,
        rooms: rooms::joined(conn, viewer).await?,
    })
}
