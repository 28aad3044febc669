//! One commit: many submitted batches as one atomic batch of keys and values.
//!
//! Promise: what is kept does not depend on the order inside a commit; spans older than the
//! retention are counted, never stored.

use std::collections::{BTreeMap, HashMap};

use fjall::{Keyspace, OwnedWriteBatch, UserValue};
use kausal_trace::window::WINDOWS_PER_DAY;
use kausal_trace::SpanRecord;

use super::engine::{Engine, FactsPartition, text};
use super::indexer::Indexer;
use super::key::{Place, Purpose, VALUE_OTLP, content_hash, span_key};
use super::meta::{self, CLUSTERS_MAX, State};
use super::posting::Posting;
use super::queue::Submission;

/// What a commit writes to and learns from.
pub(crate) struct Sources<'w> {
    pub(crate) engine: &'w Engine,
    pub(crate) indexer: &'w mut Indexer,
    pub(crate) clusters: &'w mut BTreeMap<String, u64>,
    pub(crate) retention_windows: u64,
}

/// A commit that was written, not yet durable.
pub(crate) struct Commit {
    pub(crate) state: State,
    /// Index entries written.
    pub(crate) postings: usize,
}

impl Commit {
    /// Writes the spans of `submissions`.
    pub(crate) fn write(
        sources: Sources<'_>,
        state: State,
        submissions: &[Submission],
    ) -> Result<Self, String> {
        let spans: usize = submissions.iter().map(|submission| submission.batch.len()).sum();
        let mut builder = Builder {
            batch: sources.engine.batch(spans * 2),
            state: State { commits: state.commits + 1, ..state },
            facts: HashMap::new(),
            frames: HashMap::new(),
            sources,
        };
        builder.look_ahead(submissions);
        for record in records(submissions) {
            builder.add(record)?;
        }
        let postings = builder.write_postings();
        let state = builder.state;
        let (key, value) = meta::state_item(&state);
        builder.batch.insert(&builder.sources.engine.meta, key, value);
        builder.batch.commit().map_err(text)?;
        Ok(Self { state, postings })
    }
}

fn records(submissions: &[Submission]) -> impl Iterator<Item = SpanRecord<'_>> {
    submissions.iter().flat_map(|submission| submission.batch.iter())
}

struct Builder<'w> {
    sources: Sources<'w>,
    batch: OwnedWriteBatch,
    state: State,
    /// Partitions of this commit, by slot.
    facts: HashMap<u32, FactsPartition>,
    frames: HashMap<u32, Keyspace>,
}

impl Builder<'_> {
    /// The newest fact of all submissions decides what is too old, whatever their order.
    fn look_ahead(&mut self, submissions: &[Submission]) {
        let facts = records(submissions)
            .filter_map(|record| Place::of(record.trace))
            .filter(|place| place.purpose == Purpose::Facts);
        let newest = facts.map(|place| place.end().0).max().unwrap_or(0);
        self.state.newest_end = self.state.newest_end.max(newest);
    }

    fn add(&mut self, record: SpanRecord<'_>) -> Result<(), String> {
        // Foreign ids were refused at the door.
        let Some(place) = Place::of(record.trace) else { return Ok(()) };
        let horizon = self.state.newest_end.saturating_sub(self.sources.retention_windows);
        if place.end().0 <= horizon {
            self.state.expired += 1;
            return Ok(());
        }
        let key = span_key(place, record.span, content_hash(record.bytes));
        let value = value_of(record.bytes)?;
        match place.purpose {
            Purpose::Facts => self.add_fact(place, record, key, value),
            Purpose::Catalogue => {
                let frames = self.frames_keyspace(place)?;
                self.batch.insert(&frames, key, value);
                Ok(())
            }
        }
    }

    fn add_fact(
        &mut self,
        place: Place,
        record: SpanRecord<'_>,
        key: [u8; super::key::KEY_BYTES],
        value: UserValue,
    ) -> Result<(), String> {
        if !self.facts.contains_key(&place.slot) {
            let partition = self.sources.engine.facts_for(place.window().0)?;
            self.facts.insert(place.slot, partition);
        }
        let Some(partition) = self.facts.get(&place.slot) else { return Ok(()) };
        self.batch.insert(&partition.facts, key, value);
        let seen = self.sources.indexer.add(partition.range.start, place, record.bytes);
        self.state.newest = self.state.newest.max(seen.start);
        self.add_cluster(place, seen.cluster);
        Ok(())
    }

    fn frames_keyspace(&mut self, place: Place) -> Result<Keyspace, String> {
        if let Some(frames) = self.frames.get(&place.slot) {
            return Ok(frames.clone());
        }
        let partition = self.sources.engine.catalogue_for(place.window().0)?;
        self.frames.insert(place.slot, partition.frames.clone());
        Ok(partition.frames)
    }

    /// Remembers the cluster, at most once a day.
    fn add_cluster(&mut self, place: Place, name: &[u8]) {
        let Ok(name) = std::str::from_utf8(name) else { return };
        let end = (place.window().0 / WINDOWS_PER_DAY + 1) * WINDOWS_PER_DAY;
        let clusters = &mut *self.sources.clusters;
        let known = clusters.get(name).copied();
        let full = known.is_none() && clusters.len() >= CLUSTERS_MAX;
        if name.is_empty() || full || known.is_some_and(|known| known >= end) {
            return;
        }
        clusters.insert(name.to_owned(), end);
        let (key, value) = meta::cluster_item(name, end);
        self.batch.insert(&self.sources.engine.meta, key, value);
    }

    fn write_postings(&mut self) -> usize {
        let postings = self.sources.indexer.take();
        let indexes: HashMap<u64, Keyspace> =
            self.facts.values().map(|p| (p.range.start, p.index.clone())).collect();
        let (mut key, mut list) = (Vec::new(), Vec::new());
        for lists in postings.chunk_by(Posting::same_list) {
            let Some(first) = lists.first() else { continue };
            let Some(index) = indexes.get(&first.partition) else { continue };
            first.key(self.state.commits, &mut key);
            list.clear();
            lists.iter().for_each(|posting| posting.put_entry(&mut list));
            self.batch.insert(index, key.as_slice(), list.as_slice());
        }
        let written = postings.len();
        self.sources.indexer.recycle(postings);
        written
    }
}

/// The format byte, then the span; copied once.
fn value_of(span: &[u8]) -> Result<UserValue, String> {
    use std::io::Read as _;
    UserValue::from_reader(&mut [VALUE_OTLP].chain(span), span.len() + 1)
        .map_err(|error| error.to_string())
}
