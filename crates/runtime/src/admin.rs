//! The admin door: probes and metrics.

use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::readiness::Readiness;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `/healthz` (the process answers), `/readyz` (nothing is left to wait for, else 503 and what),
/// `/metrics` (`OpenMetrics` text).
pub fn router(readiness: Readiness, metrics: Arc<Registry>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(move || std::future::ready(ready(&readiness))))
        .route("/metrics", get(move || std::future::ready(scrape(&metrics))))
}

fn ready(readiness: &Readiness) -> Response {
    let waiting = readiness.waiting();
    if waiting.is_empty() {
        return "ok\n".into_response();
    }
    let text = format!("waiting for: {}\n", waiting.join(", "));
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

fn scrape(metrics: &Registry) -> Response {
    let mut text = String::new();
    match encode(&mut text, metrics) {
        Ok(()) => ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
