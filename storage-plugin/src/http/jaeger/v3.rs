//! `/api/v3/*`: what Jaeger UI asks since 2.15, and Grafana behind a switch.
//!
//! Promise: errors are `{"error":{"httpCode","message"}}`; `services` and `operations` are there
//! even when empty, everything else leaves defaults out.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use axum::routing::get;
use kausal_trace::TraceId;
use serde::Serialize;
use serde_json::{Value, json};

use super::collect::{ANSWER_BYTES_MAX, collect};
use super::id::trace_id;
use super::otlp_json::OtlpJson;
use super::parameters::{Parameters, missing};
use super::{Given, Source, operations_of};
use crate::doors::Doors;
use crate::error::ReadError;
use crate::http::{json_body, json_bytes, status};
use crate::stop::Stop;
use crate::traces::{Dependency, Operation, ServiceCount, TraceSummary, Traces};

pub(super) fn router() -> Router<Doors<dyn Traces>> {
    Router::new()
        .route("/api/v3/services", get(services))
        .route("/api/v3/operations", get(operations))
        .route("/api/v3/traces", get(search))
        .route("/api/v3/traces/{id}", get(trace))
        .route("/api/v3/trace-summaries", get(summaries))
        .route("/api/v3/dependencies", get(dependencies))
        .route("/api/v3/{*path}", get(nowhere))
}

async fn services(State(doors): Source) -> Response {
    let services = doors.read("services", <dyn Traces>::services).await;
    answer(services.map(|services| json!({"services": services})))
}

async fn operations(State(doors): Source, Query(given): Given) -> Response {
    let given = Parameters(given);
    let Some(service) = given.text(&["service"]).map(str::to_owned) else {
        return refusal(&missing("service"));
    };
    let kind = given.text(&["spanKind", "span_kind"]).unwrap_or_default().to_owned();
    let found = operations_of(&doors, service, kind).await;
    answer(
        found.map(|found| json!({"operations": found.iter().map(operation).collect::<Vec<_>>()})),
    )
}

/// Jaeger's gateway calls a kind that is not known `internal`.
fn operation(found: &Operation) -> Value {
    let kind = if found.span_kind.is_empty() { "internal" } else { &found.span_kind };
    json!({"name": found.name, "spanKind": kind})
}

async fn search(State(doors): Source, Query(given): Given) -> Response {
    let query = match Parameters(given).v3_search() {
        Ok(query) => query,
        Err(error) => return refusal(&error),
    };
    let read = doors.read("find", move |traces, stop| {
        let found = traces.find(&query, stop)?;
        let ids: Vec<_> = found.iter().map(|found| found.id).collect();
        spans_of(traces, &ids, "No traces found", stop)
    });
    encoded(read.await)
}

async fn trace(State(doors): Source, Path(id): Path<String>, Query(given): Given) -> Response {
    let given = Parameters(given);
    // Hints about the time, which an id of ours needs none of.
    let hints = given
        .instant(&["startTime", "start_time"])
        .and_then(|_| given.instant(&["endTime", "end_time"]));
    let id = match hints.and_then(|_| trace_id(&id)) {
        Ok(id) => id,
        Err(error) => return refusal(&error),
    };
    let read =
        doors.read("trace", move |traces, stop| spans_of(traces, &[id], "trace not found", stop));
    encoded(read.await)
}

#[derive(Serialize)]
struct Found<'a> {
    result: OtlpJson<'a>,
}

/// The spans of these traces, encoded; `none` is the error when there are none.
fn spans_of(
    traces: &dyn Traces,
    ids: &[TraceId],
    none: &str,
    stop: &Stop,
) -> Result<Vec<u8>, ReadError> {
    let collected = collect(traces, ids, ANSWER_BYTES_MAX, stop)?;
    if collected.traces.is_empty() {
        return Err(ReadError::not_found(none, ""));
    }
    serde_json::to_vec(&Found { result: OtlpJson::of(&collected.traces) }).map_err(|error| {
        tracing::error!(%error, "an answer could not be written as JSON");
        ReadError::Failed
    })
}

async fn summaries(State(doors): Source, Query(given): Given) -> Response {
    let query = match Parameters(given).v3_search() {
        Ok(query) => query,
        Err(error) => return refusal(&error),
    };
    let found = doors.read("summaries", move |traces, stop| traces.summaries(&query, stop)).await;
    answer(found.map(|found| {
        if found.is_empty() {
            return json!({});
        }
        json!({"summaries": found.iter().map(Summary::of).collect::<Vec<_>>()})
    }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    trace_id: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    root_service_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    root_operation_name: &'a str,
    min_start_time_unix_nano: String,
    max_end_time_unix_nano: String,
    #[serde(skip_serializing_if = "is_zero")]
    span_count: usize,
    #[serde(skip_serializing_if = "is_zero")]
    error_span_count: usize,
    #[serde(skip_serializing_if = "is_zero")]
    orphan_span_count: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    services: Vec<OfService<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OfService<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    span_count: usize,
    #[serde(skip_serializing_if = "is_zero")]
    error_span_count: usize,
}

impl<'a> Summary<'a> {
    fn of(summary: &'a TraceSummary) -> Self {
        let count = |count: &'a ServiceCount| OfService {
            name: &count.name,
            span_count: count.spans,
            error_span_count: count.errors,
        };
        Self {
            trace_id: summary.id.to_string(),
            root_service_name: &summary.root_service,
            root_operation_name: &summary.root_operation,
            min_start_time_unix_nano: summary.start.0.to_string(),
            max_end_time_unix_nano: summary.end.0.to_string(),
            span_count: summary.spans,
            error_span_count: summary.errors,
            orphan_span_count: summary.orphans,
            services: summary.services.iter().map(count).collect(),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

async fn dependencies(State(doors): Source, Query(given): Given) -> Response {
    let given = Parameters(given);
    let times = given
        .instant(&["startTime", "start_time"])
        .and_then(|from| Ok((from, given.instant(&["endTime", "end_time"])?)));
    let (from, to) = match times {
        Ok(times) => times,
        Err(error) => return refusal(&error),
    };
    let read = move |traces: &dyn Traces, stop: &Stop| traces.dependencies(from, to, stop);
    let found = doors.read("dependencies", read).await;
    let as_json = |arrow: Dependency| {
        let calls = arrow.calls.to_string();
        json!({"parent": arrow.parent, "child": arrow.child, "callCount": calls})
    };
    answer(
        found.map(
            |found| json!({"dependencies": found.into_iter().map(as_json).collect::<Vec<_>>()}),
        ),
    )
}

async fn nowhere(uri: Uri) -> Response {
    refusal(&ReadError::not_found(format!("nothing is at {}", uri.path()), ""))
}

fn answer(answer: Result<Value, ReadError>) -> Response {
    match answer {
        Ok(body) => json_body(StatusCode::OK, &body),
        Err(error) => refusal(&error),
    }
}

fn encoded(answer: Result<Vec<u8>, ReadError>) -> Response {
    match answer {
        Ok(bytes) => json_bytes(StatusCode::OK, bytes),
        Err(error) => refusal(&error),
    }
}

fn refusal(error: &ReadError) -> Response {
    let status = status(error);
    let error = json!({"httpCode": status.as_u16(), "message": error.sentence()});
    json_body(status, &json!({"error": error}))
}
