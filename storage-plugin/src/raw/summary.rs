//! What a list of results shows of a raw trace.

use std::collections::{BTreeMap, HashSet};

use kausal_trace::foreign::{ForeignSpan, Status};
use kausal_trace::{TraceId, UnixNanos};

use crate::traces::{ServiceCount, TraceSummary};

/// The summary. A trace without a root has no name.
pub(super) fn of(id: TraceId, spans: &[ForeignSpan<'_>]) -> TraceSummary {
    let known: HashSet<_> = spans.iter().map(|span| span.span).collect();
    let heads: Vec<_> = spans.iter().map(|span| (span, span.head())).collect();
    let roots = heads.iter().filter(|(_, head)| head.parent.is_none());
    let root = roots.min_by_key(|(_, head)| head.start);
    let mut services: BTreeMap<&str, ServiceCount> = BTreeMap::new();
    for (span, head) in &heads {
        let name = span.service();
        let of_service = services.entry(name).or_insert_with(|| ServiceCount {
            name: name.to_owned(),
            spans: 0,
            errors: 0,
        });
        of_service.spans += 1;
        of_service.errors += usize::from(head.status == Status::Error);
    }
    let orphan = |parent: Option<_>| parent.is_some_and(|parent| !known.contains(&parent));
    TraceSummary {
        id,
        root_service: root.map(|(span, _)| span.service().to_owned()).unwrap_or_default(),
        root_operation: root.map(|(_, head)| head.name.to_owned()).unwrap_or_default(),
        start: UnixNanos(heads.iter().map(|(_, head)| head.start).min().unwrap_or(0)),
        end: UnixNanos(heads.iter().map(|(_, head)| head.end).max().unwrap_or(0)),
        spans: spans.len(),
        errors: services.values().map(|service| service.errors).sum(),
        orphans: heads.iter().filter(|(_, head)| orphan(head.parent)).count(),
        services: services.into_values().collect(),
    }
}
