//! The little of an object's body that lives and effects are decided by, read in one pass.
//!
//! Promise: a body that is no JSON object gives `None`, never an error or a panic. Nothing here
//! builds a tree; what is large is kept as a place in the text.

use std::borrow::Cow;
use std::ops::Range;

use kausal_object::json::{Member, elements, members, string};

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
    spec: Option<Range<usize>>,
    template: Option<Range<usize>>,
    annotations: Option<Range<usize>>,
    /// Key and value of each member of the body.
    members: Vec<(Range<usize>, Range<usize>)>,
}

/// Members of a whole object of Kubernetes: `kind`, `apiVersion`, `metadata`, and a few more.
const MEMBERS_USUAL: usize = 6;

/// One owner reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) uid: Box<str>,
    pub(crate) controller: bool,
}

impl Head {
    /// Reads the head of a body; `None` when it is no object of Kubernetes' shape.
    pub(crate) fn read(text: &str, resource: &str) -> Option<Self> {
        Self::read_after(text, resource, None)
    }

    /// [`Head::read`], given the head of another body of the object: few writes change the spec,
    /// and one that stands in both bodies alike is not read again.
    pub(crate) fn read_after(
        text: &str,
        resource: &str,
        before: Option<(&Self, &str)>,
    ) -> Option<Self> {
        let mut head = Self { members: Vec::with_capacity(MEMBERS_USUAL), ..Self::default() };
        let mut named = false;
        for member in members(text) {
            let member = member.ok()?;
            head.members.push((place(text, member.raw_key), place(text, member.value)));
            match &*member.key() {
                "metadata" => {
                    head.read_metadata(text, member.value)?;
                    named = true;
                }
                "spec" => match before.filter(|(before, text)| before.has_spec(text, member.value))
                {
                    Some((before, _)) => head.take_spec(before, place(text, member.value)),
                    None => head.read_spec(text, member.value, resource),
                },
                "status" if resource == "daemonsets" => head.scheduled = scheduled(member.value),
                _ => {}
            }
        }
        named.then_some(head)
    }

    fn read_metadata(&mut self, text: &str, metadata: &str) -> Option<()> {
        for member in members(metadata) {
            let member = member.ok()?;
            let value = member.value;
            match &*member.key() {
                "uid" => self.uid = string(value)?.into(),
                "resourceVersion" => self.resource_version = string(value)?.into(),
                "generation" => self.generation = value.parse().ok(),
                "deletionTimestamp" => self.deleting = value != "null",
                "deletionGracePeriodSeconds" => self.deletion_grace = value.parse().ok(),
                "finalizers" => self.finalizers |= some_members(value),
                "ownerReferences" => self.owners = owners(value),
                "annotations" => self.annotations = Some(place(text, value)),
                _ => {}
            }
        }
        Some(())
    }

    /// Whether the body that this head was read from has the same spec.
    fn has_spec(&self, text: &str, spec: &str) -> bool {
        self.spec(text) == Some(spec)
    }

    /// Takes over what another head says of a spec that stands here in this body.
    fn take_spec(&mut self, other: &Self, here: Range<usize>) {
        let there = other.spec.clone().unwrap_or_default();
        let moved = |part: &Range<usize>| {
            let start = here.start + (part.start - there.start);
            start..start + part.len()
        };
        (self.replicas, self.wanted) = (other.replicas, other.wanted);
        self.pod_grace = other.pod_grace;
        self.template = other.template.as_ref().map(moved);
        self.spec = Some(here);
    }

    fn read_spec(&mut self, text: &str, spec: &str, resource: &str) {
        self.spec = Some(place(text, spec));
        let (mut completions, mut parallelism) = (None, None);
        for member in members(spec).map_while(Result::ok) {
            let value = member.value;
            match &*member.key() {
                "replicas" => self.replicas = value.parse().ok(),
                "completions" => completions = value.parse().ok(),
                "parallelism" => parallelism = value.parse().ok(),
                "terminationGracePeriodSeconds" => self.pod_grace = value.parse().ok(),
                "template" => self.template = Some(place(text, value)),
                "finalizers" if resource == "namespaces" => self.finalizers |= some_members(value),
                _ => {}
            }
        }
        self.wanted = completions.or(parallelism);
    }

