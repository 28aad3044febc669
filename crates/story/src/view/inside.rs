//! Inside a request: where the apiserver says its time went, and which admission webhooks took part.
//!
//! Promise: every span lies within its request. Durations are as recorded; the apiserver records no
//! beginnings, so phases stand one after another in the order in which it handles a request, and
//! each span says how it was placed.

use std::time::Duration;

use kausal_trace::{
    AttrValue, SpanId, SpanKind, TraceId, UnixNanos, Value, ViewSpan, attribute as a,
};
use serde_json::Value as Json;

use crate::fact::AuditFact;

/// Service of these spans.
const SERVICE: &str = "apiserver";
/// The whole request: no phase, but the span around all of them.
const TOTAL: &str = "total";
/// Phases in the order of handling. Source: the handler chain and the latency trackers of
/// `k8s.io/apiserver`; what is not named here comes last, by name.
const PHASES: [&str; 10] = [
    "authentication",
    "apf-queue-wait",
    "authorization",
    MUTATING,
    VALIDATING,
    "etcd",
    "decode-response-object",
    "transform-response-object",
    "serialize-response-object",
    "response-write",
];
const MUTATING: &str = "mutating-webhook";
const VALIDATING: &str = "validating-webhook";
/// Webhook annotations, after the prefix of all admission annotations.
const WEBHOOKS: [(&str, &str, Says); 4] = [
    ("mutation.webhook.admission.k8s.io/", MUTATING, Says::Object),
    ("patch.webhook.admission.k8s.io/", MUTATING, Says::Object),
    ("failed-open.mutating.webhook.admission.k8s.io/", MUTATING, Says::FailedOpen),
    ("failed-open.validating.webhook.admission.k8s.io/", VALIDATING, Says::FailedOpen),
];
/// Webhooks of one request; a cluster with more has other troubles.
const WEBHOOKS_MAX: usize = 64;

/// What the value of a webhook annotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    /// JSON with configuration, webhook and what it did.
    Object,
    /// The name of a webhook that did not answer and was passed over.
    FailedOpen,
}

/// A part of a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Inside {
    name: String,
    start: UnixNanos,
    end: UnixNanos,
    attributes: Vec<(String, AttrValue)>,
}

impl Inside {
    pub(super) fn into_span(
        self,
        span: SpanId,
        (trace, parent): (TraceId, SpanId),
        cluster: &str,
    ) -> ViewSpan {
        ViewSpan {
            trace,
            span,
            parent: Some(parent),
            name: self.name,
            service: SERVICE.to_owned(),
            cluster: cluster.to_owned(),
            start: self.start,
            end: self.end,
            attributes: self.attributes,
            events: Vec::new(),
            links: Vec::new(),
            error: None,
            kind: SpanKind::Internal,
        }
    }
}

/// The parts of a request, in the order of handling.
pub(super) fn of(fact: &AuditFact<'_>) -> Vec<Inside> {
    let mut parts = phases(fact);
    for webhook in webhooks(fact) {
        let phase = parts.iter().position(|part| part.name == webhook.phase);
        let start = phase.and_then(|at| parts.get(at)).map_or(fact.start, |phase| phase.start);
        let at = phase.map_or(parts.len(), |at| at + 1);
        let after = parts.iter().skip(at).take_while(|part| part.name.starts_with("webhook "));
        let at = at + after.count();
        parts.insert(at, webhook.placed(start));
    }
    parts
}

