//! One fact as an act: who, what, from what to what, and why.
//!
//! Promise: changes are counted from the last recorded state before the write; where that is not
//! the state it started from, or is not known, the act says so.

use std::borrow::Cow;

use kausal_object::{ObjectKey, kinds};
use kausal_trace::{Operation, UnixNanos};
use serde_json::Value;

use crate::actor::Actor;
use crate::changes::{self, Change};
use crate::describe;
use crate::effects::{Causes, Rule};
use crate::fact::AuditFact;
use crate::gathered::Relation;
use crate::join::{Joined, JoinedBy};
use crate::state::{Source, State};
use crate::story::{
    Act, Base, CausedBy, Certainty, Effect, EffectKind, Outcome, Place, RefusalCause, SeenChange,
};
use crate::watched::ChangeFact;
use crate::world::{FactId, Record, World};

/// Tells one fact, without what followed from it.
pub(crate) fn tell(world: &World<'_>, causes: &Causes, id: FactId) -> Option<Act> {
    let (record, fact) = (world.object(id)?, world.fact(id)?);
    let (changes, base) = changes(record, fact, id.fact);
    let outcome = outcome(record, fact, id.fact);
    let place = if *record.relation == Relation::Root { Place::On } else { Place::Around };
    let mut act = Act {
        time: fact.start,
        answered: fact.end,
        audit_id: fact.reference(),
        actor: actor(fact),
        object: record.key.clone(),
        also: Vec::new(),
        place,
        verb: fact.verb.to_owned(),
        subresource: fact.subresource.to_owned(),
        title: describe::title(fact),
        summary: String::new(),
        outcome,
        changes,
        base,
        effects: Vec::new(),
        cause: caused_by(world, causes, id),
        folded: record.folds.get(id.fact).copied().flatten(),
        removes: record.lives.life(id.fact).is_some_and(|life| life.removal == Some(id.fact)),
        authorization: fact.decision_reason.to_owned(),
        truncated: fact.truncated.to_owned(),
        change: None,
    };
    act.change = fact.change.as_ref().map(|joined| seen(joined, fact, &act));
    act.summary = describe::summary(&act, record, id.fact);
    Some(act)
}

/// Who sent a request.
pub(crate) fn actor(fact: &AuditFact<'_>) -> Actor {
    let impersonated = (!fact.impersonated.is_empty()).then(|| fact.impersonated.to_owned());
    let manager = fact.seen().filter(|_| fact.is_unaudited()).map(|change| change.manager);
    let manager = manager.filter(|manager| !manager.is_empty()).map(str::to_owned);
    Actor { username: fact.username.to_owned(), impersonated, manager }
}

fn seen(joined: &Joined<'_>, fact: &AuditFact<'_>, act: &Act) -> SeenChange {
    let change = &joined.change;
    SeenChange {
        joined_by: joined.by,
        certainty: joined.certainty,
        operation: change.operation.map_or("", Operation::as_str).to_owned(),
        observed_at: change.observed,
        manager: change.manager.to_owned(),
        old_version: change.old.to_owned(),
        new_version: change.new.to_owned(),
        gap: change.gap,
        cut: change.diff_cut.to_owned(),
        contradicts: contradicts(joined, fact, act),
    }
}

/// Whether a change says something else than the bodies of its request do, though both tell the
/// same step under the same key of redaction, in the same API version.
fn contradicts(joined: &Joined<'_>, fact: &AuditFact<'_>, act: &Act) -> bool {
    let change = &joined.change;
    let same = |a: &str, b: &str| a.is_empty() || b.is_empty() || a == b;
    let comparable = joined.by == Some(JoinedBy::NewVersion)
        && act.base == Base::Recorded
        && !change.gap
        && matches!(fact.response, Cow::Borrowed(_))
        && fact.subresource != "scale"
        && fact.response_cut.is_empty()
        && same(fact.redaction_key, change.redaction_key)
        && same(fact.version, change.version);
    comparable && change.changes().is_some_and(|lines| changes::seen(lines) != act.changes)
}

fn caused_by(world: &World<'_>, causes: &Causes, id: FactId) -> Option<CausedBy> {
    let rule = causes.of(id)?.rule;
    let first = *causes.chain(id).last()?;
    Some(CausedBy { audit_id: world.fact(first)?.reference(), rule })
}

