//! The storage engine (fjall) behind an embedded store: one database, a keyspace for each purpose
//! and stretch of time.
//!
//! Facts of fjall 3.1.13 that shape this: an I/O error poisons the database until it is reopened;
//! its journal goes on disk and in memory per keyspace, so many half-filled memtables pin both;
//! flushing a keyspace on demand (`rotate_memtable`) and the size of a memtable are public but not
//! documented, so they are called in this file only.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use fjall::{AbstractTree as _, Database, Keyspace, PersistMode, Snapshot};

use super::codec::{self, Dictionaries, DictionaryId};
use super::config::{self, EmbeddedConfig};
use super::indexed::IndexedAttributes;
use super::key::Purpose;
use super::meta;
use super::partition::{self, Range};
use super::room::{Bounds, Candidate, Usage, Why, next_to_go};
use crate::StoreError;

/// A stretch of facts and its index.
#[derive(Clone)]
pub(crate) struct FactsPartition {
    pub(crate) range: Range,
    pub(crate) facts: Keyspace,
    pub(crate) index: Keyspace,
}

/// A stretch of catalogues.
#[derive(Clone)]
pub(crate) struct CataloguePartition {
    pub(crate) range: Range,
    pub(crate) frames: Keyspace,
}

/// All partitions, by their first window.
#[derive(Clone, Default)]
pub(crate) struct Partitions {
    pub(crate) facts: BTreeMap<u64, FactsPartition>,
    pub(crate) catalogue: BTreeMap<u64, CataloguePartition>,
}

/// The open database; shared by the writer, which alone changes it, and readers.
pub(crate) struct Engine {
    database: Database,
    pub(crate) meta: Keyspace,
    pub(crate) indexed: IndexedAttributes,
    facts_length: u64,
    catalogue_length: u64,
    partitions: RwLock<Partitions>,
    dictionaries: RwLock<Dictionaries>,
}

/// One consistent sight of the store, for one call of a reader.
pub(crate) struct View {
    pub(crate) partitions: Partitions,
    pub(crate) snapshot: Snapshot,
    pub(crate) dictionaries: Dictionaries,
}

/// A partition that was dropped.
#[derive(Debug)]
pub(crate) struct Gone {
    pub(crate) candidate: Candidate,
    pub(crate) why: Why,
    /// Bytes of its tables.
    pub(crate) bytes: u64,
    /// They stay on disk until the last reader and the journals let go.
    pub(crate) folders: Vec<PathBuf>,
}

impl Engine {
    /// Opens or makes the database in `dir`.
    pub(crate) fn open(dir: &Path, config: &EmbeddedConfig) -> Result<Self, String> {
        let database = open_database(dir, config::TABLE_FILES_OPEN_MAX)?;
        let meta = database.keyspace(meta::KEYSPACE, config::meta_options).map_err(text)?;
        let indexed = adapt_indexed(&database, &meta, config)?;
        let dictionaries = prepare_dictionaries(&meta)?;
        let engine = Self {
            meta,
            indexed,
            dictionaries: RwLock::new(Arc::new(dictionaries)),
            facts_length: partition::facts_length(config.retention),
            catalogue_length: partition::catalogue_length(config.retention),
            partitions: RwLock::new(find_partitions(&database)?),
            database,
        };
        Ok(engine)
    }

    /// What is there now. Partitions that retention drops meanwhile stay readable; the dictionaries
    /// are taken last, because one is known here before anything written with it becomes visible.
    pub(crate) fn view(&self) -> View {
        let partitions = self.partitions().clone();
        let snapshot = self.database.snapshot();
        let dictionaries = self.dictionaries.read().unwrap_or_else(PoisonError::into_inner);
        View { partitions, snapshot, dictionaries: Arc::clone(&dictionaries) }
    }

