//! A stored span of anybody, read without decoding what nobody asked for.

use std::ops::ControlFlow;

use crate::attribute::SERVICE_NAME;
use crate::id::{SpanId, TraceId};
use crate::wire::{Field, Fields, otlp};

/// `Resource` in its envelope, and `InstrumentationScope` in its.
const INSIDE: u32 = 1;
const RESOURCE_ATTRIBUTES: u32 = 1;
const SCOPE_NAME: u32 = 1;
const SCOPE_VERSION: u32 = 2;
const SCOPE_ATTRIBUTES: u32 = 3;
const EVENT_ATTRIBUTES: u32 = 3;
const LINKS: u32 = 13;
const LINK_ATTRIBUTES: u32 = 4;

/// A span, with the resource and scope it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForeignSpan<'a> {
    /// Trace it belongs to; zero when it has none.
    pub trace: TraceId,
    /// Its id; zero when it has none.
    pub span: SpanId,
    /// OTLP `ResourceSpans` without its spans.
    pub resource: &'a [u8],
    /// OTLP `ScopeSpans` without its spans.
    pub scope: &'a [u8],
    /// OTLP `Span`.
    pub bytes: &'a [u8],
}

/// The fields of a span that have a place of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head<'a> {
    /// Its parent; `None` for a root.
    pub parent: Option<SpanId>,
    /// Operation.
    pub name: &'a str,
    /// Kind, as numbered by OTLP.
    pub kind: u64,
    /// First instant, nanoseconds since 1970.
    pub start: u64,
    /// Last instant, nanoseconds since 1970.
    pub end: u64,
    /// How it ended.
    pub status: Status,
}

/// How a span ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// It does not say.
    #[default]
    Unset,
    /// Well.
    Ok,
    /// With an error.
    Error,
}

/// Where an attribute stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// On the resource.
    Resource,
    /// On the scope.
    Scope,
    /// On the span, an event or a link of it.
    Span,
}

impl Status {
    /// As searches name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unset => "unset",
            Self::Ok => "ok",
            Self::Error => "error",
        }
    }
}

impl Head<'_> {
    /// The kind as Jaeger names it; empty when the span does not say.
    pub const fn kind_name(&self) -> &'static str {
        match self.kind {
            1 => "internal",
            2 => "server",
            3 => "client",
            4 => "producer",
            5 => "consumer",
            _ => "",
        }
    }

    /// Nanoseconds from start to end; 0 when the end is before the start.
    pub const fn duration(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }
}

impl<'a> ForeignSpan<'a> {
    /// Its own fields.
    pub fn head(&self) -> Head<'a> {
        let mut head = Head::default();
        for field in fields(self.bytes) {
            match field {
                (otlp::span::PARENT_SPAN_ID, Field::Bytes(id)) => head.parent = parent(id),
                (otlp::span::NAME, Field::Bytes(name)) => head.name = text(name),
                (otlp::span::KIND, Field::Varint(kind)) => head.kind = kind,
                (otlp::span::START, Field::Fixed64(start)) => head.start = start,
                (otlp::span::END, Field::Fixed64(end)) => head.end = end,
                (otlp::span::STATUS, Field::Bytes(status)) => head.status = self::status(status),
                _ => {}
            }
        }
        head
    }

    /// The service; empty when the resource does not name one, or not by a string.
    pub fn service(&self) -> &'a str {
        let resources = messages(self.resource, INSIDE);
        let pairs = resources.flat_map(|resource| messages(resource, RESOURCE_ATTRIBUTES));
        let named = pairs.map(key_value).find(|(key, _)| *key == SERVICE_NAME);
        named.and_then(|(_, value)| string(value)).unwrap_or("")
    }

    /// Name and version of the scope; empty when it has none.
    pub fn scope_name_and_version(&self) -> (&'a str, &'a str) {
        let mut found = ("", "");
        for field in messages(self.scope, INSIDE).flat_map(fields) {
            match field {
                (SCOPE_NAME, Field::Bytes(name)) => found.0 = text(name),
                (SCOPE_VERSION, Field::Bytes(version)) => found.1 = text(version),
                _ => {}
            }
        }
        found
    }

    /// Visits all attributes with their encoded values, until told to break.
    pub fn attributes(
        &self,
        visit: &mut dyn FnMut(Level, &'a str, &'a [u8]) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        for field in fields(self.bytes) {
            let span = &mut |key, value| visit(Level::Span, key, value);
            match field {
                (otlp::span::ATTRIBUTES, Field::Bytes(pair)) => {
                    let (key, value) = key_value(pair);
                    span(key, value)?;
                }
                (otlp::span::EVENTS, Field::Bytes(event)) => pairs(event, EVENT_ATTRIBUTES, span)?,
                (LINKS, Field::Bytes(link)) => pairs(link, LINK_ATTRIBUTES, span)?,
                _ => {}
            }
        }
        let scope = &mut |key, value| visit(Level::Scope, key, value);
        pairs_in(self.scope, SCOPE_ATTRIBUTES, scope)?;
        pairs_in(self.resource, RESOURCE_ATTRIBUTES, &mut |key, value| {
            visit(Level::Resource, key, value)
        })
    }
}

