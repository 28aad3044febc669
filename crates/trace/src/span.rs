//! Reads stored spans without copying.
//!
//! Promise: never panics, whatever the bytes; what it does not know it skips.

use kausal_object::KeyRef;

use crate::attribute;
use crate::id::{FactKind, SpanId, TraceId};
use crate::time::UnixNanos;
use crate::wire::otlp::{any_value, key_value, span as of, status};
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
    /// Last instant, never before `start`.
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
            span.read(field.map_err(|()| SpanError::Malformed)?)?;
        }
        if span.trace == TraceId([0; 16]) || span.span == SpanId([0; 8]) {
            return Err(SpanError::Ids);
        }
        span.end = span.end.max(span.start);
        Ok(span)
    }

    fn read(&mut self, (number, field): (u32, Field<'a>)) -> Result<(), SpanError> {
        match (number, field) {
            (of::TRACE_ID, Field::Bytes(id)) => {
                self.trace = TraceId(id.try_into().map_err(|_| SpanError::Ids)?);
            }
            (of::SPAN_ID, Field::Bytes(id)) => {
                self.span = SpanId(id.try_into().map_err(|_| SpanError::Ids)?);
            }
            (of::PARENT_SPAN_ID, Field::Bytes(id)) => self.parent = parent(id),
            (of::NAME, Field::Bytes(name)) => self.name = text(name)?,
            (of::START, Field::Fixed64(nanos)) => self.start = UnixNanos(nanos),
            (of::END, Field::Fixed64(nanos)) => self.end = UnixNanos(nanos),
            (of::ATTRIBUTES, Field::Bytes(pair)) => self.attributes.push(self::pair(pair)?),
            (of::STATUS, Field::Bytes(status)) => self.error = is_error(status),
            _ => {}
        }
        Ok(())
    }

    /// The value of an attribute; the first, if there are several of that name.
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

    /// The object key, from the five attributes that carry it; what is missing is empty.
    pub fn object_key(&self) -> KeyRef<'a> {
        KeyRef {
            cluster: self.str(attribute::CLUSTER),
            group: self.str(attribute::GROUP),
            resource: self.str(attribute::RESOURCE),
            namespace: self.str(attribute::NAMESPACE),
            name: self.str(attribute::NAME),
        }
    }

    /// What kind of stored span this is, by its name.
    pub fn kind(&self) -> Option<FactKind> {
        FactKind::from_span_name(self.name)
    }
}

/// Empty and all-zero ids mean "no parent".
fn parent(id: &[u8]) -> Option<SpanId> {
    id.try_into().ok().map(SpanId).filter(|id| *id != SpanId([0; 8]))
}

fn text(bytes: &[u8]) -> Result<&str, SpanError> {
    std::str::from_utf8(bytes).map_err(|_| SpanError::Malformed)
}

/// The text of an encoded attribute, if it has this name and is a string.
pub(crate) fn str_attribute<'a>(bytes: &'a [u8], key: &str) -> Option<&'a str> {
    match pair(bytes) {
        Ok((name, Value::Str(text))) if name == key => Some(text),
        _ => None,
    }
}

fn pair(bytes: &[u8]) -> Result<(&str, Value<'_>), SpanError> {
    let mut pair = ("", Value::Other);
    for field in Fields(bytes) {
        match field.map_err(|()| SpanError::Malformed)? {
            (key_value::KEY, Field::Bytes(key)) => pair.0 = text(key)?,
            (key_value::VALUE, Field::Bytes(value)) => pair.1 = any(value)?,
            _ => {}
        }
    }
    Ok(pair)
}

fn any(bytes: &[u8]) -> Result<Value<'_>, SpanError> {
    use any_value as of;
    let mut value = Value::Other;
    for field in Fields(bytes) {
        value = match field.map_err(|()| SpanError::Malformed)? {
            (of::STRING, Field::Bytes(string)) => Value::Str(text(string)?),
            (of::BOOL, Field::Varint(flag)) => Value::Bool(flag != 0),
            (of::INT, Field::Varint(integer)) => Value::Int(integer.cast_signed()),
            (of::ARRAY, Field::Bytes(array)) => Value::Strs(strings(array)?),
            _ => Value::Other,
        };
    }
    Ok(value)
}

fn strings(bytes: &[u8]) -> Result<Vec<&str>, SpanError> {
    let mut values = Vec::new();
    for field in Fields(bytes) {
        if let (any_value::ARRAY_VALUES, Field::Bytes(item)) =
            field.map_err(|()| SpanError::Malformed)?
            && let Value::Str(text) = any(item)?
        {
            values.push(text);
        }
    }
    Ok(values)
}

fn is_error(status: &[u8]) -> bool {
    Fields(status).any(|field| matches!(field, Ok((status::CODE, Field::Varint(status::ERROR)))))
}
