//! Spans of anybody in both of Jaeger's forms.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, TracesData};
use proptest::prelude::*;
use prost::Message;
use serde_json::{Value, json};

use super::otlp_json::OtlpJson;
use super::ui_json::ui_traces;

fn attribute(key: &str, value: Any) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Any::StringValue(value.to_owned()))
}

fn any(value: Any) -> AnyValue {
    AnyValue { value: Some(value) }
}

/// One span of one resource in one scope.
fn data(resource: Vec<KeyValue>, span: Span) -> TracesData {
    let scope = InstrumentationScope {
        name: "lib".to_owned(),
        version: "1".to_owned(),
        ..InstrumentationScope::default()
    };
    let scope_spans =
        vec![ScopeSpans { scope: Some(scope), spans: vec![span], ..Default::default() }];
    let resource = Some(Resource { attributes: resource, ..Resource::default() });
    TracesData {
        resource_spans: vec![ResourceSpans { resource, scope_spans, ..Default::default() }],
    }
}

fn span() -> Span {
    Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: "GET /".to_owned(),
        start_time_unix_nano: 5_000_999,
        end_time_unix_nano: 7_001_000,
        ..Span::default()
    }
}

fn ui(data: TracesData) -> Value {
    serde_json::to_value(ui_traces(data)).unwrap()
}

#[track_caller]
fn check_tags(span: Span, expect: &Value) {
    let tags = ui(data(vec![], span))[0]["spans"][0]["tags"].clone();
    let scope = [
        json!({"key": "otel.scope.name", "type": "string", "value": "lib"}),
        json!({"key": "otel.scope.version", "type": "string", "value": "1"}),
    ];
    let expect: Vec<_> = scope.into_iter().chain(expect.as_array().unwrap().clone()).collect();
    assert_eq!(tags, json!(expect));
}

fn check_value(value: Any, kind: &str, expect: &Value) {
    let expect = json!([{"key": "k", "type": kind, "value": expect}]);
    check_tags(Span { attributes: vec![attribute("k", value)], ..span() }, &expect);
}

