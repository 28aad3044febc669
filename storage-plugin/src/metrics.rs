//! What operators see of reading and of the doors.

use std::sync::atomic::AtomicI64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Upper bounds in seconds: from a view in memory to where Jaeger's UI gives up.
const SECONDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    question: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Question {
    question: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// Metrics of the doors; clones count into the same.
#[derive(Clone, Debug)]
pub struct Metrics {
    reads: Family<Outcome, Counter>,
    seconds: Family<Question, Histogram, fn() -> Histogram>,
    at_work: Gauge<i64, AtomicI64>,
    taken: Counter,
    refused: Family<Reason, Counter>,
    postponed: Counter,
    exhausted: Counter,
}

impl Metrics {
    /// Registers all of them.
    pub fn register(registry: &mut Registry) -> Self {
        let seconds: fn() -> Histogram = || Histogram::new(SECONDS);
        let metrics = Self {
            reads: Family::default(),
            seconds: Family::new_with_constructor(seconds),
            at_work: Gauge::default(),
            taken: Counter::default(),
            refused: Family::default(),
            postponed: Counter::default(),
            exhausted: Counter::default(),
        };
        let of = registry.sub_registry_with_prefix("kausal_plugin");
        of.register("reads", "Questions answered, by outcome", metrics.reads.clone());
        of.register_with_unit(
            "read",
            "Time to answer a question, without waiting for a free place",
            Unit::Seconds,
            metrics.seconds.clone(),
        );
        of.register("reads_at_work", "Questions being answered", metrics.at_work.clone());
        of.register("export_spans_taken", "Spans stored from OTLP", metrics.taken.clone());
        of.register("export_spans_refused", "Spans not stored for good", metrics.refused.clone());
        of.register(
            "export_requests_postponed",
            "OTLP requests answered with: try again",
            metrics.postponed.clone(),
        );
        of.register(
            "searches_exhausted",
            "Searches that their budget ended: older matches may exist",
            metrics.exhausted.clone(),
        );
        metrics
    }

    /// Counts a question as at work until the guard is dropped.
    pub(crate) fn begin(&self) -> AtWork {
        self.at_work.inc();
        AtWork(self.at_work.clone())
    }

    pub(crate) fn answered(&self, question: &'static str, outcome: &'static str, seconds: f64) {
        self.reads.get_or_create(&Outcome { question, outcome }).inc();
        self.seconds.get_or_create(&Question { question }).observe(seconds);
    }
}

/// See [`Metrics::begin`].
#[derive(Debug)]
pub(crate) struct AtWork(Gauge<i64, AtomicI64>);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Spans became durable.
pub(crate) struct SpansTaken {
    pub(crate) count: usize,
}

impl SpansTaken {
    pub(crate) fn emit(&self, metrics: &Metrics) {
        metrics.taken.inc_by(self.count as u64);
        tracing::trace!(count = self.count, "spans stored from OTLP");
    }
}

/// Spans were refused for good.
pub(crate) struct SpansRefused {
    pub(crate) count: usize,
    pub(crate) reason: &'static str,
}

impl SpansRefused {
    pub(crate) fn emit(&self, metrics: &Metrics) {
        let of_reason = metrics.refused.get_or_create(&Reason { reason: self.reason });
        of_reason.inc_by(self.count as u64);
        tracing::warn!(count = self.count, reason = self.reason, "spans from OTLP refused");
    }
}

/// A writer was told to try again.
pub(crate) struct ExportPostponed<'a> {
    pub(crate) cause: &'a str,
}

impl ExportPostponed<'_> {
    pub(crate) fn emit(&self, metrics: &Metrics) {
        metrics.postponed.inc();
        tracing::warn!(cause = self.cause, "an OTLP writer was told to try again");
    }
}

/// A search was ended by its budget: its answer may lack older matches.
pub(crate) struct SearchExhausted<'a> {
    /// Names of the attributes asked for; values may be secret.
    pub(crate) attributes: Vec<&'a str>,
}

impl SearchExhausted<'_> {
    /// Without metrics (a command that reads a store by itself) it is only logged.
    pub(crate) fn emit(&self, metrics: Option<&Metrics>) {
        if let Some(metrics) = metrics {
            metrics.exhausted.inc();
        }
        tracing::warn!(
            attributes = ?self.attributes,
            "a search was ended by its budget, older matches may exist; give it a shorter time or \
             an indexed attribute",
        );
    }
}

/// What the tests of doors look at.
#[cfg(test)]
impl Metrics {
    pub(crate) fn reads(&self, question: &'static str, outcome: &'static str) -> u64 {
        self.reads.get_or_create(&Outcome { question, outcome }).get()
    }

    pub(crate) fn exhausted(&self) -> u64 {
        self.exhausted.get()
    }

    pub(crate) fn at_work(&self) -> i64 {
        self.at_work.get()
    }
}
