//! The one thread that writes: group commit.
//!
//! Promise: everything that waits goes into one atomic batch, then one fsync, then every waiter is
//! answered. After an error nothing more is written until the store is reopened.
//! Never here: waiting for anything but the queue, the engine and the disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::commit::{Commit, Sources};
use super::config::{COMMIT_BYTES_MAX, FLUSHING_MAX};
use super::counters::Counters;
use super::dictionaries::Compression;
use super::durability::Durability;
use super::engine::{SharedEngine, text};
use super::indexer::Indexer;
use super::meta::{self, State};
use super::queue::{Queue, Submission, answer};
use crate::StoreError;

/// Partitions are finished when the newest fact is so many windows past them: what is late within
/// the hour finds them still in memory.
const FINISHED_AFTER_WINDOWS: u64 = 2;

/// How long to let the engine's threads flush before looking again.
const FLUSH_PAUSE: Duration = Duration::from_millis(2);
/// After 10 s the engine's own limits decide.
const FLUSH_PAUSES_MAX: u32 = 5_000;

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
}

impl Writer {
    /// Writes until the queue is closed and empty, or a write fails.
    pub(crate) fn run(mut self) {
        while let Some(submissions) = self.queue.take(COMMIT_BYTES_MAX) {
            let outcome = self.write(&submissions);
            let failed = outcome.as_ref().err().cloned();
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

    fn write(&mut self, submissions: &[Submission]) -> Result<(), StoreError> {
        let began = stopwatch();
        let committed = self.commit(submissions).map_err(failed)?;
        let synced = stopwatch();
        let engine = &self.engine;
        self.durability.persist(&mut || engine.fsync()).map_err(failed)?;
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

    /// What follows a commit: memory given back, partitions that are too old dropped.
    fn tidy(&mut self) -> Result<(), StoreError> {
        let newest = self.state.newest_end;
        let moved = self.counters.tidied(newest);
        let unfinished = if moved { newest.saturating_sub(FINISHED_AFTER_WINDOWS) } else { 0 };
        self.engine.relieve(unfinished).map_err(failed)?;
        for _ in 0..FLUSH_PAUSES_MAX {
            if self.engine.flushing() <= FLUSHING_MAX {
                break;
            }
            std::thread::sleep(FLUSH_PAUSE);
        }
        if moved {
            self.expire(newest.saturating_sub(self.retention_windows)).map_err(failed)?;
        }
        Ok(())
    }

    fn expire(&mut self, horizon: u64) -> Result<(), String> {
        let dropped = self.engine.drop_before(horizon)?;
        if dropped > 0 {
            tracing::info!(partitions = dropped, "dropped what is past the retention");
        }
        let gone: Vec<String> = self
            .clusters
            .iter()
            .filter(|(_, end)| **end <= horizon)
            .map(|(n, _)| n.clone())
            .collect();
        for name in gone {
            self.clusters.remove(&name);
            let (key, _) = meta::cluster_item(&name, 0);
            self.engine.meta.remove(key).map_err(text)?;
        }
        for id in self.compression.take_expired(self.engine.oldest_window().min(horizon)) {
            self.engine.meta.remove(meta::dictionary_key(id)).map_err(text)?;
            self.engine.meta.remove(meta::retired_key(id)).map_err(text)?;
        }
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "it only measures; nothing is decided by it")]
fn stopwatch() -> Instant {
    Instant::now()
}

fn failed(cause: String) -> StoreError {
    StoreError::WriteFailed { cause }
}
