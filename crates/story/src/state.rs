//! Lives and states: what an object was, version after version.
//!
//! Promise: only a 2xx, non-dry-run answer whose kind is the object's own is a state; `Scale` gives
//! replicas, `PartialObjectMetadata` metadata; an item of a deletecollection is how the object was before. Order is that of
//! resourceVersion within a uid. Two lives of one name are told apart by uid.
//! Never here: who did it, and what followed.

use std::borrow::Cow;
use std::cmp::Ordering;

use kausal_object::json::Member;
use kausal_trace::{Operation, UnixNanos};
use serde_json::Value;

use crate::body::Head;
use crate::changes;
use crate::fact::AuditFact;

/// A resourceVersion: an unsigned decimal of any length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ResourceVersion<'a>(pub(crate) &'a str);

impl Ord for ResourceVersion<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let digits = |text: &'_ str| text.trim_start_matches('0').len();
        let (a, b) = (self.0, other.0);
        digits(a)
            .cmp(&digits(b))
            .then_with(|| a.trim_start_matches('0').cmp(b.trim_start_matches('0')))
    }
}

impl PartialOrd for ResourceVersion<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// One recorded state.
#[derive(Clone, Debug)]
pub(crate) struct State<'a> {
    /// The fact that tells it, an index into the object's facts.
    pub(crate) fact: usize,
    /// When the request that tells it was received; it cannot have been so because of it before.
    pub(crate) since: UnixNanos,
    /// When it was known to be so.
    pub(crate) at: UnixNanos,
    pub(crate) head: Head,
    /// The body; empty when only a `Scale` of an unknown object is recorded.
    pub(crate) text: Cow<'a, str>,
    pub(crate) source: Source,
    /// Its spec is, to the letter, that of the state before it.
    pub(crate) spec_kept: bool,
}

impl State<'_> {
    /// The members of the body; none where only replicas are known.
    pub(crate) fn members(&self) -> Vec<Member<'_>> {
        if self.text.is_empty() { Vec::new() } else { self.head.members(&self.text) }
    }

    /// Put together from another state and what changed.
    pub(crate) fn is_rebuilt(&self) -> bool {
        matches!(self.text, Cow::Owned(_))
    }

    fn has_spec_of(&self, other: &Self) -> bool {
        let spec = self.head.spec(&self.text);
        spec.is_some() && spec == other.head.spec(&other.text)
    }
}

/// How a state is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The answer to the write that made it.
    Answer,
    /// The state before it, with the replicas that a `Scale` told.
    Scale,
    /// The state before it, with the metadata that a `PartialObjectMetadata` told.
    Metadata,
    /// An item of a deletecollection, or what a watch saw go: how the object was before.
    Before,
}

/// One life of an object: from its creation to its removal, under one uid.
#[derive(Clone, Debug, Default)]
pub(crate) struct Life<'a> {
    /// Empty when no fact names it.
    pub(crate) uid: Cow<'a, str>,
    pub(crate) states: Vec<State<'a>>,
    /// Facts of this life in the order of time.
    pub(crate) facts: Vec<usize>,
    /// The first write that took effect.
    pub(crate) began: UnixNanos,
    /// The fact with which the object was gone.
    pub(crate) removal: Option<usize>,
    /// The first recorded fact that asked for its deletion.
    pub(crate) deletion: Option<usize>,
}

/// Lives of an object, and what each fact did in them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lives<'a> {
    pub(crate) all: Vec<Life<'a>>,
    /// Of each fact: its life.
    life_of: Vec<usize>,
    /// Of each fact: the state it told, if it told one.
    state_of: Vec<Option<usize>>,
    /// Of each fact: whether it changed nothing.
    no_op: Vec<bool>,
}

struct Seen<'a> {
    uid: Cow<'a, str>,
    head: Option<Head>,
}

