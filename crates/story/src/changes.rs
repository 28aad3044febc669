//! What changed between two bodies.
//!
//! Promise: the same answer as a diff of the whole trees, without building them: members whose
//! text is equal are passed over, and only what is left is parsed.
//! Never here: what a change means.

use std::fmt;

use kausal_object::diff;
use kausal_object::json::{Member, members};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::state::State;

/// Room for the members of an object; more make it grow.
const MEMBERS_USUAL: usize = 16;
/// Nesting beyond which text is compared as a whole.
const DEPTH_MAX: u32 = 64;

/// One changed field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Where (`spec.template.spec.containers[web].image`).
    pub path: String,
    /// What it was; `None` when it was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<Value>,
    /// What it is; `None` when it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<Value>,
    /// The old value is not known: nothing before this write is recorded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub old_unknown: bool,
}

/// `path old -> new`, values as JSON; `?` for an unknown old value, `null` for none.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |value: &Option<Value>| {
            value.as_ref().map_or_else(|| "null".to_owned(), Value::to_string)
        };
        let old = if self.old_unknown { "?".to_owned() } else { show(&self.old) };
        write!(f, "{} {old} -> {}", self.path, show(&self.new))
    }
}

/// Changes from one state to the next, as [`between`] tells them.
pub(crate) fn between_states(old: &State<'_>, new: &State<'_>) -> Vec<Change> {
    if old.text == new.text || new.text.is_empty() {
        return Vec::new();
    }
    let (mut before, mut after) = (old.members(), new.members());
    if new.spec_kept {
        before.retain(|member| member.raw_key != "spec");
        after.retain(|member| member.raw_key != "spec");
    }
    told(prune_members(&before, &after, Place::Body, 0))
}

/// Changes from one body to another. What every write changes (`resourceVersion`, `generation`,
/// `managedFields`) is left out. Bodies that are no JSON have no changes.
pub(crate) fn between(old: &str, new: &str) -> Vec<Change> {
    let (old, new) = (old.trim(), new.trim());
    let objects = old.starts_with('{') && new.starts_with('{');
    told(if objects { prune(old, new, Place::Body, 0) } else { None })
}

/// The changes between what is left of two bodies.
fn told(left: Option<(Value, Value)>) -> Vec<Change> {
    let Some((old, new)) = left else { return Vec::new() };
    diff::diff(&old, &new).into_iter().map(known).collect()
}

/// The changes that a watch saw, as [`between`] tells them.
pub(crate) fn seen(lines: Vec<diff::Change>) -> Vec<Change> {
    let told = lines.into_iter().filter(|change| !is_bookkeeping_at(&change.path));
    told.flat_map(leaves).map(known).collect()
}

/// An object that came or went outside of lists, leaf by leaf.
fn leaves(change: diff::Change) -> Vec<diff::Change> {
    let value = match (&change.old, &change.new) {
        (None, Some(value)) | (Some(value), None) if has_leaves(value) => value,
        _ => return vec![change],
    };
    if !change.is_outside_lists() {
        return vec![change];
    }
    let mut bare = value.clone();
    empty_leaves(&mut bare);
    let added = change.old.is_none();
    let mut leaves = if added { diff::diff(&bare, value) } else { diff::diff(value, &bare) };
    for leaf in &mut leaves {
        let dot = if leaf.path.starts_with('[') { "" } else { "." };
        leaf.path = [&change.path, dot, &leaf.path].concat();
    }
    leaves
}

fn is_bookkeeping_at(path: &str) -> bool {
    path.strip_prefix("metadata.").is_some_and(is_bookkeeping)
}

fn known(change: diff::Change) -> Change {
    Change { path: change.path, old: change.old, new: change.new, old_unknown: false }
}

/// The values a request asks for, where nothing before it is known: `path ? -> new`.
pub(crate) fn asked(request: &str) -> Vec<Change> {
    let Ok(Value::Object(mut body)) = serde_json::from_str::<Value>(request) else {
        return Vec::new();
    };
    body.retain(|name, _| !matches!(name.as_str(), "kind" | "apiVersion" | "status"));
    if let Some(Value::Object(meta)) = body.get_mut("metadata") {
        meta.retain(|name, _| !is_bookkeeping(name) && !is_identity(name));
    }
    let mut bare = Value::Object(body.clone());
    empty_leaves(&mut bare);
    let unknown = |change: diff::Change| Change {
        path: change.path,
        old: None,
        new: change.new,
        old_unknown: true,
    };
    diff::diff(&bare, &Value::Object(body)).into_iter().map(unknown).collect()
}

