//! Which requests the standard rules keep, and what an operator's own rules change.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::needless_pass_by_value, reason = "values made by json! are given, not lent")]

use kausal_audit::{Event, Limits, decode_all};
use kausal_consumers::filter::{Action, Filter, FilterConfig, Standard, standard_rules};
use kausal_consumers::{ClusterName, FilterError};
use serde_json::{Value, json};

/// `verb group/resource/subresource code`, and what else an event says.
fn event(request: &str, changes: &Value) -> Value {
    let [verb, target, code] = request.split(' ').collect::<Vec<_>>()[..] else { panic!() };
    let [group, resource, subresource] = target.split('/').collect::<Vec<_>>()[..] else {
        panic!()
    };
    let mut event = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": "a",
        "stage": "ResponseComplete", "requestURI": "/x", "verb": verb,
        "user": {"username": "alice", "groups": ["dev"]},
        "objectRef": {"apiGroup": group, "resource": resource, "subresource": subresource,
                      "namespace": "shop", "name": "web"},
        "responseStatus": {"code": code.parse::<u16>().unwrap()},
        "requestReceivedTimestamp": "2026-11-20T15:00:00.000001Z",
    });
    for (name, value) in changes.as_object().cloned().unwrap_or_default() {
        event[name] = value;
    }
    event
}

/// Action and name of the rule that decides.
fn decide(filter: &Filter, event: &Value) -> (Action, String) {
    let text = event.to_string();
    let cluster = ClusterName::new("east").unwrap();
    let mut decided = None;
    decode_all(text.as_bytes(), &Limits::default(), &mut |item| {
        let item: Event<'_> = item.unwrap();
        let decision = filter.decide(&cluster, &item);
        decided = Some((decision.action, filter.rule(decision.rule).0.to_owned()));
    });
    decided.unwrap()
}

fn check(request: &str, changes: Value, action: Action, rule: &str) {
    let filter = FilterConfig::default().validate().unwrap();
    let decided = decide(&filter, &event(request, &changes));
    assert_eq!(decided, (action, rule.to_owned()), "{request} {changes}");
}

fn keep(request: &str, rule: &str) {
    check(request, json!({}), Action::Keep, rule);
}

fn count(request: &str, rule: &str) {
    check(request, json!({}), Action::Count, rule);
}

#[test]
fn writes_are_kept_and_reads_counted() {
    for verb in ["create", "update", "patch", "delete", "deletecollection", "post"] {
        keep(&format!("{verb} apps/deployments/ 200"), "writes");
        keep(&format!("{verb} apps/deployments/ 409"), "writes");
    }
    for verb in ["get", "list", "watch"] {
        count(&format!("{verb} apps/deployments/ 200"), "reads");
        count(&format!("{verb} apps/deployments/status 404"), "failed-reads");
    }
    keep("delete /nodes/ 200", "writes");
    check("post // 200", json!({"objectRef": null}), Action::Keep, "writes");
    check("get // 200", json!({"objectRef": null}), Action::Count, "reads");
}

#[test]
fn refusals_and_impersonation_are_kept_whatever_was_asked() {
    for request in ["get /pods/", "update coordination.k8s.io/leases/", "list /nodes/status"] {
        keep(&format!("{request} 401"), "denied");
        keep(&format!("{request} 403"), "denied");
        let carol = || json!({"impersonatedUser": {"username": "carol"}});
        check(&format!("{request} 200"), carol(), Action::Keep, "impersonated");
    }
}

#[test]
fn secrets_tokens_and_rbac_are_kept_with_every_verb() {
    for verb in ["get", "list", "watch", "create", "delete"] {
        keep(&format!("{verb} /secrets/ 200"), "secrets");
        keep(&format!("{verb} rbac.authorization.k8s.io/roles/ 200"), "rbac");
    }
    keep("create /serviceaccounts/token 201", "tokens");
    count("get /serviceaccounts/ 200", "reads");
    count("get other.example/secrets/ 200", "reads");
}

