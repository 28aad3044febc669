//! Catalogues: in which windows an object has facts, and what it is linked to.
//!
//! Promise: what is no frame is passed over. Frames borrow from their spans; they come as stored,
//! in any order and repeated, and whoever uses them takes them as a set.

use kausal_object::KeyRef;
use kausal_trace::{FactKind, SpanRef, Value, Window, attribute as a};

/// What one stored frame says of its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// It has facts in this window.
    Object(Window),
    /// It is linked to another object.
    Link(LinkFrame<'a>),
}

/// One link, as its object sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkFrame<'a> {
    /// The other object.
    pub target: KeyRef<'a>,
    /// Its uid, when the link names one.
    pub uid: &'a str,
    /// What the other is to this object.
    pub role: LinkRole,
    /// What relates them: `owner`, `configmap`, `secret`.
    pub class: &'a str,
    /// Uid of this object when the link was seen.
    pub own_uid: &'a str,
}

/// What the other end of a link is to the object whose catalogue holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkRole {
    /// The other is this object's parent.
    Parent,
    /// The other is this object's child.
    Child,
}

impl<'a> Frame<'a> {
    /// What a decoded span says; `None` when it is no frame.
    pub fn of(span: &SpanRef<'a>) -> Option<Self> {
        match span.kind()? {
            FactKind::Object => Some(Self::Object(Window::of(span.start))),
            FactKind::Link => Some(Self::Link(LinkFrame::of(span))),
            _ => None,
        }
    }
}

impl<'a> LinkFrame<'a> {
    fn of(span: &SpanRef<'a>) -> Self {
        let mut link = Self {
            target: KeyRef::default(),
            uid: "",
            role: LinkRole::Parent,
            class: "",
            own_uid: "",
        };
        // As with [`SpanRef::get`], the first of a name counts.
        for (name, value) in span.attributes.iter().rev() {
            let text = if let Value::Str(text) = value { *text } else { "" };
            match *name {
                a::LINK_CLUSTER => link.target.cluster = text,
                a::LINK_GROUP => link.target.group = text,
                a::LINK_RESOURCE => link.target.resource = text,
                a::LINK_NAMESPACE => link.target.namespace = text,
                a::LINK_NAME => link.target.name = text,
                a::LINK_UID => link.uid = text,
                a::LINK_ROLE if text == "child" => link.role = LinkRole::Child,
                a::LINK_ROLE => link.role = LinkRole::Parent,
                a::LINK_CLASS => link.class = text,
                a::UID => link.own_uid = text,
                _ => {}
            }
        }
        link
    }

    /// Whether it comes from an owner reference.
    pub fn is_owner(&self) -> bool {
        self.class == "owner"
    }
}
