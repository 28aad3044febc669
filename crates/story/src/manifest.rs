//! The manifest of an object as it was at a time.
//!
//! Promise: the newest recorded state at or before the time, with what is not sure about it said;
//! dry runs, refusals and what came later never show.

use kausal_trace::UnixNanos;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::act::actor;
use crate::actor::Actor;
use crate::body::Head;
use crate::fact::AuditFact;
use crate::gathered::Gathered;
use crate::policy::TellPolicy;
use crate::state::{Life, Source, State};
use crate::world::{Record, World};

/// The object as it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The object, without what is never stored (`managedFields`, redacted values).
    pub value: Value,
    /// When this state was recorded.
    #[serde(with = "crate::rfc3339")]
    pub recorded_at: UnixNanos,
    /// The request that made or showed it.
    pub audit_id: String,
    /// Who sent that request.
    pub actor: Actor,
    /// Its verb, with the subresource.
    pub verb: String,
    /// How sure it is that the object was like this at the time asked for.
    pub confidence: Confidence,
    /// What is not sure, in words.
    pub doubts: Vec<String>,
}

/// How sure a manifest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// As recorded, and nothing recorded speaks for a change until the time asked for.
    Recorded,
    /// A recorded state with the replicas of a later `Scale`, or with the changes that watches saw
    /// after it.
    Derived,
    /// Something changed it that is not recorded whole.
    Outdated,
}

/// Why there is no manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum NoManifest {
    /// It was removed before the time.
    #[error("gone since {at}, removed by request {audit_id}")]
    Removed {
        /// When.
        #[serde(with = "crate::rfc3339")]
        at: UnixNanos,
        /// The request that removed it.
        audit_id: String,
    },
    /// It was created after the time.
    #[error("not there yet, created at {at} by request {audit_id}")]
    NotYet {
        /// When.
        #[serde(with = "crate::rfc3339")]
        at: UnixNanos,
        /// The request that created it.
        audit_id: String,
    },
    /// Requests changed it before the time, but none is recorded with a body.
    #[error("changed before this time, but no state of it is recorded")]
    NoState,
    /// Nothing is recorded of it at or before the time.
    #[error("nothing recorded of it at or before this time")]
    NothingRecorded,
}

/// The root of what was gathered as it was at `at`. The answer to a write counts from the moment it
/// was sent.
pub fn manifest_at(gathered: &Gathered, at: UnixNanos) -> Result<Manifest, NoManifest> {
    let world = World::read(gathered, &TellPolicy::default());
    let root = world.root();
    let wrote = |fact: &AuditFact<'_>| fact.took_effect() && fact.is_write() && fact.end <= at;
    let life = root
        .lives
        .all
        .iter()
        .rev()
        .find(|life| life.facts.iter().any(|&index| root.facts.get(index).is_some_and(wrote)));
    let Some(life) = life else { return Err(before_everything(root, at)) };
    let removal = life.removal.and_then(|index| root.facts.get(index));
    if let Some(removal) = removal.filter(|removal| removal.end <= at) {
        return Err(NoManifest::Removed { at: removal.end, audit_id: removal.reference() });
    }
    let state = life.states.iter().rfind(|state| state.at <= at && !state.text.is_empty());
    let state = state.ok_or(NoManifest::NoState)?;
    manifest(root, life, state, at).ok_or(NoManifest::NoState)
}

fn before_everything(root: &Record<'_>, at: UnixNanos) -> NoManifest {
    let created = root.lives.all.iter().find_map(|life| {
        let index = *life.facts.iter().find(|&&index| {
            root.facts.get(index).is_some_and(|fact| fact.took_effect() && fact.end > at)
        })?;
        let fact = root.facts.get(index)?;
        crate::act::is_creation(root, fact, index).then_some(fact)
    });
    match created {
        Some(fact) => NoManifest::NotYet { at: fact.end, audit_id: fact.reference() },
        None => NoManifest::NothingRecorded,
    }
}

fn manifest(
    root: &Record<'_>,
    life: &Life<'_>,
    state: &State<'_>,
    at: UnixNanos,
) -> Option<Manifest> {
    let fact = root.facts.get(state.fact)?;
    let doubts = doubts(root, life, state, at);
    let confidence = match (doubts.is_empty(), state.source) {
        (false, _) => Confidence::Outdated,
        (true, Source::Scale) => Confidence::Derived,
        (true, _) if state.is_rebuilt() => Confidence::Derived,
        (true, _) => Confidence::Recorded,
    };
    let slash = if fact.subresource.is_empty() { "" } else { "/" };
    Some(Manifest {
        value: serde_json::from_str(&state.text).ok()?,
        recorded_at: state.at,
        audit_id: fact.reference(),
        actor: actor(fact),
        verb: format!("{}{slash}{}", fact.verb, fact.subresource),
        confidence,
        doubts,
    })
}

/// What speaks for changes between the state and the time asked for.
fn doubts(root: &Record<'_>, life: &Life<'_>, state: &State<'_>, at: UnixNanos) -> Vec<String> {
    let mut doubts = Vec::new();
    for &index in &life.facts {
        let Some(fact) = root.facts.get(index) else { continue };
        let later = fact.start > state.at && fact.end <= at;
        let no_state = root.lives.state_index(index).is_none();
        let no_op = root.lives.is_no_op(index);
        if later && fact.took_effect() && fact.is_write() && no_state && !no_op {
            doubts.push(format!(
                "request {} ({}) changed it at {} and its answer is not recorded",
                fact.reference(),
                fact.verb,
                fact.start
            ));
        }
    }
    let next = life.states.iter().find(|next| next.at > at && next.source == Source::Answer);
    if let Some((next, fact)) = next.and_then(|next| Some((next, root.facts.get(next.fact)?)))
        && changed_unseen(&state.head, &next.head, fact)
    {
        doubts.push(format!(
            "request {} at {} shows changes in between that are not recorded",
            fact.reference(),
            fact.start
        ));
    }
    doubts
}

fn changed_unseen(state: &Head, next: &Head, fact: &AuditFact<'_>) -> bool {
    if fact.seen().is_some_and(|change| change.gap) {
        return true;
    }
    let precondition = fact.started_from();
    if !precondition.is_empty() {
        return *precondition != *state.resource_version;
    }
    matches!((state.generation, next.generation), (Some(old), Some(new)) if new > old + 1)
}
