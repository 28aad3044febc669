//! Real events decode without a rest, and to what an independent reading of them says.

mod common;

use std::{borrow::Cow, collections::BTreeMap};

use kausal_audit::{Event, Level, Stage, User};
use kausal_trace::UnixNanos;
use serde_json::Value;

fn count<T: Ord>(keys: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for key in keys {
        *counts.entry(key).or_default() += 1;
    }
    counts
}

#[test]
fn every_event_of_the_capture_is_read_and_none_is_truncated() {
    let bytes = common::capture();
    let events = common::events(&bytes);
    assert_eq!(events.len(), 1876);
    assert!(events.iter().all(|event| event.truncated.is_none()));
    let verbs = count(events.iter().map(|event| event.verb.to_string()));
    let expect = [
        ("create", 474),
        ("delete", 94),
        ("deletecollection", 34),
        ("get", 569),
        ("list", 63),
        ("patch", 131),
        ("update", 393),
        ("watch", 118),
    ];
    assert_eq!(verbs, expect.map(|(verb, n)| (verb.to_owned(), n)).into());
    let stages = count(events.iter().map(|event| event.stage));
    assert_eq!(stages, [(Stage::ResponseStarted, 117), (Stage::ResponseComplete, 1759)].into());
    let levels = count(events.iter().map(|event| event.level));
    assert_eq!(levels, [(Level::Metadata, 773), (Level::RequestResponse, 1103)].into());
}

#[test]
fn every_member_is_what_a_json_tree_says() {
    let mut bytes = common::capture();
    bytes.extend(common::openshift());
    let events = common::events(&bytes);
    let text = std::str::from_utf8(&bytes).expect("UTF-8");
    assert_eq!(events.len(), 1888);
    for (event, line) in events.iter().zip(text.lines()) {
        let tree: Value = serde_json::from_str(line).expect("JSON");
        compare(event, &tree);
        assert_eq!(event.clone().into_owned(), *event);
    }
}

fn text<'v>(tree: &'v Value, pointer: &str) -> &'v str {
    tree.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn texts<'v>(tree: &'v Value, pointer: &str) -> Vec<&'v str> {
    let list = tree.pointer(pointer).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}

fn pairs<'e>(pairs: &'e [(Cow<'_, str>, Cow<'_, str>)]) -> Vec<(&'e str, &'e str)> {
    let mut pairs: Vec<_> = pairs.iter().map(|(key, value)| (&**key, &**value)).collect();
    pairs.sort_by_key(|(key, _)| *key);
    pairs
}

fn compare(event: &Event<'_>, tree: &Value) {
    assert_eq!(event.level.as_str(), text(tree, "/level"));
    assert_eq!(event.audit_id, text(tree, "/auditID"));
    assert_eq!(event.stage.as_str(), text(tree, "/stage"));
    assert_eq!(event.request_uri, text(tree, "/requestURI"));
    assert_eq!(event.verb, text(tree, "/verb"));
    assert_eq!(event.source_ips, texts(tree, "/sourceIPs"));
    assert_eq!(event.user_agent, text(tree, "/userAgent"));
    compare_user(&event.user, tree.get("user").expect("a user"));
    assert_eq!(event.impersonated.is_some(), tree.get("impersonatedUser").is_some());
    if let (Some(user), Some(tree)) = (&event.impersonated, tree.get("impersonatedUser")) {
        compare_user(user, tree);
    }
    compare_object(event, tree);
    compare_status(event, tree);
    compare_bodies(event, tree);
    let received = UnixNanos::parse_rfc3339(text(tree, "/requestReceivedTimestamp"));
    assert!(received.is_some() && event.request_received == received);
    let reached = UnixNanos::parse_rfc3339(text(tree, "/stageTimestamp"));
    assert!(reached.is_some() && event.stage_timestamp == reached);
    let annotations = tree.get("annotations").and_then(Value::as_object);
    let annotations = annotations.into_iter().flatten();
    let annotations: Vec<_> =
        annotations.map(|(key, value)| (key.as_str(), value.as_str().unwrap_or("?"))).collect();
    assert_eq!(pairs(&event.annotations), annotations);
}

fn compare_user(user: &User<'_>, tree: &Value) {
    assert_eq!(user.username, text(tree, "/username"));
    assert_eq!(user.uid, text(tree, "/uid"));
    assert_eq!(user.groups, texts(tree, "/groups"));
    let extra = tree.get("extra").and_then(Value::as_object).into_iter().flatten();
    let extra: Vec<_> = extra
        .flat_map(|(key, values)| texts(values, "").into_iter().map(move |v| (key.as_str(), v)))
        .collect();
    assert_eq!(pairs(&user.extra), extra);
}

fn compare_object(event: &Event<'_>, tree: &Value) {
    let Some(object) = &event.object_ref else {
        assert!(tree.get("objectRef").is_none());
        return;
    };
    assert_eq!(object.resource, text(tree, "/objectRef/resource"));
    assert_eq!(object.namespace, text(tree, "/objectRef/namespace"));
    assert_eq!(object.name, text(tree, "/objectRef/name"));
    assert_eq!(object.uid, text(tree, "/objectRef/uid"));
    assert_eq!(object.api_group, text(tree, "/objectRef/apiGroup"));
    assert_eq!(object.api_version, text(tree, "/objectRef/apiVersion"));
    assert_eq!(object.resource_version, text(tree, "/objectRef/resourceVersion"));
    assert_eq!(object.subresource, text(tree, "/objectRef/subresource"));
}

fn compare_status(event: &Event<'_>, tree: &Value) {
    let status = event.status.as_ref().expect("a status");
    let code = tree.pointer("/responseStatus/code").and_then(Value::as_u64);
    assert_eq!(Some(u64::from(status.code)), code);
    assert_eq!(status.status, text(tree, "/responseStatus/status"));
    assert_eq!(status.reason, text(tree, "/responseStatus/reason"));
    assert_eq!(status.message, text(tree, "/responseStatus/message"));
    let Some(details) = &status.details else {
        assert!(tree.pointer("/responseStatus/details").is_none());
        return;
    };
    assert_eq!(details.name, text(tree, "/responseStatus/details/name"));
    assert_eq!(details.group, text(tree, "/responseStatus/details/group"));
    assert_eq!(details.kind, text(tree, "/responseStatus/details/kind"));
    assert_eq!(details.uid, text(tree, "/responseStatus/details/uid"));
    let causes = tree.pointer("/responseStatus/details/causes").and_then(Value::as_array);
    let causes: Vec<_> = causes.into_iter().flatten().collect();
    assert_eq!(details.causes.len(), causes.len());
    for (cause, tree) in details.causes.iter().zip(causes) {
        assert_eq!(cause.reason, text(tree, "/reason"));
        assert_eq!(cause.message, text(tree, "/message"));
        assert_eq!(cause.field, text(tree, "/field"));
    }
}

fn compare_bodies(event: &Event<'_>, tree: &Value) {
    for (body, name) in
        [(&event.request_object, "requestObject"), (&event.response_object, "responseObject")]
    {
        let read: Option<Value> = body.as_ref().map(|body| {
            assert!(body.borrowed().is_some(), "a body that is an object is borrowed");
            serde_json::from_str(&body.json()).expect("JSON")
        });
        assert_eq!(read.as_ref(), tree.get(name));
    }
}
