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

/// It can serve: the database answers.
async fn ready(State(app): State<App>) -> impl IntoResponse {
    match app.ops.ping().await {
        Ok(()) => (StatusCode::OK, axum::Json(json!({ "ready": true, "problems": [] }))),
        Err(refusal) => {
            let problem = format!("database: {refusal}");
            (StatusCode::SERVICE_UNAVAILABLE, axum::Json(json!({ "ready": false, "problems": [problem] })))
        }
    }
}

async fn metrics(State(app): State<App>) -> impl IntoResponse {
    let text = app.metrics.render(&app.chat.hub().connections(), &app.ops.writer_stats());
    ([(CONTENT_TYPE, OPEN_METRICS)], text)
}
