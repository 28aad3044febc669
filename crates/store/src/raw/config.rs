//! Settings of a raw store, and the fixed limits of its engine.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fjall::config::{BlockSizePolicy, CompressionPolicy, FilterPolicy};
use fjall::{CompressionType, KeyspaceCreateOptions};

use crate::{Clock, OpenError};

const MIB: u64 = 1 << 20;

/// Settings of a raw store.
#[derive(Clone, Debug)]
pub struct RawConfig {
    /// Folder of the store; made if missing.
    pub dir: PathBuf,
    /// Age at which spans are dropped, measured from their arrival.
    pub retention: Duration,
    /// Bytes of table files at which the oldest spans are dropped.
    pub bytes_max: u64,
    /// The time of arrival.
    pub clock: Clock,
}

impl RawConfig {
    pub(super) fn validate(&self) -> Result<(), OpenError> {
        if self.retention < RETENTION_MIN {
            let (has, least) = (self.retention.as_secs(), RETENTION_MIN.as_secs());
            let why = format!("retention of {has} s for raw spans, at least {least} s are needed");
            return Err(OpenError::Config(why));
        }
        if self.bytes_max < BYTES_MAX_LEAST {
            let has = self.bytes_max;
            let why = format!("{has} bytes for raw spans, at least {BYTES_MAX_LEAST} are needed");
            return Err(OpenError::Config(why));
        }
        Ok(())
    }
}

const RETENTION_MIN: Duration = Duration::from_mins(1);
/// Twice what a segment must hold to be more than one table file.
const BYTES_MAX_LEAST: u64 = 64 * MIB;

/// What is dropped at once is such a part of retention and bytes.
pub(super) const SEGMENTS: u64 = 16;
/// However the clock jumps: each segment is a keyspace with files of its own.
pub(super) const SEGMENTS_MAX: usize = 64;
/// Written between two looks at the sizes.
pub(super) const SIZE_CHECK_BYTES: usize = 4 << 20;

/// Keys and values of one write to the engine; an acknowledgement may need several.
pub(super) const ITEMS_A_WRITE: usize = 50_000;
/// Bytes of one commit, beyond which it takes no further batch.
pub(super) const COMMIT_BYTES_MAX: usize = 4 << 20;
/// Bytes that wait for the writer: one message of the largest size and some more.
pub(super) const QUEUE_BYTES_MAX: usize = 32 << 20;
/// Batches that wait for the writer.
pub(super) const QUEUE_BATCHES_MAX: usize = 1_024;
/// Nothing waits for room here: doors answer at once that there is none.
pub(super) const SUBMIT_WAIT: Duration = Duration::ZERO;
/// Resources and scopes the writer knows to be stored: an installation has hundreds.
pub(super) const ENVELOPES_KNOWN_MAX: usize = 16_384;

/// Open table files.
pub(super) const TABLE_FILES_OPEN_MAX: usize = 200;
const MEMTABLE_BYTES: u64 = 16 * MIB;
const BLOCK_BYTES: u32 = 16 << 10;
/// Equal for all: postings, spans and envelopes share a segment.
pub(super) fn segment_options() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .manual_journal_persist(true)
        .max_memtable_size(MEMTABLE_BYTES)
        .data_block_size_policy(BlockSizePolicy::all(BLOCK_BYTES))
        .data_block_compression_policy(CompressionPolicy::all(CompressionType::Lz4))
        .filter_policy(FilterPolicy::disabled())
        .compaction_strategy(Arc::new(fjall::compaction::Leveled::default()))
}
