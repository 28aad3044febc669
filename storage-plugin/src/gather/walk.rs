//! Follows links breadth first: which objects belong to a view, before any fact of them is read.
//!
//! Promise: the same links give the same objects in the same order; cycles and several parents
//! end; what the budget leaves out is counted and named.
//! Never here: the store. The caller reads a level of catalogues and teaches them.

use std::collections::{BTreeSet, HashMap};

use kausal_object::ObjectKey;
use kausal_story::mode::Reach as Modifier;

/// How far links are followed from the object asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Levels of owners.
    pub(crate) up: usize,
    /// Levels of owned objects.
    pub(crate) down: usize,
    /// Whether owned objects of the owners belong to it, too.
    pub(crate) siblings: bool,
}

impl Reach {
    /// How far the modifier of a mode reaches, `depth_max` steps at most in either direction.
    pub(crate) fn of(modifier: Modifier, depth_max: usize) -> Self {
        let (up, down, siblings) = match modifier {
            Modifier::Object => (0, 0, false),
            Modifier::Ancestors => (depth_max, 0, false),
            Modifier::OwnedObjects => (0, depth_max, false),
            Modifier::FullTree => (depth_max, depth_max, true),
        };
        Self { up, down, siblings }
    }
}

/// How an object came into a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// It was asked for.
    Asked,
    /// It owns another.
    Owner,
    /// Another owns it.
    Owned,
    /// It is the Namespace of the object asked for.
    Namespace,
}

/// What the other end of a link is to the object whose catalogue holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Edge {
    /// It owns this object.
    Owner,
    /// This object owns it.
    Owned,
}

/// An object of the view.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) key: ObjectKey,
    pub(crate) via: Via,
    /// The object it was found at; its own index for the one asked for.
    pub(crate) from: usize,
    /// Steps up or down since the direction last changed; 0 for the object asked for.
    pub(crate) steps: u32,
    up: usize,
    down: usize,
    links: Option<Vec<(Edge, ObjectKey)>>,
}

/// The walk; nodes are in the order in which they were found.
#[derive(Debug)]
pub(crate) struct Walk {
    reach: Reach,
    objects_max: usize,
    nodes: Vec<Node>,
    known: HashMap<ObjectKey, usize>,
    level: Vec<usize>,
    left_out: BTreeSet<ObjectKey>,
}

impl Walk {
    pub(crate) fn new(root: ObjectKey, reach: Reach, objects_max: usize) -> Self {
        let mut walk = Self {
            reach,
            objects_max: objects_max.max(1),
            nodes: Vec::new(),
            known: HashMap::new(),
            level: Vec::new(),
            left_out: BTreeSet::new(),
        };
        walk.add(root, Via::Asked, 0, (reach.up, reach.down));
        walk
    }

    /// Adds an object whose links are not followed.
    pub(crate) fn add_aside(&mut self, key: ObjectKey, via: Via) {
        if !self.known.contains_key(&key) {
            self.add(key, via, 0, (0, 0));
        }
    }

