//! A row of a list of results, as it goes over the wire.

use kausal_proto::storage::{ServiceSummary, TraceSummary};

use crate::traces;

pub(super) fn summary(summary: &traces::TraceSummary) -> TraceSummary {
    let services = summary.services.iter().map(|service| ServiceSummary {
        name: service.name.clone(),
        span_count: count(service.spans),
        error_span_count: count(service.errors),
    });
    TraceSummary {
        trace_id: summary.id.0.to_vec(),
        root_service_name: summary.root_service.clone(),
        root_operation_name: summary.root_operation.clone(),
        min_start_time_unix_nano: summary.start.0,
        max_end_time_unix_nano: summary.end.0,
        span_count: count(summary.spans),
        error_span_count: count(summary.errors),
        orphan_span_count: count(summary.orphans),
        services: services.collect(),
    }
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
