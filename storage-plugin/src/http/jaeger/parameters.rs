//! The parameters of Jaeger's HTTP interfaces, read as Jaeger reads them.
//!
//! Promise: any text is a question or an error that names the parameter; nothing is guessed, and a
//! limit that is too high is refused, not lowered in silence.

use std::collections::BTreeMap;

use kausal_trace::UnixNanos;

use super::{RESULTS_MAX, duration};
use crate::error::ReadError;
use crate::traces::TraceQuery;

const HOUR_NANOS: u64 = 3_600_000_000_000;
/// How far back a search of `/api/traces` without a start looks.
const SEARCH_BACK_NANOS: u64 = 48 * HOUR_NANOS;
/// How far back `/api/dependencies` looks unless told.
const DEPENDENCIES_BACK_NANOS: u64 = 24 * HOUR_NANOS;

/// The parameters of one request.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters(pub(super) Vec<(String, String)>);

impl Parameters {
    /// The first value that is not empty under any of these names: a parameter and its older
    /// spellings.
    pub(super) fn text(&self, names: &[&str]) -> Option<&str> {
        let given =
            self.0.iter().find(|(name, value)| names.contains(&name.as_str()) && !value.is_empty());
        given.map(|(_, value)| value.as_str())
    }

    /// Every value of a repeated parameter.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// Whether a flag is set, as Jaeger has it: anything but nothing and `false`.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.text(&[name]).is_some_and(|value| value != "false")
    }

    /// A search of `/api/traces`; from two days ago to `now` unless told.
    pub(super) fn legacy_search(&self, now: UnixNanos) -> Result<TraceQuery, ReadError> {
        let service = self.text(&["service"]).ok_or_else(|| missing("service"))?;
        let mut attributes = self.map(&["tags"])?;
        for tag in self.all("tag") {
            let pair = tag.split_once(':').filter(|(key, _)| !key.is_empty());
            let (key, value) = pair.ok_or_else(|| wrong("tag", "write it as key:value"))?;
            attributes.push((key.to_owned(), value.to_owned()));
        }
        let back = UnixNanos(now.0.saturating_sub(SEARCH_BACK_NANOS));
        self.query(&Names {
            service,
            operation: &["operation"],
            attributes,
            from: Some(self.epoch("start", 1_000)?.unwrap_or(back)),
            to: Some(self.epoch("end", 1_000)?.unwrap_or(now)),
            durations: [&["minDuration"], &["maxDuration"]],
            limit: &["limit"],
        })
    }

    /// A search of `/api/v3/traces` and `/api/v3/trace-summaries`.
    pub(super) fn v3_search(&self) -> Result<TraceQuery, ReadError> {
        if self.text(&["query.filter"]).is_some() {
            return Err(wrong("query.filter", "filter expressions are not known here"));
        }
        let required = |names: [&str; 2]| self.instant(&names)?.ok_or_else(|| missing(names[0]));
        let from = required(["query.startTimeMin", "query.start_time_min"])?;
        let to = required(["query.startTimeMax", "query.start_time_max"])?;
        if from >= to {
            return Err(wrong("query.startTimeMin", "it must lie before query.startTimeMax"));
        }
        self.query(&Names {
            service: self.text(&["query.serviceName", "query.service_name"]).unwrap_or(""),
            operation: &["query.operationName", "query.operation_name"],
            attributes: self.map(&["query.attributes"])?,
            from: Some(from),
            to: Some(to),
            durations: [
                &["query.durationMin", "query.duration_min"],
                &["query.durationMax", "query.duration_max"],
            ],
            limit: &[
                "query.searchDepth",
                "query.search_depth",
                "query.numTraces",
                "query.num_traces",
            ],
        })
    }

    /// First and last instant of `/api/dependencies`: `lookback` before `endTs`, milliseconds.
    pub(super) fn dependencies(&self, now: UnixNanos) -> Result<(UnixNanos, UnixNanos), ReadError> {
        let end = self.epoch("endTs", 1_000_000)?.unwrap_or(now);
        let back =
            self.epoch("lookback", 1_000_000)?.map_or(DEPENDENCIES_BACK_NANOS, |back| back.0);
        Ok((UnixNanos(end.0.saturating_sub(back)), end))
    }

    /// Checks the hints of `/api/traces/{id}` without using them: Jaeger reads microseconds there
    /// and Grafana sends milliseconds.
    pub(super) fn check_hints(&self) -> Result<(), ReadError> {
        self.epoch("start", 1_000)?;
        self.epoch("end", 1_000)?;
        Ok(())
    }

    /// An RFC 3339 time. Grafana does not escape it, so that a `+` before the zone arrives as a
    /// space.
    pub(super) fn instant(&self, names: &[&str]) -> Result<Option<UnixNanos>, ReadError> {
        let Some(text) = self.text(names) else { return Ok(None) };
        let zone_at = text.rfind(' ').filter(|at| *at > "2026-11-20T".len());
        let mended = zone_at.and_then(|at| text.split_at_checked(at));
        let mended = mended.map(|(time, zone)| format!("{time}+{}", zone.trim_start()));
        let time = UnixNanos::parse_rfc3339(mended.as_deref().unwrap_or(text));
        let name = names.first().copied().unwrap_or_default();
        time.map(Some).ok_or_else(|| wrong(name, "write a time as 2026-11-20T15:05:00Z"))
    }

    /// A number of units since 1970, or of units alone; `unit` in nanoseconds.
    fn epoch(&self, name: &str, unit: u64) -> Result<Option<UnixNanos>, ReadError> {
        let Some(text) = self.text(&[name]) else { return Ok(None) };
        let unit_name = if unit == 1_000 { "microseconds" } else { "milliseconds" };
        let number = text.parse::<u64>();
        let number = number.map_err(|_| wrong(name, &format!("it is a number of {unit_name}")))?;
        Ok(Some(UnixNanos(number.saturating_mul(unit))))
    }

    /// A JSON object whose values are strings.
    fn map(&self, names: &[&str]) -> Result<Vec<(String, String)>, ReadError> {
        let Some(text) = self.text(names) else { return Ok(Vec::new()) };
        let map: Result<BTreeMap<String, String>, _> = serde_json::from_str(text);
        let name = names.first().copied().unwrap_or_default();
        let hint = r#"write it as a JSON object of strings, {"namespace":"shop"}"#;
        Ok(map.map_err(|_| wrong(name, hint))?.into_iter().collect())
    }

    fn query(&self, names: &Names<'_>) -> Result<TraceQuery, ReadError> {
        let [shortest, longest] = names.durations;
        let (least, most) = (self.duration(shortest)?, self.duration(longest)?);
        if least.zip(most).is_some_and(|(least, most)| most < least) {
            let name = longest.first().copied().unwrap_or_default();
            return Err(wrong(name, "it must not be shorter than the shortest duration"));
        }
        Ok(TraceQuery {
            service: names.service.to_owned(),
            operation: self.text(names.operation).unwrap_or("").to_owned(),
            attributes: names.attributes.clone(),
            from: names.from,
            to: names.to,
            shortest: least,
            longest: most,
            limit: self.limit(names.limit)?,
        })
    }

    fn duration(&self, names: &[&str]) -> Result<Option<u64>, ReadError> {
        let Some(text) = self.text(names) else { return Ok(None) };
        let name = names.first().copied().unwrap_or_default();
        let hint = "write a duration as 1.5s, 100ms or 1h2m";
        duration::parse(text).map(Some).ok_or_else(|| wrong(name, hint))
    }

    fn limit(&self, names: &[&str]) -> Result<Option<usize>, ReadError> {
        let Some(text) = self.text(names) else { return Ok(None) };
        let limit = text.parse().ok().filter(|limit| (1..=RESULTS_MAX).contains(limit));
        let name = names.first().copied().unwrap_or_default();
        let hint = format!("from 1 to {RESULTS_MAX} can be");
        limit.map(Some).ok_or_else(|| wrong(name, &hint))
    }
}

