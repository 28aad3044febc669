//! The open database: segments that come and go.
//!
//! Promise: a reader's sight stays readable when a segment is dropped meanwhile.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use fjall::{Database, OwnedWriteBatch, PersistMode};

use super::config::{self, RawConfig, SEGMENTS, SEGMENTS_MAX};
use super::read::RawView;
use super::segment::Segment;
use crate::embedded::{engine_text, open_database};

pub(super) struct Engine {
    database: Database,
    /// Oldest first.
    segments: RwLock<Vec<Segment>>,
    /// Held while segments are written to or dropped.
    writing: Mutex<()>,
    retention_seconds: u64,
    bytes_max: u64,
}

/// The right to write.
pub(super) struct Writing<'e> {
    engine: &'e Engine,
    _held: MutexGuard<'e, ()>,
}

impl Engine {
    pub(super) fn open(dir: &Path, config: &RawConfig) -> Result<Self, String> {
        let database = open_database(dir, config::TABLE_FILES_OPEN_MAX)?;
        let engine = Self {
            segments: RwLock::new(Segment::all(&database)?),
            database,
            writing: Mutex::default(),
            retention_seconds: config.retention.as_secs(),
            bytes_max: config.bytes_max,
        };
        engine.writing().drop_old(config.clock.now().seconds())?;
        Ok(engine)
    }

    pub(super) fn view(&self) -> RawView {
        let segments = self.segments();
        RawView { segments, snapshot: self.database.snapshot() }
    }

    /// Waits for whoever writes.
    pub(super) fn writing(&self) -> Writing<'_> {
        let held = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        Writing { engine: self, _held: held }
    }

    /// Drops everything, durably.
    pub(super) fn purge(&self, now: u64) -> Result<(), String> {
        let writing = self.writing();
        let old = self.segments();
        // The new one comes first, so that numbers never begin again.
        writing.begin(now)?;
        old.iter().try_for_each(|segment| writing.drop_segment(segment))?;
        writing.fsync()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.segments().iter().map(Segment::bytes).sum()
    }

    fn segments(&self) -> Vec<Segment> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, how: impl FnOnce(&mut Vec<Segment>)) {
        how(&mut self.segments.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Writing<'_> {
    /// The segment that takes what arrives now; a new one when the last is full or old.
    pub(super) fn segment(&self, now: u64) -> Result<Segment, String> {
        let (age_max, bytes_max) =
            (self.engine.retention_seconds / SEGMENTS, self.engine.bytes_max / SEGMENTS);
        let last = self.engine.segments().pop();
        let fits =
            |last: &Segment| now.saturating_sub(last.begun) <= age_max && last.bytes() <= bytes_max;
        match last.filter(fits) {
            Some(last) => Ok(last),
            None => self.begin(now),
        }
    }

    /// Drops segments whose spans are all too old, and the oldest while there are too many bytes.
    pub(super) fn drop_old(&self, now: u64) -> Result<(), String> {
        let segments = self.engine.segments();
        let horizon = now.saturating_sub(self.engine.retention_seconds);
        let mut bytes: u64 = segments.iter().map(Segment::bytes).sum();
        for (index, pair) in segments.windows(2).enumerate() {
            let [segment, next] = pair else { break };
            let many = segments.len() - index > SEGMENTS_MAX;
            if next.begun > horizon && bytes <= self.engine.bytes_max && !many {
                break;
            }
            bytes = bytes.saturating_sub(segment.bytes());
            self.drop_segment(segment)?;
            tracing::info!(segment = segment.number, "dropped the oldest raw spans");
        }
        Ok(())
    }

    pub(super) fn batch(&self) -> OwnedWriteBatch {
        OwnedWriteBatch::with_capacity(self.engine.database.clone(), config::ITEMS_A_WRITE)
    }

    /// fsync of the journal: what was committed before is durable after.
    pub(super) fn fsync(&self) -> Result<(), String> {
        self.engine.database.persist(PersistMode::SyncAll).map_err(engine_text)
    }

    /// A new segment; the last one is finished, its memory given back.
    fn begin(&self, now: u64) -> Result<Segment, String> {
        let last = self.engine.segments().pop();
        if let Some(last) = &last {
            last.keyspace.rotate_memtable().map_err(engine_text)?;
        }
        let number = last.map_or(0, |last| last.number + 1);
        let segment = Segment::open(&self.engine.database, number, now)?;
        self.engine.change(|all| all.push(segment.clone()));
        Ok(segment)
    }

    fn drop_segment(&self, segment: &Segment) -> Result<(), String> {
        self.engine.change(|all| all.retain(|other| other.number != segment.number));
        let keyspace = segment.keyspace.clone();
        self.engine.database.delete_keyspace(keyspace).map_err(engine_text)
    }
}
