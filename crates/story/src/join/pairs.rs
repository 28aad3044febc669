//! Which request made which change, by resourceVersions and by what was done.
//!
//! Promise: one request at most a change, and one change at most a request; stronger ties are
//! looked for first.

use std::collections::HashMap;

use kausal_trace::Operation;

use super::{JoinedBy, by_time};
use crate::body::Head;
use crate::fact::AuditFact;
use crate::story::Certainty;
use crate::watched::ChangeFact;

/// The request of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    /// An index into the object's requests.
    pub(super) audit: usize,
    pub(super) by: JoinedBy,
    pub(super) certainty: Certainty,
}

/// What is paired so far.
pub(super) struct Pairs<'f, 'a> {
    pub(super) audits: &'f [AuditFact<'a>],
    pub(super) changes: &'f [&'f ChangeFact<'a>],
    /// Of each change: its request.
    found: Vec<Option<Pair>>,
    /// Of each request: whether it has its change, or cannot have one.
    taken: Vec<bool>,
}

/// Of each change: its request. Requests come in the order of time, changes in that of their
/// versions.
pub(super) fn find<'f, 'a>(
    audits: &'f [AuditFact<'a>],
    changes: &'f [&'f ChangeFact<'a>],
) -> Vec<Option<Pair>> {
    let cannot = |fact: &AuditFact<'_>| !fact.took_effect() || !fact.is_write();
    let mut pairs = Pairs {
        audits,
        changes,
        found: vec![None; changes.len()],
        taken: audits.iter().map(cannot).collect(),
    };
    pairs.by_new_version();
    pairs.by_old_version();
    pairs.creations();
    pairs.deletions();
    by_time::pair(&mut pairs);
    pairs.found
}

