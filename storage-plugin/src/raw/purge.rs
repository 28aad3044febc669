//! `POST /purge`: forgets every raw span. For conformance runs; whoever mounts it sees to it that
//! only this machine can ask.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use kausal_store::raw::RawStore;
use tokio::task::spawn_blocking;

/// Named as Jaeger's own storage cleaner names it.
pub fn purge_router(store: Arc<RawStore>) -> Router {
    Router::new().route("/purge", post(move || purge(store.clone())))
}

async fn purge(store: Arc<RawStore>) -> Response {
    let failed = |error: String| (StatusCode::INTERNAL_SERVER_ERROR, error).into_response();
    match spawn_blocking(move || store.purge()).await {
        Ok(Ok(())) => {
            tracing::warn!("all raw spans were purged, as somebody asked by POST /purge");
            "purged\n".into_response()
        }
        Ok(Err(error)) => failed(format!("{error}\n")),
        Err(error) => failed(format!("{error}\n")),
    }
}
