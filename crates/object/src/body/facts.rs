//! Collects what a body says while the walk goes by.

use std::borrow::Cow;

use super::BodyFacts;
use super::shape::{Fact, OwnerField};
use crate::links::{Link, Role, Target};
use crate::{KeyRef, json, kinds};

/// Most links that are taken from one body; a body is no way to write without end.
const LINKS_MAX: usize = 500;

/// Facts in the making: links wait for the namespace, which may come last.
#[derive(Default)]
pub(super) struct Collector<'a> {
    pub(super) facts: BodyFacts<'a>,
    owners: Vec<Owner<'a>>,
    references: Vec<(Target, Cow<'a, str>)>,
}

#[derive(Default)]
struct Owner<'a> {
    api_version: Cow<'a, str>,
    kind: Cow<'a, str>,
    name: Cow<'a, str>,
    uid: Cow<'a, str>,
}

impl<'a> Collector<'a> {
    pub(super) fn fact(&mut self, fact: Fact, inner: &'a str) {
        let facts = &mut self.facts;
        let slot = match fact {
            Fact::Kind => &mut facts.kind,
            Fact::ApiVersion => &mut facts.api_version,
            Fact::Name => &mut facts.name,
            Fact::Namespace => &mut facts.namespace,
            Fact::Uid => &mut facts.uid,
            Fact::ResourceVersion => &mut facts.resource_version,
        };
        *slot = decoded(inner);
    }

    pub(super) fn owner(&mut self) {
        if self.owners.len() < LINKS_MAX {
            self.owners.push(Owner::default());
        }
    }

    pub(super) fn owner_field(&mut self, field: OwnerField, inner: &'a str) {
        let Some(owner) = self.owners.last_mut() else { return };
        let slot = match field {
            OwnerField::ApiVersion => &mut owner.api_version,
            OwnerField::Kind => &mut owner.kind,
            OwnerField::Name => &mut owner.name,
            OwnerField::Uid => &mut owner.uid,
        };
        *slot = decoded(inner);
    }

    pub(super) fn reference(&mut self, target: Target, inner: &'a str) {
        let reference = (target, decoded(inner));
        let known = self.references.len() >= LINKS_MAX || self.references.contains(&reference);
        if !known && !reference.1.is_empty() {
            self.references.push(reference);
        }
    }

    /// The facts with their links. `key` is the object the request names.
    pub(super) fn finish(mut self, key: &KeyRef<'_>) -> BodyFacts<'a> {
        if self.owners.is_empty() && self.references.is_empty() {
            return self.facts;
        }
        let namespace = match &self.facts.namespace {
            said if said.is_empty() => Cow::Owned(key.namespace.to_owned()),
            said => said.clone(),
        };
        let owners = self.owners.into_iter().filter(|owner| !owner.name.is_empty());
        let owners = owners.map(|owner| owner.link(namespace.clone()));
        let references = self.references.into_iter();
        let references = references.map(|(target, name)| target.link(namespace.clone(), name));
        self.facts.links = owners.chain(references).collect();
        self.facts
    }
}

impl<'a> Owner<'a> {
    fn link(self, namespace: Cow<'a, str>) -> Link<'a> {
        let group = match &self.api_version {
            Cow::Borrowed(version) => Cow::Borrowed(kinds::group_of(version)),
            Cow::Owned(version) => Cow::Owned(kinds::group_of(version).to_owned()),
        };
        let resource = match &self.kind {
            Cow::Borrowed(kind) => kinds::plural(&group, kind),
            Cow::Owned(kind) => Cow::Owned(kinds::plural(&group, kind).into_owned()),
        };
        let namespaced = !kinds::is_cluster_scoped(&group, &resource);
        Link {
            namespace: if namespaced { namespace } else { Cow::Borrowed("") },
            group,
            resource,
            name: self.name,
            uid: self.uid,
            kind: self.kind,
            api_version: self.api_version,
            role: Role::Parent,
            class: "owner",
        }
    }
}

fn decoded(inner: &str) -> Cow<'_, str> {
    json::unescape(inner).unwrap_or(Cow::Borrowed(inner))
}