    /// Objects whose catalogues are to be read next; empty when the walk is over.
    pub(crate) fn next_level(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.level)
    }

    /// Teaches the links of an object and follows them.
    pub(crate) fn learn(&mut self, index: usize, mut links: Vec<(Edge, ObjectKey)>) {
        links.sort_unstable();
        links.dedup();
        let Some(node) = self.nodes.get_mut(index) else { return };
        node.links = Some(links);
        let mut again = vec![index];
        while let Some(index) = again.pop() {
            again.extend(self.follow(index));
        }
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Objects that did not fit, in order.
    pub(crate) fn left_out(&self) -> impl ExactSizeIterator<Item = &ObjectKey> {
        self.left_out.iter()
    }

    /// Visits what an object links to; answers with objects that are to be followed again, because
    /// a shorter way to them was found.
    fn follow(&mut self, index: usize) -> Vec<usize> {
        let Some(node) = self.nodes.get_mut(index) else { return Vec::new() };
        let (up, down) = (node.up, node.down);
        let links = node.links.take().unwrap_or_default();
        let again = links.iter().filter_map(|(edge, key)| {
            let (via, room) = self.step(*edge, up, down)?;
            self.visit(key, via, index, room)
        });
        let again = again.collect();
        if let Some(node) = self.nodes.get_mut(index) {
            node.links = Some(links);
        }
        again
    }

    /// Where a link leads from an object with this much room, and the room left there.
    fn step(&self, edge: Edge, up: usize, down: usize) -> Option<(Via, (usize, usize))> {
        let below_owner = if self.reach.siblings { self.reach.down } else { 0 };
        match edge {
            Edge::Owner if up > 0 => Some((Via::Owner, (up - 1, below_owner))),
            Edge::Owned if down > 0 => Some((Via::Owned, (0, down - 1))),
            _ => None,
        }
    }

    fn visit(
        &mut self,
        key: &ObjectKey,
        via: Via,
        from: usize,
        room: (usize, usize),
    ) -> Option<usize> {
        let Some(&index) = self.known.get(key) else {
            if self.nodes.len() >= self.objects_max {
                self.left_out.insert(key.clone());
            } else {
                self.add(key.clone(), via, from, room);
            }
            return None;
        };
        let node = self.nodes.get_mut(index)?;
        if room.0 <= node.up && room.1 <= node.down {
            return None;
        }
        (node.up, node.down) = (node.up.max(room.0), node.down.max(room.1));
        node.links.is_some().then_some(index)
    }

    fn add(&mut self, key: ObjectKey, via: Via, from: usize, (up, down): (usize, usize)) {
        let index = self.nodes.len();
        let before = self.nodes.get(from).filter(|node| node.via == via);
        let steps = match via {
            Via::Asked | Via::Namespace => 0,
            Via::Owner | Via::Owned => before.map_or(1, |node| node.steps + 1),
        };
        self.known.insert(key.clone(), index);
        self.nodes.push(Node { key, via, from, steps, up, down, links: None });
        self.level.push(index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a>b` means that a owns b.
    fn walk(root: &str, reach: Reach, objects_max: usize, links: &[&str]) -> Walk {
        let mut walk = Walk::new(key(root), reach, objects_max);
        loop {
            let level = walk.next_level();
            if level.is_empty() {
                return walk;
            }
            for index in level {
                let name = walk.nodes()[index].key.name.clone();
                walk.learn(index, links_of(&name, links));
            }
        }
    }

    fn links_of(name: &str, links: &[&str]) -> Vec<(Edge, ObjectKey)> {
        let mut found = Vec::new();
        for link in links {
            let (above, below) = link.split_once('>').unwrap();
            if above == name {
                found.push((Edge::Owned, key(below)));
            }
            if below == name {
                found.push((Edge::Owner, key(above)));
            }
        }
        found
    }

    fn key(name: &str) -> ObjectKey {
        ObjectKey { name: name.to_owned(), ..ObjectKey::default() }
    }

    fn check(root: &str, reach: Reach, links: &[&str], expect: &str) {
        let walk = walk(root, reach, 100, links);
        let names: Vec<_> = walk.nodes().iter().map(|node| node.key.name.as_str()).collect();
        assert_eq!(names.join(" "), expect, "{root} {reach:?}");
    }

    const TREE: [&str; 5] = ["deploy>rs1", "deploy>rs2", "rs1>pod1", "rs1>pod2", "rs2>pod3"];
    const PLAIN: Reach = Reach { up: 0, down: 0, siblings: false };
    const OWNED: Reach = Reach { down: 3, ..PLAIN };
    const FULL: Reach = Reach { up: 3, down: 3, siblings: true };

    #[test]
    fn follows_only_as_far_as_asked() {
        check("rs1", PLAIN, &TREE, "rs1");
        check("deploy", OWNED, &TREE, "deploy rs1 rs2 pod1 pod2 pod3");
        check("deploy", Reach { down: 1, ..PLAIN }, &TREE, "deploy rs1 rs2");
        check("pod1", Reach { up: 3, ..PLAIN }, &TREE, "pod1 rs1 deploy");
    }

    #[test]
    fn the_full_tree_has_the_siblings_and_their_children() {
        check("pod1", FULL, &TREE, "pod1 rs1 deploy pod2 rs2 pod3");
    }

    #[test]
    fn cycles_and_several_parents_end() {
        check("a", OWNED, &["a>b", "b>c", "c>a"], "a b c");
        check("c", FULL, &["a>c", "b>c", "a>b", "c>c"], "c a b");
    }

    #[test]
    fn a_shorter_way_found_later_reaches_further() {
        // d is two steps down from r, and one below an owner that is found after d was read.
        let links = ["r>a", "a>d", "o>r", "p>o", "q>p", "q>d", "d>e", "e>f"];
        check("r", FULL, &links, "r o a p d q e f");
    }

    #[test]
    fn the_budget_names_what_it_leaves_out() {
        let walk = walk("deploy", OWNED, 3, &TREE);
        assert_eq!(walk.nodes().len(), 3);
        let left: Vec<_> = walk.left_out().map(|key| key.name.as_str()).collect();
        assert_eq!(left, ["pod1", "pod2", "pod3"]);
    }
}
