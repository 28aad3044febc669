//! What the writer does between commits: memory given back, what must go dropped, room made.
//!
//! Promise: writing stops before the disk is full, and goes on by itself once there is room. What
//! was acknowledged goes only in whole partitions, oldest first, each counted and said.

use std::path::Path;
use std::time::Duration;

use super::config::{FLUSHING_MAX, SIZE_CHECK_BYTES};
use super::engine::{Gone, text};
use super::meta;
use super::room::{Bounds, Disk};
use super::writer::{Writer, failed};
use crate::StoreError;

/// Partitions are finished when the newest fact is so many windows past them: what is late within
/// the hour finds them still in memory.
const FINISHED_AFTER_WINDOWS: u64 = 2;

/// How long to let the engine's threads work before looking again.
const PAUSE: Duration = Duration::from_millis(2);
/// After 10 s the engine's own limits decide.
const FLUSH_PAUSES_MAX: u32 = 5_000;
/// After 2 s whoever submitted is told to come again.
const ROOM_PAUSES_MAX: u32 = 1_000;

impl Writer {
    /// Sees to it that the disk has the free space that is kept in reserve. The engine does not
    /// survive a write that finds no space, so none is begun without it.
    pub(super) fn make_room(&mut self) -> Result<(), StoreError> {
        if self.volume.state() == Disk::Ample {
            self.note(Disk::Ample);
            return Ok(());
        }
        // Journals go once all that they hold is in tables.
        self.engine.relieve_all().map_err(failed)?;
        wait(ROOM_PAUSES_MAX, || self.engine.flushing() == 0);
        while self.volume.state() == Disk::Short && self.has_left() {
            let Some(gone) = self.drop_next(Disk::Short)? else { break };
            self.leaving = gone.folders;
            wait(ROOM_PAUSES_MAX, || self.has_left());
        }
        let disk = self.volume.state();
        self.note(disk);
        match disk {
            Disk::Ample => Ok(()),
            Disk::Short => Err(StoreError::NoSpace {
                free_bytes: self.volume.free_bytes(),
                reserve_bytes: self.volume.reserve_bytes(),
            }),
        }
    }

    /// What follows a commit.
    pub(super) fn tidy(&mut self) -> Result<(), StoreError> {
        let newest = self.state.newest_end;
        let moved = self.counters.tidied(newest);
        let unfinished = if moved { newest.saturating_sub(FINISHED_AFTER_WINDOWS) } else { 0 };
        self.engine.relieve(unfinished).map_err(failed)?;
        wait(FLUSH_PAUSES_MAX, || self.engine.flushing() <= FLUSHING_MAX);
        if moved || self.unmeasured_bytes >= SIZE_CHECK_BYTES {
            self.unmeasured_bytes = 0;
            while self.drop_next(Disk::Ample)?.is_some() {}
            self.forget(self.horizon()).map_err(failed)?;
        }
        Ok(())
    }

    fn horizon(&self) -> u64 {
        self.state.newest_end.saturating_sub(self.retention_windows)
    }

    fn drop_next(&mut self, disk: Disk) -> Result<Option<Gone>, StoreError> {
        let bounds = Bounds { horizon: self.horizon(), bytes_max: self.bytes_max, disk };
        let gone = self.engine.drop_next(bounds).map_err(failed)?;
        if let Some(gone) = &gone {
            gone.why.count(&mut self.state.dropped);
            self.counters.set_state(self.state);
            let (partition, bytes) = (gone.candidate.to_string(), gone.bytes);
            tracing::info!(%partition, bytes, why = gone.why.as_str(), "dropped a partition");
        }
        Ok(gone)
    }

    /// Whether what was dropped is off the disk: readers and journals may hold it a little longer.
    fn has_left(&self) -> bool {
        !self.leaving.iter().any(|folder| Path::exists(folder))
    }

    /// Says it once when writing stops, and once when it goes on.
    fn note(&self, disk: Disk) {
        if self.counters.set_disk(disk) == disk {
            return;
        }
        let (free, reserve) = (self.volume.free_bytes(), self.volume.reserve_bytes());
        match disk {
            Disk::Short => tracing::error!(free, reserve, "the disk is nearly full, writing waits"),
            Disk::Ample => tracing::info!(free, reserve, "there is room again, writing goes on"),
        }
    }

    /// Forgets clusters and dictionaries that served nothing after `horizon`.
    fn forget(&mut self, horizon: u64) -> Result<(), String> {
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

/// Looks again and again, for a bounded time.
fn wait(pauses_max: u32, mut is_done: impl FnMut() -> bool) {
    for _ in 0..pauses_max {
        if is_done() {
            return;
        }
        std::thread::sleep(PAUSE);
    }
}
