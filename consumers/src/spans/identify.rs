//! Which object a request was on.
//!
//! Promise: the same request gives the same key at whatever stage and level it was recorded, as
//! far as the event says it at all. Never here: guessing from anything but the event itself.

use std::borrow::Cow;

use kausal_audit::Event;
use kausal_object::json::{self, members};
use kausal_object::{KeyRef, is_own_kind, kinds};

/// Longest part of a key. Names in Kubernetes have at most 253 bytes, paths of requests outside
/// the API a few hundred; a longer one is somebody trying.
pub const KEY_PART_BYTES_MAX: usize = 4 * 1024;

/// The object a request was on, without its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    pub(super) group: &'a str,
    pub(super) resource: &'a str,
    pub(super) namespace: &'a str,
    pub(super) name: Cow<'a, str>,
}

impl<'a> Target<'a> {
    /// `response` is the text of the response's body, which alone knows a generated name.
    pub(super) fn of(event: &'a Event<'_>, response: Option<&'a str>) -> Self {
        let Some(target) = &event.object_ref else {
            let path = event.request_uri.split('?').next().unwrap_or_default();
            return Self { group: "", resource: "", namespace: "", name: Cow::Borrowed(path) };
        };
        let (group, resource) = (&*target.api_group, &*target.resource);
        let (mut namespace, mut name) = (&*target.namespace, Cow::Borrowed(&*target.name));
        if kinds::is_cluster_scoped(group, resource) {
            if name.is_empty() && resource == "namespaces" {
                name = Cow::Borrowed(namespace);
            }
            namespace = "";
        }
        if name.is_empty() && event.verb == "create" {
            name = response.and_then(|body| generated_name(group, resource, body)).unwrap_or(name);
        }
        Self { group, resource, namespace, name }
    }

    pub(super) fn key<'k>(&'k self, cluster: &'k str) -> KeyRef<'k> {
        KeyRef {
            cluster,
            group: self.group,
            resource: self.resource,
            namespace: self.namespace,
            name: &self.name,
        }
    }
}

/// Whether every part can be somebody's key.
pub(super) fn is_plausible(key: KeyRef<'_>) -> bool {
    key.parts().iter().all(|part| part.len() <= KEY_PART_BYTES_MAX)
}

fn generated_name<'a>(group: &str, resource: &str, body: &'a str) -> Option<Cow<'a, str>> {
    let (mut kind, mut api_version, mut name) = (None, None, None);
    for member in members(body).map_while(Result::ok) {
        match member.raw_key {
            "kind" => kind = json::string(member.value),
            "apiVersion" => api_version = json::string(member.value),
            "metadata" => name = text_member(member.value, "name"),
            _ => {}
        }
        if kind.is_some() && api_version.is_some() && name.is_some() {
            break;
        }
    }
    is_own_kind(group, resource, &api_version?, &kind?).then_some(name).flatten()
}

/// A member of an object that is a string.
pub(super) fn text_member<'a>(object: &'a str, key: &str) -> Option<Cow<'a, str>> {
    let member = members(object).map_while(Result::ok).find(|member| member.is(key))?;
    json::string(member.value)
}
