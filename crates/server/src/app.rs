//! What every request handler gets: the operations, the settings, the counters.

use std::sync::Arc;

use crate::Config;
use crate::chat::Chat;
use crate::metrics::Metrics;
use crate::ops::Ops;

/// Shared by all handlers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App {
    /// What somebody can do.
    pub(crate) ops: Ops,
    /// Live connections.
    pub(crate) chat: Chat,
    /// What the operator chose.
    pub(crate) config: Arc<Config>,
    /// What `/metrics` shows.
    pub(crate) metrics: Arc<Metrics>,
}
