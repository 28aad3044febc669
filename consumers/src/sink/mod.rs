//! Where spans go, and when that is certain.
//!
//! Promise: a delivery says `Ok` only after the spans are durable: the embedded store's fsync
//! returned, or the process that holds the store answered an Export.
//! Never here: remembering, retrying from memory after a failure. The source delivers again.

use std::sync::Arc;

use kausal_store::{SpanStore, StoreError};
use kausal_trace::SpanBatch;
use tokio::sync::oneshot;

mod backoff;
mod export;

pub use backoff::Backoff;
pub use export::{ExportConfig, ExportSink, ExportSinkError};

/// Takes batches of spans.
pub trait Sink: Send + Sync + 'static {
    /// Takes a batch; the delivery answers when it is durable or has failed. A full sink makes this
    /// wait for a bounded time.
    fn submit(&self, batch: SpanBatch) -> Delivery;

    /// Takes a batch without waiting; gives it back when there is no room for it now.
    fn try_submit(&self, batch: SpanBatch) -> Result<Delivery, SpanBatch>;
}

/// A batch under way.
#[derive(Debug)]
pub struct Delivery(Way);

#[derive(Debug)]
enum Way {
    Store(oneshot::Receiver<Result<(), StoreError>>),
    Other(oneshot::Receiver<Result<(), SinkError>>),
}

/// Why a batch is not durable. The source must deliver it again.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The sink has no room now: its queue is full, or its disk nearly is. It will have some.
    #[error("the store has no room now: {reason}")]
    Busy {
        /// What it waits for.
        reason: String,
    },
    /// The sink failed.
    #[error("the store did not take a batch: {reason}")]
    Failed {
        /// What it said.
        reason: String,
    },
    /// The sink is gone; the process is leaving.
    #[error("the store has stopped")]
    Stopped,
}

impl std::fmt::Debug for StoreSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoreSink")
    }
}

impl Delivery {
    /// A delivery that is answered through a channel.
    pub fn new(answer: oneshot::Receiver<Result<(), SinkError>>) -> Self {
        Self(Way::Other(answer))
    }

    /// Waits for the answer.
    pub async fn wait(self) -> Result<(), SinkError> {
        match self.0 {
            Way::Store(answer) => of_store(answer.await),
            Way::Other(answer) => answer.await.unwrap_or(Err(SinkError::Stopped)),
        }
    }

    /// Waits for the answer on a thread that may block.
    pub fn wait_blocking(self) -> Result<(), SinkError> {
        match self.0 {
            Way::Store(answer) => of_store(answer.blocking_recv()),
            Way::Other(answer) => answer.blocking_recv().unwrap_or(Err(SinkError::Stopped)),
        }
    }
}

/// The embedded store, or any other in this process.
#[derive(Clone)]
pub struct StoreSink(Arc<dyn SpanStore>);

impl StoreSink {
    /// Writes to this store.
    pub fn new(store: Arc<dyn SpanStore>) -> Self {
        Self(store)
    }
}

impl Sink for StoreSink {
    fn submit(&self, batch: SpanBatch) -> Delivery {
        Delivery(Way::Store(self.0.submit(batch)))
    }

    fn try_submit(&self, batch: SpanBatch) -> Result<Delivery, SpanBatch> {
        self.0.try_submit(batch).map(|answer| Delivery(Way::Store(answer)))
    }
}

impl From<StoreError> for SinkError {
    fn from(error: StoreError) -> Self {
        let reason = error.to_string();
        match error {
            StoreError::Busy | StoreError::NoSpace { .. } => Self::Busy { reason },
            StoreError::Closed => Self::Stopped,
            _ => Self::Failed { reason },
        }
    }
}

fn of_store(
    answer: Result<Result<(), StoreError>, oneshot::error::RecvError>,
) -> Result<(), SinkError> {
    match answer {
        Ok(result) => result.map_err(SinkError::from),
        Err(_) => Err(SinkError::Stopped),
    }
}
