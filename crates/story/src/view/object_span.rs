//! The span of an object: its key, its uids, its owner and why it is here.
//!
//! Promise: operation and service are the object's own words, so that they are the same in every
//! view. Attributes that Jaeger's link patterns use (`owner.*`, `timeStamp`) are all there or none.

use std::collections::BTreeSet;

use kausal_object::KeyRef;
use kausal_trace::{AttrValue, SpanId, SpanKind, ViewSpan, Window, attribute as a};

use super::{Time, View};
use crate::frames::{LinkFrame, LinkRole};
use crate::gathered::Relation;
use crate::world::Record;

/// Names of the parts of an owner, as link patterns use them.
const OWNER_PARTS: [&str; 5] =
    ["owner.cluster", "owner.group", "owner.resource", "owner.namespace", "owner.name"];

impl View<'_, '_> {
    pub(super) fn object_span(
        &self,
        object: usize,
        record: &Record<'_>,
        (start, end): Time,
    ) -> ViewSpan {
        let parent = self.tree.parent_of(object);
        let mut attributes = key_attributes(record);
        attributes.extend(uid(record));
        let since = Window::of(start).start();
        attributes.push(("timeStamp".to_owned(), since.to_string().into()));
        attributes.extend(owner(record));
        attributes.extend(parent.and_then(|parent| self.life_of_owner(record, parent)));
        attributes.extend(relation(record));
        let kind = if parent.is_none() { SpanKind::Producer } else { SpanKind::Consumer };
        ViewSpan {
            trace: self.id,
            span: self.object_id(record),
            parent: parent
                .and_then(|parent| self.world.objects.get(parent))
                .map(|parent| self.object_id(parent)),
            name: operation(record),
            service: record.key.resource.clone(),
            cluster: record.key.cluster.clone(),
            start,
            end,
            attributes,
            events: Vec::new(),
            links: Vec::new(),
            error: None,
            // What is owned comes about later than its owner and does not hold it up.
            kind,
        }
    }

    /// Which of several lives of its parent an object belongs to.
    fn life_of_owner(&self, record: &Record<'_>, parent: usize) -> Option<(String, AttrValue)> {
        let lives = self.world.objects.get(parent)?.lives.all.len();
        if lives < 2 {
            return None;
        }
        let states = record.lives.all.iter().flat_map(|life| &life.states);
        let owners = states.flat_map(|state| state.head.owners.iter().map(|owner| &*owner.uid));
        let uids: BTreeSet<&str> = owners.chain(owner_links(record).map(|link| link.uid)).collect();
        let known = uids.iter().filter_map(|uid| self.world.life_by_uid(uid));
        let numbers: BTreeSet<_> =
            known.filter(|life| life.object == parent).map(|life| life.life + 1).collect();
        let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
        let which = if numbers.is_empty() { "unknown".to_owned() } else { numbers.join(", ") };
        Some(("owner.life".to_owned(), format!("{which} of {lives}").into()))
    }

    pub(super) fn object_id(&self, record: &Record<'_>) -> SpanId {
        let [cluster, group, resource, namespace, name] =
            record.key.as_ref().parts().map(str::as_bytes);
        let parts = [b"object", cluster, group, resource, namespace, name];
        SpanId::derived(self.id, &parts)
    }
}

/// `shop web`; the collection of a resource has no name.
pub(super) fn operation(record: &Record<'_>) -> String {
    let key = &record.key;
    let parts = [key.namespace.as_str(), key.name.as_str()];
    let name = parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(" ");
    if name.is_empty() { key.resource.clone() } else { name }
}

pub(super) fn key_attributes(record: &Record<'_>) -> Vec<(String, AttrValue)> {
    let names = [a::CLUSTER, a::GROUP, a::RESOURCE, a::NAMESPACE, a::NAME];
    let parts = record.key.as_ref().parts();
    names.iter().zip(parts).map(|(name, part)| ((*name).to_owned(), part.into())).collect()
}

/// Says that several objects had this name.
pub(super) fn lives(record: &Record<'_>) -> Option<String> {
    let lives = &record.lives.all;
    (lives.len() > 1).then(|| {
        let uids: Vec<_> = lives.iter().map(|life| &*life.uid).collect();
        format!("{} lives of this name, told apart by uid: {}", lives.len(), uids.join(", "))
    })
}

fn uid(record: &Record<'_>) -> Option<(String, AttrValue)> {
    let lives = record.lives.all.iter().filter(|life| !life.uid.is_empty());
    let uids: Vec<String> = lives.map(|life| life.uid.to_string()).collect();
    let value = match uids.as_slice() {
        [] => return None,
        [uid] => AttrValue::Str(uid.clone()),
        _ => AttrValue::Strs(uids),
    };
    Some((a::UID.to_owned(), value))
}

fn owner_links<'r>(record: &'r Record<'_>) -> impl Iterator<Item = &'r LinkFrame<'r>> {
    record.links.iter().filter(|link| link.is_owner() && link.role == LinkRole::Parent)
}

/// The owner an object names, the first in order when there are several, as one text and in parts.
fn owner(record: &Record<'_>) -> Vec<(String, AttrValue)> {
    let owners = owner_links(record).map(|link| link.target);
    let Some(owner): Option<KeyRef<'_>> = owners.min() else { return Vec::new() };
    let parts = OWNER_PARTS.iter().zip(owner.parts());
    let parts = parts.map(|(name, part)| ((*name).to_owned(), part.into()));
    std::iter::once(("owner".to_owned(), owner.to_string().into())).chain(parts).collect()
}

/// By which link an object came into the view, when it was no owner reference.
fn relation(record: &Record<'_>) -> Vec<(String, AttrValue)> {
    let Relation::Related { to, role, class } = record.relation else { return Vec::new() };
    let role = match role {
        LinkRole::Parent => "parent",
        LinkRole::Child => "child",
    };
    let texts = [(a::LINK_CLASS, class.as_str()), (a::LINK_ROLE, role)];
    let texts = texts.map(|(name, text)| (name.to_owned(), text.into()));
    texts.into_iter().chain([("link.to".to_owned(), to.to_string().into())]).collect()
}
