//! What holds for any input. The oracle for bytes is `opentelemetry-proto`.

use kausal_object::ObjectKey;
use kausal_trace::view::{MESSAGE_BYTES_MAX, MESSAGE_BYTES_MIN};
use kausal_trace::{
    AttrValue, Day, IdParts, KeyHash, NewSpan, SpanBatch, SpanId, SpanKind, SpanRef, TraceId,
    UnixNanos, Value, ViewEvent, ViewId, ViewSpan, Window, export, view,
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{Span, TracesData, span::Event, span::Link};
use proptest::prelude::*;
use prost::Message;

fn attributes() -> impl Strategy<Value = Vec<(String, AttrValue)>> {
    let value = prop_oneof![
        ".{0,200}".prop_map(AttrValue::Str),
        any::<i64>().prop_map(AttrValue::Int),
        any::<bool>().prop_map(AttrValue::Bool),
        prop::collection::vec(".{0,20}", 0..4).prop_map(AttrValue::Strs),
    ];
    prop::collection::vec(("[a-z.]{1,12}", value), 0..6)
}

fn events() -> impl Strategy<Value = Vec<ViewEvent>> {
    let event = (any::<u64>(), ".{0,20}", attributes());
    let event = event.prop_map(|(time, name, attributes)| ViewEvent {
        time: UnixNanos(time),
        name,
        attributes,
    });
    prop::collection::vec(event, 0..4)
}

fn view_span() -> impl Strategy<Value = ViewSpan> {
    let ids = (1_u8..3, any::<[u8; 8]>(), prop::option::of(any::<[u8; 8]>()));
    let texts = (".{0,20}", "[ab]", "[ab]", prop::option::of(".{0,20}"));
    let kind = prop::sample::select(vec![
        SpanKind::Internal,
        SpanKind::Server,
        SpanKind::Client,
        SpanKind::Producer,
        SpanKind::Consumer,
    ]);
    let rest = (any::<u64>(), 0..u64::from(u32::MAX), attributes(), events(), kind);
    (ids, texts, rest).prop_map(|(ids, texts, rest)| {
        let (trace, span, parent) = ids;
        let (name, service, cluster, error) = texts;
        let (start, length, attributes, events, kind) = rest;
        ViewSpan {
            trace: TraceId([trace; 16]),
            span: SpanId(span),
            parent: parent.map(SpanId),
            name,
            service,
            cluster,
            start: UnixNanos(start),
            end: UnixNanos(start.saturating_add(length)),
            attributes,
            events,
            links: parent.map(SpanId).into_iter().collect(),
            error,
            kind,
        }
    })
}

fn key() -> impl Strategy<Value = ObjectKey> {
    ("[a-z]{1,8}", "[a-z.]{0,8}", "[a-z]{1,8}", "[a-z]{0,8}", ".{0,12}").prop_map(
        |(cluster, group, resource, namespace, name)| ObjectKey {
            cluster,
            group,
            resource,
            namespace,
            name,
        },
    )
}

/// Stored spans of objects, each where it belongs.
fn stored() -> impl Strategy<Value = SpanBatch> {
    let one = (key(), 0..1_u64 << 62, any::<u32>(), any::<[u8; 8]>(), attributes());
    prop::collection::vec(one, 0..8).prop_map(|spans| {
        let mut batch = SpanBatch::default();
        for (key, start, length, span, attributes) in spans {
            let start = UnixNanos(start);
            let trace = TraceId::facts_at(KeyHash::of(key.as_ref()), start);
            let end = UnixNanos(start.0 + u64::from(length));
            let span = SpanId(if span == [0; 8] { [1; 8] } else { span });
            let mut writer = batch.open(NewSpan { trace, span, name: "audit get", start, end });
            let names = ["cluster", "group", "resource", "namespace", "name"];
            for (name, part) in names.into_iter().zip(key.as_ref().parts()) {
                writer.str(name, part);
            }
            for (name, value) in &attributes {
                let name = format!("x.{name}");
                match value {
                    AttrValue::Str(text) => writer.str(&name, text),
                    AttrValue::Int(value) => writer.int(&name, *value),
                    AttrValue::Bool(value) => writer.bool(&name, *value),
                    AttrValue::Strs(all) => writer.strs(&name, all.iter().map(String::as_str)),
                };
            }
        }
        batch
    })
}

fn otlp_value(value: &AttrValue) -> any_value::Value {
    let string = |text: &String| any_value::Value::StringValue(text.clone());
    match value {
        AttrValue::Str(text) => string(text),
        AttrValue::Int(value) => any_value::Value::IntValue(*value),
        AttrValue::Bool(value) => any_value::Value::BoolValue(*value),
        AttrValue::Strs(values) => {
            let values = values.iter().map(|text| AnyValue { value: Some(string(text)) });
            any_value::Value::ArrayValue(ArrayValue { values: values.collect() })
        }
    }
}

fn otlp_attributes(attributes: &[(String, AttrValue)]) -> Vec<KeyValue> {
    let pair = |(key, value): &(String, AttrValue)| KeyValue {
        key: key.clone(),
        value: Some(AnyValue { value: Some(otlp_value(value)) }),
        ..KeyValue::default()
    };
    attributes.iter().map(pair).collect()
}

/// What the oracle must read for a view span.
fn otlp_span(span: &ViewSpan) -> Span {
    use opentelemetry_proto::tonic::trace::v1::Status;
    Span {
        trace_id: span.trace.0.to_vec(),
        span_id: span.span.0.to_vec(),
        parent_span_id: span.parent.map(|id| id.0.to_vec()).unwrap_or_default(),
        name: span.name.clone(),
        kind: i32::from(span.kind.number()),
        start_time_unix_nano: span.start.0,
        end_time_unix_nano: span.end.0,
        attributes: otlp_attributes(&span.attributes),
        events: span
            .events
            .iter()
            .map(|event| Event {
                time_unix_nano: event.time.0,
                name: event.name.clone(),
                attributes: otlp_attributes(&event.attributes),
                ..Event::default()
            })
            .collect(),
        links: span
            .links
            .iter()
            .map(|link| Link {
                trace_id: span.trace.0.to_vec(),
                span_id: link.0.to_vec(),
                ..Link::default()
            })
            .collect(),
        status: span.error.clone().map(|message| Status { message, code: 2 }),
        ..Span::default()
    }
}

/// All spans of decoded messages, with the service and cluster they stand under.
fn flatten(messages: &[TracesData]) -> Vec<(String, String, Span)> {
    let mut spans = Vec::new();
    for resource in messages.iter().flat_map(|message| &message.resource_spans) {
        let attributes = &resource.resource.as_ref().expect("a resource").attributes;
        let text = |key: &str| {
            let found = attributes.iter().find(|pair| pair.key == key).expect("attribute");
            match found.value.as_ref().and_then(|value| value.value.as_ref()) {
                Some(any_value::Value::StringValue(text)) => text.clone(),
                other => panic!("{key} is {other:?}"),
            }
        };
        assert_eq!(text("host.name"), "kausal");
        for span in resource.scope_spans.iter().flat_map(|scope| &scope.spans) {
            spans.push((text("service.name"), text("k8s.cluster.name"), span.clone()));
        }
    }
    spans
}

fn decoded(messages: &[Vec<u8>]) -> Vec<TracesData> {
    messages.iter().map(|bytes| TracesData::decode(&bytes[..]).expect("OTLP")).collect()
}

fn sorted(mut spans: Vec<(String, String, Span)>) -> Vec<(String, String, Span)> {
    spans.sort_by_key(|(service, cluster, span)| {
        (service.clone(), cluster.clone(), span.encode_to_vec())
    });
    spans
}

proptest! {
    #[test]
    fn view_spans_are_what_the_oracle_reads(
        spans in prop::collection::vec(view_span(), 0..12)
    ) {
        let expect: Vec<_> = spans
            .iter()
            .map(|span| (span.service.clone(), span.cluster.clone(), otlp_span(span)))
            .collect();
        let messages = decoded(&view::encode(&spans, MESSAGE_BYTES_MAX));
        prop_assert_eq!(sorted(flatten(&messages)), sorted(expect));

        let json = view::to_otlp_json(&spans).to_string();
        let json: TracesData = serde_json::from_str(&json).expect("OTLP/JSON");
        prop_assert_eq!(flatten(&[json]), flatten(&messages));
    }

    #[test]
    fn a_message_holds_one_trace_and_fits(
        spans in prop::collection::vec(view_span(), 1..12),
        large in prop::collection::vec(0..MESSAGE_BYTES_MIN, 12),
    ) {
        let mut spans = spans;
        for (span, large) in spans.iter_mut().zip(large) {
            span.attributes.push(("large".to_owned(), AttrValue::Str("x".repeat(large))));
        }
        let encoded = view::encode(&spans, 0);
        let mut seen = Vec::new();
        for (bytes, message) in encoded.iter().zip(decoded(&encoded)) {
            prop_assert!(bytes.len() <= MESSAGE_BYTES_MIN);
            let flat = flatten(&[message]);
            let trace = flat.first().expect("no message is empty").2.trace_id.clone();
            prop_assert!(flat.iter().all(|(_, _, span)| span.trace_id == trace));
            seen.push(trace);
        }
        seen.dedup();
        let runs = seen.len();
        seen.sort();
        seen.dedup();
        prop_assert_eq!(runs, seen.len(), "messages of a trace stand together");
        prop_assert_eq!(flatten(&decoded(&encoded)).len(), spans.len());
    }

    #[test]
    fn stored_spans_keep_their_bytes_over_the_wire(batch in stored(), bytes_max in 0..4_000_usize) {
        let mut back = SpanBatch::default();
        for message in export::encode_within(batch.iter(), bytes_max) {
            let report = export::decode(&message, &mut back).expect("an Export message");
            prop_assert_eq!(report.rejected(), 0);
        }
        let sorted = |batch: &SpanBatch| {
            let mut all: Vec<_> =
                batch.iter().map(|r| (r.trace, r.span, r.bytes.to_vec())).collect();
            all.sort();
            all
        };
        prop_assert_eq!(sorted(&back), sorted(&batch));
    }

    #[test]
    fn stored_spans_are_what_the_oracle_reads(batch in stored()) {
        let request = ExportTraceServiceRequest::decode(&export::encode(batch.iter())[..]);
        let message = TracesData { resource_spans: request.expect("OTLP").resource_spans };
        let flat = flatten(&[message]);
        prop_assert_eq!(flat.len(), batch.len());
        for (service, cluster, span) in flat {
            let bytes = span.encode_to_vec();
            let ours = SpanRef::parse(&bytes).expect("a span");
            prop_assert_eq!(service, "audit");
            prop_assert_eq!(&cluster, ours.str("cluster"));
            assert_same(&ours, &span)?;
        }
    }

    #[test]
    fn parsing_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut batch = SpanBatch::default();
        if let Err(error) = export::decode(&bytes, &mut batch) {
            prop_assert!(error.to_string().contains("malformed"));
            prop_assert!(batch.is_empty());
        }
        prop_assert_eq!(SpanRef::parse(&bytes).is_ok(), SpanRef::parse(&bytes).is_ok());
        prop_assert_eq!(export::resource_of(&bytes), export::resource_of(&bytes));
    }

    #[test]
    fn a_damaged_span_never_panics(batch in stored(), at in any::<prop::sample::Index>(), to: u8) {
        let mut message = export::encode(batch.iter());
        if !message.is_empty() {
            let at = at.index(message.len());
            message[at] = to;
            let mut back = SpanBatch::default();
            if let Ok(report) = export::decode(&message, &mut back) {
                prop_assert_eq!(report.accepted, back.len());
                prop_assert!(back.iter().all(|record| SpanRef::parse(record.bytes).is_ok()));
            }
        }
    }

    #[test]
    fn view_ids_round_trip(mode: u32, first in 0..1_u64 << 19, windows in 1..1_u64 << 13, key: [u8; 7]) {
        let first = Window(876_576 + first);
        let view = ViewId { mode, first, windows, key: KeyHash(key) };
        let id = view.encode().expect("within the range");
        prop_assert_eq!(id.parts(), IdParts::View(view));
        prop_assert_eq!(TraceId::parse_hex(&id.to_string()), Some(id));
    }

    #[test]
    fn stored_ids_round_trip(key: [u8; 7], index: u32) {
        let (key, index) = (KeyHash(key), u64::from(index));
        let facts = TraceId::facts(key, Window(index)).parts();
        prop_assert_eq!(facts, IdParts::Facts(key, Window(index)));
        let catalogue = TraceId::catalogue(key, Day(index)).parts();
        prop_assert_eq!(catalogue, IdParts::Catalogue(key, Day(index)));
    }

    #[test]
    fn any_id_comes_apart(id: [u8; 16]) {
        match TraceId(id).parts() {
            IdParts::Facts(key, window) => prop_assert_eq!(TraceId::facts(key, window).0, id),
            IdParts::Catalogue(key, day) => prop_assert_eq!(TraceId::catalogue(key, day).0, id),
            IdParts::View(view) => prop_assert_eq!(view.encode(), Some(TraceId(id))),
            IdParts::Foreign => {}
        }
    }

    #[test]
    fn times_round_trip(micros in 0..16_756_761_600_000_000_u64) {
        let time = UnixNanos(micros * 1_000);
        let text = time.to_string();
        prop_assert_eq!(UnixNanos::parse_rfc3339(&text), Some(time), "{}", text);
        let shifted = text.replace('Z', "+01:30");
        let earlier = micros.checked_sub(5_400_000_000).map(|micros| UnixNanos(micros * 1_000));
        prop_assert_eq!(UnixNanos::parse_rfc3339(&shifted), earlier);
    }

    #[test]
    fn times_of_any_text_never_panic(text in ".{0,40}") {
        prop_assert_eq!(UnixNanos::parse_rfc3339(&text).is_some_and(|t| t.seconds() > 1 << 40), false);
    }

    #[test]
    fn times_that_almost_are_never_panic(
        text in "[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{0,12})?(Z|[+-][0-9]{2}:[0-9]{2})"
    ) {
        if let Some(time) = UnixNanos::parse_rfc3339(&text) {
            let printed = UnixNanos::parse_rfc3339(&time.to_string()).expect("its own print");
            prop_assert_eq!(printed.micros(), time.micros());
        }
    }
}

