//! OTLP spans in the JSON of Jaeger's own model, which its trace page and Grafana read.
//!
//! Promise: what Jaeger's own translation makes of the same spans, field by field; any spans have
//! a translation, with ids of any length, several spans of one id, and values of every type.
//! Not kept, as in Jaeger: attributes of links and scopes, and anything finer than a microsecond.

use std::collections::{BTreeMap, HashMap};

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{Span, Status, TracesData};
use serde::Serialize;

use super::id::{hex, short_hex};
use super::value::plain;
use kausal_trace::attribute::{JAEGER_WARNINGS, SERVICE_NAME};

/// What Jaeger calls the service of a resource that says nothing.
const NO_SERVICE: &str = "OTLPResourceNoServiceName";
/// Integers beyond this lose digits in a browser.
const SAFE_INTEGER_MAX: u64 = (1 << 53) - 1;
/// The attribute by which a link says that it is a parent.
const REFERENCE_TYPE: &str = "opentracing.ref_type";
/// Names of OTLP's span kinds, by number.
const KINDS: [&str; 6] = ["", "internal", "server", "client", "producer", "consumer"];
/// Names of OTLP's status codes, by number.
const CODES: [&str; 3] = ["", "OK", "ERROR"];

/// A trace.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UiTrace {
    #[serde(rename = "traceID")]
    trace_id: String,
    spans: Vec<UiSpan>,
    processes: BTreeMap<String, Process>,
    /// Always null: Jaeger shows what stands at spans.
    warnings: Option<Vec<String>>,
}

impl UiTrace {
    /// Keeps the logs that have a field of this name.
    pub(crate) fn keep_logs(&mut self, field: &str) {
        for span in &mut self.spans {
            span.logs.retain(|log| log.fields.iter().any(|tag| tag.key == field));
        }
    }
}

/// A span.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct UiSpan {
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
    operation_name: String,
    references: Vec<Reference>,
    /// Microseconds since 1970.
    start_time: u64,
    /// Microseconds.
    duration: u64,
    tags: Vec<Tag>,
    logs: Vec<Log>,
    #[serde(rename = "processID")]
    process_id: String,
    warnings: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    ref_type: &'static str,
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
}

/// Something that happened at a time.
#[derive(Debug, Serialize)]
struct Log {
    /// Microseconds since 1970.
    timestamp: u64,
    fields: Vec<Tag>,
}

/// Who emitted spans.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Process {
    service_name: String,
    tags: Vec<Tag>,
}

/// A key and its value.
#[derive(Clone, Debug, Serialize)]
struct Tag {
    key: String,
    #[serde(rename = "type")]
    kind: &'static str,
    value: TagValue,
}

#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum TagValue {
    Text(String),
    Bool(bool),
    Int(i64),
    Float(f64),
}

/// The traces that these spans belong to, in the order in which they begin.
pub(crate) fn ui_traces(data: TracesData) -> Vec<UiTrace> {
    let mut traces = Traces::default();
    for group in data.resource_spans {
        let process = NamedProcess::of(group.resource.unwrap_or_default());
        for scope_spans in group.scope_spans {
            let scope = scope_tags(&scope_spans.scope.unwrap_or_default());
            for span in scope_spans.spans {
                traces.add(span, &scope, &process);
            }
        }
    }
    traces.found.into_iter().map(|building| building.trace).collect()
}

#[derive(Default)]
struct Traces {
    found: Vec<Building>,
    /// Where a trace stands, by the bytes of its id.
    at: HashMap<Vec<u8>, usize>,
}

/// A trace with what is needed to add to it.
struct Building {
    trace: UiTrace,
    /// Ids of processes by what tells them apart.
    process_ids: HashMap<String, String>,
}

/// A process and the text that tells it from others.
struct NamedProcess {
    process: Process,
    text: String,
}

impl Traces {
    fn add(&mut self, span: Span, scope: &[Tag], process: &NamedProcess) {
        let at = *self.at.entry(span.trace_id.clone()).or_insert(self.found.len());
        if at == self.found.len() {
            self.found.push(Building::new(short_hex(&span.trace_id)));
        }
        if let Some(building) = self.found.get_mut(at) {
            let process_id = building.process_id(process);
            building.trace.spans.push(ui_span(span, scope, process_id));
        }
    }
}

impl Building {
    fn new(trace_id: String) -> Self {
        let (spans, processes) = (Vec::new(), BTreeMap::new());
        let trace = UiTrace { trace_id, spans, processes, warnings: None };
        Self { trace, process_ids: HashMap::new() }
    }

    fn process_id(&mut self, named: &NamedProcess) -> String {
        if let Some(id) = self.process_ids.get(&named.text) {
            return id.clone();
        }
        let id = format!("p{}", self.process_ids.len() + 1);
        self.process_ids.insert(named.text.clone(), id.clone());
        self.trace.processes.insert(id.clone(), named.process.clone());
        id
    }
}

impl NamedProcess {
    fn of(resource: Resource) -> Self {
        let is_empty = resource.attributes.is_empty();
        let (service, others): (Vec<_>, Vec<_>) =
            resource.attributes.into_iter().partition(|pair| pair.key == SERVICE_NAME);
        let service = service.into_iter().next().map(|pair| pair.value.unwrap_or_default());
        let service_name = match service.and_then(|value| value.value) {
            Some(Any::StringValue(name)) => name,
            _ if is_empty => NO_SERVICE.to_owned(),
            _ => String::new(),
        };
        let process = Process { service_name, tags: others.into_iter().map(tag).collect() };
        let text = serde_json::to_string(&process).unwrap_or_default();
        Self { process, text }
    }
}

