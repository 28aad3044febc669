//! An Export of anybody, taken apart.

use std::ops::Range;

use super::shape::{self, Message, fits};
use super::span::{self, ForeignSpan};
use crate::id::{SpanId, TraceId};
use crate::wire::{Field, Fields, otlp};

/// Spans of one message. Empty ones take two bytes, so the size of a message bounds too little.
pub const SPANS_A_MESSAGE_MAX: usize = 200_000;
/// A span with its resource and scope: alone in a message it still fits the 4 MiB that gRPC
/// clients take by default.
pub const RECORD_BYTES_MAX: usize = 3 << 20;

/// The spans of one message, with the resources and scopes around them.
#[derive(Debug, Default)]
pub struct ForeignBatch {
    message: Vec<u8>,
    resources: Vec<Vec<u8>>,
    scopes: Vec<Vec<u8>>,
    spans: Vec<Entry>,
    envelope_bytes: usize,
}

#[derive(Debug)]
struct Entry {
    trace: TraceId,
    span: SpanId,
    resource: usize,
    scope: usize,
    bytes: Range<usize>,
}

/// Spans of a message that were not taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// No reader of OTLP could decode them.
    pub malformed: usize,
    /// Larger than [`RECORD_BYTES_MAX`] with resource and scope.
    pub too_large: usize,
}

/// A message of which nothing is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// The message around the spans is no OTLP.
    #[error("not an OTLP trace message: malformed protobuf")]
    Malformed,
    /// Too many spans.
    #[error("more than {SPANS_A_MESSAGE_MAX} spans in one message, send fewer at a time")]
    TooMany,
}

impl ForeignBatch {
    /// Takes apart an `ExportTraceServiceRequest`.
    pub fn split(message: Vec<u8>) -> Result<(Self, Refusals), SplitError> {
        let mut splitter =
            Splitter { message: &message, parts: Self::default(), refused: Refusals::default() };
        splitter.message()?;
        let Splitter { parts, refused, .. } = splitter;
        Ok((Self { message, ..parts }, refused))
    }

    /// The spans in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = ForeignSpan<'_>> {
        self.spans.iter().map(|entry| ForeignSpan {
            trace: entry.trace,
            span: entry.span,
            resource: &self.resources[entry.resource],
            scope: &self.scopes[entry.scope],
            bytes: &self.message[entry.bytes.clone()],
        })
    }

    /// Number of spans.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Bytes it holds.
    pub fn byte_len(&self) -> usize {
        self.message.len() + self.envelope_bytes + self.spans.len() * size_of::<Entry>()
    }
}

/// A resource or scope whose spans are being read; kept when the first of them is taken.
struct Envelope {
    bytes: Vec<u8>,
    fits: bool,
    kept: Option<usize>,
}

impl Envelope {
    /// All fields but the one that holds what is inside.
    fn of(message: &[u8], inside: u32, shape: Message) -> Result<Self, SplitError> {
        let mut bytes = Vec::new();
        let mut fields = Fields(message);
        loop {
            let before = fields.0;
            let Some(field) = fields.next() else { break };
            let (number, _) = field.map_err(|()| SplitError::Malformed)?;
            if number != inside {
                bytes.extend_from_slice(&before[..before.len() - fields.0.len()]);
            }
        }
        let fits = fits(&bytes, shape);
        Ok(Self { bytes, fits, kept: None })
    }

    fn keep(&mut self, all: &mut Vec<Vec<u8>>) -> usize {
        *self.kept.get_or_insert_with(|| {
            all.push(self.bytes.clone());
            all.len() - 1
        })
    }
}

struct Splitter<'m> {
    message: &'m [u8],
    parts: ForeignBatch,
    refused: Refusals,
}

impl<'m> Splitter<'m> {
    fn message(&mut self) -> Result<(), SplitError> {
        let message = self.message;
        each(message, otlp::RESOURCE_SPANS, &mut |resource| self.resource(resource))
    }

    fn resource(&mut self, message: &'m [u8]) -> Result<(), SplitError> {
        let shape = &shape::RESOURCE_ENVELOPE;
        let mut resource = Envelope::of(message, otlp::SCOPE_SPANS, shape)?;
        each(message, otlp::SCOPE_SPANS, &mut |scope| self.scope(&mut resource, scope))
    }

    fn scope(&mut self, resource: &mut Envelope, message: &'m [u8]) -> Result<(), SplitError> {
        let mut scope = Envelope::of(message, otlp::SPANS, &shape::SCOPE_ENVELOPE)?;
        each(message, otlp::SPANS, &mut |span| self.span(resource, &mut scope, span))
    }

    fn span(
        &mut self,
        resource: &mut Envelope,
        scope: &mut Envelope,
        bytes: &'m [u8],
    ) -> Result<(), SplitError> {
        if self.parts.spans.len() == SPANS_A_MESSAGE_MAX {
            return Err(SplitError::TooMany);
        }
        if resource.bytes.len() + scope.bytes.len() + bytes.len() > RECORD_BYTES_MAX {
            self.refused.too_large += 1;
        } else if !(resource.fits && scope.fits && fits(bytes, &shape::SPAN)) {
            self.refused.malformed += 1;
        } else {
            self.take(resource, scope, bytes);
        }
        Ok(())
    }

    fn take(&mut self, resource: &mut Envelope, scope: &mut Envelope, bytes: &'m [u8]) {
        let parts = &mut self.parts;
        let start = bytes.as_ptr().addr() - self.message.as_ptr().addr();
        let (trace, span) = span::ids(bytes);
        let entry = Entry {
            trace,
            span,
            resource: resource.keep(&mut parts.resources),
            scope: scope.keep(&mut parts.scopes),
            bytes: start..start + bytes.len(),
        };
        parts.spans.push(entry);
    }
}

type Visit<'v, 'm> = &'v mut dyn FnMut(&'m [u8]) -> Result<(), SplitError>;

fn each<'m>(message: &'m [u8], number: u32, visit: Visit<'_, 'm>) -> Result<(), SplitError> {
    for field in Fields(message) {
        match field.map_err(|()| SplitError::Malformed)? {
            (at, Field::Bytes(inner)) if at == number => visit(inner)?,
            (at, _) if at == number => return Err(SplitError::Malformed),
            _ => {}
        }
    }
    Ok(())
}
