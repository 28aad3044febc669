//! Spans of anybody: taken apart and put together without a change, and found as Jaeger finds them.

use kausal_trace::foreign::{
    ForeignBatch, ForeignQuery, ForeignSpan, RECORD_BYTES_MAX, Refusals, SplitError,
    TERMS_A_SPAN_MAX, Term, messages, terms,
};
use kausal_trace::{SpanId, TraceId, UnixNanos};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, TracesData};
use prost::Message as _;

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    pair(key, Value::StringValue(value.into()))
}

fn span() -> Span {
    Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: "GET /cart".into(),
        kind: 2,
        start_time_unix_nano: 1_000,
        end_time_unix_nano: 1_500,
        attributes: vec![pair("http.response.status_code", Value::IntValue(503))],
        events: vec![Event { attributes: vec![text("cause", "timeout")], ..Event::default() }],
        links: vec![Link {
            trace_id: vec![9; 16],
            span_id: vec![9; 8],
            attributes: vec![pair("ratio", Value::DoubleValue(72.5))],
            ..Link::default()
        }],
        status: Some(Status { code: 2, ..Status::default() }),
        ..Span::default()
    }
}

fn around(spans: Vec<Span>) -> ResourceSpans {
    let scope = InstrumentationScope {
        name: "http".into(),
        version: "1.2".into(),
        attributes: vec![pair("short", Value::BoolValue(true))],
        ..InstrumentationScope::default()
    };
    let spans = ScopeSpans { scope: Some(scope), spans, schema_url: "scope url".into() };
    let attributes = vec![text("service.name", "shop"), text("host.name", "a")];
    ResourceSpans {
        resource: Some(Resource { attributes, ..Resource::default() }),
        scope_spans: vec![spans],
        schema_url: "resource url".into(),
    }
}

fn split(resources: Vec<ResourceSpans>) -> (ForeignBatch, Refusals) {
    let message = TracesData { resource_spans: resources }.encode_to_vec();
    ForeignBatch::split(message).expect("OTLP")
}

