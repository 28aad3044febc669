//! Finds facts by their attributes.
//!
//! Promise: every hit was verified on its span; newest first; the work is bounded, and the answer
//! says when the budget ended it.
//!
//! All attributes must be on one span, so the minute and the trace of a hit stand in the posting
//! list of each: the search walks the lists together, minute by minute, and opens only the traces
//! that all of them propose; of a minute with many traces moment by moment, so that the newest few
//! are found without opening all.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashSet};

use fjall::{Keyspace, Readable as _};
use kausal_trace::{FactKind, UnixNanos};

use super::codec::Decoder;
use super::cursor::{Cursor, Entries, ListCursor, Minute};
use super::engine::{FactsPartition, View, read_failed};
use super::indexed::{Attribute, IndexedAttributes};
use super::key::{KEY_BYTES, facts_of};
use super::matching::Matcher;
use super::moments::Moments;
use super::partition;
use super::posting::{InvertedMinute, Term, TraceRef, value_hash};
use crate::scan::TERM_BYTES_MAX;
use crate::{SearchAnswer, SearchHit, SearchQuery, StoreError};

/// Traces of one minute that are opened without asking for their moments: about as much work as
/// reading the lists of the moments.
const CROWD_MIN: usize = 64;

/// Runs `query`.
pub(crate) fn search(
    view: &View,
    indexed: &IndexedAttributes,
    query: &SearchQuery,
) -> Result<SearchAnswer, StoreError> {
    let mut search = Search {
        view,
        indexed,
        query,
        matcher: Matcher::new(query),
        decoder: Decoder::new(&view.dictionaries),
        candidates: 0,
        spans: 0,
        entries: Entries { read: 0, max: query.budget.entries_max },
        best: BTreeSet::new(),
        reached: None,
        opened: HashSet::new(),
    };
    let mut exhausted = false;
    for partition in view.partitions.facts.values().rev() {
        match search.partition(partition)? {
            Step::Done => break,
            Step::Further => search.opened.clear(),
            Step::Exhausted => {
                exhausted = true;
                break;
            }
        }
    }
    let (candidates, reached) = (search.candidates, search.reached.filter(|_| exhausted));
    Ok(SearchAnswer { hits: search.hits()?, exhausted, reached, candidates })
}

enum Step {
    /// Older ones may follow.
    Further,
    /// Nothing older can be among the hits.
    Done,
    /// The budget is spent.
    Exhausted,
}

struct Search<'q> {
    view: &'q View,
    indexed: &'q IndexedAttributes,
    query: &'q SearchQuery,
    matcher: Matcher<'q>,
    decoder: Decoder<'q>,
    /// Traces opened.
    candidates: usize,
    /// Spans looked at.
    spans: usize,
    entries: Entries,
    /// The newest hits so far, at most `limit`.
    best: BTreeSet<(Reverse<UnixNanos>, [u8; KEY_BYTES])>,
    opened: HashSet<(u64, TraceRef)>,
    /// Everything that starts here or later has been looked at.
    reached: Option<UnixNanos>,
}

