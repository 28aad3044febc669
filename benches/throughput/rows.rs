//! The rows: from bytes to spans, to a durable store, by file and by webhook.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use kausal_audit::Limits;
use kausal_consumers::sink::{Delivery, Sink, StoreSink};
use kausal_consumers::source::file::{self, Input};
use kausal_consumers::{ClusterName, FilterConfig, Metrics, Pipeline, PipelineParts};
use kausal_object::Redaction;
use kausal_runtime::clock;
use kausal_runtime::prometheus_client::registry::Registry;
use kausal_store::{Clock, EmbeddedConfig, EmbeddedStore, SpanStore};
use kausal_trace::{SpanBatch, UnixNanos};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::{parse_only, usage, view, webhook};

/// What a row cost.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Figures {
    pub(crate) events: u64,
    pub(crate) cpu_seconds: f64,
    pub(crate) peak_bytes: u64,
    pub(crate) more: String,
}

/// Runs one row in this process.
pub(crate) fn run(row: &str, file: &Path) -> Figures {
    match row {
        "parse-only" => {
            let log = std::fs::read(file).expect("the log");
            measured(|| (parse_only::run(&log), String::new()))
        }
        "in-memory" => {
            let pipeline = pipeline(Arc::new(Nowhere));
            measured(|| (ingest(&pipeline, file), String::new()))
        }
        "file" => durable(file),
        "webhook" => webhook::run(file),
        "view" => view::run(),
        other => panic!("no row {other}"),
    }
}

/// CPU time and peak memory of this process over `work`, which answers its events and more.
pub(crate) fn measured(work: impl FnOnce() -> (u64, String)) -> Figures {
    let before = usage::cpu_seconds("self");
    let (events, more) = work();
    let cpu_seconds = usage::cpu_seconds("self") - before;
    Figures { events, cpu_seconds, peak_bytes: usage::peak_bytes("self"), more }
}

fn durable(file: &Path) -> Figures {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let pipeline = pipeline(Arc::new(StoreSink::new(store.clone())));
    let mut figures = measured(|| (ingest(&pipeline, file), String::new()));
    store.flush().expect("in table files");
    let stats = store.stats().expect("stats");
    let spans = stats.facts + stats.frames;
    let per = |bytes: u64, count: u64| bytes / count.max(1);
    figures.more = format!(
        "{} facts, {} frames; {} B on disk per span, {} B per fact; {} B of OTLP per span",
        stats.facts,
        stats.frames,
        per(stats.table_bytes, spans),
        per(stats.table_bytes, stats.facts),
        per(stats.writes.bytes, stats.writes.spans),
    );
    figures
}

/// A store with the default settings.
pub(crate) fn open(dir: &Path) -> Arc<EmbeddedStore> {
    let mut config = EmbeddedConfig::new(dir.join("store"));
    config.clock = Some(Clock::new(|| UnixNanos(clock::now())));
    Arc::new(EmbeddedStore::open(&config, None).expect("the store opens"))
}

/// The pipeline with the default settings.
pub(crate) fn pipeline(sink: Arc<dyn Sink>) -> Arc<Pipeline> {
    Pipeline::new(PipelineParts {
        filter: FilterConfig::default().validate().expect("the default filter"),
        redaction: Arc::new(Redaction::new([7; 32], &[] as &[&str]).expect("no rules")),
        limits: Limits::default(),
        sink,
        dead_letters: None,
        clock: Clock::new(|| UnixNanos(clock::now())),
        metrics: Metrics::register(&mut Registry::default()),
    })
}

/// Reads a file as `kausal ingest` does; answers how many events it held.
pub(crate) fn ingest(pipeline: &Pipeline, file: &Path) -> u64 {
    let cluster = ClusterName::new("bench").expect("a name");
    let inputs = [Input::File(file.to_owned())];
    let report = file::ingest(pipeline, &cluster, &inputs, &mut |_| ControlFlow::Continue(()));
    report.expect("durable").counts.events
}

/// Takes spans and forgets them.
struct Nowhere;

impl Sink for Nowhere {
    fn submit(&self, batch: SpanBatch) -> Delivery {
        std::hint::black_box(batch.byte_len());
        let (say, hear) = oneshot::channel();
        say.send(Ok(())).expect("heard");
        Delivery::new(hear)
    }

    fn try_submit(&self, batch: SpanBatch) -> Result<Delivery, SpanBatch> {
        Ok(self.submit(batch))
    }
}
