//! From everything gathered to a [`Story`].
//!
//! Promise: every request seen on the object and on what it owns is in the story once, told or
//! folded; the counts add up to them.

use std::collections::{BTreeMap, HashMap};

use kausal_trace::UnixNanos;

use crate::act;
use crate::describe;
use crate::effects::Causes;
use crate::fact::AuditFact;
use crate::gathered::{Gathered, Relation};
use crate::policy::TellPolicy;
use crate::story::{Act, Counts, Effect, Life, Moment, Place, Story};
use crate::world::{FactId, World};

/// Tells the story of the gathered root.
pub fn tell(gathered: &Gathered, policy: &TellPolicy) -> Story {
    let world = World::read(gathered, policy);
    let causes = Causes::find(&world);
    let effects = effects(&world, &causes);
    let lives = lives(&world, &causes, &effects);
    let times = || lives.iter().flat_map(|life| &life.acts).map(|act| act.time);
    Story {
        object: gathered.root.clone(),
        from: gathered.from,
        to: gathered.to,
        first: times().min(),
        last: times().max(),
        counts: counts(&world, &lives),
        not_explained: not_explained(&world, &causes),
        warnings: world.warnings.iter().cloned().chain(contradictions(&lives)).collect(),
        lives,
    }
}

/// Requests whose own bodies say something else than the changes seen of them.
fn contradictions(lives: &[Life]) -> impl Iterator<Item = String> {
    let acts = lives.iter().flat_map(|life| &life.acts);
    let torn = acts.filter(|act| act.change.as_ref().is_some_and(|change| change.contradicts));
    torn.map(|act| {
        let id = &act.audit_id;
        format!("request {id} and the change seen of it contradict each other; the request is told")
    })
}

/// Effects by the act they begin with, in the order of time.
pub(crate) fn effects(world: &World<'_>, causes: &Causes) -> HashMap<FactId, Vec<Effect>> {
    let mut by_act: HashMap<FactId, Vec<Effect>> = HashMap::new();
    for id in world.fact_ids() {
        let Some((record, fact)) = world.object(id).zip(world.fact(id)) else { continue };
        if !world.shows(fact.start) {
            continue;
        }
        let told = record.folds.get(id.fact).copied().flatten().is_none();
        if told
            && record.is_of_story()
            && id.object != 0
            && fact.is_deletion()
            && fact.took_effect()
        {
            by_act.entry(id).or_default().push(act::own_deletion(record, fact));
        }
        let begin = causes.chain(id).last().copied();
        if let Some((begin, effect)) = begin.zip(act::effect(world, causes, id)) {
            by_act.entry(begin).or_default().push(effect);
        }
    }
    for effects in by_act.values_mut() {
        effects.sort_by(|a, b| {
            (a.time, &a.object, &a.audit_id).cmp(&(b.time, &b.object, &b.audit_id))
        });
    }
    by_act
}

/// Whether a fact is told or counted in the story.
pub(crate) fn is_of_story(world: &World<'_>, id: FactId) -> bool {
    let Some((record, fact)) = world.object(id).zip(world.fact(id)) else { return false };
    let ends_namespace = *record.relation == Relation::Namespace
        && record.lives.life(id.fact).is_some_and(|life| life.deletion == Some(id.fact))
        && anything_lived(world, fact.start);
    world.shows(fact.start) && (record.is_of_story() || ends_namespace)
}

/// Whether, as far as is known, the root or something it owns was there at a time.
fn anything_lived(world: &World<'_>, time: UnixNanos) -> bool {
    let of_story = world.objects.iter().filter(|record| record.is_of_story());
    of_story.into_iter().any(|record| {
        record.lives.all.iter().any(|life| {
            let removal = life.removal.and_then(|fact| record.facts.get(fact));
            life.began <= time && removal.is_none_or(|removal| removal.start > time)
        })
    })
}

