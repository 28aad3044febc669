//! The rules by which a controller's write follows from another write.
//!
//! Promise: facts are taken in the order of time, and only what came before can be a cause.

use std::collections::HashMap;

use kausal_trace::UnixNanos;

use super::ledger::Ledger;
use super::template::Templates;
use super::{Cause, Causes, Rule};
use crate::frames::LinkRole;
use crate::state::{Life, Source, State};
use crate::world::{FactId, LifeId, World};

/// The state of the search, fact after fact in the order of time.
pub(super) struct Search<'w, 'a> {
    world: &'w World<'a>,
    pub(super) causes: Causes,
    ledgers: HashMap<LifeId, Ledger>,
    templates: Templates,
}

impl<'w, 'a> Search<'w, 'a> {
    /// Nothing taken in yet.
    pub(super) fn of(world: &'w World<'a>) -> Self {
        let (ledgers, templates) = (HashMap::new(), Templates::default());
        Self { world, causes: Causes::default(), ledgers, templates }
    }

    /// Takes in the next write: finds why it came about, and notes what it asks for.
    pub(super) fn take(&mut self, id: FactId) {
        let Some((record, fact)) = self.world.object(id).zip(self.world.fact(id)) else { return };
        let reaction = record.folds.get(id.fact).copied().flatten().is_some();
        if reaction || fact.is_unaudited() {
            match self.explain(id) {
                Some(cause) => {
                    self.causes.causes.insert(id, cause);
                }
                None if reaction && record.is_of_story() => self.causes.unexplained.push(id),
                None => {}
            }
        }
        if fact.is_deletion() {
            self.owe_replacement(id);
        } else {
            self.owe_pods(id);
        }
    }

    fn explain(&mut self, id: FactId) -> Option<Cause> {
        let fact = self.world.fact(id)?;
        let hand = match fact.seen().filter(|_| fact.is_unaudited()) {
            Some(change) => Hand::of_manager(change.manager),
            None => Hand::of(fact.username),
        };
        if fact.is_deletion() {
            return match hand {
                Hand::GarbageCollector => self.owner_deleted(id),
                Hand::NamespaceController => self.namespace_deleted(id),
                Hand::Workload => self.pod_change(id, Ledger::lower),
                Hand::Manager => self
                    .owner_deleted(id)
                    .or_else(|| self.namespace_deleted(id))
                    .or_else(|| self.pod_change(id, Ledger::lower)),
                // Nothing tells who removed it, but something who would.
                Hand::Other if fact.is_unaudited() => {
                    self.owner_deleted(id).or_else(|| self.namespace_deleted(id))
                }
                Hand::Other => None,
            };
        }
        if let Some(cause) = self.deletion_finished(id) {
            return Some(cause);
        }
        match hand {
            Hand::GarbageCollector => self.owner_deleted(id),
            Hand::Workload | Hand::Manager => {
                self.replica_set_change(id).or_else(|| self.revision(id)).or_else(|| {
                    if self.is_creation(id) { self.pod_change(id, Ledger::raise) } else { None }
                })
            }
            _ => None,
        }
    }

    /// The life that owns the object of `id`, preferring the controlling owner.
    fn owner(&self, id: FactId) -> Option<LifeId> {
        self.owners(id).into_iter().next()
    }

    fn owners(&self, id: FactId) -> Vec<LifeId> {
        let Some(record) = self.world.object(id) else { return Vec::new() };
        let Some(life) = record.lives.life(id.fact) else { return Vec::new() };
        let (base, own) = (record.lives.base(&record.facts, id.fact), record.lives.state(id.fact));
        // What a watch saw last of a removed object is nearest to its removal.
        let last_sight = own.filter(|state| state.source == Source::Before);
        let state = last_sight.or(base).or(own);
        let state = state.or_else(|| life.states.first());
        let mut uids: Vec<(bool, &str)> = state.map_or_else(Vec::new, |state| {
            state.head.owners.iter().map(|owner| (!owner.controller, &*owner.uid)).collect()
        });
        if state.is_none() {
            let owners = record.links.iter().filter(|link| {
                link.is_owner() && link.role == LinkRole::Parent && link.own_uid == &*life.uid
            });
            uids.extend(owners.map(|link| (true, link.uid)));
        }
        uids.sort_unstable();
        uids.into_iter().filter_map(|(_, uid)| self.world.life_by_uid(uid)).collect()
    }

    fn is_creation(&self, id: FactId) -> bool {
        let Some((record, fact)) = self.world.object(id).zip(self.world.fact(id)) else {
            return false;
        };
        let first = record.lives.state_index(id.fact) == Some(0);
        fact.subresource.is_empty() && first && (fact.verb == "create" || fact.code == Some(201))
    }

