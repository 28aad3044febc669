//! The reading plan: from an object and a time range to everything a story of it needs.
//!
//! Promise: catalogues of the object, then, breadth first, of what it is linked to, one call a
//! level; then, in one call, only the (object, window) pairs that exist; then what was before the
//! range. What a budget leaves out becomes a warning, with a way to get at it.
//! Never here: what the facts mean.

mod base;
mod earlier;
mod frames;
mod members;
mod meter;
mod object;
mod range;
mod said;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::{BTreeSet, HashMap};

use kausal_object::ObjectKey;
use kausal_store::StoredTrace;
use kausal_story::{Gathered, GatheredObject, Mode, Relation};
use kausal_trace::{Day, KeyHash, TraceId, UnixNanos, Window};

use crate::error::ReadError;

pub(crate) use frames::Frames;
pub(crate) use members::{members, owners};
pub(crate) use meter::Meter;
pub(crate) use object::object_of;
pub(crate) use range::Range;
use range::days;
use walk::{Node, Reach, Via, Walk};

/// Windows before the range that are looked into, per object, for what was before it.
const BASE_ROUNDS_MAX: usize = 6;

/// Which time is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    /// From, to; what is missing follows from the facts.
    Wish(Option<UnixNanos>, Option<UnixNanos>),
    /// Exactly this.
    Exactly(Range),
}

/// What was gathered.
#[derive(Debug)]
pub(crate) struct Gathering {
    pub(crate) gathered: Gathered,
    pub(crate) range: Range,
}

/// Gathers; `None` when the object has no facts in the time asked for. `horizon` is the days in
/// which the store may have anything.
pub(crate) fn gather(
    meter: &mut Meter<'_>,
    root: &ObjectKey,
    when: When,
    mode: Mode,
    horizon: (Day, Day),
) -> Result<Option<Gathering>, ReadError> {
    let catalogue = root_catalogue(meter, root, when, horizon)?;
    let windows = catalogue.iter().flat_map(|(_, frames)| &frames.windows).copied().collect();
    let range = match when {
        When::Exactly(range) => Some(range).filter(|range| has_window(&windows, range)),
        When::Wish(from, to) => range::resolve(&windows, from, to),
    };
    let Some(range) = range else { return Ok(None) };
    let reach = Reach::of(mode, meter.limits.depth_max);
    let mut plan = Plan::new(root.clone(), reach, range, meter.limits.objects_max);
    plan.take_root(catalogue);
    plan.follow_links(meter, horizon.0)?;
    plan.read_facts(meter)?;
    plan.read_bases(meter)?;
    Ok(Some(Gathering { gathered: plan.finish(root), range }))
}

/// Days in which an object has facts between two instants, newest window last.
pub(crate) fn windows_of(
    meter: &mut Meter<'_>,
    object: &ObjectKey,
    horizon: (Day, Day),
) -> Result<BTreeSet<Window>, ReadError> {
    let catalogue = root_catalogue(meter, object, When::Wish(None, None), horizon)?;
    Ok(catalogue.into_iter().flat_map(|(_, frames)| frames.windows).collect())
}

fn has_window(windows: &BTreeSet<Window>, range: &Range) -> bool {
    windows.range(range.first()..=range.last()).next().is_some()
}

/// All catalogues of the object that may matter, in one call.
fn root_catalogue(
    meter: &mut Meter<'_>,
    root: &ObjectKey,
    when: When,
    (oldest, newest): (Day, Day),
) -> Result<Vec<(Day, Frames)>, ReadError> {
    let newest = match when {
        When::Wish(_, Some(to)) => newest.min(Day::of(to)),
        When::Exactly(range) => newest.min(range.last().day()),
        When::Wish(..) => newest,
    };
    let hash = KeyHash::of(root.as_ref());
    let days: Vec<_> = days(oldest, newest).collect();
    let ids: Vec<_> = days.iter().map(|day| TraceId::catalogue(hash, *day)).collect();
    let by_id: HashMap<_, _> = ids.iter().copied().zip(days).collect();
    let traces = meter.read(&ids)?.into_iter();
    let read = |trace: StoredTrace| Some((*by_id.get(&trace.id)?, Frames::read(root, trace.spans)));
    Ok(traces.filter_map(read).collect())
}

/// An object of the plan, beside its node in the walk.
#[derive(Debug, Default)]
struct Member {
    windows: BTreeSet<Window>,
    before: BTreeSet<Window>,
    spans: Vec<Box<[u8]>>,
    /// Other objects share the hash: facts must be told apart one by one.
    mixed: bool,
    /// What was before the range is known, or there was nothing.
    based: bool,
}

