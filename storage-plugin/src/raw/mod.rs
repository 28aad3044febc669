//! Spans of anybody, as they were written, behind Jaeger's doors: a plain Jaeger storage.
//!
//! Promise: what Export acknowledged is durable and is read back byte for byte, resource and scope
//! included. Searches, services, operations and dependencies follow Jaeger's own in-memory store.
//! Never here: views, display modes, and anything Kubernetes.

mod dependencies;
mod export;
mod find;
mod purge;
mod summary;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use kausal_store::ReadBudget;
use kausal_store::raw::{RawStore, RawTrace, RawView};
use kausal_trace::foreign::{ForeignSpan, messages};
use kausal_trace::view::MESSAGE_BYTES_MAX;
use kausal_trace::{TraceId, UnixNanos};

pub use purge::purge_router;

use crate::config::ReadLimits;
use crate::doors::Doors;
use crate::error::ReadError;
use crate::grpc::{HealthReporter, router_of};
use crate::http::{Pages, jaeger_router};
use crate::metrics::Metrics;
use crate::stop::Stop;
use crate::traces::{Dependency, FoundTrace, Operation, TraceQuery, TraceSummary, Traces};

/// The doors of raw mode.
pub struct RawRouters {
    /// All gRPC services, serving.
    pub grpc: Router,
    /// Jaeger's HTTP paths, and gRPC beside them.
    pub http: Router,
    /// Lets the process say that it leaves.
    pub health: HealthReporter,
}

/// All doors over raw spans.
pub async fn raw_routers(traces: RawTraces, pages: &Pages, metrics: Metrics) -> RawRouters {
    let writer = export::RawExport::new(traces.store.clone(), metrics.clone());
    let places = traces.limits.concurrent_max;
    let doors = Doors::of(Arc::new(traces), places, metrics).traces();
    let (grpc, health) = router_of(doors.clone(), writer).await;
    let http = jaeger_router(&doors, pages).merge(grpc.clone().reset_fallback());
    RawRouters { grpc, http, health }
}

/// Answers Jaeger's questions from a raw store.
pub struct RawTraces {
    store: Arc<RawStore>,
    limits: ReadLimits,
}

impl RawTraces {
    /// Answers from this store, within these limits.
    pub fn new(store: Arc<RawStore>, limits: ReadLimits) -> Self {
        Self { store, limits }
    }

    /// The spans of a trace, as many as one question may read.
    fn trace(&self, view: &RawView, id: TraceId) -> Result<RawTrace, ReadError> {
        let budget =
            ReadBudget { spans_max: self.limits.spans_max, bytes_max: self.limits.bytes_max };
        let trace = view.trace(id, budget)?;
        if trace.cut {
            let (spans_max, bytes_max) = (budget.spans_max, budget.bytes_max);
            tracing::warn!(%id, spans_max, bytes_max, "a raw trace is larger than read.spans_max \
                or read.bytes_max allow: the rest of it was left out");
        }
        Ok(trace)
    }
}

impl Traces for RawTraces {
    fn services(&self, _: &Stop) -> Result<Vec<String>, ReadError> {
        Ok(self.store.view().services()?)
    }

    fn operations(
        &self,
        service: &str,
        span_kind: &str,
        _: &Stop,
    ) -> Result<Vec<Operation>, ReadError> {
        let operations = self.store.view().operations(service, span_kind)?.into_iter();
        Ok(operations.map(|found| Operation { name: found.name, span_kind: found.kind }).collect())
    }

    fn find(&self, query: &TraceQuery, stop: &Stop) -> Result<Vec<FoundTrace>, ReadError> {
        let mut found = Vec::new();
        find::each(self, query, stop, |id, spans| {
            let heads = || spans.iter().map(ForeignSpan::head);
            let start = UnixNanos(heads().map(|head| head.start).min().unwrap_or(0));
            let end = UnixNanos(heads().map(|head| head.end).max().unwrap_or(0));
            found.push(FoundTrace { id, start, end });
        })?;
        Ok(found)
    }

    fn summaries(&self, query: &TraceQuery, stop: &Stop) -> Result<Vec<TraceSummary>, ReadError> {
        let mut summaries = Vec::new();
        find::each(self, query, stop, |id, spans| summaries.extend(summary::of(id, spans)))?;
        Ok(summaries)
    }

    fn messages(&self, id: TraceId, _: &Stop) -> Result<Vec<Vec<u8>>, ReadError> {
        let trace = self.trace(&self.store.view(), id)?;
        let spans: Vec<_> = trace.spans.iter().map(|span| span.get()).collect();
        Ok(messages(&spans, MESSAGE_BYTES_MAX))
    }

    fn dependencies(
        &self,
        from: Option<UnixNanos>,
        to: Option<UnixNanos>,
        stop: &Stop,
    ) -> Result<Vec<Dependency>, ReadError> {
        dependencies::within(self, from, to, stop)
    }
}
