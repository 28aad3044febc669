//! Reads whole traces.
//!
//! Promise: a trace is one range of keys in one keyspace, found without a lookup; equal copies are
//! one key and so appear once.

use std::collections::BTreeMap;

use kausal_trace::TraceId;

use super::engine::{Engine, read_failed};
use super::key::{Place, Purpose, VALUE_OTLP};
use super::partition;
use crate::{ReadBudget, StoreError, StoredTrace};

/// The spans of `ids`, in their order; traces without spans are left out.
pub(crate) fn traces(
    engine: &Engine,
    ids: &[TraceId],
    budget: ReadBudget,
) -> Result<Vec<StoredTrace>, StoreError> {
    let mut left = budget;
    let mut found = Vec::with_capacity(ids.len());
    let mut seen = BTreeMap::new();
    for &id in ids {
        if seen.insert(id, ()).is_some() {
            continue;
        }
        let trace = trace(engine, id, &mut left)?;
        if trace.cut || !trace.spans.is_empty() {
            found.push(trace);
        }
    }
    Ok(found)
}

fn trace(engine: &Engine, id: TraceId, left: &mut ReadBudget) -> Result<StoredTrace, StoreError> {
    let mut trace = StoredTrace { id, spans: Vec::new(), cut: false };
    let keyspace = Place::of(id).and_then(|place| {
        let window = place.window().0;
        let partitions = engine.partitions();
        let keyspace = match place.purpose {
            Purpose::Facts => {
                partition::find(&partitions.facts, |p| p.range, window)?.facts.clone()
            }
            Purpose::Catalogue => {
                partition::find(&partitions.catalogue, |p| p.range, window)?.frames.clone()
            }
        };
        Some((keyspace, place))
    });
    let Some((keyspace, place)) = keyspace else { return Ok(trace) };
    for item in keyspace.prefix(place.prefix()) {
        let value = item.value().map_err(read_failed)?;
        let span = span_of(&value)?;
        if left.spans_max == 0 || span.len() > left.bytes_max {
            trace.cut = true;
            break;
        }
        left.spans_max -= 1;
        left.bytes_max -= span.len();
        trace.spans.push(span.into());
    }
    Ok(trace)
}

/// The span in a stored value.
pub(crate) fn span_of(value: &[u8]) -> Result<&[u8], StoreError> {
    match value.split_first() {
        Some((&VALUE_OTLP, span)) => Ok(span),
        Some((format, _)) => {
            Err(StoreError::ReadFailed { cause: format!("a stored span has form {format}") })
        }
        None => Err(StoreError::ReadFailed { cause: "a stored span is empty".to_owned() }),
    }
}