#[test]
fn every_type_of_value_has_a_tag() {
    check_value(Any::StringValue("x".to_owned()), "string", &json!("x"));
    check_value(Any::BoolValue(false), "bool", &json!(false));
    check_value(Any::IntValue(-7), "int64", &json!(-7));
    check_value(Any::IntValue((1 << 53) - 1), "int64", &json!(9_007_199_254_740_991_i64));
    check_value(Any::IntValue(i64::MIN), "int64", &json!("-9223372036854775808"));
    check_value(Any::DoubleValue(0.5), "float64", &json!(0.5));
    check_value(Any::DoubleValue(f64::NAN), "float64", &json!("NaN"));
    check_value(Any::BytesValue(vec![0, 255]), "binary", &json!("AP8="));
    let list = vec![any(Any::IntValue(1)), any(Any::StringValue("a".to_owned()))];
    check_value(Any::ArrayValue(ArrayValue { values: list }), "string", &json!(r#"[1,"a"]"#));
    let map = KeyValueList { values: vec![attribute("b", Any::BoolValue(true))] };
    check_value(Any::KvlistValue(map), "string", &json!(r#"{"b":true}"#));
    check_tags(
        Span { attributes: vec![KeyValue::default()], ..span() },
        &json!([{"key": "", "type": "string", "value": ""}]),
    );
}

#[test]
fn what_a_span_says_of_itself_becomes_tags() {
    let status = Status { code: 2, message: "no".to_owned() };
    check_tags(
        Span { kind: 5, status: Some(status), trace_state: "a=b".to_owned(), ..span() },
        &json!([
            {"key": "span.kind", "type": "string", "value": "consumer"},
            {"key": "otel.status_code", "type": "string", "value": "ERROR"},
            {"key": "error", "type": "bool", "value": true},
            {"key": "otel.status_description", "type": "string", "value": "no"},
            {"key": "w3c.tracestate", "type": "string", "value": "a=b"},
        ]),
    );
    check_tags(
        Span { kind: 99, status: Some(Status { code: -1, ..Status::default() }), ..span() },
        &json!([]),
    );
}

#[test]
fn times_are_cut_to_microseconds_and_never_negative() {
    let trace = ui(data(vec![], span()));
    let shown = &trace[0]["spans"][0];
    assert_eq!((&shown["startTime"], &shown["duration"]), (&json!(5_000), &json!(2_000)));
    let backwards = Span { end_time_unix_nano: 1, ..span() };
    assert_eq!(ui(data(vec![], backwards))[0]["spans"][0]["duration"], 0);
}

fn link(trace: u8, span: u8, attributes: Vec<KeyValue>) -> Link {
    Link { trace_id: vec![trace; 16], span_id: vec![span; 8], attributes, ..Link::default() }
}

fn check_references(parent: u8, links: Vec<Link>, expect: &[(&str, u8, u8)]) {
    let span = Span { parent_span_id: vec![parent; 8], links, ..span() };
    let reference = |(kind, trace, span): &(&str, u8, u8)| {
        let (trace, span) = (format!("{trace:02x}").repeat(16), format!("{span:02x}").repeat(8));
        json!({"refType": kind, "traceID": trace, "spanID": span})
    };
    let expect: Vec<_> = expect.iter().map(reference).collect();
    assert_eq!(ui(data(vec![], span))[0]["spans"][0]["references"], json!(expect));
}

#[test]
fn parents_and_links_become_references() {
    check_references(0, vec![], &[]);
    check_references(3, vec![], &[("CHILD_OF", 1, 3)]);
    let far = link(9, 8, vec![]);
    check_references(3, vec![far], &[("CHILD_OF", 1, 3), ("FOLLOWS_FROM", 9, 8)]);
    check_references(3, vec![link(1, 3, vec![])], &[("FOLLOWS_FROM", 1, 3)]);
    let child = link(9, 8, vec![text("opentracing.ref_type", "child_of")]);
    check_references(0, vec![child], &[("CHILD_OF", 9, 8)]);
    check_references(0, vec![link(0, 8, vec![])], &[]);
}

#[test]
fn warnings_and_events_stand_where_jaeger_has_them() {
    let warnings = ArrayValue { values: vec![any(Any::StringValue("cut".to_owned()))] };
    let event = |name: &str, attributes| Event {
        time_unix_nano: 6_000_001,
        name: name.to_owned(),
        attributes,
        ..Event::default()
    };
    let span = Span {
        attributes: vec![attribute("@jaeger@warnings", Any::ArrayValue(warnings))],
        events: vec![
            event("retry", vec![attribute("n", Any::IntValue(2))]),
            event("unused", vec![text("event", "own")]),
        ],
        ..span()
    };
    let trace = ui(data(vec![], span));
    let shown = &trace[0]["spans"][0];
    assert_eq!(shown["warnings"], json!(["cut"]));
    let expect = json!([
        {"timestamp": 6_000, "fields": [
            {"key": "event", "type": "string", "value": "retry"},
            {"key": "n", "type": "int64", "value": 2},
        ]},
        {"timestamp": 6_000, "fields": [{"key": "event", "type": "string", "value": "own"}]},
    ]);
    assert_eq!(shown["logs"], expect);
}

#[test]
fn processes_are_told_apart_by_what_they_say() {
    let web = || vec![text("service.name", "web"), text("host.name", "a")];
    let mut all = data(web(), span());
    all.resource_spans.extend(data(web(), span()).resource_spans);
    all.resource_spans.extend(data(vec![], span()).resource_spans);
    all.resource_spans.extend(data(vec![text("host.name", "b")], span()).resource_spans);
    let trace = &ui(all)[0];
    let tag = |value: &str| json!([{"key": "host.name", "type": "string", "value": value}]);
    let expect = json!({
        "p1": {"serviceName": "web", "tags": tag("a")},
        "p2": {"serviceName": "OTLPResourceNoServiceName", "tags": []},
        "p3": {"serviceName": "", "tags": tag("b")},
    });
    assert_eq!(trace["processes"], expect);
    let ids: Vec<_> =
        trace["spans"].as_array().unwrap().iter().map(|span| &span["processID"]).collect();
    assert_eq!(ids, ["p1", "p1", "p2", "p3"]);
}

#[test]
fn spans_of_one_id_and_several_traces_are_all_there() {
    let mut all = data(vec![], span());
    let short = Span { trace_id: [vec![0; 8], vec![7; 8]].concat(), ..span() };
    all.resource_spans.extend(data(vec![], short).resource_spans);
    all.resource_spans
        .extend(data(vec![], Span { name: "twin".to_owned(), ..span() }).resource_spans);
    let traces = ui(all);
    let ids: Vec<_> = traces.as_array().unwrap().iter().map(|trace| &trace["traceID"]).collect();
    assert_eq!(ids, ["01010101010101010101010101010101", "0707070707070707"]);
    assert_eq!(traces[0]["spans"][1]["operationName"], "twin");
}

#[test]
fn otlp_json_leaves_defaults_out() {
    let span = Span {
        parent_span_id: vec![3; 8],
        kind: 2,
        attributes: vec![
            attribute("i", Any::IntValue(0)),
            attribute("d", Any::DoubleValue(f64::INFINITY)),
            attribute("b", Any::BytesValue(vec![1])),
        ],
        events: vec![Event { name: "e".to_owned(), ..Event::default() }],
        links: vec![link(9, 8, vec![])],
        status: Some(Status::default()),
        flags: 1,
        ..span()
    };
    let traces = [data(vec![text("service.name", "web")], span)];
    let expect = json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "web"}}]},
        "scopeSpans": [{
            "scope": {"name": "lib", "version": "1"},
            "spans": [{
                "traceId": "01".repeat(16),
                "spanId": "02".repeat(8),
                "parentSpanId": "03".repeat(8),
                "name": "GET /",
                "kind": 2,
                "flags": 1,
                "startTimeUnixNano": "5000999",
                "endTimeUnixNano": "7001000",
                "attributes": [
                    {"key": "i", "value": {"intValue": "0"}},
                    {"key": "d", "value": {"doubleValue": "Infinity"}},
                    {"key": "b", "value": {"bytesValue": "AQ=="}},
                ],
                "events": [{"name": "e"}],
                "links": [{"traceId": "09".repeat(16), "spanId": "08".repeat(8)}],
                "status": {},
            }],
        }],
    }]});
    assert_eq!(serde_json::to_value(OtlpJson::of(&traces)).unwrap(), expect);
}