impl Search<'_> {
    fn partition(&mut self, partition: &FactsPartition) -> Result<Step, StoreError> {
        let Some((newest, oldest)) = self.minutes(partition) else { return Ok(Step::Further) };
        let mut cursors = self.cursors(partition, newest, oldest);
        let mut from = newest;
        while let Some(minute) = self.agree(&mut cursors, from)? {
            match self.minute(partition, &minute)? {
                Step::Further => from = InvertedMinute(minute.at.0.saturating_add(1)),
                ended => return Ok(ended),
            }
        }
        Ok(if self.is_exhausted() { Step::Exhausted } else { Step::Further })
    }

    /// Looks at what a minute proposes, newest first where that is worth it.
    fn minute(&mut self, partition: &FactsPartition, minute: &Minute) -> Result<Step, StoreError> {
        let covers = |moment: &&Attribute| moment.covers(partition.range.start);
        let moment = self.indexed.moment().filter(covers);
        let Some(moment) = moment.filter(|_| minute.traces.len() >= CROWD_MIN) else {
            return self.open_all(partition, minute, minute.at.start());
        };
        let (snapshot, index, to) = (&self.view.snapshot, &partition.index, self.query.to);
        let mut moments = Moments::new(snapshot, index, *moment, minute.at, to);
        while let Some((start, of_moment)) = moments.next(&mut self.entries)? {
            if self.is_exhausted() {
                return Ok(Step::Exhausted);
            }
            let traces = intersection(Some(minute), of_moment);
            match self.open_all(partition, &traces, start)? {
                Step::Further => {}
                ended => return Ok(ended),
            }
        }
        self.reached = Some(minute.at.start());
        Ok(Step::Further)
    }

    /// Looks at all the traces proposed for the time that begins at `start`.
    fn open_all(
        &mut self,
        partition: &FactsPartition,
        proposed: &Minute,
        start: UnixNanos,
    ) -> Result<Step, StoreError> {
        for trace in &proposed.traces {
            self.open(&partition.facts, proposed.at, *trace)?;
            if self.is_exhausted() {
                return Ok(Step::Exhausted);
            }
        }
        self.reached = Some(start);
        Ok(if self.is_full_at(start) { Step::Done } else { Step::Further })
    }

    /// The minutes of the partition that the query asks for, newest first.
    fn minutes(&self, partition: &FactsPartition) -> Option<(InvertedMinute, InvertedMinute)> {
        let range = partition.range;
        let newest = InvertedMinute::last_before(range.end);
        let oldest = InvertedMinute(InvertedMinute::last_before(range.start).0.checked_sub(1)?);
        let before = |to: UnixNanos| InvertedMinute::holding(UnixNanos(to.0.saturating_sub(1)));
        let to = self.query.to.map_or(newest, before);
        let from = self.query.from.map_or(oldest, InvertedMinute::holding);
        let (newest, oldest) = (newest.max(to), oldest.min(from));
        (newest <= oldest && self.query.limit > 0).then_some((newest, oldest))
    }

    fn cursors(
        &self,
        partition: &FactsPartition,
        newest: InvertedMinute,
        oldest: InvertedMinute,
    ) -> Vec<Cursor> {
        let snapshot = &self.view.snapshot;
        let list = |term| ListCursor::new(snapshot, &partition.index, term, newest, oldest);
        let usable = self.query.attributes.iter().filter_map(|(name, value)| {
            let attribute = self.indexed.get(name)?;
            let term = Term::new(*attribute, value_hash(value.as_bytes()));
            let covered = attribute.covers(partition.range.start);
            (covered && value.len() <= TERM_BYTES_MAX).then_some(term)
        });
        let mut cursors: Vec<Cursor> = usable.map(|term| Cursor::One(list(term))).collect();
        if cursors.is_empty() || !self.query.kinds.is_empty() {
            let kinds: BTreeSet<u8> = self.kinds().iter().map(|kind| first_letter(*kind)).collect();
            cursors.push(Cursor::AnyOf(
                kinds.into_iter().map(|kind| list(Term::kind(kind))).collect(),
            ));
        }
        cursors
    }

    fn kinds(&self) -> &[FactKind] {
        const FACTS: &[FactKind] = &[FactKind::Audit, FactKind::Event, FactKind::Change];
        if self.query.kinds.is_empty() { FACTS } else { &self.query.kinds }
    }

    /// The next minute, at `from` or older, for which all cursors propose some trace.
    fn agree(
        &mut self,
        cursors: &mut [Cursor],
        from: InvertedMinute,
    ) -> Result<Option<Minute>, StoreError> {
        let mut at = from;
        'minute: while !self.is_exhausted() {
            let mut agreed: Option<Minute> = None;
            for cursor in &mut *cursors {
                let Some(minute) = cursor.minute(at, &mut self.entries)? else { return Ok(None) };
                if let Some(agreed) = agreed.as_ref().filter(|agreed| agreed.at != minute.at) {
                    // Inverted minutes: the greater one is the older one, where both may meet.
                    at = agreed.at.max(minute.at);
                    continue 'minute;
                }
                agreed = Some(intersection(agreed.as_ref(), minute));
            }
            match agreed {
                Some(agreed) if agreed.traces.is_empty() => {
                    self.reached = Some(agreed.at.start());
                    at = InvertedMinute(agreed.at.0.saturating_add(1));
                }
                agreed => return Ok(agreed),
            }
        }
        Ok(None)
    }

    /// Looks at the spans of a proposed trace.
    fn open(
        &mut self,
        facts: &Keyspace,
        minute: InvertedMinute,
        trace: TraceRef,
    ) -> Result<(), StoreError> {
        let window = minute.window().0;
        if !self.opened.insert((window, trace)) {
            return Ok(());
        }
        self.candidates += 1;
        let mut prefix = [0; 8];
        prefix[..4].copy_from_slice(&(window as u32).to_be_bytes());
        prefix[4..].copy_from_slice(&trace);
        let mut last: Option<Match> = None;
        for item in self.view.snapshot.prefix(facts, prefix) {
            self.spans += 1;
            let (key, value) = item.into_inner().map_err(read_failed)?;
            let Ok(key) = <[u8; KEY_BYTES]>::try_from(&key[..]) else { continue };
            let Some(start) = self.matcher.start_if_match(self.decoder.span(&value)?) else {
                continue;
            };
            let found = Match { key, start, bytes: value.len() };
            last = match last {
                Some(last) if last.same_span(&found) => Some(last.longer(found)),
                Some(last) => {
                    self.keep(&last);
                    Some(found)
                }
                None => Some(found),
            };
            if self.is_exhausted() {
                break;
            }
        }
        if let Some(last) = last {
            self.keep(&last);
        }
        Ok(())
    }

    fn keep(&mut self, found: &Match) {
        self.best.insert((Reverse(found.start), found.key));
        if self.best.len() > self.query.limit {
            self.best.pop_last();
        }
    }

    /// Whether nothing that starts before `minute` can still be among the hits.
    fn is_full_at(&self, minute: UnixNanos) -> bool {
        let oldest = self.best.last().map(|(Reverse(start), _)| *start);
        self.best.len() >= self.query.limit && oldest.is_some_and(|oldest| oldest >= minute)
    }

    fn is_exhausted(&self) -> bool {
        let budget = self.query.budget;
        self.candidates >= budget.candidates_max
            || self.spans >= budget.spans_max
            || self.entries.are_spent()
    }

    fn hits(mut self) -> Result<Vec<SearchHit>, StoreError> {
        let mut hits = Vec::with_capacity(self.best.len());
        for (Reverse(start), key) in self.best {
            let Some((trace, span)) = facts_of(&key) else { continue };
            let window = u64::from(u32::from_be_bytes([key[0], key[1], key[2], key[3]]));
            let by_start = &self.view.partitions.facts;
            let Some(partition) = partition::find(by_start, |p| p.range, window) else { continue };
            let value = self.view.snapshot.get(&partition.facts, key).map_err(read_failed)?;
            let Some(value) = value else { continue };
            let bytes = self.decoder.span(&value)?.into();
            hits.push(SearchHit { trace, span, start, bytes });
        }
        Ok(hits)
    }
}

/// A span that matches; copies of one span are neighbours, the longest is shown.
struct Match {
    key: [u8; KEY_BYTES],
    start: UnixNanos,
    bytes: usize,
}

impl Match {
    fn same_span(&self, other: &Self) -> bool {
        facts_of(&self.key) == facts_of(&other.key)
    }

    fn longer(self, other: Self) -> Self {
        if other.bytes > self.bytes { other } else { self }
    }
}

fn first_letter(kind: FactKind) -> u8 {
    kind.as_str().as_bytes().first().copied().unwrap_or(0)
}

fn intersection(agreed: Option<&Minute>, mut minute: Minute) -> Minute {
    if let Some(agreed) = agreed {
        minute.traces.retain(|trace| agreed.traces.binary_search(trace).is_ok());
    }
    minute
}
