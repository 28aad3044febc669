//! The catalogue of one object, read from its traces.
//!
//! Promise: frames of another object whose hash is the same are told apart; what is malformed is
//! counted and costs nothing else.

use std::collections::BTreeSet;

use kausal_object::ObjectKey;
use kausal_story::{Frame, LinkFrame, LinkRole};
use kausal_trace::{SpanRef, Window};

use super::walk::Edge;

/// What the catalogue of an object says, and the frames themselves.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// Windows in which the object has facts.
    pub(crate) windows: BTreeSet<Window>,
    /// What it is linked to.
    pub(crate) links: Vec<(Edge, ObjectKey)>,
    /// The frames as stored.
    pub(crate) spans: Vec<Box<[u8]>>,
    /// Objects that share the hash.
    pub(crate) strangers: BTreeSet<ObjectKey>,
    /// Spans that could not be read.
    pub(crate) malformed: usize,
}

impl Frames {
    /// Reads the frames of `key` among stored spans.
    pub(crate) fn read(key: &ObjectKey, spans: Vec<Box<[u8]>>) -> Self {
        let mut frames = Self { spans: Vec::with_capacity(spans.len()), ..Self::default() };
        for bytes in spans {
            let Ok(span) = SpanRef::parse(&bytes) else {
                frames.malformed += 1;
                continue;
            };
            if span.object_key() != key.as_ref() {
                frames.strangers.insert(span.object_key().to_owned());
                continue;
            }
            match Frame::of(&span) {
                Some(Frame::Object(window)) => {
                    frames.windows.insert(window);
                }
                Some(Frame::Link(link)) => frames.links.push(edge(&link)),
                None => continue,
            }
            frames.spans.push(bytes);
        }
        frames
    }

    /// Adds what another day says.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.windows.extend(other.windows);
        self.links.extend(other.links);
        self.spans.extend(other.spans);
        self.strangers.extend(other.strangers);
        self.malformed += other.malformed;
    }
}

/// Where a link leads.
fn edge(link: &LinkFrame<'_>) -> (Edge, ObjectKey) {
    let edge = match link.role {
        role if !link.is_owner() => Edge::Other { role, class: link.class.to_owned() },
        LinkRole::Parent => Edge::Owner,
        LinkRole::Child => Edge::Owned,
    };
    (edge, link.target.to_owned())
}
