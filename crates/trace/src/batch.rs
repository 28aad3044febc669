//! A batch of encoded spans: what consumers hand to a sink.
//!
//! Spans are encoded once, straight from borrowed data into one growing buffer, in the form they
//! are stored and sent in: OTLP `Span` messages. The resource is not stored; it follows from the
//! span (kind and cluster).

use crate::id::{SpanId, TraceId};
use crate::time::UnixNanos;
use crate::view::SpanKind;
use crate::wire::{
    self,
    otlp::{self, span as field},
};

/// Largest encoded span that is stored. An Export of several fits any receiver's 4 MiB.
pub const SPAN_BYTES_MAX: usize = 900 << 10;
/// Largest Export message that is sent: under the 4 MiB that gRPC receivers take by default.
pub const EXPORT_BYTES_MAX: usize = 3 << 20;

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
    /// An empty batch with room for encoded spans of so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), spans: Vec::new() }
    }

    /// Begins a span; it is complete when the writer is dropped.
    pub fn open(&mut self, span: NewSpan<'_>) -> SpanWriter<'_> {
        let start = self.bytes.len();
        let out = &mut self.bytes;
        wire::put_bytes(out, field::TRACE_ID, &span.trace.0);
        wire::put_bytes(out, field::SPAN_ID, &span.span.0);
        wire::put_bytes(out, field::NAME, span.name.as_bytes());
        wire::put_uint(out, field::KIND, u64::from(SpanKind::Internal.number()));
        wire::put_fixed64(out, field::START, span.start.0);
        wire::put_fixed64(out, field::END, span.end.0.max(span.start.0));
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

    /// Takes back all spans after the first `len`.
    pub fn truncate(&mut self, len: usize) {
        if let Some(entry) = self.spans.get(len) {
            self.bytes.truncate(entry.start);
            self.spans.truncate(len);
        }
    }

    /// Takes back the newest span (used when it turns out to be too large).
    pub fn pop(&mut self) {
        self.truncate(self.spans.len().saturating_sub(1));
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
        otlp::put_str(&mut self.batch.bytes, field::ATTRIBUTES, key, pieces);
        self
    }

    /// An integer attribute.
    pub fn int(&mut self, key: &str, value: i64) -> &mut Self {
        otlp::put_int(&mut self.batch.bytes, field::ATTRIBUTES, key, value);
        self
    }

    /// A boolean attribute.
    pub fn bool(&mut self, key: &str, value: bool) -> &mut Self {
        otlp::put_bool(&mut self.batch.bytes, field::ATTRIBUTES, key, value);
        self
    }

    /// An array-of-strings attribute.
    pub fn strs<'v>(
        &mut self,
        key: &str,
        values: impl Iterator<Item = &'v str> + Clone,
    ) -> &mut Self {
        otlp::put_strs(&mut self.batch.bytes, field::ATTRIBUTES, key, values);
        self
    }

    /// Marks the span as failed (OTLP status `ERROR`).
    pub fn error(&mut self) -> &mut Self {
        otlp::put_error(&mut self.batch.bytes, "");
        self
    }

    /// Encoded bytes of this span so far.
    pub fn byte_len(&self) -> usize {
        let start = self.batch.spans.last().map_or(0, |entry| entry.start);
        self.batch.bytes.len() - start
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::SpanRef;

    fn put(batch: &mut SpanBatch, span: u8, start: u64, end: u64) {
        let (start, end) = (UnixNanos(start), UnixNanos(end));
        let (trace, span) = (TraceId([1; 16]), SpanId([span; 8]));
        batch.open(NewSpan { trace, span, name: "object", start, end }).str("cluster", "c");
    }

    fn ids(batch: &SpanBatch) -> Vec<u8> {
        batch
            .iter()
            .map(|record| {
                let span = SpanRef::parse(record.bytes).expect("a span");
                assert_eq!((span.trace, span.span), (record.trace, record.span));
                span.span.0[0]
            })
            .collect()
    }

    #[test]
    fn takes_back_the_newest_spans() {
        let mut batch = SpanBatch::default();
        for span in 1..=4 {
            put(&mut batch, span, 0, 0);
        }
        batch.pop();
        assert_eq!(ids(&batch), [1, 2, 3]);
        batch.truncate(5);
        batch.truncate(1);
        put(&mut batch, 9, 0, 0);
        assert_eq!(ids(&batch), [1, 9]);
        batch.clear();
        batch.pop();
        assert_eq!((batch.len(), batch.byte_len()), (0, 0));
    }

    #[test]
    fn a_span_never_ends_before_it_starts() {
        let mut batch = SpanBatch::default();
        put(&mut batch, 1, 7, 3);
        let end = |record: SpanRecord<'_>| SpanRef::parse(record.bytes).map(|span| span.end);
        assert_eq!(batch.iter().next().map(end), Some(Ok(UnixNanos(7))));
    }

    #[test]
    fn counts_the_bytes_of_the_open_span() {
        let mut batch = SpanBatch::default();
        put(&mut batch, 1, 0, 0);
        let before = batch.byte_len();
        let (trace, span) = (TraceId([1; 16]), SpanId([2; 8]));
        let (start, end) = (UnixNanos(1), UnixNanos(1));
        let mut writer = batch.open(NewSpan { trace, span, name: "object", start, end });
        let len = writer.str("name", "web").byte_len();
        drop(writer);
        assert_eq!(batch.byte_len(), before + len);
    }
}
