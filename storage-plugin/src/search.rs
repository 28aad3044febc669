//! Searches, and what their hits lead to.
//!
//! Promise: the id a hit is answered with opens the hit object's view around the hit; several hits
//! of one object are one result.

use std::collections::{BTreeSet, HashMap, HashSet};

use kausal_object::ObjectKey;
use kausal_store::{SearchHit, SearchQuery, SpanStore};
use kausal_story::Mode;
use kausal_trace::attribute as a;
use kausal_trace::window::WINDOWS_PER_DAY;
use kausal_trace::{
    FactKind, IdParts, KeyHash, SpanRef, TraceId, UnixNanos, Value, ViewId, Window,
};

use crate::error::ReadError;
use crate::query::SearchRow;
use crate::resolve::plural_of;
use crate::stop::Stop;

/// Hits of one call to the store.
const PAGE_HITS: usize = 500;
/// Records of one audit id that are looked at: a few stages from a few servers.
const STAGES_MAX: usize = 16;
/// Windows on either side of a hit that its view shows.
const WINDOWS_AROUND: u64 = 1;

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

    /// What the store does not look at.
    pub(crate) fn passes(&self, span: &SpanRef<'_>) -> bool {
        let nanos = span.end.0.saturating_sub(span.start.0);
        self.error.is_none_or(|error| error == span.error)
            && self.shortest.is_none_or(|shortest| nanos >= shortest)
            && self.longest.is_none_or(|longest| nanos <= longest)
    }
}

/// Shows hits, newest first, until `take` has had enough (answers `false`), there are no more, or
/// `hits_max` were shown. Answers whether older matches may exist.
pub(crate) fn pages(
    store: &dyn SpanStore,
    mut query: SearchQuery,
    hits_max: usize,
    stop: &Stop,
    mut take: impl FnMut(&SearchHit, &SpanRef<'_>) -> bool,
) -> Result<bool, ReadError> {
    let mut seen = HashSet::new();
    while seen.len() < hits_max {
        stop.check()?;
        query.limit = PAGE_HITS.min(hits_max - seen.len());
        let answer = store.search(&query)?;
        let before = seen.len();
        for hit in &answer.hits {
            let Ok(span) = SpanRef::parse(&hit.bytes) else { continue };
            let known = !seen.insert((hit.trace, hit.span));
            if known || !is_at_home(hit, &span) || is_told_by_another(store, &span)? {
                continue;
            }
            if !take(hit, &span) {
                return Ok(true);
            }
        }
        let Some(oldest) = answer.hits.last() else { return Ok(answer.exhausted) };
        if answer.exhausted || answer.hits.len() < query.limit || seen.len() == before {
            return Ok(answer.exhausted);
        }
        // Facts of the same instant may stand on both sides of a page's end.
        query.to = Some(UnixNanos(oldest.start.0 + 1));
    }
    Ok(true)
}

/// Whether a fact stands in a trace of its own object; no view of that object shows it elsewhere.
fn is_at_home(hit: &SearchHit, span: &SpanRef<'_>) -> bool {
    matches!(hit.trace.parts(), IdParts::Facts(key, _) if key == KeyHash::of(span.object_key()))
}

/// Whether facts of this object may have a fuller record elsewhere.
pub(crate) fn may_be_partial(object: &ObjectKey) -> bool {
    object.name.is_empty() || object.resource == "events"
}

/// Whether a fuller record of the same request is stored elsewhere: this one of an early stage or
/// a cut copy did not know its object's name (`generateName`), or is the write of an Event that
/// lost its body.
pub(crate) fn is_told_by_another(
    store: &dyn SpanStore,
    span: &SpanRef<'_>,
) -> Result<bool, ReadError> {
    let audit_id = span.str(a::AUDIT_ID);
    let is_event = |span: &SpanRef<'_>| span.kind() == Some(FactKind::Event);
    let nameless = span.str(a::NAME).is_empty() && span.str(a::VERB) == "create";
    let event_write = !is_event(span) && span.str(a::RESOURCE) == "events";
    if audit_id.is_empty() || !(nameless || event_write) {
        return Ok(false);
    }
    let request = |span: &SpanRef<'_>| {
        [a::USERNAME, a::VERB, a::REQUEST_URI].map(|name| span.str(name).to_owned())
    };
    let found = store.search(&SearchQuery::newest(STAGES_MAX).with(a::AUDIT_ID, audit_id))?;
    Ok(found.hits.iter().filter_map(|hit| SpanRef::parse(&hit.bytes).ok()).any(|other| {
        event_write && is_event(&other)
            || nameless && !other.str(a::NAME).is_empty() && request(&other) == request(span)
    }))
}

/// An object that was found, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) object: ObjectKey,
    /// Oldest hit.
    pub(crate) first: Window,
    /// Newest hit.
    pub(crate) last: Window,
}

impl Found {
    /// The view that shows its hits: their windows and one on either side, at most a day's worth
    /// that ends with the newest hit.
    pub(crate) fn view(&self, mode: Mode) -> ViewId {
        let first = self.first.0.max(self.last.0.saturating_sub(WINDOWS_PER_DAY - 1));
        let first = first.saturating_sub(WINDOWS_AROUND);
        let windows = self.last.0 + WINDOWS_AROUND + 1 - first;
        let key = KeyHash::of(self.object.as_ref());
        ViewId { mode: mode.id(), first: Window(first), windows, key }
    }
}

/// Gathers hits into objects, in the order of their newest hit.
#[derive(Debug, Default)]
pub(crate) struct Finds {
    found: Vec<Found>,
    known: HashMap<ObjectKey, usize>,
}

impl Finds {
    /// Adds a hit, unless it is of one more object than `objects_max`; answers whether it fit.
    pub(crate) fn add(&mut self, object: ObjectKey, window: Window, objects_max: usize) -> bool {
        if let Some(found) = self.known.get(&object).and_then(|at| self.found.get_mut(*at)) {
            found.first = found.first.min(window);
            found.last = found.last.max(window);
            return true;
        }
        if self.found.len() >= objects_max {
            return false;
        }
        self.known.insert(object.clone(), self.found.len());
        self.found.push(Found { object, first: window, last: window });
        true
    }

    /// The objects.
    pub(crate) fn into_found(self) -> Vec<Found> {
        self.found
    }
}

/// The row of a hit.
pub(crate) fn row(span: &SpanRef<'_>, mode: Mode) -> SearchRow {
    let object = span.object_key().to_owned();
    let window = Window::of(span.start);
    let found = Found { object, first: window, last: window };
    let view = found.view(mode).encode().map_or_else(String::new, |id: TraceId| id.to_string());
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
