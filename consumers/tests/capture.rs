//! The capture of a real cluster through the whole pipeline, checked against counts made here from
//! the same lines by other means.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{capture, names, run};
use kausal_trace::SpanRef;
use serde_json::Value;

fn values() -> Vec<Value> {
    capture().split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(json).collect()
}

fn json(line: &[u8]) -> Value {
    serde_json::from_slice(line).unwrap()
}

fn text<'v>(event: &'v Value, pointer: &str) -> &'v str {
    event.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The issue's sentence, said once more.
fn is_kept(event: &Value) -> bool {
    let (verb, code) = (text(event, "/verb"), event["responseStatus"]["code"].as_u64().unwrap());
    let group = text(event, "/objectRef/apiGroup");
    let resource = text(event, "/objectRef/resource");
    let sub = text(event, "/objectRef/subresource");
    if code == 401 || code == 403 || event.get("impersonatedUser").is_some() {
        return true;
    }
    if resource == "leases" || resource.ends_with("reviews") {
        return false;
    }
    let groups = event["user"]["groups"].as_array().cloned().unwrap_or_default();
    if resource == "nodes" && sub == "status" && groups.contains(&"system:nodes".into()) {
        return false;
    }
    let acting = ["exec", "attach", "portforward", "proxy", "ephemeralcontainers", "log"];
    resource == "secrets"
        || group == "rbac.authorization.k8s.io"
        || (resource == "serviceaccounts" && sub == "token")
        || acting.contains(&sub)
        || sub == "eviction"
        || sub == "binding"
        || !["get", "list", "watch"].contains(&verb)
}

fn is_told_event(event: &Value) -> bool {
    text(event, "/objectRef/resource") == "events"
        && ["create", "patch", "update"].contains(&text(event, "/verb"))
        && event["responseStatus"]["code"].as_u64().unwrap() < 300
        && event["responseObject"]["kind"] == "Event"
}

fn deleted(event: &Value) -> usize {
    if text(event, "/verb") != "deletecollection" {
        return 0;
    }
    event["responseObject"]["items"].as_array().map_or(0, Vec::len)
}

#[test]
fn every_event_is_kept_or_counted_as_the_issue_says() {
    let events = values();
    let kept: Vec<&Value> = events.iter().filter(|event| is_kept(event)).collect();
    let told = kept.iter().filter(|event| is_told_event(event)).count();
    let items: usize = kept.iter().map(|event| deleted(event)).sum();

    let (counts, spans) = run(&[&capture()]);
    assert_eq!(counts.events, 1_876);
    assert_eq!(counts.kept_total(), kept.len() as u64);
    assert_eq!(counts.kept_total() + counts.filtered_total(), 1_876, "{counts:?}");
    assert_eq!((counts.rejected_total(), counts.truncated), (0, 0));
    assert!(told > 100 && items > 10, "the capture has both: {told} {items}");

    let names = names(&spans);
    assert_eq!(names["event"], told);
    let audits: usize =
        names.iter().filter(|(name, _)| name.starts_with("audit ")).map(|(_, count)| count).sum();
    assert_eq!(audits, kept.len() - told + items);
    assert_eq!(counts.fact_spans as usize, audits + told);
    assert_eq!(counts.frame_spans as usize, names["object"] + names["link"]);
    assert_eq!(counts.span_bytes as usize, spans.iter().map(Vec::len).sum::<usize>());
}

/// Object keys and windows by the other way: every fact has its frame, and no frame is without.
#[test]
fn every_fact_is_announced_once() {
    let (_, spans) = run(&[&capture()]);
    let mut facts = BTreeSet::new();
    let mut frames = BTreeMap::new();
    for bytes in &spans {
        let span = SpanRef::parse(bytes).unwrap();
        let key = span.object_key().to_owned();
        let window = span.start.seconds() / 1_800;
        match span.name {
            "object" => *frames.entry((key, window)).or_insert(0) += 1,
            "link" => {}
            _ => drop(facts.insert((key, window))),
        }
    }
    assert!(frames.values().all(|count| *count == 1));
    assert_eq!(facts, frames.into_keys().collect());
}

#[test]
fn order_and_repetition_leave_the_same_spans() {
    let text = capture();
    let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    let sorted = |pieces: &[&[u8]]| {
        let (_, spans) = run(pieces);
        spans.into_iter().collect::<BTreeSet<_>>()
    };
    let once = sorted(&[&text]);
    assert_eq!(sorted(&lines), once, "line by line");
    let reversed: Vec<&[u8]> = lines.iter().rev().copied().collect();
    assert_eq!(sorted(&reversed), once, "from the end");
    // A fixed stride visits every line once, since it and the number of lines share no divisor.
    let shuffled: Vec<&[u8]> = (0..lines.len()).map(|at| lines[at * 1_009 % lines.len()]).collect();
    assert_eq!(sorted(&shuffled), once, "shuffled");
    assert_eq!(sorted(&[&text, &text]), once, "twice");
}