    /// The spec, as it stands in the text the head was read from.
    pub(crate) fn spec<'t>(&self, text: &'t str) -> Option<&'t str> {
        self.spec.clone().and_then(|range| text.get(range))
    }

    /// The pod template, as it stands in the text the head was read from.
    pub(crate) fn template<'t>(&self, text: &'t str) -> Option<&'t str> {
        self.template.clone().and_then(|range| text.get(range))
    }

    /// The members of the body, as they stand in the text the head was read from.
    pub(crate) fn members<'t>(&self, text: &'t str) -> Vec<Member<'t>> {
        let part = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
        let member = |(key, value): &(Range<usize>, Range<usize>)| Member {
            raw_key: part(key),
            value: part(value),
            at: value.start,
        };
        self.members.iter().map(member).collect()
    }

    /// The annotations, as they stand in the text the head was read from.
    pub(crate) fn annotations<'t>(&self, text: &'t str) -> Option<&'t str> {
        self.annotations.clone().and_then(|range| text.get(range))
    }
}

/// The value at a path of member names, as it stands in the text.
pub(crate) fn find<'t>(text: &'t str, path: &[&str]) -> Option<&'t str> {
    path.iter().try_fold(text, |at, name| {
        members(at).map_while(Result::ok).find(|member| member.is(name)).map(|member| member.value)
    })
}

/// The values of several members of an object, in one pass.
pub(crate) fn pick<'t, const N: usize>(text: &'t str, names: [&str; N]) -> [Option<&'t str>; N] {
    let mut found = [None; N];
    for member in members(text).map_while(Result::ok) {
        let at = names.iter().position(|name| member.is(name));
        if let Some(value) = at.and_then(|at| found.get_mut(at)) {
            *value = value.or(Some(member.value));
        }
        if found.iter().all(Option::is_some) {
            break;
        }
    }
    found
}

/// The elements of an array of strings; others are passed over.
pub(crate) fn strings(text: &str) -> impl Iterator<Item = String> {
    let elements = elements(text).map_while(Result::ok);
    elements.filter_map(|element| string(element).map(Cow::into_owned))
}

/// The first element of an array.
pub(crate) fn first(text: &str) -> Option<&str> {
    elements(text).next()?.ok()
}

fn owners(references: &str) -> Vec<Owner> {
    let owner = |reference: &str| {
        let mut owner = Owner { uid: Box::default(), controller: false };
        for member in members(reference).map_while(Result::ok) {
            match &*member.key() {
                "uid" => owner.uid = string(member.value).unwrap_or_default().into(),
                "controller" => owner.controller = member.value == "true",
                _ => {}
            }
        }
        owner
    };
    elements(references).map_while(Result::ok).map(owner).collect()
}

fn some_members(list: &str) -> bool {
    list.contains('"')
}

fn scheduled(status: &str) -> Option<(i64, i64)> {
    let number = |name: &str| {
        let mut members = members(status).map_while(Result::ok);
        members.find(|member| member.is(name)).and_then(|member| member.value.parse().ok())
    };
    Some((number("desiredNumberScheduled")?, number("observedGeneration")?))
}

/// Where a borrowed part lies in its text.
fn place(text: &str, part: &str) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    start..start + part.len()
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
    fn a_spec_that_was_read_before_says_the_same() {
        let body = |version: &str, spec: &str| {
            format!(r#"{{"metadata":{{"resourceVersion":"{version}"}},"spec":{spec}}}"#)
        };
        let spec = r#"{"replicas":3,"completions":2,"template":{"a":1},"terminationGracePeriodSeconds":5}"#;
        let before = body("9", spec);
        let head = Head::read(&before, "jobs").expect("an object");
        for text in [body("10", spec), body("10", r#"{"replicas":4}"#), body("10", "{}")] {
            let after = Head::read_after(&text, "jobs", Some((&head, &before)));
            assert_eq!(after, Head::read(&text, "jobs"), "{text}");
        }
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
