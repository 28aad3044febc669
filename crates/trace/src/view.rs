//! Spans made while reading, and their way out: OTLP protobuf for Jaeger, OTLP/JSON for browsers.
//!
//! Promise: a message holds one trace and is at most [`MESSAGE_BYTES_MAX`] (or what the caller
//! says) long; what had to be left out of a span for that is counted and said on the span.
//! Never here: what a view shows. These are only the words for it.

use std::collections::HashMap;

use crate::attribute::JAEGER_WARNINGS;
use crate::id::{SpanId, TraceId};
use crate::pack::Packer;
use crate::time::UnixNanos;
use crate::wire::{self, otlp};

mod json;

pub use json::to_otlp_json;

/// Default size of a message. gRPC clients written in Go refuse more than 4 MiB; Jaeger shows
/// sooner what comes in pieces.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// A smaller limit is raised to this one, so that the head of every span fits.
pub const MESSAGE_BYTES_MIN: usize = 64 << 10;
/// Names, services and error texts are cut here. Object names have at most 253 bytes.
const TEXT_BYTES_MAX: usize = 4 << 10;
/// Links of a span that is too large for a message: with its names, they fit into the smallest.
const LINKS_KEPT_MAX: usize = 64;

/// A span as a person sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct ViewSpan {
    /// Trace id: the view that was asked for.
    pub trace: TraceId,
    /// Span id, unlike any other in the view.
    pub span: SpanId,
    /// The span this one hangs under; `None` for the root.
    pub parent: Option<SpanId>,
    /// Operation, as Jaeger calls it (`shop web`).
    pub name: String,
    /// Service, as Jaeger calls it (`deployments`).
    pub service: String,
    /// Cluster.
    pub cluster: String,
    /// First instant.
    pub start: UnixNanos,
    /// Last instant; never before `start` on the wire.
    pub end: UnixNanos,
    /// Attributes, in the order they are to be shown.
    pub attributes: Vec<(String, AttrValue)>,
    /// What happened, in order.
    pub events: Vec<ViewEvent>,
    /// Spans of the same trace that it follows from. On a span without a parent, Jaeger's UI would
    /// take the first for one.
    pub links: Vec<SpanId>,
    /// What went wrong; `Some("")` marks an error without a text.
    pub error: Option<String>,
    /// How it relates to its parent.
    pub kind: SpanKind,
}

/// A point in time on a span.
#[derive(Clone, Debug, PartialEq)]
pub struct ViewEvent {
    /// When.
    pub time: UnixNanos,
    /// What; may be empty. Jaeger makes a field `event` of it, and sorts by it.
    pub name: String,
    /// Details.
    pub attributes: Vec<(String, AttrValue)>,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttrValue {
    /// A string.
    Str(String),
    /// An integer.
    Int(i64),
    /// A boolean.
    Bool(bool),
    /// An array of strings.
    Strs(Vec<String>),
}

/// OTLP's span kinds. Jaeger keeps a consumer under a producer off the critical path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SpanKind {
    /// Within the parent.
    #[default]
    Internal,
    /// Answers a call.
    Server,
    /// Makes a call and waits.
    Client,
    /// Causes something that happens later.
    Producer,
    /// Happens later than what caused it.
    Consumer,
}

impl SpanKind {
    /// The number on the wire.
    pub const fn number(self) -> u8 {
        match self {
            Self::Internal => 1,
            Self::Server => 2,
            Self::Client => 3,
            Self::Producer => 4,
            Self::Consumer => 5,
        }
    }
}

macro_rules! value_from {
    ($($from:ty => |$value:ident| $to:expr),* $(,)?) => {$(
        impl From<$from> for AttrValue {
            fn from($value: $from) -> Self {
                $to
            }
        }
    )*};
}
value_from! {
    &str => |value| Self::Str(value.to_owned()),
    String => |value| Self::Str(value),
    i64 => |value| Self::Int(value),
    bool => |value| Self::Bool(value),
    Vec<String> => |value| Self::Strs(value),
}

