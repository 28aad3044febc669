//! What a list of results shows of a raw trace.

use kausal_trace::foreign::{ForeignSpan, Status};
use kausal_trace::{TraceId, UnixNanos};

use crate::traces::{Counted, TraceSummary};

/// The summary; `None` without spans.
pub(super) fn of(id: TraceId, spans: &[ForeignSpan<'_>]) -> Option<TraceSummary> {
    let spans = spans.iter().map(|span| {
        let head = span.head();
        Counted {
            span: span.span,
            parent: head.parent,
            service: span.service(),
            operation: head.name,
            start: UnixNanos(head.start),
            end: UnixNanos(head.end),
            failed: head.status == Status::Error,
        }
    });
    TraceSummary::of(id, &spans.collect::<Vec<_>>())
}
