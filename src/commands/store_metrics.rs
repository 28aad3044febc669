//! The store's own figures, read when somebody scrapes.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use kausal_runtime::prometheus_client::collector::Collector;
use kausal_runtime::prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use kausal_runtime::prometheus_client::metrics::counter::ConstCounter;
use kausal_runtime::prometheus_client::metrics::gauge::ConstGauge;
use kausal_runtime::prometheus_client::registry::Unit;
use kausal_store::{SpanStore, StoreStats};

/// Figures of a store that is opened after the registry was made.
#[derive(Clone, Default)]
pub(crate) struct StoreMetrics(Arc<OnceLock<Arc<dyn SpanStore>>>);

impl std::fmt::Debug for StoreMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoreMetrics")
    }
}

impl StoreMetrics {
    /// The store is open.
    pub(crate) fn opened(&self, store: Arc<dyn SpanStore>) {
        self.0.get_or_init(|| store);
    }
}

impl Collector for StoreMetrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let stats = self.0.get().and_then(|store| store.stats().ok());
        stats.map_or(Ok(()), |stats| write(encoder, &stats))
    }
}

fn write(mut encoder: DescriptorEncoder<'_>, stats: &StoreStats) -> Result<(), std::fmt::Error> {
    let writes = &stats.writes;
    let mut count = |name: &str, help: &str, value: u64| {
        one(&mut encoder, name, help, None, &ConstCounter::new(value))
    };
    count("kausal_store_commits", "Commits, each with one fsync", writes.commits)?;
    count("kausal_store_written_spans", "Spans made durable", writes.spans)?;
    count("kausal_store_busy", "Batches refused because the queue was full", writes.busy)?;
    count("kausal_store_expired_spans", "Spans that came too old to be kept", stats.expired)?;
    let seconds = |micros: u64| Duration::from_micros(micros).as_secs_f64();
    let mut time = |name: &str, help: &str, micros: u64| {
        let metric = ConstCounter::new(seconds(micros));
        one(&mut encoder, name, help, Some(&Unit::Seconds), &metric)
    };
    time("kausal_store_commit", "Time in commits, without fsync", writes.commit_micros)?;
    time("kausal_store_fsync", "Time in fsync", writes.sync_micros)?;
    let mut level = |name: &str, help: &str, value: u64| {
        let value = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
        one(&mut encoder, name, help, None, &value)
    };
    level("kausal_store_facts", "Facts stored, approximately", stats.facts)?;
    level("kausal_store_table_bytes", "Bytes in table files", stats.table_bytes)?;
    level("kausal_store_journal_bytes", "Bytes of journals", stats.journal_bytes)
}

fn one<M: EncodeMetric>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    metric: &M,
) -> Result<(), std::fmt::Error> {
    metric.encode(encoder.encode_descriptor(name, help, unit, metric.metric_type())?)
}
