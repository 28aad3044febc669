//! OTLP/JSON as Jaeger's `/api/v3` answers it: ids in lower hex, 64-bit integers as strings, enums
//! as numbers, defaults left out.
//!
//! Promise: written span by span, so that no tree of a whole answer stands in memory.

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, TracesData};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::id::hex;
use super::value::attributes;

/// Traces as `{"resourceSpans": […]}`, one after another.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OtlpJson<'a> {
    #[serde(serialize_with = "resources")]
    resource_spans: &'a [TracesData],
}

impl<'a> OtlpJson<'a> {
    pub(super) fn of(traces: &'a [TracesData]) -> Self {
        Self { resource_spans: traces }
    }
}

fn resources<S: Serializer>(traces: &[TracesData], serializer: S) -> Result<S::Ok, S::Error> {
    let groups = traces.iter().flat_map(|trace| &trace.resource_spans);
    serializer.collect_seq(groups.map(|group: &ResourceSpans| ResourceJson {
        resource: resource(group.resource.as_ref()),
        scope_spans: &group.scope_spans,
        schema_url: &group.schema_url,
    }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceJson<'a> {
    resource: Value,
    #[serde(serialize_with = "scopes")]
    scope_spans: &'a [ScopeSpans],
    #[serde(skip_serializing_if = "str::is_empty")]
    schema_url: &'a str,
}

fn scopes<S: Serializer>(scopes: &[ScopeSpans], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(scopes.iter().map(|spans| ScopeJson {
        scope: scope(spans.scope.as_ref()),
        spans: &spans.spans,
        schema_url: &spans.schema_url,
    }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ScopeJson<'a> {
    scope: Value,
    #[serde(serialize_with = "spans")]
    spans: &'a [Span],
    #[serde(skip_serializing_if = "str::is_empty")]
    schema_url: &'a str,
}

fn spans<S: Serializer>(spans: &[Span], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(spans.iter().map(span))
}

/// An object that leaves defaults out.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, name: &str, value: Value) -> &mut Self {
        let is_default = match &value {
            Value::Null => true,
            Value::Number(number) => number.as_u64() == Some(0),
            Value::String(text) => text.is_empty() || text == "0",
            Value::Array(items) => items.is_empty(),
            Value::Bool(_) | Value::Object(_) => false,
        };
        if !is_default {
            self.0.insert(name.to_owned(), value);
        }
        self
    }

    fn object(&mut self) -> Value {
        Value::Object(std::mem::take(&mut self.0))
    }
}

fn resource(resource: Option<&Resource>) -> Value {
    let Some(resource) = resource else { return json!({}) };
    Fields::default()
        .put("attributes", attributes(&resource.attributes))
        .put("droppedAttributesCount", json!(resource.dropped_attributes_count))
        .object()
}

fn scope(scope: Option<&InstrumentationScope>) -> Value {
    let Some(scope) = scope else { return json!({}) };
    Fields::default()
        .put("name", json!(scope.name))
        .put("version", json!(scope.version))
        .put("attributes", attributes(&scope.attributes))
        .put("droppedAttributesCount", json!(scope.dropped_attributes_count))
        .object()
}

fn span(span: &Span) -> Value {
    Fields::default()
        .put("traceId", json!(hex(&span.trace_id)))
        .put("spanId", json!(hex(&span.span_id)))
        .put("traceState", json!(span.trace_state))
        .put("parentSpanId", json!(hex(&span.parent_span_id)))
        .put("flags", json!(span.flags))
        .put("name", json!(span.name))
        .put("kind", json!(span.kind))
        .put("startTimeUnixNano", json!(span.start_time_unix_nano.to_string()))
        .put("endTimeUnixNano", json!(span.end_time_unix_nano.to_string()))
        .put("attributes", attributes(&span.attributes))
        .put("droppedAttributesCount", json!(span.dropped_attributes_count))
        .put("events", span.events.iter().map(event).collect())
        .put("droppedEventsCount", json!(span.dropped_events_count))
        .put("links", span.links.iter().map(link).collect())
        .put("droppedLinksCount", json!(span.dropped_links_count))
        .put("status", status(span.status.as_ref()))
        .object()
}

fn event(event: &Event) -> Value {
    Fields::default()
        .put("timeUnixNano", json!(event.time_unix_nano.to_string()))
        .put("name", json!(event.name))
        .put("attributes", attributes(&event.attributes))
        .put("droppedAttributesCount", json!(event.dropped_attributes_count))
        .object()
}

fn link(link: &Link) -> Value {
    Fields::default()
        .put("traceId", json!(hex(&link.trace_id)))
        .put("spanId", json!(hex(&link.span_id)))
        .put("traceState", json!(link.trace_state))
        .put("attributes", attributes(&link.attributes))
        .put("droppedAttributesCount", json!(link.dropped_attributes_count))
        .put("flags", json!(link.flags))
        .object()
}

/// `{}` when it is there and says nothing, as Jaeger prints it.
fn status(status: Option<&Status>) -> Value {
    let Some(status) = status else { return json!({}) };
    Fields::default().put("message", json!(status.message)).put("code", json!(status.code)).object()
}
