//! Models, health, metrics.

use super::Id;
use crate::error::{ApiError, ApiResult};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde_json::{Value, json};
use std::sync::Arc;

fn model_json(app: &App) -> Value {
    let info = app.model.info();
    json!({
        "id": app.settings.model_name,
        "object": "model",
        "created": app.started_unix_secs,
        "owned_by": "longsight",
        "longsight": {
            "family": info.config.family.name(),
            "built_in": app.settings.model_name == "tiny",
            "visual_window_tokens":
                app.settings.run.context.visual_window_tokens.unwrap_or(info.config.visual_window_tokens),
            "language_window_tokens": info.config.decoder.max_positions,
            "dtype": info.dtypes.to_string(),
        },
    })
}

pub(crate) async fn models(State(app): State<Arc<App>>) -> Json<Value> {
    Json(json!({ "object": "list", "data": [model_json(&app)] }))
}

pub(crate) async fn model(State(app): State<Arc<App>>, Id(id): Id) -> ApiResult<Json<Value>> {
    if id == app.settings.model_name {
        return Ok(Json(model_json(&app)));
    }
    Err(ApiError::not_found("there is no such model").param("model").code("model_not_found"))
}

pub(crate) async fn healthy() -> &'static str {
    "ok\n"
}

/// Not ready while it shuts down: no question is taken then.
pub(crate) async fn ready(State(app): State<Arc<App>>) -> (StatusCode, &'static str) {
    if app.queue.is_closed() {
        (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n")
    } else {
        (StatusCode::OK, "ready\n")
    }
}

pub(crate) async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (headers, app.metrics.text(app.queue.load()))
}