/// Tells a reaction as an effect of the act at the beginning of its chain.
pub(crate) fn effect(world: &World<'_>, causes: &Causes, id: FactId) -> Option<Effect> {
    let (record, fact) = (world.object(id)?, world.fact(id)?);
    let cause = causes.of(id)?;
    let mut chain = causes.chain(id);
    let root = chain.pop()?;
    let audit_id = |id: &FactId| world.fact(*id).map(AuditFact::reference);
    let begin = |id: &FactId| causes.chain(*id).last().copied().unwrap_or(*id);
    let mut rivals: Vec<_> =
        cause.rivals.iter().map(begin).filter(|rival| *rival != root).collect();
    rivals.sort_unstable();
    rivals.dedup();
    Some(Effect {
        time: fact.start,
        what: kind(record, fact, id.fact),
        object: record.key.clone(),
        audit_id: fact.reference(),
        rule: cause.rule,
        certainty: Certainty::Derived,
        via: chain.iter().rev().filter_map(audit_id).collect(),
        rivals: rivals.iter().filter_map(audit_id).collect(),
    })
}

/// The deletion of the very object a request was sent to.
pub(crate) fn own_deletion(record: &Record<'_>, fact: &AuditFact<'_>) -> Effect {
    Effect {
        time: fact.start,
        what: EffectKind::Deleted,
        object: record.key.clone(),
        audit_id: fact.reference(),
        rule: Rule::SameRequest,
        certainty: Certainty::Recorded,
        via: Vec::new(),
        rivals: Vec::new(),
    }
}

fn kind(record: &Record<'_>, fact: &AuditFact<'_>, index: usize) -> EffectKind {
    if fact.is_deletion() {
        return EffectKind::Deleted;
    }
    if is_creation(record, fact, index) {
        return EffectKind::Created;
    }
    let replicas = |state: Option<&State<'_>>| state.and_then(|state| state.head.replicas);
    let before = replicas(record.lives.base(&record.facts, index));
    match before.zip(replicas(record.lives.state(index))) {
        Some((old, new)) if old < new => EffectKind::ScaledUp,
        Some((old, new)) if old > new => EffectKind::ScaledDown,
        _ => EffectKind::Changed,
    }
}

/// Whether a request made the object.
pub(crate) fn is_creation(record: &Record<'_>, fact: &AuditFact<'_>, index: usize) -> bool {
    let first = matches!(record.lives.state_index(index), Some(0) | None);
    let made = fact.verb == "create" || fact.code == Some(201);
    fact.is_write() && made && first && fact.subresource.is_empty() && fact.succeeded()
}

fn outcome(record: &Record<'_>, fact: &AuditFact<'_>, index: usize) -> Outcome {
    match fact.code {
        None if !fact.succeeded() => Outcome::Unknown,
        Some(code) if fact.refused() => Outcome::Refused {
            code,
            reason: fact.error_reason.to_owned(),
            message: fact.error_message.to_owned(),
            causes: causes_of_refusal(fact),
        },
        _ if fact.dry_run => Outcome::DryRun,
        _ if record.lives.is_no_op(index) => Outcome::NoChange,
        _ => Outcome::Done,
    }
}

fn causes_of_refusal(fact: &AuditFact<'_>) -> Vec<RefusalCause> {
    serde_json::from_str(fact.error_causes).unwrap_or_default()
}

fn changes(record: &Record<'_>, fact: &AuditFact<'_>, index: usize) -> (Vec<Change>, Base) {
    let none = (Vec::new(), Base::None);
    let no_op = record.lives.is_no_op(index);
    let tells = fact.succeeded() && fact.is_write() && !fact.is_deletion() && !no_op;
    if !tells || matches!(fact.subresource, "binding" | "eviction" | "token" | "exec" | "attach") {
        return none;
    }
    if is_creation(record, fact, index) {
        return none;
    }
    let (base, state) = (record.lives.base(&record.facts, index), record.lives.state(index));
    let only_seen = fact.seen().filter(|change| state.is_none() && !change.diff.is_empty());
    if fact.subresource == "scale" && only_seen.is_none() {
        return replicas(fact, base, state);
    }
    let whole = base.filter(|base| !base.text.is_empty());
    match (whole, state) {
        (Some(base), Some(state)) if matches!(state.source, Source::Answer | Source::Metadata) => {
            (changes::between_states(base, state), kind_of_base(fact, base, state))
        }
        _ if only_seen.is_some() => only_seen.map_or(none, told_by_watch),
        (Some(base), None)
            if fact.dry_run && fact.response_kind.is_empty() && !fact.response.is_empty() =>
        {
            (changes::between(&base.text, &fact.response), Base::Recorded)
        }
        _ => (changes::asked(fact.request), Base::Unknown),
    }
}