/// Our reader and the oracle's agree on a span.
fn assert_same(ours: &SpanRef<'_>, theirs: &Span) -> Result<(), TestCaseError> {
    prop_assert_eq!(&ours.trace.0[..], &theirs.trace_id[..]);
    prop_assert_eq!(&ours.span.0[..], &theirs.span_id[..]);
    prop_assert_eq!(ours.name, &theirs.name);
    prop_assert_eq!(ours.start.0, theirs.start_time_unix_nano);
    prop_assert_eq!(ours.end.0, theirs.end_time_unix_nano);
    prop_assert_eq!(ours.attributes.len(), theirs.attributes.len());
    for ((key, value), pair) in ours.attributes.iter().zip(&theirs.attributes) {
        prop_assert_eq!(*key, &pair.key);
        let value = match value {
            Value::Str(text) => AttrValue::from(*text),
            Value::Int(value) => AttrValue::Int(*value),
            Value::Bool(value) => AttrValue::Bool(*value),
            Value::Strs(all) => AttrValue::Strs(all.iter().map(|&text| text.to_owned()).collect()),
            Value::Other => panic!("no such value was written"),
        };
        let theirs = pair.value.as_ref().and_then(|value| value.value.as_ref());
        prop_assert_eq!(Some(&otlp_value(&value)), theirs);
    }
    Ok(())
}
