//! The span store: one trait, embedded implementation.
//!
//! Promise: a batch is acknowledged only after its fsync returned; what was acknowledged is found
//! again after a crash, once, however often it was delivered.
//! Never here: what spans mean. The store knows ids, times and attributes, and tells no story.

pub mod api;
mod clock;
pub mod embedded;
mod error;
pub mod raw;
pub mod scan;
mod stats;

pub use api::{
    Acknowledgement, ReadBudget, SearchAnswer, SearchBudget, SearchHit, SearchQuery, SpanStore,
    StoredTrace,
};
pub use clock::{AHEAD_SECONDS_MAX, Ahead, Clock, check_time};
pub use embedded::lock::{Holder, read_holder};
pub use embedded::{DEFAULT_INDEXED, EmbeddedConfig, EmbeddedStore, RESERVE_BYTES};
pub use error::{OpenError, StoreError};
pub use stats::{DiskStats, DroppedStats, PartitionStats, StoreStats, WriteStats};
