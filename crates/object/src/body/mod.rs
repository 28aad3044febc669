//! Reads a body of an audit event: what to store of it, and what it says.
//!
//! Promise: one pass over the text. What is appended is valid JSON without `managedFields` and
//! without copies of the object made by tools, and with a fingerprint in the place of every
//! secret. A body that cannot be read to its end appends nothing.
//! Never here: trees, and what a member means beyond the tables in [`crate::links`] and
//! [`crate::redact::rules`].

mod facts;
mod judge;
mod marks;
mod patch;
mod place;
mod secret;
mod shape;
mod walk;

use std::borrow::Cow;

use crate::{KeyRef, Link, Redaction};

/// What a body was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyPart {
    /// Sent to create or replace an object.
    Request,
    /// Came back.
    Response,
    /// Sent to change an object: a merge, strategic merge, apply or JSON patch.
    Patch,
}

/// What is known of the request around a body.
#[derive(Clone, Copy, Debug)]
pub struct BodyContext<'a> {
    /// The object the request is about. Fingerprints are bound to it.
    pub key: KeyRef<'a>,
    /// Subresource of the request; empty if none.
    pub subresource: &'a str,
    /// What the body was for.
    pub part: BodyPart,
    /// What is secret.
    pub redaction: &'a Redaction,
}

/// What a body says of its object. Texts are empty where it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BodyFacts<'a> {
    /// `kind`; a patch may have none.
    pub kind: Cow<'a, str>,
    /// `apiVersion`.
    pub api_version: Cow<'a, str>,
    /// `metadata.name`.
    pub name: Cow<'a, str>,
    /// `metadata.namespace`.
    pub namespace: Cow<'a, str>,
    /// `metadata.uid`.
    pub uid: Cow<'a, str>,
    /// `metadata.resourceVersion`.
    pub resource_version: Cow<'a, str>,
    /// Owners, config maps and secrets. True of the object only if the body is a state of it.
    pub links: Vec<Link<'a>>,
    /// The items of a list, **as they came**: each is to be read with its own key before any of it
    /// is kept.
    pub items: Vec<&'a str>,
    /// Whether a fingerprint stands somewhere in what was appended.
    pub redacted: bool,
}

/// Why a body is not kept. The text is not quoted: it may be secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Neither an object nor a JSON patch.
    #[error("the body is neither an object nor a JSON patch")]
    NotAnObject,
    /// The text ends early, or is not JSON.
    #[error("the body is not JSON at byte {at}")]
    Malformed {
        /// First byte that does not fit.
        at: usize,
    },
    /// Nested deeper than [`crate::json::DEPTH_MAX`].
    #[error("the body is nested deeper than {} levels, at byte {at}", crate::json::DEPTH_MAX)]
    TooDeep {
        /// The bracket that is one too many.
        at: usize,
    },
}

/// Appends the redacted text of a body to `out`; gives what the writer needs to know of it. On an
/// error `out` is as it was.
pub fn read_body<'a>(
    body: &'a str,
    cx: &BodyContext<'_>,
    out: &mut String,
) -> Result<BodyFacts<'a>, BodyError> {
    let before = out.len();
    out.reserve(body.len());
    let read = walk::Walk::new(body, cx, out).run();
    if read.is_err() {
        out.truncate(before);
    }
    read
}
