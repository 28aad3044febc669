//! What the tests of this crate share: a sink in memory, a pipeline around it, the capture.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use kausal_audit::Limits;
use kausal_consumers::dead_letters::DeadLetters;
use kausal_consumers::sink::{Delivery, Sink, SinkError};
use kausal_consumers::{ClusterName, Counts, FilterConfig, Metrics, Pipeline, PipelineParts};
use kausal_object::Redaction;
use kausal_store::Clock;
use kausal_trace::{SpanBatch, UnixNanos};
use tokio::sync::oneshot;

type Answer = oneshot::Sender<Result<(), SinkError>>;

/// Keeps what it is given; answers at once, or when it is let go.
#[derive(Clone, Debug, Default)]
pub struct MemorySink(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    spans: Vec<Vec<u8>>,
    batches: usize,
    held: Option<Vec<Answer>>,
    is_full: bool,
}

impl MemorySink {
    /// From now on, acknowledgements wait for [`Self::release`].
    pub fn hold(&self) {
        self.0.lock().unwrap().held = Some(Vec::new());
    }

    /// Answers what is held, and everything after it at once.
    pub fn release(&self, answer: impl Fn() -> Result<(), SinkError>) {
        for held in self.0.lock().unwrap().held.take().unwrap_or_default() {
            held.send(answer()).ok();
        }
    }

    /// Number of batches given so far.
    pub fn batches(&self) -> usize {
        self.0.lock().unwrap().batches
    }

    /// From now on, takes nothing that may be refused.
    pub fn fill(&self, is_full: bool) {
        self.0.lock().unwrap().is_full = is_full;
    }

    /// The spans given so far, in their order.
    pub fn spans(&self) -> Vec<Vec<u8>> {
        self.0.lock().unwrap().spans.clone()
    }
}

impl Sink for MemorySink {
    fn submit(&self, batch: SpanBatch) -> Delivery {
        let (answer, delivery) = oneshot::channel();
        let mut inner = self.0.lock().unwrap();
        inner.batches += 1;
        inner.spans.extend(batch.iter().map(|span| span.bytes.to_vec()));
        match &mut inner.held {
            Some(held) => held.push(answer),
            None => answer.send(Ok(())).unwrap(),
        }
        Delivery::new(delivery)
    }

    fn try_submit(&self, batch: SpanBatch) -> Result<Delivery, SpanBatch> {
        if self.0.lock().unwrap().is_full { Err(batch) } else { Ok(self.submit(batch)) }
    }
}

/// A day after the capture.
pub const NOW: &str = "2026-11-21T15:00:00Z";

/// The standard pipeline into a sink.
pub fn pipeline(sink: &MemorySink, dead_letters: Option<DeadLetters>) -> Arc<Pipeline> {
    let now = UnixNanos::parse_rfc3339(NOW).unwrap();
    Pipeline::new(PipelineParts {
        filter: FilterConfig::default().validate().unwrap(),
        redaction: Arc::new(Redaction::new::<&str>([7; 32], &[]).unwrap()),
        limits: Limits::default(),
        sink: Arc::new(sink.clone()),
        dead_letters,
        clock: Clock::new(move || now),
        metrics: Metrics::default(),
    })
}

/// Runs pieces of one input through a fresh pipeline.
pub fn run(pieces: &[&[u8]]) -> (Counts, Vec<Vec<u8>>) {
    let sink = MemorySink::default();
    let pipeline = pipeline(&sink, None);
    let mut intake = pipeline.intake("test", "test", ClusterName::new("capture").unwrap());
    let mut counts = Counts::default();
    let mut take = |parcel| {
        counts.add(&pipeline.acknowledged_blocking(pipeline.hand_over(parcel))?);
        Ok(())
    };
    let mut position = 0;
    for piece in pieces {
        intake.take(piece, position, &mut take).unwrap();
        position += piece.len() as u64;
    }
    take(intake.finish()).unwrap();
    (counts, sink.spans())
}

/// The lines of the capture.
pub fn capture() -> Vec<u8> {
    kausal_testkit::capture::audit_log().into_bytes()
}

/// One event a line.
pub fn lines(events: &[serde_json::Value]) -> String {
    events.iter().fold(String::new(), |text, event| text + &event.to_string() + "\n")
}

/// Names of spans with how many there are.
pub fn names(spans: &[Vec<u8>]) -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    for span in spans {
        let name = kausal_trace::SpanRef::parse(span).unwrap().name.to_owned();
        *names.entry(name).or_default() += 1;
    }
    names
}
