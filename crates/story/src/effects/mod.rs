//! What an act caused, counted only over chains that are recorded or follow a named rule.
//!
//! Promise: nothing is given to an act because it is near in time. A controller's write has a cause
//! when a [`Rule`] names it; else it is listed as not explained. Where a rule leaves several causes
//! possible, the first asked is taken and the others are kept as rivals.
//! Never here: wording.

mod ledger;
mod search;
mod template;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::classify::Fold;
use crate::merge::in_time;
use crate::world::{FactId, World};
use search::Search;

/// By what an effect is known to follow from an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The same request says so.
    SameRequest,
    /// The new object's pod template equals the one the act set.
    TemplateEqual,
    /// The replica set took over the replicas the act asked for (`desired-replicas`).
    Scale,
    /// The replica set grew or shrank because the act set another template.
    Rollout,
    /// The replica set took over annotations of its Deployment.
    AnnotationsCopied,
    /// The owner wanted so many pods more or fewer.
    ReplicaCount,
    /// The owner had a pod less than it wants.
    Replacement,
    /// A finalizer was taken off because the object is being deleted.
    DeletionFinished,
    /// The owner's controller keeps the template the act set as a revision.
    Revision,
    /// Garbage collection: the owner was deleted.
    OwnerDeleted,
    /// The Namespace was deleted.
    NamespaceDeleted,
}

/// Why a fact came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    pub(crate) by: FactId,
    pub(crate) rule: Rule,
    /// Other facts that could have been the cause by the same rule.
    pub(crate) rivals: Vec<FactId>,
}

/// The causes that were found.
#[derive(Debug, Default)]
pub(crate) struct Causes {
    causes: HashMap<FactId, Cause>,
    /// Controllers' writes that changed something and have no known cause, in the order of time.
    pub(crate) unexplained: Vec<FactId>,
}

/// Longest chain that is followed; ownership in Kubernetes is rarely deeper than four.
const CHAIN_MAX: usize = 32;

impl Causes {
    /// Finds the cause of every write by a controller.
    pub(crate) fn find(world: &World<'_>) -> Self {
        let mut search = Search::of(world);
        for id in writes(world) {
            search.take(id);
        }
        search.causes
    }

    /// The direct cause of a fact.
    pub(crate) fn of(&self, id: FactId) -> Option<&Cause> {
        self.causes.get(&id)
    }

    /// The facts that led to `id`, nearest first; the last is where the chain begins.
    pub(crate) fn chain(&self, id: FactId) -> Vec<FactId> {
        let mut chain = Vec::new();
        let mut at = id;
        while let Some(cause) = self.of(at) {
            if chain.len() == CHAIN_MAX || chain.contains(&cause.by) {
                break;
            }
            chain.push(cause.by);
            at = cause.by;
        }
        chain
    }
}

/// Writes that took effect and are no routine, in the order of time.
fn writes(world: &World<'_>) -> Vec<FactId> {
    let counts = |id: &FactId| {
        let Some((record, fact)) = world.object(*id).zip(world.fact(*id)) else { return false };
        let fold = record.folds.get(id.fact).copied().flatten();
        let no_op = record.lives.is_no_op(id.fact);
        fact.took_effect()
            && fact.is_write()
            && !no_op
            && matches!(fold, None | Some(Fold::Controller))
    };
    let mut ids: Vec<_> = world.fact_ids().filter(counts).collect();
    ids.sort_by(|a, b| match (world.fact(*a), world.fact(*b)) {
        (Some(left), Some(right)) => in_time(left, right).then(a.cmp(b)),
        _ => a.cmp(b),
    });
    ids
}
