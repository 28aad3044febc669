//! `/api/*`: what Jaeger UI up to 2.18 and Grafana's data source ask, and newer UIs for traces.
//!
//! Promise: an unknown trace is 404 with an envelope, never an empty 200: older data sources of
//! Grafana index into what they get.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use kausal_trace::TraceId;
use opentelemetry_proto::tonic::trace::v1::TracesData;
use serde_json::{Value, json};

use super::collect::{ANSWER_BYTES_MAX, Collected, collect};
use super::envelope::{Envelope, Failure, Layout, encoded, list, refusal, refused};
use super::id::trace_id;
use super::parameters::{Parameters, missing};
use super::ui_json::{UiTrace, ui_traces};
use super::{Given, RESULTS_MAX, Source, operations_of};
use crate::doors::Doors;
use crate::error::ReadError;
use crate::http::api::now;
use crate::stop::Stop;
use crate::traces::{Operation, Traces};

/// Largest file that is translated: more spans than Jaeger's UI can draw.
const UPLOAD_BYTES_MAX: usize = 16 << 20;

pub(super) fn router() -> Router<Doors<dyn Traces>> {
    Router::new()
        .route("/api/services", get(services))
        .route("/api/services/{service}/operations", get(operation_names))
        .route("/api/operations", get(operations))
        .route("/api/traces", get(search))
        .route("/api/traces/{id}", get(trace))
        .route("/api/archive/{id}", post(archive))
        .route("/api/dependencies", get(dependencies))
        .route("/api/transform", post(transform))
        .route("/api/metrics/{*path}", get(metrics))
        .route("/api/quality-metrics", get(quality_metrics))
        .route("/api/deep-dependencies", get(deep_dependencies))
        .layer(DefaultBodyLimit::max(UPLOAD_BYTES_MAX))
}

async fn services(State(doors): Source) -> Response {
    list(doors.read("services", <dyn Traces>::services).await)
}

async fn operation_names(State(doors): Source, Path(service): Path<String>) -> Response {
    let operations = operations_of(&doors, service, String::new()).await;
    list(operations.map(|operations| {
        let mut names: Vec<_> = operations.into_iter().map(|operation| operation.name).collect();
        names.sort();
        names.dedup();
        names
    }))
}

async fn operations(State(doors): Source, Query(given): Given) -> Response {
    let given = Parameters(given);
    let Some(service) = given.text(&["service"]) else { return refusal(&missing("service")) };
    let kind = given.text(&["spanKind"]).unwrap_or_default();
    let operations = operations_of(&doors, service.to_owned(), kind.to_owned()).await;
    let as_json = |found: Operation| json!({"name": found.name, "spanKind": found.span_kind});
    list(operations.map(|operations| operations.into_iter().map(as_json).collect()))
}

/// A search, or traces by `traceID`.
async fn search(State(doors): Source, Query(given): Given) -> Response {
    let given = Parameters(given);
    let layout = layout(&given);
    let ids: Result<Vec<_>, _> = given.all("traceID").map(trace_id).collect();
    match ids {
        Err(error) => refusal(&error),
        Ok(ids) if ids.len() > RESULTS_MAX => refusal(&ReadError::invalid(
            format!("{} traces are asked for", ids.len()),
            format!("at most {RESULTS_MAX} can be"),
        )),
        Ok(ids) if !ids.is_empty() => encoded(
            doors.read("traces", move |traces, stop| by_ids(traces, &ids, layout, stop)).await,
        ),
        Ok(_) => match given.legacy_search(now()) {
            Ok(query) => encoded(
                doors
                    .read("find", move |traces, stop| {
                        let found = traces.find(&query, stop)?;
                        let ids: Vec<_> = found.iter().map(|found| found.id).collect();
                        let collected = collect(traces, &ids, ANSWER_BYTES_MAX, stop)?;
                        // What expired since it was found is no error of the search.
                        Envelope::list(translated(collected.traces), Vec::new()).encode(layout)
                    })
                    .await,
            ),
            Err(error) => refusal(&error),
        },
    }
}

