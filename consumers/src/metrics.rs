//! What operators see: one struct for each thing worth seeing, that logs and counts together.
//!
//! Never here: text of events. A log line or a label never holds what a client sent.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::counts::Counts;

/// Why an event was kept, counted or set aside.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct EventLabels {
    source: &'static str,
    outcome: &'static str,
    reason: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SourceLabels {
    source: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct AnswerLabels {
    code: u16,
}

/// The metrics of all sources of a process.
#[derive(Clone, Debug)]
pub struct Metrics {
    events: Family<EventLabels, Counter>,
    truncated: Family<SourceLabels, Counter>,
    spans: Family<SourceLabels, Counter>,
    span_bytes: Family<SourceLabels, Counter>,
    received_bytes: Family<SourceLabels, Counter>,
    durable_seconds: Family<SourceLabels, Histogram>,
    failures: Family<SourceLabels, Counter>,
    letters_lost: Counter,
    answers: Family<AnswerLabels, Counter>,
    in_flight_bytes: Gauge<i64>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            events: Family::default(),
            truncated: Family::default(),
            spans: Family::default(),
            span_bytes: Family::default(),
            received_bytes: Family::default(),
            durable_seconds: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.001, 2.0, 16))
            }),
            failures: Family::default(),
            letters_lost: Counter::default(),
            answers: Family::default(),
            in_flight_bytes: Gauge::default(),
        }
    }
}

impl Metrics {
    /// Registers the metrics under `kausal_consumer_`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("kausal_consumer");
        registry.register(
            "events",
            "Audit events by what became of them: kept, filtered, rejected",
            metrics.events.clone(),
        );
        registry.register(
            "truncated_events",
            "Events that were not whole and of which the rest is told",
            metrics.truncated.clone(),
        );
        registry.register("spans", "Spans that became durable", metrics.spans.clone());
        registry.register(
            "span_bytes",
            "Encoded bytes of the spans that became durable",
            metrics.span_bytes.clone(),
        );
        registry.register(
            "received_bytes",
            "Bytes taken from sources, after decompression",
            metrics.received_bytes.clone(),
        );
        registry.register(
            "durable_seconds",
            "Time from handing a batch to the sink until it was durable",
            metrics.durable_seconds.clone(),
        );
        registry.register(
            "failed_batches",
            "Batches the sink did not take; their source delivers them again",
            metrics.failures.clone(),
        );
        registry.register(
            "dead_letters_lost",
            "Originals that could not be written to the dead-letter file",
            metrics.letters_lost.clone(),
        );
        registry.register(
            "webhook_requests",
            "Webhook requests by the status they were answered with",
            metrics.answers.clone(),
        );
        registry.register(
            "webhook_in_flight_bytes",
            "Bytes of webhook bodies held now",
            metrics.in_flight_bytes.clone(),
        );
        metrics
    }

    /// Bytes taken from a source.
    pub(crate) fn received(&self, source: &'static str, bytes: u64) {
        self.received_bytes.get_or_create(&SourceLabels { source }).inc_by(bytes);
    }

    /// Bytes of webhook bodies held now.
    pub(crate) fn in_flight(&self, bytes: usize) {
        self.in_flight_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}

/// A batch is durable.
#[derive(Debug)]
pub(crate) struct BatchDurable<'a> {
    pub(crate) source: &'static str,
    pub(crate) cluster: &'a str,
    pub(crate) counts: &'a Counts,
    pub(crate) took: Duration,
}

impl BatchDurable<'_> {
    pub(crate) fn emit(&self, metrics: &Metrics) {
        let Self { source, cluster, counts, took } = *self;
        let of_source = SourceLabels { source };
        let spans = counts.fact_spans + counts.frame_spans;
        for (outcome, list) in
            [("kept", &counts.kept), ("filtered", &counts.filtered), ("rejected", &counts.rejected)]
        {
            for (reason, count) in list {
                let labels = EventLabels { source, outcome, reason: reason.clone() };
                metrics.events.get_or_create(&labels).inc_by(*count);
            }
        }
        metrics.truncated.get_or_create(&of_source).inc_by(counts.truncated);
        metrics.spans.get_or_create(&of_source).inc_by(spans);
        metrics.span_bytes.get_or_create(&of_source).inc_by(counts.span_bytes);
        metrics.durable_seconds.get_or_create(&of_source).observe(took.as_secs_f64());
        tracing::debug!(source, cluster, events = counts.events, spans, ?took, "batch durable");
        for (reason, count) in &counts.rejected {
            tracing::warn!(source, cluster, reason, count, "set aside in the dead letters");
        }
    }
}

/// A batch did not become durable.
#[derive(Debug)]
pub(crate) struct BatchFailed<'a> {
    pub(crate) source: &'static str,
    pub(crate) cluster: &'a str,
    pub(crate) error: &'a crate::sink::SinkError,
}

impl BatchFailed<'_> {
    pub(crate) fn emit(&self, metrics: &Metrics) {
        let Self { source, cluster, error } = *self;
        metrics.failures.get_or_create(&SourceLabels { source }).inc();
        tracing::warn!(source, cluster, %error, "a batch is not durable");
    }
}

/// An original was set aside. It is counted with its batch.
pub(crate) struct SetAside<'a> {
    pub(crate) source: &'static str,
    pub(crate) input: &'a str,
    pub(crate) cluster: &'a str,
    pub(crate) position: u64,
    pub(crate) bytes: u64,
    pub(crate) reason: &'a dyn std::fmt::Display,
}

impl SetAside<'_> {
    pub(crate) fn emit(&self) {
        let Self { source, input, cluster, position, bytes, reason } = *self;
        // A broken log has thousands of these: whoever needs each one finds it in the dead letters.
        tracing::debug!(source, input, cluster, position, bytes, %reason, "set aside");
    }
}

/// An original could not be kept in the dead-letter file.
#[derive(Debug)]
pub(crate) struct LetterLost<'a> {
    pub(crate) error: &'a std::io::Error,
}

impl LetterLost<'_> {
    pub(crate) fn emit(&self, metrics: &Metrics) {
        metrics.letters_lost.inc();
        tracing::error!(error = %self.error, "the dead-letter file cannot be written");
    }
}

/// A webhook request was answered.
pub(crate) struct WebhookAnswered<'a> {
    pub(crate) code: u16,
    pub(crate) refusal: Option<&'a dyn std::fmt::Display>,
}

impl WebhookAnswered<'_> {
    pub(crate) fn emit(&self, metrics: &Metrics) {
        metrics.answers.get_or_create(&AnswerLabels { code: self.code }).inc();
        if let Some(refusal) = self.refusal {
            tracing::warn!(code = self.code, %refusal, "webhook request refused");
        }
    }
}
