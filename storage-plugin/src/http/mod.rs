//! The HTTP door: stories at addresses for people, JSON for `kausal --server` and scripts.
//!
//! Promise: the JSON is the reader's own types; errors are `{"error":{code,message,hint}}` with a
//! fitting status. GET only: nothing here changes anything.
//! Left free: `/api/*` beside `/api/v1/` and `/api/v3/*` are Jaeger's own paths.

mod api;
mod page;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

use crate::doors::Doors;
use crate::error::ReadError;

/// All paths of the door.
pub fn http_router(doors: Doors) -> Router {
    Router::new()
        .route("/", get(page::front))
        .route("/trace/{resource}/{name}", get(page::story))
        .route("/api/v1/story", get(api::story))
        .route("/api/v1/view", get(api::view))
        .route("/api/v1/manifest", get(api::manifest))
        .route("/api/v1/search", get(api::search))
        .route("/api/v1/clusters", get(api::clusters))
        .route("/api/v1/stats", get(api::stats))
        .route("/api/{*path}", get(api::nowhere))
        .fallback(page::nowhere)
        .with_state(doors)
}

fn status(error: &ReadError) -> StatusCode {
    match error {
        ReadError::NotFound { .. } => StatusCode::NOT_FOUND,
        ReadError::Ambiguous { .. } => StatusCode::CONFLICT,
        ReadError::Invalid { .. } => StatusCode::BAD_REQUEST,
        ReadError::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        ReadError::Abandoned | ReadError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn json<T: Serialize>(answer: Result<T, ReadError>) -> Response {
    match answer {
        Ok(answer) => json_body(StatusCode::OK, &answer),
        Err(error) => json_body(status(&error), &error.body()),
    }
}

pub(crate) fn json_body<T: Serialize>(status: StatusCode, body: &T) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => (status, [(header::CONTENT_TYPE, "application/json")], bytes).into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn text(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response()
}

fn text_error(error: &ReadError) -> Response {
    let hint = match error.hint() {
        "" => String::new(),
        hint => format!("{hint}\n"),
    };
    text(status(error), format!("{error}\n{hint}"))
}