fn by_ids(
    traces: &dyn Traces,
    ids: &[TraceId],
    layout: Layout,
    stop: &Stop,
) -> Result<Vec<u8>, ReadError> {
    let Collected { traces, missing } = collect(traces, ids, ANSWER_BYTES_MAX, stop)?;
    let failures = missing.into_iter().map(Failure::not_found).collect();
    Envelope::list(translated(traces), failures).encode(layout)
}

async fn trace(State(doors): Source, Path(id): Path<String>, Query(given): Given) -> Response {
    let given = Parameters(given);
    let layout = layout(&given);
    let id = match trace_id(&id).and_then(|id| given.check_hints().map(|()| id)) {
        Ok(id) => id,
        Err(error) => return refusal(&error),
    };
    let read = doors.read("trace", move |traces, stop| {
        let collected = collect(traces, &[id], ANSWER_BYTES_MAX, stop)?;
        let found = translated(collected.traces);
        if found.is_empty() {
            return Err(ReadError::not_found("trace not found", ""));
        }
        Envelope::list(found, Vec::new()).encode(layout)
    });
    encoded(read.await)
}

fn translated(traces: Vec<TracesData>) -> Vec<UiTrace> {
    traces.into_iter().flat_map(ui_traces).collect()
}

fn layout(given: &Parameters) -> Layout {
    if given.is_set("prettyPrint") { Layout::Pretty } else { Layout::Plain }
}

async fn archive() -> Response {
    let message = "there is no archive: what is stored is kept for the retention of the store";
    refused(StatusCode::NOT_IMPLEMENTED, message)
}

async fn dependencies(State(doors): Source, Query(given): Given) -> Response {
    let given = Parameters(given);
    let (from, to) = match given.dependencies(now()) {
        Ok(range) => range,
        Err(error) => return refusal(&error),
    };
    let service = given.text(&["service"]).map(str::to_owned);
    let read =
        move |traces: &dyn Traces, stop: &Stop| traces.dependencies(Some(from), Some(to), stop);
    let found = doors.read("dependencies", read).await;
    list(found.map(|found| {
        let mut arrows: BTreeMap<(String, String), u64> = BTreeMap::new();
        for arrow in found {
            *arrows.entry((arrow.parent, arrow.child)).or_default() += arrow.calls;
        }
        if let Some(service) = service {
            arrows.retain(|(parent, child), _| *parent == service || *child == service);
        }
        let as_json = |((parent, child), calls)| {
            json!({"parent": parent, "child": child, "callCount": calls})
        };
        arrows.into_iter().map(as_json).collect::<Vec<Value>>()
    }))
}

/// A file of OTLP/JSON, as somebody drops it on Jaeger's search page.
async fn transform(State(doors): Source, file: Bytes) -> Response {
    let read = doors.read("transform", move |_, _| {
        let data: TracesData = serde_json::from_slice(&file).map_err(|error| {
            // Where it stands, not what: the file may hold anything.
            let at = format!("line {}, column {}", error.line(), error.column());
            ReadError::invalid(format!("this is no OTLP/JSON of traces: {at}"), "")
        })?;
        Envelope::list(ui_traces(data), Vec::new()).encode(Layout::Plain)
    });
    encoded(read.await)
}

async fn metrics() -> Response {
    refused(StatusCode::NOT_IMPLEMENTED, "there is no store of metrics behind this server")
}

/// Nothing measures the quality of traces here; the page says so by being empty.
async fn quality_metrics() -> Json<Value> {
    Json(json!({"traceQualityDocumentationLink": "", "scores": [], "metrics": []}))
}

/// There are no paths of calls here, only the arrows of `/api/dependencies`.
async fn deep_dependencies() -> Json<Value> {
    Json(json!({"dependencies": []}))
}
