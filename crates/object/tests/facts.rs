//! What bodies say: facts, links, items, and whether a body is a state of its object.
#![allow(clippy::unwrap_used, clippy::string_slice, reason = "a failing test may panic")]

mod common;

use common::facts;
use kausal_object::{Link, Role, is_own_kind};

/// `class resource[.group] namespace/name uid` of each link.
fn links(body: &str) -> Vec<String> {
    let line = |link: &Link<'_>| {
        assert_eq!(link.role == Role::Parent, link.class == "owner");
        let dot = if link.group.is_empty() { "" } else { "." };
        let target = format!("{}{dot}{}", link.resource, link.group);
        format!("{} {target} {}/{} {}", link.class, link.namespace, link.name, link.uid)
    };
    facts("pods", body).links.iter().map(line).collect()
}

fn check(body: &str, expect: &[&str]) {
    assert_eq!(links(body), expect, "{body}");
}

#[test]
fn facts_of_an_object() {
    let body = r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"w\u0065b","namespace":"shop","uid":"u","resourceVersion":"7","labels":{"name":"other"}},"spec":{"name":"no"}}"#;
    let facts = facts("pods", body);
    let said = [
        &facts.kind,
        &facts.api_version,
        &facts.name,
        &facts.namespace,
        &facts.uid,
        &facts.resource_version,
    ];
    assert_eq!(said, ["Pod", "v1", "web", "shop", "u", "7"]);
    assert!(facts.links.is_empty() && facts.items.is_empty() && !facts.redacted);
}

#[test]
fn items_of_a_list() {
    let body = r#"{"kind":"PodList","metadata":{"resourceVersion":"9"},"items":[ {"metadata":{"name":"a"}} , {}]}"#;
    let facts = facts("pods", body);
    assert_eq!(facts.items, [r#"{"metadata":{"name":"a"}}"#, "{}"]);
    assert_eq!((facts.name.as_ref(), facts.resource_version.as_ref()), ("", "9"));
    // Only a list has items.
    assert!(common::facts("pods", r#"{"kind":"Pod","items":[{}]}"#).items.is_empty());
}

#[test]
fn owners() {
    check(
        r#"{"kind":"Pod","metadata":{"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-1","uid":"u1","controller":true},{"kind":"Node","apiVersion":"v1","name":"n1","uid":"u2"}],"namespace":"ns"}}"#,
        &["owner replicasets.apps ns/web-1 u1", "owner nodes /n1 u2"],
    );
    // A namespace that is not said is the request's; unknown kinds keep the frozen guess.
    check(
        r#"{"metadata":{"ownerReferences":[{"apiVersion":"acme.example/v1","kind":"Backup","name":"nightly","uid":"u"}]}}"#,
        &["owner backups.acme.example shop/nightly u"],
    );
    check(r#"{"metadata":{"ownerReferences":[{}]}}"#, &[]);
}

#[test]
fn configmaps_and_secrets_of_pods() {
    let spec = r#"{"volumes":[{"name":"a","configMap":{"name":"cm1"}},{"secret":{"secretName":"s1"}},{"projected":{"sources":[{"configMap":{"name":"cm2"}},{"secret":{"name":"s2"}}]}},{"csi":{"nodePublishSecretRef":{"name":"s3"}}}],
        "containers":[{"name":"web","env":[{"name":"X","valueFrom":{"configMapKeyRef":{"name":"cm3","key":"k"}}},{"name":"Y","valueFrom":{"secretKeyRef":{"key":"k","name":"s4"}}}],"envFrom":[{"configMapRef":{"name":"cm1"}}]}],
        "initContainers":[{"envFrom":[{"secretRef":{"name":"s5"}}]}],"imagePullSecrets":[{"name":"s6"}]}"#;
    let all = [
        "configmap configmaps shop/cm1 ",
        "secret secrets shop/s1 ",
        "configmap configmaps shop/cm2 ",
        "secret secrets shop/s2 ",
        "secret secrets shop/s3 ",
        "configmap configmaps shop/cm3 ",
        "secret secrets shop/s4 ",
        "secret secrets shop/s5 ",
        "secret secrets shop/s6 ",
    ];
    check(&format!(r#"{{"kind":"Pod","spec":{spec}}}"#), &all);
    for kind in
        ["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController"]
    {
        check(&format!(r#"{{"kind":"{kind}","spec":{{"template":{{"spec":{spec}}}}}}}"#), &all);
    }
    check(
        &format!(
            r#"{{"kind":"CronJob","spec":{{"jobTemplate":{{"spec":{{"template":{{"spec":{spec}}}}}}}}}}}"#
        ),
        &all,
    );
    check(&format!(r#"{{"kind":"PodTemplate","template":{{"spec":{spec}}}}}"#), &all);
    // The same words elsewhere mean nothing.
    check(&format!(r#"{{"kind":"Widget","spec":{spec}}}"#), &[]);
    check(&format!(r#"{{"kind":"Pod","status":{spec}}}"#), &[]);
}

#[test]
fn secrets_of_other_kinds() {
    check(
        r#"{"kind":"Ingress","spec":{"tls":[{"hosts":["a"],"secretName":"tls"}]}}"#,
        &["secret secrets shop/tls "],
    );
    check(
        r#"{"kind":"ServiceAccount","secrets":[{"name":"a"}],"imagePullSecrets":[{"name":"b"}]}"#,
        &["secret secrets shop/a ", "secret secrets shop/b "],
    );
}

#[test]
fn states() {
    for (group, resource, version, kind, own) in [
        ("apps", "deployments", "apps/v1", "Deployment", true),
        ("apps", "deployments", "v1", "Deployment", false),
        ("apps", "deployments", "autoscaling/v1", "Scale", false),
        ("apps", "deployments", "apps/v1", "DeploymentList", false),
        ("", "pods", "v1", "Pod", true),
        ("", "pods", "v1", "Status", false),
        ("", "pods", "v1", "Binding", false),
        ("", "pods", "policy/v1", "Eviction", false),
        ("", "pods", "meta.k8s.io/v1", "PartialObjectMetadata", false),
        ("", "pods", "", "", false),
        ("", "serviceaccounts", "authentication.k8s.io/v1", "TokenRequest", false),
        ("acme.example", "backups", "acme.example/v1", "Backup", true),
        ("acme.example", "backups", "acme.example/v1", "BackupList", false),
        ("acme.example", "mice", "acme.example/v1", "Mouse", true),
        ("acme.example", "allowlists", "acme.example/v1", "AllowList", true),
        ("acme.example", "backups", "other.example/v1", "Backup", false),
    ] {
        assert_eq!(is_own_kind(group, resource, version, kind), own, "{resource} {version} {kind}");
    }
}

#[test]
fn the_pods_of_the_capture_name_their_owners() {
    let mut seen = 0;
    for event in common::capture() {
        let body = &event["responseObject"];
        let Some(owner) = body["metadata"]["ownerReferences"].get(0) else { continue };
        let text = body.to_string();
        let facts = facts("pods", &text);
        let link = facts.links.first().unwrap();
        assert_eq!(
            (&*link.name, &*link.uid),
            (owner["name"].as_str().unwrap(), owner["uid"].as_str().unwrap())
        );
        seen += 1;
    }
    assert!(seen > 100, "{seen}");
}
