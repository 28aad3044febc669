//! Plurals are part of stored identities: what stands here can never change.
#![allow(clippy::unwrap_used, clippy::string_slice, reason = "a failing test may panic")]

use kausal_object::kinds::{self, Scope};

#[test]
fn guessed_plurals_are_golden() {
    for (kind, plural) in [
        ("Backup", "backups"),
        ("NetworkPolicy", "networkpolicies"),
        ("Gateway", "gateways"),
        ("Proxy", "proxies"),
        ("Ingress", "ingresses"),
        ("StorageClass", "storageclasses"),
        ("Mailbox", "mailboxes"),
        ("Quartz", "quartzes"),
        ("Patch", "patches"),
        ("Mesh", "meshes"),
        ("Graph", "graphs"),
        ("Endpoints", "endpoints"),
        ("DNSEndpoints", "dnsendpoints"),
        ("Redis", "redises"),
        ("Y", "ies"),
        ("Ébauche", "Ébauches"),
        ("", ""),
    ] {
        assert_eq!(kinds::plural("acme.example", kind), plural, "{kind}");
    }
}

#[test]
fn built_in_kinds_are_in_order_and_agree_with_themselves() {
    let table = kinds::built_in();
    assert!(table.is_sorted_by(|a, b| (a.group, a.resource) < (b.group, b.resource)));
    assert_eq!(table.len(), 76);
    for row in table {
        assert_eq!(kinds::plural(row.group, row.kind), row.resource);
        assert_eq!(kinds::kind(row.group, row.resource), Some(row.kind));
        assert_eq!(kinds::is_cluster_scoped(row.group, row.resource), row.scope == Scope::Cluster);
        let full = format!("{}.{}", row.resource, row.group);
        let typed = if row.group.is_empty() { row.resource } else { &full };
        assert_eq!(kinds::lookup(typed), Some((row.group, row.resource)));
    }
}

#[test]
fn what_people_type() {
    for (typed, expect) in [
        ("deploy", Some(("apps", "deployments"))),
        ("deployment", Some(("apps", "deployments"))),
        ("Deployment", Some(("apps", "deployments"))),
        ("deployments.apps", Some(("apps", "deployments"))),
        ("deploy.apps", Some(("apps", "deployments"))),
        ("po", Some(("", "pods"))),
        ("events", Some(("", "events"))),
        ("events.events.k8s.io", Some(("events.k8s.io", "events"))),
        ("crds", Some(("apiextensions.k8s.io", "customresourcedefinitions"))),
        ("hpa", Some(("autoscaling", "horizontalpodautoscalers"))),
        ("backups", None),
        ("pods.apps", None),
        ("", None),
    ] {
        assert_eq!(kinds::lookup(typed), expect, "{typed}");
    }
    assert_eq!(kinds::short("", "namespaces"), Some("ns"));
    assert_eq!(kinds::short("batch", "jobs"), None);
    assert!(kinds::is_cluster_scoped("", "namespaces") && !kinds::is_cluster_scoped("", "widgets"));
}
