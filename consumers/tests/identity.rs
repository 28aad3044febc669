//! From hand-written events to keys, uids, times and attributes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::needless_pass_by_value, reason = "values made by json! are given, not lent")]

mod common;

use common::{lines, run};
use kausal_trace::{SpanRef, TraceId, Value, Window};
use serde_json::json;

type Json = serde_json::Value;

/// An event of a successful request; `changes` replace its members, `null` takes one away.
fn event(verb: &str, uri: &str, object: &Json, changes: Json) -> Json {
    let mut event = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse",
        "auditID": "a-1", "stage": "ResponseComplete", "requestURI": uri, "verb": verb,
        "user": {"username": "alice", "groups": ["dev"], "extra": {"k": ["v1", "v2"]}},
        "sourceIPs": ["1.2.3.4", "5.6.7.8", "10.0.0.1"], "userAgent": "kubectl",
        "objectRef": object, "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": "2026-11-20T15:00:00.000001Z",
        "stageTimestamp": "2026-11-20T15:00:00.500000Z",
    });
    let all = event.as_object_mut().unwrap();
    for (name, value) in changes.as_object().cloned().unwrap_or_default() {
        all.insert(name, value);
    }
    all.retain(|_, value| !value.is_null());
    event
}

/// Facts (not frames) of events, as (key, span bytes).
fn facts(events: &[Json]) -> Vec<Vec<u8>> {
    let text = lines(events);
    let (counts, spans) = run(&[text.as_bytes()]);
    assert_eq!(counts.rejected_total(), 0, "{counts:?}");
    let is_fact = |span: &Vec<u8>| !matches!(SpanRef::parse(span).unwrap().name, "object" | "link");
    spans.into_iter().filter(is_fact).collect()
}

/// The keys of the facts of one event, `group/resource/namespace/name`.
fn check_keys(event: Json, expect: &[&str]) {
    let facts = facts(std::slice::from_ref(&event));
    let keys: Vec<String> = facts
        .iter()
        .map(|span| {
            let key = SpanRef::parse(span).unwrap().object_key();
            assert_eq!(key.cluster, "capture");
            [key.group, key.resource, key.namespace, key.name].join("/")
        })
        .collect();
    assert_eq!(keys, expect, "{event}");
}

fn check_attribute(event: Json, name: &str, expect: Option<&str>) {
    let facts = facts(std::slice::from_ref(&event));
    let span = SpanRef::parse(&facts[0]).unwrap();
    let value = span.get(name).map(|value| match value {
        Value::Str(text) => (*text).to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Strs(list) => list.join(","),
        Value::Other => "?".to_owned(),
    });
    assert_eq!(value.as_deref(), expect, "{name} of {event}");
}

fn pods(name: &str) -> Json {
    json!({"resource": "pods", "namespace": "shop", "name": name, "apiVersion": "v1"})
}

fn pod(name: &str, uid: &str) -> Json {
    json!({"kind": "Pod", "apiVersion": "v1",
           "metadata": {"name": name, "namespace": "shop", "uid": uid, "resourceVersion": "7"}})
}

const PODS: &str = "/api/v1/namespaces/shop/pods";

#[test]
fn keys_follow_from_the_request() {
    check_keys(event("patch", PODS, &pods("web"), json!({})), &["/pods/shop/web"]);
    let of = |group: &str, resource: &str, namespace: &str, name: &str| json!({"apiGroup": group, "resource": resource, "namespace": namespace, "name": name});
    let crd = of("ops.example", "backups", "shop", "nightly");
    check_keys(event("update", "/x", &crd, json!({})), &["ops.example/backups/shop/nightly"]);
    // A request on a Namespace carries its name as namespace too, or only there.
    check_keys(
        event("delete", "/x", &of("", "namespaces", "shop", "shop"), json!({})),
        &["/namespaces//shop"],
    );
    check_keys(
        event("update", "/x", &of("", "namespaces", "shop", ""), json!({})),
        &["/namespaces//shop"],
    );
    let role = of("rbac.authorization.k8s.io", "clusterroles", "shop", "admin");
    check_keys(
        event("create", "/x", &role, json!({})),
        &["rbac.authorization.k8s.io/clusterroles//admin"],
    );
    // Not on a resource: the path is the name, without its query.
    check_keys(event("post", "/debug/x?a=b", &Json::Null, json!({})), &["////debug/x"]);
}

#[test]
fn generated_names_come_from_the_response() {
    let create = |changes| event("create", PODS, &pods(""), changes);
    check_keys(create(json!({"responseObject": pod("web-x7", "u")})), &["/pods/shop/web-x7"]);
    // The early stage, a refusal and a body of another kind do not say it.
    check_keys(
        create(json!({"stage": "RequestReceived", "responseStatus": null})),
        &["/pods/shop/"],
    );
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {"name": "no"}});
    check_keys(create(json!({"responseObject": status})), &["/pods/shop/"]);
}

