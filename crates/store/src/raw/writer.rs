//! The one thread that writes: group commit.
//!
//! Promise: everything that waits is written, then one fsync, then every waiter is answered. After
//! an error nothing more is written until the store is reopened.

use std::sync::Arc;
use std::thread::JoinHandle;

use kausal_trace::foreign::ForeignBatch;

use super::commit::{self, Known};
use super::config::{COMMIT_BYTES_MAX, SIZE_CHECK_BYTES};
use super::engine::Engine;
use crate::embedded::durability::Durability;
use crate::embedded::queue::{Queue, Submission, answer};
use crate::{Clock, StoreError};

pub(super) struct Writer {
    engine: Arc<Engine>,
    queue: Arc<Queue<ForeignBatch>>,
    durability: Box<dyn Durability>,
    clock: Clock,
    known: Known,
    /// Bytes written since sizes were looked at.
    unlooked: usize,
}

impl Writer {
    pub(super) fn new(
        engine: Arc<Engine>,
        queue: Arc<Queue<ForeignBatch>>,
        durability: Box<dyn Durability>,
        clock: Clock,
    ) -> Self {
        Self { engine, queue, durability, clock, known: Known::default(), unlooked: 0 }
    }

    pub(super) fn start(self) -> Result<JoinHandle<()>, String> {
        let thread = std::thread::Builder::new().name("raw-store-writer".to_owned());
        thread.spawn(move || self.run()).map_err(|error| error.to_string())
    }

    /// Writes until the queue is closed and empty, or a write fails.
    fn run(mut self) {
        while let Some(submissions) = self.queue.take(COMMIT_BYTES_MAX) {
            let outcome = self.write(&submissions);
            let failed = outcome.as_ref().err().cloned();
            for submission in submissions {
                answer(submission, outcome.clone());
            }
            if let Some(error) = failed {
                tracing::error!(%error, "the raw store stopped writing");
                self.queue.fail(&error);
                return;
            }
        }
    }

    fn write(&mut self, submissions: &[Submission<ForeignBatch>]) -> Result<(), StoreError> {
        let failed = |cause| StoreError::WriteFailed { cause };
        let now = self.clock.now().seconds();
        let writing = self.engine.writing();
        let segment = writing.segment(now).map_err(failed)?;
        commit::write(&writing, &segment, &mut self.known, submissions).map_err(failed)?;
        self.durability.persist(&mut || writing.fsync()).map_err(failed)?;
        self.unlooked += submissions.iter().map(|one| one.batch.byte_len()).sum::<usize>();
        if self.unlooked >= SIZE_CHECK_BYTES {
            self.unlooked = 0;
            writing.drop_old(now).map_err(failed)?;
        }
        Ok(())
    }
}
