//! How many audit events one core turns into spans, beside what a plain parser does with the same
//! bytes: `cargo run --release -p kausal-consumers --example throughput [COPIES]`.
//!
//! Every row is events per second of CPU time of this thread, the best of five rounds.

use std::borrow::Cow;
use std::fs;
use std::sync::Arc;

use kausal_audit::{Limits, decode_all};
use kausal_consumers::sink::{Delivery, Sink};
use kausal_consumers::{
    ClusterName, Counts, Filter, FilterConfig, Metrics, Pipeline, PipelineParts,
};
use kausal_object::Redaction;
use kausal_store::Clock;
use kausal_trace::{SpanBatch, UnixNanos};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 5;
const PIECE_BYTES: usize = 2 << 20;

/// Durable at once.
struct Nowhere;

impl Sink for Nowhere {
    fn submit(&self, batch: SpanBatch) -> Delivery {
        drop(batch);
        let (answer, delivery) = oneshot::channel();
        answer.send(Ok(())).ok();
        Delivery::new(delivery)
    }

    fn try_submit(&self, batch: SpanBatch) -> Result<Delivery, SpanBatch> {
        Ok(self.submit(batch))
    }
}

/// The bound: what identifies a request, bodies unparsed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "being read is all that is asked of it")]
struct Plain<'a> {
    #[serde(borrow, rename = "auditID")]
    audit_id: Cow<'a, str>,
    level: Cow<'a, str>,
    stage: Cow<'a, str>,
    #[serde(borrow, rename = "requestURI")]
    request_uri: Cow<'a, str>,
    verb: Cow<'a, str>,
    #[serde(borrow)]
    user: &'a RawValue,
    #[serde(borrow)]
    object_ref: Option<&'a RawValue>,
    #[serde(borrow)]
    response_status: Option<&'a RawValue>,
    #[serde(borrow)]
    request_object: Option<&'a RawValue>,
    #[serde(borrow)]
    response_object: Option<&'a RawValue>,
    request_received_timestamp: Cow<'a, str>,
    stage_timestamp: Cow<'a, str>,
    #[serde(borrow)]
    annotations: Option<&'a RawValue>,
}

/// Takes an audit log, gives the number of events in it.
type Row = fn(&[u8]) -> usize;

fn main() {
    let copies = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(8);
    let only = std::env::args().nth(2);
    let log = kausal_testkit::capture::amplified(copies);
    let bytes = log.as_bytes();
    let events = memchr::memchr_iter(b'\n', bytes).count();
    say(&format!("{events} events, {} bytes", bytes.len()));
    let rows: [(&str, Row); 4] =
        [("parse-only", parse_only), ("decode", decode), ("filter", filter), ("spans", spans)];
    let mut bound = 0.0;
    for (name, run) in
        rows.into_iter().filter(|(name, _)| only.as_deref().is_none_or(|o| o == *name))
    {
        let best = (0..ROUNDS).map(|_| rate(bytes, run)).fold(0.0, f64::max);
        if name == "parse-only" {
            bound = best;
        }
        say(&format!("{name:<12}{best:>10.0}/s {:>5.0} %", 100.0 * best / bound));
    }
}

fn parse_only(bytes: &[u8]) -> usize {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.filter_map(|line| serde_json::from_slice::<Plain<'_>>(line).ok()).count()
}

fn decode(bytes: &[u8]) -> usize {
    let mut count = 0;
    decode_all(bytes, &Limits::default(), &mut |item| count += usize::from(item.is_ok()));
    count
}

fn filter(bytes: &[u8]) -> usize {
    let (filter, cluster) = (standard(), cluster());
    let (mut count, mut rules) = (0, 0);
    decode_all(bytes, &Limits::default(), &mut |item| {
        if let Ok(event) = item {
            count += 1;
            rules += filter.decide(&cluster, &event).rule;
        }
    });
    assert!(rules > 0, "some rule that is not the first decides");
    count
}

fn spans(bytes: &[u8]) -> usize {
    let pipeline = Pipeline::new(PipelineParts {
        filter: standard(),
        redaction: Arc::new(Redaction::new::<&str>([7; 32], &[]).expect("no rules")),
        limits: Limits::default(),
        sink: Arc::new(Nowhere),
        dead_letters: None,
        clock: Clock::new(|| UnixNanos(u64::MAX / 2)),
        metrics: Metrics::default(),
    });
    let mut intake = pipeline.intake("file", "amplified", cluster());
    let mut counts = Counts::default();
    let mut take = |parcel| {
        counts.add(&pipeline.acknowledged_blocking(pipeline.hand_over(parcel))?);
        Ok(())
    };
    for (piece, position) in pieces(bytes) {
        intake.take(piece, position, &mut take).expect("a sink that takes everything");
    }
    take(intake.finish()).expect("a sink that takes everything");
    usize::try_from(counts.events).unwrap_or_default()
}

/// Pieces of whole lines, of the size that reading a file gives.
fn pieces(bytes: &[u8]) -> impl Iterator<Item = (&[u8], u64)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
        let end = memchr::memchr(b'\n', rest.get(PIECE_BYTES..).unwrap_or_default());
        let piece = rest.get(..end.map_or(rest.len(), |end| PIECE_BYTES + end + 1))?;
        at += piece.len();
        Some((piece, (at - piece.len()) as u64))
    })
}

fn standard() -> Filter {
    FilterConfig::default().validate().expect("the standard rules")
}

fn cluster() -> ClusterName {
    ClusterName::new("capture").expect("a name")
}

fn rate(bytes: &[u8], run: Row) -> f64 {
    let before = cpu_seconds();
    let count = run(bytes);
    let seconds = cpu_seconds() - before;
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let count = count as f64;
    count / seconds
}

/// CPU time of this thread, from the kernel's scheduler.
fn cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos: f64 = text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(f64::NAN);
    nanos / 1e9
}

#[allow(clippy::print_stdout, reason = "the measurement is the output")]
fn say(line: &str) {
    println!("{line}");
}