/// Design §7: the base is what the write started from, unless its precondition or a skipped
/// generation says otherwise.
fn kind_of_base(fact: &AuditFact<'_>, base: &State<'_>, state: &State<'_>) -> Base {
    let skipped = matches!(
        (base.head.generation, state.head.generation),
        (Some(old), Some(new)) if new > old + 1
    );
    let from = fact.started_from();
    let other_base = !from.is_empty() && *from != *base.head.resource_version;
    let missed = fact.seen().is_some_and(|change| change.gap);
    if missed || other_base || from.is_empty() && skipped {
        Base::ChangesInBetweenUnseen
    } else {
        Base::Recorded
    }
}

/// What a watch saw, where no state is known that it could be counted from.
fn told_by_watch(change: &ChangeFact<'_>) -> (Vec<Change>, Base) {
    let base = if change.gap { Base::ChangesInBetweenUnseen } else { Base::Recorded };
    (changes::seen(change.shown_changes()), base)
}

fn replicas(
    fact: &AuditFact<'_>,
    base: Option<&State<'_>>,
    state: Option<&State<'_>>,
) -> (Vec<Change>, Base) {
    let asked = |body: &str| {
        let body: Value = serde_json::from_str(body).ok()?;
        body.pointer("/spec/replicas").and_then(Value::as_i64)
    };
    let new = state
        .and_then(|state| state.head.replicas)
        .or_else(|| asked(&fact.response))
        .or_else(|| asked(fact.request));
    let old = base.and_then(|base| base.head.replicas);
    let change = Change {
        path: "spec.replicas".to_owned(),
        old: old.map(Value::from),
        new: new.map(Value::from),
        old_unknown: old.is_none(),
    };
    let base = if old.is_none() { Base::Unknown } else { Base::Recorded };
    (if old == new || new.is_none() { Vec::new() } else { vec![change] }, base)
}

/// The life of the root that an object belongs to, by owner uids, else by time.
pub(crate) fn root_life(world: &World<'_>, id: FactId) -> usize {
    let by_time = |time: UnixNanos| {
        world.root().lives.all.iter().rposition(|life| life.began <= time).unwrap_or(0)
    };
    if id.object == 0 {
        return world.root().lives.life_index(id.fact);
    }
    let start = world.fact(id).map(|fact| fact.start).unwrap_or_default();
    by_owner(world, id).unwrap_or_else(|| by_time(start))
}

const OWNERS_UP_MAX: usize = 8;

fn by_owner(world: &World<'_>, id: FactId) -> Option<usize> {
    let record = world.object(id)?;
    let mut life = record.lives.life(id.fact)?;
    for _ in 0..OWNERS_UP_MAX {
        let owners = &life.states.first()?.head.owners;
        let owner = owners.iter().find_map(|owner| world.life_by_uid(&owner.uid))?;
        if owner.object == 0 {
            return Some(owner.life);
        }
        life = world.life(owner)?;
    }
    None
}

/// The key of a request across objects: one deletecollection touches many.
pub(crate) fn request<'f>(fact: &'f AuditFact<'_>) -> (&'f str, &'f str, &'f str, &'f str) {
    fact.request_key()
}

/// `rs`, `job`, or the plural of what is not built in.
pub(crate) fn kind_word(key: &ObjectKey) -> Cow<'_, str> {
    let kind = || kinds::kind(&key.group, &key.resource).map(str::to_ascii_lowercase);
    match kinds::short(&key.group, &key.resource) {
        Some(short) => Cow::Borrowed(short),
        None => kind().map_or(Cow::Borrowed(&key.resource), Cow::Owned),
    }
}

/// `rs/597699c6dd` rather than `rs/web-597699c6dd` in the story of `web`.
pub(crate) fn short_name(key: &ObjectKey, root: &ObjectKey) -> String {
    let kind = kind_word(key);
    let own = key.name.strip_prefix(&root.name).and_then(|rest| rest.strip_prefix('-'));
    let same_place = key.namespace == root.namespace && key.cluster == root.cluster;
    let name = own.filter(|_| same_place && key.resource != "pods").unwrap_or(&key.name);
    [&kind, "/", name].concat()
}