/// Keeps the objects and takes everything else away, so that a diff names every leaf.
fn empty_leaves(value: &mut Value) {
    let Value::Object(members) = value else { return };
    members.retain(|_, member| has_leaves(member));
    members.values_mut().for_each(empty_leaves);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Body,
    Metadata,
    Inner,
}

impl Place {
    fn of(self, member: &str) -> Self {
        if self == Self::Body && member == "metadata" { Self::Metadata } else { Self::Inner }
    }
}

fn is_bookkeeping(name: &str) -> bool {
    matches!(name, "resourceVersion" | "generation" | "managedFields")
}

fn is_identity(name: &str) -> bool {
    matches!(name, "name" | "namespace" | "uid" | "creationTimestamp" | "selfLink")
}

/// Both sides with equal members taken away; `None` when nothing is left.
fn prune(old: &str, new: &str, place: Place, depth: u32) -> Option<(Value, Value)> {
    if old == new {
        return None;
    }
    let (old, new) = (old.trim(), new.trim());
    let objects = old.starts_with('{') && new.starts_with('{');
    if !objects || depth > DEPTH_MAX {
        return Some((tree(old), tree(new)));
    }
    prune_members(&all_members(old)?, &all_members(new)?, place, depth)
}

fn prune_members(
    old: &[Member<'_>],
    new: &[Member<'_>],
    place: Place,
    depth: u32,
) -> Option<(Value, Value)> {
    let mut left = (Map::new(), Map::new());
    for (at, member) in old.iter().enumerate() {
        let (name, old) = (&*member.key(), member.value);
        if place == Place::Metadata && is_bookkeeping(name) {
            continue;
        }
        match find(new, name, at) {
            None => added(&mut left.0, &mut left.1, name, tree(old)),
            Some(new) => {
                if let Some(pair) = prune(old, new, place.of(name), depth + 1) {
                    put(&mut left.0, name, pair.0);
                    put(&mut left.1, name, pair.1);
                }
            }
        }
    }
    for (at, member) in new.iter().enumerate() {
        let (name, new) = (&*member.key(), member.value);
        let skipped = place == Place::Metadata && is_bookkeeping(name);
        if !skipped && find(old, name, at).is_none() {
            added(&mut left.1, &mut left.0, name, tree(new));
        }
    }
    let nothing = left.0.is_empty() && left.1.is_empty();
    (!nothing).then_some((Value::Object(left.0), Value::Object(left.1)))
}

/// A member that only one side has. An object is put on the other side without its leaves, so that
/// each leaf is named (`annotations.x`, not `annotations`).
fn added(own: &mut Map<String, Value>, other: &mut Map<String, Value>, name: &str, value: Value) {
    let mut bare = value.clone();
    put(own, name, value);
    if has_leaves(&bare) {
        empty_leaves(&mut bare);
        put(other, name, bare);
    }
}

fn has_leaves(value: &Value) -> bool {
    value.as_object().is_some_and(|members| !members.is_empty())
}

fn put(map: &mut Map<String, Value>, name: &str, value: Value) {
    map.insert(name.to_owned(), value);
}

fn tree(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// The member of a name; two states of one object mostly have it at the same place.
fn find<'a>(members: &[Member<'a>], name: &str, at: usize) -> Option<&'a str> {
    let same_place = members.get(at).filter(|member| member.raw_key == name);
    let anywhere = || members.iter().find(|member| member.is(name));
    same_place.or_else(anywhere).map(|member| member.value)
}

/// The members of an object, if it is one and whole.
fn all_members(text: &str) -> Option<Vec<Member<'_>>> {
    let mut all = Vec::with_capacity(MEMBERS_USUAL);
    for member in members(text) {
        all.push(member.ok()?);
    }
    Some(all)
}
