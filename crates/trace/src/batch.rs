//! A batch of encoded spans: what consumers hand to a sink.
//!
//! Spans are encoded once, straight from borrowed data into one growing buffer, in the form they
//! are stored and sent in: OTLP `Span` messages. The resource is not stored; it follows from the
//! span (kind and cluster).

use crate::id::{SpanId, TraceId};
use crate::time::UnixNanos;
use crate::wire;

/// Encoded spans in one buffer.
#[derive(Clone, Debug, Default)]
pub struct SpanBatch {
    bytes: Vec<u8>,
    spans: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    trace: TraceId,
    span: SpanId,
    start: usize,
    end: usize,
}

/// One encoded span of a batch or of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanRecord<'a> {
    /// Trace it belongs to.
    pub trace: TraceId,
    /// Its id.
    pub span: SpanId,
    /// An OTLP `Span` message.
    pub bytes: &'a [u8],
}

impl SpanBatch {
    /// Begins a span; it is complete when the writer is dropped.
    pub fn open(&mut self, span: NewSpan<'_>) -> SpanWriter<'_> {
        let start = self.bytes.len();
        let out = &mut self.bytes;
        wire::put_bytes(out, 1, &span.trace.0);
        wire::put_bytes(out, 2, &span.span.0);
        wire::put_bytes(out, 5, span.name.as_bytes());
        wire::put_tag(out, 6, wire::VARINT);
        wire::put_varint(out, SPAN_KIND_INTERNAL);
        wire::put_fixed64(out, 7, span.start.0);
        wire::put_fixed64(out, 8, span.end.0.max(span.start.0));
        self.spans.push(Entry { trace: span.trace, span: span.span, start, end: start });
        SpanWriter { batch: self }
    }

    /// Adds a span that is encoded already, as it came by OTLP.
    pub fn push_encoded(&mut self, record: SpanRecord<'_>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(record.bytes);
        let end = self.bytes.len();
        self.spans.push(Entry { trace: record.trace, span: record.span, start, end });
    }

    /// Takes back the newest span (used when it turns out to be too large).
    pub fn pop(&mut self) {
        if let Some(entry) = self.spans.pop() {
            self.bytes.truncate(entry.start);
        }
    }

    /// The spans in the order they were added.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = SpanRecord<'_>> {
        self.spans.iter().map(|entry| SpanRecord {
            trace: entry.trace,
            span: entry.span,
            bytes: &self.bytes[entry.start..entry.end],
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

    /// Encoded bytes of all spans.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets the spans and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
    }
}

const SPAN_KIND_INTERNAL: u64 = 1;
const STATUS_ERROR: u64 = 2;
const ATTRIBUTES: u32 = 9;

/// The head of a span to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewSpan<'a> {
    /// Trace it belongs to.
    pub trace: TraceId,
    /// Its id.
    pub span: SpanId,
    /// Stored name, one of a few (`audit patch`).
    pub name: &'a str,
    /// First instant.
    pub start: UnixNanos,
    /// Last instant; never before `start`.
    pub end: UnixNanos,
}

/// Writes the attributes of one span into its batch.
#[derive(Debug)]
pub struct SpanWriter<'b> {
    batch: &'b mut SpanBatch,
}

impl SpanWriter<'_> {
    /// A string attribute.
    pub fn str(&mut self, key: &str, value: &str) -> &mut Self {
        self.str_of(key, &[value])
    }

    /// A string attribute, unless it is empty.
    pub fn str_some(&mut self, key: &str, value: &str) -> &mut Self {
        if !value.is_empty() {
            self.str(key, value);
        }
        self
    }

    /// A string attribute made of pieces.
    pub fn str_of(&mut self, key: &str, pieces: &[&str]) -> &mut Self {
        let len: usize = pieces.iter().map(|piece| piece.len()).sum();
        let out = self.attribute(key, wire::bytes_len(len));
        wire::put_tag(out, 1, wire::BYTES);
        wire::put_varint(out, len as u64);
        for piece in pieces {
            out.extend_from_slice(piece.as_bytes());
        }
        self
    }

    /// An integer attribute.
    pub fn int(&mut self, key: &str, value: i64) -> &mut Self {
        let value = value.cast_unsigned();
        let out = self.attribute(key, 1 + wire::varint_len(value));
        wire::put_tag(out, 3, wire::VARINT);
        wire::put_varint(out, value);
        self
    }

    /// A boolean attribute.
    pub fn bool(&mut self, key: &str, value: bool) -> &mut Self {
        let out = self.attribute(key, 2);
        wire::put_tag(out, 2, wire::VARINT);
        wire::put_varint(out, u64::from(value));
        self
    }

    /// An array-of-strings attribute.
    pub fn strs<'v>(
        &mut self,
        key: &str,
        values: impl Iterator<Item = &'v str> + Clone,
    ) -> &mut Self {
        let item = |value: &str| wire::bytes_len(wire::bytes_len(value.len()));
        let inner: usize = values.clone().map(item).sum();
        let out = self.attribute(key, wire::bytes_len(inner));
        wire::put_tag(out, 5, wire::BYTES);
        wire::put_varint(out, inner as u64);
        for value in values {
            wire::put_tag(out, 1, wire::BYTES);
            wire::put_varint(out, wire::bytes_len(value.len()) as u64);
            wire::put_bytes(out, 1, value.as_bytes());
        }
        self
    }

    /// Marks the span as failed (OTLP status `ERROR`).
    pub fn error(&mut self) -> &mut Self {
        let out = &mut self.batch.bytes;
        wire::put_tag(out, 15, wire::BYTES);
        out.extend_from_slice(&[2, 3 << 3, STATUS_ERROR as u8]);
        self
    }

    /// Encoded bytes of this span so far.
    pub fn byte_len(&self) -> usize {
        let start = self.batch.spans.last().map_or(0, |entry| entry.start);
        self.batch.bytes.len() - start
    }

    /// Key and the head of a value of `value_len` encoded bytes.
    fn attribute(&mut self, key: &str, value_len: usize) -> &mut Vec<u8> {
        let out = &mut self.batch.bytes;
        let len = wire::bytes_len(key.len()) + wire::bytes_len(value_len);
        wire::put_tag(out, ATTRIBUTES, wire::BYTES);
        wire::put_varint(out, len as u64);
        wire::put_bytes(out, 1, key.as_bytes());
        wire::put_tag(out, 2, wire::BYTES);
        wire::put_varint(out, value_len as u64);
        out
    }
}

impl Drop for SpanWriter<'_> {
    fn drop(&mut self) {
        let end = self.batch.bytes.len();
        if let Some(entry) = self.batch.spans.last_mut() {
            entry.end = end;
        }
    }
}
