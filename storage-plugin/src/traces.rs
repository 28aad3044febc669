//! What Jaeger, its UI and Grafana ask, in our words: the seam between their doors and what
//! answers.
//!
//! Promise: the gRPC door and the Jaeger paths of the HTTP door ask through [`Traces`] only, so
//! both give the same answers, and views and spans kept as they were written stand behind the
//! same doors.
//! Never here: wire formats.

use std::collections::{BTreeMap, HashSet};

use kausal_trace::{SpanId, TraceId, UnixNanos};

use crate::error::ReadError;
use crate::stop::Stop;

/// Results when the caller does not say how many: Jaeger's own default.
pub const RESULTS_DEFAULT: usize = 100;

/// Answers the questions of Jaeger's storage interface. Synchronous; doors run it on threads made
/// for waiting ([`crate::Doors`]).
pub trait Traces: Send + Sync + 'static {
    /// Names for the first box of the search form.
    fn services(&self, stop: &Stop) -> Result<Vec<String>, ReadError>;

    /// Names for the second box; an empty service or span kind means any.
    fn operations(
        &self,
        service: &str,
        span_kind: &str,
        stop: &Stop,
    ) -> Result<Vec<Operation>, ReadError>;

    /// Ids of traces that match, newest first; each opens by [`Traces::messages`].
    fn find(&self, query: &TraceQuery, stop: &Stop) -> Result<Vec<FoundTrace>, ReadError>;

    /// What a list of results shows of the traces [`Traces::find`] answers with.
    fn summaries(&self, query: &TraceQuery, stop: &Stop) -> Result<Vec<TraceSummary>, ReadError>;

    /// Encoded `TracesData` messages of one trace, each at most 1 MiB; none when nothing is known.
    fn messages(&self, id: TraceId, stop: &Stop) -> Result<Vec<Vec<u8>>, ReadError>;

    /// Which services call which, for the architecture page.
    fn dependencies(
        &self,
        from: Option<UnixNanos>,
        to: Option<UnixNanos>,
        stop: &Stop,
    ) -> Result<Vec<Dependency>, ReadError>;
}

/// A search as Jaeger's form asks for it. One span must fulfil all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceQuery {
    /// Service; empty means any.
    pub service: String,
    /// Operation; empty means any.
    pub operation: String,
    /// Attributes that must all hold, values as strings.
    pub attributes: Vec<(String, String)>,
    /// Earliest start.
    pub from: Option<UnixNanos>,
    /// Latest start; it belongs to the range.
    pub to: Option<UnixNanos>,
    /// Shortest duration in nanoseconds.
    pub shortest: Option<u64>,
    /// Longest duration in nanoseconds.
    pub longest: Option<u64>,
    /// Traces wanted; [`RESULTS_DEFAULT`] when missing.
    pub limit: Option<usize>,
}

/// A trace that matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundTrace {
    /// Its id.
    pub id: TraceId,
    /// First instant it covers.
    pub start: UnixNanos,
    /// Last instant it covers.
    pub end: UnixNanos,
}

/// An operation of a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operation {
    /// Its name.
    pub name: String,
    /// `server`, `client`, `producer`, `consumer`, `internal`, or empty.
    pub span_kind: String,
}

/// One row of a list of results. The numbers are those of the trace as it opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceSummary {
    /// Its id.
    pub id: TraceId,
    /// Service of the root.
    pub root_service: String,
    /// Operation of the root.
    pub root_operation: String,
    /// Earliest start.
    pub start: UnixNanos,
    /// Latest end.
    pub end: UnixNanos,
    /// Spans.
    pub spans: usize,
    /// Spans with an error.
    pub errors: usize,
    /// Spans whose parent is not in the trace.
    pub orphans: usize,
    /// The spans by service, in the order of names.
    pub services: Vec<ServiceCount>,
}

/// What a summary needs to know of one span.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted<'a> {
    pub(crate) span: SpanId,
    pub(crate) parent: Option<SpanId>,
    pub(crate) service: &'a str,
    pub(crate) operation: &'a str,
    pub(crate) start: UnixNanos,
    /// Never before `start`.
    pub(crate) end: UnixNanos,
    pub(crate) failed: bool,
}

impl TraceSummary {
    /// Counts the spans of a trace; one without a root has no name. `None` without spans.
    pub(crate) fn of(id: TraceId, spans: &[Counted<'_>]) -> Option<Self> {
        let known: HashSet<_> = spans.iter().map(|span| span.span).collect();
        let root = spans.iter().filter(|span| span.parent.is_none()).min_by_key(|span| span.start);
        let mut services: BTreeMap<&str, ServiceCount> = BTreeMap::new();
        for span in spans {
            let of_service = services.entry(span.service).or_insert_with(|| ServiceCount {
                name: span.service.to_owned(),
                spans: 0,
                errors: 0,
            });
            of_service.spans += 1;
            of_service.errors += usize::from(span.failed);
        }
        let is_lost = |parent: SpanId| !known.contains(&parent);
        Some(Self {
            id,
            root_service: root.map(|root| root.service.to_owned()).unwrap_or_default(),
            root_operation: root.map(|root| root.operation.to_owned()).unwrap_or_default(),
            start: spans.iter().map(|span| span.start).min()?,
            end: spans.iter().map(|span| span.end).max()?,
            spans: spans.len(),
            errors: services.values().map(|service| service.errors).sum(),
            orphans: spans.iter().filter(|span| span.parent.is_some_and(is_lost)).count(),
            services: services.into_values().collect(),
        })
    }
}

/// How many spans of a trace are of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceCount {
    /// The service.
    pub name: String,
    /// Its spans.
    pub spans: usize,
    /// Those with an error.
    pub errors: usize,
}

/// One arrow of the architecture page.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dependency {
    /// Service at the beginning.
    pub parent: String,
    /// Service at the end.
    pub child: String,
    /// How often.
    pub calls: u64,
}
