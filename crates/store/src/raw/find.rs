//! Which traces may hold a span that is searched for.
//!
//! Promise: newest first, to the second of the span's start; every trace once; a trace that holds a
//! match is proposed unless the budget ended before it. What is proposed may be no match: whoever
//! asks looks at the spans.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use fjall::Readable as _;
use kausal_trace::TraceId;
use kausal_trace::foreign::{ForeignQuery, Term};

use super::key::{self, InvertedSecond};
use super::read::{RawView, damaged};
use super::segment::Segment;
use crate::StoreError;
use crate::embedded::read_failed;

/// An iterator over traces.
pub struct Candidates<'v> {
    view: &'v RawView,
    lists: Vec<List<'v>>,
    /// The next entry of each list that has one.
    next: BinaryHeap<Reverse<(InvertedSecond, TraceId, usize)>>,
    /// Conditions beside the one the lists are of.
    others: Vec<Vec<Term>>,
    proposed: HashSet<TraceId>,
    entries_left: usize,
}

struct List<'v> {
    segment: &'v Segment,
    entries: fjall::Iter,
}

impl RawView {
    /// Traces that may hold a match, reading at most `entries_max` index entries.
    pub fn candidates(
        &self,
        query: &ForeignQuery,
        entries_max: usize,
    ) -> Result<Candidates<'_>, StoreError> {
        let newest = key::inverted(query.to.map_or(u64::MAX, |to| to.0));
        let oldest = key::inverted(query.from.map_or(0, |from| from.0));
        let mut conditions = query.terms().into_iter();
        let first = conditions.next().map_or_else(|| vec![Term::ANY], or_crowded);
        let mut candidates = Candidates {
            view: self,
            lists: Vec::new(),
            next: BinaryHeap::new(),
            others: conditions.map(or_crowded).collect(),
            proposed: HashSet::new(),
            entries_left: entries_max,
        };
        if newest > oldest {
            return Ok(candidates);
        }
        for segment in &self.segments {
            for &term in &first {
                let from = key::posting(term, newest, TraceId([0; 16]));
                let to = key::posting(term, oldest, TraceId([0xff; 16]));
                let entries = self.snapshot.range(&segment.keyspace, from..=to);
                candidates.lists.push(List { segment, entries });
                candidates.advance(candidates.lists.len() - 1)?;
            }
        }
        Ok(candidates)
    }
}

fn or_crowded(mut terms: Vec<Term>) -> Vec<Term> {
    terms.push(Term::CROWDED);
    terms
}

impl Candidates<'_> {
    /// Whether the search ended because it had read as much as it may.
    pub fn exhausted(&self) -> bool {
        self.entries_left == 0
    }

    /// Puts the next entry of a list in order among the others.
    fn advance(&mut self, list: usize) -> Result<(), StoreError> {
        let entry = self.lists.get_mut(list).and_then(|list| list.entries.next());
        if let Some(entry) = entry {
            let key = entry.key().map_err(read_failed)?;
            let (second, trace) =
                key::posted(&key).ok_or_else(|| damaged("an index key has a wrong length"))?;
            self.next.push(Reverse((second, trace, list)));
        }
        Ok(())
    }

    fn step(&mut self) -> Result<Option<TraceId>, StoreError> {
        while self.entries_left > 0
            && let Some(Reverse((second, trace, list))) = self.next.pop()
        {
            self.entries_left -= 1;
            self.advance(list)?;
            if !self.proposed.contains(&trace) && self.has_others(list, second, trace)? {
                self.proposed.insert(trace);
                return Ok(Some(trace));
            }
        }
        Ok(None)
    }

    /// Whether each other condition has an entry at the same second of the same trace: all terms of
    /// one span stand in one segment.
    fn has_others(
        &self,
        list: usize,
        second: InvertedSecond,
        trace: TraceId,
    ) -> Result<bool, StoreError> {
        let Some(List { segment, .. }) = self.lists.get(list) else { return Ok(false) };
        for terms in &self.others {
            let mut found = false;
            for &term in terms {
                let key = key::posting(term, second, trace);
                let snapshot = &self.view.snapshot;
                found = snapshot.contains_key(&segment.keyspace, key).map_err(read_failed)?;
                if found {
                    break;
                }
            }
            if !found {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Iterator for Candidates<'_> {
    type Item = Result<TraceId, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}
