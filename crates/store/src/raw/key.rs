//! Keys of a raw store. Every segment has all of them, so that it can be dropped alone.
//!
//! **Invariant:** the layouts are part of the format; the first byte says what it is.
//!
//! | key | value |
//! |---|---|
//! | `t` · trace (16) · span (8) · content (8) | resource (16) · scope (16) · `Span` |
//! | `e` · hash (16) | `ResourceSpans` or `ScopeSpans` without spans |
//! | `i` · term (8) · inverted second (5) · trace (16) | nothing |
//! | `s` · service | nothing |
//! | `o` · service · `0xff` · kind · `0xff` · operation | nothing |

use kausal_trace::TraceId;
use kausal_trace::foreign::{ForeignSpan, Term};

/// Bytes of the hashes before a stored span.
pub(super) const RECORD_HEAD_BYTES: usize = 32;
pub(super) const SPAN_KEY_BYTES: usize = 33;
pub(super) const POSTING_BYTES: usize = 30;
pub(super) const SERVICE: u8 = b's';
/// Never in UTF-8.
pub(super) const END: u8 = 0xff;

const TRACE_KEY_BYTES: usize = 17;
const SECOND_AT: usize = 9;
const TRACE_AT: usize = 14;
/// 40 bits: the last second a span can have needs 35.
const SECOND_MAX: u64 = (1 << 40) - 1;

/// A hash of a resource or scope.
pub(super) type EnvelopeHash = [u8; 16];
/// Key of an index entry.
pub(super) type Posting = [u8; POSTING_BYTES];
/// A second, so that later ones come first.
pub(super) type InvertedSecond = [u8; 5];

pub(super) fn inverted(nanos: u64) -> InvertedSecond {
    let second = SECOND_MAX - nanos / 1_000_000_000;
    let mut bytes = [0; 5];
    bytes.copy_from_slice(&second.to_be_bytes()[3..]);
    bytes
}

pub(super) fn envelope_hash(envelope: &[u8]) -> EnvelopeHash {
    let mut hash = [0; 16];
    hash.copy_from_slice(&blake3::hash(envelope).as_bytes()[..16]);
    hash
}

pub(super) fn envelope_key(hash: EnvelopeHash) -> [u8; 17] {
    let mut key = [b'e'; 17];
    key[1..].copy_from_slice(&hash);
    key
}

pub(super) fn trace_prefix(trace: TraceId) -> [u8; TRACE_KEY_BYTES] {
    let mut key = [b't'; TRACE_KEY_BYTES];
    key[1..].copy_from_slice(&trace.0);
    key
}

/// The key of a span whose value is `record`: equal spans have equal keys.
pub(super) fn span_key(span: &ForeignSpan<'_>, record: &[u8]) -> [u8; SPAN_KEY_BYTES] {
    let mut key = [0; SPAN_KEY_BYTES];
    key[..TRACE_KEY_BYTES].copy_from_slice(&trace_prefix(span.trace));
    key[17..25].copy_from_slice(&span.span.0);
    key[25..].copy_from_slice(&blake3::hash(record).as_bytes()[..8]);
    key
}

/// The value of a span.
pub(super) fn record(resource: EnvelopeHash, scope: EnvelopeHash, span: &[u8]) -> Vec<u8> {
    [&resource[..], &scope, span].concat()
}

pub(super) fn posting(term: Term, second: InvertedSecond, trace: TraceId) -> Posting {
    let mut key = [b'i'; POSTING_BYTES];
    key[1..SECOND_AT].copy_from_slice(&term.0.to_be_bytes());
    key[SECOND_AT..TRACE_AT].copy_from_slice(&second);
    key[TRACE_AT..].copy_from_slice(&trace.0);
    key
}

/// Second and trace of an index entry; `None` for what is none.
pub(super) fn posted(key: &[u8]) -> Option<(InvertedSecond, TraceId)> {
    let second = key.get(SECOND_AT..TRACE_AT)?.try_into().ok()?;
    let trace = key.get(TRACE_AT..)?.try_into().ok()?;
    Some((second, TraceId(trace)))
}

pub(super) fn service_key(service: &str) -> Vec<u8> {
    [&[SERVICE], service.as_bytes()].concat()
}

/// What the operations of a service begin with; without one, those of all services.
pub(super) fn operations_prefix(service: &str) -> Vec<u8> {
    if service.is_empty() {
        return vec![b'o'];
    }
    [b"o", service.as_bytes(), &[END]].concat()
}

pub(super) fn operation_key(service: &str, kind: &str, name: &str) -> Vec<u8> {
    [b"o", service.as_bytes(), &[END], kind.as_bytes(), &[END], name.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_seconds_come_first_to_the_end_of_time() {
        let seconds = [u64::MAX, 1_795_187_131_000_000_000, 1_000_000_000, 999_999_999, 0];
        let inverted = seconds.map(inverted);
        assert!(inverted.is_sorted() && inverted[3] == inverted[4]);
    }

    #[test]
    fn a_posting_is_read_as_it_was_written() {
        let key = posting(Term(7), inverted(5_000_000_000), TraceId([3; 16]));
        assert_eq!(posted(&key), Some((inverted(5_000_000_000), TraceId([3; 16]))));
        assert_eq!(posted(&key[..20]), None);
    }
}
