//! What was secret in an event is in none of its spans.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::needless_pass_by_value, reason = "values made by json! are given, not lent")]

mod common;

use common::{lines, run};
use serde_json::{Value, json};

const CANARY: &str = "canary-7f3a9b21c4d8";

fn event(verb: &str, resource: &str, changes: Value) -> Value {
    let mut event = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse",
        "auditID": "a-1", "stage": "ResponseComplete", "verb": verb,
        "requestURI": format!("/api/v1/namespaces/shop/{resource}/x"),
        "user": {"username": "alice"}, "sourceIPs": ["10.0.0.1"],
        "objectRef": {"resource": resource, "namespace": "shop", "name": "x"},
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": "2026-11-20T15:00:00.000001Z",
        "stageTimestamp": "2026-11-20T15:00:00.000002Z",
    });
    for (name, value) in changes.as_object().cloned().unwrap_or_default() {
        event[name] = value;
    }
    event
}

/// The event becomes facts, and none of them, nor a frame, holds the canary. `beside` is a text
/// that stands near it and must be told, so that nothing is hidden by leaving all of it out.
fn check(event: Value, beside: &str) {
    let text = lines(std::slice::from_ref(&event));
    assert!(text.contains(CANARY), "the event holds it: {event}");
    let (counts, spans) = run(&[text.as_bytes()]);
    assert!(counts.fact_spans > 0, "{event}");
    let all = spans.concat();
    let told = String::from_utf8_lossy(&all);
    assert!(!told.contains(CANARY), "{told}");
    assert!(told.contains(beside), "{beside} in {told}");
}

fn pod() -> Value {
    json!({"metadata": {"name": "x", "namespace": "shop"}, "spec": {"containers": [
        {"name": "web", "image": "web:1.0", "env": [{"name": "DB_PASSWORD", "value": CANARY}]},
    ]}})
}

fn of_kind(kind: &str, mut body: Value) -> Value {
    body["kind"] = kind.into();
    body["apiVersion"] = "v1".into();
    body
}

#[test]
fn secrets_sent_answered_and_patched() {
    let secret = || of_kind("Secret", json!({"metadata": {"name": "x"}, "data": {"key1": CANARY}}));
    check(event("create", "secrets", json!({"requestObject": secret()})), "key1");
    check(event("get", "secrets", json!({"responseObject": secret()})), "key1");
    let patch = json!({"stringData": {"key1": CANARY}});
    check(event("patch", "secrets", json!({"requestObject": patch})), "key1");
    let list = json!({"kind": "SecretList", "apiVersion": "v1", "items": [
        {"metadata": {"name": "x", "namespace": "shop"}, "data": {"key1": CANARY}},
    ]});
    check(event("list", "secrets", json!({"responseObject": list})), "key1");
    check(event("deletecollection", "secrets", json!({"responseObject": list})), "key1");
}

#[test]
fn environments_wherever_a_pod_stands() {
    check(event("create", "pods", json!({"requestObject": of_kind("Pod", pod())})), "web:1.0");
    let list = json!({"kind": "PodList", "apiVersion": "v1", "items": [pod()]});
    check(event("deletecollection", "pods", json!({"responseObject": list})), "web:1.0");
}

#[test]
fn messages_and_causes_of_refusals() {
    let message = format!("spec.x: Invalid value: \"{CANARY}\": must be short");
    let causes = json!([{"reason": "FieldValueInvalid", "field": "spec.x",
                         "message": format!("Invalid value: \"{CANARY}\": must be short")}]);
    let status = json!({"code": 422, "status": "Failure", "reason": "Invalid",
                        "message": message, "details": {"causes": causes}});
    let body = of_kind("Status", json!({"status": "Failure", "message": message}));
    let refused = json!({"responseStatus": status, "responseObject": body});
    check(event("patch", "pods", refused), "must be short");
}

#[test]
fn arguments_of_commands() {
    let uri = format!("/api/v1/namespaces/shop/pods/x/exec?command=mysql&command=-p{CANARY}");
    let object =
        json!({"resource": "pods", "namespace": "shop", "name": "x", "subresource": "exec"});
    check(event("create", "pods", json!({"requestURI": uri, "objectRef": object})), "mysql");
}

#[test]
fn patches_of_webhooks() {
    let patch = json!([{"op": "add", "path": "/spec/containers/0/env/0",
                        "value": {"name": "API_TOKEN", "value": CANARY}}]);
    let value = json!({"configuration": "c", "webhook": "injector.example", "patch": patch,
                       "patchType": "JSONPatch"});
    let key = "patch.webhook.admission.k8s.io/round_0_index_0";
    let annotations = json!({key: value.to_string()});
    check(event("create", "pods", json!({"annotations": annotations})), "injector.example");
    let secret = json!([{"op": "add", "path": "/data/key1", "value": CANARY}]);
    let value = json!({"configuration": "c", "webhook": "injector.example", "patch": secret});
    let annotations = json!({key: value.to_string()});
    check(event("create", "secrets", json!({"annotations": annotations})), "injector.example");
}

#[test]
fn messages_of_events() {
    let involved = json!({"kind": "Pod", "apiVersion": "v1", "namespace": "shop", "name": "p"});
    let body = of_kind(
        "Event",
        json!({
            "metadata": {"name": "x", "namespace": "shop", "uid": "u"}, "involvedObject": involved,
            "reason": "Failed", "lastTimestamp": "2026-11-20T15:00:00Z",
            "message": format!("Invalid value: \"{CANARY}\": no"),
        }),
    );
    check(event("create", "events", json!({"responseObject": body})), "Failed");
}

#[test]
fn what_stands_in_a_broken_body() {
    let text = event("create", "secrets", json!({"requestObject": {"data": {"k": CANARY}}}));
    let broken = text.to_string().replace("\"k\":", "\"k\" ");
    let (counts, spans) = run(&[broken.as_bytes()]);
    assert_eq!(counts.fact_spans + counts.rejected_total(), 1, "{counts:?}");
    let all = spans.concat();
    assert!(!String::from_utf8_lossy(&all).contains(CANARY));
}