fn ui_span(span: Span, scope: &[Tag], process_id: String) -> UiSpan {
    let references = references(&span);
    let mut tags = scope.to_vec();
    let mut warnings = Vec::new();
    for pair in span.attributes {
        if pair.key == JAEGER_WARNINGS {
            warnings.extend(texts(pair.value));
        } else {
            tags.push(tag(pair));
        }
    }
    let kind = usize::try_from(span.kind).ok().and_then(|kind| KINDS.get(kind));
    tags.extend(kind.filter(|kind| !kind.is_empty()).map(|kind| text_tag("span.kind", kind)));
    tags.extend(status_tags(&span.status.unwrap_or_default()));
    if !span.trace_state.is_empty() {
        tags.push(text_tag("w3c.tracestate", &span.trace_state));
    }
    UiSpan {
        trace_id: short_hex(&span.trace_id),
        span_id: hex(&span.span_id),
        operation_name: span.name,
        references,
        start_time: span.start_time_unix_nano / 1_000,
        duration: span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano) / 1_000,
        tags,
        logs: span.events.into_iter().map(log).collect(),
        process_id,
        warnings: (!warnings.is_empty()).then_some(warnings),
    }
}

/// The parent first: whoever reads takes the first one for it.
fn references(span: &Span) -> Vec<Reference> {
    let reference = |ref_type, trace_id: &[u8], span_id: &[u8]| Reference {
        ref_type,
        trace_id: short_hex(trace_id),
        span_id: hex(span_id),
    };
    let parent = &span.parent_span_id;
    let has_parent = parent.iter().any(|byte| *byte != 0);
    let mut parent_type = "CHILD_OF";
    let mut found = Vec::with_capacity(span.links.len() + usize::from(has_parent));
    for link in span.links.iter().filter(|link| link.trace_id.iter().any(|byte| *byte != 0)) {
        if has_parent && link.trace_id == span.trace_id && link.span_id == *parent {
            // Such a link only says what kind of parent it is.
            parent_type = reference_type(link);
        } else {
            found.push(reference(reference_type(link), &link.trace_id, &link.span_id));
        }
    }
    if has_parent {
        found.insert(0, reference(parent_type, &span.trace_id, parent));
    }
    found
}

fn reference_type(link: &Link) -> &'static str {
    let says_child = |pair: &KeyValue| {
        pair.key == REFERENCE_TYPE && plain(pair.value.as_ref()).as_str() == Some("child_of")
    };
    if link.attributes.iter().any(says_child) { "CHILD_OF" } else { "FOLLOWS_FROM" }
}

fn scope_tags(scope: &InstrumentationScope) -> Vec<Tag> {
    let named = [("otel.scope.name", &scope.name), ("otel.scope.version", &scope.version)];
    let given = named.into_iter().filter(|(_, text)| !text.is_empty());
    given.map(|(key, text)| text_tag(key, text)).collect()
}

fn status_tags(status: &Status) -> Vec<Tag> {
    let code = usize::try_from(status.code).ok().and_then(|code| CODES.get(code));
    let code = code.copied().unwrap_or_default();
    let mut tags = Vec::new();
    if !code.is_empty() {
        tags.push(text_tag("otel.status_code", code));
    }
    if code == "ERROR" {
        tags.push(Tag { key: "error".to_owned(), kind: "bool", value: TagValue::Bool(true) });
    }
    if !status.message.is_empty() {
        tags.push(text_tag("otel.status_description", &status.message));
    }
    tags
}

/// The name of an event becomes the field `event`, unless it has one.
fn log(event: Event) -> Log {
    let has_field = event.attributes.iter().any(|pair| pair.key == "event");
    let name = (!has_field && !event.name.is_empty()).then(|| text_tag("event", &event.name));
    let fields = name.into_iter().chain(event.attributes.into_iter().map(tag)).collect();
    Log { timestamp: event.time_unix_nano / 1_000, fields }
}

fn text_tag(key: &str, value: &str) -> Tag {
    Tag { key: key.to_owned(), kind: "string", value: TagValue::Text(value.to_owned()) }
}

fn tag(pair: KeyValue) -> Tag {
    let text = |value: &AnyValue| match plain(Some(value)) {
        serde_json::Value::String(text) => text,
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    };
    let value = pair.value.unwrap_or_default();
    let (kind, value) = match value.value {
        Some(Any::StringValue(text)) => ("string", TagValue::Text(text)),
        Some(Any::BoolValue(value)) => ("bool", TagValue::Bool(value)),
        Some(Any::IntValue(number)) if number.unsigned_abs() > SAFE_INTEGER_MAX => {
            ("int64", TagValue::Text(number.to_string()))
        }
        Some(Any::IntValue(number)) => ("int64", TagValue::Int(number)),
        Some(Any::DoubleValue(number)) if number.is_finite() => {
            ("float64", TagValue::Float(number))
        }
        Some(Any::DoubleValue(_)) => ("float64", TagValue::Text(text(&value))),
        Some(Any::BytesValue(_)) => ("binary", TagValue::Text(text(&value))),
        _ => ("string", TagValue::Text(text(&value))),
    };
    Tag { key: pair.key, kind, value }
}

/// The texts of an array of them.
fn texts(value: Option<AnyValue>) -> Vec<String> {
    let array = match value.and_then(|value| value.value) {
        Some(Any::ArrayValue(array)) => array.values,
        Some(other) => vec![AnyValue { value: Some(other) }],
        None => Vec::new(),
    };
    array
        .into_iter()
        .map(|value| match value.value {
            Some(Any::StringValue(text)) => text,
            other => plain(Some(&AnyValue { value: other })).to_string(),
        })
        .collect()
}