/// What one of the two interfaces calls the parts of a search.
struct Names<'a> {
    service: &'a str,
    operation: &'a [&'a str],
    attributes: Vec<(String, String)>,
    from: Option<UnixNanos>,
    to: Option<UnixNanos>,
    durations: [&'a [&'a str]; 2],
    limit: &'a [&'a str],
}

/// The error for a parameter that must be there.
pub(super) fn missing(name: &str) -> ReadError {
    ReadError::invalid(format!("parameter '{name}' is required"), "")
}

fn wrong(name: &str, hint: &str) -> ReadError {
    ReadError::invalid(format!("parameter '{name}' cannot be read"), hint)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: UnixNanos = UnixNanos(1_795_187_131_000_000_000);

    fn given(pairs: &[(&str, &str)]) -> Parameters {
        let owned = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Parameters(owned.collect())
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        given(pairs).0
    }

    #[test]
    fn a_search_as_grafana_and_older_uis_send_it() {
        let asked = given(&[
            ("service", "tracing"),
            ("operation", "capture"),
            ("tags", r#"{"resource":"deployments","code":"403"}"#),
            ("tag", "namespace:shop"),
            ("tag", "request.uri:/api/v1:x"),
            ("start", "1795186800000000"),
            ("end", "1795187131000000"),
            ("minDuration", "1ms"),
            ("maxDuration", "1h2m3.5s"),
            ("limit", "20"),
            ("lookback", "1h"),
        ]);
        let expect = TraceQuery {
            service: "tracing".to_owned(),
            operation: "capture".to_owned(),
            attributes: pairs(&[
                ("code", "403"),
                ("resource", "deployments"),
                ("namespace", "shop"),
                ("request.uri", "/api/v1:x"),
            ]),
            from: Some(UnixNanos(1_795_186_800_000_000_000)),
            to: Some(NOW),
            shortest: Some(1_000_000),
            longest: Some(3_723_500_000_000),
            limit: Some(20),
        };
        assert_eq!(asked.legacy_search(NOW).unwrap(), expect);
    }

    #[test]
    fn a_search_as_newer_uis_send_it_and_in_older_spelling() {
        let check = |names: [&str; 8]| {
            let values = [
                "tracing",
                "capture",
                "2026-11-20T15:00:00Z",
                "2026-11-20T15:05:31.000Z",
                "1ms",
                "2s",
                "20",
                r#"{"namespace":"shop"}"#,
            ];
            let asked = given(&names.into_iter().zip(values).collect::<Vec<_>>());
            let expect = TraceQuery {
                service: "tracing".to_owned(),
                operation: "capture".to_owned(),
                attributes: pairs(&[("namespace", "shop")]),
                from: Some(UnixNanos(1_795_186_800_000_000_000)),
                to: Some(NOW),
                shortest: Some(1_000_000),
                longest: Some(2_000_000_000),
                limit: Some(20),
            };
            assert_eq!(asked.v3_search().unwrap(), expect, "{names:?}");
        };
        check([
            "query.serviceName",
            "query.operationName",
            "query.startTimeMin",
            "query.startTimeMax",
            "query.durationMin",
            "query.durationMax",
            "query.searchDepth",
            "query.attributes",
        ]);
        check([
            "query.service_name",
            "query.operation_name",
            "query.start_time_min",
            "query.start_time_max",
            "query.duration_min",
            "query.duration_max",
            "query.num_traces",
            "query.attributes",
        ]);
    }

    #[test]
    fn what_is_not_given_has_jaegers_defaults() {
        let asked = given(&[("service", "s")]).legacy_search(NOW).unwrap();
        assert_eq!((asked.to, asked.limit), (Some(NOW), None));
        assert_eq!(asked.from, Some(UnixNanos(NOW.0 - 172_800_000_000_000)));
        let (from, to) = given(&[("lookback", "604800000")]).dependencies(NOW).unwrap();
        assert_eq!((from, to), (UnixNanos(NOW.0 - 604_800_000_000_000), NOW));
    }

    #[test]
    fn a_zone_survives_that_was_not_escaped() {
        let check = |text| {
            let time = given(&[("t", text)]).instant(&["t"]).unwrap();
            assert_eq!(time, Some(NOW), "{text}");
        };
        check("2026-11-20T15:05:31Z");
        check("2026-11-20T16:05:31+01:00");
        check("2026-11-20T16:05:31 01:00");
    }

    #[test]
    fn wrong_parameters_are_named() {
        let legacy = |pairs: &[(&str, &str)], expect: &str| {
            let asked = [&[("service", "s")], pairs].concat();
            let error = given(&asked).legacy_search(NOW).unwrap_err();
            assert!(error.code() == "invalid" && error.to_string().contains(expect), "{error}");
        };
        legacy(&[("tags", "namespace=shop")], "'tags'");
        legacy(&[("tags", r#"{"code":403}"#)], "'tags'");
        legacy(&[("tag", "namespace")], "'tag'");
        legacy(&[("start", "yesterday")], "'start'");
        legacy(&[("end", "-1")], "'end'");
        legacy(&[("minDuration", "1")], "'minDuration'");
        legacy(&[("minDuration", "2s"), ("maxDuration", "1s")], "'maxDuration'");
        legacy(&[("limit", "0")], "'limit'");
        legacy(&[("limit", "1501")], "'limit'");
        let v3 = |pairs: &[(&str, &str)], expect: &str| {
            let error = given(pairs).v3_search().unwrap_err().to_string();
            assert!(error.contains(expect), "{error}");
        };
        let (min, max) = ("query.startTimeMin", "query.startTimeMax");
        v3(&[], "'query.startTimeMin' is required");
        v3(&[(min, "2026-11-20T15:00:00Z")], "'query.startTimeMax' is required");
        v3(&[(min, "2026-11-20T15:00:00Z"), (max, "2026-11-20T15:00:00Z")], min);
        v3(&[(min, "1"), (max, "2")], min);
        v3(&[("query.filter", "{}")], "'query.filter'");
    }

    proptest! {
        #[test]
        fn any_text_is_a_question_or_an_error(
            values in prop::collection::vec((0_usize..14, "\\PC{0,24}"), 0..12),
        ) {
            const NAMES: [&str; 14] = [
                "service", "operation", "tags", "tag", "start", "end", "minDuration",
                "maxDuration", "limit", "endTs", "lookback", "query.startTimeMin",
                "query.startTimeMax", "query.attributes",
            ];
            let pairs = values.into_iter().map(|(name, value)| (NAMES[name].to_owned(), value));
            let asked = Parameters(pairs.collect());
            for error in [
                asked.legacy_search(NOW).err(),
                asked.v3_search().err(),
                asked.dependencies(NOW).err(),
                asked.check_hints().err(),
            ].into_iter().flatten() {
                prop_assert_eq!(error.code(), "invalid");
            }
        }
    }
}
