//! Where in a body the walk stands: a chain of steps on the call stack, spelt out only when a
//! fingerprint or a user's rule needs it.

use std::borrow::Cow;

use crate::redact::Segment;
use crate::{lists, path};

/// One step below another place.
pub(super) struct Place<'p> {
    pub(super) up: Option<&'p Place<'p>>,
    pub(super) step: Step<'p>,
}

pub(super) enum Step<'p> {
    /// The body.
    Root,
    /// An item of a list: the root of an object of its own, which begins at this byte.
    Item(usize),
    /// A member.
    Key(&'p str),
    /// An element of a list, its position and first byte.
    Element { position: usize, at: usize },
    /// What the pointer of a JSON patch names.
    Pointer(&'p [Cow<'p, str>]),
}

impl<'p> Place<'p> {
    pub(super) const ROOT: Place<'static> = Place { up: None, step: Step::Root };

    pub(super) fn below(&'p self, step: Step<'p>) -> Place<'p> {
        Place { up: Some(self), step }
    }

    pub(super) fn member(&'p self, key: &'p str) -> Place<'p> {
        self.below(Step::Key(key))
    }

    /// The root above.
    pub(super) fn root(&self) -> &Place<'p> {
        self.up.map_or(self, Place::root)
    }

    /// The step itself, as rules see it; `None` for a root.
    pub(super) fn last_segment(&self) -> Option<Segment<'_>> {
        match &self.step {
            Step::Key(key) => Some(Segment::Key(Cow::Borrowed(key))),
            Step::Element { position, .. } => {
                Some(Segment::Element { label: None, position: *position })
            }
            Step::Pointer(steps) => steps.last().map(|step| Segment::Pointer(step)),
            Step::Root | Step::Item(_) => None,
        }
    }

    /// The steps from the object's root to here.
    pub(super) fn segments<'s>(&'s self, text: &str) -> Vec<Segment<'s>> {
        let mut segments = Vec::new();
        let mut place = Some(self);
        while let Some(Place { up, step }) = place {
            match step {
                Step::Root | Step::Item(_) => break,
                Step::Key(key) => segments.push(Segment::Key(Cow::Borrowed(key))),
                Step::Element { position, at } => {
                    let field = up.and_then(Place::field).unwrap_or_default();
                    let label = lists::label_in_text(field, text.get(*at..).unwrap_or_default());
                    segments.push(Segment::Element { label, position: *position });
                }
                Step::Pointer(steps) => {
                    segments.extend(steps.iter().rev().map(|step| Segment::Pointer(step)));
                    break;
                }
            }
            place = *up;
        }
        segments.reverse();
        segments
    }

    /// Name of the member that holds this value.
    fn field(&self) -> Option<&str> {
        match self.step {
            Step::Key(key) => Some(key),
            Step::Pointer(steps) => steps.last().map(AsRef::as_ref),
            _ => None,
        }
    }
}

/// The path of a fingerprint. Elements are named by merge key, so that a value keeps its
/// fingerprint when the list around it changes.
pub(super) fn spell(segments: &[Segment<'_>]) -> String {
    let mut spelt = String::new();
    for segment in segments {
        match segment {
            Segment::Key(key) => path::push_key(&mut spelt, key),
            Segment::Element { label: Some(label), .. } => path::push_label(&mut spelt, label),
            Segment::Element { position, .. } => path::push_position(&mut spelt, *position),
            Segment::Pointer(step) => match step.parse() {
                Ok(position) => path::push_position(&mut spelt, position),
                Err(_) => path::push_key(&mut spelt, step),
            },
        }
    }
    spelt
}
