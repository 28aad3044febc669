//! Reads traces within one budget of spans, bytes and time.
//!
//! Promise: however many calls it takes, one question reads no more than its limits allow.

use kausal_runtime::clock::Stopwatch;
use kausal_store::{ReadBudget, SpanStore, StoredTrace};
use kausal_trace::TraceId;

use crate::config::ReadLimits;
use crate::error::ReadError;
use crate::stop::Stop;

/// The reading of one question.
pub(crate) struct Meter<'a> {
    store: &'a dyn SpanStore,
    pub(crate) limits: &'a ReadLimits,
    stop: &'a Stop,
    started: Stopwatch,
    left: ReadBudget,
}

impl<'a> Meter<'a> {
    pub(crate) fn start(store: &'a dyn SpanStore, limits: &'a ReadLimits, stop: &'a Stop) -> Self {
        let left = ReadBudget { spans_max: limits.spans_max, bytes_max: limits.bytes_max };
        Self { store, limits, stop, started: Stopwatch::start(), left }
    }

    /// Traces in the order asked; those without spans are left out.
    pub(crate) fn read(&mut self, ids: &[TraceId]) -> Result<Vec<StoredTrace>, ReadError> {
        self.stop.check()?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let traces = self.store.traces(ids, self.left)?;
        for span in traces.iter().flat_map(|trace| &trace.spans) {
            self.left.spans_max = self.left.spans_max.saturating_sub(1);
            self.left.bytes_max = self.left.bytes_max.saturating_sub(span.len());
        }
        Ok(traces)
    }

    /// Whether nothing more can be read in time.
    pub(crate) fn is_spent(&self) -> bool {
        self.is_late() || self.left.spans_max == 0 || self.left.bytes_max == 0
    }

    /// Whether the time for following links is over.
    pub(crate) fn is_late(&self) -> bool {
        self.started.elapsed() > self.limits.time_max
    }
}
