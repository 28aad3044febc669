//! Keys of stored spans.
//!
//! Promise: the key of a span follows from its ids and its bytes alone, so a redelivery lands on
//! itself and a trace is one range of keys.
//! **Invariant:** the layout is part of the format: slot (4) · h56 (7) · span (8) · content (8).
//! The slot (window of facts, day of a catalogue) stands first, so that keys grow with time and
//! table files of different windows do not overlap: compaction moves them instead of rewriting.

use kausal_trace::{IdParts, KeyHash, SpanId, TraceId, Window, window};

/// Bytes of a key.
pub(crate) const KEY_BYTES: usize = 27;
/// Bytes that all keys of one trace share.
pub(crate) const TRACE_PREFIX_BYTES: usize = 11;

/// Windows past this one (in the year 10,136) have no minute in a posting; such ids are not ours.
const WINDOW_MAX: u64 = u32::MAX as u64 / 30;

/// What a trace is kept as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purpose {
    Facts,
    Catalogue,
}

impl Purpose {
    /// As people read it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Facts => "facts",
            Self::Catalogue => "catalogue",
        }
    }
}

/// Where a trace of ours lies; the order is that of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) purpose: Purpose,
    /// Window of facts, day of a catalogue.
    pub(crate) slot: u32,
    pub(crate) key: KeyHash,
}

impl Place {
    /// `None` for ids that are no facts or catalogue trace.
    pub(crate) fn of(trace: TraceId) -> Option<Self> {
        let (purpose, slot, key) = match trace.parts() {
            IdParts::Facts(key, window) => (Purpose::Facts, window.0, key),
            IdParts::Catalogue(key, day) => (Purpose::Catalogue, day.0, key),
            IdParts::View(_) | IdParts::Foreign => return None,
        };
        let place = Self { purpose, slot: u32::try_from(slot).ok()?, key };
        (place.end().0 <= WINDOW_MAX).then_some(place)
    }

    /// Whether both go into one partition for sure.
    pub(crate) fn same_slot(self, other: Self) -> bool {
        (self.purpose, self.slot) == (other.purpose, other.slot)
    }

    /// First window of the slot.
    pub(crate) fn window(self) -> Window {
        match self.purpose {
            Purpose::Facts => Window(u64::from(self.slot)),
            Purpose::Catalogue => Window(u64::from(self.slot) * window::WINDOWS_PER_DAY),
        }
    }

    /// First window after the slot.
    pub(crate) fn end(self) -> Window {
        match self.purpose {
            Purpose::Facts => Window(u64::from(self.slot) + 1),
            Purpose::Catalogue => Window((u64::from(self.slot) + 1) * window::WINDOWS_PER_DAY),
        }
    }

    pub(crate) fn prefix(self) -> [u8; TRACE_PREFIX_BYTES] {
        let mut prefix = [0; TRACE_PREFIX_BYTES];
        prefix[..4].copy_from_slice(&self.slot.to_be_bytes());
        prefix[4..].copy_from_slice(&self.key.0);
        prefix
    }
}

/// The key of a span with this content.
pub(crate) fn span_key(place: Place, span: SpanId, content: [u8; 8]) -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    key[..11].copy_from_slice(&place.prefix());
    key[11..19].copy_from_slice(&span.0);
    key[19..].copy_from_slice(&content);
    key
}

/// The trace and the span of a key in a facts keyspace; `None` if it is no such key.
pub(crate) fn facts_of(key: &[u8]) -> Option<(TraceId, SpanId)> {
    let key: &[u8; KEY_BYTES] = key.try_into().ok()?;
    let slot = u32::from_be_bytes(*key.first_chunk()?);
    let hash = KeyHash(*key[4..].first_chunk()?);
    let span = SpanId(*key[11..].first_chunk()?);
    Some((TraceId::facts(hash, Window(u64::from(slot))), span))
}

/// The span id in a key; zeros if it is no such key.
pub(crate) fn span_id(key: &[u8]) -> [u8; 8] {
    key.get(TRACE_PREFIX_BYTES..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default()
}

/// First 64 bits of BLAKE3: clients choose content, so nobody may be able to replace a span by
/// another of equal hash.
pub(crate) fn content_hash(bytes: &[u8]) -> [u8; 8] {
    let digest = blake3::hash(bytes);
    // 32 bytes have a first 8.
    digest.as_bytes().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use kausal_trace::Day;

    use super::*;

    #[test]
    fn a_key_gives_back_its_trace_and_span() {
        let trace = TraceId::facts(KeyHash([1, 2, 3, 4, 5, 6, 7]), Window(997_332));
        let place = Place::of(trace).expect("ours");
        let key = span_key(place, SpanId([9; 8]), content_hash(b"x"));
        assert_eq!(facts_of(&key), Some((trace, SpanId([9; 8]))));
        assert!(key.starts_with(&place.prefix()));
        assert_eq!(facts_of(&key[1..]), None);
    }

    #[test]
    fn a_catalogue_covers_its_day() {
        let place = Place::of(TraceId::catalogue(KeyHash([0; 7]), Day(2))).expect("ours");
        assert_eq!((place.window(), place.end()), (Window(96), Window(144)));
    }

    #[test]
    fn other_ids_have_no_place() {
        assert_eq!(Place::of(TraceId([7; 16])), None);
        assert_eq!(Place::of(TraceId([0xff; 16])), None);
    }
}
