//! Several sights of one request become one fact.
//!
//! Promise: the result does not depend on order or repetition. Whole copies come before truncated
//! ones, later stages before earlier, higher levels before lower; gaps are filled from the next.
//! Two whole copies that contradict each other both stay, and a warning says so.

use std::cmp::{Ordering, Reverse};

use kausal_trace::{Value, Window};

use crate::fact::{AuditFact, EventFact};

/// Merges the records of one object's requests; the result is in the order of time.
pub(crate) fn audits<'a>(
    mut facts: Vec<AuditFact<'a>>,
    warnings: &mut Vec<String>,
) -> Vec<AuditFact<'a>> {
    for fact in &mut facts {
        fact.more.sort_by_key(|(name, _)| *name);
    }
    facts.sort_by(|a, b| same_request(a, b).then_with(|| best_first(a, b)));
    let mut merged: Vec<AuditFact<'a>> = Vec::with_capacity(facts.len());
    let mut group = 0;
    for fact in facts {
        let new_group =
            merged.get(group).is_none_or(|first| same_request(first, &fact) != Ordering::Equal);
        if new_group {
            group = merged.len();
            merged.push(fact);
            continue;
        }
        if let Some(kept) = merged.iter_mut().skip(group).find(|kept| is_sight_of(kept, &fact)) {
            fill(kept, fact);
        } else {
            let id = fact.audit_id;
            warnings
                .push(format!("two records of request {id} contradict each other; both are shown"));
            merged.push(fact);
        }
    }
    merged.sort_by(|a, b| in_time(a, b));
    merged
}

/// Keeps one copy of each Event; the result is in the order of time, then of arrival.
pub(crate) fn events<'a>(mut events: Vec<EventFact<'a>>) -> Vec<EventFact<'a>> {
    let told = |event: &EventFact<'a>| {
        (event.span, Reverse(event.message.len()), event.message, event.received, event.count)
    };
    events.sort_by(|a, b| {
        told(a).cmp(&told(b)).then_with(|| format!("{a:?}").cmp(&format!("{b:?}")))
    });
    events.dedup_by_key(|event| event.span);
    events.sort_by_key(|event| (event.time, event.received, event.span));
    events
}

/// Order of telling: when it was received, then answered; ids settle the rest.
pub(crate) fn in_time(a: &AuditFact<'_>, b: &AuditFact<'_>) -> Ordering {
    let key = |f: &AuditFact<'_>| (f.start, f.end, f.audit_id.len());
    key(a)
        .cmp(&key(b))
        .then_with(|| a.request_key().cmp(&b.request_key()))
        .then_with(|| best_first(a, b))
}

fn same_request(a: &AuditFact<'_>, b: &AuditFact<'_>) -> Ordering {
    a.request_key()
        .cmp(&b.request_key())
        .then_with(|| if a.audit_id.is_empty() { a.span.cmp(&b.span) } else { Ordering::Equal })
}

fn best_first(a: &AuditFact<'_>, b: &AuditFact<'_>) -> Ordering {
    let rank = |f: &AuditFact<'_>| (!f.truncated.is_empty(), Reverse(f.stage), Reverse(f.level));
    rank(a)
        .cmp(&rank(b))
        .then_with(|| (a.start, a.end, a.span).cmp(&(b.start, b.end, b.span)))
        .then_with(|| a.code.cmp(&b.code))
        .then_with(|| texts(a).cmp(&texts(b)))
        .then_with(|| a.dry_run.cmp(&b.dry_run))
        .then_with(|| format!("{:?}", a.more).cmp(&format!("{:?}", b.more)))
}

fn texts<'f>(f: &'f AuditFact<'_>) -> [&'f str; 20] {
    [
        f.resource_version,
        f.precondition,
        f.uid,
        f.subresource,
        f.version,
        f.response_kind,
        &f.response,
        f.request,
        f.response_cut,
        f.request_cut,
        f.error_reason,
        f.error_message,
        f.error_causes,
        f.impersonated,
        f.user_agent,
        f.address,
        f.decision,
        f.decision_reason,
        f.truncated,
        f.redaction_key,
    ]
}

/// Whether `other`, which ranks after `kept`, tells of the same request.
fn is_sight_of(kept: &AuditFact<'_>, other: &AuditFact<'_>) -> bool {
    let apart = Window::of(kept.start).0.abs_diff(Window::of(other.start).0);
    apart <= 1 && !contradicts(kept, other)
}

fn contradicts(kept: &AuditFact<'_>, other: &AuditFact<'_>) -> bool {
    let differ = |a: &str, b: &str| !a.is_empty() && !b.is_empty() && a != b;
    let answers = kept.stage == other.stage
        && matches!((kept.code, other.code), (Some(a), Some(b)) if a != b)
        || differ(kept.resource_version, other.resource_version)
        || differ(kept.uid, other.uid)
        || differ(kept.impersonated, other.impersonated);
    let whole = |f: &AuditFact<'_>| f.truncated.is_empty();
    let comparable = whole(kept)
        && whole(other)
        && kept.redaction_key == other.redaction_key
        && kept.stage == other.stage;
    let uncut = |a: &AuditFact<'_>, b: &AuditFact<'_>| {
        a.response_cut.is_empty()
            && b.response_cut.is_empty()
            && a.request_cut.is_empty()
            && b.request_cut.is_empty()
    };
    answers
        || comparable
            && uncut(kept, other)
            && (differ(&kept.response, &other.response) || differ(kept.request, other.request))
}

