//! What users decide: further rules and the key; and what the fingerprints of a key let see.
#![allow(clippy::unwrap_used, clippy::string_slice, reason = "a failing test may panic")]

mod common;

use common::{fingerprints, kept, kept_under, masked, with_rules};
use kausal_object::{Redaction, RuleError};

#[test]
fn rules_of_users() {
    let say = |rule: &str, resource: &str, body: &str, expect: &str| {
        let kept = kept_under(resource, &with_rules(&[rule]), body);
        assert_eq!(masked(&kept), expect, "{rule}");
    };
    let body =
        r#"{"spec":{"users":[{"name":"a","pin":1},{"name":"b","pin":2}],"deep":{"x":{"pin":3}}}}"#;
    say(
        "spec.users[*].pin",
        "t",
        body,
        r#"{"spec":{"users":[{"name":"a","pin":"<secret>"},{"name":"b","pin":"<secret>"}],"deep":{"x":{"pin":3}}}}"#,
    );
    say(
        "spec.users.pin",
        "t",
        body,
        r#"{"spec":{"users":[{"name":"a","pin":"<secret>"},{"name":"b","pin":"<secret>"}],"deep":{"x":{"pin":3}}}}"#,
    );
    say(
        "**.pin",
        "t",
        body,
        r#"{"spec":{"users":[{"name":"a","pin":"<secret>"},{"name":"b","pin":"<secret>"}],"deep":{"x":{"pin":"<secret>"}}}}"#,
    );
    say(
        "spec.*.x",
        "t",
        body,
        r#"{"spec":{"users":[{"name":"a","pin":1},{"name":"b","pin":2}],"deep":{"x":{"pin":"<secret>"}}}}"#,
    );
    say(
        "spec.users[1]",
        "t",
        body,
        r#"{"spec":{"users":[{"name":"a","pin":1},{"name":"<secret>","pin":"<secret>"}],"deep":{"x":{"pin":3}}}}"#,
    );
    say(
        "env[B].value",
        "t",
        r#"{"env":[{"name":"A","value":"1"},{"name":"B","value":"2"}]}"#,
        r#"{"env":[{"name":"A","value":"1"},{"name":"B","value":"<secret>"}]}"#,
    );
}

#[test]
fn rules_of_users_for_one_resource_and_for_patches() {
    let say = |rule: &str, resource: &str, body: &str, expect: &str| {
        let kept = kept_under(resource, &with_rules(&[rule]), body);
        assert_eq!(masked(&kept), expect, "{rule}");
    };
    say(
        "configmaps:data.*_key",
        "configmaps",
        r#"{"data":{"a_key":"1","b":"2"}}"#,
        r#"{"data":{"a_key":"<secret>","b":"2"}}"#,
    );
    say("configmaps:data.*_key", "pods", r#"{"data":{"a_key":"1"}}"#, r#"{"data":{"a_key":"1"}}"#);
    say(
        "backups.acme.example:spec.key",
        "backups.acme.example",
        r#"{"spec":{"key":"1"}}"#,
        r#"{"spec":{"key":"<secret>"}}"#,
    );
    say(
        r#"metadata.annotations["a/b"]"#,
        "t",
        r#"{"metadata":{"annotations":{"a/b":"1"}}}"#,
        r#"{"metadata":{"annotations":{"a/b":"<secret>"}}}"#,
    );
    say(
        "spec.key",
        "t",
        r#"[{"op":"add","path":"/spec","value":{"key":"1","b":2}},{"op":"add","path":"/spec/key","value":"1"}]"#,
        r#"[{"op":"add","path":"/spec","value":{"key":"<secret>","b":2}},{"op":"add","path":"/spec/key","value":"<secret>"}]"#,
    );
    say(
        "spec.users[a].pin",
        "t",
        r#"[{"op":"add","path":"/spec/users/0/pin","value":"1"}]"#,
        r#"[{"op":"add","path":"/spec/users/0/pin","value":"<secret>"}]"#,
    );
}

#[test]
fn rules_that_are_not_understood() {
    for broken in ["", "a..b", "a[", "a[b]c", "pods:"] {
        assert!(Redaction::new(common::KEY, &[broken]).is_err(), "{broken}");
    }
    let long = vec!["a"; 64].join(".");
    assert!(matches!(Redaction::new(common::KEY, &[long]), Err(RuleError::TooLong { .. })));
}

#[test]
fn equal_values_are_seen_along_one_field_of_one_object_only() {
    let print =
        |resource: &str, body: &str| fingerprints(&kept(resource, body)).remove(0).to_owned();
    let env = |name: &str, list: &str| print("deployments.apps", &list.replace("NAME", name));
    // Wherever the element stands, and however it is written.
    let first = env(
        "A_TOKEN",
        r#"{"spec":{"containers":[{"name":"web","env":[{"name":"NAME","value":"s"}]}]}}"#,
    );
    let moved = env(
        "A_TOKEN",
        r#"{"spec":{"containers":[{"name":"x"},{"env":[{},{"value":"\u0073","name":"NAME"}],"name":"web"}]}}"#,
    );
    assert_eq!(first, moved);
    // Other value, name, container.
    let others = [
        env(
            "A_TOKEN",
            r#"{"spec":{"containers":[{"name":"web","env":[{"name":"NAME","value":"t"}]}]}}"#,
        ),
        env(
            "B_TOKEN",
            r#"{"spec":{"containers":[{"name":"web","env":[{"name":"NAME","value":"s"}]}]}}"#,
        ),
        env(
            "A_TOKEN",
            r#"{"spec":{"containers":[{"name":"db","env":[{"name":"NAME","value":"s"}]}]}}"#,
        ),
    ];
    assert!(others.iter().all(|other| *other != first));
    // A patch and the object it changes.
    let whole = print("secrets", r#"{"kind":"Secret","data":{"a.b":"czM="}}"#);
    assert_eq!(whole, print("secrets", r#"[{"op":"replace","path":"/data/a.b","value":"czM="}]"#));
    assert_eq!(whole, print("secrets", r#"{"data":{"a.b":"czM="}}"#));
    assert_ne!(whole, print("secrets", r#"{"data":{"a":{"b":"czM="}}}"#));
    // An item of a list is the object itself.
    assert_eq!(
        whole,
        print(
            "secrets",
            r#"{"kind":"SecretList","items":[{"data":{"a.b":"czM="},"metadata":{"name":"web","namespace":"shop"}}]}"#
        )
    );
    assert_ne!(
        whole,
        print(
            "secrets",
            r#"{"kind":"SecretList","items":[{"data":{"a.b":"czM="},"metadata":{"name":"db","namespace":"shop"}}]}"#
        )
    );
    // Text and number are not the same.
    assert_ne!(print("secrets", r#"{"data":{"a":"1"}}"#), print("secrets", r#"{"data":{"a":1}}"#));
}

#[test]
fn fingerprints_are_golden() {
    let redaction = common::redaction();
    assert_eq!(redaction.key_id(), "706e6423");
    assert_eq!(
        kept("secrets", r#"{"data":{"a":"czM="}}"#),
        r#"{"data":{"a":"redacted:706e6423:96bc2d0badb5e8d0"}}"#
    );
    let other = Redaction::new([8; 32], &[] as &[&str]).unwrap();
    assert_ne!(
        kept_under("secrets", &other, r#"{"data":{"a":"czM="}}"#),
        kept("secrets", r#"{"data":{"a":"czM="}}"#)
    );
    assert!(!format!("{redaction:?}").contains("7, 7"), "{redaction:?}");
}
