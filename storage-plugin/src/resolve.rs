//! From what people type to an object key.
//!
//! Promise: what is left out is filled in only when there is one answer; otherwise the error lists
//! the candidates.

use std::collections::{BTreeMap, BTreeSet};

use kausal_object::{KeyRef, ObjectKey, kinds};
use kausal_store::{SearchQuery, SpanStore};
use kausal_trace::{SpanRef, attribute as a};

use crate::error::ReadError;
use crate::query::ObjectQuery;
use crate::search::Hits;
use crate::stop::Stop;

/// Hits looked at to find the objects of a name.
const HITS_MAX: usize = 2_000;
/// Candidates that an error lists.
const CANDIDATES_MAX: usize = 8;

/// A resource as typed, as far as it can be known without looking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Typed {
    /// `None` for a custom resource typed without its group.
    group: Option<String>,
    /// Resources it may mean, the likeliest first.
    resources: Vec<String>,
    cluster_scoped: bool,
}

impl Typed {
    /// `deploy`, `deployments.apps`, `deployments.v1.apps`, `backups`, `backups.example.com`.
    pub(crate) fn parse(text: &str) -> Self {
        let (name, group) = match text.split_once('.') {
            Some((name, rest)) => (name, Some(without_version(rest))),
            None => (text, None),
        };
        let full = group.map_or_else(|| name.to_owned(), |group| format!("{name}.{group}"));
        if let Some((group, resource)) = kinds::lookup(&full) {
            return Self {
                group: Some(group.to_owned()),
                resources: vec![resource.to_owned()],
                cluster_scoped: kinds::is_cluster_scoped(group, resource),
            };
        }
        let lower = name.to_ascii_lowercase();
        let plural = kinds::plural(group.unwrap_or(""), name).into_owned();
        let resources = if plural == lower { vec![lower] } else { vec![lower, plural] };
        Self { group: group.map(str::to_owned), resources, cluster_scoped: false }
    }

    /// The only resource it can mean, and its group.
    fn certain(&self) -> Option<(&str, &str)> {
        match (self.group.as_deref(), self.resources.as_slice()) {
            (Some(group), [resource]) => Some((group, resource)),
            _ => None,
        }
    }

    fn fits(&self, key: KeyRef<'_>) -> bool {
        self.group.as_deref().is_none_or(|group| group == key.group)
            && self.resources.iter().any(|resource| resource == key.resource)
    }
}

/// `v1.apps` → `apps`.
fn without_version(text: &str) -> &str {
    let Some((version, group)) = text.split_once('.') else { return text };
    let digits = version.strip_prefix('v').unwrap_or("");
    if digits.starts_with(|c: char| c.is_ascii_digit()) { group } else { text }
}

/// Resource a person typed as the value of an attribute: `deploy` → `deployments`.
pub(crate) fn plural_of(typed: &str) -> String {
    let known = kinds::lookup(typed).map(|(_, resource)| resource.to_owned());
    known.unwrap_or_else(|| typed.to_ascii_lowercase())
}

/// The object asked for. Its key may be computed: whether anything is known of it is seen when it
/// is read.
pub(crate) fn resolve(
    store: &dyn SpanStore,
    query: &ObjectQuery,
    stop: &Stop,
) -> Result<ObjectKey, ReadError> {
    let typed = Typed::parse(&query.resource);
    let clusters = store.clusters()?;
    let cluster = cluster_of(query, &clusters)?;
    let namespace = match &query.namespace {
        _ if typed.cluster_scoped => Some(String::new()),
        given => given.clone(),
    };
    if let (Some((group, resource)), Some(cluster), Some(namespace)) =
        (typed.certain(), cluster, &namespace)
    {
        return Ok(ObjectKey {
            cluster: cluster.to_owned(),
            group: group.to_owned(),
            resource: resource.to_owned(),
            namespace: namespace.clone(),
            name: query.name.clone(),
        });
    }
    let named = objects_named(store, cluster, &query.name, stop)?;
    choose(query, &typed, namespace.as_deref(), &named)
}

