//! The little of an object's body that lives and effects are decided by, read in one pass.
//!
//! Promise: a body that is no JSON object gives `None`, never an error or a panic. Nothing here
//! builds a tree; what is large is kept as a place in the text.

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

/// What a state of an object says about itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Head {
    pub(crate) uid: Box<str>,
    pub(crate) resource_version: Box<str>,
    pub(crate) generation: Option<i64>,
    /// `deletionTimestamp` is set.
    pub(crate) deleting: bool,
    pub(crate) deletion_grace: Option<i64>,
    /// Finalizers of the metadata, or of a Namespace's spec.
    pub(crate) finalizers: bool,
    pub(crate) owners: Vec<Owner>,
    pub(crate) replicas: Option<i64>,
    /// Pods a Job wants: its completions, else its parallelism.
    pub(crate) wanted: Option<i64>,
    pub(crate) pod_grace: Option<i64>,
    /// A daemon set's `status.desiredNumberScheduled`, with the generation it was counted for.
    pub(crate) scheduled: Option<(i64, i64)>,
    template: Option<Range<usize>>,
    annotations: Option<Range<usize>>,
}

/// One owner reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) uid: Box<str>,
    pub(crate) controller: bool,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    metadata: Option<Meta<'a>>,
    #[serde(borrow, default)]
    spec: Option<&'a RawValue>,
    #[serde(borrow, default)]
    status: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta<'a> {
    #[serde(borrow, default)]
    uid: Cow<'a, str>,
    #[serde(borrow, default)]
    resource_version: Cow<'a, str>,
    #[serde(default)]
    generation: Option<i64>,
    #[serde(borrow, default)]
    deletion_timestamp: Option<&'a RawValue>,
    #[serde(default)]
    deletion_grace_period_seconds: Option<i64>,
    #[serde(borrow, default)]
    finalizers: Option<&'a RawValue>,
    #[serde(borrow, default)]
    owner_references: Option<Vec<Reference<'a>>>,
    #[serde(borrow, default)]
    annotations: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Reference<'a> {
    #[serde(borrow, default)]
    uid: Cow<'a, str>,
    #[serde(default)]
    controller: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec<'a> {
    #[serde(borrow)]
    replicas: Option<&'a RawValue>,
    #[serde(borrow)]
    completions: Option<&'a RawValue>,
    #[serde(borrow)]
    parallelism: Option<&'a RawValue>,
    #[serde(borrow)]
    template: Option<&'a RawValue>,
    #[serde(borrow)]
    finalizers: Option<&'a RawValue>,
    #[serde(borrow)]
    termination_grace_period_seconds: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    desired_number_scheduled: Option<i64>,
    observed_generation: Option<i64>,
}

impl Head {
    /// Reads the head of a body; `None` when it is no object of Kubernetes' shape.
    pub(crate) fn read(text: &str, resource: &str) -> Option<Self> {
        let body: Body<'_> = serde_json::from_str(text).ok()?;
        let meta = body.metadata?;
        let spec: Spec<'_> =
            body.spec.and_then(|spec| serde_json::from_str(spec.get()).ok()).unwrap_or_default();
        let owners = meta.owner_references.unwrap_or_default().into_iter().map(Owner::from);
        Some(Self {
            uid: meta.uid.into(),
            resource_version: meta.resource_version.into(),
            generation: meta.generation,
            deleting: meta.deletion_timestamp.is_some_and(|time| time.get() != "null"),
            deletion_grace: meta.deletion_grace_period_seconds,
            finalizers: some_members(meta.finalizers)
                || resource == "namespaces" && some_members(spec.finalizers),
            owners: owners.collect(),
            replicas: number(spec.replicas),
            wanted: number(spec.completions).or_else(|| number(spec.parallelism)),
            pod_grace: number(spec.termination_grace_period_seconds),
            scheduled: if resource == "daemonsets" { scheduled(body.status) } else { None },
            template: spec.template.map(|raw| place(text, raw)),
            annotations: meta.annotations.map(|raw| place(text, raw)),
        })
    }

    /// The pod template, as it stands in the text the head was read from.
    pub(crate) fn template<'t>(&self, text: &'t str) -> Option<&'t str> {
        self.template.clone().and_then(|range| text.get(range))
    }

    /// The annotations, as they stand in the text the head was read from.
    pub(crate) fn annotations<'t>(&self, text: &'t str) -> Option<&'t str> {
        self.annotations.clone().and_then(|range| text.get(range))
    }
}

impl From<Reference<'_>> for Owner {
    fn from(reference: Reference<'_>) -> Self {
        Self { uid: reference.uid.into(), controller: reference.controller.unwrap_or(false) }
    }
}

fn number(raw: Option<&RawValue>) -> Option<i64> {
    raw.and_then(|raw| raw.get().parse().ok())
}

fn some_members(raw: Option<&RawValue>) -> bool {
    raw.is_some_and(|raw| raw.get().contains('"'))
}

fn scheduled(status: Option<&RawValue>) -> Option<(i64, i64)> {
    let status: Status = serde_json::from_str(status?.get()).ok()?;
    Some((status.desired_number_scheduled?, status.observed_generation?))
}

/// Where a borrowed part lies in its text.
fn place(text: &str, part: &RawValue) -> Range<usize> {
    let start = (part.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    start..start + part.get().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_decides() {
        let text = r#"{"kind":"ReplicaSet","metadata":{"uid":"u1","resourceVersion":"7","generation":2,
            "ownerReferences":[{"uid":"u0","controller":true}],"annotations":{"a":"b"}},
            "spec":{"replicas":3,"template":{"spec":{}}}}"#;
        let head = Head::read(text, "replicasets").expect("an object");
        assert_eq!((&*head.uid, &*head.resource_version), ("u1", "7"));
        assert_eq!((head.generation, head.replicas), (Some(2), Some(3)));
        assert_eq!(head.owners, [Owner { uid: "u0".into(), controller: true }]);
        assert_eq!(head.template(text), Some(r#"{"spec":{}}"#));
        assert_eq!(head.annotations(text), Some(r#"{"a":"b"}"#));
        assert!(!head.deleting && !head.finalizers);
    }

    #[test]
    fn finalizers_of_a_namespace_are_in_its_spec() {
        let text = r#"{"metadata":{"deletionTimestamp":"2026-11-20T15:06:57Z"},
            "spec":{"finalizers":["kubernetes"]}}"#;
        let head = Head::read(text, "namespaces").expect("an object");
        assert!(head.deleting && head.finalizers);
        assert!(!Head::read(text, "widgets").expect("an object").finalizers);
    }

    #[test]
    fn what_is_no_object_is_none() {
        for text in ["", "null", "[]", "{}", "{\"metadata\":7}", "{\"metadata\":{", "\"x\""] {
            assert_eq!(Head::read(text, "pods"), None, "{text}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(Head::read(&deep, "pods"), None);
    }
}
