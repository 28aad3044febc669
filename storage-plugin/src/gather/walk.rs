//! Follows links breadth first: which objects belong to a view, before any fact of them is read.
//!
//! Promise: the same links give the same objects in the same order; cycles and several parents
//! end; what the budget of objects or of steps leaves out is counted and named.
//! Never here: the store. The caller reads a level of catalogues and teaches them.

use std::collections::{BTreeSet, HashMap};

use kausal_object::ObjectKey;
use kausal_story::mode::{LinkSelector, Links, Siblings};
use kausal_story::{LinkRole, Mode};

/// How far links are followed from the object asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Levels of owners.
    pub(crate) up: usize,
    /// Levels of owned objects.
    pub(crate) down: usize,
    /// Whether owned objects of the owners belong to it, too.
    pub(crate) siblings: bool,
    /// Steps along links that are no owner references, from every object.
    pub(crate) other: usize,
}

impl Reach {
    /// How far a mode reaches, `depth_max` steps at most in any direction.
    pub(crate) fn of(mode: Mode, depth_max: usize) -> Self {
        mode.links().fold(Self::default(), |reach, links| reach.with(links, depth_max))
    }

    fn with(self, selector: LinkSelector, depth_max: usize) -> Self {
        let (up, down) = (selector.up.min(depth_max), selector.down.min(depth_max));
        match selector.links {
            Links::Owner => {
                Self { up, down, siblings: selector.siblings == Siblings::Along, ..self }
            }
            Links::Other => Self { other: up.max(down), ..self },
        }
    }
}

/// How an object came into a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// It was asked for.
    Asked,
    /// It owns another.
    Owner,
    /// Another owns it.
    Owned,
    /// Another kind of link leads to it.
    Other {
        /// What it is to the object it was found at.
        role: LinkRole,
        /// What the link says.
        class: String,
    },
    /// It is the Namespace of the object asked for.
    Namespace,
}

/// What the other end of a link is to the object whose catalogue holds it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Edge {
    /// It owns this object.
    Owner,
    /// This object owns it.
    Owned,
    /// They are related otherwise.
    Other {
        /// What the other is to this object.
        role: LinkRole,
        /// What the link says.
        class: String,
    },
}

/// Steps that may still be made from an object; `None` where the way does not lead at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Room {
    up: Option<usize>,
    down: Option<usize>,
    other: Option<usize>,
}

