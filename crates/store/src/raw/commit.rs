//! One commit: many submitted batches as keys and values of one segment.
//!
//! Promise: bounded memory however many spans a batch has. A crash in the middle may leave some of
//! the spans of an Export that was not acknowledged; they are as whole as all others.

use std::collections::{BTreeSet, HashSet};

use fjall::OwnedWriteBatch;
use kausal_trace::foreign::{ForeignBatch, ForeignSpan, terms};

use super::config::{ENVELOPES_KNOWN_MAX, ITEMS_A_WRITE};
use super::engine::Writing;
use super::key::{self, EnvelopeHash, Posting};
use super::segment::Segment;
use crate::embedded::engine_text;
use crate::embedded::queue::Submission;
use crate::scan::TERM_BYTES_MAX;

/// Resources and scopes that are in a segment already.
#[derive(Default)]
pub(super) struct Known {
    segment: Option<u64>,
    envelopes: HashSet<EnvelopeHash>,
}

impl Known {
    fn turn_to(&mut self, segment: u64) {
        if self.segment.replace(segment) != Some(segment)
            || self.envelopes.len() > ENVELOPES_KNOWN_MAX
        {
            self.envelopes.clear();
        }
    }
}

/// Writes the spans of `submissions`, not yet durably.
pub(super) fn write(
    writing: &Writing<'_>,
    segment: &Segment,
    known: &mut Known,
    submissions: &[Submission<ForeignBatch>],
) -> Result<(), String> {
    known.turn_to(segment.number);
    let (postings, names) = (BTreeSet::new(), BTreeSet::new());
    let mut commit =
        Commit { writing, segment, known, batch: writing.batch(), items: 0, postings, names };
    for span in submissions.iter().flat_map(|submission| submission.batch.iter()) {
        commit.add(&span);
        if commit.items + commit.postings.len() >= ITEMS_A_WRITE {
            commit.flush()?;
        }
    }
    commit.flush()
}

struct Commit<'w> {
    writing: &'w Writing<'w>,
    segment: &'w Segment,
    known: &'w mut Known,
    batch: OwnedWriteBatch,
    items: usize,
    postings: BTreeSet<Posting>,
    /// Keys of services and operations.
    names: BTreeSet<Vec<u8>>,
}

impl Commit<'_> {
    fn add(&mut self, span: &ForeignSpan<'_>) {
        let (resource, scope) = (self.envelope(span.resource), self.envelope(span.scope));
        let record = key::record(resource, scope, span.bytes);
        let head = span.head();
        let second = key::inverted(head.start);
        let postings = terms(span).into_iter();
        self.postings.extend(postings.map(|term| key::posting(term, second, span.trace)));
        self.name(span.service(), head.kind_name(), head.name);
        self.batch.insert(&self.segment.keyspace, key::span_key(span, &record), record);
        self.items += 1;
    }

    fn envelope(&mut self, envelope: &[u8]) -> EnvelopeHash {
        let hash = key::envelope_hash(envelope);
        if self.known.envelopes.insert(hash) {
            self.batch.insert(&self.segment.keyspace, key::envelope_key(hash), envelope);
            self.items += 1;
        }
        hash
    }

    /// Names too long to be read in a list are not in it; searches find them all the same.
    fn name(&mut self, service: &str, kind: &str, operation: &str) {
        if service.is_empty() || service.len() + operation.len() > TERM_BYTES_MAX {
            return;
        }
        self.names.insert(key::service_key(service));
        self.names.insert(key::operation_key(service, kind, operation));
    }

    fn flush(&mut self) -> Result<(), String> {
        let keyspace = &self.segment.keyspace;
        for posting in std::mem::take(&mut self.postings) {
            self.batch.insert(keyspace, posting, []);
        }
        for name in std::mem::take(&mut self.names) {
            self.batch.insert(keyspace, name, []);
        }
        self.items = 0;
        let batch = std::mem::replace(&mut self.batch, self.writing.batch());
        batch.commit().map_err(engine_text)
    }
}