/// Trace and span id of an OTLP `Span`; zero where it has none.
pub(super) fn ids(span: &[u8]) -> (TraceId, SpanId) {
    let (mut trace, mut id) = (TraceId([0; 16]), SpanId([0; 8]));
    for field in fields(span) {
        match field {
            (otlp::span::TRACE_ID, Field::Bytes(bytes)) => {
                trace = TraceId(bytes.try_into().unwrap_or_default());
            }
            (otlp::span::SPAN_ID, Field::Bytes(bytes)) => {
                id = SpanId(bytes.try_into().unwrap_or_default());
            }
            _ => {}
        }
    }
    (trace, id)
}

type Visit<'v, 'a> = &'v mut dyn FnMut(&'a str, &'a [u8]) -> ControlFlow<()>;

/// The attributes of the message inside an envelope.
fn pairs_in<'a>(envelope: &'a [u8], number: u32, visit: Visit<'_, 'a>) -> ControlFlow<()> {
    messages(envelope, INSIDE).try_for_each(|message| pairs(message, number, visit))
}

fn pairs<'a>(message: &'a [u8], number: u32, visit: Visit<'_, 'a>) -> ControlFlow<()> {
    messages(message, number).try_for_each(|pair| {
        let (key, value) = key_value(pair);
        visit(key, value)
    })
}

pub(super) fn key_value(pair: &[u8]) -> (&str, &[u8]) {
    let mut found: (&str, &[u8]) = ("", &[]);
    for field in fields(pair) {
        match field {
            (otlp::key_value::KEY, Field::Bytes(key)) => found.0 = text(key),
            (otlp::key_value::VALUE, Field::Bytes(value)) => found.1 = value,
            _ => {}
        }
    }
    found
}

/// A value that is a string.
fn string(value: &[u8]) -> Option<&str> {
    match fields(value).last() {
        Some((otlp::any_value::STRING, Field::Bytes(string))) => Some(text(string)),
        _ => None,
    }
}

fn parent(id: &[u8]) -> Option<SpanId> {
    id.try_into().ok().filter(|id| *id != [0; 8]).map(SpanId)
}

fn status(message: &[u8]) -> Status {
    let mut code = 0;
    for field in fields(message) {
        if let (otlp::status::CODE, Field::Varint(found)) = field {
            code = found;
        }
    }
    match code {
        1 => Status::Ok,
        otlp::status::ERROR => Status::Error,
        _ => Status::Unset,
    }
}

/// Stored spans were checked when they came: what cannot be read any more ends the message.
pub(super) fn fields(message: &[u8]) -> impl Iterator<Item = (u32, Field<'_>)> {
    Fields(message).map_while(Result::ok)
}

fn messages(message: &[u8], number: u32) -> impl Iterator<Item = &[u8]> {
    fields(message).filter_map(move |field| match field {
        (at, Field::Bytes(inner)) if at == number => Some(inner),
        _ => None,
    })
}

pub(super) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or("")
}
