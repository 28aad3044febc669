//! The one thread that writes: group commit.
//!
//! Promise: everything that waits goes into one atomic batch, then one fsync, then every waiter is
//! answered. After an error nothing more is written until the store is reopened; without room on
//! the disk nothing is begun, and whoever waits is told to come again.
//! Never here: waiting for anything but the queue, the engine and the disk.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::commit::{Commit, Sources};
use super::config::COMMIT_BYTES_MAX;
use super::counters::Counters;
use super::dictionaries::Compression;
use super::disk::Volume;
use super::durability::Durability;
use super::engine::SharedEngine;
use super::indexer::Indexer;
use super::meta::State;
use super::queue::{Queue, Submission, answer};
use crate::StoreError;

/// The writer's state.
pub(crate) struct Writer {
    pub(crate) engine: SharedEngine,
    pub(crate) queue: Arc<Queue>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) durability: Box<dyn Durability>,
    pub(crate) indexer: Indexer,
    pub(crate) compression: Compression,
    pub(crate) state: State,
    pub(crate) clusters: BTreeMap<String, u64>,
    pub(crate) retention_windows: u64,
    pub(crate) volume: Volume,
    pub(crate) bytes_max: u64,
    /// Bytes written since the store's size was looked at.
    pub(crate) unmeasured_bytes: u64,
    /// Folders of dropped partitions that may still take space.
    pub(crate) leaving: Vec<PathBuf>,
}

impl Writer {
    /// Writes until the queue is closed and empty, or a write fails.
    pub(crate) fn run(mut self) {
        while let Some(submissions) = self.queue.take(COMMIT_BYTES_MAX) {
            let outcome = self.make_room().and_then(|()| self.write(&submissions));
            let failed = self.fatal(&outcome, submissions.len());
            for submission in submissions {
                answer(submission, outcome.clone());
            }
            if let Some(error) = failed.or_else(|| self.tidy().err()) {
                tracing::error!(%error, "the store stopped writing");
                self.queue.fail(&error);
                return;
            }
        }
    }

    /// The error after which nothing more is written. Too little room is none: it comes back.
    fn fatal(&self, outcome: &Result<(), StoreError>, batches: usize) -> Option<StoreError> {
        if matches!(outcome, Err(StoreError::NoSpace { .. })) {
            self.counters.no_space(batches);
            return None;
        }
        outcome.as_ref().err().cloned()
    }

    fn write(&mut self, submissions: &[Submission]) -> Result<(), StoreError> {
        let began = stopwatch();
        let committed = self.commit(submissions).map_err(failed)?;
        let synced = stopwatch();
        let engine = &self.engine;
        self.durability.persist(&mut || engine.fsync()).map_err(failed)?;
        self.unmeasured_bytes += bytes_of(submissions);
        self.counters.committed(submissions, &committed, synced - began, synced.elapsed());
        Ok(())
    }

    fn commit(&mut self, submissions: &[Submission]) -> Result<Commit, String> {
        let sources = Sources {
            engine: &self.engine,
            indexer: &mut self.indexer,
            compression: &mut self.compression,
            clusters: &mut self.clusters,
            retention_windows: self.retention_windows,
        };
        let commit = Commit::write(sources, self.state, submissions)?;
        self.state = commit.state;
        self.counters.set_state(self.state);
        Ok(commit)
    }
}

#[expect(clippy::disallowed_methods, reason = "it only measures; nothing is decided by it")]
fn stopwatch() -> Instant {
    Instant::now()
}

pub(super) fn failed(cause: String) -> StoreError {
    StoreError::WriteFailed { cause }
}

fn bytes_of(submissions: &[Submission]) -> u64 {
    submissions.iter().map(|submission| submission.batch.byte_len() as u64).sum()
}