#[test]
fn a_deletecollection_tells_of_each_object() {
    let item = |name: &str| json!({"metadata": {"name": name, "namespace": "shop", "uid": name}});
    let list = json!({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [
        item("a"), item("b"), {"metadata": {}},
    ]});
    let delete = event("deletecollection", PODS, &pods(""), json!({"responseObject": list}));
    check_keys(delete.clone(), &["/pods/shop/", "/pods/shop/a", "/pods/shop/b"]);
    let facts = facts(&[delete]);
    let [collection, a, _] = &facts[..] else { panic!("three") };
    let (collection, a) = (SpanRef::parse(collection).unwrap(), SpanRef::parse(a).unwrap());
    assert_eq!(collection.str("response.kind"), "PodList");
    assert!(collection.str("response.object.cut").starts_with("3 objects"));
    assert_eq!((a.str("uid"), a.str("audit.id"), a.str("verb")), ("a", "a-1", "deletecollection"));
    assert!(a.str("response.object").contains("\"name\":\"a\""));
}

#[test]
fn uid_is_the_surest_that_is_said() {
    let on = |verb, changes| event(verb, PODS, &pods("web"), changes);
    check_attribute(on("patch", json!({"responseObject": pod("web", "u1")})), "uid", Some("u1"));
    let details = json!({"code": 200, "details": {"name": "web", "kind": "pods", "uid": "u2"}});
    check_attribute(on("delete", json!({"responseStatus": details})), "uid", Some("u2"));
    let mut referred = pods("web");
    referred["uid"] = "u3".into();
    check_attribute(event("update", PODS, &referred, json!({})), "uid", Some("u3"));
    check_attribute(on("patch", json!({})), "uid", None);
    let scale = json!({"kind": "Scale", "apiVersion": "autoscaling/v1",
                       "metadata": {"uid": "u4", "resourceVersion": "9"}});
    let scaled = on("patch", json!({"responseObject": scale}));
    check_attribute(scaled.clone(), "uid", None);
    check_attribute(scaled.clone(), "response.kind", Some("Scale"));
    check_attribute(scaled, "resource.version.new", Some("9"));
}

#[test]
fn what_was_made_is_said_only_of_what_was_made() {
    let of = |verb, uri: &str, code: u16| {
        let changes = json!({"responseObject": pod("web", "u"), "responseStatus": {"code": code}});
        event(verb, uri, &pods("web"), changes)
    };
    check_attribute(of("patch", PODS, 200), "resource.version.new", Some("7"));
    check_attribute(of("patch", "/x?dryRun=All", 200), "resource.version.new", None);
    check_attribute(of("patch", PODS, 409), "resource.version.new", None);
    check_attribute(of("patch", PODS, 200), "response.kind", None);
}

#[test]
fn rehearsals_are_recognised_in_query_and_options() {
    let dry = |verb, uri, object: &Json, body: Json| {
        event(verb, uri, object, json!({"requestObject": body}))
    };
    let options = json!({"kind": "DeleteOptions", "dryRun": ["All"]});
    check_attribute(
        dry("patch", "/x?a=b&dryRun=All", &pods("w"), Json::Null),
        "dry_run",
        Some("true"),
    );
    check_attribute(dry("patch", "/x?dryRun=", &pods("w"), Json::Null), "dry_run", None);
    check_attribute(dry("delete", "/x", &pods("w"), options.clone()), "dry_run", Some("true"));
    check_attribute(dry("patch", "/x", &pods("w"), options.clone()), "dry_run", None);
    let mut eviction = pods("w");
    eviction["subresource"] = "eviction".into();
    let body = json!({"kind": "Eviction", "deleteOptions": options});
    check_attribute(dry("create", "/x", &eviction, body), "dry_run", Some("true"));
}

#[test]
fn who_and_from_where() {
    let patch = || {
        event(
            "patch",
            PODS,
            &pods("web"),
            json!({
                "impersonatedUser": {"username": "carol", "groups": ["ops", "dev"]},
            }),
        )
    };
    check_attribute(patch(), "username", Some("alice"));
    check_attribute(patch(), "groups", Some("dev"));
    check_attribute(patch(), "user.extra.k", Some("v1,v2"));
    check_attribute(patch(), "impersonated.username", Some("carol"));
    check_attribute(patch(), "impersonated.groups", Some("ops,dev"));
    check_attribute(patch(), "client.address", Some("10.0.0.1"));
    check_attribute(patch(), "client.address.claimed", Some("1.2.3.4,5.6.7.8"));
    check_attribute(patch(), "http.response.status_code", Some("200"));
}

