//! What the writer tells readers about itself.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::commit::Commit;
use super::meta::State;
use super::queue::Submission;
use super::room::Disk;
use crate::WriteStats;

/// Counts since the store was opened, and how far it is.
#[derive(Debug, Default)]
pub(crate) struct Counters(Mutex<Inner>);

#[derive(Clone, Copy, Debug, Default)]
struct Inner {
    writes: WriteStats,
    state: State,
    tidied: u64,
    disk: Disk,
}

impl Counters {
    pub(crate) fn new(state: State) -> Self {
        Self(Mutex::new(Inner { state, ..Inner::default() }))
    }

    pub(crate) fn set_state(&self, state: State) {
        self.lock().state = state;
    }

    pub(crate) fn state(&self) -> State {
        self.lock().state
    }

    pub(crate) fn writes(&self) -> WriteStats {
        self.lock().writes
    }

    /// Notes the state of the disk and returns the one before.
    pub(crate) fn set_disk(&self, disk: Disk) -> Disk {
        std::mem::replace(&mut self.lock().disk, disk)
    }

    pub(crate) fn disk(&self) -> Disk {
        self.lock().disk
    }

    /// Counts batches that were refused for want of room.
    pub(crate) fn no_space(&self, batches: usize) {
        self.lock().writes.no_space += batches as u64;
    }

    /// Counts a commit that is durable.
    pub(crate) fn committed(
        &self,
        submissions: &[Submission],
        commit: &Commit,
        writing: Duration,
        syncing: Duration,
    ) {
        let mut inner = self.lock();
        let writes = &mut inner.writes;
        writes.commits += 1;
        writes.batches += submissions.len() as u64;
        for submission in submissions {
            writes.spans += submission.batch.len() as u64;
            writes.bytes += submission.batch.byte_len() as u64;
        }
        writes.postings += commit.postings as u64;
        writes.commit_micros += micros(writing);
        writes.sync_micros += micros(syncing);
        writes.slowest_micros = writes.slowest_micros.max(micros(writing + syncing));
    }

    /// Whether the newest window moved since the last call.
    pub(crate) fn tidied(&self, newest_end: u64) -> bool {
        let mut inner = self.lock();
        std::mem::replace(&mut inner.tidied, newest_end) != newest_end
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
