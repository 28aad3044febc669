//! What must hold for every view.

use std::collections::{BTreeSet, HashMap};

use kausal_trace::{AttrValue, TraceId, ViewSpan, attribute as a};

/// The id views are made for.
pub(crate) const ID: TraceId = TraceId([0xff; 16]);

/// What Jaeger needs of a view.
pub(crate) fn check_view(spans: &[ViewSpan]) {
    let ids: BTreeSet<_> = spans.iter().map(|span| span.span).collect();
    assert_eq!(ids.len(), spans.len(), "span ids are unlike each other");
    let roots: Vec<_> = spans.iter().filter(|span| span.parent.is_none()).collect();
    assert_eq!(roots.len(), 1, "one root");
    assert_eq!(roots[0].span, spans[0].span, "the root comes first");
    let by_id: HashMap<_, _> = spans.iter().map(|span| (span.span, span)).collect();
    for span in spans {
        assert_eq!(span.trace, ID);
        assert!(span.start <= span.end);
        assert!(!span.name.is_empty() && !span.service.is_empty() && !span.service.contains('/'));
        if let Some(parent) = span.parent {
            let parent = by_id.get(&parent).expect("the parent is in the view");
            assert!(parent.start <= span.start && span.end <= parent.end, "within the parent");
        }
        for event in &span.events {
            assert!((span.start..=span.end).contains(&event.time));
        }
        let mut at = span;
        for _ in 0..=spans.len() {
            let Some(parent) = at.parent.and_then(|parent| by_id.get(&parent)) else { break };
            at = parent;
        }
        assert!(at.parent.is_none(), "no circle");
    }
}

/// The value of an attribute, as text.
pub(crate) fn text(attributes: &[(String, AttrValue)], name: &str) -> Option<String> {
    let (_, value) = attributes.iter().find(|(own, _)| own == name)?;
    Some(match value {
        AttrValue::Str(text) => text.clone(),
        AttrValue::Int(number) => number.to_string(),
        AttrValue::Bool(flag) => flag.to_string(),
        AttrValue::Strs(texts) => texts.join("; "),
    })
}

/// What a view says of itself.
pub(crate) fn warnings(spans: &[ViewSpan]) -> String {
    let all = spans.iter().filter_map(|span| text(&span.attributes, a::JAEGER_WARNINGS));
    all.collect::<Vec<_>>().join("\n")
}
