//! Changes that watches saw: decoded, and several sights of one change made one.
//!
//! Promise: the result does not depend on order, repetition, or which leader saw what. Of several
//! sights of one change the earliest observation counts; gaps in it are filled from the others.
//! Never here: which request made a change.

use kausal_object::diff;
use kausal_trace::{Operation, SpanId, SpanRef, UnixNanos, Value, attribute as a};

use crate::fact::within_second;
use crate::state::ResourceVersion;

/// One change, as far as one span (or several, merged) tells it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ChangeFact<'a> {
    pub(crate) span: Option<SpanId>,
    /// When, by the object's own clock.
    pub(crate) time: UnixNanos,
    pub(crate) observed: UnixNanos,
    pub(crate) operation: Option<Operation>,
    pub(crate) uid: &'a str,
    /// resourceVersion before.
    pub(crate) old: &'a str,
    /// resourceVersion after.
    pub(crate) new: &'a str,
    pub(crate) version: &'a str,
    pub(crate) manager: &'a str,
    pub(crate) subresource: &'a str,
    pub(crate) diff: &'a str,
    pub(crate) diff_cut: &'a str,
    pub(crate) snapshot: &'a str,
    pub(crate) gap: bool,
    pub(crate) redaction_key: &'a str,
}

/// Path of the time by which an object is to be gone.
const DELETION_TIME: &str = "metadata.deletionTimestamp";

impl<'a> ChangeFact<'a> {
    /// What a span says; `None` when it does not say what was done.
    pub(crate) fn of(span: &SpanRef<'a>) -> Option<Self> {
        let text = |name| span.str(name);
        let observed = UnixNanos::parse_rfc3339(text(a::OBSERVED_AT)).unwrap_or(span.start);
        Some(Self {
            span: Some(span.span),
            time: span.start,
            observed,
            operation: Some(Operation::from_stored(text(a::OPERATION))?),
            uid: text(a::UID),
            old: text(a::RESOURCE_VERSION),
            new: text(a::RESOURCE_VERSION_NEW),
            version: text(a::VERSION),
            manager: text(a::MANAGER),
            subresource: text(a::SUBRESOURCE),
            diff: text(a::DIFF),
            diff_cut: text(a::DIFF_CUT),
            snapshot: text(a::SNAPSHOT),
            gap: span.get(a::GAP) == Some(&Value::Bool(true)),
            redaction_key: text(a::REDACTION_KEY),
        })
    }

    pub(crate) fn is(&self, operation: Operation) -> bool {
        self.operation == Some(operation)
    }

    /// What changed; `None` when the lines are cut or no diff.
    pub(crate) fn changes(&self) -> Option<Vec<diff::Change>> {
        if self.diff_cut.is_empty() { diff::from_lines(self.diff).ok() } else { None }
    }

    /// The lines that can be shown, though some may be cut.
    pub(crate) fn shown_changes(&self) -> Vec<diff::Change> {
        diff::from_lines(self.diff).unwrap_or_default()
    }

    /// Whether the deletion was asked for with this change.
    pub(crate) fn asks_deletion(&self) -> bool {
        let set = |line: &str| {
            line.strip_prefix(DELETION_TIME).is_some_and(|rest| rest.starts_with(" (none) -> "))
        };
        self.is(Operation::Update) && self.diff.lines().any(set)
    }

    /// When to show it: the object's clock has whole seconds only, so within its second it stands
    /// where it was observed. No clock of the object says when it was gone.
    pub(crate) fn shown_at(&self) -> UnixNanos {
        if self.is(Operation::Delete) {
            return self.observed;
        }
        within_second(self.time, self.observed)
    }

    /// Names it where a request would be named by its audit id.
    pub(crate) fn reference(&self) -> String {
        let version = if self.is(Operation::Delete) { "deleted" } else { self.new };
        format!("change/{}/{version}", self.uid)
    }

    /// What is equal for all sights of one change.
    fn natural(&self) -> (&'a str, bool, ResourceVersion<'a>, ResourceVersion<'a>) {
        let gone = self.is(Operation::Delete);
        let part = |version| ResourceVersion(if gone { "" } else { version });
        (self.uid, gone, part(self.new), part(self.old))
    }
}

/// One fact a change: life after life, in the order of resourceVersions, the removal last.
pub(crate) fn merge<'a>(
    mut facts: Vec<ChangeFact<'a>>,
    warnings: &mut Vec<String>,
) -> Vec<ChangeFact<'a>> {
    facts.sort_by(|a, b| {
        let seen = |f: &ChangeFact<'a>| (f.observed, f.time, f.gap, f.span);
        let natural = a.natural().cmp(&b.natural());
        natural.then_with(|| seen(a).cmp(&seen(b))).then_with(|| texts(a).cmp(&texts(b)))
    });
    let mut merged: Vec<ChangeFact<'a>> = Vec::with_capacity(facts.len());
    for fact in facts {
        match merged.last_mut().filter(|kept| kept.natural() == fact.natural()) {
            Some(kept) => {
                if contradict(kept, &fact) {
                    let name = fact.reference();
                    warnings.push(format!(
                        "two observations of {name} contradict each other; the first is told"
                    ));
                }
                fill(kept, &fact);
            }
            None => merged.push(fact),
        }
    }
    merged
}