impl<'a> Pairs<'_, 'a> {
    pub(super) fn put(&mut self, change: usize, pair: Pair) {
        let taken = self.taken.get_mut(pair.audit);
        if let Some((found, taken)) = self.found.get_mut(change).zip(taken) {
            (*found, *taken) = (Some(pair), true);
        }
    }

    fn put_recorded(&mut self, change: usize, audit: usize, by: JoinedBy) {
        self.put(change, Pair { audit, by, certainty: Certainty::Recorded });
    }

    /// Changes that have no request yet.
    pub(super) fn open(&self) -> Vec<usize> {
        let open = self.found.iter().enumerate().filter(|(_, pair)| pair.is_none());
        open.map(|(at, _)| at).collect()
    }

    /// Whether a request has no change yet and may be of this uid.
    pub(super) fn is_free(&self, audit: usize, change: &ChangeFact<'_>) -> bool {
        let same_uid = |fact: &AuditFact<'_>| {
            fact.uid.is_empty() || change.uid.is_empty() || fact.uid == change.uid
        };
        self.taken.get(audit) == Some(&false) && self.audits.get(audit).is_some_and(same_uid)
    }

    /// The earliest write that answered with a version is the one that made it: later ones changed
    /// nothing, and are no candidates for another change.
    fn by_new_version(&mut self) {
        let mut makers: HashMap<&str, usize> = HashMap::new();
        for (at, fact) in self.audits.iter().enumerate() {
            let made = fact.resource_version;
            if !made.is_empty() && self.taken.get(at) == Some(&false) && !is_before(fact) {
                makers.entry(made).or_insert(at);
            }
        }
        for at in self.open() {
            let Some(change) = self.changes.get(at) else { continue };
            let maker = makers.get(change.new).copied();
            if let Some(audit) = maker.filter(|audit| self.is_free(*audit, change)) {
                self.put_recorded(at, audit, JoinedBy::NewVersion);
            }
        }
    }

    /// Of the writes conditional on one version, the last made the change: after it, none
    /// could succeed.
    fn by_old_version(&mut self) {
        let mut writers: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, fact) in self.audits.iter().enumerate() {
            if !fact.precondition.is_empty()
                && fact.resource_version.is_empty()
                && !fact.is_deletion()
            {
                writers.entry(fact.precondition).or_default().push(at);
            }
        }
        for at in self.open() {
            let Some(change) = self.changes.get(at).filter(|change| !change.gap) else { continue };
            let fits = |audit: &&usize| {
                let fact = self.audits.get(**audit);
                self.is_free(**audit, change)
                    && fact.is_some_and(|fact| by_time::fits(fact, change))
            };
            let writers = writers.get(change.old).into_iter().flatten();
            if let Some(audit) = writers.rev().find(fits).copied() {
                self.put_recorded(at, audit, JoinedBy::OldVersion);
            }
        }
    }

    /// A name is free for one creation at a time: the only one in time made the object.
    fn creations(&mut self) {
        for at in self.open() {
            let Some(change) = self.changes.get(at).copied() else { continue };
            if !change.is(Operation::Create) {
                continue;
            }
            if let [audit] = self.candidates(change, by_time::creates).as_slice() {
                self.put_recorded(at, *audit, JoinedBy::Creation);
            }
        }
    }

    /// The first request that asked for a deletion set its time; the last before the object was
    /// gone removed it.
    fn deletions(&mut self) {
        for at in self.open() {
            let Some(change) = self.changes.get(at).copied() else { continue };
            let gone = change.is(Operation::Delete);
            let candidates = match gone {
                true => self.removers(change),
                false if change.asks_deletion() => self.candidates(change, AuditFact::is_deletion),
                false => continue,
            };
            let chosen = if gone { candidates.last() } else { candidates.first() };
            if let Some(&audit) = chosen {
                let certainty = self.certainty(audit, change, candidates.len());
                self.put(at, Pair { audit, by: JoinedBy::Deletion, certainty });
            }
        }
    }

    /// Requests that may have removed an object: deletions and what let it go; where there are
    /// none, the only write in time that may have taken the last finalizer off.
    fn removers(&self, change: &ChangeFact<'_>) -> Vec<usize> {
        let sure = self.candidates(change, |fact| fact.is_deletion() || let_go(fact));
        if !sure.is_empty() {
            return sure;
        }
        let mut possible = self.candidates(change, may_let_go);
        if possible.len() > 1 {
            possible.clear();
        }
        possible
    }

    /// Requests in whose time a change came about, that have none yet and fit, in order.
    fn candidates(
        &self,
        change: &ChangeFact<'_>,
        fits: impl Fn(&AuditFact<'a>) -> bool,
    ) -> Vec<usize> {
        let all = self.audits.iter().enumerate();
        let free = all.filter(|(at, fact)| {
            self.is_free(*at, change) && by_time::is_in_time(fact, change) && fits(fact)
        });
        free.map(|(at, _)| at).collect()
    }

    /// A deletion is recorded where the request names the uid, or is the only one that asked.
    fn certainty(&self, audit: usize, change: &ChangeFact<'_>, rivals: usize) -> Certainty {
        let fact = self.audits.get(audit);
        let same_uid = fact.is_some_and(|fact| !fact.uid.is_empty() && fact.uid == change.uid);
        let only = rivals == 1 && fact.is_some_and(AuditFact::is_deletion);
        if same_uid || only { Certainty::Recorded } else { Certainty::Inferred }
    }
}

/// An item of a deletecollection says how the object was, not what was made of it.
fn is_before(fact: &AuditFact<'_>) -> bool {
    fact.verb == "deletecollection"
}

/// Whether the answer shows an object that nothing holds any longer.
fn let_go(fact: &AuditFact<'_>) -> bool {
    fact.tells_whole_state()
        && Head::read(&fact.response, "").is_some_and(|head| head.deleting && !head.finalizers)
}

/// Whether the request may have taken the last finalizer off: its answer does not say.
fn may_let_go(fact: &AuditFact<'_>) -> bool {
    let finishes = matches!(fact.subresource, "" | "finalize");
    finishes && matches!(fact.verb, "update" | "patch") && fact.resource_version.is_empty()
}