    /// Makes a dictionary known to readers. It stays known until the store is closed, also when
    /// retention has dropped what was written with it.
    pub(crate) fn add_dictionary(&self, id: DictionaryId, dictionary: &[u8]) -> Result<(), String> {
        let prepared = Arc::new(codec::prepare(dictionary)?);
        let mut known = self.dictionaries.write().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut known).insert(id, prepared);
        Ok(())
    }

    /// All partitions as they are now.
    pub(crate) fn partitions(&self) -> RwLockReadGuard<'_, Partitions> {
        self.partitions.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The partition that holds facts of `window`, made if it is missing.
    pub(crate) fn facts_for(&self, window: u64) -> Result<FactsPartition, String> {
        let partitions = self.partitions();
        let by_start = &partitions.facts;
        if let Some(found) = partition::find(by_start, |found| found.range, window) {
            return Ok(found.clone());
        }
        let range = partition::new_range(by_start, |other| other.range, window, self.facts_length);
        drop(partitions);
        let made = open_facts(&self.database, range)?;
        self.change(|all| all.facts.insert(range.start, made.clone()));
        Ok(made)
    }

    /// The partition that holds the catalogue day beginning with `window`, made if it is missing.
    pub(crate) fn catalogue_for(&self, window: u64) -> Result<CataloguePartition, String> {
        let partitions = self.partitions();
        let by_start = &partitions.catalogue;
        if let Some(found) = partition::find(by_start, |found| found.range, window) {
            return Ok(found.clone());
        }
        let range =
            partition::new_range(by_start, |other| other.range, window, self.catalogue_length);
        drop(partitions);
        let made = open_catalogue(&self.database, range)?;
        self.change(|all| all.catalogue.insert(range.start, made.clone()));
        Ok(made)
    }

    /// Drops the next partition that has to go, if one must.
    pub(crate) fn drop_next(&self, bounds: Bounds) -> Result<Option<Gone>, String> {
        let Some((candidate, why)) = next_to_go(self.usage(), bounds) else { return Ok(None) };
        let keyspaces = self.take_out(candidate.purpose, candidate.range.start);
        let folders = keyspaces.iter().map(|keyspace| keyspace.path().to_owned()).collect();
        let bytes = keyspaces.iter().map(table_bytes).sum();
        for keyspace in keyspaces {
            self.database.delete_keyspace(keyspace).map_err(text)?;
        }
        Ok(Some(Gone { candidate, why, bytes, folders }))
    }

    /// First window that may still have facts: a partition stays whole until all of it is too old.
    pub(crate) fn oldest_window(&self) -> u64 {
        self.partitions().facts.keys().next().copied().unwrap_or(u64::MAX)
    }

    /// A batch of writes that becomes visible at once.
    pub(crate) fn batch(&self, items: usize) -> fjall::OwnedWriteBatch {
        fjall::OwnedWriteBatch::with_capacity(self.database.clone(), items)
    }

    /// fsync of the journal: what was committed before is durable after.
    pub(crate) fn fsync(&self) -> Result<(), String> {
        self.database.persist(PersistMode::SyncAll).map_err(text)
    }

    /// Flushes partitions that end before `unfinished`, and the largest memtables while all of
    /// them together are over the limit.
    pub(crate) fn relieve(&self, unfinished: u64) -> Result<(), String> {
        let all = self.keyspaces();
        for (range, keyspace) in &all {
            if range.end <= unfinished && memtable_bytes(keyspace) > 0 {
                keyspace.rotate_memtable().map_err(text)?;
            }
        }
        while let Some(largest) = largest_over(&all, config::MEMTABLES_BYTES_MAX) {
            largest.rotate_memtable().map_err(text)?;
        }
        Ok(())
    }

    /// Flushes everything, without waiting for it.
    pub(crate) fn relieve_all(&self) -> Result<(), String> {
        self.relieve(u64::MAX)?;
        self.meta.rotate_memtable().map(|_| ()).map_err(text)
    }

    /// How many memtables wait to be flushed.
    pub(crate) fn flushing(&self) -> usize {
        self.keyspaces().iter().map(|(_, keyspace)| keyspace.sealed_memtable_count()).sum()
    }

    /// Flushes everything and waits for it.
    pub(crate) fn flush(&self) -> Result<(), String> {
        for (_, keyspace) in self.keyspaces() {
            keyspace.rotate_memtable_and_wait().map_err(text)?;
        }
        self.meta.rotate_memtable_and_wait().map_err(text)
    }

    /// Bytes of the journals on disk.
    pub(crate) fn journal_bytes(&self) -> Result<u64, String> {
        self.database.journal_disk_space().map_err(text)
    }

    fn keyspaces(&self) -> Vec<(Range, Keyspace)> {
        let partitions = self.partitions();
        let facts = partitions.facts.values();
        let facts = facts.flat_map(|p| [(p.range, p.facts.clone()), (p.range, p.index.clone())]);
        let frames = partitions.catalogue.values().map(|p| (p.range, p.frames.clone()));
        facts.chain(frames).collect()
    }

    fn change<T>(&self, how: impl FnOnce(&mut Partitions) -> T) -> T {
        how(&mut self.partitions.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn usage(&self) -> Usage {
        let partitions = self.partitions();
        let facts = partitions.facts.values().next().map(|p| (p.range, Purpose::Facts));
        let frames = partitions.catalogue.values().next().map(|p| (p.range, Purpose::Catalogue));
        let oldest = facts.into_iter().chain(frames).min_by_key(|(range, _)| range.end);
        let newest_start = partitions.facts.keys().next_back().copied().unwrap_or(0);
        let keyspaces = 2 * partitions.facts.len() + partitions.catalogue.len();
        drop(partitions);
        let tables: u64 = self.keyspaces().iter().map(|(_, keyspace)| table_bytes(keyspace)).sum();
        Usage {
            oldest: oldest.map(|(range, purpose)| Candidate { purpose, range }),
            newest_start,
            keyspaces,
            bytes: tables + self.journal_bytes().unwrap_or(0),
        }
    }

    fn take_out(&self, purpose: Purpose, start: u64) -> Vec<Keyspace> {
        self.change(|all| match purpose {
            Purpose::Facts => {
                let gone = all.facts.remove(&start);
                gone.into_iter().flat_map(|p| [p.facts, p.index]).collect()
            }
            Purpose::Catalogue => {
                all.catalogue.remove(&start).into_iter().map(|p| p.frames).collect()
            }
        })
    }
}

/// An engine error while reading.
pub(crate) fn read_failed(error: fjall::Error) -> StoreError {
    StoreError::ReadFailed { cause: text(error) }
}

/// Opens or makes a database of the engine. Its journals are persisted by hand, once a commit, and
/// not compressed: what is written to them was made small before.
pub(crate) fn open_database(dir: &Path, table_files_max: usize) -> Result<Database, String> {
    Database::builder(dir)
        .manual_journal_persist(true)
        .max_journaling_size(config::JOURNAL_BYTES)
        .journal_compression(fjall::CompressionType::None)
        .cache_size(config::BLOCK_CACHE_BYTES)
        .max_cached_files(Some(table_files_max))
        .worker_threads(config::WORKER_THREADS)
        .open()
        .map_err(text)
}

/// Bytes in table files.
pub(crate) fn table_bytes(keyspace: &Keyspace) -> u64 {
    keyspace.disk_space()
}

#[expect(clippy::needless_pass_by_value, reason = "it is the shape `map_err` asks for")]
pub(crate) fn text(error: fjall::Error) -> String {
    use std::error::Error as _;
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

/// Bytes that wait to become a table file.
pub(crate) fn memtable_bytes(keyspace: &Keyspace) -> u64 {
    keyspace.tree.active_memtable().size()
}

fn largest_over(all: &[(Range, Keyspace)], bytes_max: u64) -> Option<&Keyspace> {
    let sizes = || all.iter().map(|(_, keyspace)| (memtable_bytes(keyspace), keyspace));
    let sum: u64 = sizes().map(|(bytes, _)| bytes).sum();
    let largest = sizes().max_by_key(|(bytes, _)| *bytes).map(|(_, keyspace)| keyspace);
    largest.filter(|_| sum > bytes_max)
}

fn adapt_indexed(
    database: &Database,
    meta: &Keyspace,
    config: &EmbeddedConfig,
) -> Result<IndexedAttributes, String> {
    let state = meta::read_state(meta)?;
    let stored = meta::read_indexed(meta)?;
    let adapted = stored.adapted(&config.indexed, state.newest_end);
    if adapted != stored {
        let (key, value) = meta::indexed_item(&adapted);
        meta.insert(key, value).map_err(text)?;
        database.persist(PersistMode::SyncAll).map_err(text)?;
    }
    Ok(adapted)
}

const FACTS: &str = "facts";
const INDEX: &str = "index";
const CATALOGUE: &str = "catalogue";

fn keyspace_name(purpose: &str, range: Range) -> String {
    format!("{purpose}-{}-{}", range.start, range.end)
}

fn range_in(name: &str, purpose: &str) -> Option<Range> {
    let (start, end) = name.strip_prefix(purpose)?.strip_prefix('-')?.split_once('-')?;
    Some(Range { start: start.parse().ok()?, end: end.parse().ok()? })
}

fn open_facts(database: &Database, range: Range) -> Result<FactsPartition, String> {
    let open = |purpose, options: fn() -> fjall::KeyspaceCreateOptions| {
        database.keyspace(&keyspace_name(purpose, range), options).map_err(text)
    };
    Ok(FactsPartition {
        range,
        index: open(INDEX, config::index_options)?,
        facts: open(FACTS, config::facts_options)?,
    })
}

fn open_catalogue(database: &Database, range: Range) -> Result<CataloguePartition, String> {
    let name = keyspace_name(CATALOGUE, range);
    let frames = database.keyspace(&name, config::catalogue_options).map_err(text)?;
    Ok(CataloguePartition { range, frames })
}

fn find_partitions(database: &Database) -> Result<Partitions, String> {
    let mut partitions = Partitions::default();
    let names = database.list_keyspace_names();
    for name in &names {
        if let Some(range) = range_in(name, FACTS) {
            partitions.facts.insert(range.start, open_facts(database, range)?);
        } else if let Some(range) = range_in(name, CATALOGUE) {
            partitions.catalogue.insert(range.start, open_catalogue(database, range)?);
        }
    }
    for name in &names {
        if let Some(range) = range_in(name, INDEX)
            && !partitions.facts.contains_key(&range.start)
        {
            // A crash between the two halves of making or dropping a partition.
            let left = database.keyspace(name, config::index_options).map_err(text)?;
            database.delete_keyspace(left).map_err(text)?;
        }
    }
    Ok(partitions)
}

fn prepare_dictionaries(
    meta: &Keyspace,
) -> Result<BTreeMap<DictionaryId, codec::Prepared>, String> {
    let stored = meta::read_dictionaries(meta)?;
    let prepare = |(id, stored): (DictionaryId, meta::StoredDictionary)| {
        codec::prepare(&stored.bytes).map(|prepared| (id, Arc::new(prepared)))
    };
    stored.into_iter().map(prepare).collect()
}

/// For sharing between the writer and readers.
pub(crate) type SharedEngine = Arc<Engine>;
