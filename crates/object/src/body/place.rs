//! Where in a body the walk stands: a chain of steps on the call stack, spelt out only when a
//! fingerprint or a user's rule needs it.

use std::borrow::Cow;
use std::cell::OnceCell;

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
    /// An element of a list.
    Element(Element),
    /// What the pointer of a JSON patch names.
    Pointer(&'p [Cow<'p, str>]),
}

/// An element of a list.
pub(super) struct Element {
    pub(super) position: usize,
    /// Its first byte.
    pub(super) at: usize,
    /// Its name by merge key, once it was asked for: many secrets may be in one element.
    label: OnceCell<Option<Box<str>>>,
}

impl Element {
    pub(super) fn new(position: usize, at: usize) -> Self {
        Self { position, at, label: OnceCell::new() }
    }

    fn label(&self, field: &str, text: &str) -> Option<&str> {
        let look = || lists::label_in_text(field, text.get(self.at..)?).map(String::into_boxed_str);
        self.label.get_or_init(look).as_deref()
    }
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
            Step::Element(element) => {
                Some(Segment::Element { label: None, position: element.position })
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
                Step::Element(element) => {
                    let field = up.and_then(Place::field).unwrap_or_default();
                    let label = element.label(field, text);
                    segments.push(Segment::Element { label, position: element.position });
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
