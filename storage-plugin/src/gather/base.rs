//! What was before the range: whether an object's facts need it, and whether a window has it.
//!
//! Promise: only looks; what a state is in full is decided where stories are told.

use kausal_trace::{FactKind, SpanRef, UnixNanos, Value, attribute as a};

/// Whether the earliest write among these facts made the object: then nothing was before.
pub(crate) fn begins_with_creation(spans: &[Box<[u8]>]) -> bool {
    let spans = spans.iter().filter_map(|bytes| SpanRef::parse(bytes).ok());
    let writes = spans.filter_map(|span| write(&span));
    writes.min().is_some_and(|(_, verb)| verb == Verb::Create)
}

/// Whether one of these facts tells the object's state.
pub(crate) fn has_state(spans: &[Box<[u8]>]) -> bool {
    spans.iter().filter_map(|bytes| SpanRef::parse(bytes).ok()).any(|span| {
        write(&span).is_some()
            && !span.str(a::RESPONSE_OBJECT).is_empty()
            && span.str(a::RESPONSE_KIND).is_empty()
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verb {
    Create,
    Other,
}

/// Time and verb of a write that took effect on the object.
fn write(span: &SpanRef<'_>) -> Option<(UnixNanos, Verb)> {
    let done = matches!(span.get(a::STATUS_CODE), Some(Value::Int(200..=299)));
    let dry = matches!(span.get(a::DRY_RUN), Some(Value::Bool(true)));
    if span.kind() != Some(FactKind::Audit) || !done || dry {
        return None;
    }
    let verb = match span.str(a::VERB) {
        "create" if span.str(a::SUBRESOURCE).is_empty() => Verb::Create,
        "create" | "update" | "patch" | "delete" => Verb::Other,
        _ => return None,
    };
    Some((span.start, verb))
}

#[cfg(test)]
mod tests {
    use kausal_trace::{NewSpan, SpanBatch, SpanId, TraceId};

    use super::*;

    struct Act {
        at: u64,
        verb: &'static str,
        code: i64,
        dry: bool,
        body: &'static str,
    }

    const CREATE: Act = Act { at: 1, verb: "create", code: 201, dry: false, body: "{}" };
    const PATCH: Act = Act { at: 2, verb: "patch", code: 200, dry: false, body: "{}" };

    fn spans(acts: &[Act]) -> Vec<Box<[u8]>> {
        let mut batch = SpanBatch::default();
        for act in acts {
            let (start, end) = (UnixNanos(act.at), UnixNanos(act.at));
            let (trace, span) = (TraceId([1; 16]), SpanId([2; 8]));
            let mut writer = batch.open(NewSpan { trace, span, name: "audit x", start, end });
            writer.str(a::VERB, act.verb).int(a::STATUS_CODE, act.code).bool(a::DRY_RUN, act.dry);
            writer.str_some(a::RESPONSE_OBJECT, act.body);
        }
        batch.iter().map(|record| record.bytes.into()).collect()
    }

    fn check(acts: &[Act], creation: bool, state: bool) {
        let spans = spans(acts);
        assert_eq!((begins_with_creation(&spans), has_state(&spans)), (creation, state));
    }

    #[test]
    fn only_a_creation_that_took_effect_begins_a_life() {
        check(&[CREATE, PATCH], true, true);
        check(&[PATCH, CREATE], true, true);
        check(&[Act { at: 3, ..CREATE }, PATCH], false, true);
        check(&[Act { code: 409, ..CREATE }, PATCH], false, true);
        check(&[Act { dry: true, ..CREATE }], false, false);
        check(&[], false, false);
    }

    #[test]
    fn a_state_needs_a_body_of_a_write_that_took_effect() {
        check(&[Act { body: "", ..PATCH }], false, false);
        check(&[Act { code: 422, ..PATCH }], false, false);
        check(&[Act { verb: "get", ..PATCH }], false, false);
    }
}
