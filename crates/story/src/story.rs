//! What is told, as data: the terminal form and the JSON form are both made of it.
//!
//! Promise: serialises both ways; every statement carries the audit ids it rests on, and says
//! whether it is recorded or derived.

use std::collections::BTreeMap;

use kausal_object::ObjectKey;
use kausal_trace::UnixNanos;
use serde::{Deserialize, Serialize};

pub use crate::actor::Actor;
pub use crate::changes::Change;
pub use crate::classify::Fold;
pub use crate::effects::Rule;
pub use crate::join::JoinedBy;

/// The story of one object and of what it owns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Story {
    /// The object.
    pub object: ObjectKey,
    /// First instant asked for.
    #[serde(with = "crate::rfc3339")]
    pub from: UnixNanos,
    /// Last instant asked for.
    #[serde(with = "crate::rfc3339")]
    pub to: UnixNanos,
    /// First request of the story.
    #[serde(with = "crate::rfc3339::option")]
    pub first: Option<UnixNanos>,
    /// Last request of the story.
    #[serde(with = "crate::rfc3339::option")]
    pub last: Option<UnixNanos>,
    /// How many requests, by how they are told.
    pub counts: Counts,
    /// Its lives in order; more than one when it was made again under the same name.
    pub lives: Vec<Life>,
    /// Audit ids of controllers' writes that changed something and follow from no recorded act by
    /// a known rule.
    pub not_explained: Vec<String>,
    /// What could not be read, and what contradicts itself.
    pub warnings: Vec<String>,
}

/// Counts of distinct requests. `on_it + around + folded + reads_folded` is every one seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Told, on the object itself.
    pub on_it: usize,
    /// Told, on what it owns, and the deletion of its Namespace.
    pub around: usize,
    /// Writes that are folded.
    pub folded: usize,
    /// Reads that are folded.
    pub reads_folded: usize,
    /// The folded ones by reason.
    pub folded_by: BTreeMap<Fold, usize>,
    /// Kubernetes Events; they are no writes.
    pub events: usize,
}

/// One life, from creation to removal, under one uid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Life {
    /// Its place among the known lives of this name, from 1.
    pub number: usize,
    /// Uid; `None` when no recorded write names it.
    pub uid: Option<String>,
    /// Its creation, if recorded.
    pub created: Option<Moment>,
    /// Its removal, if recorded.
    pub removed: Option<Moment>,
    /// Every request, told and folded, in the order of time.
    pub acts: Vec<Act>,
}

/// A request that marks a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// When it was received.
    #[serde(with = "crate::rfc3339")]
    pub time: UnixNanos,
    /// Audit id.
    pub audit_id: String,
}

/// One request and what it changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Act {
    /// When it was received.
    #[serde(with = "crate::rfc3339")]
    pub time: UnixNanos,
    /// When it was answered.
    #[serde(with = "crate::rfc3339")]
    pub answered: UnixNanos,
    /// Audit id; `change/UID/RESOURCEVERSION` for a change that no audit event tells.
    pub audit_id: String,
    /// Who.
    pub actor: Actor,
    /// The object it was sent to.
    pub object: ObjectKey,
    /// Other objects of this story that the same request touched (deletecollection).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<ObjectKey>,
    /// Whether it was sent to the object of the story.
    pub place: Place,
    /// Verb as recorded (`patch`).
    pub verb: String,
    /// Subresource (`scale`), or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subresource: String,
    /// Verb as told (`scale`, `evict`).
    pub title: String,
    /// What it was about, in a few words (`web image 1.0 → 1.1-broken`).
    pub summary: String,
    /// How it went.
    pub outcome: Outcome,
    /// What it changed, would have changed (dry run) or asked for (base unknown).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// What the changes are counted from.
    pub base: Base,
    /// What followed from it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<Effect>,
    /// Why it came about, when it followed from another request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<CausedBy>,
    /// Why it is folded; `None` when it is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folded: Option<Fold>,
    /// Whether the object was gone with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removes: bool,
    /// Why it was allowed or forbidden (`RBAC: allowed by RoleBinding …`).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub authorization: String,
    /// Why the record of it is not whole.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub truncated: String,
    /// The change that watches saw of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<SeenChange>,
}

