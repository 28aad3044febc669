//! A store that holds what no writer of ours would write: every view opens, with warnings.

use std::collections::HashSet;

use kausal_story::Mode;
use kausal_trace::{
    AttrValue, Day, KeyHash, NewSpan, SpanBatch, SpanId, SpanRecord, TraceId, UnixNanos, ViewSpan,
    Window, attribute as a,
};

use super::typed;
use crate::testing::{Act, Bed, Facts, T0, at, key, web};
use crate::traces::{TraceQuery, Traces};
use crate::{ObjectQuery, Stop};

/// Facts with something wrong in them, and what a warning must then speak of.
fn check(facts: Facts, warning: &str) {
    let bed = Bed::new();
    bed.store(facts);
    let mut warned = false;
    for mode in Mode::all() {
        let spans = opened_both_ways(&bed, mode);
        assert_one_tree(&spans, mode);
        warned |= warnings(&spans).any(|text| text.contains(warning));
    }
    assert!(warned, "no view warns of: {warning}");
}

/// The view of the Deployment, once by its name and once as a search finds it.
fn opened_both_ways(bed: &Bed, mode: Mode) -> Vec<ViewSpan> {
    let stop = Stop::default();
    let query =
        ObjectQuery { namespace: Some("shop".to_owned()), mode: Some(mode), ..typed("deploy/web") };
    let view = bed.reader.view(&query, &stop).expect("a view");
    let pairs = [("namespace", "shop")];
    let query = TraceQuery {
        service: mode.to_string(),
        attributes: pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        ..TraceQuery::default()
    };
    let found = bed.reader.find(&query, &stop).expect("ids");
    let summaries = Traces::summaries(&bed.reader, &query, &stop).expect("summaries");
    assert_eq!(found.len(), summaries.len(), "{mode}");
    for found in found {
        assert!(!bed.reader.messages(found.id, &stop).expect("messages").is_empty(), "{mode}");
    }
    view.spans
}

fn assert_one_tree(spans: &[ViewSpan], mode: Mode) {
    let ids: HashSet<_> = spans.iter().map(|span| span.span).collect();
    assert_eq!(ids.len(), spans.len(), "{mode}: two spans of one id");
    assert_eq!(spans.iter().filter(|span| span.parent.is_none()).count(), 1, "{mode}");
    let mut parents = spans.iter().filter_map(|span| span.parent);
    assert!(parents.all(|parent| ids.contains(&parent)), "{mode}: a parent that is not there");
}

fn warnings(spans: &[ViewSpan]) -> impl Iterator<Item = &str> {
    let attributes = spans.iter().flat_map(|span| &span.attributes);
    attributes.filter(|(name, _)| name == a::JAEGER_WARNINGS).flat_map(|(_, value)| {
        let texts: &[String] = if let AttrValue::Strs(texts) = value { texts } else { &[] };
        texts.iter().map(String::as_str)
    })
}

fn deploy() -> kausal_object::ObjectKey {
    key("c1/apps/deployments/shop/web")
}

fn facts_trace() -> TraceId {
    TraceId::facts(KeyHash::of(deploy().as_ref()), Window::of(T0))
}

/// Puts bytes under a trace of the Deployment.
fn smuggle(facts: &mut Facts, trace: TraceId, span: u8, bytes: &[u8]) {
    facts.batch.push_encoded(SpanRecord { trace, span: SpanId([span; 8]), bytes });
}

#[test]
fn bytes_that_are_no_span() {
    let mut facts = web(2);
    smuggle(&mut facts, facts_trace(), 1, &[0xff; 40]);
    smuggle(&mut facts, facts_trace(), 2, b"");
    check(facts, "cannot be read");
}

#[test]
fn frames_that_are_no_spans() {
    let mut facts = web(2);
    let catalogue = TraceId::catalogue(KeyHash::of(deploy().as_ref()), Day::of(T0));
    smuggle(&mut facts, catalogue, 1, &[0xff; 40]);
    check(facts, "cannot be read");
}

