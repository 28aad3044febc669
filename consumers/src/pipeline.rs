//! From bytes to durable spans: decode, filter, encode, hand over, acknowledge.
//!
//! Promise: every item of the input is kept, counted or set aside, and is in exactly one of the
//! counts; an acknowledgement is passed on only after the sink's own; frames are remembered only
//! then. What was set aside is on disk before its batch is acknowledged.
//! Never here: where bytes come from, and what a source does with an acknowledgement.

use std::fmt::Display;
use std::sync::Arc;

use kausal_audit::Limits;
use kausal_object::Redaction;
use kausal_runtime::clock::Stopwatch;
use kausal_store::{AHEAD_SECONDS_MAX, Clock};
use kausal_trace::{SpanBatch, UnixNanos};

use crate::cluster::ClusterName;
use crate::counts::{Counts, Tally};
use crate::dead_letters::{DeadLetters, Letter};
use crate::filter::Filter;
use crate::frames::{FrameMemory, Mark};
use crate::intake::Intake;
use crate::metrics::{BatchDurable, BatchFailed, LetterLost, Metrics, SetAside};
use crate::sink::{Delivery, Sink, SinkError};

/// A batch is handed over when its spans have this many bytes: large enough that one fsync serves
/// many hundred events, small enough that a few of them fit into any memory.
pub const BATCH_BYTES: usize = 2 << 20;

/// What every intake of a process shares.
#[derive(Debug)]
pub struct Pipeline {
    parts: PipelineParts,
    memory: FrameMemory,
}

/// What a pipeline is made of.
pub struct PipelineParts {
    /// Which events become spans.
    pub filter: Filter,
    /// How secrets are hidden.
    pub redaction: Arc<Redaction>,
    /// What one event may cost.
    pub limits: Limits,
    /// Where spans go.
    pub sink: Arc<dyn Sink>,
    /// Where originals go that cannot be told; `None`: they are only counted and logged.
    pub dead_letters: Option<DeadLetters>,
    /// The wall clock; facts far ahead of it are set aside.
    pub clock: Clock,
    /// Counters.
    pub metrics: Metrics,
}

impl std::fmt::Debug for PipelineParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PipelineParts").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// A batch that is ready to be handed over, and what it stands for.
#[derive(Debug)]
pub struct Parcel {
    pub(crate) source: &'static str,
    pub(crate) cluster: ClusterName,
    pub(crate) batch: SpanBatch,
    pub(crate) frames: Vec<Mark>,
    pub(crate) tally: Tally,
}

/// A parcel that was handed over.
#[derive(Debug)]
pub struct UnderWay {
    delivery: Option<Delivery>,
    source: &'static str,
    cluster: ClusterName,
    frames: Vec<Mark>,
    tally: Tally,
    since: Stopwatch,
}

impl Pipeline {
    /// A pipeline of these parts.
    pub fn new(parts: PipelineParts) -> Arc<Self> {
        Arc::new(Self { parts, memory: FrameMemory::default() })
    }

    /// Begins to take events of `cluster`. `source` is the kind of source, `input` what it reads.
    pub fn intake(&self, source: &'static str, input: &str, cluster: ClusterName) -> Intake<'_> {
        Intake::new(self, source, input, cluster)
    }

    /// The counters.
    pub fn metrics(&self) -> &Metrics {
        &self.parts.metrics
    }

    pub(crate) fn parts(&self) -> &PipelineParts {
        &self.parts
    }

    pub(crate) fn memory(&self) -> &FrameMemory {
        &self.memory
    }

    /// Facts in windows that start later are set aside.
    pub(crate) fn not_after(&self) -> UnixNanos {
        let seconds = self.parts.clock.now().seconds();
        UnixNanos::from_seconds(seconds.saturating_add(AHEAD_SECONDS_MAX))
    }

    /// Hands a parcel over; a full sink makes this wait for a bounded time.
    pub fn hand_over(&self, parcel: Parcel) -> UnderWay {
        let Parcel { source, cluster, batch, frames, tally } = parcel;
        let delivery = (!batch.is_empty()).then(|| self.parts.sink.submit(batch));
        UnderWay { delivery, source, cluster, frames, tally, since: Stopwatch::start() }
    }

    /// Hands a parcel over if the sink has room for it now.
    pub fn try_hand_over(&self, parcel: Parcel) -> Result<UnderWay, SinkError> {
        let Parcel { source, cluster, batch, frames, tally } = parcel;
        let submit = |batch| self.parts.sink.try_submit(batch).map_err(|_| full());
        let delivery = (!batch.is_empty()).then(|| submit(batch)).transpose()?;
        Ok(UnderWay { delivery, source, cluster, frames, tally, since: Stopwatch::start() })
    }

    /// Waits until a parcel is durable.
    pub async fn acknowledged(&self, mut parcel: UnderWay) -> Result<Counts, SinkError> {
        let answer = match parcel.delivery.take() {
            Some(delivery) => delivery.wait().await,
            None => Ok(()),
        };
        self.close(parcel, answer)
    }

    /// The same on a thread that may block.
    pub fn acknowledged_blocking(&self, mut parcel: UnderWay) -> Result<Counts, SinkError> {
        let answer = parcel.delivery.take().map_or(Ok(()), Delivery::wait_blocking);
        self.close(parcel, answer)
    }

    fn close(&self, parcel: UnderWay, answer: Result<(), SinkError>) -> Result<Counts, SinkError> {
        let UnderWay { source, cluster, frames, tally, since, .. } = parcel;
        let (metrics, cluster) = (&self.parts.metrics, cluster.as_str());
        if let Err(error) = answer {
            BatchFailed { source, cluster, error: &error }.emit(metrics);
            return Err(error);
        }
        if !tally.rejected.is_empty() {
            self.sync_letters();
        }
        self.memory.acknowledged(&frames);
        let counts = tally.named(&self.parts.filter);
        BatchDurable { source, cluster, counts: &counts, took: since.elapsed() }.emit(metrics);
        Ok(counts)
    }

    /// Puts an original aside. A folder that cannot be written does not stop the others: the
    /// sender could only send the same again.
    pub(crate) fn set_aside(&self, letter: &Letter<'_>, source: &'static str, why: &dyn Display) {
        let Letter { source: input, cluster, position, length: bytes, .. } = *letter;
        SetAside { source, input, cluster, position, bytes, reason: why }.emit();
        if let Some(Err(error)) = self.parts.dead_letters.as_ref().map(|file| file.put(letter)) {
            LetterLost { error: &error }.emit(&self.parts.metrics);
        }
    }

    fn sync_letters(&self) {
        if let Some(Err(error)) = self.parts.dead_letters.as_ref().map(DeadLetters::sync) {
            LetterLost { error: &error }.emit(&self.parts.metrics);
        }
    }
}

fn full() -> SinkError {
    SinkError::Busy { reason: "its queue is full".to_owned() }
}
