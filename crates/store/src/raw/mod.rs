//! A store for spans of anybody, kept as they came: one fjall database in a folder of its own.
//!
//! Promise: resource, scope and span are read back byte for byte, whatever their ids and times;
//! spans with equal ids and different content are all kept, an exact copy once. A batch is
//! acknowledged only after its fsync returned. The oldest arrivals go first, by age and by bytes.
//! Never here: views, and ids of ours: [`crate::EmbeddedStore`] has those.

mod commit;
mod config;
mod engine;
mod find;
mod key;
mod names;
mod read;
mod segment;
mod writer;

use std::sync::Arc;
use std::thread::JoinHandle;

use kausal_trace::foreign::ForeignBatch;

pub use config::RawConfig;
pub use find::Candidates;
pub use names::RawOperation;
pub use read::{RawSpan, RawTrace, RawView};

use self::engine::Engine;
use self::writer::Writer;
use crate::api::Acknowledgement;
use crate::embedded::durability::{Durability, Fsync};
use crate::embedded::format;
use crate::embedded::lock::{Holder, Lock};
use crate::embedded::queue::{Entry, Limits, Queue, Weigh, answered};
use crate::{OpenError, StoreError};

/// Version of keys and values.
const FORMAT: u32 = 1;
/// Folder of the database inside the store's folder.
const DATABASE: &str = "foreign-spans";

impl Weigh for ForeignBatch {
    fn byte_len(&self) -> usize {
        Self::byte_len(self)
    }
}

/// The raw span store.
pub struct RawStore {
    engine: Arc<Engine>,
    queue: Arc<Queue<ForeignBatch>>,
    config: RawConfig,
    writer: Option<JoinHandle<()>>,
    /// Dropped last: whoever takes it next finds the database closed.
    _lock: Lock,
}

impl RawStore {
    /// Opens the store, or makes it. `address` is where this process can be spoken to.
    pub fn open(config: RawConfig, address: Option<String>) -> Result<Self, OpenError> {
        Self::open_with(config, address, Box::new(Fsync))
    }

    /// Opens the store with another notion of durable, for tests.
    pub fn open_with(
        config: RawConfig,
        address: Option<String>,
        durability: Box<dyn Durability>,
    ) -> Result<Self, OpenError> {
        config.validate()?;
        format::make_dir(&config.dir)?;
        let started = Some(config.clock.now().to_string());
        let lock = Lock::take(&config.dir, &Holder { pid: std::process::id(), address, started })?;
        let database = config.dir.join(DATABASE);
        format::check_or_stamp(&config.dir, &database, FORMAT)?;
        let failed = |cause| OpenError::Engine { dir: config.dir.clone(), cause };
        let engine = Arc::new(Engine::open(&database, &config).map_err(failed)?);
        let queue = Arc::new(Queue::new(Limits {
            batches: config::QUEUE_BATCHES_MAX,
            bytes: config::QUEUE_BYTES_MAX,
            wait: config::SUBMIT_WAIT,
        }));
        let writer = Writer::new(engine.clone(), queue.clone(), durability, config.clock.clone());
        let writer = writer.start().map_err(failed)?;
        Ok(Self { engine, queue, config, writer: Some(writer), _lock: lock })
    }

    /// Takes a batch without waiting; gives it back when there is no room for it now. The
    /// acknowledgement answers `Ok` only when the batch is durable.
    pub fn try_submit(&self, batch: ForeignBatch) -> Result<Acknowledgement, ForeignBatch> {
        match self.queue.try_push(batch) {
            Entry::Taken(acknowledgement) => Ok(acknowledgement),
            Entry::Refused(error) => Ok(answered(Err(error))),
            Entry::Full(batch) => Err(batch),
        }
    }

    /// One consistent sight of what is stored.
    pub fn view(&self) -> RawView {
        self.engine.view()
    }

    /// Forgets everything that was acknowledged so far.
    pub fn purge(&self) -> Result<(), StoreError> {
        let now = self.config.clock.now().seconds();
        self.engine.purge(now).map_err(|cause| StoreError::WriteFailed { cause })
    }

    /// Bytes of everything in it but journals, which are bounded.
    pub fn bytes(&self) -> u64 {
        self.engine.bytes()
    }
}

impl Drop for RawStore {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the raw store's writer panicked");
        }
    }
}
