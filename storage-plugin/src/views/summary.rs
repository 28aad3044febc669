//! What a list of results shows of a view.
//!
//! Promise: the numbers are those of the view as it opens.

use crate::reader::View;
use crate::traces::{Counted, TraceSummary};

/// The summary; `None` for a view without spans.
pub(super) fn of(view: &View) -> Option<TraceSummary> {
    let spans = view.spans.iter().map(|span| Counted {
        span: span.span,
        parent: span.parent,
        service: &span.service,
        operation: &span.name,
        start: span.start,
        end: span.end.max(span.start),
        failed: span.error.is_some(),
    });
    TraceSummary::of(view.id, &spans.collect::<Vec<_>>())
}
