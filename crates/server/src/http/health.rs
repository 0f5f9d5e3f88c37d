//! What machines ask about the server itself: is it alive, can it serve, how is it doing.

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::json;

use crate::app::App;

/// The type that Prometheus asks for (`OpenMetrics` 1.0).
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The routes.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/livez", get(live)).route("/readyz", get(ready)).route("/metrics", get(metrics))
}

/// The process answers. Restarting it would help nothing else.
async fn live() -> &'static str {
    "ok\n"
}

/// It can serve: the database answers, and it is not about to stop. A bus that is away is told, and
/// is no reason to send nobody here: it costs others' events a second.
async fn ready(State(app): State<App>) -> impl IntoResponse {
    let database = app.ops.ping().await.err().map(|refusal| format!("database: {refusal}"));
    let stopping = app.chat.hub().is_draining().then(|| "stopping".to_owned());
    let problems: Vec<String> = database.into_iter().chain(stopping).collect();
    let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let bus = app.ops.bus_status();
    let bus = json!({ "home": bus.home(), "connected": bus.stats().connected });
    (status, axum::Json(json!({ "ready": problems.is_empty(), "problems": problems, "bus": bus })))
}

async fn metrics(State(app): State<App>) -> impl IntoResponse {
    let bus = app.ops.bus_status();
    let text = app.metrics.render(
        &app.chat.hub().connections(),
        &app.ops.writer_stats(),
        &app.ops.index().stats(),
        (bus.home(), &bus.stats()),
    );
    ([(CONTENT_TYPE, OPEN_METRICS)], text)
}