#[test]
fn refusals_say_why() {
    let causes = json!([{"reason": "FieldValueInvalid", "message": "Invalid value: -3: \"no\"",
                         "field": "spec.replicas"}]);
    let status = json!({"code": 422, "status": "Failure", "reason": "Invalid",
                        "message": "it is invalid", "details": {"causes": causes}});
    let refused = || event("patch", PODS, &pods("web"), json!({"responseStatus": status}));
    check_attribute(refused(), "error.reason", Some("Invalid"));
    check_attribute(refused(), "error.message", Some("it is invalid"));
    let facts = facts(&[refused()]);
    let span = SpanRef::parse(&facts[0]).unwrap();
    assert!(span.error);
    let causes: Json = serde_json::from_str(span.str("error.causes")).unwrap();
    assert_eq!(causes[0]["field"], "spec.replicas");
    assert_eq!(causes[0]["reason"], "FieldValueInvalid");
}

#[test]
fn annotations_go_where_they_belong() {
    let patch = || {
        event(
            "patch",
            PODS,
            &pods("web"),
            json!({"annotations": {
                "authorization.k8s.io/decision": "allow",
                "authorization.k8s.io/reason": "RBAC: allowed",
                "apiserver.latency.k8s.io/etcd": "612.5ms",
                "mutation.webhook.admission.k8s.io/round_0_index_1": "{\"mutated\":true}",
                "pod-security.kubernetes.io/enforce-policy": "restricted",
                "k8s.io/deprecated": "true",
            }}),
        )
    };
    check_attribute(patch(), "authorization.decision", Some("allow"));
    check_attribute(patch(), "authorization.reason", Some("RBAC: allowed"));
    check_attribute(patch(), "apiserver.latency.etcd", Some("612.5ms"));
    let mutation = "admission.mutation.webhook.admission.k8s.io/round_0_index_1";
    check_attribute(patch(), mutation, Some("{\"mutated\":true}"));
    let policy = "admission.pod-security.kubernetes.io/enforce-policy";
    check_attribute(patch(), policy, Some("restricted"));
    check_attribute(patch(), "audit.annotation.k8s.io/deprecated", Some("true"));
}

#[test]
fn all_stages_share_a_span_id_and_the_window_is_that_of_receipt() {
    let late = event(
        "patch",
        PODS,
        &pods("web"),
        json!({
            "requestReceivedTimestamp": "2026-11-20T14:59:59.999999Z",
            "stageTimestamp": "2026-11-20T15:00:07.000000Z",
        }),
    );
    let mut early = late.clone();
    early["stage"] = "RequestReceived".into();
    early["stageTimestamp"] = early["requestReceivedTimestamp"].clone();
    early.as_object_mut().unwrap().remove("responseStatus");
    let facts = facts(&[late, early]);
    let spans: Vec<_> = facts.iter().map(|span| SpanRef::parse(span).unwrap()).collect();
    assert_eq!((spans[0].trace, spans[0].span), (spans[1].trace, spans[1].span));
    let key = kausal_trace::KeyHash::of(spans[0].object_key());
    assert_eq!(spans[0].trace, TraceId::facts(key, Window::of(spans[0].start)));
    assert_eq!(spans[0].start.to_string(), "2026-11-20T14:59:59.999999Z");
    assert_eq!(spans[0].end.to_string(), "2026-11-20T15:00:07.000000Z");
}

#[test]
fn a_lost_time_is_that_of_the_nearest_event() {
    let at = |id: &str, time: Option<&str>| {
        event(
            "patch",
            PODS,
            &pods("web"),
            json!({
                "auditID": id, "requestReceivedTimestamp": time, "stageTimestamp": null,
            }),
        )
    };
    let (one, two) = ("2026-11-20T15:00:01.000000Z", "2026-11-20T15:00:02.000000Z");
    let events = [
        at("before", None),
        at("first", Some(one)),
        at("after first", None),
        at("lost", None),
        at("tie", None),
        at("nearer second", None),
        at("before second", None),
        at("second", Some(two)),
        at("last", None),
    ];
    let facts = facts(&events);
    let found: std::collections::BTreeMap<_, _> = facts
        .iter()
        .map(|span| {
            let span = SpanRef::parse(span).unwrap();
            (
                span.str("audit.id").to_owned(),
                (span.start.to_string(), !span.str("time.source").is_empty()),
            )
        })
        .collect();
    for (id, time, is_marked) in [
        ("before", one, true),
        ("first", one, false),
        ("after first", one, true),
        ("lost", one, true),
        ("tie", one, true),
        ("nearer second", two, true),
        ("before second", two, true),
        ("second", two, false),
        ("last", two, true),
    ] {
        assert_eq!(found[id], (time.to_owned(), is_marked), "{id}");
    }
}

#[test]
fn a_body_that_is_too_large_is_left_out_and_said() {
    let mut large = pod("web", "u1");
    large["spec"] = json!({"x": "y".repeat(300 * 1024)});
    let patch = || event("patch", PODS, &pods("web"), json!({"responseObject": large}));
    check_attribute(patch(), "response.object", None);
    check_attribute(patch(), "uid", Some("u1"));
    let facts = facts(&[patch()]);
    let cut = SpanRef::parse(&facts[0]).unwrap().str("response.object.cut").to_owned();
    assert!(cut.contains("over the limit of 262144"), "{cut}");
}
