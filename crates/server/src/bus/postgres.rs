//! The bus at home in `PostgreSQL`: no service more than there is anyway.

use switchback_storage::{Line as Notifications, Store, limits};

use super::relay::{Carrier, Line, LineError};

/// Opens lines through the store's database.
pub(crate) struct Postgres {
    store: Store,
}

impl Postgres {
    pub(super) const fn new(store: Store) -> Self {
        Self { store }
    }
}

impl Carrier for Postgres {
    type Line = Notifications;

    async fn open(&self) -> Result<Notifications, LineError> {
        self.store.line().await?.ok_or_else(|| LineError::from("this database has no lines"))
    }
}

impl Line for Notifications {
    fn message_bytes(&self) -> usize {
        limits::NOTIFY_BYTES
    }

    async fn send(&mut self, message: String) -> Result<(), LineError> {
        Ok(Self::send(self, &message).await?)
    }

    async fn receive(&mut self) -> Result<String, LineError> {
        Ok(Self::receive(self).await?)
    }
}