struct Plan {
    range: Range,
    walk: Walk,
    members: Vec<Member>,
    warnings: Vec<String>,
}

impl Plan {
    fn new(root: ObjectKey, reach: Reach, range: Range, objects_max: usize) -> Self {
        let namespace = namespace_of(&root);
        let mut walk = Walk::new(root, reach, objects_max);
        if let Some(namespace) = namespace {
            walk.add_aside(namespace, Via::Namespace);
        }
        Self { range, walk, members: Vec::new(), warnings: Vec::new() }
    }

    /// Links and frames of the range's days, windows of all days; links of an earlier day where
    /// the range has none.
    fn take_root(&mut self, catalogue: Vec<(Day, Frames)>) {
        let days: BTreeSet<_> = self.range.days().collect();
        let mut root = Frames::default();
        let mut earlier = Vec::new();
        for (day, mut frames) in catalogue {
            if days.contains(&day) {
                root.absorb(frames);
                continue;
            }
            root.windows.append(&mut frames.windows);
            root.strangers.append(&mut frames.strangers);
            if days.first().is_some_and(|first| day < *first) {
                earlier.push((day, frames));
            }
        }
        earlier.sort_unstable_by_key(|(day, _)| std::cmp::Reverse(*day));
        earlier::fill(&mut root, earlier.into_iter().map(|(_, frames)| frames));
        self.take(0, root);
    }

    fn follow_links(&mut self, meter: &mut Meter<'_>, oldest: Day) -> Result<(), ReadError> {
        loop {
            let level: Vec<_> = self.walk.next_level().into_iter().filter(|at| *at > 0).collect();
            if level.is_empty() {
                break;
            }
            if meter.is_late() {
                self.warnings.push(said::late(level.len(), meter.limits.time_max));
                break;
            }
            let mut read = self.read_level(meter, &level)?;
            if let Some(before) = self.range.days().next() {
                earlier::read(meter, &self.walk, &mut read, (oldest, before))?;
            }
            for (at, frames) in read {
                self.take(at, frames);
            }
        }
        self.members.resize_with(self.walk.nodes().len(), Member::default);
        self.warnings.extend(said::left_out(&self.walk.left_out(), meter.limits.objects_max));
        self.warnings.extend(said::too_far(&self.walk.too_far(), meter.limits.depth_max));
        Ok(())
    }

    /// The catalogues of a level in one call.
    fn read_level(
        &self,
        meter: &mut Meter<'_>,
        level: &[usize],
    ) -> Result<Vec<(usize, Frames)>, ReadError> {
        let nodes = self.walk.nodes();
        let mut ids = Vec::new();
        let mut whose = HashMap::new();
        for (slot, at) in level.iter().enumerate() {
            let Some(node) = nodes.get(*at) else { continue };
            let hash = KeyHash::of(node.key.as_ref());
            let of_node = self.range.days().map(|day| TraceId::catalogue(hash, day));
            for id in of_node {
                whose.insert(id, slot);
                ids.push(id);
            }
        }
        let mut read: Vec<_> = level.iter().map(|at| (*at, Frames::default())).collect();
        for trace in meter.read(&ids)? {
            let slot = whose.get(&trace.id).and_then(|slot| read.get_mut(*slot));
            let Some((at, frames)) = slot else { continue };
            let Some(node) = nodes.get(*at) else { continue };
            frames.absorb(Frames::read(&node.key, trace.spans));
        }
        Ok(read)
    }

    fn take(&mut self, at: usize, frames: Frames) {
        let (first, last) = (self.range.first(), self.range.last());
        let Some(node) = self.walk.nodes().get(at) else { return };
        self.warnings.extend(said::frames(&node.key, &frames));
        let member = Member {
            windows: frames.windows.range(first..=last).copied().collect(),
            before: frames.windows.range(..first).copied().collect(),
            spans: frames.spans,
            mixed: !frames.strangers.is_empty(),
            based: false,
        };
        self.members.resize_with(self.members.len().max(at + 1), Member::default);
        if let Some(slot) = self.members.get_mut(at) {
            *slot = member;
        }
        self.walk.learn(at, frames.links);
    }

    /// The facts of every (object, window) pair that exists, in one call.
    fn read_facts(&mut self, meter: &mut Meter<'_>) -> Result<(), ReadError> {
        let pairs = self.members.iter().enumerate();
        let pairs = pairs.flat_map(|(at, member)| member.windows.iter().map(move |w| (at, *w)));
        let pairs: Vec<_> = pairs.collect();
        let cut = self.read_windows(meter, &pairs)?.1;
        if cut > 0 {
            self.warnings.push(said::cut(cut, pairs.len(), meter.limits));
        }
        Ok(())
    }

