//! What one span must be to be found.
//!
//! The rules are those of Jaeger's own stores: everything on one span; an attribute counts on the
//! span, its events and links, its scope and its resource; values are compared as strings.

use std::ops::ControlFlow;

use super::span::{ForeignSpan, Head, Level, Status};
use super::term::{SCOPE_NAME, SCOPE_VERSION, SPAN_KIND, SPAN_STATUS, Term};
use super::text::value_text;
use crate::attribute::SERVICE_NAME;
use crate::time::UnixNanos;

/// Whether the span failed: `true` or `false`.
const ERROR: &str = "error";
/// An attribute of the resource only.
const RESOURCE_PREFIX: &str = "resource.";

/// A search. Empty or missing parts ask for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForeignQuery {
    /// Service.
    pub service: String,
    /// Operation.
    pub operation: String,
    /// Attributes, values as strings.
    pub attributes: Vec<(String, String)>,
    /// Earliest start.
    pub from: Option<UnixNanos>,
    /// Latest start; it belongs to the range.
    pub to: Option<UnixNanos>,
    /// Shortest duration in nanoseconds.
    pub shortest: Option<u64>,
    /// Longest duration in nanoseconds.
    pub longest: Option<u64>,
}

impl ForeignQuery {
    /// Whether `span` is all that is asked for.
    pub fn matches(&self, span: &ForeignSpan<'_>) -> bool {
        let head = span.head();
        let within = |value: u64, least: Option<u64>, most: Option<u64>| {
            least.is_none_or(|least| value >= least) && most.is_none_or(|most| value <= most)
        };
        within(head.start, self.from.map(|from| from.0), self.to.map(|to| to.0))
            && within(head.duration(), self.shortest, self.longest)
            && (self.operation.is_empty() || self.operation == head.name)
            && (self.service.is_empty() || self.service == span.service())
            && self.attributes.iter().all(|(key, value)| has(span, &head, key, value))
    }

    /// For each condition an index can help with, the terms of which a match has at least one; the
    /// conditions that are met least often come first.
    pub fn terms(&self) -> Vec<Vec<Term>> {
        let mut conditions: Vec<_> =
            self.attributes.iter().filter_map(|(key, value)| attribute_terms(key, value)).collect();
        if !self.operation.is_empty() {
            conditions.push(vec![Term::operation(&self.operation)]);
        }
        if !self.service.is_empty() {
            conditions.push(vec![Term::attribute(SERVICE_NAME, &self.service)]);
        }
        conditions
    }
}

fn has(span: &ForeignSpan<'_>, head: &Head<'_>, key: &str, value: &str) -> bool {
    let special = match (key, value) {
        (ERROR, "true") => return head.status == Status::Error,
        (ERROR, "false") => return head.status != Status::Error,
        (SPAN_KIND, _) => value.eq_ignore_ascii_case(head.kind_name()),
        (SPAN_STATUS, _) => value.eq_ignore_ascii_case(head.status.as_str()),
        (SCOPE_NAME, _) => value == span.scope_name_and_version().0,
        (SCOPE_VERSION, _) => value == span.scope_name_and_version().1,
        _ => false,
    };
    special || has_attribute(span, key, value)
}

fn has_attribute(span: &ForeignSpan<'_>, key: &str, value: &str) -> bool {
    let resource_key = key.strip_prefix(RESOURCE_PREFIX);
    let found = span.attributes(&mut |level, name, stored| {
        let named = name == key || (level == Level::Resource && Some(name) == resource_key);
        if named && value_text(stored) == value {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    found.is_break()
}

/// `None` where most spans match, or all without a term.
fn attribute_terms(key: &str, value: &str) -> Option<Vec<Term>> {
    let lower = value.to_ascii_lowercase();
    let special = match (key, value) {
        (ERROR, "true") => Term::attribute(SPAN_STATUS, Status::Error.as_str()),
        (ERROR, "false") | (SPAN_KIND | SCOPE_NAME | SCOPE_VERSION, "") => return None,
        (SPAN_STATUS, _) if lower == Status::Unset.as_str() => return None,
        (SPAN_KIND | SPAN_STATUS, _) => Term::attribute(key, &lower),
        _ => Term::attribute(key, value),
    };
    let mut terms = vec![special, Term::attribute(key, value)];
    if let Some(key) = key.strip_prefix(RESOURCE_PREFIX) {
        terms.push(Term::attribute(key, value));
    }
    terms.sort_unstable();
    terms.dedup();
    Some(terms)
}
