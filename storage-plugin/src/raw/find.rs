//! Searches over raw spans: the index proposes traces, their spans decide.

use kausal_trace::TraceId;
use kausal_trace::foreign::{ForeignQuery, ForeignSpan};

use super::RawTraces;
use crate::error::ReadError;
use crate::stop::Stop;
use crate::traces::{RESULTS_DEFAULT, TraceQuery};

/// Index entries of one search: a few seconds of one core.
pub(super) const ENTRIES_MAX: usize = 5_000_000;
/// Spans looked at in one search, likewise.
pub(super) const SPANS_MAX: usize = 1_000_000;

/// Calls `found` with the traces that match, newest first, as many as were asked for.
pub(super) fn each(
    traces: &RawTraces,
    query: &TraceQuery,
    stop: &Stop,
    mut found: impl FnMut(TraceId, &[ForeignSpan<'_>]),
) -> Result<(), ReadError> {
    let wanted = query.limit.unwrap_or(RESULTS_DEFAULT).min(traces.limits.results_max);
    let (asked, view) = (asked(query), traces.store.view());
    let mut candidates = view.candidates(&asked, ENTRIES_MAX)?;
    let (mut count, mut spans_left) = (0, SPANS_MAX);
    while count < wanted && spans_left > 0 {
        stop.check()?;
        let Some(id) = candidates.next().transpose()? else { break };
        let trace = traces.trace(&view, id)?;
        spans_left = spans_left.saturating_sub(trace.spans.len());
        let spans: Vec<_> = trace.spans.iter().map(|span| span.get()).collect();
        if spans.iter().any(|span| asked.matches(span)) {
            found(id, &spans);
            count += 1;
        }
    }
    let given_up = count < wanted && (spans_left == 0 || candidates.exhausted());
    if given_up && count == 0 {
        return Err(too_much());
    }
    if given_up {
        tracing::warn!(found = count, wanted, "a search of raw spans ended at its budget");
    }
    Ok(())
}

/// An answer that is empty only because the search ended would be wrong.
pub(super) fn too_much() -> ReadError {
    let message =
        format!("the question was given up after {ENTRIES_MAX} index entries or {SPANS_MAX} spans");
    ReadError::invalid(message, "ask for a shorter time range, or for more attributes")
}

fn asked(query: &TraceQuery) -> ForeignQuery {
    ForeignQuery {
        service: query.service.clone(),
        operation: query.operation.clone(),
        attributes: query.attributes.clone(),
        from: query.from,
        to: query.to,
        shortest: query.shortest,
        longest: query.longest,
    }
}
