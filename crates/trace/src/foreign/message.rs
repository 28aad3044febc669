//! Spans put together again, as `TracesData` messages of a limited size.

use super::span::ForeignSpan;
use crate::wire::{bytes_len, otlp, put_bytes, put_message};

/// Messages of at most `bytes_max` each; a span that is larger alone goes alone. Spans whose
/// resource and scope are equal share them; the order is that of resources, scopes, and `spans`.
pub fn messages(spans: &[ForeignSpan<'_>], bytes_max: usize) -> Vec<Vec<u8>> {
    let mut order: Vec<&ForeignSpan<'_>> = spans.iter().collect();
    order.sort_by_key(|span| (span.resource, span.scope));
    let (mut done, mut first, mut size) = (Vec::new(), 0, 0);
    for (index, span) in order.iter().enumerate() {
        let cost =
            cost(span, index.checked_sub(1).filter(|last| *last >= first).map(|last| order[last]));
        if size + cost > bytes_max && index > first {
            done.push(message(&order[first..index]));
            (first, size) = (index, 0);
        }
        size += if index == first { self::cost(span, None) } else { cost };
    }
    if first < order.len() {
        done.push(message(&order[first..]));
    }
    done
}

/// Bytes that `span` adds after `last`, lengths above it counted at their largest.
fn cost(span: &ForeignSpan<'_>, last: Option<&ForeignSpan<'_>>) -> usize {
    const LENGTHS: usize = 2 * (1 + 5);
    let own = bytes_len(span.bytes.len());
    match last {
        Some(last) if last.resource == span.resource && last.scope == span.scope => own,
        _ => own + span.resource.len() + span.scope.len() + LENGTHS,
    }
}

fn message(spans: &[&ForeignSpan<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for resource in spans.chunk_by(|a, b| a.resource == b.resource) {
        put_message(&mut out, otlp::RESOURCE_SPANS, |out| put_resource(out, resource));
    }
    out
}

fn put_resource(out: &mut Vec<u8>, spans: &[&ForeignSpan<'_>]) {
    out.extend(spans.first().into_iter().flat_map(|span| span.resource));
    for scope in spans.chunk_by(|a, b| a.scope == b.scope) {
        put_message(out, otlp::SCOPE_SPANS, |out| {
            out.extend(scope.first().into_iter().flat_map(|span| span.scope));
            for span in scope {
                put_bytes(out, otlp::SPANS, span.bytes);
            }
        });
    }
}
