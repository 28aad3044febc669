//! One commit: many submitted batches as one atomic batch of keys and values.
//!
//! Promise: what is kept does not depend on the order inside a commit; spans older than the
//! retention are counted, never stored.

use std::collections::BTreeMap;

use fjall::{Keyspace, OwnedWriteBatch};
use kausal_trace::SpanRecord;
use kausal_trace::window::WINDOWS_PER_DAY;

use super::codec;
use super::dictionaries::Compression;
use super::engine::{Engine, FactsPartition, text};
use super::indexer::Indexer;
use super::key::{KEY_BYTES, Place, Purpose, content_hash, span_key};
use super::meta::{self, CLUSTERS_MAX, State};
use super::posting::Posting;
use super::queue::Submission;

/// Room made at once for the spans and their posting lists; growing copies all items.
const ITEMS_A_SPAN: usize = 4;

/// What a commit writes to and learns from.
pub(crate) struct Sources<'w> {
    pub(crate) engine: &'w Engine,
    pub(crate) indexer: &'w mut Indexer,
    pub(crate) compression: &'w mut Compression,
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
        let spans = sorted(submissions);
        let mut builder = Builder {
            batch: sources.engine.batch(spans.len() * ITEMS_A_SPAN),
            state: State { commits: state.commits + 1, ..state },
            indexes: BTreeMap::new(),
            sources,
        };
        builder.look_ahead(&spans);
        builder.learn()?;
        for same_slot in spans.chunk_by(|a, b| a.place.same_slot(b.place)) {
            builder.add(same_slot)?;
        }
        let postings = builder.write_postings();
        let state = builder.state;
        let (key, value) = meta::state_item(&state);
        builder.batch.insert(&builder.sources.engine.meta, key, value);
        builder.batch.commit().map_err(text)?;
        Ok(Self { state, postings })
    }
}

#[derive(Clone, Copy)]
struct Placed<'b> {
    place: Place,
    record: SpanRecord<'b>,
}

/// All spans in the order of their keys: neighbours go to neighbouring places in memory.
fn sorted(submissions: &[Submission]) -> Vec<Placed<'_>> {
    let records = submissions.iter().flat_map(|submission| submission.batch.iter());
    // Foreign ids were refused at the door.
    let placed = records.filter_map(|record| {
        let place = Place::of(record.trace)?;
        Some(Placed { place, record })
    });
    let count = submissions.iter().map(|submission| submission.batch.len()).sum();
    let mut spans: Vec<Placed<'_>> = Vec::with_capacity(count);
    spans.extend(placed);
    spans.sort_unstable_by_key(|span| (span.place, span.record.span));
    spans
}

struct Builder<'w> {
    sources: Sources<'w>,
    batch: OwnedWriteBatch,
    state: State,
    /// Indexes of the partitions in this commit, by their first window.
    indexes: BTreeMap<u64, Keyspace>,
}

impl Builder<'_> {
    /// The newest fact of all submissions decides what is too old, whatever their order.
    fn look_ahead(&mut self, spans: &[Placed<'_>]) {
        let facts = spans.iter().filter(|span| span.place.purpose == Purpose::Facts);
        let newest = facts.map(|span| span.place.end().0).max().unwrap_or(0);
        self.state.newest_end = self.state.newest_end.max(newest);
    }

    /// A new dictionary is in the same atomic batch as the first values made with it, and readers
    /// know it before they can see those.
    fn learn(&mut self) -> Result<(), String> {
        let Some(learned) = self.sources.compression.learn_if_due(self.state.newest_end)? else {
            return Ok(());
        };
        let meta = &self.sources.engine.meta;
        self.sources.engine.add_dictionary(learned.id, &learned.bytes)?;
        self.batch.insert(meta, meta::dictionary_key(learned.id), learned.bytes);
        if let Some((id, end)) = learned.retired {
            self.batch.insert(meta, meta::retired_key(id), end.to_be_bytes());
        }
        Ok(())
    }

    /// Adds the spans of one slot.
    fn add(&mut self, spans: &[Placed<'_>]) -> Result<(), String> {
        let Some(place) = spans.first().map(|span| span.place) else { return Ok(()) };
        let horizon = self.state.newest_end.saturating_sub(self.sources.retention_windows);
        if place.end().0 <= horizon {
            self.state.expired += spans.len() as u64;
            return Ok(());
        }
        let window = place.window().0;
        match place.purpose {
            Purpose::Facts => {
                let partition = self.sources.engine.facts_for(window)?;
                spans.iter().try_for_each(|span| self.add_fact(&partition, *span))?;
                self.indexes.insert(partition.range.start, partition.index);
            }
            Purpose::Catalogue => {
                let frames = self.sources.engine.catalogue_for(window)?.frames;
                for Placed { place, record } in spans {
                    let value = codec::plain(record.bytes)?;
                    self.batch.insert(&frames, key_of(*place, *record, &value), value);
                }
            }
        }
        Ok(())
    }

    fn add_fact(&mut self, partition: &FactsPartition, span: Placed<'_>) -> Result<(), String> {
        let Placed { place, record } = span;
        let value = self.sources.compression.value(record.bytes)?;
        self.batch.insert(&partition.facts, key_of(place, record, &value), value);
        let seen = self.sources.indexer.add(partition.range.start, place, record.bytes);
        self.state.newest = self.state.newest.max(seen.start);
        self.add_cluster(place, seen.cluster);
        Ok(())
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
        let (mut key, mut list) = (Vec::new(), Vec::new());
        for lists in postings.chunk_by(Posting::same_list) {
            let Some(first) = lists.first() else { continue };
            let Some(index) = self.indexes.get(&first.partition) else { continue };
            first.key(self.state.commits, &mut key);
            list.clear();
            for posting in lists {
                posting.put_entry(&mut list);
            }
            self.batch.insert(index, key.as_slice(), list.as_slice());
        }
        let written = postings.len();
        self.sources.indexer.recycle(postings);
        written
    }
}

/// The content hash is of the value as stored, which is an eighth of the span: two equal spans
/// have two keys only if a new dictionary came between them, and reading folds those.
fn key_of(place: Place, record: SpanRecord<'_>, value: &[u8]) -> [u8; KEY_BYTES] {
    span_key(place, record.span, content_hash(value))
}