    /// What was before the range, newest window first, for objects that did not begin in it.
    fn read_bases(&mut self, meter: &mut Meter<'_>) -> Result<(), ReadError> {
        for member in &mut self.members {
            member.based = member.before.is_empty()
                || member.windows.is_empty()
                || base::begins_with_creation(&member.spans);
        }
        for _ in 0..BASE_ROUNDS_MAX {
            let members = self.members.iter_mut().enumerate().filter(|(_, member)| !member.based);
            let pairs = members.filter_map(|(at, member)| Some((at, member.before.pop_last()?)));
            let pairs: Vec<_> = pairs.collect();
            if pairs.is_empty() || meter.is_late() {
                break;
            }
            let before: Vec<_> = self.members.iter().map(|member| member.spans.len()).collect();
            self.read_windows(meter, &pairs)?;
            for (member, before) in self.members.iter_mut().zip(before) {
                member.based |= member.spans.get(before..).is_some_and(base::has_state);
            }
        }
        Ok(())
    }

    /// Reads facts; answers with how many windows were read and how many of them were cut.
    fn read_windows(
        &mut self,
        meter: &mut Meter<'_>,
        pairs: &[(usize, Window)],
    ) -> Result<(usize, usize), ReadError> {
        let nodes = self.walk.nodes();
        let hashes: Vec<_> = nodes.iter().map(|node| KeyHash::of(node.key.as_ref())).collect();
        let id = |(at, window): &(usize, Window)| Some(TraceId::facts(*hashes.get(*at)?, *window));
        let ids: Vec<_> = pairs.iter().filter_map(id).collect();
        let whose: HashMap<_, _> = ids.iter().copied().zip(pairs.iter().map(|p| p.0)).collect();
        let traces = meter.read(&ids)?;
        let counts = (traces.len(), traces.iter().filter(|trace| trace.cut).count());
        for mut trace in traces {
            let Some(&at) = whose.get(&trace.id) else { continue };
            let (Some(node), Some(member)) = (nodes.get(at), self.members.get_mut(at)) else {
                continue;
            };
            if member.mixed {
                trace.spans.retain(|span| object::is_of(span, &node.key));
            }
            member.spans.append(&mut trace.spans);
        }
        Ok(counts)
    }

    fn finish(self, root: &ObjectKey) -> Gathered {
        let keep = self.kept();
        let nodes = self.walk.nodes();
        let members = nodes.iter().zip(self.members).zip(keep).filter(|(_, keep)| *keep);
        let objects = members.map(|((node, member), _)| GatheredObject {
            key: node.key.clone(),
            relation: relation(node, nodes),
            spans: member.spans,
        });
        Gathered {
            root: root.clone(),
            from: self.range.from,
            to: UnixNanos(self.range.to.0.saturating_sub(1)),
            objects: objects.collect(),
            warnings: self.warnings,
        }
    }

    /// Objects with facts, what leads to them, and every owner; a child without facts in the range
    /// is a memory of yesterday's links.
    fn kept(&self) -> Vec<bool> {
        let nodes = self.walk.nodes();
        let facts = self.members.iter().map(|member| !member.windows.is_empty());
        let mut keep: Vec<_> = nodes
            .iter()
            .zip(facts)
            .map(|(node, facts)| facts || matches!(node.via, Via::Asked | Via::Owner))
            .collect();
        for at in 0..nodes.len() {
            let mut lead = nodes.get(at).filter(|_| keep.get(at) == Some(&true));
            while let Some(node) = lead {
                let new =
                    keep.get_mut(node.from).is_some_and(|keep| !std::mem::replace(keep, true));
                lead = nodes.get(node.from).filter(|_| new);
            }
        }
        keep
    }
}

fn relation(node: &Node, nodes: &[Node]) -> Relation {
    let from = || nodes.get(node.from).map(|from| from.key.clone()).unwrap_or_default();
    match &node.via {
        Via::Asked => Relation::Root,
        Via::Owned => Relation::Owned { parent: from(), depth: node.steps },
        Via::Owner => Relation::Ancestor { child: from(), depth: node.steps },
        Via::Other { role, class } => {
            Relation::Related { to: from(), role: *role, class: class.clone() }
        }
        Via::Namespace => Relation::Namespace,
    }
}

/// The Namespace an object lives in: its deletion takes the object with it.
fn namespace_of(key: &ObjectKey) -> Option<ObjectKey> {
    (!key.namespace.is_empty()).then(|| ObjectKey {
        cluster: key.cluster.clone(),
        group: String::new(),
        resource: "namespaces".to_owned(),
        namespace: String::new(),
        name: key.namespace.clone(),
    })
}