#[test]
fn subresources_that_act_are_kept_with_every_verb() {
    for name in [
        "exec",
        "attach",
        "portforward",
        "proxy",
        "ephemeralcontainers",
        "log",
        "eviction",
        "binding",
    ] {
        keep(&format!("get /pods/{name} 101"), "acting-subresources");
        keep(&format!("create /pods/{name} 404"), "acting-subresources");
    }
    count("get /pods/status 200", "reads");
}

#[test]
fn signs_of_life_are_counted() {
    for code in [200, 409, 500] {
        count(&format!("update coordination.k8s.io/leases/ {code}"), "leases");
    }
    for (group, resource) in [
        ("authentication.k8s.io", "tokenreviews"),
        ("authorization.k8s.io", "subjectaccessreviews"),
        ("authorization.k8s.io", "selfsubjectrulesreviews"),
    ] {
        count(&format!("create {group}/{resource}/ 201"), "reviews");
    }
    let node = || json!({"user": {"username": "system:node:n1", "groups": ["system:nodes"]}});
    check("patch /nodes/status 200", node(), Action::Count, "heartbeats");
    check("patch /nodes/ 200", node(), Action::Keep, "writes");
    keep("patch /nodes/status 200", "writes");
    keep("update other.example/leases/ 200", "writes");
}

#[test]
fn an_operators_rules_come_first() {
    let config: FilterConfig = serde_json::from_value(json!({"rules": [
        {"name": "ci-noise", "action": "count", "users": ["*-bot", "ci-*"], "namespaces": ["shop"]},
        {"name": "config-reads", "action": "keep", "resources": ["configmaps"], "verbs": ["get"],
         "outcome": "success"},
        {"name": "west", "action": "count", "clusters": ["west"]},
        {"name": "admins", "action": "count", "user_groups": ["ops", "admins"], "codes": [418]},
    ]}))
    .unwrap();
    let filter = config.validate().unwrap();
    let check = |request: &str, changes: Value, rule: &str| {
        assert_eq!(decide(&filter, &event(request, &changes)).1, rule, "{request} {changes}");
    };
    let user =
        |name: &str, group: &str| json!({"user": {"username": name, "groups": ["x", group]}});
    check("create /pods/ 200", user("build-bot", "a"), "ci-noise");
    check("create /pods/ 200", user("ci-1", "a"), "ci-noise");
    check("create /pods/ 200", user("bot", "a"), "writes");
    check("get /configmaps/ 200", json!({}), "config-reads");
    check("get /configmaps/ 404", json!({}), "failed-reads");
    check("create /pods/ 418", user("a", "admins"), "admins");
    check("create /pods/ 418", user("a", "b"), "writes");
}

#[test]
fn without_the_standard_rules_what_is_not_named_is_kept() {
    let config = FilterConfig { standard: Standard::Without, ..FilterConfig::default() };
    let filter = config.validate().unwrap();
    assert_eq!(decide(&filter, &event("get /pods/ 200", &json!({}))).0, Action::Keep);
}

#[test]
fn a_wrong_rule_is_named() {
    let check = |rule: Value, expect: &str| {
        let config: Result<FilterConfig, _> = serde_json::from_value(json!({"rules": [rule]}));
        let said = match config.map(FilterConfig::validate) {
            Ok(Ok(_)) => "fine".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        assert!(said.contains(expect), "{said}");
    };
    check(json!({"name": "a", "action": "count"}), "fine");
    check(json!({"name": "A b", "action": "count"}), "\"A b\"");
    check(json!({"name": "secrets", "action": "count"}), "two filter rules");
    check(json!({"name": "a", "action": "count", "users": ["a*b"]}), "a*b");
    check(json!({"name": "a", "action": "drop"}), "drop");
    check(json!({"name": "a", "action": "count", "verb": ["get"]}), "verb");
    let many = vec![standard_rules()[0].clone(); 101];
    let config = FilterConfig { rules: many, ..FilterConfig::default() };
    assert_eq!(config.validate().err(), Some(FilterError::TooMany { count: 101 }));
}
