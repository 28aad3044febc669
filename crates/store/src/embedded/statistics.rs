//! Gathers [`StoreStats`] from what the engine counts anyway.

use kausal_trace::{UnixNanos, Window};

use super::EmbeddedStore;
use super::engine::{Partitions, read_failed, table_bytes};
use super::format::FORMAT;
use super::key::{Purpose, facts_of};
use super::partition::Range;
use super::room::Disk;
use crate::{DiskStats, PartitionStats, StoreError, StoreStats, WriteStats};

/// Cheap: a few numbers a partition, no scan.
pub(crate) fn gather(store: &EmbeddedStore) -> Result<StoreStats, StoreError> {
    let partitions = store.engine.view().partitions;
    let state = store.counters.state();
    let partition_stats = partition_stats(&partitions);
    let count = |purpose: Purpose| -> u64 {
        partition_stats.iter().filter(|p| p.purpose == purpose.as_str()).map(|p| p.spans).sum()
    };
    let (facts, frames) = (count(Purpose::Facts), count(Purpose::Catalogue));
    let table_bytes_all: u64 = partition_stats.iter().map(|p| p.bytes).sum();
    let journal_bytes =
        store.engine.journal_bytes().map_err(|cause| StoreError::ReadFailed { cause })?;
    Ok(StoreStats {
        format: FORMAT,
        retention_seconds: store.retention_seconds,
        facts,
        frames,
        table_bytes: table_bytes_all,
        index_bytes: partitions.facts.values().map(|p| table_bytes(&p.index)).sum(),
        journal_bytes,
        bytes_per_span: ratio(table_bytes_all, facts + frames),
        oldest: oldest(&partitions)?,
        newest: (state.newest_end > 0).then_some(state.newest),
        expired: state.expired,
        dropped: state.dropped,
        disk: disk(store),
        partitions: partition_stats,
        writes: WriteStats { busy: store.queue.refused(), ..store.counters.writes() },
    })
}

fn disk(store: &EmbeddedStore) -> DiskStats {
    let free = store.volume.free_bytes();
    DiskStats {
        free_bytes: (free < u64::MAX).then_some(free),
        reserve_bytes: store.volume.reserve_bytes(),
        full: store.counters.disk() == Disk::Short,
    }
}

fn partition_stats(partitions: &Partitions) -> Vec<PartitionStats> {
    let stats = |purpose: Purpose, range: Range, spans: usize, bytes| PartitionStats {
        purpose: purpose.as_str().to_owned(),
        start: Window(range.start).start(),
        end: Window(range.end).start(),
        spans: spans as u64,
        bytes,
    };
    let facts = partitions.facts.values().map(|p| {
        let bytes = table_bytes(&p.facts) + table_bytes(&p.index);
        stats(Purpose::Facts, p.range, p.facts.approximate_len(), bytes)
    });
    let frames = partitions.catalogue.values().map(|p| {
        stats(Purpose::Catalogue, p.range, p.frames.approximate_len(), table_bytes(&p.frames))
    });
    facts.chain(frames).collect()
}

fn oldest(partitions: &Partitions) -> Result<Option<UnixNanos>, StoreError> {
    for partition in partitions.facts.values() {
        if let Some(first) = partition.facts.first_key_value() {
            let key = first.key().map_err(read_failed)?;
            let window = facts_of(&key).and_then(|(trace, _)| super::key::Place::of(trace));
            return Ok(window.map(|place| place.window().start()));
        }
    }
    Ok(None)
}

#[expect(clippy::cast_precision_loss, reason = "a mean for people to read")]
fn ratio(bytes: u64, spans: u64) -> f64 {
    if spans == 0 { 0.0 } else { bytes as f64 / spans as f64 }
}
