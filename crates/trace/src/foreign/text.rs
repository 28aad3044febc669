//! The string form of a typed value, in which searches compare.
//!
//! It is the one of Jaeger's own stores (`AsString` of the collector's data model): strings as they
//! are, integers in decimal, doubles as JSON has them, bytes in base64, lists and maps as JSON with
//! sorted names.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::span::{fields, text};
use crate::wire::Field;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The string form of an encoded `AnyValue`.
pub(super) fn value_text(value: &[u8]) -> Cow<'_, str> {
    match Form::of(value) {
        Form::Nothing => Cow::Borrowed(""),
        Form::Text(text) => Cow::Borrowed(text),
        Form::Bytes(bytes) => Cow::Owned(base64(bytes)),
        form => {
            let mut out = String::new();
            form.put_json(&mut out);
            Cow::Owned(out)
        }
    }
}

enum Form<'a> {
    Nothing,
    Text(&'a str),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(&'a [u8]),
    List(&'a [u8]),
    Map(&'a [u8]),
}

impl<'a> Form<'a> {
    fn of(value: &'a [u8]) -> Self {
        // Of several, the last one counts.
        let form = fields(value).filter_map(|field| match field {
            (1, Field::Bytes(string)) => Some(Self::Text(text(string))),
            (2, Field::Varint(flag)) => Some(Self::Bool(flag != 0)),
            (3, Field::Varint(integer)) => Some(Self::Int(integer.cast_signed())),
            (4, Field::Fixed64(bits)) => Some(Self::Double(f64::from_bits(bits))),
            (5, Field::Bytes(list)) => Some(Self::List(list)),
            (6, Field::Bytes(map)) => Some(Self::Map(map)),
            (7, Field::Bytes(bytes)) => Some(Self::Bytes(bytes)),
            _ => None,
        });
        form.last().unwrap_or(Self::Nothing)
    }

    /// The depth of what is stored was checked when it came.
    fn put_json(&self, out: &mut String) {
        match self {
            Self::Nothing => out.push_str("null"),
            Self::Text(text) => put_json_string(out, text),
            Self::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::Int(integer) => out.push_str(&integer.to_string()),
            Self::Double(double) => out.push_str(&double_text(*double)),
            Self::Bytes(bytes) => put_json_string(out, &base64(bytes)),
            Self::List(list) => put_list(out, list),
            Self::Map(map) => put_map(out, map),
        }
    }
}

fn put_list(out: &mut String, list: &[u8]) {
    let mut separator = '[';
    for field in fields(list) {
        if let (1, Field::Bytes(member)) = field {
            out.push(separator);
            Form::of(member).put_json(out);
            separator = ',';
        }
    }
    out.push_str(if separator == '[' { "[]" } else { "]" });
}

fn put_map(out: &mut String, map: &[u8]) {
    let mut members = BTreeMap::new();
    for field in fields(map) {
        if let (1, Field::Bytes(pair)) = field {
            let (key, value) = super::span::key_value(pair);
            members.insert(key, value);
        }
    }
    let mut separator = '{';
    for (key, value) in &members {
        out.push(separator);
        put_json_string(out, key);
        out.push(':');
        Form::of(value).put_json(out);
        separator = ',';
    }
    out.push_str(if members.is_empty() { "{}" } else { "}" });
}

/// As Go writes it: what has a meaning in HTML is escaped.
fn put_json_string(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                out.push_str("\\u");
                // Writing to a string does not fail.
                write!(out, "{:04x}", u32::from(character)).ok();
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// As JSON has it: with an exponent only when it is very large or small.
fn double_text(double: f64) -> String {
    let size = double.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) || !double.is_finite() {
        return format!("{double}");
    }
    let text = format!("{double:e}");
    if size < 1.0 { text } else { text.replace('e', "e+") }
}

fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let digit = BASE64[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
    use prost::Message as _;

    use super::*;

    fn check(value: Value, expect: &str) {
        let bytes = AnyValue { value: Some(value) }.encode_to_vec();
        assert_eq!(value_text(&bytes), expect);
    }

    fn any(value: Value) -> AnyValue {
        AnyValue { value: Some(value) }
    }

    #[test]
    fn scalars() {
        check(Value::StringValue("a<b".into()), "a<b");
        check(Value::BoolValue(true), "true");
        check(Value::IntValue(-7), "-7");
        check(Value::BytesValue(b"any carnal pleas".to_vec()), "YW55IGNhcm5hbCBwbGVhcw==");
        check(Value::BytesValue(vec![0xff, 0xfe]), "//4=");
        assert_eq!(value_text(&[]), "");
    }

    #[test]
    fn doubles_are_written_as_go_writes_them() {
        for (double, expect) in [
            (72.5, "72.5"),
            (3.0, "3"),
            (0.0, "0"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (-1.5e-7, "-1.5e-7"),
            (1e-6, "0.000001"),
        ] {
            check(Value::DoubleValue(double), expect);
        }
    }

    #[test]
    fn lists_and_maps_are_json_with_sorted_names() {
        let list = vec![any(Value::StringValue("<\"\n".into())), AnyValue::default()];
        check(Value::ArrayValue(ArrayValue { values: list }), r#"["\u003c\"\n",null]"#);
        check(Value::ArrayValue(ArrayValue::default()), "[]");
        let pair = |key: &str, value| KeyValue {
            key: key.into(),
            value: Some(any(value)),
            ..KeyValue::default()
        };
        let values = vec![
            pair("b", Value::BytesValue(vec![1])),
            pair("a", Value::KvlistValue(KeyValueList::default())),
        ];
        check(Value::KvlistValue(KeyValueList { values }), r#"{"a":{},"b":"AQ=="}"#);
    }
}
