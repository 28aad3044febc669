//! Settings of an embedded store, and the fixed limits of its engine.

use std::path::PathBuf;
use std::time::Duration;

use fjall::config::{BlockSizePolicy, CompressionPolicy, FilterPolicy};
use fjall::{CompressionType, KeyspaceCreateOptions};
use kausal_trace::attribute as name;

use crate::{Clock, OpenError};

/// Settings of an embedded store.
#[derive(Clone, Debug)]
pub struct EmbeddedConfig {
    /// Folder of the store; made if missing.
    pub dir: PathBuf,
    /// Age at which facts are dropped, measured from the newest fact stored.
    pub retention: Duration,
    /// Bytes the store may take, tables and journals; beyond, its oldest partitions go.
    pub bytes_max: u64,
    /// Bytes kept free on the disk; below, the oldest partitions go, then writing stops until
    /// there is room.
    pub reserve_bytes: u64,
    /// Attributes that searches can go by. Others are only compared on the spans found.
    pub indexed: Vec<String>,
    /// With a clock, spans more than an hour ahead of it are refused.
    pub clock: Option<Clock>,
}

impl EmbeddedConfig {
    /// The default settings: 30 days, [`RESERVE_BYTES`], [`DEFAULT_INDEXED`], no clock, as many
    /// bytes as fit.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            retention: Duration::from_hours(30 * 24),
            bytes_max: u64::MAX,
            reserve_bytes: RESERVE_BYTES,
            indexed: DEFAULT_INDEXED.iter().map(|&name| name.to_owned()).collect(),
            clock: None,
        }
    }

    pub(crate) fn validate(&self) -> Result<(), OpenError> {
        if self.retention < RETENTION_MIN {
            return Err(OpenError::Config(format!(
                "retention of {} s, at least {} s are needed",
                self.retention.as_secs(),
                RETENTION_MIN.as_secs()
            )));
        }
        for (name, bytes, least) in [
            ("bytes_max", self.bytes_max, BYTES_MAX_LEAST),
            ("reserve", self.reserve_bytes, RESERVE_BYTES_LEAST),
        ] {
            if bytes < least {
                return Err(OpenError::Config(format!(
                    "{name} of {bytes} bytes, at least {least} are needed"
                )));
            }
        }
        if self.indexed.len() > INDEXED_MAX {
            return Err(OpenError::Config(format!(
                "{} indexed attributes, at most {INDEXED_MAX} can be",
                self.indexed.len()
            )));
        }
        Ok(())
    }
}

/// What people and scripts search by, at about 8 bytes per (value, minute, trace) each.
///
/// Left out for cost against use: `request.uri` and messages (nobody types them whole),
/// `user_agent.original` (long, exact match only), `group` (the resource says nearly as much),
/// `resource.version` (never the question, one entry a span), bodies.
pub const DEFAULT_INDEXED: &[&str] = &[
    name::CLUSTER,
    name::RESOURCE,
    name::NAMESPACE,
    name::NAME,
    name::UID,
    name::VERB,
    name::SUBRESOURCE,
    name::USERNAME,
    name::IMPERSONATED_USERNAME,
    name::AUDIT_ID,
    name::STATUS_CODE,
    name::ERROR_REASON,
    name::DRY_RUN,
    name::EVENT_REASON,
    name::EVENT_TYPE,
];

/// Attributes with about one value a span: their values share 256 posting lists a minute, each
/// entry with a check of its value, so that a commit writes lists instead of single entries.
pub(crate) const BUCKETED: &[&str] = &[name::AUDIT_ID, name::UID];

/// Default reserve: what merging the tables of one busy partition may need for a while, several
/// times over. The engine cannot go on after a write that found no space.
pub const RESERVE_BYTES: u64 = 1 << 30;
/// All memtables, the largest commit, and a merge of small tables.
const RESERVE_BYTES_LEAST: u64 = 64 * MIB;
/// Journals alone take up to about 200 MiB, whatever is stored.
const BYTES_MAX_LEAST: u64 = 256 * MIB;
const RETENTION_MIN: Duration = Duration::from_hours(1);
/// Attribute ids are one byte; the first few are the store's own.
const INDEXED_MAX: usize = 200;