#[test]
fn what_was_taken_apart_is_the_same_when_put_together() {
    let sent = vec![
        around(vec![span(), span()]),
        ResourceSpans {
            scope_spans: vec![ScopeSpans { spans: vec![Span::default()], ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        },
    ];
    let (batch, refused) = split(sent.clone());
    assert_eq!((batch.len(), refused), (3, Refusals::default()));
    let spans: Vec<_> = batch.iter().collect();
    assert_eq!((spans[0].trace, spans[0].span), (TraceId([1; 16]), SpanId([2; 8])));
    assert_eq!((spans[2].trace, spans[2].span), (TraceId([0; 16]), SpanId([0; 8])));

    let whole = messages(&spans, usize::MAX);
    assert_eq!(whole.len(), 1);
    let mut read = TracesData::decode(&whole[0][..]).expect("OTLP").resource_spans;
    read.sort_by_key(|resource| resource.resource.is_none());
    assert_eq!(read, sent);
}

#[test]
fn fields_that_nobody_knows_are_kept() {
    // Field 99 of the resource's and the scope's envelope and of the span, between what is known.
    let unknown = [0x9a, 0x06, 0x01, 0x2a];
    let within = |field: u8, bytes: &[u8]| [&[field << 3 | 2, bytes.len() as u8], bytes].concat();
    let span = [&unknown[..], &within(5, b"name")].concat();
    let scope = [&unknown[..], &within(2, &span), &within(3, b"url")].concat();
    let resource = [&within(2, &scope)[..], &unknown, &within(3, b"url")].concat();
    let (batch, _) = ForeignBatch::split(within(1, &resource)).expect("OTLP");
    let spans: Vec<_> = batch.iter().collect();
    assert_eq!(spans[0].bytes, span);
    assert_eq!(spans[0].scope, [&unknown[..], &within(3, b"url")].concat());
    assert_eq!(spans[0].resource, [&unknown[..], &within(3, b"url")].concat());
    let again = messages(&spans, usize::MAX).pop().expect("a message");
    let (again, _) = ForeignBatch::split(again).expect("OTLP");
    assert!(again.iter().eq(batch.iter()));
}

#[test]
fn messages_keep_to_their_size() {
    let (batch, _) = split(vec![around(vec![span(); 100])]);
    let spans: Vec<_> = batch.iter().collect();
    let parts = messages(&spans, 2_000);
    assert!(parts.len() > 5 && parts.iter().all(|part| part.len() <= 2_000));
    let count = |part: &Vec<u8>| ForeignBatch::split(part.clone()).expect("OTLP").0.len();
    assert_eq!(parts.iter().map(count).sum::<usize>(), 100);
    assert_eq!(messages(&spans[..2], 1).len(), 2);
    assert!(messages(&[], 1).is_empty());
}

#[test]
fn what_others_could_not_decode_is_refused_alone() {
    let wrong = Span { trace_id: vec![1; 7], ..Span::default() };
    let large = Span { name: "x".repeat(RECORD_BYTES_MAX), ..Span::default() };
    let (batch, refused) = split(vec![around(vec![wrong, span(), large])]);
    assert_eq!((batch.len(), refused), (1, Refusals { malformed: 1, too_large: 1 }));
    assert_eq!(ForeignBatch::split(vec![0xff]).err(), Some(SplitError::Malformed));
    // Empty spans by the million are two bytes each.
    let spans = [0x12, 0x00].repeat(1 << 19);
    let length = |len: usize| {
        let mut out = Vec::new();
        prost::encoding::encode_varint(len as u64, &mut out);
        out
    };
    let scope = [vec![0x12], length(spans.len()), spans].concat();
    let message = [vec![0x0a], length(scope.len()), scope].concat();
    assert_eq!(ForeignBatch::split(message).err(), Some(SplitError::TooMany));
}

fn check(query: &ForeignQuery, expect: bool) {
    let (batch, _) = split(vec![around(vec![span()])]);
    let found: ForeignSpan<'_> = batch.iter().next().expect("a span");
    assert_eq!(query.matches(&found), expect, "{query:?}");
    let have = terms(&found);
    let proposed = query.terms().iter().all(|any| any.iter().any(|term| have.contains(term)));
    assert!(proposed || !expect, "the index does not know it: {query:?}");
}

fn by(key: &str, value: &str, expect: bool) {
    let attributes = vec![(key.to_owned(), value.to_owned())];
    check(&ForeignQuery { attributes, ..ForeignQuery::default() }, expect);
}

#[test]
fn attributes_are_found_wherever_they_stand() {
    by("http.response.status_code", "503", true);
    by("http.response.status_code", "50", false);
    by("cause", "timeout", true);
    by("ratio", "72.5", true);
    by("short", "true", true);
    by("host.name", "a", true);
    by("missing", "", false);
}

#[test]
fn names_with_a_meaning_of_their_own() {
    by("error", "true", true);
    by("error", "false", false);
    by("span.kind", "server", true);
    by("span.kind", "client", false);
    by("span.status", "Error", true);
    by("span.status", "unset", false);
    by("scope.name", "http", true);
    by("scope.version", "1.2", true);
    by("resource.host.name", "a", true);
    by("resource.cause", "timeout", false);
}

#[test]
fn time_and_duration_and_names() {
    let any = ForeignQuery::default;
    check(&any(), true);
    check(&ForeignQuery { service: "shop".into(), operation: "GET /cart".into(), ..any() }, true);
    check(&ForeignQuery { service: "GET /cart".into(), ..any() }, false);
    let range =
        |from, to| ForeignQuery { from: Some(UnixNanos(from)), to: Some(UnixNanos(to)), ..any() };
    check(&range(1_000, 1_000), true);
    check(&range(1_001, 2_000), false);
    check(&range(0, 999), false);
    let lasting = |shortest, longest| ForeignQuery {
        shortest: Some(shortest),
        longest: Some(longest),
        ..any()
    };
    check(&lasting(500, 500), true);
    check(&lasting(501, 900), false);
}

#[test]
fn a_crowded_span_says_so() {
    let many = (0..200).map(|n| text(&format!("key {n}"), "value")).collect();
    let (batch, _) = split(vec![around(vec![Span { attributes: many, ..span() }])]);
    let terms = terms(&batch.iter().next().expect("a span"));
    assert_eq!(terms.len(), TERMS_A_SPAN_MAX + 1);
    assert!(terms.contains(&Term::CROWDED) && terms.contains(&Term::ANY));
}