/// Other objects of this name, for an error's hint.
pub(crate) fn others_named(
    store: &dyn SpanStore,
    key: &ObjectKey,
    stop: &Stop,
) -> Result<BTreeSet<ObjectKey>, ReadError> {
    let mut named = objects_named(store, None, &key.name, stop)?;
    named.remove(key);
    Ok(named)
}

/// The cluster typed, or the only one; `None` when there are several.
fn cluster_of<'a>(
    query: &ObjectQuery,
    clusters: &'a [String],
) -> Result<Option<&'a str>, ReadError> {
    let Some(typed) = &query.cluster else {
        return match clusters {
            [] => Err(ReadError::not_found("the store is empty", "ingest an audit log first")),
            [only] => Ok(Some(only)),
            _ => Ok(None),
        };
    };
    let known = clusters.iter().find(|cluster| cluster.eq_ignore_ascii_case(typed));
    let unknown = || {
        let hint = format!("clusters known: {}", clusters.join(", "));
        ReadError::not_found(format!("nothing is recorded of cluster '{typed}'"), hint)
    };
    known.map(|cluster| Some(cluster.as_str())).ok_or_else(unknown)
}

fn objects_named(
    store: &dyn SpanStore,
    cluster: Option<&str>,
    name: &str,
    stop: &Stop,
) -> Result<BTreeSet<ObjectKey>, ReadError> {
    let mut query = SearchQuery::newest(HITS_MAX).with(a::NAME, name);
    query.attributes.extend(cluster.map(|cluster| (a::CLUSTER.to_owned(), cluster.to_owned())));
    let mut hits = Hits::new(store, query, HITS_MAX, stop);
    let mut keys = BTreeSet::new();
    while let Some(hit) = hits.next()? {
        keys.extend(SpanRef::parse(&hit.bytes).map(|span| span.object_key().to_owned()));
    }
    Ok(keys)
}

fn choose(
    query: &ObjectQuery,
    typed: &Typed,
    namespace: Option<&str>,
    named: &BTreeSet<ObjectKey>,
) -> Result<ObjectKey, ReadError> {
    let of_kind = |key: &&ObjectKey| typed.fits(key.as_ref());
    // A cluster-scoped custom resource is found whatever namespace was typed.
    let in_place = |key: &&ObjectKey| {
        namespace.is_none_or(|namespace| key.namespace == namespace || key.namespace.is_empty())
    };
    let mut fitting: Vec<_> = named.iter().filter(of_kind).filter(in_place).collect();
    if fitting.iter().any(|key| Some(key.namespace.as_str()) == namespace) {
        fitting.retain(|key| Some(key.namespace.as_str()) == namespace);
    }
    match fitting.as_slice() {
        [] => Err(not_found(query, named.iter())),
        [only] => Ok((*only).clone()),
        several => Err(ambiguous(query, several)),
    }
}

/// Nothing of the object is recorded; what has its name is listed.
pub(crate) fn not_found<'a>(
    query: &ObjectQuery,
    others: impl Iterator<Item = &'a ObjectKey>,
) -> ReadError {
    let place = query.namespace.as_ref().map(|ns| format!(" in namespace {ns}"));
    let message = format!(
        "nothing is recorded of {}/{}{}",
        query.resource,
        query.name,
        place.unwrap_or_default()
    );
    let others = listed(others);
    let hint =
        if others.is_empty() { String::new() } else { format!("of this name there is: {others}") };
    ReadError::not_found(message, hint)
}

fn ambiguous(query: &ObjectQuery, several: &[&ObjectKey]) -> ReadError {
    let mut differ: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for key in several {
        differ.entry("--cluster").or_default().insert(&key.cluster);
        differ.entry("-n").or_default().insert(&key.namespace);
        differ.entry("the API group").or_default().insert(&key.group);
    }
    let settle: Vec<_> =
        differ.into_iter().filter(|(_, values)| values.len() > 1).map(|(flag, _)| flag).collect();
    let (count, list) = (several.len(), listed(several.iter().copied()));
    ReadError::Ambiguous {
        message: format!("{}/{} could be {count} objects", query.resource, query.name),
        hint: format!("say which with {}: {list}", settle.join(" and ")),
    }
}