    /// The first request for the deletion of a life, if it came before `time`.
    fn deletion_before(&self, life: LifeId, time: UnixNanos) -> Option<FactId> {
        let fact = self.world.life(life)?.deletion?;
        let id = FactId { object: life.object, fact };
        (self.world.fact(id)?.start <= time).then_some(id)
    }

    /// The last finalizer is taken off an object that is being deleted.
    fn deletion_finished(&self, id: FactId) -> Option<Cause> {
        let (record, fact) = (self.world.object(id)?, self.world.fact(id)?);
        let (before, after) =
            (record.lives.base(&record.facts, id.fact)?, record.lives.state(id.fact)?);
        if !before.head.finalizers || after.head.finalizers || !after.head.deleting {
            return None;
        }
        let life = record.lives.life_index(id.fact);
        let by = self.deletion_before(LifeId { object: id.object, life }, fact.start)?;
        Some(Cause { by, rule: Rule::DeletionFinished, rivals: Vec::new() })
    }

    /// A controller revision is made when the template of its owner is set.
    fn revision(&mut self, id: FactId) -> Option<Cause> {
        let world = self.world;
        if world.object(id)?.key.resource != "controllerrevisions" || !self.is_creation(id) {
            return None;
        }
        let owner = self.owner(id)?;
        let (life, time) = (world.life(owner)?, world.fact(id)?.start);
        let fact = set_by(life, time, |a, b| self.templates.same_template(a, b))?;
        let by = FactId { object: owner.object, fact };
        Some(Cause { by, rule: Rule::Revision, rivals: Vec::new() })
    }

    fn owner_deleted(&self, id: FactId) -> Option<Cause> {
        let time = self.world.fact(id)?.start;
        let mut gone: Vec<_> = self
            .owners(id)
            .into_iter()
            .filter_map(|owner| self.deletion_before(owner, time))
            .collect();
        gone.dedup();
        let by = *gone.first()?;
        gone.remove(0);
        Some(Cause { by, rule: Rule::OwnerDeleted, rivals: gone })
    }

    fn namespace_deleted(&self, id: FactId) -> Option<Cause> {
        let (key, time) = (&self.world.object(id)?.key, self.world.fact(id)?.start);
        let object = self.world.objects.iter().position(|other| {
            other.key.resource == "namespaces"
                && other.key.group.is_empty()
                && other.key.cluster == key.cluster
                && other.key.name == key.namespace
        })?;
        let lives = 0..self.world.objects.get(object)?.lives.all.len();
        let by =
            lives.rev().find_map(|life| self.deletion_before(LifeId { object, life }, time))?;
        Some(Cause { by, rule: Rule::NamespaceDeleted, rivals: Vec::new() })
    }

    /// A pod that its owner's controller made or took away.
    fn pod_change(&mut self, id: FactId, draw: fn(&mut Ledger) -> Option<Cause>) -> Option<Cause> {
        if self.world.object(id)?.key.resource != "pods" {
            return None;
        }
        let owner = self.owner(id)?;
        self.ledgers.get_mut(&owner).and_then(draw)
    }

    /// A pod that goes while its owner stays is owed again.
    fn owe_replacement(&mut self, id: FactId) {
        let Some((record, fact)) = self.world.object(id).zip(self.world.fact(id)) else { return };
        let surplus = self.causes.of(id).is_some_and(|cause| cause.rule == Rule::ReplicaCount);
        if record.key.resource != "pods" || surplus {
            return;
        }
        let Some(owner) = self.owner(id) else { return };
        if self.deletion_before(owner, fact.start).is_none() {
            self.ledgers.entry(owner).or_default().owe(1, id, Rule::Replacement);
        }
    }

