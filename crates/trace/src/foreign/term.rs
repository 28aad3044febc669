//! What an index is made of: one number for each thing a span can be found by.
//!
//! Promise: whatever [`super::ForeignQuery`] can ask for has a term on every span that matches, or
//! the span has [`Term::CROWDED`]. Two things may share a term by chance, so a hit is verified.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::span::{ForeignSpan, Status};
use super::text::value_text;

/// Terms of one span. Instrumentation stays far below; past it a span is found by looking at it.
pub const TERMS_A_SPAN_MAX: usize = 64;

/// Special names of searches, as Jaeger's own stores have them.
pub(super) const SPAN_KIND: &str = "span.kind";
pub(super) const SPAN_STATUS: &str = "span.status";
pub(super) const SCOPE_NAME: &str = "scope.name";
pub(super) const SCOPE_VERSION: &str = "scope.version";

/// A hash of a name and a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Term(pub u64);

impl Term {
    /// On every span.
    pub const ANY: Self = Self(0);
    /// On a span that has more than [`TERMS_A_SPAN_MAX`].
    pub const CROWDED: Self = Self(1);

    /// An attribute with its value as a string, or one of the special names.
    pub(super) fn attribute(key: &str, value: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(key.len() as u64).to_be_bytes());
        hasher.update(key.as_bytes());
        hasher.update(value.as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        Self(u64::from_be_bytes(first))
    }

    /// An operation: the attribute without a name.
    pub(super) fn operation(name: &str) -> Self {
        Self::attribute("", name)
    }
}

/// The terms of a span, each once.
pub fn terms(span: &ForeignSpan<'_>) -> Vec<Term> {
    let head = span.head();
    let (scope, version) = span.scope_name_and_version();
    let status = if head.status == Status::Unset { "" } else { head.status.as_str() };
    let special = [
        (SPAN_KIND, head.kind_name()),
        (SPAN_STATUS, status),
        (SCOPE_NAME, scope),
        (SCOPE_VERSION, version),
    ];
    let special = special.into_iter().filter(|(_, value)| !value.is_empty());
    let mut terms = vec![Term::ANY, Term::operation(head.name)];
    terms.extend(special.map(|(key, value)| Term::attribute(key, value)));
    let whole = span.attributes(&mut |_, key, value| {
        if terms.len() == TERMS_A_SPAN_MAX {
            return ControlFlow::Break(());
        }
        let text: Cow<'_, str> = value_text(value);
        let term = Term::attribute(key, &text);
        if !terms.contains(&term) {
            terms.push(term);
        }
        ControlFlow::Continue(())
    });
    if whole.is_break() {
        terms.push(Term::CROWDED);
    }
    terms
}