/// Encodes spans as `TracesData` messages: one trace a message, at most `bytes_max` long, the
/// messages of a trace one after another, spans grouped by resource.
pub fn encode(spans: &[ViewSpan], bytes_max: usize) -> Vec<Vec<u8>> {
    let mut packer = Packer::new(bytes_max.max(MESSAGE_BYTES_MIN));
    let mut scratch = Vec::new();
    let mut trace = None;
    for group in groups(spans) {
        if trace.replace(group.trace).is_some_and(|before| before != group.trace) {
            packer.break_message();
        }
        packer.resource(group.service, group.cluster);
        for span in group.spans {
            put_within(&mut scratch, span, packer.room());
            packer.span(&scratch);
        }
    }
    packer.finish()
}

/// The spans of one trace under one resource.
struct Group<'a> {
    trace: TraceId,
    service: &'a str,
    cluster: &'a str,
    spans: Vec<&'a ViewSpan>,
}

/// Groups by trace, then by resource, each in the order of first appearance.
fn groups(spans: &[ViewSpan]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut known = HashMap::new();
    let mut ranks = HashMap::new();
    for span in spans {
        let (service, cluster) = (resource_text(&span.service), resource_text(&span.cluster));
        let rank = ranks.len();
        ranks.entry(span.trace).or_insert(rank);
        let index = *known.entry((span.trace, service, cluster)).or_insert(groups.len());
        match groups.get_mut(index) {
            Some(group) => group.spans.push(span),
            None => groups.push(Group { trace: span.trace, service, cluster, spans: vec![span] }),
        }
    }
    groups.sort_by_key(|group| ranks.get(&group.trace).copied());
    groups
}

/// Jaeger rewrites a resource without a service name; an empty cluster tells nobody anything.
fn resource_text(text: &str) -> &str {
    if text.is_empty() { "unknown" } else { cut(text) }
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(TEXT_BYTES_MAX)).unwrap_or(text)
}

/// What a span lost to fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Dropped {
    attributes: usize,
    events: usize,
}

/// Replaces `out` by the encoded span, which is made to fit into `room` bytes.
fn put_within(out: &mut Vec<u8>, span: &ViewSpan, room: usize) {
    out.clear();
    put_span(out, span, Dropped::default());
    if out.len() > room {
        let (smaller, dropped) = shrink(span, room);
        out.clear();
        put_span(out, &smaller, dropped);
    }
}

fn put_span(out: &mut Vec<u8>, span: &ViewSpan, dropped: Dropped) {
    use otlp::span as field;
    wire::put_bytes(out, field::TRACE_ID, &span.trace.0);
    wire::put_bytes(out, field::SPAN_ID, &span.span.0);
    if let Some(parent) = span.parent {
        wire::put_bytes(out, field::PARENT_SPAN_ID, &parent.0);
    }
    wire::put_bytes(out, field::NAME, cut(&span.name).as_bytes());
    wire::put_uint(out, field::KIND, u64::from(span.kind.number()));
    wire::put_fixed64(out, field::START, span.start.0);
    wire::put_fixed64(out, field::END, span.end.max(span.start).0);
    for (key, value) in &span.attributes {
        put_attribute(out, field::ATTRIBUTES, key, value);
    }
    wire::put_uint(out, field::DROPPED_ATTRIBUTES, dropped.attributes as u64);
    for event in &span.events {
        put_event(out, event);
    }
    wire::put_uint(out, field::DROPPED_EVENTS, dropped.events as u64);
    for link in &span.links {
        wire::put_message(out, field::LINKS, |out| {
            wire::put_bytes(out, otlp::link::TRACE_ID, &span.trace.0);
            wire::put_bytes(out, otlp::link::SPAN_ID, &link.0);
        });
    }
    if let Some(message) = &span.error {
        otlp::put_error(out, cut(message));
    }
}

fn put_event(out: &mut Vec<u8>, event: &ViewEvent) {
    wire::put_message(out, otlp::span::EVENTS, |out| {
        wire::put_fixed64(out, otlp::event::TIME, event.time.0);
        wire::put_bytes(out, otlp::event::NAME, event.name.as_bytes());
        for (key, value) in &event.attributes {
            put_attribute(out, otlp::event::ATTRIBUTES, key, value);
        }
    });
}

