//! Jaeger's own HTTP paths: `/api/*` and `/api/v3/*`, for Jaeger UI and Grafana without a Jaeger.
//!
//! Promise: they ask through [`Traces`] alone; parameters and answers are Jaeger's, including what
//! its clients compare and index into; an answer holds at most 32 MiB of encoded spans
//! ([`collect`]) and says where it ends.
//! Not done, unlike by Jaeger: spans are not adjusted (clock skew, order of attributes). Those of
//! a view need none of it, and `raw` and `rawTraces` are taken and change nothing.

mod collect;
mod duration;
mod envelope;
mod id;
mod legacy;
mod otlp_json;
mod parameters;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod translation_tests;
mod ui_json;
mod v3;
mod value;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;

use crate::doors::Doors;
use crate::error::ReadError;
use crate::stop::Stop;
use crate::traces::{Operation, Traces};
pub(super) use collect::ui_trace;
pub(super) use ui_json::UiTrace;

/// Traces of one answer: the most that Jaeger's UI asks for.
const RESULTS_MAX: usize = 1_500;

/// What is asked.
type Source = State<Doors<dyn Traces>>;
/// The parameters, as they came.
type Given = Query<Vec<(String, String)>>;

/// Every path of Jaeger's below `/api/`, and 404 for the rest of it.
pub(super) fn router(doors: Doors<dyn Traces>) -> Router {
    let router = legacy::router().merge(v3::router()).route("/api/{*path}", get(nowhere));
    router.with_state(doors)
}

async fn nowhere() -> Response {
    envelope::refused(StatusCode::NOT_FOUND, "404 page not found")
}

/// The operations of a service, for both families of paths.
async fn operations_of(
    doors: &Doors<dyn Traces>,
    service: String,
    span_kind: String,
) -> Result<Vec<Operation>, ReadError> {
    let read =
        move |traces: &dyn Traces, stop: &Stop| traces.operations(&service, &span_kind, stop);
    doors.read("operations", read).await
}