    /// What a write of a pods' owner asks of its controller.
    fn owe_pods(&mut self, id: FactId) {
        let world = self.world;
        let Some(record) = world.object(id) else { return };
        let Some(state) = record.lives.state(id.fact) else { return };
        let before = record.lives.base(&record.facts, id.fact);
        let life = record.lives.life_index(id.fact);
        let life_id = LifeId { object: id.object, life };
        let wants = |state: &State<'_>| match record.key.resource.as_str() {
            "replicasets" | "statefulsets" | "replicationcontrollers" => state.head.replicas,
            "jobs" => Some(state.head.wanted.unwrap_or(1)),
            "daemonsets" => world.life(life_id).and_then(|life| scheduled_for(life, state)),
            _ => None,
        };
        let Some(now) = wants(state) else { return };
        let rolls = matches!(record.key.resource.as_str(), "statefulsets" | "daemonsets");
        let new_template = rolls
            && before.is_some_and(|before| {
                !self
                    .templates
                    .equal(before.head.template(&before.text), state.head.template(&state.text))
            });
        let was = before.map_or(Some(0), wants).unwrap_or(now);
        let ledger = self.ledgers.entry(life_id).or_default();
        ledger.change(now - was, id);
        if new_template {
            ledger.replace(now.min(was), id);
        }
    }

    /// A replica set that its Deployment's controller made or changed.
    fn replica_set_change(&mut self, id: FactId) -> Option<Cause> {
        let world = self.world;
        let record = world.object(id)?;
        if record.key.resource != "replicasets" {
            return None;
        }
        let owner = self.owner(id)?;
        if world.objects.get(owner.object)?.key.resource != "deployments" {
            return None;
        }
        let time = world.fact(id)?.start;
        let deployment = world.life(owner)?;
        let state = record.lives.state(id.fact)?;
        let cause = |fact: usize, rule| {
            Some(Cause { by: FactId { object: owner.object, fact }, rule, rivals: Vec::new() })
        };
        if self.is_creation(id) {
            let made_for = self.templates.setter(deployment, time, state)?;
            return cause(made_for, Rule::TemplateEqual);
        }
        let before = record.lives.base(&record.facts, id.fact)?;
        let (old, new) = (annotations(before), annotations(state));
        let changed = |name: &str| old.get(name) != new.get(name);
        if changed("deployment.kubernetes.io/desired-replicas") {
            let fact = set_by(deployment, time, |a, b| a.head.replicas == b.head.replicas)?;
            return cause(fact, Rule::Scale);
        }
        let rollout = set_by(deployment, time, |a, b| self.templates.same_template(a, b))?;
        if before.head.replicas != state.head.replicas {
            let wanted = known_at(deployment, time).next_back()?;
            let grew = before.head.replicas < state.head.replicas;
            let is_new = self.templates.same_template(wanted, state);
            return if grew == is_new { cause(rollout, Rule::Rollout) } else { None };
        }
        if changed("deployment.kubernetes.io/revision") {
            return cause(rollout, Rule::Rollout);
        }
        if old != new {
            let fact = set_by(deployment, time, |a, b| {
                let (a, b) = (annotations(a), annotations(b));
                new.iter()
                    .filter(|(name, _)| changed(name))
                    .all(|(name, _)| a.get(name) == b.get(name))
            })?;
            return cause(fact, Rule::AnnotationsCopied);
        }
        None
    }
}

/// The fact of a life that set what it had at `time`: the oldest state in the last run of states
/// that are `same`.
pub(super) fn set_by(
    life: &Life<'_>,
    time: UnixNanos,
    mut same: impl FnMut(&State<'_>, &State<'_>) -> bool,
) -> Option<usize> {
    let mut known = known_at(life, time).rev();
    let mut setter = known.next()?;
    for earlier in known {
        if !same(earlier, setter) {
            break;
        }
        setter = earlier;
    }
    Some(setter.fact)
}

/// States of a life that may have been in force at `time`.
pub(super) fn known_at<'l, 'a>(
    life: &'l Life<'a>,
    time: UnixNanos,
) -> impl DoubleEndedIterator<Item = &'l State<'a>> {
    life.states.iter().filter(move |state| state.since <= time)
}

/// Pods a daemon set wanted for the generation of `state`, from the first status that counted them.
fn scheduled_for(life: &Life<'_>, state: &State<'_>) -> Option<i64> {
    let generation = state.head.generation?;
    life.states.iter().find_map(|later| {
        later
            .head
            .scheduled
            .filter(|(_, observed)| *observed >= generation)
            .map(|(wanted, _)| wanted)
    })
}

fn annotations(state: &State<'_>) -> HashMap<String, String> {
    let text = state.head.annotations(&state.text).unwrap_or("{}");
    serde_json::from_str(text).unwrap_or_default()
}

/// Which part of Kubernetes a user name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hand {
    GarbageCollector,
    NamespaceController,
    /// A controller that makes what its owner asks for.
    Workload,
    /// The controller manager under one name, as without `--use-service-account-credentials`.
    Manager,
    Other,
}

impl Hand {
    /// All controllers of the controller manager write under its one name.
    fn of_manager(manager: &str) -> Self {
        if manager == "kube-controller-manager" { Self::Manager } else { Self::Other }
    }

    fn of(username: &str) -> Self {
        if username == "system:kube-controller-manager" {
            return Self::Manager;
        }
        match username.strip_prefix("system:serviceaccount:kube-system:") {
            Some("generic-garbage-collector") => Self::GarbageCollector,
            Some("namespace-controller") => Self::NamespaceController,
            Some(
                "deployment-controller"
                | "replicaset-controller"
                | "replication-controller"
                | "statefulset-controller"
                | "daemon-set-controller"
                | "job-controller",
            ) => Self::Workload,
            _ => Self::Other,
        }
    }
}
