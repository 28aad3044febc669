//! Packs encoded spans into `TracesData` messages of a limited size.
//!
//! Promise: spans keep their bytes and, within a resource, their order; no message is empty; none
//! is larger than the limit unless one span alone is.

use crate::wire::{self, otlp};

/// Builds messages one after another. `ExportTraceServiceRequest` has the same bytes.
#[derive(Debug)]
pub(crate) struct Packer {
    bytes_max: usize,
    done: Vec<Vec<u8>>,
    message: Vec<u8>,
    resource: Vec<u8>,
    spans: Vec<u8>,
}

impl Packer {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, done: vec![], message: vec![], resource: vec![], spans: vec![] }
    }

    /// Spans that follow belong to this resource.
    pub(crate) fn resource(&mut self, service: &str, cluster: &str) {
        self.close_resource();
        self.resource.clear();
        otlp::put_resource(&mut self.resource, service, cluster);
    }

    /// Spans that follow go to another message, because they are another trace's.
    pub(crate) fn break_message(&mut self) {
        self.close_resource();
        if !self.message.is_empty() {
            self.done.push(std::mem::take(&mut self.message));
        }
    }

    /// Bytes that a span may have to fit into a message alone.
    pub(crate) fn room(&self) -> usize {
        // Three lengths above the span's own, each at most five bytes and a tag, and the span's.
        self.bytes_max.saturating_sub(self.resource.len() + 4 * 6)
    }

    pub(crate) fn span(&mut self, bytes: &[u8]) {
        let spans = self.spans.len() + wire::bytes_len(bytes.len());
        let whole = wire::bytes_len(self.resource.len() + wire::bytes_len(spans));
        if self.message.len() + whole > self.bytes_max {
            self.break_message();
        }
        wire::put_bytes(&mut self.spans, otlp::SPANS, bytes);
    }

    pub(crate) fn finish(mut self) -> Vec<Vec<u8>> {
        self.break_message();
        self.done
    }

    fn close_resource(&mut self) {
        if self.spans.is_empty() {
            return;
        }
        let len = self.resource.len() + wire::bytes_len(self.spans.len());
        let out = &mut self.message;
        out.reserve(wire::bytes_len(len));
        wire::put_tag(out, otlp::RESOURCE_SPANS, wire::BYTES);
        wire::put_varint(out, len as u64);
        out.extend_from_slice(&self.resource);
        wire::put_bytes(out, otlp::SCOPE_SPANS, &self.spans);
        self.spans.clear();
    }
}
