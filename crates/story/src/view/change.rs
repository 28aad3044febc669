//! What watches saw of an act, as attributes of its span or log.

use kausal_trace::{AttrValue, attribute as a};

use super::act_span::Attributes;
use crate::fact::AuditFact;
use crate::story::SeenChange;

/// How request and change were brought together.
const JOIN: &str = "join";

/// Adds what the request's own attributes do not say.
pub(super) fn attributes(out: &mut Attributes, fact: &AuditFact<'_>, seen: &SeenChange) {
    out.text(JOIN, seen.how());
    out.text(a::OPERATION, &seen.operation);
    out.text(a::MANAGER, &seen.manager);
    out.text(a::OBSERVED_AT, &seen.observed_at.to_string());
    out.text(a::DIFF_CUT, &seen.cut);
    if seen.gap {
        out.0.push((a::GAP.to_owned(), AttrValue::Bool(true)));
    }
    if seen.contradicts {
        out.text(
            "join.contradiction",
            "the change says otherwise than the request; it is not told",
        );
    }
    if fact.precondition.is_empty() {
        out.text(a::RESOURCE_VERSION, &seen.old_version);
    }
}
