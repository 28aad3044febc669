//! The bodies of a request: read once, redacted, and what they say about their object.
//!
//! Promise: what is stored of a body went through redaction; what could not be read is left out
//! and said, never stored as it came.

use std::fmt::Write as _;

use kausal_audit::Event;
use kausal_object::{BodyContext, BodyFacts, BodyPart, KeyRef, Redaction, is_own_kind, read_body};

/// A stored body is at most this long; a longer one is left out and said. Objects in etcd have at
/// most 1.5 MB, and nearly all of them less than a tenth of this once `managedFields` are cut.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// One body after reading. Its redacted text is in the scratch string it was read into.
#[derive(Debug, Default)]
pub(super) struct ReadBody<'a> {
    /// What the body says; `None` when there is no body, or it could not be read.
    pub(super) facts: Option<BodyFacts<'a>>,
    /// What its kind is to the object of the request.
    pub(super) nature: Nature,
}

impl ReadBody<'_> {
    /// Whether its redacted text holds fingerprints.
    pub(super) fn has_fingerprints(&self) -> bool {
        self.facts.as_ref().is_some_and(|facts| facts.redacted)
    }
}

/// What a body's kind is to the object of the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Nature {
    /// There is none that could be read.
    #[default]
    Absent,
    /// A state of the object itself.
    OwnKind,
    /// The object's `Scale`.
    Scale,
    /// The apiserver's `Status`, which the event carries as well.
    Status,
    /// A list; of a deletecollection, the objects as they were.
    List,
    /// Something else: a patch, options, a review.
    Other,
}

/// Where a body's text goes and what is said when it does not.
#[derive(Debug, Default)]
pub(super) struct BodyText {
    /// The redacted body; empty when it is not stored.
    pub(super) json: String,
    /// Why it is not stored although there was one.
    pub(super) cut: String,
}

impl BodyText {
    pub(super) fn clear(&mut self) {
        self.json.clear();
        self.cut.clear();
    }

    /// Leaves the body out, with a reason.
    pub(super) fn leave_out(&mut self, reason: std::fmt::Arguments<'_>) {
        self.clear();
        // Writing to a String cannot fail.
        let _written = self.cut.write_fmt(reason);
    }
}

/// What reading a body needs to know besides its text.
#[derive(Clone, Copy, Debug)]
pub(super) struct BodyOf<'a> {
    pub(super) key: KeyRef<'a>,
    pub(super) subresource: &'a str,
    pub(super) part: BodyPart,
    pub(super) redaction: &'a Redaction,
}

/// Reads a body into `text`.
pub(super) fn read<'a>(body: Option<&'a str>, of: BodyOf<'_>, text: &mut BodyText) -> ReadBody<'a> {
    text.clear();
    let Some(body) = body else { return ReadBody::default() };
    let BodyOf { key, subresource, part, redaction } = of;
    let cx = BodyContext { key, subresource, part, redaction };
    match read_body(body, &cx, &mut text.json) {
        Ok(facts) => {
            let length = text.json.len();
            if length > BODY_BYTES_MAX {
                text.leave_out(format_args!("{length} bytes, over the limit of {BODY_BYTES_MAX}"));
            }
            let nature = nature(key, &facts);
            ReadBody { facts: Some(facts), nature }
        }
        Err(error) => {
            text.leave_out(format_args!("unreadable: {error}"));
            ReadBody::default()
        }
    }
}

/// The part the request's body plays.
pub(super) fn request_part(event: &Event<'_>) -> BodyPart {
    if event.verb == "patch" { BodyPart::Patch } else { BodyPart::Request }
}

fn nature(key: KeyRef<'_>, facts: &BodyFacts<'_>) -> Nature {
    // The first three are never the own kind of a resource, and need no look into its table.
    match &*facts.kind {
        "" => Nature::Other,
        "Status" => Nature::Status,
        "Scale" => Nature::Scale,
        kind if is_own_kind(key.group, key.resource, &facts.api_version, kind) => Nature::OwnKind,
        kind if kind.ends_with("List") => Nature::List,
        _ => Nature::Other,
    }
}
