//! Which objects a view shows, and what owns an object, from catalogues alone.
//!
//! Promise: the objects are those that [`super::gather`] gathers for the same question.

use std::collections::{BTreeSet, HashMap};

use kausal_object::ObjectKey;
use kausal_story::Mode;
use kausal_trace::{Day, KeyHash, TraceId};

use super::walk::{Edge, Reach};
use super::{Frames, Meter, Plan, Range, When, root_catalogue};
use crate::error::ReadError;

/// The objects of the view of `root`; none when the root has no facts in the range.
pub(crate) fn members(
    meter: &mut Meter<'_>,
    root: &ObjectKey,
    range: Range,
    mode: Mode,
    horizon: (Day, Day),
) -> Result<BTreeSet<ObjectKey>, ReadError> {
    let catalogue = root_catalogue(meter, root, When::Exactly(range), horizon)?;
    let reach = Reach::of(mode, meter.limits.depth_max);
    let mut plan = Plan::new(root.clone(), reach, range, meter.limits.objects_max);
    plan.take_root(catalogue);
    plan.follow_links(meter, horizon.0)?;
    if plan.members.first().is_none_or(|root| root.windows.is_empty()) {
        return Ok(BTreeSet::new());
    }
    let kept = plan.walk.nodes().iter().zip(plan.kept()).filter(|(_, kept)| *kept);
    Ok(kept.map(|(node, _)| node.key.clone()).collect())
}

/// The owners of each object, by the catalogues of its range, in one call.
pub(crate) fn owners(
    meter: &mut Meter<'_>,
    objects: &[(ObjectKey, Range)],
) -> Result<Vec<BTreeSet<ObjectKey>>, ReadError> {
    let mut whose = HashMap::new();
    let mut ids = Vec::new();
    for (at, (object, range)) in objects.iter().enumerate() {
        let hash = KeyHash::of(object.as_ref());
        for id in range.days().map(|day| TraceId::catalogue(hash, day)) {
            whose.insert(id, at);
            ids.push(id);
        }
    }
    let mut owners = vec![BTreeSet::new(); objects.len()];
    for trace in meter.read(&ids)? {
        let Some(&at) = whose.get(&trace.id) else { continue };
        let (Some((object, _)), Some(owners)) = (objects.get(at), owners.get_mut(at)) else {
            continue;
        };
        let links = Frames::read(object, trace.spans).links.into_iter();
        owners.extend(links.filter(|(edge, _)| *edge == Edge::Owner).map(|(_, owner)| owner));
    }
    Ok(owners)
}