fn put_attribute(out: &mut Vec<u8>, field: u32, key: &str, value: &AttrValue) {
    match value {
        AttrValue::Str(text) => otlp::put_str(out, field, key, &[text]),
        AttrValue::Int(value) => otlp::put_int(out, field, key, *value),
        AttrValue::Bool(value) => otlp::put_bool(out, field, key, *value),
        AttrValue::Strs(values) => {
            otlp::put_strs(out, field, key, values.iter().map(String::as_str));
        }
    }
}

/// Keeps the attributes that fit, then the events from the first on, and says what is missing.
fn shrink(span: &ViewSpan, room: usize) -> (ViewSpan, Dropped) {
    let mut kept = head(span);
    let mut scratch = Vec::new();
    put_span(&mut scratch, &kept, Dropped::default());
    // The warning below, its two counts and the lengths around them take less than this.
    let mut left = room.saturating_sub(scratch.len() + 512);
    let mut fits = |put: &dyn Fn(&mut Vec<u8>)| {
        scratch.clear();
        put(&mut scratch);
        let fits = scratch.len() <= left;
        left -= if fits { scratch.len() } else { 0 };
        fits
    };
    for (key, value) in &span.attributes {
        if fits(&|out| put_attribute(out, otlp::span::ATTRIBUTES, key, value)) {
            kept.attributes.push((key.clone(), value.clone()));
        }
    }
    let events = span.events.iter().take_while(|event| fits(&|out| put_event(out, event)));
    kept.events = events.cloned().collect();
    let dropped = Dropped {
        attributes: span.attributes.len() - kept.attributes.len(),
        events: span.events.len() - kept.events.len(),
    };
    warn(&mut kept, dropped);
    (kept, dropped)
}

/// The span without what may be large.
fn head(span: &ViewSpan) -> ViewSpan {
    ViewSpan {
        name: cut(&span.name).to_owned(),
        service: String::new(),
        cluster: String::new(),
        attributes: vec![],
        events: vec![],
        links: span.links.iter().take(LINKS_KEPT_MAX).copied().collect(),
        error: span.error.as_deref().map(|text| cut(text).to_owned()),
        ..*span
    }
}

