//! The tree of a view: every object under one owner, the root on top.
//!
//! Promise: every object is placed once; cycles are broken and further owners named, both with a
//! warning; the choice does not depend on the order of anything.

use std::collections::HashMap;

use kausal_object::KeyRef;

use crate::frames::LinkRole;
use crate::gathered::Relation;
use crate::world::{Record, World};

/// Objects of a world, placed.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Objects, parents before children.
    pub(super) order: Vec<usize>,
    /// Of each object of the world: the one its span hangs under.
    parents: Vec<Option<usize>>,
    pub(super) warnings: Vec<String>,
}

impl Tree {
    /// Places every object that is shown as a span: all but the Namespace.
    pub(super) fn of(world: &World<'_>) -> Self {
        let is_shown = |at: &usize| *world.objects[*at].relation != Relation::Namespace;
        let shown: Vec<usize> = (0..world.objects.len()).filter(is_shown).collect();
        let owners = owners(world, &shown);
        let mut tree = Self { parents: vec![None; world.objects.len()], ..Self::default() };
        let mut tops = Vec::new();
        for &object in &shown {
            tree.note_further_owners(world, object, &owners[object]);
            tree.parents[object] = owners[object].first().copied();
            if tree.parents[object].is_none() {
                tops.push(object);
            }
        }
        tree.break_cycles(world, &shown, &mut tops);
        tree.hang_under_one(world, &tops);
        tree
    }

    /// The object a span hangs under.
    pub(super) fn parent_of(&self, object: usize) -> Option<usize> {
        self.parents.get(object).copied().flatten()
    }

    fn note_further_owners(&mut self, world: &World<'_>, object: usize, owners: &[usize]) {
        if owners.len() < 2 {
            return;
        }
        let names: Vec<_> =
            owners.iter().skip(1).map(|owner| world.objects[*owner].key.to_string()).collect();
        let key = world.objects[object].key;
        self.warnings.push(format!("{key} is also owned by {}", names.join(", ")));
    }

    /// Climbs from every object; who meets itself loses its parent.
    fn break_cycles(&mut self, world: &World<'_>, shown: &[usize], tops: &mut Vec<usize>) {
        // Who climbed through an object last; from one that was climbed before, the way is free.
        let mut climber: Vec<Option<usize>> = vec![None; self.parents.len()];
        for &object in shown {
            let mut at = object;
            while climber[at].is_none() {
                climber[at] = Some(object);
                let Some(parent) = self.parent_of(at) else { break };
                if climber[parent] == Some(object) {
                    self.parents[parent] = None;
                    tops.push(parent);
                    let key = world.objects[parent].key;
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
            self.parents[top] = Some(root);
            self.warnings.extend(missing_owner(&world.objects[top]));
        }
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); self.parents.len()];
        for (child, parent) in self.parents.iter().enumerate() {
            if let Some(parent) = parent {
                children[*parent].push(child);
            }
        }
        let mut next = vec![root];
        while let Some(object) = next.pop() {
            self.order.push(object);
            next.extend(children[object].iter().rev());
        }
    }
}

/// Says whose owner is missing. What merely owns a part of the view, beside the root, has none; that
/// it does is said with what it owns.
fn missing_owner(record: &Record<'_>) -> Option<String> {
    let owners =
        record.links.iter().filter(|link| link.is_owner() && link.role == LinkRole::Parent);
    let key = record.key;
    match (owners.map(|link| link.target).min(), record.relation) {
        (Some(owner), _) => {
            Some(format!("{owner}, the owner of {key}, is not in this view; open it by itself"))
        }
        (None, Relation::Ancestor { .. }) => None,
        (None, _) => Some(format!("the owner of {key} is not in this view")),
    }
}

/// Owners of each object that are shown, by the object's index in the world; the one to hang it
/// under first: owners named by the object itself before those it was reached from, then by key.
fn owners(world: &World<'_>, shown: &[usize]) -> Vec<Vec<usize>> {
    let at: HashMap<KeyRef<'_>, usize> =
        shown.iter().map(|at| (world.objects[*at].key.as_ref(), *at)).collect();
    let mut found: Vec<Vec<usize>> = vec![Vec::new(); world.objects.len()];
    let mut add = |child: Option<usize>, parent: Option<usize>| {
        if let Some((child, parent)) = child.zip(parent).filter(|(child, parent)| child != parent) {
            found[child].push(parent);
        }
    };
    for &object in shown {
        let record = &world.objects[object];
        for link in record.links.iter().filter(|link| link.is_owner()) {
            let other = at.get(&link.target).copied();
            match link.role {
                LinkRole::Parent => add(Some(object), other),
                LinkRole::Child => add(other, Some(object)),
            }
        }
        match record.relation {
            Relation::Owned { parent, .. } => add(Some(object), at.get(&parent.as_ref()).copied()),
            Relation::Ancestor { child, .. } => add(at.get(&child.as_ref()).copied(), Some(object)),
            Relation::Root | Relation::Related { .. } | Relation::Namespace => {}
        }
        let states = record.lives.all.iter().flat_map(|life| &life.states);
        for owner in states.flat_map(|state| &state.head.owners) {
            let life = world.life_by_uid(&owner.uid).map(|life| life.object);
            let is_shown = |at: &usize| *world.objects[*at].relation != Relation::Namespace;
            add(Some(object), life.filter(is_shown));
        }
    }
    for owners in &mut found {
        owners.sort_unstable();
        owners.dedup();
    }
    for &object in shown.iter().filter(|object| found[**object].is_empty()).collect::<Vec<_>>() {
        if let Relation::Related { to, .. } = world.objects[object].relation {
            found[object].extend(at.get(&to.as_ref()).copied().filter(|to| *to != object));
        }
    }
    found
}
