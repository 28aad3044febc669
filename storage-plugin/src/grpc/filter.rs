//! What Jaeger's search form asks for, read from the wire.

use kausal_proto::storage::any_value::Value;
use kausal_proto::storage::{AnyValue, TraceQueryParameters};

use super::times::{instant, nanos};
use crate::error::ReadError;
use crate::traces::TraceQuery;

/// Reads the parameters.
pub(crate) fn asked(query: &TraceQueryParameters) -> Result<TraceQuery, ReadError> {
    let mut attributes = Vec::with_capacity(query.attributes.len());
    for attribute in &query.attributes {
        let value = attribute.value.as_ref().and_then(text);
        let wrong = || {
            let message = format!("attribute '{}' has no plain value", attribute.key);
            ReadError::invalid(message, "search for a string, a number or a truth value")
        };
        attributes.push((attribute.key.clone(), value.ok_or_else(wrong)?));
    }
    Ok(TraceQuery {
        service: query.service_name.clone(),
        operation: query.operation_name.clone(),
        attributes,
        from: instant(query.start_time_min.as_ref()),
        to: instant(query.start_time_max.as_ref()),
        shortest: nanos(query.duration_min.as_ref()),
        longest: nanos(query.duration_max.as_ref()),
        limit: usize::try_from(query.search_depth).ok().filter(|depth| *depth > 0),
    })
}

/// The form in which stored values are compared.
fn text(value: &AnyValue) -> Option<String> {
    match value.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::BoolValue(flag) => Some(flag.to_string()),
        Value::IntValue(number) => Some(number.to_string()),
        Value::DoubleValue(number) => Some(number.to_string()),
        Value::ArrayValue(_) | Value::KvlistValue(_) | Value::BytesValue(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use kausal_proto::storage::KeyValue;
    use prost_types::{Duration, Timestamp};

    use super::*;

    fn attribute(key: &str, value: Value) -> KeyValue {
        KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }) }
    }

    fn year_one() -> Timestamp {
        Timestamp { seconds: -62_135_596_800, nanos: 0 }
    }

    #[test]
    fn an_empty_form_asks_for_anything() {
        let query = TraceQueryParameters {
            start_time_min: Some(year_one()),
            start_time_max: Some(year_one()),
            duration_min: Some(Duration::default()),
            duration_max: Some(Duration::default()),
            ..TraceQueryParameters::default()
        };
        assert_eq!(asked(&query).unwrap(), TraceQuery::default());
    }

    #[test]
    fn values_are_compared_as_strings() {
        let query = TraceQueryParameters {
            search_depth: 20,
            attributes: vec![
                attribute("resource", Value::StringValue("deploy".to_owned())),
                attribute("code", Value::IntValue(403)),
                attribute("error", Value::BoolValue(true)),
            ],
            ..TraceQueryParameters::default()
        };
        let asked = asked(&query).unwrap();
        let pairs = [("resource", "deploy"), ("code", "403"), ("error", "true")];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!((asked.attributes, asked.limit), (pairs.to_vec(), Some(20)));
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let bytes = TraceQueryParameters {
            attributes: vec![attribute("x", Value::BytesValue(vec![1]))],
            ..Default::default()
        };
        assert_eq!(asked(&bytes).unwrap_err().code(), "invalid");
    }
}
