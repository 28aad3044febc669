//! What Jaeger's search form asks for, in our words.
//!
//! Display modes stand in for services and clusters for operations: nothing in Jaeger checks that
//! the spans of a result belong to what was searched for.

use kausal_proto::storage::any_value::Value;
use kausal_proto::storage::{AnyValue, TraceQueryParameters};
use kausal_story::Mode;
use kausal_trace::UnixNanos;
use kausal_trace::attribute as a;

use super::times::{instant, nanos};
use crate::error::ReadError;
use crate::search::Filter;

/// Results when the caller does not say how many: Jaeger's own default.
const RESULTS_DEFAULT: usize = 100;

/// A search as Jaeger asks for it.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) mode: Mode,
    pub(crate) filter: Filter,
    pub(crate) results_max: usize,
}

/// Reads the parameters; `None` when the service is none of ours: nothing can be found then.
pub(crate) fn asked(query: &TraceQueryParameters) -> Result<Option<Asked>, ReadError> {
    let service = query.service_name.as_str();
    let mode = if service.is_empty() { Some(Mode::default()) } else { service.parse().ok() };
    let Some(mode) = mode else { return Ok(None) };
    let mut filter = Filter {
        from: instant(query.start_time_min.as_ref()),
        // Jaeger's end belongs to the range, ours does not.
        to: instant(query.start_time_max.as_ref()).map(|to| UnixNanos(to.0.saturating_add(1))),
        shortest: nanos(query.duration_min.as_ref()),
        longest: nanos(query.duration_max.as_ref()),
        ..Filter::default()
    };
    if !query.operation_name.is_empty() {
        filter.attribute(a::CLUSTER, &query.operation_name);
    }
    for attribute in &query.attributes {
        let value = attribute.value.as_ref().and_then(text);
        let wrong = || {
            let message = format!("attribute '{}' has no plain value", attribute.key);
            ReadError::invalid(message, "search for a string, a number or a truth value")
        };
        filter.attribute(&attribute.key, &value.ok_or_else(wrong)?);
    }
    let results_max = usize::try_from(query.search_depth)
        .ok()
        .filter(|depth| *depth > 0)
        .unwrap_or(RESULTS_DEFAULT);
    Ok(Some(Asked { mode, filter, results_max }))
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
        let asked = asked(&query).unwrap().unwrap();
        assert_eq!(asked.filter, Filter::default());
        assert_eq!((asked.mode, asked.results_max), (Mode::default(), RESULTS_DEFAULT));
    }

    #[test]
    fn modes_are_services_and_clusters_are_operations() {
        let query = TraceQueryParameters {
            service_name: "tracing [full tree]".to_owned(),
            operation_name: "Capture".to_owned(),
            search_depth: 20,
            attributes: vec![
                attribute("resource", Value::StringValue("deploy".to_owned())),
                attribute("code", Value::IntValue(403)),
                attribute("error", Value::StringValue("true".to_owned())),
            ],
            ..TraceQueryParameters::default()
        };
        let asked = asked(&query).unwrap().unwrap();
        assert_eq!(
            (asked.mode.to_string().as_str(), asked.results_max),
            ("tracing [full tree]", 20)
        );
        let pairs = [
            ("cluster", "capture"),
            ("resource", "deployments"),
            ("http.response.status_code", "403"),
        ];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(asked.filter.attributes, pairs);
        assert_eq!(asked.filter.error, Some(true));
    }

    #[test]
    fn what_cannot_be_found_or_compared() {
        let unknown =
            TraceQueryParameters { service_name: "checkout".to_owned(), ..Default::default() };
        assert!(asked(&unknown).unwrap().is_none());
        let bytes = TraceQueryParameters {
            attributes: vec![attribute("x", Value::BytesValue(vec![1]))],
            ..Default::default()
        };
        assert_eq!(asked(&bytes).unwrap_err().code(), "invalid");
    }
}
