//! The HTTP door: stories at addresses for people, JSON for `kausal --server` and scripts.
//!
//! Promise: the JSON is the reader's own types; errors are `{"error":{code,message,hint}}` with a
//! fitting status. Nothing here changes anything.
//! Jaeger's own paths, `/api/*` beside `/api/v1/`, are in [`jaeger`] and have Jaeger's forms.

mod api;
mod jaeger;
mod page;
#[cfg(test)]
mod tests;
mod ui;
mod visit;

use axum::Router;
use axum::extract::FromRef;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;

use crate::doors::Doors;
use crate::error::ReadError;
use crate::traces::Traces;
pub use ui::{Pages, UiConfig, UiConfigError};

/// Answers shorter than this are sent as they are: they fit into one packet.
const COMPRESSED_BYTES_MIN: u64 = 1_024;

/// What the paths over views work with.
#[derive(Clone)]
struct Served {
    doors: Doors,
    pages: Pages,
}

impl FromRef<Served> for Doors {
    fn from_ref(served: &Served) -> Self {
        served.doors.clone()
    }
}

impl FromRef<Served> for Pages {
    fn from_ref(served: &Served) -> Self {
        served.pages.clone()
    }
}

/// All paths of the door, over views.
pub fn http_router(doors: Doors, pages: Pages) -> Router {
    let jaeger = jaeger_paths(&doors.traces(), &pages);
    let own = Router::new()
        .route("/", get(page::front))
        .route("/trace/{resource}/{name}", get(page::story))
        .route("/redirect", get(visit::redirect))
        .route("/extensions/api/v1/trace", get(visit::extension))
        .route("/api/v1/story", get(api::story))
        .route("/api/v1/view", get(api::view))
        .route("/api/v1/manifest", get(api::manifest))
        .route("/api/v1/diff", get(api::diff))
        .route("/api/v1/search", get(api::search))
        .route("/api/v1/clusters", get(api::clusters))
        .route("/api/v1/stats", get(api::stats))
        .route("/api/v1/{*path}", get(api::nowhere))
        .fallback(page::nowhere)
        .with_state(Served { doors, pages });
    compressed(own.merge(jaeger))
}

/// Jaeger's paths and its UI alone, over whatever answers.
pub fn jaeger_router(doors: &Doors<dyn Traces>, pages: &Pages) -> Router {
    compressed(jaeger_paths(doors, pages))
}

/// Jaeger's paths, at the root and below the UI's own prefix.
fn jaeger_paths(doors: &Doors<dyn Traces>, pages: &Pages) -> Router {
    let below = pages.router(jaeger::router(doors.clone()));
    jaeger::router(doors.clone()).merge(below)
}

/// Compresses answers for who accepts it, gzip or zstd, piece by piece: nothing is held for it.
fn compressed(router: Router) -> Router {
    router.layer(CompressionLayer::new().compress_when(SizeAbove::new(COMPRESSED_BYTES_MIN)))
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
        Ok(bytes) => json_bytes(status, bytes),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn json_bytes(status: StatusCode, bytes: Vec<u8>) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], bytes).into_response()
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
