//! Links that nothing recorded in the range repeats: they are looked up in the object's own earlier
//! catalogues.
//!
//! Promise: newest day first, and of one day only; a bounded number of days. Only for objects whose
//! own links would be followed and that the range says nothing of.

use std::collections::HashMap;

use kausal_story::LinkRole;
use kausal_trace::{Day, KeyHash, TraceId};

use super::frames::Frames;
use super::meter::Meter;
use super::walk::{Edge, Walk};
use crate::error::ReadError;

/// How far back: a month, as long as facts are kept unless told otherwise.
const DAYS_MAX: u64 = 32;
/// Days of one call to the store; most objects are found in the first.
const DAYS_A_CALL: u64 = 8;
/// Objects looked up in one level: what a view can show of owners, and no more work than that.
const OBJECTS_MAX: usize = 64;

/// Gives the objects of a level, in which nothing tells their links, those of an earlier day:
/// before `before`, not before `oldest`.
pub(super) fn read(
    meter: &mut Meter<'_>,
    walk: &Walk,
    level: &mut [(usize, Frames)],
    (oldest, before): (Day, Day),
) -> Result<(), ReadError> {
    let oldest = oldest.0.max(before.0.saturating_sub(DAYS_MAX));
    let mut last = before.0;
    while last > oldest && !meter.is_late() {
        let first = last.saturating_sub(DAYS_A_CALL).max(oldest);
        let lacking = level.iter_mut().filter(|(at, frames)| {
            walk.wants_links(*at) && !frames.windows.is_empty() && lacks_own(frames)
        });
        let mut lacking: Vec<_> = lacking.take(OBJECTS_MAX).collect();
        if lacking.is_empty() {
            break;
        }
        let days: Vec<_> = (first..last).rev().map(Day).collect();
        read_days(meter, walk, &mut lacking, &days)?;
        last = first;
    }
    Ok(())
}

fn read_days(
    meter: &mut Meter<'_>,
    walk: &Walk,
    lacking: &mut [&mut (usize, Frames)],
    days: &[Day],
) -> Result<(), ReadError> {
    let mut ids = Vec::new();
    let mut whose = HashMap::new();
    for (slot, (at, _)) in lacking.iter().enumerate() {
        let Some(node) = walk.nodes().get(*at) else { continue };
        let hash = KeyHash::of(node.key.as_ref());
        for id in days.iter().map(|day| TraceId::catalogue(hash, *day)) {
            whose.insert(id, slot);
            ids.push(id);
        }
    }
    // The store answers in the order asked: newest day first.
    for trace in meter.read(&ids)? {
        let Some(slot) = whose.get(&trace.id).and_then(|slot| lacking.get_mut(*slot)) else {
            continue;
        };
        let (at, frames) = &mut **slot;
        let Some(node) = walk.nodes().get(*at) else { continue };
        let mut earlier = Frames::read(&node.key, trace.spans);
        frames.windows.append(&mut earlier.windows);
        fill(frames, [earlier]);
    }
    Ok(())
}

/// Takes from earlier days, newest first, the links that are missing.
pub(super) fn fill(frames: &mut Frames, earlier: impl IntoIterator<Item = Frames>) {
    for day in earlier {
        let tells_own = lacks_own(frames) && !lacks_own(&day);
        let tells_owned = lacks_owned(frames) && !lacks_owned(&day);
        if tells_own || tells_owned {
            frames.absorb(day);
        }
    }
}

/// Whether no body of the object itself told of links.
fn lacks_own(frames: &Frames) -> bool {
    !frames.links.iter().any(|(edge, _)| match edge {
        Edge::Owner => true,
        Edge::Other { role, .. } => *role == LinkRole::Child,
        Edge::Owned => false,
    })
}

/// Whether no body of another object named it as its owner.
fn lacks_owned(frames: &Frames) -> bool {
    !frames.links.iter().any(|(edge, _)| *edge == Edge::Owned)
}
