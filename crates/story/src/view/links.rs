//! The tree of a view: every object under one owner, the root on top.
//!
//! Promise: every object is placed once; cycles are broken and further owners named, both with a
//! warning; the choice does not depend on the order of anything.

use std::collections::{BTreeMap, BTreeSet};

use kausal_object::ObjectKey;

use crate::frames::LinkRole;
use crate::gathered::Relation;
use crate::world::World;

/// Objects of a world, placed.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Objects, parents before children.
    pub(super) order: Vec<usize>,
    parents: BTreeMap<usize, usize>,
    pub(super) warnings: Vec<String>,
}

impl Tree {
    /// Places every object that is shown as a span: all but the Namespace.
    pub(super) fn of(world: &World<'_>) -> Self {
        let shown: Vec<usize> = (0..world.objects.len())
            .filter(|at| world.objects[*at].relation != Relation::Namespace)
            .collect();
        let owners = owners(world, &shown);
        let mut tree = Self::default();
        let mut tops = Vec::new();
        for &object in &shown {
            tree.note_further_owners(world, object, &owners);
            match owners.get(&object).and_then(|owners| owners.first()) {
                Some(owner) => {
                    tree.parents.insert(object, *owner);
                }
                None => tops.push(object),
            }
        }
        tree.break_cycles(world, &shown, &mut tops);
        tree.hang_under_one(world, &tops);
        tree
    }

    /// The object a span hangs under.
    pub(super) fn parent_of(&self, object: usize) -> Option<usize> {
        self.parents.get(&object).copied()
    }

    fn note_further_owners(&mut self, world: &World<'_>, object: usize, owners: &Owners) {
        let Some(owners) = owners.get(&object).filter(|owners| owners.len() > 1) else { return };
        let names: Vec<_> =
            owners.iter().skip(1).map(|owner| world.objects[*owner].key.to_string()).collect();
        let key = &world.objects[object].key;
        self.warnings.push(format!("{key} is also owned by {}", names.join(", ")));
    }

    /// Climbs from every object; who meets itself loses its parent.
    fn break_cycles(&mut self, world: &World<'_>, shown: &[usize], tops: &mut Vec<usize>) {
        for &object in shown {
            let mut seen = BTreeSet::from([object]);
            let mut at = object;
            while let Some(parent) = self.parent_of(at) {
                if !seen.insert(parent) {
                    self.parents.remove(&parent);
                    tops.push(parent);
                    let key = &world.objects[parent].key;
                    self.warnings
                        .push(format!("{key} is its own ancestor; the circle is cut there"));
                    break;
                }
                at = parent;
            }
        }
    }

    /// One root: the top above the object asked for; other tops hang under it.
    fn hang_under_one(&mut self, world: &World<'_>, tops: &[usize]) {
        let mut root = 0;
        while let Some(parent) = self.parent_of(root) {
            root = parent;
        }
        for &top in tops.iter().filter(|top| **top != root) {
            self.parents.insert(top, root);
            let key = &world.objects[top].key;
            self.warnings.push(format!("the owner of {key} is not in this view"));
        }
        let mut children: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (child, parent) in &self.parents {
            children.entry(*parent).or_default().push(*child);
        }
        let mut next = vec![root];
        while let Some(object) = next.pop() {
            self.order.push(object);
            next.extend(children.get(&object).into_iter().flatten().rev());
        }
    }
}

type Owners = BTreeMap<usize, Vec<usize>>;

/// Owners of each object that are shown, the one to hang it under first: owners named by the
/// object itself before those it was reached from, then by key.
fn owners(world: &World<'_>, shown: &[usize]) -> Owners {
    let at: BTreeMap<&ObjectKey, usize> =
        shown.iter().map(|at| (&world.objects[*at].key, *at)).collect();
    let mut found: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    let mut add = |child: Option<&usize>, parent: Option<&usize>| {
        if let Some((child, parent)) = child.zip(parent).filter(|(child, parent)| child != parent) {
            found.entry(*child).or_default().insert(*parent);
        }
    };
    for &object in shown {
        let record = &world.objects[object];
        for link in record.catalogue.links.iter().filter(|link| link.is_owner()) {
            let other = at.get(&link.target);
            match link.role {
                LinkRole::Parent => add(Some(&object), other),
                LinkRole::Child => add(other, Some(&object)),
            }
        }
        match &record.relation {
            Relation::Owned { parent, .. } => add(Some(&object), at.get(parent)),
            Relation::Ancestor { child, .. } => add(at.get(child), Some(&object)),
            Relation::Root | Relation::Namespace => {}
        }
        let states = record.lives.all.iter().flat_map(|life| &life.states);
        for owner in states.flat_map(|state| &state.head.owners) {
            let life = world.life_by_uid(&owner.uid);
            let parent = life.filter(|life| shown.contains(&life.object)).map(|life| life.object);
            add(Some(&object), parent.as_ref());
        }
    }
    found.into_iter().map(|(child, owners)| (child, owners.into_iter().collect())).collect()
}