fn phases(fact: &AuditFact<'_>) -> Vec<Inside> {
    let mut recorded: Vec<_> = texts(fact)
        .filter_map(|(name, text)| Some((name.strip_prefix(a::LATENCY_PREFIX)?, text)))
        .filter(|(name, _)| *name != TOTAL)
        .filter_map(|(name, text)| Some((order(name), name, text, duration(text)?)))
        .collect();
    recorded.sort_unstable();
    let end = fact.end.max(fact.start);
    let mut at = fact.start;
    let place = |(_, name, text, duration): (usize, &str, &str, u64)| {
        let start = at;
        at = UnixNanos(start.0.saturating_add(duration).min(end.0));
        let cut = if at.0 - start.0 < duration { "; cut at the end of the request" } else { "" };
        let placement =
            format!("duration recorded, start not: placed in the order of handling{cut}");
        Inside {
            name: name.to_owned(),
            start,
            end: at,
            attributes: vec![
                ("duration".to_owned(), text.into()),
                ("placement".to_owned(), placement.into()),
            ],
        }
    };
    recorded.into_iter().map(place).collect()
}

fn order(phase: &str) -> usize {
    PHASES.iter().position(|known| *known == phase).unwrap_or(PHASES.len())
}

fn texts<'f>(fact: &'f AuditFact<'_>) -> impl Iterator<Item = (&'f str, &'f str)> {
    fact.more.iter().filter_map(|(name, value)| match value {
        Value::Str(text) => Some((*name, *text)),
        _ => None,
    })
}

/// What annotations say of one webhook.
struct Webhook<'f> {
    phase: &'static str,
    /// `round_0_index_1`: sets it apart from the others of its phase.
    call: &'f str,
    name: String,
    attributes: Vec<(String, AttrValue)>,
}

impl Webhook<'_> {
    fn placed(self, start: UnixNanos) -> Inside {
        let mut attributes = self.attributes;
        attributes.push(("call".to_owned(), self.call.into()));
        attributes.push((
            "placement".to_owned(),
            "neither start nor duration recorded: placed at the beginning of its phase".into(),
        ));
        Inside { name: format!("webhook {}", self.name), start, end: start, attributes }
    }
}

/// Webhooks in the order of phase and call; several annotations of one call are put together.
fn webhooks<'f>(fact: &'f AuditFact<'_>) -> Vec<Webhook<'f>> {
    let mut webhooks: Vec<Webhook<'f>> = Vec::new();
    for (name, text) in texts(fact) {
        let Some(key) = name.strip_prefix(a::ADMISSION_PREFIX) else { continue };
        let known = WEBHOOKS
            .iter()
            .find_map(|(prefix, phase, says)| Some((*phase, *says, key.strip_prefix(prefix)?)));
        let Some((phase, says, call)) = known else { continue };
        let (name, attributes) = read_webhook(says, text);
        if let Some(one) = webhooks.iter_mut().find(|one| (one.phase, one.call) == (phase, call)) {
            one.attributes.extend(attributes);
        } else if webhooks.len() < WEBHOOKS_MAX {
            webhooks.push(Webhook { phase, call, name, attributes });
        }
    }
    webhooks.sort_by(|a, b| (order(a.phase), a.call).cmp(&(order(b.phase), b.call)));
    webhooks
}

fn read_webhook(says: Says, text: &str) -> (String, Vec<(String, AttrValue)>) {
    if says == Says::FailedOpen {
        return (text.to_owned(), vec![("failed_open".to_owned(), true.into())]);
    }
    let Ok(Json::Object(members)) = serde_json::from_str::<Json>(text) else {
        return ("unknown".to_owned(), vec![("annotation".to_owned(), text.into())]);
    };
    let name = members.get("webhook").and_then(Json::as_str).unwrap_or("unknown").to_owned();
    let others = members.iter().filter(|(member, _)| *member != "webhook");
    let attribute = |(member, value): (&String, &Json)| {
        let value = match value {
            Json::String(text) => AttrValue::Str(text.clone()),
            Json::Bool(flag) => AttrValue::Bool(*flag),
            other => AttrValue::Str(other.to_string()),
        };
        (member.clone(), value)
    };
    (name, others.map(attribute).collect())
}

