//! Which services call which, counted over the stored traces of a stretch of time.
//!
//! As Jaeger's in-memory store does it: a trace counts when all of it lies in the stretch, each span
//! with a parent in its trace is one call from the parent's service to its own.

use std::collections::{BTreeMap, HashMap};

use kausal_trace::UnixNanos;
use kausal_trace::foreign::{ForeignQuery, ForeignSpan};

use super::RawTraces;
use super::find::{ENTRIES_MAX, SPANS_MAX, too_much};
use crate::error::ReadError;
use crate::stop::Stop;
use crate::traces::Dependency;

type Calls = BTreeMap<(String, String), u64>;

/// The arrows from `from` to `to`.
pub(super) fn within(
    traces: &RawTraces,
    from: Option<UnixNanos>,
    to: Option<UnixNanos>,
    stop: &Stop,
) -> Result<Vec<Dependency>, ReadError> {
    let view = traces.store.view();
    let mut calls = Calls::new();
    let mut candidates =
        view.candidates(&ForeignQuery { from, to, ..ForeignQuery::default() }, ENTRIES_MAX)?;
    let mut spans_left = SPANS_MAX;
    for id in &mut candidates {
        stop.check()?;
        let trace = traces.trace(&view, id?)?;
        spans_left = spans_left.checked_sub(trace.spans.len()).ok_or_else(too_much)?;
        let spans: Vec<_> = trace.spans.iter().map(|span| span.get()).collect();
        let inside = |span: &ForeignSpan<'_>| {
            let head = span.head();
            from.is_none_or(|from| head.start >= from.0) && to.is_none_or(|to| head.end <= to.0)
        };
        if spans.iter().all(inside) {
            count(&spans, &mut calls);
        }
    }
    if candidates.exhausted() {
        return Err(too_much());
    }
    let arrow = |((parent, child), calls)| Dependency { parent, child, calls };
    Ok(calls.into_iter().map(arrow).collect())
}

fn count(spans: &[ForeignSpan<'_>], calls: &mut Calls) {
    let mut services = HashMap::new();
    for span in spans {
        services.entry(span.span).or_insert_with(|| span.service());
    }
    for span in spans {
        let parent = span.head().parent.and_then(|parent| services.get(&parent));
        if let Some(parent) = parent {
            *calls.entry(((*parent).to_owned(), span.service().to_owned())).or_default() += 1;
        }
    }
}
