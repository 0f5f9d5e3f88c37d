//! REST under `/api/v1`: everything that is not live.
//!
//! A handler takes the request apart, runs one operation and writes down its answer; it decides
//! nothing. Each is described where it stands, and the description is served as `openapi.json`.

mod invitations;
mod messages;
mod people;
mod rooms;
mod search;
mod session;
mod snapshot;
mod tokens;

use axum::Router;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

use super::openapi;
use crate::app::App;

/// Where all of it is.
const PREFIX: &str = "/api/v1";

/// All routes. What describes them is made anyway and dropped at once, one by one: all of it together
/// would leave 2 MB of holes in a server that may never be asked for it.
pub(super) fn routes() -> Router<App> {
    let mut router = Router::new();
    each(|(_, paths, methods)| {
        for path in paths.paths.keys() {
            router = std::mem::take(&mut router).route(&format!("{PREFIX}{path}"), methods.clone());
        }
    });
    router
}

/// Their description.
pub(super) fn description() -> OpenApi {
    let mut below = OpenApiRouter::new();
    each(|route| below = std::mem::take(&mut below).routes(route));
    OpenApiRouter::with_openapi(openapi::frame()).nest(PREFIX, below).into_openapi()
}

fn each(mut found: impl FnMut(UtoipaMethodRouter<App>)) {
    found(routes!(session::set_up));
    found(routes!(session::join));
    found(routes!(session::sign_in, session::current, session::sign_out));
    found(routes!(session::list));
    found(routes!(session::end));
    found(routes!(snapshot::snapshot));
    found(routes!(snapshot::update_workspace));
    found(routes!(rooms::list, rooms::create));
    found(routes!(rooms::get, rooms::update));
    found(routes!(rooms::members));
    found(routes!(rooms::add_member, rooms::remove_member));
    found(routes!(rooms::open_direct));
    found(routes!(messages::history));
    found(routes!(messages::get));
    found(routes!(search::search));
    found(routes!(people::list));
    found(routes!(people::get, people::update));
    found(routes!(people::change_password));
    found(routes!(invitations::list, invitations::create));
    found(routes!(invitations::revoke));
    found(routes!(tokens::list, tokens::create));
    found(routes!(tokens::end));
    found(routes!(openapi::document));
}