/// Nanoseconds of a duration as Go prints it (`1m2.5s`, `843.5µs`).
fn duration(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let unit = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let seconds = match unit {
            "h" => 3_600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "µs" | "μs" | "us" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        let part = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?;
        sum = sum.checked_add(part)?;
        rest = after;
    }
    (!text.is_empty()).then_some(())?;
    u64::try_from(sum.as_nanos()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, start and end of each part of a request from 1,000 to 2,000 ns.
    fn check(more: &[(&str, &str)], expect: &[(&str, u64, u64)]) {
        let parts = parts(more);
        let told: Vec<_> =
            parts.iter().map(|part| (&*part.name, part.start.0, part.end.0)).collect();
        assert_eq!(told, expect, "{more:?}");
    }

    fn parts(more: &[(&str, &str)]) -> Vec<Inside> {
        let more = more.iter().map(|(name, text)| (*name, Value::Str(text))).collect();
        let (start, end) = (UnixNanos(1_000), UnixNanos(2_000));
        of(&AuditFact { start, end, more, ..AuditFact::default() })
    }

    #[test]
    fn phases_follow_each_other_within_the_request() {
        check(
            &[
                ("apiserver.latency.etcd", "200ns"),
                ("apiserver.latency.authorization", "100ns"),
                ("apiserver.latency.total", "1µs"),
                ("apiserver.latency.later-invention", "5ns"),
                ("apiserver.latency.response-write", "soon"),
            ],
            &[
                ("authorization", 1_000, 1_100),
                ("etcd", 1_100, 1_300),
                ("later-invention", 1_300, 1_305),
            ],
        );
    }

    #[test]
    fn what_lasts_longer_than_the_request_is_cut_and_says_so() {
        let parts = parts(&[("apiserver.latency.etcd", "3s"), ("apiserver.latency.x", "1ns")]);
        let ends: Vec<_> = parts.iter().map(|part| (part.start.0, part.end.0)).collect();
        assert_eq!(ends, [(1_000, 2_000), (2_000, 2_000)]);
        assert!(format!("{:?}", parts[0].attributes).contains("cut at the end"));
    }

    #[test]
    fn webhooks_stand_at_the_beginning_of_their_phase() {
        let mutation = r#"{"configuration":"injector","webhook":"inject.example","mutated":true}"#;
        let patch =
            r#"{"webhook":"inject.example","patch":[{"op":"add"}],"patchType":"JSONPatch"}"#;
        let more = [
            (
                "admission.failed-open.validating.webhook.admission.k8s.io/round_0_index_2",
                "v.example",
            ),
            ("admission.mutation.webhook.admission.k8s.io/round_0_index_0", mutation),
            ("admission.patch.webhook.admission.k8s.io/round_0_index_0", patch),
            ("apiserver.latency.authorization", "100ns"),
            ("apiserver.latency.etcd", "100ns"),
            ("apiserver.latency.mutating-webhook", "300ns"),
        ];
        check(
            &more,
            &[
                ("authorization", 1_000, 1_100),
                ("mutating-webhook", 1_100, 1_400),
                ("webhook inject.example", 1_100, 1_100),
                ("etcd", 1_400, 1_500),
                ("webhook v.example", 1_000, 1_000),
            ],
        );
        let webhook = format!("{:?}", parts(&more)[2].attributes);
        for told in ["mutated", r#"[{\"op\":\"add\"}]"#, "injector", "round_0_index_0"] {
            assert!(webhook.contains(told), "{told} in {webhook}");
        }
    }

    #[test]
    fn durations_are_gos() {
        let check = |text: &str, expect: Option<u64>| assert_eq!(duration(text), expect, "{text}");
        check("1.5ms", Some(1_500_000));
        check("843.25µs", Some(843_250));
        check("1m2.5s", Some(62_500_000_000));
        check("1h0m0.5s", Some(3_600_500_000_000));
        check("0s", Some(0));
        for wrong in ["", "5", "ms", "1.2.3s", "-1s", "1d", "99999999999999h", "infs"] {
            check(wrong, None);
        }
    }
}
