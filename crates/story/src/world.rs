//! Everything gathered, read once: objects with their facts, lives and classes.
//!
//! Promise: one record an object, the root first, the rest in a fixed order, however they came.

use std::collections::HashMap;

use kausal_object::{KeyRef, ObjectKey};
use kausal_trace::UnixNanos;

use crate::act;
use crate::classify::{self, Fold};
use crate::fact::{AuditFact, Decoded, EventFact};
use crate::frames::LinkFrame;
use crate::gathered::{Gathered, GatheredObject, Relation};
use crate::join::join;
use crate::merge;
use crate::policy::TellPolicy;
use crate::state::{Life, Lives, lives};

/// What is known of one object.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    pub(crate) key: &'a ObjectKey,
    /// Its kind and name, as people say them (`rs/web-1`).
    pub(crate) called: String,
    pub(crate) relation: &'a Relation,
    pub(crate) facts: Vec<AuditFact<'a>>,
    pub(crate) events: Vec<EventFact<'a>>,
    pub(crate) links: Vec<LinkFrame<'a>>,
    pub(crate) lives: Lives<'a>,
    /// Of each fact: why it folds.
    pub(crate) folds: Vec<Option<Fold>>,
}

/// A fact of an object in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FactId {
    pub(crate) object: usize,
    pub(crate) fact: usize,
}

/// A life of an object in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LifeId {
    pub(crate) object: usize,
    pub(crate) life: usize,
}

/// Everything gathered.
#[derive(Debug)]
pub(crate) struct World<'a> {
    /// The root is the first.
    pub(crate) objects: Vec<Record<'a>>,
    pub(crate) from: UnixNanos,
    pub(crate) to: UnixNanos,
    pub(crate) warnings: Vec<String>,
    by_uid: HashMap<String, LifeId>,
}

impl<'a> World<'a> {
    /// Reads what was gathered.
    pub(crate) fn read(gathered: &'a Gathered, policy: &TellPolicy) -> Self {
        let mut warnings = gathered.warnings.clone();
        let objects: Vec<_> =
            sorted(gathered).iter().map(|object| record(object, policy, &mut warnings)).collect();
        warnings.sort();
        warnings.dedup();
        let by_uid = by_uid(&objects);
        Self { objects, from: gathered.from, to: gathered.to, warnings, by_uid }
    }

    /// The object asked for.
    pub(crate) fn root(&self) -> &Record<'a> {
        // `sorted` always puts the root in.
        self.objects.first().expect("the root is always there")
    }

    pub(crate) fn object(&self, id: FactId) -> Option<&Record<'a>> {
        self.objects.get(id.object)
    }

    pub(crate) fn fact(&self, id: FactId) -> Option<&AuditFact<'a>> {
        self.object(id)?.facts.get(id.fact)
    }

    pub(crate) fn life(&self, id: LifeId) -> Option<&Life<'a>> {
        self.objects.get(id.object)?.lives.all.get(id.life)
    }

    /// The life that has a uid.
    pub(crate) fn life_by_uid(&self, uid: &str) -> Option<LifeId> {
        self.by_uid.get(uid).copied()
    }

    /// Whether a time lies in the range that is shown.
    pub(crate) fn shows(&self, time: UnixNanos) -> bool {
        (self.from..=self.to).contains(&time)
    }

    /// Every fact, object by object.
    pub(crate) fn fact_ids(&self) -> impl Iterator<Item = FactId> {
        self.objects.iter().enumerate().flat_map(|(object, record)| {
            (0..record.facts.len()).map(move |fact| FactId { object, fact })
        })
    }
}

impl Record<'_> {
    /// Whether its requests count as writes of the story: the root and what it owns.
    pub(crate) fn is_of_story(&self) -> bool {
        matches!(self.relation, Relation::Root | Relation::Owned { .. })
    }
}

/// All parts of one object.
struct Parts<'a> {
    key: &'a ObjectKey,
    relation: &'a Relation,
    gathered: Vec<&'a GatheredObject>,
}

/// The objects in the order of telling, the root always among them.
fn sorted(gathered: &Gathered) -> Vec<Parts<'_>> {
    let mut known: HashMap<KeyRef<'_>, usize> = HashMap::with_capacity(gathered.objects.len() + 1);
    let mut objects: Vec<Parts<'_>> = Vec::with_capacity(gathered.objects.len() + 1);
    known.insert(gathered.root.as_ref(), 0);
    objects.push(Parts { key: &gathered.root, relation: &Relation::Root, gathered: Vec::new() });
    for part in &gathered.objects {
        let at = *known.entry(part.key.as_ref()).or_insert(objects.len());
        if at == objects.len() {
            objects.push(Parts { key: &part.key, relation: &part.relation, gathered: Vec::new() });
        }
        if let Some(object) = objects.get_mut(at) {
            object.relation = object.relation.min(&part.relation);
            object.gathered.push(part);
        }
    }
    objects.sort_unstable_by(|a, b| order(a).cmp(&order(b)));
    objects
}

fn record<'a>(object: &Parts<'a>, policy: &TellPolicy, warnings: &mut Vec<String>) -> Record<'a> {
    let key = object.key;
    let spans = object.gathered.iter().map(|part| part.spans.len()).sum();
    let mut decoded = Decoded::with_room(spans);
    for span in object.gathered.iter().flat_map(|part| &part.spans) {
        decoded.add(key.as_ref(), span);
    }
    if decoded.malformed > 0 {
        warnings.push(format!("stored spans of {key} that cannot be read are left out"));
    }
    if decoded.strangers > 0 {
        warnings.push(format!("spans stored with {key} belong to another object; left out"));
    }
    let audits = merge::audits(decoded.audits, warnings);
    let facts = join(audits, decoded.changes, warnings);
    let lives = lives(&key.resource, &facts);
    let folds = facts
        .iter()
        .enumerate()
        .map(|(index, fact)| {
            classify::fold(fact, &key.resource, confirms(&lives, &facts, index), policy)
        })
        .collect();
    let events = merge::events(decoded.events);
    Record {
        key,
        called: act::short_name(key, key),
        relation: object.relation,
        facts,
        events,
        links: decoded.links,
        lives,
        folds,
    }
}

/// Whether a deletion confirms one that was already asked for.
fn confirms(lives: &Lives<'_>, facts: &[AuditFact<'_>], index: usize) -> bool {
    let Some((fact, life)) = facts.get(index).zip(lives.life(index)) else { return false };
    let asked_before = life.deletion.is_some_and(|first| first < index);
    let was_deleting = || {
        match fact.verb {
            "deletecollection" => lives.state(index),
            _ => lives.base(facts, index),
        }
        .is_some_and(|state| state.head.deleting)
    };
    fact.is_deletion() && fact.took_effect() && (asked_before || was_deleting())
}

fn by_uid(objects: &[Record<'_>]) -> HashMap<String, LifeId> {
    let mut by_uid = HashMap::new();
    for (object, record) in objects.iter().enumerate() {
        for (life, told) in record.lives.all.iter().enumerate() {
            if !told.uid.is_empty() {
                by_uid.entry(told.uid.to_string()).or_insert(LifeId { object, life });
            }
        }
    }
    by_uid
}

fn order<'a>(object: &Parts<'a>) -> (u8, u32, &'a ObjectKey) {
    let (rank, depth) = match object.relation {
        Relation::Root => (0, 0),
        Relation::Owned { depth, .. } => (1, *depth),
        Relation::Ancestor { depth, .. } => (2, *depth),
        Relation::Related { .. } => (3, 0),
        Relation::Namespace => (4, 0),
    };
    (rank, depth, object.key)
}
