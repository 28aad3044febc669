//! OTLP/JSON as Jaeger's `/api/v3/traces` answers it: ids in lower hex, 64-bit integers as
//! strings, enums as numbers, defaults left out.

use serde_json::{Map, Value, json};

use super::{AttrValue, ViewEvent, ViewSpan, groups};
use crate::attribute::{HOST_NAME, HOST_NAME_VALUE, K8S_CLUSTER_NAME, SERVICE_NAME};
use crate::id::SpanId;

const STATUS_ERROR: u8 = 2;

/// Spans as `{"resourceSpans": […]}`, whole whatever their size, in the groups of
/// [`encode`](super::encode).
pub fn to_otlp_json(spans: &[ViewSpan]) -> Value {
    let resources: Vec<Value> = groups(spans)
        .iter()
        .map(|group| {
            let attributes = [
                string_attribute(SERVICE_NAME, group.service),
                string_attribute(K8S_CLUSTER_NAME, group.cluster),
                string_attribute(HOST_NAME, HOST_NAME_VALUE),
            ];
            let spans: Vec<Value> = group.spans.iter().map(|span| span_json(span)).collect();
            json!({"resource": {"attributes": attributes}, "scopeSpans": [{"spans": spans}]})
        })
        .collect();
    json!({"resourceSpans": resources})
}

fn span_json(span: &ViewSpan) -> Value {
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| out.insert(key.to_owned(), value);
    put("traceId", json!(span.trace.to_string()));
    put("spanId", json!(span.span.to_string()));
    if let Some(parent) = span.parent {
        put("parentSpanId", json!(parent.to_string()));
    }
    put("name", json!(span.name));
    put("kind", json!(span.kind.number()));
    put("startTimeUnixNano", json!(span.start.0.to_string()));
    put("endTimeUnixNano", json!(span.end.max(span.start).0.to_string()));
    if !span.attributes.is_empty() {
        put("attributes", attributes(&span.attributes));
    }
    if !span.events.is_empty() {
        put("events", span.events.iter().map(event_json).collect());
    }
    if !span.links.is_empty() {
        let trace = span.trace.to_string();
        let link = |id: &SpanId| json!({"traceId": trace, "spanId": id.to_string()});
        put("links", span.links.iter().map(link).collect());
    }
    match span.error.as_deref() {
        Some("") => put("status", json!({"code": STATUS_ERROR})),
        Some(message) => put("status", json!({"message": message, "code": STATUS_ERROR})),
        None => None,
    };
    Value::Object(out)
}

fn event_json(event: &ViewEvent) -> Value {
    let mut out = Map::new();
    out.insert("timeUnixNano".to_owned(), json!(event.time.0.to_string()));
    if !event.name.is_empty() {
        out.insert("name".to_owned(), json!(event.name));
    }
    if !event.attributes.is_empty() {
        out.insert("attributes".to_owned(), attributes(&event.attributes));
    }
    Value::Object(out)
}

fn attributes(pairs: &[(String, AttrValue)]) -> Value {
    pairs.iter().map(|(key, value)| json!({"key": key, "value": value_json(value)})).collect()
}

fn string_attribute(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn value_json(value: &AttrValue) -> Value {
    match value {
        AttrValue::Str(text) => json!({"stringValue": text}),
        AttrValue::Int(value) => json!({"intValue": value.to_string()}),
        AttrValue::Bool(value) => json!({"boolValue": value}),
        AttrValue::Strs(values) => {
            let values: Vec<Value> = values.iter().map(|v| json!({"stringValue": v})).collect();
            json!({"arrayValue": {"values": values}})
        }
    }
}
