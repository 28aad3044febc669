//! What a store says about itself.

use serde::{Deserialize, Serialize};

use kausal_trace::UnixNanos;

/// Sizes, times and counts of a store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StoreStats {
    /// Format version of the data.
    pub format: u32,
    /// Age, in seconds before the newest fact, at which facts are dropped.
    pub retention_seconds: u64,
    /// Facts. Approximate: copies of one delivery may count twice until they are compacted.
    pub facts: u64,
    /// Frames of catalogues; approximate like `facts`.
    pub frames: u64,
    /// Bytes in table files: facts, catalogues, index.
    pub table_bytes: u64,
    /// Of these, bytes of the index.
    pub index_bytes: u64,
    /// Bytes of write-ahead journals; bounded, whatever is stored.
    pub journal_bytes: u64,
    /// `table_bytes` over `facts + frames`; 0 for an empty store. What is still in memory counts
    /// in neither part of the table bytes, so it is too low until the first flush.
    pub bytes_per_span: f64,
    /// Start of the oldest window with facts.
    pub oldest: Option<UnixNanos>,
    /// Start of the newest fact.
    pub newest: Option<UnixNanos>,
    /// Spans that arrived too old to be kept, since the store was made.
    pub expired: u64,
    /// Partitions dropped since the store was made, by reason.
    #[serde(default)]
    pub dropped: DroppedStats,
    /// The disk it lies on.
    #[serde(default)]
    pub disk: DiskStats,
    /// Time partitions, oldest first.
    pub partitions: Vec<PartitionStats>,
    /// Writing, since the store was opened.
    pub writes: WriteStats,
}

/// Partitions dropped, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedStats {
    /// All of them was past the retention.
    pub retention: u64,
    /// There were more keyspaces than the engine should hold.
    pub keyspaces: u64,
    /// The store was larger than `store.bytes_max`.
    pub bytes: u64,
    /// The disk had less free space than `store.reserve`.
    pub reserve: u64,
}

/// The disk a store lies on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskStats {
    /// Bytes that can still be written; absent where the file system does not say.
    pub free_bytes: Option<u64>,
    /// Bytes kept free: below, the oldest partitions go, then writing stops.
    pub reserve_bytes: u64,
    /// Writing stands still until there is room.
    pub full: bool,
}

/// One time partition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartitionStats {
    /// `facts` or `catalogue`.
    pub purpose: String,
    /// First instant.
    pub start: UnixNanos,
    /// First instant after it.
    pub end: UnixNanos,
    /// Spans; approximate.
    pub spans: u64,
    /// Bytes in table files, with its index.
    pub bytes: u64,
}

/// What writing did and cost, since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteStats {
    /// Batches acknowledged.
    pub batches: u64,
    /// Spans in them.
    pub spans: u64,
    /// Encoded bytes of these spans.
    pub bytes: u64,
    /// Commits, each with one fsync.
    pub commits: u64,
    /// Index entries written.
    pub postings: u64,
    /// Microseconds spent in commits, with back-pressure of the engine, without fsync.
    pub commit_micros: u64,
    /// Microseconds spent in fsync.
    pub sync_micros: u64,
    /// Longest single commit with its fsync, in microseconds.
    pub slowest_micros: u64,
    /// Batches refused because the queue was full.
    pub busy: u64,
    /// Batches refused because the disk was nearly full.
    #[serde(default)]
    pub no_space: u64,
}
