//! Turns one audit event into the spans that tell it, and the frames that announce them.
//!
//! Promise: the same event gives the same spans, byte for byte, whoever computes them and
//! whenever; strings go from the event's own text into the encoded span, bodies through redaction.
//! Never here: IO, clocks, waiting for another source. What is missing is joined when somebody
//! reads.

mod act;
mod annotations;
mod audit;
mod bodies;
mod event;
mod identify;

use std::sync::Arc;

use kausal_audit::{Body, Event};
use kausal_object::{KeyRef, Redaction};
use kausal_trace::batch::SPAN_BYTES_MAX;
use kausal_trace::{KeyHash, SpanBatch, UnixNanos, Window};

pub use bodies::BODY_BYTES_MAX;
pub use identify::KEY_PART_BYTES_MAX;

use crate::cluster::ClusterName;
use crate::frames::{BatchFrames, FrameMemory, LinkEnd, LinkFrame};
use act::Words;
use bodies::{BodyText, ReadBody};

/// When an event happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventTime {
    /// When the request was received, or what stands in for that.
    pub received: UnixNanos,
    /// Where the time was taken from when the event lost its own; empty when it did not.
    pub source: &'static str,
}

/// Why an event has no spans although it was decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unencodable {
    /// A part of its object key is longer than any object's.
    #[error("a part of the object key is longer than {KEY_PART_BYTES_MAX} bytes")]
    KeyTooLong,
    /// Its span is larger than stores take, bodies left out.
    #[error("the span is larger than {} bytes without its bodies", SPAN_BYTES_MAX)]
    SpanTooLarge,
    /// It lies further ahead of the clock than is believed.
    #[error("the event lies in the future")]
    Future,
}

impl Unencodable {
    /// A label for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KeyTooLong => "key-too-long",
            Self::SpanTooLarge => "span-too-large",
            Self::Future => "future",
        }
    }
}

/// What an event became.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    /// Fact spans written.
    pub facts: u64,
    /// Frame spans written.
    pub frames: u64,
}

/// Where spans are written to.
#[derive(Debug)]
pub struct Output<'a> {
    /// The batch.
    pub batch: &'a mut SpanBatch,
    /// The frames of the batch.
    pub frames: &'a mut BatchFrames,
    /// Frames that need not be written again.
    pub memory: &'a FrameMemory,
    /// Facts in windows that start after this are refused.
    pub not_after: UnixNanos,
}

impl Output<'_> {
    /// Writes one span; takes it back, and says `false`, when it is larger than stores take.
    fn write_span(&mut self, write: impl FnOnce(&mut SpanBatch)) -> bool {
        let before = self.batch.byte_len();
        write(self.batch);
        let fits = self.batch.byte_len() - before <= SPAN_BYTES_MAX;
        if !fits {
            self.batch.pop();
        }
        fits
    }
}

/// Encodes the events of one cluster.
#[derive(Debug)]
pub struct Encoder {
    cluster: ClusterName,
    redaction: Arc<Redaction>,
    scratch: Scratch,
}

/// Memory that is used again for every event.
#[derive(Debug, Default)]
struct Scratch {
    request: BodyText,
    response: BodyText,
    item: BodyText,
    words: Words,
}

impl Encoder {
    /// An encoder for events of `cluster`.
    pub fn new(cluster: ClusterName, redaction: Arc<Redaction>) -> Self {
        Self { cluster, redaction, scratch: Scratch::default() }
    }

    /// The cluster whose events it encodes.
    pub fn cluster(&self) -> &ClusterName {
        &self.cluster
    }

    /// Writes the spans of one event. On an error nothing was written.
    pub fn encode(
        &mut self,
        event: &Event<'_>,
        time: EventTime,
        out: &mut Output<'_>,
    ) -> Result<Encoded, Unencodable> {
        let before = out.batch.len();
        let request = event.request_object.as_ref().map(Body::json);
        let response = event.response_object.as_ref().map(Body::json);
        let texts = Texts { request: request.as_deref(), response: response.as_deref() };
        let facts = match event::find(event, texts) {
            Some(told) => self.event_span(event, &told, out)?,
            None => self.audit_spans(event, texts, time, out)?,
        };
        let written = (out.batch.len() - before) as u64;
        Ok(Encoded { facts, frames: written - facts })
    }

    /// Announces a fact: its window in the object's catalogue.
    fn announce(key: KeyRef<'_>, hash: KeyHash, time: UnixNanos, out: &mut Output<'_>) {
        out.frames.object(out.memory, out.batch, key, hash, Window::of(time));
    }

    /// Announces what a state of an object says of others.
    fn announce_links(
        own: LinkEnd<'_>,
        body: &ReadBody<'_>,
        time: UnixNanos,
        out: &mut Output<'_>,
    ) {
        let links = body.facts.as_ref().map_or(&[][..], |facts| &facts.links);
        for link in links {
            let other = LinkEnd {
                key: KeyRef {
                    cluster: own.key.cluster,
                    group: &link.group,
                    resource: &link.resource,
                    namespace: &link.namespace,
                    name: &link.name,
                },
                uid: &link.uid,
                kind: &link.kind,
                api_version: &link.api_version,
            };
            if identify::is_plausible(other.key) {
                let day = Window::of(time).day();
                let frame = LinkFrame { day, own, other, role: link.role, class: link.class };
                out.frames.link(out.memory, out.batch, &frame);
            }
        }
    }
}

/// The texts of both bodies.
#[derive(Clone, Copy, Debug)]
struct Texts<'a> {
    request: Option<&'a str>,
    response: Option<&'a str>,
}

/// Refuses what lies too far ahead.
fn check_time(time: UnixNanos, out: &Output<'_>) -> Result<(), Unencodable> {
    if Window::of(time).start() > out.not_after { Err(Unencodable::Future) } else { Ok(()) }
}

/// Whether the request changed something: it ended well and was no rehearsal.
fn took_effect(event: &Event<'_>, dry_run: bool) -> bool {
    let code = event.status.as_ref().map_or(0, |status| status.code);
    (200..300).contains(&code) && !dry_run
}