/// The changes to tell: of those that lead to one version, the one that saw most in between.
pub(crate) fn finest(merged: &[ChangeFact<'_>]) -> Vec<usize> {
    let mut kept: Vec<usize> = Vec::with_capacity(merged.len());
    for (at, fact) in merged.iter().enumerate() {
        let same = |last: &&mut usize| {
            merged.get(**last).is_some_and(|last| {
                let gone = |f: &ChangeFact<'_>| f.is(Operation::Delete);
                (last.uid, last.new) == (fact.uid, fact.new) && gone(last) == gone(fact)
            })
        };
        // Sorted by the version before: the later began nearer to the version after. What was
        // only there already says least.
        match kept.last_mut().filter(same) {
            Some(last) if !fact.is(Operation::Observe) => *last = at,
            Some(_) => {}
            None => kept.push(at),
        }
    }
    kept
}

fn texts<'f>(f: &'f ChangeFact<'_>) -> [&'f str; 10] {
    [
        f.operation.map_or("", Operation::as_str),
        f.old,
        f.new,
        f.version,
        f.manager,
        f.subresource,
        f.diff,
        f.diff_cut,
        f.snapshot,
        f.redaction_key,
    ]
}

/// Whether two sights of one change say different things under one key of redaction.
fn contradict(kept: &ChangeFact<'_>, other: &ChangeFact<'_>) -> bool {
    let differ = |a: &str, b: &str| !a.is_empty() && !b.is_empty() && a != b;
    let comparable = kept.redaction_key == other.redaction_key
        && !differ(kept.version, other.version)
        && kept.diff_cut == other.diff_cut
        && (kept.old, kept.new) == (other.old, other.new);
    comparable && (differ(kept.diff, other.diff) || differ(kept.snapshot, other.snapshot))
}

fn fill<'a>(kept: &mut ChangeFact<'a>, other: &ChangeFact<'a>) {
    let put = |field: &mut &'a str, value: &'a str| {
        if field.is_empty() {
            *field = value;
        }
    };
    // Whoever saw it being made knows more than who found it there.
    if kept.is(Operation::Observe) {
        kept.operation = other.operation;
    }
    if kept.diff.is_empty() && kept.snapshot.is_empty() {
        kept.redaction_key = other.redaction_key;
    }
    // Values under two keys do not stand side by side.
    if kept.redaction_key == other.redaction_key {
        if kept.diff.is_empty() {
            (kept.diff, kept.diff_cut) = (other.diff, other.diff_cut);
        }
        put(&mut kept.snapshot, other.snapshot);
    }
    put(&mut kept.manager, other.manager);
    put(&mut kept.subresource, other.subresource);
    put(&mut kept.version, other.version);
    kept.gap &= other.gap;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(old: &'static str, new: &'static str, observed: u64) -> ChangeFact<'static> {
        let observed = UnixNanos::from_seconds(observed);
        let operation = Some(Operation::Update);
        ChangeFact {
            operation,
            uid: "u1",
            old,
            new,
            observed,
            diff: "a 1 -> 2",
            ..ChangeFact::default()
        }
    }

    /// Merges in every turn and twice over; gives the versions told.
    fn check(facts: &[ChangeFact<'static>], expect: &[(&str, &str)], expect_warnings: usize) {
        for turn in 0..facts.len() {
            let mut turned = facts.to_vec();
            turned.rotate_left(turn);
            turned.extend(facts.iter().rev().cloned());
            let mut warnings = Vec::new();
            let merged = merge(turned, &mut warnings);
            let told = finest(&merged);
            let told: Vec<_> =
                told.iter().filter_map(|at| merged.get(*at)).map(|f| (f.old, f.new)).collect();
            warnings.dedup();
            assert_eq!((told.as_slice(), warnings.len()), (expect, expect_warnings));
        }
    }

    #[test]
    fn one_change_seen_twice_is_one() {
        let late = ChangeFact { manager: "m", snapshot: "{}", ..change("9", "10", 7) };
        check(&[change("9", "10", 5), late.clone()], &[("9", "10")], 0);
        let merged = merge(vec![late, change("9", "10", 5)], &mut Vec::new());
        assert_eq!((merged[0].observed.seconds(), merged[0].manager), (5, "m"));
        let gone = ChangeFact { operation: Some(Operation::Delete), ..change("10", "12", 8) };
        let again = ChangeFact { old: "11", observed: UnixNanos::from_seconds(9), ..gone.clone() };
        check(&[gone, again, change("9", "10", 5)], &[("9", "10"), ("10", "12")], 0);
    }

    #[test]
    fn sights_that_contradict_are_said() {
        let other = ChangeFact { diff: "a 1 -> 3", ..change("9", "10", 7) };
        check(&[change("9", "10", 5), other.clone()], &[("9", "10")], 1);
        let other_key = ChangeFact { redaction_key: "k2", ..other };
        check(&[change("9", "10", 5), other_key], &[("9", "10")], 0);
    }

    #[test]
    fn a_gap_that_finer_changes_cover_is_dropped() {
        let gap = ChangeFact { gap: true, ..change("9", "11", 7) };
        let fine = [change("9", "10", 5), change("10", "11", 6)];
        check(&[fine[0].clone(), gap.clone(), fine[1].clone()], &[("9", "10"), ("10", "11")], 0);
        check(&[fine[0].clone(), gap.clone()], &[("9", "10"), ("9", "11")], 0);
        check(&[fine[1].clone(), gap], &[("10", "11")], 0);
    }

    #[test]
    fn asking_for_a_deletion_is_no_removal() {
        let asks = |diff, expect| {
            assert_eq!(
                ChangeFact { diff, ..change("9", "10", 1) }.asks_deletion(),
                expect,
                "{diff}"
            );
        };
        asks("metadata.deletionTimestamp (none) -> \"2026-11-20T15:05:33Z\"", true);
        asks("metadata.deletionTimestamp \"a\" -> \"b\"", false);
        asks("spec.replicas 1 -> 2", false);
    }
}
