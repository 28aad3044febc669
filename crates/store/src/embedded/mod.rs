//! The span store inside a process: one fjall database in a folder.
//!
//! Promise: see the crate. One process holds the folder; the writer is one thread, readers are any.
//! A store that is dropped writes what it took and closes.

mod codec;
mod commit;
mod config;
mod counters;
mod cursor;
mod dictionaries;
mod disk;
pub(crate) mod durability;
mod engine;
pub(crate) mod format;
mod indexed;
mod indexer;
mod key;
pub(crate) mod lock;
mod matching;
mod meta;
mod moments;
mod partition;
mod posting;
pub(crate) mod queue;
mod read;
mod room;
mod search;
mod statistics;
mod tidy;
mod trainer;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use kausal_trace::{SpanBatch, TraceId};

pub use config::{DEFAULT_INDEXED, EmbeddedConfig, RESERVE_BYTES};
pub use durability::{Durability, Fsync};

use self::counters::Counters;
use self::dictionaries::Compression;
use self::disk::Volume;
use self::engine::{Engine, SharedEngine};
pub(crate) use self::engine::{
    memtable_bytes, open_database, read_failed, table_bytes, text as engine_text,
};
use self::indexer::Indexer;
use self::key::Place;
use self::lock::{Holder, Lock};
use self::queue::{Entry, Limits, Queue, answered};
use self::writer::Writer;
use crate::api::Acknowledgement;
use crate::{
    Clock, OpenError, ReadBudget, SearchAnswer, SearchQuery, SpanStore, StoreError, StoreStats,
    StoredTrace, check_time,
};

/// Folder of the database inside the store's folder.
const DATABASE: &str = "spans";

/// The embedded span store.
pub struct EmbeddedStore {
    engine: SharedEngine,
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    clock: Option<Clock>,
    volume: Volume,
    retention_seconds: u64,
    writer: Option<JoinHandle<()>>,
    /// Dropped last: whoever takes it next finds the database closed.
    _lock: Lock,
}

impl EmbeddedStore {
    /// Whether there is a store in `dir`.
    pub fn is_at(dir: &Path) -> bool {
        format::is_stamped(dir)
    }

    /// Opens the store, or makes it. `address` is where this process can be spoken to; others that
    /// want the store are told.
    pub fn open(config: &EmbeddedConfig, address: Option<String>) -> Result<Self, OpenError> {
        Self::open_with(config, address, Box::new(Fsync))
    }

    /// Opens the store with another notion of durable, for tests.
    pub fn open_with(
        config: &EmbeddedConfig,
        address: Option<String>,
        durability: Box<dyn Durability>,
    ) -> Result<Self, OpenError> {
        config.validate()?;
        format::make_dir(&config.dir)?;
        let started = config.clock.as_ref().map(|clock| clock.now().to_string());
        let lock = Lock::take(&config.dir, &Holder { pid: std::process::id(), address, started })?;
        let database = config.dir.join(DATABASE);
        format::check_or_stamp(&config.dir, &database, format::FORMAT)?;
        Self::start(config, lock, durability)
            .map_err(|cause| OpenError::Engine { dir: config.dir.clone(), cause })
    }

    /// Writes everything that is in memory into table files and waits for it: for measurements
    /// and maintenance, not needed for durability.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.engine.flush().map_err(|cause| StoreError::WriteFailed { cause })
    }

    fn start(
        config: &EmbeddedConfig,
        lock: Lock,
        durability: Box<dyn Durability>,
    ) -> Result<Self, String> {
        let engine = Arc::new(Engine::open(&config.dir.join(DATABASE), config)?);
        let state = meta::read_state(&engine.meta)?;
        let queue = Arc::new(Queue::new(Limits {
            batches: config::QUEUE_BATCHES_MAX,
            bytes: config::QUEUE_BYTES_MAX,
            wait: config::SUBMIT_WAIT,
        }));
        let counters = Arc::new(Counters::new(state));
        let volume = Volume::new(&config.dir, config.reserve_bytes);
        let writer = Writer {
            volume: volume.clone(),
            bytes_max: config.bytes_max,
            unmeasured_bytes: config::SIZE_CHECK_BYTES,
            leaving: Vec::new(),
            engine: Arc::clone(&engine),
            queue: Arc::clone(&queue),
            counters: Arc::clone(&counters),
            durability,
            indexer: Indexer::new(engine.indexed.by_length()),
            compression: Compression::new(&meta::read_dictionaries(&engine.meta)?)?,
            state,
            clusters: meta::read_clusters(&engine.meta)?,
            retention_windows: partition::retention_windows(config.retention),
        };
        let thread = std::thread::Builder::new().name("store-writer".to_owned());
        let writer = thread.spawn(move || writer.run()).map_err(|error| error.to_string())?;
        Ok(Self {
            engine,
            queue,
            counters,
            clock: config.clock.clone(),
            volume,
            retention_seconds: config.retention.as_secs(),
            writer: Some(writer),
            _lock: lock,
        })
    }

    /// What can be said of a batch before it waits.
    fn check(&self, batch: &SpanBatch) -> Result<(), StoreError> {
        let now = self.clock.as_ref().map(Clock::now);
        for record in batch.iter() {
            let trace = record.trace;
            let place = Place::of(trace).ok_or(StoreError::ForeignTrace { trace })?;
            if let Some(now) = now {
                check_time(place.window(), now)
                    .map_err(|ahead| StoreError::AheadOfClock { trace, ahead })?;
            }
        }
        Ok(())
    }
}

impl SpanStore for EmbeddedStore {
    fn submit(&self, batch: SpanBatch) -> Acknowledgement {
        if let Err(error) = self.check(&batch) {
            return answered(Err(error));
        }
        match self.queue.push(batch) {
            Entry::Taken(acknowledgement) => acknowledgement,
            Entry::Refused(error) => answered(Err(error)),
            Entry::Full(_) => answered(Err(StoreError::Busy)),
        }
    }

    fn try_submit(&self, batch: SpanBatch) -> Result<Acknowledgement, SpanBatch> {
        if let Err(error) = self.check(&batch) {
            return Ok(answered(Err(error)));
        }
        match self.queue.try_push(batch) {
            Entry::Taken(acknowledgement) => Ok(acknowledgement),
            Entry::Refused(error) => Ok(answered(Err(error))),
            Entry::Full(batch) => Err(batch),
        }
    }

    fn traces(&self, ids: &[TraceId], budget: ReadBudget) -> Result<Vec<StoredTrace>, StoreError> {
        read::traces(&self.engine.view(), ids, budget)
    }

    fn search(&self, query: &SearchQuery) -> Result<SearchAnswer, StoreError> {
        search::search(&self.engine.view(), &self.engine.indexed, query)
    }

    fn clusters(&self) -> Result<Vec<String>, StoreError> {
        let clusters = meta::read_clusters(&self.engine.meta)
            .map_err(|cause| StoreError::ReadFailed { cause })?;
        Ok(clusters.into_keys().collect())
    }

    fn stats(&self) -> Result<StoreStats, StoreError> {
        statistics::gather(self)
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the store's writer panicked");
        }
    }
}