const MIB: u64 = 1 << 20;
/// Spans not yet in a table file, per keyspace of facts; also the size of a new table before
/// compression.
pub(crate) const FACTS_MEMTABLE_BYTES: u64 = 12 * MIB;
/// The same for catalogues and postings.
pub(crate) const SMALL_MEMTABLE_BYTES: u64 = 4 * MIB;
/// Over all keyspaces: past it the largest memtable is flushed, however many partitions are
/// written to at once.
pub(crate) const MEMTABLES_BYTES_MAX: u64 = 24 * MIB;
/// Memtables that wait to be flushed: past it the writer waits, and with it whoever submits.
pub(crate) const FLUSHING_MAX: usize = 1;
/// The least the engine takes; it holds about twice that on disk before it evicts.
pub(crate) const JOURNAL_BYTES: u64 = 64 * MIB;
/// Uncompressed blocks kept for readers.
pub(crate) const BLOCK_CACHE_BYTES: u64 = 16 * MIB;
/// The engine's threads: one is kept free for flushing, and with two it spins while the other
/// compacts.
pub(crate) const WORKER_THREADS: usize = 3;
/// Open table files.
pub(crate) const TABLE_FILES_OPEN_MAX: usize = 400;
/// Encoded bytes of one commit, beyond which it takes no further batch.
pub(crate) const COMMIT_BYTES_MAX: usize = 4 << 20;
/// Encoded bytes that wait for the writer; one batch is always taken.
pub(crate) const QUEUE_BYTES_MAX: usize = 12 << 20;
/// Batches that wait for the writer.
pub(crate) const QUEUE_BATCHES_MAX: usize = 1_024;
/// Bytes of spans written between two looks at the size of the store.
pub(crate) const SIZE_CHECK_BYTES: u64 = 8 * MIB;
/// How long `submit` waits for room before it answers `Busy`.
pub(crate) const SUBMIT_WAIT: Duration = Duration::from_secs(5);

const FACTS_BLOCK_BYTES: u32 = 16 << 10;
const INDEX_BLOCK_BYTES: u32 = 16 << 10;
/// Tables that may overlap before the engine merges them. Measured with 300,000 spans of one hour:
/// 12 saves 0.3 µs of CPU a span, 6 halves the time to read traces (one block a table).
const OVERLAPPING_TABLES_MAX: u8 = 6;

fn base(memtable: u64, block: u32) -> KeyspaceCreateOptions {
    let strategy = fjall::compaction::Leveled::default().with_l0_threshold(OVERLAPPING_TABLES_MAX);
    KeyspaceCreateOptions::default()
        .manual_journal_persist(true)
        .max_memtable_size(memtable)
        .data_block_size_policy(BlockSizePolicy::all(block))
        .data_block_compression_policy(CompressionPolicy::all(CompressionType::Lz4))
        .filter_policy(FilterPolicy::disabled())
        .compaction_strategy(std::sync::Arc::new(strategy))
}

/// Facts and catalogues: read by ranges only, so filters would be dead weight.
pub(crate) fn facts_options() -> KeyspaceCreateOptions {
    base(FACTS_MEMTABLE_BYTES, FACTS_BLOCK_BYTES)
}

pub(crate) fn catalogue_options() -> KeyspaceCreateOptions {
    base(SMALL_MEMTABLE_BYTES, FACTS_BLOCK_BYTES)
}

pub(crate) fn index_options() -> KeyspaceCreateOptions {
    base(SMALL_MEMTABLE_BYTES, INDEX_BLOCK_BYTES)
}

pub(crate) fn meta_options() -> KeyspaceCreateOptions {
    base(MIB, 4 << 10)
}
