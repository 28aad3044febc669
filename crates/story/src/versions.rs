//! The versions of an object: what each recorded write made of it, and what that changed.
//!
//! Promise: one version a write that took effect, in the order of time; a write that changed
//! nothing made none. Where the state before is not known, that is said, and the changes are what
//! the request asked for.

use kausal_trace::UnixNanos;
use serde::{Deserialize, Serialize};

use crate::act;
use crate::actor::Actor;
use crate::changes::Change;
use crate::effects::Causes;
use crate::gathered::Gathered;
use crate::policy::TellPolicy;
use crate::story::{Act, Base};
use crate::world::{FactId, World};

/// A version of an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// The `resourceVersion` the write returned; empty when its answer is not recorded.
    pub resource_version: String,
    /// When the write was received.
    #[serde(with = "crate::rfc3339")]
    pub time: UnixNanos,
    /// Who sent it.
    pub actor: Actor,
    /// Its verb (`patch`).
    pub verb: String,
    /// Its subresource (`scale`), or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subresource: String,
    /// Its audit id.
    pub audit_id: String,
    /// Uid of the object it was made of; another one is another life of the name.
    pub uid: String,
    /// Whether the object was gone with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removes: bool,
    /// What the changes are counted from.
    pub base: Base,
    /// What it changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

/// The versions of the gathered root, oldest first.
pub fn versions(gathered: &Gathered, policy: &TellPolicy) -> Vec<Version> {
    let world = World::read(gathered, policy);
    let causes = Causes::find(&world);
    let root = world.root();
    let made = root.facts.iter().enumerate().filter(|(index, fact)| {
        let changed = !root.lives.is_no_op(*index);
        fact.took_effect() && fact.is_write() && changed && world.shows(fact.start)
    });
    let mut versions: Vec<_> = made
        .filter_map(|(index, fact)| {
            let act = act::tell(&world, &causes, FactId { object: 0, fact: index })?;
            let uid = root.lives.life(index).map_or("", |life| &life.uid);
            Some(version(act, fact.resource_version, uid))
        })
        .collect();
    versions.sort_by(|a, b| (a.time, &a.audit_id).cmp(&(b.time, &b.audit_id)));
    versions
}

fn version(act: Act, resource_version: &str, uid: &str) -> Version {
    Version {
        resource_version: resource_version.to_owned(),
        time: act.time,
        actor: act.actor,
        verb: act.verb,
        subresource: act.subresource,
        audit_id: act.audit_id,
        uid: uid.to_owned(),
        removes: act.removes,
        base: act.base,
        changes: act.changes,
    }
}
