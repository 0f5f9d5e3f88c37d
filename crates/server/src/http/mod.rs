//! The edge for everything that is not live.

pub(crate) mod credential;
pub(crate) mod csrf;

use axum::Router;

use crate::app::App;

/// All routes.
pub(crate) fn router(app: App) -> Router {
    crate::chat::routes().with_state(app)
}
