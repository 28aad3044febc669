//! What a list of results shows of a view.
//!
//! Promise: the numbers are those of the view as it opens.

use std::collections::{BTreeMap, HashSet};

use kausal_trace::ViewSpan;

use crate::reader::View;
use crate::traces::{ServiceCount, TraceSummary};

/// The summary; `None` for a view without spans.
pub(super) fn of(view: &View) -> Option<TraceSummary> {
    let known: HashSet<_> = view.spans.iter().map(|span| span.span).collect();
    let has_parent = |span: &ViewSpan| span.parent.is_some_and(|parent| known.contains(&parent));
    let roots = view.spans.iter().filter(|span| span.parent.is_none());
    let root = roots.min_by_key(|span| span.start)?;
    let mut services: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for span in &view.spans {
        let (spans, errors) = services.entry(&span.service).or_default();
        *spans += 1;
        *errors += usize::from(span.error.is_some());
    }
    let orphans = view.spans.iter().filter(|span| span.parent.is_some() && !has_parent(span));
    Some(TraceSummary {
        id: view.id,
        root_service: root.service.clone(),
        root_operation: root.name.clone(),
        start: view.spans.iter().map(|span| span.start).min()?,
        end: view.spans.iter().map(|span| span.end.max(span.start)).max()?,
        spans: view.spans.len(),
        errors: services.values().map(|(_, errors)| errors).sum(),
        orphans: orphans.count(),
        services: services
            .into_iter()
            .map(|(name, (spans, errors))| ServiceCount { name: name.to_owned(), spans, errors })
            .collect(),
    })
}