fn lives(world: &World<'_>, causes: &Causes, effects: &HashMap<FactId, Vec<Effect>>) -> Vec<Life> {
    let mut lives: Vec<Life> = empty_lives(world);
    let mut known = HashMap::new();
    for id in world.fact_ids().filter(|id| is_of_story(world, *id)) {
        let Some(fact) = world.fact(id) else { continue };
        let Some(mut act) = act::tell(world, causes, id) else { continue };
        act.effects = effects.get(&id).cloned().unwrap_or_default();
        if world.object(id).is_some_and(|record| *record.relation == Relation::Namespace) {
            act.summary = describe::namespace_deletion(&act, world.root().key);
        }
        let key = (act::request(fact), nth_of_its_key(world, id));
        let again = known.get(&key).filter(|_| !fact.is_unaudited()).copied();
        if let Some((life, at)) = again {
            join(&mut lives, life, at, act);
            continue;
        }
        let life = act::root_life(world, id);
        let Some(acts) = lives.get_mut(life).map(|life| &mut life.acts) else { continue };
        known.insert(key, (life, acts.len()));
        acts.push(act);
    }
    for life in &mut lives {
        life.acts.sort_by(|a, b| {
            (a.time, a.answered, &a.audit_id).cmp(&(b.time, b.answered, &b.audit_id))
        });
    }
    lives.retain(|life| !life.acts.is_empty());
    lives
}

/// One request on several objects is one act.
fn join(lives: &mut [Life], life: usize, at: usize, act: Act) {
    let Some(first) = lives.get_mut(life).and_then(|life| life.acts.get_mut(at)) else { return };
    first.also.push(act.object);
    first.effects.extend(act.effects);
    if act.folded.is_none() {
        first.folded = None;
    }
}

/// Of records of one request that contradict each other on one object: which one it is.
fn nth_of_its_key(world: &World<'_>, id: FactId) -> usize {
    let Some((record, fact)) = world.object(id).zip(world.fact(id)) else { return 0 };
    let before = record.facts.iter().take(id.fact);
    before.filter(|other| other.request_key() == fact.request_key()).count()
}

fn empty_lives(world: &World<'_>) -> Vec<Life> {
    let root = world.root();
    let moment = |index: usize| {
        root.facts.get(index).map(|fact| Moment { time: fact.start, audit_id: fact.reference() })
    };
    let told = root.lives.all.iter().enumerate().map(|(index, life)| {
        let creation = life.facts.iter().copied().find(|&index| {
            root.facts
                .get(index)
                .is_some_and(|fact| fact.took_effect() && act::is_creation(root, fact, index))
        });
        Life {
            number: index + 1,
            uid: (!life.uid.is_empty()).then(|| life.uid.to_string()),
            created: creation.and_then(moment),
            removed: life.removal.and_then(moment),
            acts: Vec::new(),
        }
    });
    told.collect()
}

fn counts(world: &World<'_>, lives: &[Life]) -> Counts {
    let mut counts = Counts { folded_by: BTreeMap::new(), ..Counts::default() };
    for act in lives.iter().flat_map(|life| &life.acts) {
        match (act.folded, act.place) {
            (None, Place::On) => counts.on_it += 1,
            (None, Place::Around) => counts.around += 1,
            (Some(fold), _) => {
                *counts.folded_by.entry(fold).or_default() += 1;
                if is_write(&act.verb) { counts.folded += 1 } else { counts.reads_folded += 1 }
            }
        }
    }
    let of_story = world.objects.iter().filter(|record| record.is_of_story());
    counts.events =
        of_story.flat_map(|record| &record.events).filter(|event| world.shows(event.time)).count();
    counts
}

fn is_write(verb: &str) -> bool {
    matches!(verb, "create" | "update" | "patch" | "delete" | "deletecollection")
}

fn not_explained(world: &World<'_>, causes: &Causes) -> Vec<String> {
    let shown = causes.unexplained.iter().filter_map(|id| world.fact(*id));
    let mut ids: Vec<_> =
        shown.filter(|fact| world.shows(fact.start)).map(AuditFact::reference).collect();
    ids.dedup();
    ids
}
