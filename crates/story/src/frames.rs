//! Catalogues: in which windows an object has facts, and what it is linked to.
//!
//! Promise: order and repetition of frames do not matter; what is no frame is passed over.

use std::collections::BTreeSet;

use kausal_object::ObjectKey;
use kausal_trace::{FactKind, SpanRef, Window, attribute as a};

/// What the frames of one object say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// Windows in which it has facts.
    pub windows: BTreeSet<Window>,
    /// What it is linked to.
    pub links: BTreeSet<LinkFrame>,
    /// Uids it had when a link was seen.
    pub uids: BTreeSet<String>,
}

/// One link, as its object sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkFrame {
    /// The other object.
    pub target: ObjectKey,
    /// Its uid, when the link names one.
    pub uid: String,
    /// Its kind as written in the reference, when the plural was derived from it.
    pub kind: String,
    /// Its apiVersion as written in the reference.
    pub api_version: String,
    /// What the other is to this object.
    pub role: LinkRole,
    /// What relates them: `owner`, `configmap`, `secret`.
    pub class: String,
    /// Uid of this object when the link was seen.
    pub own_uid: String,
}

/// What the other end of a link is to this object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkRole {
    /// The other is this object's parent.
    Parent,
    /// The other is this object's child.
    Child,
}

impl LinkFrame {
    /// Whether it comes from an owner reference.
    pub fn is_owner(&self) -> bool {
        self.class == "owner"
    }
}

impl Catalogue {
    /// Takes in one decoded span; `false` when it is no frame.
    pub fn add(&mut self, span: &SpanRef<'_>) -> bool {
        match span.kind() {
            Some(FactKind::Object) => {
                self.windows.insert(Window::of(span.start));
            }
            Some(FactKind::Link) => {
                let link = link(span);
                if !link.own_uid.is_empty() {
                    self.uids.insert(link.own_uid.clone());
                }
                self.links.insert(link);
            }
            _ => return false,
        }
        true
    }
}

/// Reads the frames among stored spans; malformed spans are passed over.
pub fn read<'a>(spans: impl IntoIterator<Item = &'a [u8]>) -> Catalogue {
    let mut catalogue = Catalogue::default();
    for span in spans.into_iter().filter_map(|bytes| SpanRef::parse(bytes).ok()) {
        catalogue.add(&span);
    }
    catalogue
}

fn link(span: &SpanRef<'_>) -> LinkFrame {
    let text = |name: &str| span.str(name).to_owned();
    LinkFrame {
        target: ObjectKey {
            cluster: text(a::LINK_CLUSTER),
            group: text(a::LINK_GROUP),
            resource: text(a::LINK_RESOURCE),
            namespace: text(a::LINK_NAMESPACE),
            name: text(a::LINK_NAME),
        },
        uid: text(a::LINK_UID),
        kind: text(a::LINK_KIND),
        api_version: text(a::LINK_API_VERSION),
        role: if span.str(a::LINK_ROLE) == "child" { LinkRole::Child } else { LinkRole::Parent },
        class: text(a::LINK_CLASS),
        own_uid: text(a::UID),
    }
}
