//! Values of attributes as JSON, in the two forms Jaeger has.
//!
//! Promise: every value has a form; bytes are base64, and what JSON has no number for is a string.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use serde_json::{Map, Value, json};

/// A value as OTLP/JSON: `{"intValue": "7"}`.
pub(super) fn tagged(value: Option<&AnyValue>) -> Value {
    let Some(any) = value.and_then(|value| value.value.as_ref()) else { return json!({}) };
    match any {
        Any::StringValue(text) => json!({"stringValue": text}),
        Any::BoolValue(value) => json!({"boolValue": value}),
        Any::IntValue(number) => json!({"intValue": number.to_string()}),
        Any::DoubleValue(number) => json!({"doubleValue": double(*number)}),
        Any::BytesValue(bytes) => json!({"bytesValue": BASE64_STANDARD.encode(bytes)}),
        Any::ArrayValue(array) => {
            let values: Vec<_> = array.values.iter().map(|value| tagged(Some(value))).collect();
            json!({"arrayValue": {"values": values}})
        }
        Any::KvlistValue(list) => json!({"kvlistValue": {"values": attributes(&list.values)}}),
        // Only profiles have tables of strings.
        Any::StringValueStrindex(_) => json!({}),
    }
}

/// Attributes as OTLP/JSON.
pub(super) fn attributes(pairs: &[KeyValue]) -> Value {
    let pair = |pair: &KeyValue| json!({"key": pair.key, "value": tagged(pair.value.as_ref())});
    pairs.iter().map(pair).collect()
}

/// A value as plain JSON: the elements of arrays and maps as people read them.
pub(super) fn plain(value: Option<&AnyValue>) -> Value {
    match value.and_then(|value| value.value.as_ref()) {
        None | Some(Any::StringValueStrindex(_)) => Value::Null,
        Some(Any::StringValue(text)) => json!(text),
        Some(Any::BoolValue(value)) => json!(value),
        Some(Any::IntValue(number)) => json!(number),
        Some(Any::DoubleValue(number)) => double(*number),
        Some(Any::BytesValue(bytes)) => json!(BASE64_STANDARD.encode(bytes)),
        Some(Any::ArrayValue(array)) => {
            array.values.iter().map(|value| plain(Some(value))).collect()
        }
        Some(Any::KvlistValue(list)) => {
            let pair = |pair: &KeyValue| (pair.key.clone(), plain(pair.value.as_ref()));
            Value::Object(list.values.iter().map(pair).collect::<Map<_, _>>())
        }
    }
}

fn double(number: f64) -> Value {
    if number.is_finite() {
        return json!(number);
    }
    let name = if number.is_nan() {
        "NaN"
    } else if number > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    };
    json!(name)
}
