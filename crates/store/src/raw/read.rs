//! Reads whole traces.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use fjall::{Readable as _, Slice, Snapshot};
use kausal_trace::foreign::ForeignSpan;
use kausal_trace::{SpanId, TraceId};

use super::key::{self, EnvelopeHash, RECORD_HEAD_BYTES, SPAN_KEY_BYTES};
use super::segment::Segment;
use crate::embedded::read_failed;
use crate::{ReadBudget, StoreError};

/// One consistent sight of a raw store.
pub struct RawView {
    /// Oldest first.
    pub(super) segments: Vec<Segment>,
    pub(super) snapshot: Snapshot,
}

/// The spans of one trace.
#[derive(Clone, Debug, Default)]
pub struct RawTrace {
    /// Ordered by span id; spans with equal ids by their content.
    pub spans: Vec<RawSpan>,
    /// The budget ended before the trace did.
    pub cut: bool,
}

/// A stored span.
#[derive(Clone, Debug)]
pub struct RawSpan {
    trace: TraceId,
    span: SpanId,
    resource: Slice,
    scope: Slice,
    record: Slice,
}

impl RawSpan {
    /// The span as it came.
    pub fn get(&self) -> ForeignSpan<'_> {
        ForeignSpan {
            trace: self.trace,
            span: self.span,
            resource: &self.resource,
            scope: &self.scope,
            bytes: self.record.get(RECORD_HEAD_BYTES..).unwrap_or_default(),
        }
    }
}

impl RawView {
    /// The spans of a trace; none when nothing is known of it.
    pub fn trace(&self, id: TraceId, budget: ReadBudget) -> Result<RawTrace, StoreError> {
        let mut reading = Reading {
            view: self,
            left: budget,
            envelopes: HashMap::new(),
            spans: BTreeMap::new(),
            cut: false,
        };
        for segment in &self.segments {
            reading.segment(segment, id)?;
        }
        Ok(RawTrace { spans: reading.spans.into_values().collect(), cut: reading.cut })
    }
}

struct Reading<'v> {
    view: &'v RawView,
    left: ReadBudget,
    envelopes: HashMap<EnvelopeHash, Slice>,
    /// By key: what was delivered to two segments is here once.
    spans: BTreeMap<[u8; SPAN_KEY_BYTES], RawSpan>,
    cut: bool,
}

impl Reading<'_> {
    fn segment(&mut self, segment: &Segment, trace: TraceId) -> Result<(), StoreError> {
        for item in self.view.snapshot.prefix(&segment.keyspace, key::trace_prefix(trace)) {
            let (key, record) = item.into_inner().map_err(read_failed)?;
            let key: [u8; SPAN_KEY_BYTES] =
                key.as_ref().try_into().map_err(|_| damaged("a key has a wrong length"))?;
            if self.spans.contains_key(&key) {
                continue;
            }
            if self.left.spans_max == 0 || record.len() > self.left.bytes_max {
                self.cut = true;
                return Ok(());
            }
            self.left.spans_max -= 1;
            self.left.bytes_max -= record.len();
            let span = self.span(segment, trace, &key, record)?;
            self.spans.insert(key, span);
        }
        Ok(())
    }

    fn span(
        &mut self,
        segment: &Segment,
        trace: TraceId,
        key: &[u8; SPAN_KEY_BYTES],
        record: Slice,
    ) -> Result<RawSpan, StoreError> {
        let hash = |at: usize| {
            let bytes = record.get(at..at + 16).and_then(|bytes| bytes.try_into().ok());
            bytes.ok_or_else(|| damaged("a span is too short"))
        };
        let (resource, scope) = (hash(0)?, hash(16)?);
        let mut span = [0; 8];
        span.copy_from_slice(&key[17..25]);
        Ok(RawSpan {
            trace,
            span: SpanId(span),
            resource: self.envelope(segment, resource)?,
            scope: self.envelope(segment, scope)?,
            record,
        })
    }

    fn envelope(&mut self, segment: &Segment, hash: EnvelopeHash) -> Result<Slice, StoreError> {
        match self.envelopes.entry(hash) {
            Entry::Occupied(known) => Ok(known.get().clone()),
            Entry::Vacant(empty) => {
                let key = key::envelope_key(hash);
                let found = self.view.snapshot.get(&segment.keyspace, key).map_err(read_failed)?;
                let found = found.ok_or_else(|| damaged("the resource of a span is missing"))?;
                Ok(empty.insert(found).clone())
            }
        }
    }
}

pub(super) fn damaged(cause: &str) -> StoreError {
    StoreError::ReadFailed { cause: cause.to_owned() }
}
