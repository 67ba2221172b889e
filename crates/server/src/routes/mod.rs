//! One file a resource.

mod chat;
mod files;
pub(crate) mod page;
mod plan;
mod status;

use crate::error::ApiError;
use crate::guard::guard;
use crate::state::App;
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post, put};
use std::sync::Arc;

/// The id in a path. What is no text is the id of nothing.
pub(crate) struct Id(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let id = Path::<String>::from_request_parts(parts, state).await;
        id.map(|Path(id)| Self(id)).map_err(|_| ApiError::not_found("there is no such id").code("not_found"))
    }
}

/// Every path of the server.
pub(crate) fn router(app: Arc<App>) -> Router {
    let page = page::FILES.into_iter().fold(Router::new(), |router, (path, kind, text)| {
        router.route(path, get(async move || page::file(kind, text)))
    });
    page.route("/v1/chat/completions", post(chat::complete))
        .route("/v1/models", get(status::models))
        .route("/v1/models/{*id}", get(status::model))
        .route("/v1/plan", post(plan::plan))
        .route("/v1/files", get(files::list).post(files::create))
        .route("/v1/files/{id}", get(files::show).delete(files::delete))
        .route("/v1/files/{id}/content", get(files::content))
        .route("/v1/uploads", post(files::begin))
        .route("/v1/uploads/{id}", put(files::append).get(files::progress).delete(files::cancel))
        .route("/v1/uploads/{id}/complete", post(files::complete))
        .route("/v1/uploads/{id}/cancel", post(files::cancel))
        .route("/healthz", get(status::healthy))
        .route("/readyz", get(status::ready))
        .route("/metrics", get(status::metrics))
        .fallback(async || ApiError::not_found("there is no such path; see /openapi.json"))
        .method_not_allowed_fallback(async || {
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "not this method; see /openapi.json")
        })
        // Bodies are read under limits of our own (`body.rs`), which answer in OpenAI's shape.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(Arc::clone(&app), guard))
        .with_state(app)
}
