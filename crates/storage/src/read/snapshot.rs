//! Everything a client needs to draw, of one moment, so that events go on exactly after it.

use switchback_core::UserId;

use crate::read::{people, rooms};
use crate::store::head;
use crate::{Error, SnapshotData, Store};

impl Store {
    /// What this person sees now, and where the log stands at that moment.
    pub async fn snapshot(&self, viewer: UserId) -> Result<SnapshotData, Error> {
        let mut conn = self.at_one_moment().await?;
        Ok(SnapshotData {
            seq: head(&mut conn).await?,
            me: people::active(&mut conn, viewer).await?,
            workspace: people::workspace(&mut conn).await?,
            users: people::everybody(&mut conn).await?,
            rooms: rooms::joined(&mut conn, viewer).await?,
        })
    }
}
