//! Which request made which change, where only time and manager tell.
//!
//! Promise: the manager is the one the apiserver would have recorded for the request, the time
//! within the request's own. Where several requests or changes fit, they are paired in order, and
//! only if there are as many of one as of the other. That is inferred, and said.

use std::collections::BTreeSet;

use kausal_trace::{Operation, UnixNanos};

use super::JoinedBy;
use super::pairs::{Pair, Pairs};
use crate::fact::AuditFact;
use crate::story::Certainty;
use crate::watched::ChangeFact;

/// How long after the answer its change may be observed, in nanoseconds: a watch that lags further
/// behind does not tell requests apart.
const OBSERVATION_LAG: u64 = 5 * SECOND;
/// How far the clock of whoever watches may be behind the apiserver's, in nanoseconds.
const CLOCK_SKEW: u64 = SECOND;
const SECOND: u64 = 1_000_000_000;
/// Longest manager that the apiserver takes from a user agent, in bytes.
const MANAGER_BYTES_MAX: usize = 128;

/// Pairs what is left.
pub(super) fn pair(pairs: &mut Pairs<'_, '_>) {
    let mut group: Vec<(usize, Vec<usize>)> = Vec::new();
    let mut shared: BTreeSet<usize> = BTreeSet::new();
    for change in pairs.open() {
        let fitting = candidates(pairs, change);
        // Changes that could have one request stand together: versions are in the order of time.
        if !fitting.iter().any(|audit| shared.contains(audit)) {
            pair_group(pairs, &group, &shared);
            group.clear();
            shared.clear();
        }
        shared.extend(&fitting);
        group.push((change, fitting));
    }
    pair_group(pairs, &group, &shared);
}

/// The first change is of the first request, and so on, unless there are more of one.
fn pair_group(pairs: &mut Pairs<'_, '_>, group: &[(usize, Vec<usize>)], shared: &BTreeSet<usize>) {
    let in_order = || group.iter().zip(shared);
    let as_many = group.len() == shared.len();
    if as_many && in_order().all(|((_, fitting), audit)| fitting.contains(audit)) {
        for ((change, _), audit) in in_order() {
            let (by, certainty) = (JoinedBy::TimeAndManager, Certainty::Inferred);
            pairs.put(*change, Pair { audit: *audit, by, certainty });
        }
    }
}

/// Requests that could have made a change, and do not know that they made another.
fn candidates(pairs: &Pairs<'_, '_>, change: usize) -> Vec<usize> {
    let Some(change) = pairs.changes.get(change).filter(|change| !change.manager.is_empty()) else {
        return Vec::new();
    };
    let could = |at: &usize| {
        let fact = pairs.audits.get(*at);
        pairs.is_free(*at, change)
            && fact.is_some_and(|fact| fact.resource_version.is_empty() && fits(fact, change))
    };
    (0..pairs.audits.len()).filter(could).collect()
}

/// Whether time, manager and kind of a request are those of a change.
pub(super) fn fits(fact: &AuditFact<'_>, change: &ChangeFact<'_>) -> bool {
    let same_manager = change.manager.is_empty()
        || manager(fact) == change.manager && fact.subresource == change.subresource;
    same_manager
        && !fact.is_deletion()
        && creates(fact) == change.is(Operation::Create)
        && is_in_time(fact, change)
}

/// Whether a request made an object.
pub(super) fn creates(fact: &AuditFact<'_>) -> bool {
    let made = fact.verb == "create" || fact.code == Some(201);
    made && fact.subresource.is_empty()
}

/// Whether a change came about while a request was handled.
pub(super) fn is_in_time(fact: &AuditFact<'_>, change: &ChangeFact<'_>) -> bool {
    let has_clock = change.time.0.is_multiple_of(SECOND) && !change.is(Operation::Delete);
    if has_clock {
        return (UnixNanos::from_seconds(fact.start.seconds())..=fact.end).contains(&change.time);
    }
    let seen = change.observed.0;
    seen.saturating_add(CLOCK_SKEW) >= fact.start.0
        && seen <= fact.end.0.saturating_add(OBSERVATION_LAG)
}

/// The field manager that the apiserver records for a request: the one it names, else the program.
fn manager<'a>(fact: &AuditFact<'a>) -> &'a str {
    let query = fact.uri.split_once('?').map_or("", |(_, query)| query);
    let named = query.split('&').find_map(|pair| pair.strip_prefix("fieldManager="));
    named.filter(|name| !name.is_empty()).unwrap_or_else(|| {
        let program = fact.user_agent.split('/').next().unwrap_or_default();
        program.get(..MANAGER_BYTES_MAX).unwrap_or(program)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn managers_are_those_the_apiserver_records() {
        let check = |uri, user_agent, expect| {
            assert_eq!(manager(&AuditFact { uri, user_agent, ..AuditFact::default() }), expect);
        };
        check(
            "/x?fieldManager=kubectl-edit&timeout=20s",
            "kubectl/v1.32.4 (linux)",
            "kubectl-edit",
        );
        check("/x?timeout=20s", "kubectl/v1.32.4 (linux)", "kubectl");
        check("/x?fieldManager=", "kube-controller-manager/v0.0.0", "kube-controller-manager");
        check("/x", "", "");
    }
}
