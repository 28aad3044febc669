//! The form of every answer of `/api/*`: `{"data", "total", "limit", "offset", "errors"}`.

use axum::response::Response;
use kausal_trace::TraceId;
use serde::Serialize;

use crate::error::ReadError;
use crate::http::{json_body, json_bytes, status};
use axum::http::StatusCode;

/// How an answer is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// On one line.
    Plain,
    /// Indented, for people.
    Pretty,
}

/// An answer. There is no paging: limit and offset are always zero.
#[derive(Debug, Serialize)]
pub(super) struct Envelope<T> {
    data: T,
    total: usize,
    limit: usize,
    offset: usize,
    errors: Option<Vec<Failure>>,
}

/// What went wrong, with a part of the question or with all of it.
#[derive(Debug, Serialize)]
pub(super) struct Failure {
    code: u16,
    msg: String,
    #[serde(rename = "traceID", skip_serializing_if = "String::is_empty")]
    trace_id: String,
}

impl Failure {
    /// Nothing is known of a trace. Clients compare the words.
    pub(super) fn not_found(id: TraceId) -> Self {
        let code = StatusCode::NOT_FOUND.as_u16();
        Self { code, msg: "trace not found".to_owned(), trace_id: id.to_string() }
    }
}

impl<T: Serialize> Envelope<Vec<T>> {
    /// A list, with what is missing in it.
    pub(super) fn list(data: Vec<T>, failures: Vec<Failure>) -> Self {
        let errors = (!failures.is_empty()).then_some(failures);
        Self { total: data.len(), data, limit: 0, offset: 0, errors }
    }

    /// As it goes out.
    pub(super) fn encode(&self, layout: Layout) -> Result<Vec<u8>, ReadError> {
        let bytes = match layout {
            Layout::Plain => serde_json::to_vec(self),
            Layout::Pretty => serde_json::to_vec_pretty(self),
        };
        bytes.map_err(|error| {
            tracing::error!(%error, "an answer could not be written as JSON");
            ReadError::Failed
        })
    }
}

/// An answer that is a list.
pub(super) fn list<T: Serialize>(answer: Result<Vec<T>, ReadError>) -> Response {
    match answer {
        Ok(data) => json_body(StatusCode::OK, &Envelope::list(data, Vec::new())),
        Err(error) => refusal(&error),
    }
}

/// An answer that was encoded where it was read.
pub(super) fn encoded(answer: Result<Vec<u8>, ReadError>) -> Response {
    match answer {
        Ok(bytes) => json_bytes(StatusCode::OK, bytes),
        Err(error) => refusal(&error),
    }
}

/// An error.
pub(super) fn refusal(error: &ReadError) -> Response {
    refused(status(error), &error.sentence())
}

/// An error that is none of reading.
pub(super) fn refused(status: StatusCode, message: &str) -> Response {
    let failure =
        Failure { code: status.as_u16(), msg: message.to_owned(), trace_id: String::new() };
    let errors = Some(vec![failure]);
    let envelope = Envelope { data: None::<()>, total: 0, limit: 0, offset: 0, errors };
    json_body(status, &envelope)
}