/// A change that a watch saw, and how it came to its request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenChange {
    /// How request and change were brought together; `None` when no audit event tells the request:
    /// the manager is known, the person is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined_by: Option<JoinedBy>,
    /// Whether that is recorded, or inferred from time and manager.
    pub certainty: Certainty,
    /// What was done (`create`, `update`, `delete`, `observe`).
    pub operation: String,
    /// When a watch first saw it.
    #[serde(with = "crate::rfc3339")]
    pub observed_at: UnixNanos,
    /// Field manager that made it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub manager: String,
    /// resourceVersion before.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub old_version: String,
    /// resourceVersion after.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub new_version: String,
    /// Whether versions in between were missed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gap: bool,
    /// Why its diff is not whole.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cut: String,
    /// Whether it says other changes than the request's own bodies, which count.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub contradicts: bool,
}

/// Where a request was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// To the object of the story.
    On,
    /// To something it owns, or to its Namespace.
    Around,
}

/// How a request went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was done and changed nothing.
    NoChange,
    /// It was a dry run: nothing was stored.
    DryRun,
    /// It was refused.
    Refused {
        /// HTTP status.
        code: i64,
        /// Reason (`Forbidden`).
        reason: String,
        /// Message.
        message: String,
        /// Causes.
        causes: Vec<RefusalCause>,
    },
    /// No answer is recorded.
    Unknown,
}

/// One cause of a refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RefusalCause {
    /// Reason (`FieldValueInvalid`).
    pub reason: String,
    /// Message.
    pub message: String,
    /// Field (`spec.replicas`).
    pub field: String,
}

/// What changes are counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Base {
    /// There is nothing to compare: a creation, a refusal, a deletion.
    None,
    /// The state before is recorded.
    Recorded,
    /// A state before is recorded, but others lay in between that are not.
    ChangesInBetweenUnseen,
    /// No state before is recorded; the changes are what the request asked for.
    Unknown,
}

/// Something that followed from an act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// When.
    #[serde(with = "crate::rfc3339")]
    pub time: UnixNanos,
    /// What happened.
    pub what: EffectKind,
    /// To which object.
    pub object: ObjectKey,
    /// Audit id of the request that did it.
    pub audit_id: String,
    /// The rule by which it follows.
    pub rule: Rule,
    /// Whether the link is in one request or follows by rule.
    pub certainty: Certainty,
    /// Audit ids of the requests between the act and this one, in the order of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub via: Vec<String>,
    /// Audit ids of other acts it could have followed from by the same rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rivals: Vec<String>,
}

/// What an effect is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectKind {
    /// An object was created.
    Created,
    /// An object was deleted.
    Deleted,
    /// An object's replicas were raised.
    ScaledUp,
    /// An object's replicas were lowered.
    ScaledDown,
    /// An object was changed otherwise.
    Changed,
}

/// How sure a link between two requests is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// The same request, uid or resourceVersion.
    Recorded,
    /// A named rule over recorded facts.
    Derived,
    /// Time and names fit, and nothing else does.
    Inferred,
}

/// Why a request came about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CausedBy {
    /// Audit id of the act at the beginning of the chain.
    pub audit_id: String,
    /// The last rule of the chain.
    pub rule: Rule,
}

impl SeenChange {
    /// How it came to its request, in words.
    pub fn how(&self) -> &'static str {
        match (self.joined_by, self.manager.is_empty()) {
            (Some(JoinedBy::NewVersion), _) => "new resourceVersion",
            (Some(JoinedBy::OldVersion), _) => "old resourceVersion",
            (Some(JoinedBy::Creation), _) => "creation",
            (Some(JoinedBy::Deletion), _) => "deletion",
            (Some(JoinedBy::TimeAndManager), _) => "time and manager, inferred",
            (None, false) => "no audit: manager known, person unknown",
            (None, true) => "no audit: manager and person unknown",
        }
    }
}

impl Story {
    /// Every act, life after life.
    pub fn acts(&self) -> impl Iterator<Item = &Act> {
        self.lives.iter().flat_map(|life| &life.acts)
    }

    /// The acts that are told, not folded.
    pub fn told(&self) -> impl Iterator<Item = &Act> {
        self.acts().filter(|act| act.folded.is_none())
    }
}