/// Values of every type, nested as deep as a decoder lets them through.
fn values() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        "\\PC{0,8}".prop_map(Any::StringValue),
        any_value_of::<bool>(Any::BoolValue),
        any_value_of::<i64>(Any::IntValue),
        any_value_of::<f64>(Any::DoubleValue),
        any_value_of::<Vec<u8>>(Any::BytesValue),
        Just(Any::StringValueStrindex(1)),
    ];
    let leaf = prop::option::of(leaf).prop_map(|value| AnyValue { value });
    leaf.prop_recursive(6, 24, 4, |inner| {
        prop::collection::vec(inner, 0..4)
            .prop_map(|values| any(Any::ArrayValue(ArrayValue { values })))
    })
}

fn any_value_of<T: Arbitrary + 'static>(of: fn(T) -> Any) -> impl Strategy<Value = Any> {
    proptest::arbitrary::any::<T>().prop_map(of)
}

prop_compose! {
    fn spans()(
        trace_id in prop::collection::vec(0_u8..2, 0..20),
        span_id in prop::collection::vec(0_u8..2, 0..10),
        parent_span_id in prop::collection::vec(0_u8..2, 0..10),
        times in proptest::arbitrary::any::<(u64, u64, u64)>(),
        kind in proptest::arbitrary::any::<i32>(),
        values in prop::collection::vec(("\\PC{0,6}", prop::option::of(values())), 0..6),
    ) -> Span {
        let attributes: Vec<_> = values
            .into_iter()
            .map(|(key, value)| KeyValue { key, value, ..KeyValue::default() })
            .collect();
        Span {
            trace_id: trace_id.clone(),
            span_id: span_id.clone(),
            parent_span_id,
            start_time_unix_nano: times.0,
            end_time_unix_nano: times.1,
            kind,
            events: vec![Event { time_unix_nano: times.2, attributes: attributes.clone(), ..Event::default() }],
            links: vec![Link { trace_id, span_id, attributes: attributes.clone(), ..Link::default() }],
            attributes,
            ..Span::default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn any_span_has_both_forms(spans in prop::collection::vec(spans(), 0..5)) {
        let count = spans.len();
        let mut all = TracesData::default();
        for span in spans {
            let resource = span.attributes.clone();
            all.resource_spans.extend(data(resource, span).resource_spans);
        }
        let otlp = serde_json::to_value(OtlpJson::of(std::slice::from_ref(&all))).unwrap();
        prop_assert_eq!(otlp["resourceSpans"].as_array().unwrap().len(), count);
        let traces = ui(all);
        let traces = traces.as_array().unwrap().iter();
        let shown: usize = traces.map(|trace| trace["spans"].as_array().unwrap().len()).sum();
        prop_assert_eq!(shown, count);
    }

    #[test]
    fn any_bytes_decode_or_do_not(bytes in prop::collection::vec(proptest::arbitrary::any::<u8>(), 0..200)) {
        if let Ok(data) = TracesData::decode(bytes.as_slice()) {
            ui(data);
        }
    }
}