/// Takes the merged facts of one object apart into lives and states.
pub(crate) fn lives<'a>(resource: &str, facts: &[AuditFact<'a>]) -> Lives<'a> {
    let mut seen = see_all(resource, facts);
    let mut told = Lives {
        all: begin(facts, &seen),
        life_of: Vec::with_capacity(facts.len()),
        state_of: vec![None; facts.len()],
        no_op: vec![false; facts.len()],
    };
    for (index, fact) in facts.iter().enumerate() {
        let life = life_at(&told.all, fact, &seen[index].uid);
        told.life_of.push(life);
        told.all[life].facts.push(index);
    }
    for life in 0..told.all.len() {
        told.fill_states(life, resource, facts, &mut seen);
        told.find_end(life, resource, facts);
    }
    told
}

fn see_all<'a>(resource: &str, facts: &[AuditFact<'a>]) -> Vec<Seen<'a>> {
    let mut all: Vec<Seen<'a>> = Vec::with_capacity(facts.len());
    let mut before: Option<usize> = None;
    for (at, fact) in facts.iter().enumerate() {
        // The finalizers of a Namespace are in its spec: it is always read.
        let known = before.filter(|_| resource != "namespaces");
        let known =
            known.and_then(|at| Some((all.get(at)?.head.as_ref()?, &*facts.get(at)?.response)));
        let seen = see(resource, fact, known);
        before = if seen.head.is_some() { Some(at) } else { before };
        all.push(seen);
    }
    all
}

fn see<'a>(resource: &str, fact: &AuditFact<'a>, before: Option<(&Head, &str)>) -> Seen<'a> {
    if !fact.took_effect() {
        return Seen { uid: Cow::Borrowed(fact.uid), head: None };
    }
    let told = matches!(fact.response_kind, "" | "Scale" | "PartialObjectMetadata");
    let head = if told { Head::read_after(&fact.response, resource, before) } else { None };
    let uid = match &head {
        _ if !fact.uid.is_empty() => Cow::Borrowed(fact.uid),
        Some(head) => Cow::Owned(head.uid.to_string()),
        None => Cow::Borrowed(""),
    };
    Seen { uid, head }
}

