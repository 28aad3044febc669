//! From the hash in an id back to the object: any stored span of it says its key.

use std::collections::BTreeSet;

use kausal_object::ObjectKey;
use kausal_trace::{KeyHash, SpanRef, TraceId, Window};

use super::{Meter, Range};
use crate::error::ReadError;

/// Windows whose facts are read when catalogues say nothing: two days' worth.
const WINDOWS_MAX: u64 = 96;

/// The object behind a hash, from its catalogues in a range, else from its facts; the first in
/// order when several share the hash, then the others. Empty when nothing is stored of it.
pub(crate) fn object_of(
    meter: &mut Meter<'_>,
    hash: KeyHash,
    range: Range,
) -> Result<BTreeSet<ObjectKey>, ReadError> {
    let catalogues: Vec<_> = range.days().map(|day| TraceId::catalogue(hash, day)).collect();
    let keys = keys_in(meter, hash, &catalogues)?;
    if !keys.is_empty() {
        return Ok(keys);
    }
    let windows = (range.first().0..=range.last().0).rev().take(WINDOWS_MAX as usize);
    let facts: Vec<_> = windows.map(|window| TraceId::facts(hash, Window(window))).collect();
    keys_in(meter, hash, &facts)
}

/// Whether a stored span is of this object.
pub(crate) fn is_of(span: &[u8], key: &ObjectKey) -> bool {
    SpanRef::parse(span).is_ok_and(|span| span.object_key() == key.as_ref())
}

fn keys_in(
    meter: &mut Meter<'_>,
    hash: KeyHash,
    ids: &[TraceId],
) -> Result<BTreeSet<ObjectKey>, ReadError> {
    let mut keys = BTreeSet::new();
    for bytes in meter.read(ids)?.iter().flat_map(|trace| &trace.spans) {
        let Ok(span) = SpanRef::parse(bytes) else { continue };
        let key = span.object_key();
        if KeyHash::of(key) == hash {
            keys.insert(key.to_owned());
        }
    }
    Ok(keys)
}
