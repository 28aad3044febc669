//! The architecture page: which resources own which, among the objects something happened to.
//!
//! Promise: bounded work. Counted over the objects of the newest facts in the time asked for, at
//! most [`OBJECTS_MAX`] of them; each relation once.

use std::collections::{BTreeMap, BTreeSet};

use kausal_object::ObjectKey;
use kausal_story::{Frame, LinkRole, Mode};
use kausal_trace::{KeyHash, SpanRef, TraceId, UnixNanos};

use crate::error::ReadError;
use crate::gather::Meter;
use crate::reader::Reader;
use crate::search::{Filter, Found};
use crate::stop::Stop;
use crate::traces::Dependency;

/// Objects whose links are counted: a picture of a cluster, within a second.
const OBJECTS_MAX: usize = 1_500;
/// Catalogues of one call to the store.
const CATALOGUES_A_CALL: usize = 500;

/// An owner and what it owns.
type Relation = (ObjectKey, ObjectKey);

pub(super) fn dependencies(
    reader: &Reader,
    from: Option<UnixNanos>,
    to: Option<UnixNanos>,
    stop: &Stop,
) -> Result<Vec<Dependency>, ReadError> {
    let filter = Filter { from, to, ..Filter::default() };
    let found = reader.find_objects(&filter, Mode::default(), OBJECTS_MAX, stop)?;
    let mut meter = reader.meter(stop);
    let catalogues: Vec<_> = found.iter().map(newest_catalogue).collect();
    let mut relations = BTreeSet::new();
    for ids in catalogues.chunks(CATALOGUES_A_CALL) {
        relations_in(&mut meter, ids, &mut relations)?;
    }
    let mut arrows: BTreeMap<(String, String), u64> = BTreeMap::new();
    for (owner, owned) in relations {
        *arrows.entry((owner.resource, owned.resource)).or_default() += 1;
    }
    let arrow = |((parent, child), calls)| Dependency { parent, child, calls };
    Ok(arrows.into_iter().map(arrow).collect())
}

fn newest_catalogue(found: &Found) -> TraceId {
    TraceId::catalogue(KeyHash::of(found.object.as_ref()), found.hits.last.day())
}

fn relations_in(
    meter: &mut Meter<'_>,
    ids: &[TraceId],
    relations: &mut BTreeSet<Relation>,
) -> Result<(), ReadError> {
    for bytes in meter.read(ids)?.iter().flat_map(|trace| &trace.spans) {
        let Ok(span) = SpanRef::parse(bytes) else { continue };
        let Some(Frame::Link(link)) = Frame::of(&span) else { continue };
        if !link.is_owner() {
            continue;
        }
        let (own, other) = (span.object_key().to_owned(), link.target.to_owned());
        relations.insert(match link.role {
            LinkRole::Parent => (other, own),
            LinkRole::Child => (own, other),
        });
    }
    Ok(())
}
