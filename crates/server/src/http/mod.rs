//! The edge for everything that is not live: REST for programs, pages for people, files for
//! browsers, figures for machines.
//!
//! A handler takes a request apart, runs one operation of `ops`, and writes down the answer. What
//! is the same for all of them is in `layers`; `credential` and `csrf` are shared with `/chat`,
//! which is mounted beside the rest because it must not be timed or compressed.

mod assets;
mod caller;
mod cookies;
pub(crate) mod credential;
pub(crate) mod csrf;
mod decode;
mod health;
mod layers;
mod openapi;
mod pages;
pub(crate) mod problem;
mod rest;
mod user_agent;
mod visitor;

pub(crate) use layers::{keep_careful, names_its_host, one_host};
pub(crate) use visitor::is_https;

#[cfg(test)]
mod tests;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Response;

use crate::app::App;
use crate::chat;

/// All routes, ready to answer.
pub(crate) fn router(app: App) -> Router {
    layered(routes(), app)
}

/// Everything but `/chat`. Made once by whoever needs it often: it writes its own description.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .merge(rest::routes())
        .merge(pages::routes())
        .merge(assets::routes())
        .merge(health::routes())
        .fallback(layers::nowhere)
        .method_not_allowed_fallback(layers::wrong_method)
}

/// With `/chat` and the layers, of which the first sees a request first.
pub(crate) fn layered(routes: Router<App>, app: App) -> Router {
    let but_chat =
        (from_fn(layers::in_time), from_fn_with_state(app.clone(), layers::own_site), layers::compression());
    let every = from_fn_with_state(app.clone(), layers::every);
    routes.layer(but_chat).merge(chat::routes()).layer(every).with_state(app)
}

/// Answers a request for `/chat` as its route does, without a look for it: of all that a post needs, routing
/// was a tenth.
pub(crate) async fn for_chat(app: App, request: Request) -> Response {
    layers::around(&app, chat::PATH, request, |request| chat::enter(State(app.clone()), request)).await
}

/// Reads the embedded files, so that the first page does not wait for it.
pub(crate) fn warm_up() {
    assets::assets();
}
