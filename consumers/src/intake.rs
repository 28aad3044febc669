//! One stream of events on its way into batches.
//!
//! Promise: an event that lost its time gets that of the nearest event of the same input that has
//! one, the earlier of two that are as near, and says so. It waits for a later one no further than
//! the end of the piece it came in.
//! Never here: waiting. Whoever owns the stream decides what to do with a full batch.

use std::fmt::Display;
use std::sync::Arc;

use kausal_audit::read::Oversized;
use kausal_audit::{
    Event, Extent, Item, NoEventList, Reason, Rejected, WebhookBody, decode_all,
    decode_webhook_body,
};
use kausal_trace::{SpanBatch, UnixNanos};

use crate::cluster::ClusterName;
use crate::counts::Tally;
use crate::dead_letters::Letter;
use crate::filter::Action;
use crate::frames::BatchFrames;
use crate::pipeline::{BATCH_BYTES, Parcel, Pipeline};
use crate::sink::SinkError;
use crate::spans::{Encoder, EventTime, Output};

const OWN: &str = "";
const FROM_STAGE: &str = "stage timestamp";
const FROM_NEIGHBOUR: &str = "nearest event of the input";
/// A batch is full with the event that reaches its limit; most have less than this.
const BATCH_BYTES_OVER: usize = 64 << 10;
/// Reason for an event that lost its time in an input that holds no other.
const NO_TIME: &str = "no-time";

/// Takes the events of one cluster from one input.
#[derive(Debug)]
pub struct Intake<'p> {
    pipeline: &'p Pipeline,
    source: &'static str,
    input: Arc<str>,
    encoder: Encoder,
    batch: SpanBatch,
    frames: BatchFrames,
    tally: Tally,
    not_after: UnixNanos,
    /// Events seen, and place and time of the newest that had its own.
    seen: u64,
    newest: Option<(u64, UnixNanos)>,
}

/// What is done with a parcel that is full.
pub type HandOver<'h> = &'h mut dyn FnMut(Parcel) -> Result<(), SinkError>;

/// An event that waits for the next one that has a time.
struct Timeless<'a> {
    place: u64,
    event: Event<'a>,
    rule: usize,
}

/// The events of one piece of input.
struct Piece<'a> {
    bytes: &'a [u8],
    position: u64,
    timeless: Vec<Timeless<'a>>,
}

/// An original, as it stood in its input.
#[derive(Clone, Copy)]
struct Origin<'a> {
    position: u64,
    /// All of it, or its beginning.
    bytes: &'a [u8],
    /// Of the whole, in bytes.
    length: u64,
}

impl<'a> Origin<'a> {
    fn whole(position: u64, bytes: &'a [u8]) -> Self {
        Self { position, bytes, length: bytes.len() as u64 }
    }
}

impl<'p> Intake<'p> {
    pub(crate) fn new(
        pipeline: &'p Pipeline,
        source: &'static str,
        input: &str,
        cluster: ClusterName,
    ) -> Self {
        let redaction = Arc::clone(&pipeline.parts().redaction);
        Self {
            pipeline,
            source,
            input: input.into(),
            encoder: Encoder::new(cluster, redaction),
            batch: SpanBatch::default(),
            frames: BatchFrames::default(),
            tally: Tally::default(),
            not_after: pipeline.not_after(),
            seen: 0,
            newest: None,
        }
    }

    /// Takes whole documents that begin at `position` of the input.
    pub fn take(
        &mut self,
        bytes: &[u8],
        position: u64,
        hand_over: HandOver<'_>,
    ) -> Result<(), SinkError> {
        let limits = self.pipeline.parts().limits;
        self.piece(bytes, position, hand_over, |each| decode_all(bytes, &limits, each))
    }

    /// Takes the body of an audit webhook's request.
    pub fn take_webhook_body(
        &mut self,
        bytes: &[u8],
        hand_over: HandOver<'_>,
    ) -> Result<Result<WebhookBody, NoEventList>, SinkError> {
        let limits = self.pipeline.parts().limits;
        let mut answer = Err(NoEventList::NoItems);
        self.piece(bytes, 0, hand_over, |each| {
            answer = decode_webhook_body(bytes, &limits, each);
        })?;
        Ok(answer)
    }

    /// Sets aside a document that is too large to be held.
    pub fn pass_over(&mut self, oversized: &Oversized) {
        let reason = oversized.reason();
        let Oversized { offset: position, head, bytes: length, .. } = oversized;
        let origin = Origin { position: *position, bytes: head, length: *length };
        self.put_aside(reason_label(&reason), origin, &reason);
    }

    /// What was taken since the last parcel. Ends an input.
    pub fn finish(&mut self) -> Parcel {
        self.parcel(SpanBatch::default())
    }

    /// What was taken since the last parcel; goes on with an empty batch.
    fn parcel(&mut self, next: SpanBatch) -> Parcel {
        let mut tally = std::mem::take(&mut self.tally);
        tally.span_bytes = self.batch.byte_len() as u64;
        Parcel {
            source: self.source,
            cluster: self.encoder.cluster().clone(),
            batch: std::mem::replace(&mut self.batch, next),
            frames: self.frames.take(),
            tally,
        }
    }

