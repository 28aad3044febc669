//! The catalogue of one object, read from its traces.
//!
//! Promise: frames of another object whose hash is the same are told apart; what is malformed is
//! counted and costs nothing else.

use std::collections::BTreeSet;

use kausal_object::ObjectKey;
use kausal_story::{Catalogue, LinkRole};
use kausal_trace::{SpanRef, Window};

use super::walk::Edge;

/// What the catalogue of an object says, and the frames themselves.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// Windows in which the object has facts.
    pub(crate) windows: BTreeSet<Window>,
    /// Owners and owned objects.
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
        let (mut frames, mut catalogue) = (Self::default(), Catalogue::default());
        for bytes in spans {
            let Ok(span) = SpanRef::parse(&bytes) else {
                frames.malformed += 1;
                continue;
            };
            if span.object_key() != key.as_ref() {
                frames.strangers.insert(span.object_key().to_owned());
            } else if catalogue.add(&span) {
                frames.spans.push(bytes);
            }
        }
        frames.windows = catalogue.windows;
        frames.links = owner_links(catalogue.links);
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

fn owner_links(links: BTreeSet<kausal_story::LinkFrame>) -> Vec<(Edge, ObjectKey)> {
    let owners = links.into_iter().filter(kausal_story::LinkFrame::is_owner);
    let edge = |role| match role {
        LinkRole::Parent => Edge::Owner,
        LinkRole::Child => Edge::Owned,
    };
    owners.map(|link| (edge(link.role), link.target)).collect()
}
