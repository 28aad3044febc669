//! Searches, and what their hits lead to.
//!
//! Promise: the id a hit is answered with opens the hit object's view around the hit; several hits
//! of one object are one result, and so are hits of one tree where the mode shows the tree.

mod found;
mod hits;
#[cfg(test)]
mod tests;
mod trees;

use std::collections::{BTreeSet, HashMap};

use kausal_store::SearchQuery;
use kausal_story::Mode;
use kausal_trace::attribute as a;
use kausal_trace::{FactKind, SpanRef, TraceId, UnixNanos, Value, Window};

use crate::query::SearchRow;
use crate::resolve::plural_of;

pub(crate) use found::{Finds, Found, Span};
pub(crate) use hits::{Hits, is_told_by_another, may_be_partial};
pub(crate) use trees::{Question, as_trees};

/// Conditions on a fact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) attributes: Vec<(String, String)>,
    /// Whether it must have failed, or must not.
    pub(crate) error: Option<bool>,
    pub(crate) from: Option<UnixNanos>,
    pub(crate) to: Option<UnixNanos>,
    /// Shortest duration in nanoseconds.
    pub(crate) shortest: Option<u64>,
    /// Longest duration in nanoseconds.
    pub(crate) longest: Option<u64>,
}

impl Filter {
    /// Takes an attribute as people type it: short names of attributes, resources as in `kubectl`,
    /// and Jaeger's `error`.
    pub(crate) fn attribute(&mut self, name: &str, value: &str) {
        let name = match name {
            "error" if matches!(value, "true" | "false") => {
                self.error = Some(value == "true");
                return;
            }
            "user" | "actor" => a::USERNAME,
            "code" | "status" | "http.status_code" => a::STATUS_CODE,
            "audit" | "audit_id" => a::AUDIT_ID,
            "ns" => a::NAMESPACE,
            "reason" => a::EVENT_REASON,
            other => other,
        };
        let value = match name {
            a::RESOURCE => plural_of(value),
            a::CLUSTER => value.to_lowercase(),
            _ => value.to_owned(),
        };
        self.attributes.push((name.to_owned(), value));
    }

    pub(crate) fn query(&self) -> SearchQuery {
        SearchQuery {
            attributes: self.attributes.clone(),
            from: self.from,
            to: self.to,
            ..SearchQuery::newest(0)
        }
    }

    /// Names of the attributes asked for.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.attributes.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// The windows asked for.
    pub(crate) fn span(&self) -> Span {
        let last = self.to.map(|to| Window::of(UnixNanos(to.0.saturating_sub(1))));
        let first = self.from.map_or(Window(0), Window::of);
        Span { first, last: last.unwrap_or(Window(u64::MAX)) }
    }

    /// What the store does not look at.
    pub(crate) fn passes(&self, span: &SpanRef<'_>) -> bool {
        let nanos = span.end.0.saturating_sub(span.start.0);
        self.error.is_none_or(|error| error == span.error)
            && self.shortest.is_none_or(|shortest| nanos >= shortest)
            && self.longest.is_none_or(|longest| nanos <= longest)
    }
}

/// The row of a hit.
pub(crate) fn row(span: &SpanRef<'_>, mode: Mode, asked: Span) -> SearchRow {
    let found = Found::at(span.object_key().to_owned(), Window::of(span.start));
    let view = found.view(mode, asked).encode();
    let view = view.map_or_else(String::new, |id: TraceId| id.to_string());
    let (actor, verb) = match span.kind() {
        Some(FactKind::Event) => (a::EVENT_COMPONENT, a::EVENT_REASON),
        Some(FactKind::Change) => (a::MANAGER, a::OPERATION),
        _ => (a::USERNAME, a::VERB),
    };
    SearchRow {
        time: span.start.to_string(),
        kind: span.kind().map_or("", FactKind::as_str).to_owned(),
        cluster: found.object.cluster.clone(),
        actor: span.str(actor).to_owned(),
        acting_as: span.str(a::IMPERSONATED_USERNAME).to_owned(),
        verb: span.str(verb).to_owned(),
        object: found.object,
        subresource: span.str(a::SUBRESOURCE).to_owned(),
        code: match span.get(a::STATUS_CODE) {
            Some(Value::Int(code)) => Some(*code),
            _ => None,
        },
        audit_id: span.str(a::AUDIT_ID).to_owned(),
        view,
    }
}

/// The parts of an object's identity among attributes; `None` when there is any other attribute,
/// or resource or name are missing.
pub(crate) fn identity(filter: &Filter) -> Option<HashMap<&str, &str>> {
    let parts: BTreeSet<_> = [a::CLUSTER, a::GROUP, a::RESOURCE, a::NAMESPACE, a::NAME].into();
    let plain = filter.error.is_none() && filter.shortest.is_none() && filter.longest.is_none();
    let all: HashMap<_, _> =
        filter.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let only_identity = all.keys().all(|name| parts.contains(name));
    let enough = all.contains_key(a::RESOURCE) && all.contains_key(a::NAME);
    (plain && only_identity && enough).then_some(all)
}
