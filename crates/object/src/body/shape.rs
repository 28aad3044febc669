//! The tables of paths, compiled: which members of which kind mean something.
//!
//! Promise: following a path costs a look at the few names its node has; a subtree without any
//! rule has node [`NOWHERE`] and costs nothing.

use std::sync::LazyLock;

use super::marks::Marks;
use crate::links::{OTHER_REFERENCES, POD_REFERENCES, POD_SPECS, Target};
use crate::redact::rules::{SECRET_PATHS, Secret};

/// Where no rule leads.
pub(super) const NOWHERE: u16 = 0;

/// What a place means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Nothing,
    Fact(Fact),
    /// An element of `ownerReferences`.
    Owner,
    OwnerField(OwnerField),
    Reference(Target),
    /// An element of a list's `items`.
    Item,
    /// A secret by its place.
    Secret,
    /// Arguments of a program, the program's name first.
    Arguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    Kind,
    ApiVersion,
    Name,
    Namespace,
    Uid,
    ResourceVersion,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnerField {
    ApiVersion,
    Kind,
    Name,
    Uid,
}

/// What every object may say of itself.
const OWN: &[(&str, Meaning)] = &[
    ("kind", Meaning::Fact(Fact::Kind)),
    ("apiVersion", Meaning::Fact(Fact::ApiVersion)),
    ("metadata.name", Meaning::Fact(Fact::Name)),
    ("metadata.namespace", Meaning::Fact(Fact::Namespace)),
    ("metadata.uid", Meaning::Fact(Fact::Uid)),
    ("metadata.resourceVersion", Meaning::Fact(Fact::ResourceVersion)),
    ("metadata.ownerReferences.*", Meaning::Owner),
    ("metadata.ownerReferences.*.apiVersion", Meaning::OwnerField(OwnerField::ApiVersion)),
    ("metadata.ownerReferences.*.kind", Meaning::OwnerField(OwnerField::Kind)),
    ("metadata.ownerReferences.*.name", Meaning::OwnerField(OwnerField::Name)),
    ("metadata.ownerReferences.*.uid", Meaning::OwnerField(OwnerField::Uid)),
];

struct Node {
    meaning: Meaning,
    members: Vec<(&'static str, u16)>,
    marks: Marks,
    each: u16,
}

/// All compiled paths, and where each kind begins.
pub(super) struct Shapes {
    nodes: Vec<Node>,
    plain: u16,
    list: u16,
    kinds: Vec<(&'static str, u16)>,
}

/// The shapes of this build's tables.
pub(super) static SHAPES: LazyLock<Shapes> = LazyLock::new(Shapes::compile);

impl Shapes {
    /// Where a body begins: by the secrets its resource may hold, else by its kind.
    pub(super) fn root(&self, kind: &str, resource: &str, subresource: &str) -> u16 {
        let secret = SECRET_PATHS.iter().find(|rule| rule.answers(resource, subresource));
        let kind = secret.map_or(kind, |rule| rule.kind);
        match self.kinds.iter().find(|(name, _)| *name == kind) {
            Some((_, root)) => *root,
            None if kind.ends_with("List") => self.list,
            None => self.plain,
        }
    }

    /// The node of a member.
    #[inline]
    pub(super) fn member(&self, node: u16, key: &str) -> u16 {
        let members = self.nodes.get(usize::from(node)).map_or(&[][..], |node| &node.members);
        members.iter().find(|(name, _)| *name == key).map_or(NOWHERE, |(_, to)| *to)
    }

    /// Which members of a node lead somewhere.
    #[inline]
    pub(super) fn marks(&self, node: u16) -> Marks {
        self.nodes.get(usize::from(node)).map_or(Marks::NONE, |node| node.marks)
    }

    /// The node of the elements.
    #[inline]
    pub(super) fn element(&self, node: u16) -> u16 {
        self.nodes.get(usize::from(node)).map_or(NOWHERE, |node| node.each)
    }

    #[inline]
    pub(super) fn meaning(&self, node: u16) -> Meaning {
        self.nodes.get(usize::from(node)).map_or(Meaning::Nothing, |node| node.meaning)
    }

    fn compile() -> Self {
        let mut shapes = Self { nodes: Vec::new(), plain: 0, list: 0, kinds: Vec::new() };
        let _nowhere = shapes.new_node();
        shapes.plain = shapes.own();
        shapes.list = shapes.own();
        shapes.add(shapes.list, "items.*", Meaning::Item);
        for (kind, spec) in POD_SPECS {
            for (path, target) in POD_REFERENCES {
                let root = shapes.of_kind(kind);
                let spec = shapes.reach(root, spec);
                shapes.add(spec, path, Meaning::Reference(*target));
            }
        }
        for (kind, path, target) in OTHER_REFERENCES {
            let root = shapes.of_kind(kind);
            shapes.add(root, path, Meaning::Reference(*target));
        }
        for rule in SECRET_PATHS {
            let root = shapes.of_kind(rule.kind);
            let meaning = match rule.secret {
                Secret::Value => Meaning::Secret,
                Secret::Arguments => Meaning::Arguments,
            };
            shapes.add(root, rule.path, meaning);
        }
        shapes
    }

    fn of_kind(&mut self, kind: &'static str) -> u16 {
        if let Some((_, root)) = self.kinds.iter().find(|(name, _)| *name == kind) {
            return *root;
        }
        let root = self.own();
        self.kinds.push((kind, root));
        root
    }

    fn own(&mut self) -> u16 {
        let root = self.new_node();
        for (path, meaning) in OWN {
            self.add(root, path, *meaning);
        }
        root
    }

    fn new_node(&mut self) -> u16 {
        self.nodes.push(Node {
            meaning: Meaning::Nothing,
            members: Vec::new(),
            marks: Marks::NONE,
            each: NOWHERE,
        });
        (self.nodes.len() - 1) as u16
    }

    fn add(&mut self, from: u16, path: &'static str, meaning: Meaning) {
        let node = self.reach(from, path);
        self.nodes[usize::from(node)].meaning = meaning;
    }

    /// The node at the end of a path, made where it is missing.
    fn reach(&mut self, from: u16, path: &'static str) -> u16 {
        path.split('.').fold(from, |node, step| {
            let next = if step == "*" { self.element(node) } else { self.member(node, step) };
            if next != NOWHERE {
                return next;
            }
            let next = self.new_node();
            let node = &mut self.nodes[usize::from(node)];
            if step == "*" {
                node.each = next;
            } else {
                node.members.push((step, next));
                node.marks = node.marks.with(step);
            }
            next
        })
    }
}
