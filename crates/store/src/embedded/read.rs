//! Reads whole traces.
//!
//! Promise: a trace is one range of keys in one keyspace, found without a lookup; copies of a span
//! with equal content appear once.

use std::collections::HashSet;

use fjall::{Keyspace, Readable as _};
use kausal_trace::TraceId;

use super::codec::Decoder;
use super::engine::{Partitions, View, read_failed};
use super::key::{Place, Purpose, span_id};
use super::partition;
use crate::{ReadBudget, StoreError, StoredTrace};

/// The spans of `ids`, in their order; traces without spans are left out.
pub(crate) fn traces(
    view: &View,
    ids: &[TraceId],
    budget: ReadBudget,
) -> Result<Vec<StoredTrace>, StoreError> {
    let mut reader = Reader { view, decoder: Decoder::new(&view.dictionaries), left: budget };
    let mut found = Vec::with_capacity(ids.len());
    let mut asked = HashSet::with_capacity(ids.len());
    for &id in ids {
        if asked.insert(id) {
            let trace = reader.trace(id)?;
            found.extend(Some(trace).filter(|trace| trace.cut || !trace.spans.is_empty()));
        }
    }
    Ok(found)
}

struct Reader<'v> {
    view: &'v View,
    decoder: Decoder<'v>,
    left: ReadBudget,
}

impl Reader<'_> {
    fn trace(&mut self, id: TraceId) -> Result<StoredTrace, StoreError> {
        let mut trace = StoredTrace { id, spans: Vec::new(), cut: false };
        let Some(place) = Place::of(id) else { return Ok(trace) };
        let Some(keyspace) = keyspace_of(&self.view.partitions, place) else { return Ok(trace) };
        // Where the copies of the span at hand begin: its id stands in the key, copies are neighbours.
        let (mut id_at_hand, mut copies) = ([0; 8], 0);
        for item in self.view.snapshot.prefix(keyspace, place.prefix()) {
            let (key, value) = item.into_inner().map_err(read_failed)?;
            let span = self.decoder.span(&value)?;
            let id = span_id(&key);
            if id != id_at_hand {
                (id_at_hand, copies) = (id, trace.spans.len());
            }
            if trace.spans.iter().skip(copies).any(|other| **other == *span) {
                continue;
            }
            if self.left.spans_max == 0 || span.len() > self.left.bytes_max {
                trace.cut = true;
                break;
            }
            self.left.spans_max -= 1;
            self.left.bytes_max -= span.len();
            trace.spans.push(span.into());
        }
        Ok(trace)
    }
}

fn keyspace_of(partitions: &Partitions, place: Place) -> Option<&Keyspace> {
    let window = place.window().0;
    match place.purpose {
        Purpose::Facts => partition::find(&partitions.facts, |p| p.range, window).map(|p| &p.facts),
        Purpose::Catalogue => {
            partition::find(&partitions.catalogue, |p| p.range, window).map(|p| &p.frames)
        }
    }
}
