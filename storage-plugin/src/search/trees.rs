//! Several hits of one tree are one result, where the mode shows the tree.
//!
//! Promise: a hit goes into another's result only if the view of that one, as it opens, has it;
//! the same hits give the same results in whatever order they came. What the budget does not allow
//! to look up stays separate.
//! Never here: how links are stored.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use kausal_object::ObjectKey;
use kausal_story::Mode;
use kausal_trace::Day;

use super::{Found, Span};
use crate::error::ReadError;
use crate::gather::{Meter, Range, members, owners};

/// What a merge needs to know of its question.
#[derive(Clone, Copy)]
pub(crate) struct Question {
    /// What the mode shows beside the object.
    pub(crate) mode: Mode,
    /// The windows asked for.
    pub(crate) asked: Span,
    /// Days in which the store may have anything.
    pub(crate) horizon: (Day, Day),
}

/// Hits, newest first, as results, newest first.
pub(crate) fn as_trees(
    meter: &mut Meter<'_>,
    found: &[Found],
    question: Question,
) -> Result<Vec<Found>, ReadError> {
    if question.mode.links().next().is_none() || found.len() < 2 {
        return Ok(found.to_vec());
    }
    let families = climb(meter, found)?.families(found);
    let mut results = Vec::with_capacity(found.len());
    for family in families {
        divide(meter, family, question, &mut results)?;
    }
    results.sort_by_key(|(newest, _)| *newest);
    Ok(results.into_iter().map(|(_, found)| found).collect())
}

/// A hit object and its place among all hits.
type Member<'f> = (usize, &'f Found);

/// Owners of hits, owners of these, and so on.
#[derive(Default)]
struct Owners(BTreeMap<ObjectKey, BTreeSet<ObjectKey>>);

/// Climbs from all hits at once, a store call a level; links are those of the days of the hits.
fn climb(meter: &mut Meter<'_>, found: &[Found]) -> Result<Owners, ReadError> {
    let mut known = Owners::default();
    let range = |found: &Found| Range::of_windows(found.hits.first, found.hits.last);
    let mut level: BTreeMap<ObjectKey, Range> =
        found.iter().map(|found| (found.object.clone(), range(found))).collect();
    for _ in 0..meter.limits.depth_max {
        level.retain(|object, _| !known.0.contains_key(object));
        if level.is_empty() || meter.is_spent() {
            break;
        }
        let objects: Vec<_> = std::mem::take(&mut level).into_iter().collect();
        for ((object, range), owners) in objects.iter().zip(owners(meter, &objects)?) {
            for owner in &owners {
                level
                    .entry(owner.clone())
                    .and_modify(|known| *known = known.with(*range))
                    .or_insert(*range);
            }
            known.0.insert(object.clone(), owners);
        }
    }
    Ok(known)
}

impl Owners {
    /// Hits that have an owner in common, or are one.
    fn families<'f>(&self, found: &'f [Found]) -> Vec<Vec<Member<'f>>> {
        let mut tops: BTreeMap<&ObjectKey, &ObjectKey> = BTreeMap::new();
        for (owned, owners) in &self.0 {
            for owner in owners {
                let (a, b) = (top(&tops, owned), top(&tops, owner));
                if a != b {
                    tops.insert(a.max(b), a.min(b));
                }
            }
        }
        let mut families: BTreeMap<&ObjectKey, Vec<Member<'f>>> = BTreeMap::new();
        for member in found.iter().enumerate() {
            let family = top(&tops, &member.1.object);
            families.entry(family).or_default().push(member);
        }
        let mut families: Vec<_> = families.into_values().collect();
        for family in &mut families {
            self.sort(family);
        }
        families
    }

    /// The topmost first.
    fn sort(&self, family: &mut [Member<'_>]) {
        family.sort_by_cached_key(|(_, found)| (self.above(&found.object), found.object.clone()));
    }

    /// How many objects are above this one, as far as it is known.
    fn above(&self, object: &ObjectKey) -> usize {
        let (mut above, mut next) = (BTreeSet::new(), vec![object]);
        while let Some(object) = next.pop() {
            let owners = self.0.get(object).into_iter().flatten();
            next.extend(owners.filter(|owner| above.insert(*owner)));
        }
        above.len()
    }
}

/// The name of the family an object is in so far.
fn top<'o>(tops: &BTreeMap<&'o ObjectKey, &'o ObjectKey>, object: &'o ObjectKey) -> &'o ObjectKey {
    let mut object = object;
    while let Some(above) = tops.get(object) {
        object = above;
    }
    object
}

/// Makes results of a family: the first hit takes what its view shows, then the first of the rest.
fn divide(
    meter: &mut Meter<'_>,
    mut family: Vec<Member<'_>>,
    question: Question,
    results: &mut Vec<(usize, Found)>,
) -> Result<(), ReadError> {
    if question.mode.links().all(|links| links.down == 0) {
        // What is below shows what is above.
        family.reverse();
    }
    while let Some(root) = family.first().copied() {
        let taken = if family.len() > 1 && !meter.is_spent() {
            take(meter, root, &family, question)?
        } else {
            vec![root]
        };
        let newest = taken.iter().map(|(at, _)| *at).min().unwrap_or(root.0);
        results.push((newest, result(root, &taken)));
        let taken: BTreeSet<usize> = taken.iter().map(|(at, _)| *at).collect();
        family.retain(|(at, _)| !taken.contains(at));
    }
    Ok(())
}

/// The hits of a family that the view of `root` shows, itself among them. What it shows depends on
/// its range and that on the hits: those that are not shown are left out until all are.
fn take<'f>(
    meter: &mut Meter<'_>,
    root: Member<'f>,
    family: &[Member<'f>],
    question: Question,
) -> Result<Vec<Member<'f>>, ReadError> {
    let mut taken = near(root, family);
    while taken.len() > 1 {
        let range = result(root, &taken).range(question.asked);
        let shown = members(meter, &root.1.object, range, question.mode, question.horizon)?;
        let before = taken.len();
        taken.retain(|member| member.0 == root.0 || shown.contains(&member.1.object));
        if taken.len() == before {
            break;
        }
    }
    Ok(taken)
}

/// The root and the newest others that fit with it into one view's range.
fn near<'f>(root: Member<'f>, family: &[Member<'f>]) -> Vec<Member<'f>> {
    let mut others: Vec<_> = family.iter().copied().filter(|other| other.0 != root.0).collect();
    others.sort_by_key(|(_, found)| (Reverse(found.hits.last), &found.object));
    let (mut taken, mut span) = (vec![root], root.1.shown());
    for other in others {
        if let Some(joined) = span.joined(other.1.shown()) {
            span = joined;
            taken.push(other);
        }
    }
    taken
}

fn result(root: Member<'_>, taken: &[Member<'_>]) -> Found {
    let spans = taken.iter().map(|(_, found)| found.shown());
    let joined = spans.fold(root.1.shown(), |span, other| span.joined(other).unwrap_or(span));
    Found { object: root.1.object.clone(), hits: joined }
}