/// A life for each uid that a successful write or a watch names, in the order they began. Uids that only a
/// refused request or a dry run names never were.
fn begin<'a>(facts: &[AuditFact<'a>], seen: &[Seen<'a>]) -> Vec<Life<'a>> {
    let mut lives: Vec<Life<'a>> = Vec::new();
    for (fact, seen) in facts.iter().zip(seen) {
        let tells = fact.is_write() || fact.change.is_some();
        let names = fact.took_effect() && tells && !seen.uid.is_empty();
        if names && !lives.iter().any(|life| life.uid == seen.uid) {
            lives.push(Life { uid: seen.uid.clone(), began: fact.start, ..Life::default() });
        }
    }
    if lives.is_empty() {
        lives.push(Life::default());
    }
    lives
}

fn life_at(lives: &[Life<'_>], fact: &AuditFact<'_>, uid: &str) -> usize {
    let by_uid = || lives.iter().position(|life| life.uid == uid);
    let by_time = || lives.iter().rposition(|life| life.began <= fact.start).unwrap_or(0);
    let named = if fact.took_effect() && !uid.is_empty() { by_uid() } else { None };
    named.unwrap_or_else(by_time)
}

impl<'a> Lives<'a> {
    fn fill_states(
        &mut self,
        life: usize,
        resource: &str,
        facts: &[AuditFact<'a>],
        seen: &mut [Seen<'a>],
    ) {
        let mut found: Vec<State<'a>> = Vec::new();
        for &index in &self.all[life].facts {
            let head = seen.get_mut(index).and_then(|seen| seen.head.take());
            if let Some((head, fact)) = head.zip(facts.get(index)) {
                found.push(state(index, fact, head));
            }
        }
        found.sort_by(|a, b| version(a).cmp(&version(b)).then(a.fact.cmp(&b.fact)));
        let mut states: Vec<State<'a>> = Vec::with_capacity(found.len());
        for mut state in found {
            let last = states.last();
            if last.is_some_and(|last| tells_nothing_new(last, &state)) {
                let no_op = state.source != Source::Before;
                self.no_op[state.fact] = no_op;
                continue;
            }
            if matches!(state.source, Source::Scale | Source::Metadata) {
                complete(&mut state, last, resource);
            }
            state.spec_kept = last.is_some_and(|last| state.has_spec_of(last));
            self.state_of[state.fact] = Some(states.len());
            states.push(state);
        }
        self.all[life].states = states;
    }

    fn find_end(&mut self, life: usize, resource: &str, facts: &[AuditFact<'a>]) {
        let this = &self.all[life];
        let asked = |index: &&usize| {
            facts.get(**index).is_some_and(|fact| fact.took_effect() && fact.is_deletion())
        };
        let deletion = this.facts.iter().find(asked).copied();
        let removal = this.facts.iter().copied().find(|&index| {
            facts.get(index).is_some_and(|fact| self.removes(this, index, fact, resource))
        });
        self.all[life].deletion = deletion;
        self.all[life].removal = removal;
    }

    /// Design §7, Removal.
    fn removes(&self, life: &Life<'a>, index: usize, fact: &AuditFact<'a>, resource: &str) -> bool {
        if !fact.took_effect() || !fact.is_write() {
            return false;
        }
        // A watch that saw what became of it knows best.
        if let Some(change) = fact.seen() {
            return change.is(Operation::Delete);
        }
        if fact.verb == "delete" && fact.subresource.is_empty() && fact.response_kind == "Status" {
            return true;
        }
        let Some(at) = self.state_of.get(index).copied().flatten() else {
            return fact.verb == "deletecollection" && Self::item_was_plain(life, fact, resource);
        };
        let Some(state) = life.states.get(at) else { return false };
        let head = &state.head;
        match (fact.verb, state.source) {
            ("deletecollection", _) => is_plain(head, resource),
            ("delete", Source::Answer) => {
                !head.finalizers && (!head.deleting || head.deletion_grace == Some(0))
            }
            (_, Source::Answer | Source::Metadata) => {
                let before = at.checked_sub(1).and_then(|at| life.states.get(at));
                head.deleting
                    && !head.finalizers
                    && before.is_some_and(|before| {
                        before.head.finalizers
                            && before.head.resource_version == head.resource_version
                    })
            }
            _ => false,
        }
    }

    /// An item that only repeats a known state.
    fn item_was_plain(life: &Life<'a>, fact: &AuditFact<'a>, resource: &str) -> bool {
        let known = life
            .states
            .iter()
            .find(|state| *state.head.resource_version == *fact.resource_version)
            .map(|state| is_plain(&state.head, resource));
        known
            .or_else(|| Head::read(&fact.response, resource).map(|head| is_plain(&head, resource)))
            .unwrap_or(false)
    }

    /// The state a fact started from: the one before the state it told, else the last before it
    /// in time.
    pub(crate) fn base(&self, facts: &[AuditFact<'a>], fact: usize) -> Option<&State<'a>> {
        let life = self.all.get(*self.life_of.get(fact)?)?;
        if let Some(at) = self.state_of.get(fact).copied().flatten() {
            return life.states.get(at.checked_sub(1)?);
        }
        let start = facts.get(fact)?.start;
        life.states.iter().rfind(|state| state.at <= start)
    }

    /// The state a fact told.
    pub(crate) fn state(&self, fact: usize) -> Option<&State<'a>> {
        let at = self.state_of.get(fact).copied().flatten()?;
        self.all.get(*self.life_of.get(fact)?)?.states.get(at)
    }

    /// Which life a fact belongs to.
    pub(crate) fn life_index(&self, fact: usize) -> usize {
        self.life_of.get(fact).copied().unwrap_or(0)
    }

    /// Whether a fact changed nothing.
    pub(crate) fn is_no_op(&self, fact: usize) -> bool {
        self.no_op.get(fact).copied().unwrap_or(false)
    }

    /// Which state of its life a fact told.
    pub(crate) fn state_index(&self, fact: usize) -> Option<usize> {
        self.state_of.get(fact).copied().flatten()
    }

    /// The life a fact belongs to.
    pub(crate) fn life(&self, fact: usize) -> Option<&Life<'a>> {
        self.all.get(*self.life_of.get(fact)?)
    }
}

/// Deleted at once when it is deleted: neither finalizers nor grace.
fn is_plain(head: &Head, resource: &str) -> bool {
    let graceful = resource == "pods" && head.pod_grace != Some(0);
    !head.finalizers && head.deletion_grace.is_none() && !graceful
}

fn state<'a>(index: usize, fact: &AuditFact<'a>, head: Head) -> State<'a> {
    let source = match () {
        () if fact.response_kind == "Scale" => Source::Scale,
        () if fact.response_kind == "PartialObjectMetadata" => Source::Metadata,
        () if fact.verb == "deletecollection" || shows_last_sight(fact) => Source::Before,
        () => Source::Answer,
    };
    let at = if source == Source::Before { fact.start } else { fact.end };
    let text = fact.response.clone();
    State { fact: index, since: fact.start, at, head, text, source, spec_kept: false }
}

/// Whether the body of a deletion is what a watch saw last: the request has none of its own.
fn shows_last_sight(fact: &AuditFact<'_>) -> bool {
    let removal = fact.seen().filter(|change| change.is(Operation::Delete) && fact.is_deletion());
    removal.is_some_and(|change| *fact.response == *change.snapshot)
}

fn version<'s>(state: &'s State<'_>) -> ResourceVersion<'s> {
    ResourceVersion(&state.head.resource_version)
}

fn tells_nothing_new(last: &State<'_>, next: &State<'_>) -> bool {
    let same = last.head.resource_version == next.head.resource_version;
    same && match next.source {
        Source::Answer => last.text == next.text || is_equal_rebuilt(last, next),
        Source::Metadata => {
            let (a, b) = (&last.head, &next.head);
            (a.deleting, a.finalizers, &a.owners) == (b.deleting, b.finalizers, &b.owners)
        }
        Source::Scale | Source::Before => true,
    }
}

/// A state put together again is equal, but not to the letter.
fn is_equal_rebuilt(last: &State<'_>, next: &State<'_>) -> bool {
    (last.is_rebuilt() || next.is_rebuilt()) && changes::between(&last.text, &next.text).is_empty()
}

/// Gives a `Scale` or a `PartialObjectMetadata` the rest of the object from the state before it.
fn complete<'a>(state: &mut State<'a>, last: Option<&State<'a>>, resource: &str) {
    let whole = last.filter(|last| !last.text.is_empty()).and_then(|last| {
        let mut body: Value = serde_json::from_str(&last.text).ok()?;
        if state.source == Source::Scale {
            put_scale(&mut body, &state.head, &last.head)?;
        } else {
            let partial: Value = serde_json::from_str(&state.text).ok()?;
            *body.get_mut("metadata")? = partial.get("metadata")?.clone();
        }
        let text = body.to_string();
        Some((Head::read(&text, resource)?, text))
    });
    match whole {
        Some((head, text)) => (state.head, state.text) = (head, Cow::Owned(text)),
        None => state.text = Cow::Borrowed(""),
    }
}

/// Changed replicas are a new generation: the apiserver counts every change of a spec.
fn put_scale(body: &mut Value, scale: &Head, last: &Head) -> Option<()> {
    let changed = last.replicas != scale.replicas;
    let meta = body.get_mut("metadata")?;
    *meta.get_mut("resourceVersion")? = Value::from(&*scale.resource_version);
    if let Some(generation) = last.generation.filter(|_| changed) {
        *meta.get_mut("generation")? = Value::from(generation + 1);
    }
    body.get_mut("spec")?.as_object_mut()?.insert("replicas".into(), scale.replicas?.into());
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resource_versions_are_numbers_of_any_length() {
        let check = |a, b, expect| {
            assert_eq!(ResourceVersion(a).cmp(&ResourceVersion(b)), expect, "{a} {b}");
        };
        check("999", "1000", Ordering::Less);
        check("1000", "999", Ordering::Greater);
        check("0007", "7", Ordering::Equal);
        check("340282366920938463463374607431768211456", "9", Ordering::Greater);
        check("", "1", Ordering::Less);
    }
}