    fn piece<'a>(
        &mut self,
        bytes: &'a [u8],
        position: u64,
        hand_over: HandOver<'_>,
        decode: impl FnOnce(&mut dyn FnMut(Item<'a>)),
    ) -> Result<(), SinkError> {
        self.pipeline.metrics().received(self.source, bytes.len() as u64);
        self.not_after = self.pipeline.not_after();
        let mut piece = Piece { bytes, position, timeless: Vec::new() };
        let mut result = Ok(());
        decode(&mut |item| {
            if result.is_ok() {
                result = self.item(item, &mut piece, hand_over);
            }
        });
        result?;
        self.settle(&mut piece, None, hand_over)
    }

    fn item<'a>(
        &mut self,
        item: Item<'a>,
        piece: &mut Piece<'a>,
        hand_over: HandOver<'_>,
    ) -> Result<(), SinkError> {
        match item {
            Ok(event) => self.event(event, piece, hand_over),
            Err(rejected) => {
                self.reject(&rejected, piece.position);
                Ok(())
            }
        }
    }

    fn event<'a>(
        &mut self,
        event: Event<'a>,
        piece: &mut Piece<'a>,
        hand_over: HandOver<'_>,
    ) -> Result<(), SinkError> {
        let place = self.seen;
        self.seen += 1;
        self.tally.events += 1;
        self.tally.truncated += u64::from(event.truncated.is_some());
        let time = own_time(&event);
        if let Some(time) = time {
            self.settle(piece, Some((place, time.received)), hand_over)?;
            self.newest = Some((place, time.received));
        }
        let decision = self.pipeline.parts().filter.decide(self.encoder.cluster(), &event);
        if decision.action == Action::Count {
            self.tally.rule(decision.rule);
            return Ok(());
        }
        let rule = decision.rule;
        let Some(time) = time else {
            piece.timeless.push(Timeless { place, event, rule });
            return Ok(());
        };
        self.keep(&event, time, rule, piece.origin(&event), hand_over)
    }

    /// Tells the events that waited for a time; `next` is the event with a time after them.
    fn settle(
        &mut self,
        piece: &mut Piece<'_>,
        next: Option<(u64, UnixNanos)>,
        hand_over: HandOver<'_>,
    ) -> Result<(), SinkError> {
        for Timeless { place, event, rule } in std::mem::take(&mut piece.timeless) {
            let origin = piece.origin(&event);
            match nearest(place, self.newest, next) {
                Some(received) => {
                    let time = EventTime { received, source: FROM_NEIGHBOUR };
                    self.keep(&event, time, rule, origin, hand_over)?;
                }
                None => self.put_aside(NO_TIME, origin, &"the event lost its time"),
            }
        }
        Ok(())
    }

    fn keep(
        &mut self,
        event: &Event<'_>,
        time: EventTime,
        rule: usize,
        origin: Origin<'_>,
        hand_over: HandOver<'_>,
    ) -> Result<(), SinkError> {
        let mut out = Output {
            batch: &mut self.batch,
            frames: &mut self.frames,
            memory: self.pipeline.memory(),
            not_after: self.not_after,
        };
        match self.encoder.encode(event, time, &mut out) {
            Ok(encoded) => {
                self.tally.rule(rule);
                self.tally.fact_spans += encoded.facts;
                self.tally.frame_spans += encoded.frames;
            }
            Err(error) => self.put_aside(error.as_str(), origin, &error),
        }
        if self.batch.byte_len() < BATCH_BYTES {
            return Ok(());
        }
        hand_over(self.parcel(SpanBatch::with_capacity(BATCH_BYTES + BATCH_BYTES_OVER)))
    }

    fn reject(&mut self, rejected: &Rejected<'_>, position: u64) {
        let reason = &rejected.reason;
        let position = position + rejected.offset as u64;
        let origin = Origin::whole(position, rejected.bytes);
        self.put_aside(reason_label(reason), origin, reason);
    }

    fn put_aside(&mut self, reason: &'static str, origin: Origin<'_>, why: &dyn Display) {
        self.tally.reject(reason);
        let Origin { position, bytes, length } = origin;
        let (source, cluster) = (&*self.input, self.encoder.cluster().as_str());
        let letter = Letter { reason, source, cluster, position, bytes, length };
        self.pipeline.set_aside(&letter, self.source, why);
    }
}

impl<'a> Piece<'a> {
    /// Where an event came from.
    fn origin(&self, event: &Event<'_>) -> Origin<'a> {
        let Extent { start, end } = event.extent;
        let bytes = self.bytes.get(start..end).unwrap_or_default();
        Origin::whole(self.position + start as u64, bytes)
    }
}

/// The event's own time.
fn own_time(event: &Event<'_>) -> Option<EventTime> {
    match (event.request_received, event.stage_timestamp) {
        (Some(received), _) => Some(EventTime { received, source: OWN }),
        (None, Some(received)) => Some(EventTime { received, source: FROM_STAGE }),
        (None, None) => None,
    }
}

fn nearest(
    place: u64,
    before: Option<(u64, UnixNanos)>,
    after: Option<(u64, UnixNanos)>,
) -> Option<UnixNanos> {
    match (before, after) {
        (Some((before, _)), Some((after, time))) if after - place < place - before => Some(time),
        (Some((_, time)), _) | (None, Some((_, time))) => Some(time),
        (None, None) => None,
    }
}

/// A label for metrics and the dead-letter file.
fn reason_label(reason: &Reason) -> &'static str {
    match reason {
        Reason::NotJson { .. } => "not-json",
        Reason::NotUtf8 { .. } => "not-utf8",
        Reason::NotAnObject { .. } => "not-an-object",
        Reason::Missing { .. } => "not-an-event",
        Reason::Cut { .. } => "cut",
        Reason::TooLarge { .. } => "too-large",
        Reason::TooLong { .. } => "too-long",
        Reason::TooMany { .. } => "too-many",
        Reason::Malformed { .. } => "malformed",
    }
}
