//! Kubernetes Events inside the audit log.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::needless_pass_by_value, reason = "values made by json! are given, not lent")]

mod common;

use std::collections::BTreeSet;

use common::{lines, names, run};
use kausal_trace::{SpanRef, Value};
use serde_json::json;

type Json = serde_json::Value;

/// The write of an Event through the core API.
fn write(verb: &str, request: Json, response: Json, code: u16) -> Json {
    json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse",
        "auditID": "a-1", "stage": "ResponseComplete", "verb": verb,
        "requestURI": "/api/v1/namespaces/shop/events", "user": {"username": "kubelet"},
        "sourceIPs": ["10.0.0.1"],
        "objectRef": {"resource": "events", "namespace": "shop", "name": "web.1"},
        "responseStatus": {"code": code}, "requestObject": request, "responseObject": response,
        "requestReceivedTimestamp": "2026-11-20T15:00:03.250000Z",
        "stageTimestamp": "2026-11-20T15:00:03.260000Z",
    })
}

fn core(changes: Json) -> Json {
    let mut event = json!({
        "kind": "Event", "apiVersion": "v1",
        "metadata": {"name": "web.1", "namespace": "shop", "uid": "e-uid"},
        "involvedObject": {"kind": "Deployment", "apiVersion": "apps/v1", "namespace": "shop",
                           "name": "web", "uid": "w-uid", "fieldPath": "spec.containers{web}"},
        "reason": "Scaled", "message": "to 3", "source": {"component": "controller"},
        "firstTimestamp": "2026-11-20T14:58:00Z", "lastTimestamp": "2026-11-20T15:00:02Z",
        "count": 4, "type": "Normal", "eventTime": null, "reportingComponent": "other",
    });
    for (name, value) in changes.as_object().cloned().unwrap_or_default() {
        event[name] = value;
    }
    event
}

fn spans(events: &[Json]) -> Vec<Vec<u8>> {
    let text = lines(events);
    run(&[text.as_bytes()]).1
}

fn facts(events: &[Json]) -> Vec<Vec<u8>> {
    let mut facts = spans(events);
    facts.retain(|span| !matches!(SpanRef::parse(span).unwrap().name, "object" | "link"));
    facts
}

#[test]
fn an_event_is_told_on_its_object() {
    let facts = facts(&[write("create", core(json!({})), core(json!({})), 201)]);
    let [fact] = &facts[..] else { panic!("one") };
    let span = SpanRef::parse(fact).unwrap();
    let key = span.object_key();
    assert_eq!(
        (key.group, key.resource, key.namespace, key.name),
        ("apps", "deployments", "shop", "web")
    );
    assert_eq!(span.name, "event");
    assert_eq!(span.start.to_string(), "2026-11-20T15:00:02.000000Z");
    let expected = [
        ("uid", "w-uid"),
        ("event.uid", "e-uid"),
        ("audit.id", "a-1"),
        ("event.reason", "Scaled"),
        ("event.type", "Normal"),
        ("event.message", "to 3"),
        ("event.component", "controller"),
        ("event.first_time", "2026-11-20T14:58:00Z"),
        ("event.received", "2026-11-20T15:00:03.250000Z"),
        ("username", "kubelet"),
    ];
    for (name, value) in expected {
        assert_eq!(span.str(name), value, "{name}");
    }
    assert_eq!(span.get("event.count"), Some(&Value::Int(4)));
}

#[test]
fn both_api_groups_tell_the_same_event() {
    let new = json!({
        "kind": "Event", "apiVersion": "events.k8s.io/v1",
        "metadata": {"name": "web.1", "namespace": "shop", "uid": "e-uid"},
        "regarding": core(json!({}))["involvedObject"], "reason": "Scaled", "note": "to 3",
        "deprecatedSource": {"component": "controller"}, "type": "Normal",
        "deprecatedFirstTimestamp": "2026-11-20T14:58:00Z",
        "deprecatedLastTimestamp": "2026-11-20T15:00:02Z", "deprecatedCount": 4,
    });
    let mut through_new = write("create", new.clone(), new, 201);
    through_new["objectRef"]["apiGroup"] = "events.k8s.io".into();
    let through_core = write("create", core(json!({})), core(json!({})), 201);
    let ids: BTreeSet<Vec<u8>> = facts(&[through_new, through_core]).into_iter().collect();
    assert_eq!(ids.len(), 1);
}

#[test]
fn a_series_counts_by_itself() {
    let series = json!({"count": 9, "lastObservedTime": "2026-11-20T15:10:00.5Z"});
    let event = core(json!({"series": series}));
    // A patch sends only what changes; the answer is the whole Event.
    let facts = facts(&[write("patch", json!({"series": series}), event, 200)]);
    let span = SpanRef::parse(&facts[0]).unwrap();
    assert_eq!(span.start.to_string(), "2026-11-20T15:10:00.500000Z");
    assert_eq!(span.get("event.count"), Some(&Value::Int(9)));
}

#[test]
fn every_count_is_a_span_and_repetition_none() {
    let at = |count: u64, time: &str| {
        let event = core(json!({"count": count, "lastTimestamp": time}));
        write("patch", json!({}), event, 200)
    };
    let first = || at(1, "2026-11-20T15:00:00Z");
    let facts = facts(&[first(), at(2, "2026-11-20T15:00:05Z"), first()]);
    let ids: BTreeSet<_> = facts.iter().map(|f| SpanRef::parse(f).unwrap().span).collect();
    assert_eq!((facts.len(), ids.len()), (3, 2));
}

#[test]
fn cluster_scoped_objects_have_no_namespace() {
    let node = json!({"kind": "Node", "apiVersion": "v1", "namespace": "default", "name": "n1"});
    let event = core(json!({"involvedObject": node}));
    let facts = facts(&[write("create", event.clone(), event, 201)]);
    let key = SpanRef::parse(&facts[0]).unwrap().object_key();
    assert_eq!((key.resource, key.namespace, key.name), ("nodes", "", "n1"));
}

#[test]
fn what_is_no_event_stays_a_request() {
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure"});
    let no_object = core(json!({"involvedObject": {}}));
    let mut at_metadata = write("create", Json::Null, Json::Null, 201);
    at_metadata["level"] = "Metadata".into();
    let mut rehearsal = write("create", core(json!({})), core(json!({})), 201);
    rehearsal["requestURI"] = "/api/v1/namespaces/shop/events?dryRun=All".into();
    for request in [
        write("create", core(json!({})), status, 403),
        write("create", no_object.clone(), no_object, 201),
        write("delete", json!({}), core(json!({})), 200),
        write("patch", json!({"count": 3}), Json::Null, 200),
        at_metadata,
        rehearsal,
    ] {
        let facts = facts(std::slice::from_ref(&request));
        let span = SpanRef::parse(&facts[0]).unwrap();
        assert!(span.name.starts_with("audit "), "{request}");
        assert_eq!(span.object_key().resource, "events");
    }
}

#[test]
fn at_request_level_the_sent_event_is_told() {
    let mut sent = core(json!({}));
    sent["metadata"].as_object_mut().unwrap().remove("uid");
    let facts = facts(&[write("create", sent, Json::Null, 201)]);
    let span = SpanRef::parse(&facts[0]).unwrap();
    assert_eq!((span.name, span.str("event.uid")), ("event", ""));
}

#[test]
fn the_beginning_of_a_write_is_only_counted() {
    let mut begun = write("create", Json::Null, Json::Null, 0);
    begun["stage"] = "RequestReceived".into();
    begun.as_object_mut().unwrap().remove("responseStatus");
    assert_eq!(names(&spans(&[begun])).len(), 0);
}
