//! REST under `/api/v1`: everything that is not live.
//!
//! A handler takes the request apart, runs one operation and writes down its answer; it decides
//! nothing. Each is described where it stands, and the description is served as `openapi.json`.

mod invitations;
mod messages;
mod people;
mod rooms;
mod session;
mod snapshot;
mod tokens;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::openapi;
use crate::app::App;

/// All routes and their description.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::frame()).nest("/api/v1", below())
}

fn below() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(session::set_up))
        .routes(routes!(session::join))
        .routes(routes!(session::sign_in, session::current, session::sign_out))
        .routes(routes!(session::list))
        .routes(routes!(session::end))
        .routes(routes!(snapshot::snapshot))
        .routes(routes!(snapshot::update_workspace))
        .routes(routes!(rooms::list, rooms::create))
        .routes(routes!(rooms::get, rooms::update))
        .routes(routes!(rooms::members))
        .routes(routes!(rooms::add_member, rooms::remove_member))
        .routes(routes!(rooms::open_direct))
        .routes(routes!(messages::history))
        .routes(routes!(messages::get))
        .routes(routes!(people::list))
        .routes(routes!(people::get, people::update))
        .routes(routes!(people::change_password))
        .routes(routes!(invitations::list, invitations::create))
        .routes(routes!(invitations::revoke))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::end))
        .routes(routes!(openapi::document))
}