fn warn(span: &mut ViewSpan, dropped: Dropped) {
    let Dropped { attributes, events } = dropped;
    let warning =
        format!("{events} events and {attributes} attributes left out: too large for one message");
    match span.attributes.iter_mut().find(|(key, _)| key == JAEGER_WARNINGS) {
        Some((_, AttrValue::Strs(warnings))) => warnings.push(warning),
        _ => span.attributes.push((JAEGER_WARNINGS.to_owned(), AttrValue::Strs(vec![warning]))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::{SpanRef, Value};
    use crate::wire::{Field, Fields};

    fn span(attributes: Vec<(String, AttrValue)>, events: Vec<ViewEvent>) -> ViewSpan {
        ViewSpan {
            trace: TraceId([1; 16]),
            span: SpanId([2; 8]),
            parent: None,
            name: "shop web".to_owned(),
            service: "deployments".to_owned(),
            cluster: "capture".to_owned(),
            start: UnixNanos(5),
            end: UnixNanos(4),
            attributes,
            events,
            links: vec![],
            error: Some(String::new()),
            kind: SpanKind::Consumer,
        }
    }

    fn event(size: usize) -> ViewEvent {
        ViewEvent { time: UnixNanos(6), name: "e".repeat(size), attributes: vec![] }
    }

    /// What is left of a span in a message of the smallest size: names of attributes, number of
    /// events, warnings.
    fn check(span: ViewSpan, names: &[&str], events: usize, warning: Option<&str>) {
        let messages = encode(&[span], 0);
        let [message] = &messages[..] else { panic!("{} messages", messages.len()) };
        assert!(message.len() <= MESSAGE_BYTES_MIN);
        let bytes = inner(inner(inner(message, 1), 2), 2);
        let read = SpanRef::parse(bytes).expect("a span");
        let kept: Vec<_> = read.attributes.iter().map(|(name, _)| *name).collect();
        assert_eq!(kept, names);
        let is_event = |field: &Result<_, ()>| matches!(field, Ok((11, Field::Bytes(_))));
        assert_eq!(Fields(bytes).filter(is_event).count(), events);
        let last = match read.get(JAEGER_WARNINGS) {
            Some(Value::Strs(all)) => all.last().copied(),
            _ => None,
        };
        assert_eq!(last, warning);
    }

    fn inner(bytes: &[u8], number: u32) -> &[u8] {
        let find = |field| match field {
            Ok((at, Field::Bytes(inner))) if at == number => Some(inner),
            _ => None,
        };
        Fields(bytes).find_map(find).expect("the field")
    }

    #[test]
    fn a_span_that_fits_is_whole() {
        check(span(vec![("a".into(), true.into())], vec![event(9)]), &["a"], 1, None);
    }

    #[test]
    fn a_span_that_is_too_large_says_what_it_lost() {
        let large = AttrValue::Str("x".repeat(MESSAGE_BYTES_MIN));
        let attributes = || vec![("large".to_owned(), large.clone()), ("b".into(), 7.into())];
        let warning = "0 events and 1 attributes left out: too large for one message";
        check(span(attributes(), vec![event(1)]), &["b", JAEGER_WARNINGS], 1, Some(warning));

        let warning = "2 events and 1 attributes left out: too large for one message";
        let events = vec![event(50 << 10), event(20 << 10), event(1)];
        let mut warned = attributes();
        warned.push((JAEGER_WARNINGS.to_owned(), vec!["before".to_owned()].into()));
        check(span(warned, events), &["b", JAEGER_WARNINGS], 1, Some(warning));
    }

    #[test]
    fn names_and_errors_are_cut_at_a_character() {
        let mut long = span(vec![], vec![]);
        long.name = "ä".repeat(MESSAGE_BYTES_MIN);
        long.service.clone_from(&long.name);
        long.error = Some(long.name.clone());
        check(long, &[], 0, None);
    }

    #[test]
    fn json_is_as_jaeger_prints_it() {
        let mut shown = span(
            vec![
                ("s".into(), "".into()),
                ("i".into(), (-1).into()),
                ("b".into(), false.into()),
                ("l".into(), vec!["x".to_owned()].into()),
            ],
            vec![event(1)],
        );
        shown.parent = Some(SpanId([3; 8]));
        shown.links = vec![SpanId([4; 8])];
        shown.events.push(ViewEvent {
            time: UnixNanos(7),
            name: String::new(),
            attributes: vec![],
        });
        shown.error = Some("forbidden".to_owned());
        let string = |key: &str, value: &str| serde_json::json!({"key": key, "value": {"stringValue": value}});
        let expect = serde_json::json!({"resourceSpans": [{
            "resource": {"attributes": [
                string("service.name", "deployments"),
                string("k8s.cluster.name", "capture"),
                string("host.name", "kausal"),
            ]},
            "scopeSpans": [{"spans": [{
                "traceId": "01010101010101010101010101010101",
                "spanId": "0202020202020202",
                "parentSpanId": "0303030303030303",
                "name": "shop web",
                "kind": 5,
                "startTimeUnixNano": "5",
                "endTimeUnixNano": "5",
                "attributes": [
                    string("s", ""),
                    {"key": "i", "value": {"intValue": "-1"}},
                    {"key": "b", "value": {"boolValue": false}},
                    {"key": "l", "value": {"arrayValue": {"values": [{"stringValue": "x"}]}}},
                ],
                "events": [{"timeUnixNano": "6", "name": "e"}, {"timeUnixNano": "7"}],
                "links": [{
                    "traceId": "01010101010101010101010101010101",
                    "spanId": "0404040404040404",
                }],
                "status": {"message": "forbidden", "code": 2},
            }]}],
        }]});
        assert_eq!(to_otlp_json(&[shown]), expect);
    }
}
