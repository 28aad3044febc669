//! Reads stored spans without copying, and says which resource a stored span has.

use crate::id::{FactKind, SpanId, TraceId};
use crate::time::UnixNanos;
use crate::wire::{Field, Fields};

/// A decoded span; strings borrow from its bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanRef<'a> {
    /// Trace id.
    pub trace: TraceId,
    /// Span id.
    pub span: SpanId,
    /// Parent span id, if it has one.
    pub parent: Option<SpanId>,
    /// Stored name (`audit patch`).
    pub name: &'a str,
    /// First instant.
    pub start: UnixNanos,
    /// Last instant.
    pub end: UnixNanos,
    /// Attributes in stored order.
    pub attributes: Vec<(&'a str, Value<'a>)>,
    /// Whether the status is ERROR.
    pub error: bool,
}

/// An attribute value. Stored spans of ours use strings, integers, booleans and arrays of strings.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// A string.
    Str(&'a str),
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An array; members that are no strings are left out.
    Strs(Vec<&'a str>),
    /// A double, bytes, a map: nothing our spans hold.
    Other,
}

/// Why bytes are no span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// The protobuf is malformed or not UTF-8 where it must be.
    #[error("not an OTLP span: malformed protobuf")]
    Malformed,
    /// Trace or span id is missing or of the wrong length.
    #[error("not an OTLP span: trace id or span id missing or of the wrong length")]
    Ids,
}

impl<'a> SpanRef<'a> {
    /// Decodes an OTLP `Span` message; unknown fields are skipped.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, SpanError> {
        let mut span = Self {
            trace: TraceId([0; 16]),
            span: SpanId([0; 8]),
            parent: None,
            name: "",
            start: UnixNanos(0),
            end: UnixNanos(0),
            attributes: Vec::with_capacity(32),
            error: false,
        };
        for field in Fields(bytes) {
            match field.map_err(|()| SpanError::Malformed)? {
                (1, Field::Bytes(id)) => {
                    span.trace = TraceId(id.try_into().map_err(|_| SpanError::Ids)?)
                }
                (2, Field::Bytes(id)) => {
                    span.span = SpanId(id.try_into().map_err(|_| SpanError::Ids)?)
                }
                (4, Field::Bytes(id)) => span.parent = id.try_into().ok().map(SpanId),
                (5, Field::Bytes(name)) => span.name = text(name)?,
                (7, Field::Fixed64(nanos)) => span.start = UnixNanos(nanos),
                (8, Field::Fixed64(nanos)) => span.end = UnixNanos(nanos),
                (9, Field::Bytes(pair)) => span.attributes.push(key_value(pair)?),
                (15, Field::Bytes(status)) => span.error = is_error(status),
                _ => {}
            }
        }
        if span.trace == TraceId([0; 16]) || span.span == SpanId([0; 8]) {
            return Err(SpanError::Ids);
        }
        Ok(span)
    }

    /// The value of an attribute.
    pub fn get(&self, key: &str) -> Option<&Value<'a>> {
        self.attributes.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// A string attribute, or the empty string.
    pub fn str(&self, key: &str) -> &'a str {
        match self.get(key) {
            Some(Value::Str(text)) => text,
            _ => "",
        }
    }

    /// What kind of stored span this is, by its name.
    pub fn kind(&self) -> Option<FactKind> {
        FactKind::from_span_name(self.name)
    }
}

fn text(bytes: &[u8]) -> Result<&str, SpanError> {
    std::str::from_utf8(bytes).map_err(|_| SpanError::Malformed)
}

fn key_value(bytes: &[u8]) -> Result<(&str, Value<'_>), SpanError> {
    let mut pair = ("", Value::Other);
    for field in Fields(bytes) {
        match field.map_err(|()| SpanError::Malformed)? {
            (1, Field::Bytes(key)) => pair.0 = text(key)?,
            (2, Field::Bytes(value)) => pair.1 = any_value(value)?,
            _ => {}
        }
    }
    Ok(pair)
}

fn any_value(bytes: &[u8]) -> Result<Value<'_>, SpanError> {
    let mut value = Value::Other;
    for field in Fields(bytes) {
        value = match field.map_err(|()| SpanError::Malformed)? {
            (1, Field::Bytes(string)) => Value::Str(text(string)?),
            (2, Field::Varint(flag)) => Value::Bool(flag != 0),
            (3, Field::Varint(integer)) => Value::Int(integer.cast_signed()),
            (5, Field::Bytes(array)) => Value::Strs(strings(array)?),
            _ => Value::Other,
        };
    }
    Ok(value)
}

fn strings(bytes: &[u8]) -> Result<Vec<&str>, SpanError> {
    let mut values = Vec::new();
    for field in Fields(bytes) {
        if let (1, Field::Bytes(item)) = field.map_err(|()| SpanError::Malformed)?
            && let Value::Str(text) = any_value(item)?
        {
            values.push(text);
        }
    }
    Ok(values)
}

fn is_error(status: &[u8]) -> bool {
    Fields(status).any(|field| matches!(field, Ok((3, Field::Varint(2)))))
}
