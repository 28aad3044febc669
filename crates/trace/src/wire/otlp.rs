//! OTLP messages by field number, and the pieces every writer of them needs.
//!
//! Numbers: opentelemetry-proto 1.11, `trace/v1/trace.proto`, `common/v1/common.proto`,
//! `resource/v1/resource.proto`. All of them are under 16, so that a tag is one byte.

use super::{BYTES, VARINT, bytes_len, put_bytes, put_tag, put_varint, varint_len};
use crate::attribute;

/// `TracesData` and `ExportTraceServiceRequest` alike: `resource_spans`.
pub(crate) const RESOURCE_SPANS: u32 = 1;
/// `ResourceSpans.resource`.
pub(crate) const RESOURCE: u32 = 1;
/// `ResourceSpans.scope_spans`.
pub(crate) const SCOPE_SPANS: u32 = 2;
/// `ScopeSpans.spans`.
pub(crate) const SPANS: u32 = 2;
/// `Resource.attributes`.
pub(crate) const RESOURCE_ATTRIBUTES: u32 = 1;

/// `Span`.
pub(crate) mod span {
    pub(crate) const TRACE_ID: u32 = 1;
    pub(crate) const SPAN_ID: u32 = 2;
    pub(crate) const PARENT_SPAN_ID: u32 = 4;
    pub(crate) const NAME: u32 = 5;
    pub(crate) const KIND: u32 = 6;
    pub(crate) const START: u32 = 7;
    pub(crate) const END: u32 = 8;
    pub(crate) const ATTRIBUTES: u32 = 9;
    pub(crate) const DROPPED_ATTRIBUTES: u32 = 10;
    pub(crate) const EVENTS: u32 = 11;
    pub(crate) const DROPPED_EVENTS: u32 = 12;
    pub(crate) const LINKS: u32 = 13;
    pub(crate) const STATUS: u32 = 15;
}

/// `Span.Event`.
pub(crate) mod event {
    pub(crate) const TIME: u32 = 1;
    pub(crate) const NAME: u32 = 2;
    pub(crate) const ATTRIBUTES: u32 = 3;
}

/// `Span.Link`.
pub(crate) mod link {
    pub(crate) const TRACE_ID: u32 = 1;
    pub(crate) const SPAN_ID: u32 = 2;
}

/// `KeyValue`.
pub(crate) mod key_value {
    pub(crate) const KEY: u32 = 1;
    pub(crate) const VALUE: u32 = 2;
}

/// `AnyValue`, and `ArrayValue`, whose one field is `values`.
pub(crate) mod any_value {
    pub(crate) const STRING: u32 = 1;
    pub(crate) const BOOL: u32 = 2;
    pub(crate) const INT: u32 = 3;
    pub(crate) const ARRAY: u32 = 5;
    pub(crate) const ARRAY_VALUES: u32 = 1;
}

/// `Status`.
pub(crate) mod status {
    pub(crate) const MESSAGE: u32 = 2;
    pub(crate) const CODE: u32 = 3;
    pub(crate) const ERROR: u64 = 2;
}

/// A `KeyValue` in field `field` whose value is a string made of pieces.
pub(crate) fn put_str(out: &mut Vec<u8>, field: u32, key: &str, pieces: &[&str]) {
    let len: usize = pieces.iter().map(|piece| piece.len()).sum();
    put_key(out, field, key, bytes_len(len));
    put_tag(out, any_value::STRING, BYTES);
    put_varint(out, len as u64);
    for piece in pieces {
        out.extend_from_slice(piece.as_bytes());
    }
}

/// A `KeyValue` whose value is an integer.
pub(crate) fn put_int(out: &mut Vec<u8>, field: u32, key: &str, value: i64) {
    let value = value.cast_unsigned();
    put_key(out, field, key, 1 + varint_len(value));
    put_tag(out, any_value::INT, VARINT);
    put_varint(out, value);
}

/// A `KeyValue` whose value is a boolean.
pub(crate) fn put_bool(out: &mut Vec<u8>, field: u32, key: &str, value: bool) {
    put_key(out, field, key, 2);
    put_tag(out, any_value::BOOL, VARINT);
    put_varint(out, u64::from(value));
}

/// A `KeyValue` whose value is an array of strings.
pub(crate) fn put_strs<'v>(
    out: &mut Vec<u8>,
    field: u32,
    key: &str,
    values: impl Iterator<Item = &'v str> + Clone,
) {
    let item = |value: &str| bytes_len(bytes_len(value.len()));
    let inner: usize = values.clone().map(item).sum();
    put_key(out, field, key, bytes_len(inner));
    put_tag(out, any_value::ARRAY, BYTES);
    put_varint(out, inner as u64);
    for value in values {
        put_tag(out, any_value::ARRAY_VALUES, BYTES);
        put_varint(out, bytes_len(value.len()) as u64);
        put_bytes(out, any_value::STRING, value.as_bytes());
    }
}

/// The status `ERROR` of a span, with its message if there is one.
pub(crate) fn put_error(out: &mut Vec<u8>, message: &str) {
    let text = if message.is_empty() { 0 } else { bytes_len(message.len()) };
    put_tag(out, span::STATUS, BYTES);
    put_varint(out, text as u64 + 2);
    if text > 0 {
        put_bytes(out, status::MESSAGE, message.as_bytes());
    }
    put_tag(out, status::CODE, VARINT);
    put_varint(out, status::ERROR);
}

/// A field `resource` with the three attributes every resource of ours has.
pub(crate) fn put_resource(out: &mut Vec<u8>, service: &str, cluster: &str) {
    super::put_message(out, RESOURCE, |out| {
        put_str(out, RESOURCE_ATTRIBUTES, attribute::SERVICE_NAME, &[service]);
        put_str(out, RESOURCE_ATTRIBUTES, attribute::K8S_CLUSTER_NAME, &[cluster]);
        put_str(out, RESOURCE_ATTRIBUTES, attribute::HOST_NAME, &[attribute::HOST_NAME_VALUE]);
    });
}

/// Key and the head of a value of `value_len` encoded bytes.
fn put_key(out: &mut Vec<u8>, field: u32, key: &str, value_len: usize) {
    let len = bytes_len(key.len()) + bytes_len(value_len);
    put_tag(out, field, BYTES);
    put_varint(out, len as u64);
    put_bytes(out, key_value::KEY, key.as_bytes());
    put_tag(out, key_value::VALUE, BYTES);
    put_varint(out, value_len as u64);
}