fn listed<'a>(keys: impl Iterator<Item = &'a ObjectKey>) -> String {
    let mut names: Vec<_> = keys.take(CANDIDATES_MAX + 1).map(ToString::to_string).collect();
    if names.len() > CANDIDATES_MAX {
        names.truncate(CANDIDATES_MAX);
        names.push("…".to_owned());
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_typed(text: &str, group: Option<&str>, resources: &[&str]) {
        let typed = Typed::parse(text);
        assert_eq!(typed.group.as_deref(), group, "{text}");
        assert_eq!(typed.resources, resources, "{text}");
    }

    #[test]
    fn resources_as_people_type_them() {
        check_typed("deploy", Some("apps"), &["deployments"]);
        check_typed("Deployment", Some("apps"), &["deployments"]);
        check_typed("deployments.apps", Some("apps"), &["deployments"]);
        check_typed("deployments.v1.apps", Some("apps"), &["deployments"]);
        check_typed("ns", Some(""), &["namespaces"]);
        check_typed("backups", None, &["backups", "backupses"]);
        check_typed("Backup", None, &["backup", "backups"]);
        check_typed("backups.v1beta1.example.com", Some("example.com"), &["backups", "backupses"]);
    }

    fn key(text: &str) -> ObjectKey {
        let parts: Vec<_> = text.split('/').map(str::to_owned).collect();
        let [cluster, group, resource, namespace, name] = parts.try_into().unwrap();
        ObjectKey { cluster, group, resource, namespace, name }
    }

    fn check_choice(object: &str, namespace: Option<&str>, named: &[&str], expect: &str) {
        let query = ObjectQuery {
            namespace: namespace.map(str::to_owned),
            ..ObjectQuery::typed(object, None).unwrap()
        };
        let named = named.iter().map(|text| key(text)).collect();
        let chosen = choose(&query, &Typed::parse(&query.resource), namespace, &named);
        let text = chosen.map_or_else(
            |error| format!("{}: {error} ({})", error.code(), error.hint()),
            |key| key.to_string(),
        );
        assert_eq!(text, expect, "{object} {namespace:?}");
    }

    const WEB: [&str; 3] =
        ["c1/apps/deployments/shop/web", "c1/apps/deployments/ci/web", "c1//services/shop/web"];

    #[test]
    fn one_candidate_is_the_object() {
        check_choice("deploy/web", Some("ci"), &WEB, "c1/deployments.apps/ci/web");
        check_choice("svc/web", None, &WEB, "c1/services/shop/web");
        let crd = ["c1/example.com/backups/shop/nightly"];
        check_choice("backups/nightly", None, &crd, "c1/backups.example.com/shop/nightly");
        check_choice("Backup/nightly", Some("shop"), &crd, "c1/backups.example.com/shop/nightly");
    }

    #[test]
    fn a_cluster_scoped_custom_resource_needs_no_namespace() {
        let crd = ["c1/example.com/zones//eu"];
        check_choice("zones/eu", Some("shop"), &crd, "c1/zones.example.com//eu");
        let both = ["c1/example.com/zones//eu", "c1/example.com/zones/shop/eu"];
        check_choice("zones/eu", Some("shop"), &both, "c1/zones.example.com/shop/eu");
    }

    #[test]
    fn several_candidates_are_listed_with_what_settles_it() {
        check_choice(
            "deploy/web",
            None,
            &WEB,
            "ambiguous: deploy/web could be 2 objects (say which with -n: \
             c1/deployments.apps/ci/web, c1/deployments.apps/shop/web)",
        );
        check_choice(
            "cm/a",
            Some("x"),
            &["c1//configmaps/x/a", "c2//configmaps/x/a"],
            "ambiguous: cm/a could be 2 objects (say which with --cluster: c1/configmaps/x/a, \
             c2/configmaps/x/a)",
        );
    }

    #[test]
    fn no_candidate_lists_what_has_the_name() {
        check_choice(
            "sts/web",
            Some("shop"),
            &WEB[2..],
            "not_found: nothing is recorded of sts/web in namespace shop (of this name there is: \
             c1/services/shop/web)",
        );
    }
}