impl Room {
    fn union(self, other: Self) -> Self {
        Self {
            up: self.up.max(other.up),
            down: self.down.max(other.down),
            other: self.other.max(other.other),
        }
    }
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
    room: Room,
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
    too_far: BTreeSet<ObjectKey>,
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
            too_far: BTreeSet::new(),
        };
        let (up, down, other) = (way(reach.up), way(reach.down), way(reach.other));
        walk.add(root, Via::Asked, 0, Room { up, down, other });
        walk
    }

    /// Adds an object whose links are not followed.
    pub(crate) fn add_aside(&mut self, key: ObjectKey, via: Via) {
        if !self.known.contains_key(&key) {
            self.add(key, via, 0, Room::default());
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

    /// Whether links of an object would be followed, if it had any.
    pub(crate) fn wants_links(&self, index: usize) -> bool {
        self.nodes.get(index).is_some_and(|node| node.room != Room::default())
    }

    /// Objects that did not fit, in order.
    pub(crate) fn left_out(&self) -> Vec<&ObjectKey> {
        self.left_out.iter().collect()
    }

    /// Objects that are more steps away than are made, in order.
    pub(crate) fn too_far(&self) -> Vec<&ObjectKey> {
        self.too_far.iter().filter(|key| !self.known.contains_key(*key)).collect()
    }

    /// Visits what an object links to; answers with objects that are to be followed again, because
    /// a shorter way to them was found.
    fn follow(&mut self, index: usize) -> Vec<usize> {
        let Some(node) = self.nodes.get_mut(index) else { return Vec::new() };
        let room = node.room;
        let links = node.links.take().unwrap_or_default();
        let again = links.iter().filter_map(|(edge, key)| match self.step(edge, room)? {
            Step::To(via, room) => self.visit(key, via, index, room),
            Step::TooFar => {
                self.too_far.insert(key.clone());
                None
            }
        });
        let again = again.collect();
        if let Some(node) = self.nodes.get_mut(index) {
            node.links = Some(links);
        }
        again
    }

    /// Where a link leads from an object with this much room.
    fn step(&self, edge: &Edge, room: Room) -> Option<Step> {
        let left = match edge {
            Edge::Owner => room.up,
            Edge::Owned => room.down,
            // So few steps are what the mode means; nothing is cut.
            Edge::Other { .. } => room.other.filter(|steps| *steps > 0),
        };
        let Some(left) = left?.checked_sub(1) else { return Some(Step::TooFar) };
        let other = way(self.reach.other);
        let below_owner = way(self.reach.down).filter(|_| self.reach.siblings);
        Some(match edge {
            Edge::Owner => Step::To(Via::Owner, Room { up: Some(left), down: below_owner, other }),
            Edge::Owned => Step::To(Via::Owned, Room { up: None, down: Some(left), other }),
            Edge::Other { role, class } => {
                let via = Via::Other { role: *role, class: class.clone() };
                Step::To(via, Room { up: None, down: None, other: Some(left) })
            }
        })
    }

    fn visit(&mut self, key: &ObjectKey, via: Via, from: usize, room: Room) -> Option<usize> {
        let Some(&index) = self.known.get(key) else {
            if self.nodes.len() >= self.objects_max {
                self.left_out.insert(key.clone());
            } else {
                self.add(key.clone(), via, from, room);
            }
            return None;
        };
        let steps = self.steps(&via, from);
        let node = self.nodes.get_mut(index)?;
        if matches!(node.via, Via::Other { .. }) && !matches!(via, Via::Other { .. }) {
            (node.via, node.from, node.steps) = (via, from, steps);
        }
        let union = node.room.union(room);
        if union == node.room {
            return None;
        }
        node.room = union;
        node.links.is_some().then_some(index)
    }

    fn add(&mut self, key: ObjectKey, via: Via, from: usize, room: Room) {
        let index = self.nodes.len();
        let steps = self.steps(&via, from);
        self.known.insert(key.clone(), index);
        self.nodes.push(Node { key, via, from, steps, room, links: None });
        self.level.push(index);
    }

    fn steps(&self, via: &Via, from: usize) -> u32 {
        let before = self.nodes.get(from).filter(|node| node.via == *via);
        match via {
            Via::Asked | Via::Namespace => 0,
            Via::Other { .. } => 1,
            Via::Owner | Via::Owned => before.map_or(1, |node| node.steps + 1),
        }
    }
}

/// A direction that leads nowhere is none at all.
fn way(steps: usize) -> Option<usize> {
    (steps > 0).then_some(steps)
}

/// What becomes of a link.
enum Step {
    To(Via, Room),
    TooFar,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a>b` means that a owns b, `a~b` that a uses b.
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
            if let Some((user, used)) = link.split_once('~') {
                let other = |role| Edge::Other { role, class: "configmap".to_owned() };
                found.extend((user == name).then(|| (other(LinkRole::Child), key(used))));
                found.extend((used == name).then(|| (other(LinkRole::Parent), key(user))));
                continue;
            }
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
    const PLAIN: Reach = Reach { up: 0, down: 0, siblings: false, other: 0 };
    const OWNED: Reach = Reach { down: 3, ..PLAIN };
    const FULL: Reach = Reach { up: 3, down: 3, siblings: true, other: 0 };

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
        assert_eq!(names(&walk.left_out()), "pod1 pod2 pod3");
    }

    fn names(keys: &[&ObjectKey]) -> String {
        keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_budget_of_steps_names_what_lies_beyond() {
        let check = |root: &str, reach: Reach, expect: &str| {
            assert_eq!(names(&walk(root, reach, 100, &TREE).too_far()), expect, "{root} {reach:?}");
        };
        check("deploy", PLAIN, "");
        check("deploy", OWNED, "");
        check("deploy", Reach { down: 1, ..PLAIN }, "pod1 pod2 pod3");
        check("pod1", Reach { up: 1, ..PLAIN }, "deploy");
        check("pod1", Reach { up: 1, down: 1, siblings: true, other: 0 }, "deploy");
        check("pod1", FULL, "");
    }

    #[test]
    fn related_objects_are_one_step_from_every_object() {
        let related = |reach| Reach { other: 1, ..reach };
        let links = ["rs>pod", "pod~config", "other~config", "pod~node", "far~other", "rs~node"];
        check("pod", PLAIN, &links, "pod");
        check("pod", related(PLAIN), &links, "pod config node");
        check("config", related(PLAIN), &links, "config other pod");
        check("rs", related(OWNED), &links, "rs pod node config");
    }

    #[test]
    fn an_owner_reference_counts_more_than_another_link() {
        let walk = walk("a", Reach { other: 1, ..OWNED }, 100, &["a~c", "a>b", "b>c", "c>d"]);
        let found: Vec<_> = walk.nodes().iter().map(|node| (&*node.key.name, &node.via)).collect();
        assert!(matches!(found[2], ("c", Via::Owned)), "{found:?}");
        assert!(matches!(found[3], ("d", Via::Owned)), "{found:?}");
    }
}
