//! Kinds and plurals: the words of Kubernetes types, and how one follows from the other.
//!
//! Promise: the same (group, kind) gives the same plural for ever. Built-in kinds come from a
//! table, all others from a guess that is frozen; what a cluster says itself never enters here.
//! Never here: discovery, learned plurals (a reader may know them, an identity may not).

mod table;

use std::borrow::Cow;
use std::sync::LazyLock;

use table::TABLE;

/// Where objects of a kind live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In no namespace.
    Cluster,
    /// Each in one namespace.
    Namespaced,
}

/// A kind that Kubernetes itself serves.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Plural, as in request paths.
    pub resource: &'static str,
    /// Kind, as in bodies.
    pub kind: &'static str,
    /// Where its objects live.
    pub scope: Scope,
    /// What people may type instead, shortest in use first.
    pub short: &'static [&'static str],
}

/// All built-in kinds, sorted by (group, resource).
pub fn built_in() -> &'static [BuiltIn] {
    TABLE
}

/// Plural of a kind: the table's, else the frozen guess (lower case, English plural).
pub fn plural<'a>(group: &str, kind: &'a str) -> Cow<'a, str> {
    let mut rows = rows(&INDEX.by_kind, kind);
    match rows.find(|row| row.kind == kind && row.group == group) {
        Some(row) => Cow::Borrowed(row.resource),
        None => Cow::Owned(guess(kind)),
    }
}

/// Kind of a built-in resource.
pub fn kind(group: &str, resource: &str) -> Option<&'static str> {
    find(group, resource).map(|row| row.kind)
}

/// Whether a built-in resource lives outside namespaces; `false` for resources not built in,
/// whose scope nobody here can know.
pub fn is_cluster_scoped(group: &str, resource: &str) -> bool {
    find(group, resource).is_some_and(|row| row.scope == Scope::Cluster)
}

/// Short name for display: `deploy`, `rs`, `po`, `ns`, `cm`.
pub fn short(group: &str, resource: &str) -> Option<&'static str> {
    find(group, resource).and_then(|row| row.short.first().copied())
}

/// Group and resource of what a person typed: `deploy`, `deployment`, `deployments`, `Deployment`,
/// `deployments.apps`. A bare name means the core group before any other, as for kubectl.
pub fn lookup(typed: &str) -> Option<(&'static str, &'static str)> {
    let exact = TABLE.iter().find(|row| row.answers_to(typed));
    let row = exact.or_else(|| {
        let (name, group) = typed.split_once('.')?;
        TABLE.iter().find(|row| row.group.eq_ignore_ascii_case(group) && row.answers_to(name))
    })?;
    Some((row.group, row.resource))
}

/// Group of an `apiVersion`: `apps` of `apps/v1`, empty of `v1`.
pub fn group_of(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// Kinds that answer requests for an object without being its state.
const NEVER_A_STATE: &[&str] = &[
    "Binding",
    "DeleteOptions",
    "Eviction",
    "PartialObjectMetadata",
    "Scale",
    "Status",
    "Table",
    "TokenRequest",
];

/// Whether a kind only ever answers requests.
pub(crate) fn is_never_a_state(kind: &str) -> bool {
    NEVER_A_STATE.contains(&kind)
}

/// Whether a body of this kind is a state of an object of that resource: its own kind, never
/// `Status`, `Scale`, `Binding`, `Eviction`, `DeleteOptions`, `PartialObjectMetadata`, a list or a
/// token request.
pub fn is_own_kind(group: &str, resource: &str, api_version: &str, kind: &str) -> bool {
    if kind.is_empty() || is_never_a_state(kind) {
        return false;
    }
    let body_group = group_of(api_version);
    if body_group == group && plural(group, kind) == resource {
        return true;
    }
    // A custom resource may have any plural; its group has no other kind to answer with than its
    // own or a list of it.
    body_group == group && find(group, resource).is_none() && !kind.ends_with("List")
}

fn find(group: &str, resource: &str) -> Option<&'static BuiltIn> {
    let mut rows = rows(&INDEX.by_resource, resource);
    rows.find(|row| row.resource == resource && row.group == group)
}

/// Rows of the table by a cheap number of a name. The table is asked several times for every event.
struct Index {
    by_kind: [Vec<u8>; BUCKETS],
    by_resource: [Vec<u8>; BUCKETS],
}

const BUCKETS: usize = 128;

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index {
        by_kind: std::array::from_fn(|_| Vec::new()),
        by_resource: std::array::from_fn(|_| Vec::new()),
    };
    for (at, row) in TABLE.iter().enumerate() {
        index.by_kind[bucket(row.kind)].push(at as u8);
        index.by_resource[bucket(row.resource)].push(at as u8);
    }
    index
});

/// The rows in whose bucket `name` falls.
fn rows(
    buckets: &'static [Vec<u8>; BUCKETS],
    name: &str,
) -> impl Iterator<Item = &'static BuiltIn> {
    buckets[bucket(name)].iter().filter_map(|at| TABLE.get(usize::from(*at)))
}

/// Below [`BUCKETS`].
fn bucket(name: &str) -> usize {
    let bytes = name.as_bytes();
    let byte = |at: usize| usize::from(bytes.get(at).copied().unwrap_or_default());
    let length = bytes.len();
    (length * 31 + byte(0) * 7 + byte(length / 2) * 3 + byte(length.saturating_sub(2))) % BUCKETS
}

/// The frozen guess. Golden tests hold it: to change it would lose the objects already stored.
fn guess(kind: &str) -> String {
    let mut word = kind.to_ascii_lowercase();
    let bytes = word.as_bytes();
    let last = bytes.last().copied().unwrap_or_default();
    let before = bytes.len().checked_sub(2).map_or(0, |at| bytes[at]);
    match (before, last) {
        _ if word.ends_with("endpoints") => {}
        (b'c' | b's', b'h') | (_, b's' | b'x' | b'z') => word.push_str("es"),
        (b'a' | b'e' | b'i' | b'o' | b'u', b'y') => word.push('s'),
        (_, b'y') => {
            word.pop();
            word.push_str("ies");
        }
        (_, 0) => {}
        _ => word.push('s'),
    }
    word
}

impl BuiltIn {
    fn answers_to(&self, typed: &str) -> bool {
        self.resource.eq_ignore_ascii_case(typed)
            || self.kind.eq_ignore_ascii_case(typed)
            || self.short.iter().any(|short| short.eq_ignore_ascii_case(typed))
    }
}
