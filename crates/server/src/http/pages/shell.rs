//! The chat's page: nothing in it depends on who asks, the client draws the rest.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode, Uri};

use super::super::assets::assets;
use super::super::caller::known;
use super::sign_in::local;
use super::{page, refused};
use crate::app::App;
use crate::ops::Refusal;

#[derive(Template)]
#[template(path = "shell.html")]
struct Shell<'p> {
    assets: &'p str,
    workspace: &'p str,
    style: &'p str,
    modules: &'p [String],
}

/// The shell for whoever is signed in, the sign-in page for others.
pub(super) async fn shell(State(app): State<App>, headers: HeaderMap, uri: Uri) -> Response {
    draw(&app, &headers, uri.path()).await.unwrap_or_else(|refusal| refused(&refusal))
}

async fn draw(app: &App, headers: &HeaderMap, path: &str) -> Result<Response, Refusal> {
    if known(&app.ops, headers).await?.is_none() {
        let target = match local(path) {
            Some(next) => format!("/sign-in?next={next}"),
            None => "/sign-in".to_owned(),
        };
        return Ok(Redirect::to(&target).into_response());
    }
    let (workspace, assets) = (app.ops.workspace().await?.name, assets());
    let shell = Shell {
        assets: &assets.prefix,
        workspace: &workspace,
        style: assets.style,
        modules: &assets.modules,
    };
    Ok(page(StatusCode::OK, &shell))
}