#[test]
fn spans_of_another_object_under_this_ones_id() {
    let mut facts = web(2);
    let mut other = Facts::default();
    other.act(&key("c1//secrets/shop/other"), Act::default());
    let stolen: Vec<_> = other.batch.iter().map(|record| record.bytes.to_vec()).collect();
    smuggle(&mut facts, facts_trace(), 3, &stolen[0]);
    check(facts, "belong to another object");
}

#[test]
fn spans_that_are_nobodys() {
    let mut facts = web(2);
    let mut foreign = SpanBatch::default();
    let (trace, span) = (facts_trace(), SpanId([4; 8]));
    let (start, end) = (at(5), at(4));
    foreign.open(NewSpan { trace, span, name: "GET /checkout", start, end }).str("db", "x");
    let bytes = foreign.iter().next().expect("one").bytes.to_vec();
    smuggle(&mut facts, trace, 4, &bytes);
    check(facts, "belong to another object");
}

#[test]
fn one_span_id_for_two_requests() {
    let mut facts = web(2);
    let mut other = Facts::default();
    let act = Act { at: at(70), user: "carol", version: 9, replicas: 1, ..Act::default() };
    other.act(&deploy(), act);
    let first = facts.batch.iter().next().expect("one").span;
    let bytes = other.batch.iter().next().expect("one").bytes.to_vec();
    let trace = facts_trace();
    facts.batch.push_encoded(SpanRecord { trace, span: first, bytes: &bytes });
    let bed = Bed::new();
    bed.store(facts);
    for mode in Mode::all() {
        assert_one_tree(&opened_both_ways(&bed, mode), mode);
    }
    let query = ObjectQuery { namespace: Some("shop".to_owned()), ..typed("deploy/web") };
    let story = bed.reader.story(&query, &Stop::default()).expect("a story");
    let users: Vec<_> = story.acts().map(|act| act.actor.username.as_str()).collect();
    assert!(users.contains(&"alice") && users.contains(&"carol"), "{users:?}");
}

#[test]
fn owners_in_a_circle() {
    let mut facts = web(2);
    let (set, pod) = (key("c1/apps/replicasets/shop/web-1"), key("c1//pods/shop/web-1-0000"));
    let day = Day::of(T0);
    facts.owns(&pod, &deploy(), day).owns(&set, &set, day);
    check(facts, "its own ancestor");
}

#[test]
fn owners_that_are_not_there_and_several_of_them() {
    let mut facts = web(2);
    let day = Day::of(T0);
    let (gone, other) = (key("c1/example.com/apps/shop/gone"), key("c1/example.com/apps/shop/too"));
    facts.owns(&gone, &deploy(), day).owns(&other, &deploy(), day);
    check(facts, "is also owned by");
}

#[test]
fn times_that_cannot_be() {
    let mut facts = web(2);
    let mut wrong = SpanBatch::default();
    let (trace, span) = (facts_trace(), SpanId([5; 8]));
    for (start, end) in [(UnixNanos(0), UnixNanos(u64::MAX)), (UnixNanos(u64::MAX), UnixNanos(0))] {
        let mut writer = wrong.open(NewSpan { trace, span, name: "audit patch", start, end });
        let key = deploy();
        let parts = key.as_ref().parts();
        for (name, part) in
            [a::CLUSTER, a::GROUP, a::RESOURCE, a::NAMESPACE, a::NAME].iter().zip(parts)
        {
            writer.str(name, part);
        }
        writer.str(a::VERB, "patch").str(a::USERNAME, "nobody").str(a::RESPONSE_OBJECT, "{\"");
    }
    for record in wrong.iter() {
        facts.batch.push_encoded(record);
    }
    let bed = Bed::new();
    bed.store(facts);
    for mode in Mode::all() {
        assert_one_tree(&opened_both_ways(&bed, mode), mode);
    }
}