fn fill<'a>(kept: &mut AuditFact<'a>, other: AuditFact<'a>) {
    let put = |field: &mut &'a str, value: &'a str| {
        if field.is_empty() {
            *field = value;
        }
    };
    if kept.request.is_empty() && !other.request.is_empty() {
        (kept.request, kept.request_cut) = (other.request, other.request_cut);
    }
    if kept.response.is_empty() && !other.response.is_empty() {
        (kept.response, kept.response_cut) = (other.response, other.response_cut);
        put(&mut kept.response_kind, other.response_kind);
    }
    put(&mut kept.subresource, other.subresource);
    put(&mut kept.version, other.version);
    put(&mut kept.uid, other.uid);
    put(&mut kept.impersonated, other.impersonated);
    put(&mut kept.user_agent, other.user_agent);
    put(&mut kept.address, other.address);
    put(&mut kept.decision, other.decision);
    put(&mut kept.decision_reason, other.decision_reason);
    put(&mut kept.error_reason, other.error_reason);
    put(&mut kept.error_message, other.error_message);
    put(&mut kept.error_causes, other.error_causes);
    put(&mut kept.precondition, other.precondition);
    put(&mut kept.resource_version, other.resource_version);
    put(&mut kept.redaction_key, other.redaction_key);
    kept.code = kept.code.or(other.code);
    kept.dry_run |= other.dry_run;
    fill_more(&mut kept.more, other.more);
}

fn fill_more<'a>(kept: &mut Vec<(&'a str, Value<'a>)>, other: Vec<(&'a str, Value<'a>)>) {
    for (name, value) in other {
        if let Err(at) = kept.binary_search_by_key(&name, |(name, _)| *name) {
            kept.insert(at, (name, value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::{Level, Stage};
    use kausal_trace::UnixNanos;

    fn fact(code: i64) -> AuditFact<'static> {
        AuditFact {
            start: UnixNanos::from_seconds(1_795_187_131),
            stage: Stage::ResponseComplete,
            level: Level::RequestResponse,
            audit_id: "a1",
            verb: "patch",
            username: "alice",
            uri: "/x",
            code: Some(code),
            response: "{\"a\":1}".into(),
            resource_version: "7",
            ..AuditFact::default()
        }
    }

    /// Merges in every order of up to three records; answers must agree.
    fn check(facts: &[AuditFact<'static>], expect_facts: usize, expect_warnings: usize) {
        let mut seen = Vec::new();
        for turn in 0..facts.len() {
            let mut turned = facts.to_vec();
            turned.rotate_left(turn);
            turned.extend(facts.iter().rev().cloned());
            let mut warnings = Vec::new();
            let merged = audits(turned, &mut warnings);
            assert_eq!(merged.len(), expect_facts);
            warnings.dedup();
            assert_eq!(warnings.len(), expect_warnings);
            seen.push(format!("{merged:?}"));
        }
        seen.dedup();
        assert_eq!(seen.len(), 1, "order must not show");
    }

    #[test]
    fn sights_of_one_request_fold() {
        let early = AuditFact {
            stage: Stage::RequestReceived,
            code: None,
            response: "".into(),
            resource_version: "",
            address: "10.0.0.1",
            ..fact(200)
        };
        let low = AuditFact { level: Level::Metadata, response: "".into(), ..fact(200) };
        let cut =
            AuditFact { truncated: "cut", response: "".into(), resource_version: "", ..fact(200) };
        check(&[fact(200), early.clone(), low, cut], 1, 0);
        let merged = audits(vec![early, fact(200)], &mut Vec::new());
        assert_eq!((merged[0].address, merged[0].code), ("10.0.0.1", Some(200)));
    }

    #[test]
    fn whole_copies_that_contradict_both_stay() {
        check(&[fact(200), fact(409)], 2, 1);
        check(&[fact(200), AuditFact { response: "{\"a\":2}".into(), ..fact(200) }], 2, 1);
    }

    #[test]
    fn copies_that_differ_only_by_key_are_one() {
        let other_key =
            AuditFact { response: "{\"a\":2}".into(), redaction_key: "k2", ..fact(200) };
        check(&[AuditFact { redaction_key: "k1", ..fact(200) }, other_key], 1, 0);
    }

    #[test]
    fn one_window_either_side_is_one_request_two_are_not() {
        let later = |seconds: u64| AuditFact {
            start: UnixNanos::from_seconds(1_795_187_131 + seconds),
            ..fact(200)
        };
        check(&[fact(200), later(1_800)], 1, 0);
        check(&[fact(200), later(7_200)], 2, 1);
    }
}
