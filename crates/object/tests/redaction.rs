//! What is secret, case by case: nothing marked may leave, and what is not secret must stay.
#![allow(clippy::unwrap_used, clippy::string_slice, reason = "a failing test may panic")]

mod common;

use common::{context, kept, kept_under, masked};
use kausal_object::redact::rules::is_secret_name;
use kausal_object::{BodyError, Redaction, read_body, redact_message, redact_uri};

/// The mark of every secret in this file.
const CANARY: &str = "c4n4ry";

/// Reads a body about `resource`; `expect` has `<secret>` for each fingerprint.
fn check(resource: &str, body: &str, expect: &str) {
    let kept = kept(resource, body);
    assert_eq!(masked(&kept), expect, "{body}");
    assert!(!kept.contains(CANARY), "{kept}");
    serde_json::from_str::<serde_json::Value>(&kept).unwrap();
}

#[test]
fn secrets_in_every_kind_of_write() {
    let s = "secrets";
    check(
        s,
        r#"{"kind":"Secret","apiVersion":"v1","metadata":{"name":"web"},"data":{"a":"c4n4ry","n":null},"type":"Opaque"}"#,
        r#"{"kind":"Secret","apiVersion":"v1","metadata":{"name":"web"},"data":{"a":"<secret>","n":null},"type":"Opaque"}"#,
    );
    // The order of a client that sorts its keys, the wrong place, and the wrong case.
    check(
        "configmaps",
        r#"{"apiVersion":"v1","data":{"a":"c4n4ry"},"kind":"Secret"}"#,
        r#"{"apiVersion":"v1","data":{"a":"<secret>"},"kind":"Secret"}"#,
    );
    check(
        s,
        r#"{"kind":"secret","Data":{"a":"c4n4ry"}}"#,
        r#"{"kind":"secret","Data":{"a":"<secret>"}}"#,
    );
    check(
        "pods",
        r#"{"kind":"Pod","data":{"a":"c4n4ry"},"kind":"Secret"}"#,
        r#"{"kind":"Pod","data":{"a":"<secret>"},"kind":"Secret"}"#,
    );
    // Keys and kinds written with escapes.
    check(
        "pods",
        r#"{"kind":"Secr\u0065t","d\u0061ta":{"a":"c4n4ry"}}"#,
        r#"{"kind":"Secr\u0065t","d\u0061ta":{"a":"<secret>"}}"#,
    );
    check(s, r#"{"string\u0044ata":{"a":"c4n4ry"}}"#, r#"{"string\u0044ata":{"a":"<secret>"}}"#);
    // Merge, strategic and apply patches.
    check(s, r#"{"data":{"a":"c4n4ry","gone":null}}"#, r#"{"data":{"a":"<secret>","gone":null}}"#);
    check(
        s,
        r#"{"stringData":{"a":"c4n4ry"},"$patch":"replace"}"#,
        r#"{"stringData":{"a":"<secret>"},"$patch":"replace"}"#,
    );
    check(s, r#"{"data":"c4n4ry"}"#, r#"{"data":"<secret>"}"#);
    check(
        s,
        r#"{"data":{"a":{"b":["c4n4ry",17,true]}}}"#,
        r#"{"data":{"a":{"b":["<secret>","<secret>","<secret>"]}}}"#,
    );
    check(s, r#"{"dta":{"a":"c4n4ry"}}"#, r#"{"dta":{"a":"<secret>"}}"#);
    // JSON patches.
    check(
        s,
        r#"[{"op":"replace","path":"/data/a","value":"c4n4ry"}]"#,
        r#"[{"op":"replace","path":"/data/a","value":"<secret>"}]"#,
    );
    check(
        s,
        r#"[{"value":{"a":"c4n4ry"},"op":"add","path":"/data"}]"#,
        r#"[{"value":{"a":"<secret>"},"op":"add","path":"/data"}]"#,
    );
    check(
        s,
        r#"[{"op":"test","path":"/data/a","value":"c4n4ry"},{"op":"remove","path":"/data/a"}]"#,
        r#"[{"op":"test","path":"/data/a","value":"<secret>"},{"op":"remove","path":"/data/a"}]"#,
    );
}

#[test]
fn secrets_in_lists_and_inside_of_others() {
    check(
        "secrets",
        r#"{"kind":"SecretList","metadata":{},"items":[{"metadata":{"name":"a"},"data":{"k":"c4n4ry"}},{"data":{"k":"c4n4ry"}}]}"#,
        r#"{"kind":"SecretList","metadata":{},"items":[{"metadata":{"name":"a"},"data":{"k":"<secret>"}},{"data":{"k":"<secret>"}}]}"#,
    );
    check(
        "widgets.acme.example",
        r#"{"kind":"List","items":[{"data":{"k":"c4n4ry"},"kind":"Secret"},{"kind":"ConfigMap","data":{"k":"v"}}]}"#,
        r#"{"kind":"List","items":[{"data":{"k":"<secret>"},"kind":"Secret"},{"kind":"ConfigMap","data":{"k":"v"}}]}"#,
    );
    check(
        "manifests.acme.example",
        r#"{"kind":"Manifest","spec":{"objects":[{"stringData":{"k":"c4n4ry"},"kind":"Secret"}]}}"#,
        r#"{"kind":"Manifest","spec":{"objects":[{"stringData":{"k":"<secret>"},"kind":"Secret"}]}}"#,
    );
    // A list whose items are no objects still has no secret in it.
    check(
        "secrets",
        r#"{"kind":"SecretList","items":["c4n4ry"]}"#,
        r#"{"kind":"SecretList","items":["<secret>"]}"#,
    );
    check(
        "secrets",
        r#"{"kind":"Table","rows":[{"object":{"data":{"k":"c4n4ry"}}}]}"#,
        r#"{"kind":"Table","rows":[{"object":{"data":{"k":"<secret>"}}}]}"#,
    );
}

#[test]
fn tokens_and_commands() {
    check(
        "tokenreviews.authentication.k8s.io",
        r#"{"spec":{"token":"c4n4ry","audiences":["x"]}}"#,
        r#"{"spec":{"token":"<secret>","audiences":["x"]}}"#,
    );
    check(
        "reviews",
        r#"{"spec":{"token":"c4n4ry"},"kind":"TokenReview"}"#,
        r#"{"spec":{"token":"<secret>"},"kind":"TokenReview"}"#,
    );
    check(
        "serviceaccounts/token",
        r#"{"kind":"TokenRequest","status":{"token":"c4n4ry","expirationTimestamp":"t"}}"#,
        r#"{"kind":"TokenRequest","status":{"token":"<secret>","expirationTimestamp":"t"}}"#,
    );
    check(
        "pods/exec",
        r#"{"kind":"PodExecOptions","command":["sh","-c","c4n4ry"],"container":"web"}"#,
        r#"{"kind":"PodExecOptions","command":["sh","<secret>","<secret>"],"container":"web"}"#,
    );
    check("pods/exec", r#"{"command":["sh c4n4ry"]}"#, r#"{"command":["sh <secret>"]}"#);
    check("pods/exec", r#"{"command":"c4n4ry"}"#, r#"{"command":"<secret>"}"#);
    check(
        "oauthclients.oauth.openshift.io",
        r#"{"secret":"c4n4ry","additionalSecrets":["c4n4ry"]}"#,
        r#"{"secret":"<secret>","additionalSecrets":["<secret>"]}"#,
    );
    check(
        "oauthclients.oauth.openshift.io",
        r#"[{"op":"add","path":"/additionalSecrets/0","value":"c4n4ry"}]"#,
        r#"[{"op":"add","path":"/additionalSecrets/0","value":"<secret>"}]"#,
    );
}

#[test]
fn secret_looking_env() {
    let d = "deployments.apps";
    check(
        d,
        r#"{"env":[{"name":"DB_PASSWORD","value":"c4n4ry"},{"name":"HOME","value":"/root"}]}"#,
        r#"{"env":[{"name":"DB_PASSWORD","value":"<secret>"},{"name":"HOME","value":"/root"}]}"#,
    );
    check(
        d,
        r#"{"env":[{"value":"c4n4ry","name":"api-key"}]}"#,
        r#"{"env":[{"value":"<secret>","name":"api-key"}]}"#,
    );
    check(
        d,
        r#"{"env":[{"v\u0061lue":"c4n4ry","n\u0061me":"TOK\u0045N"}]}"#,
        r#"{"env":[{"v\u0061lue":"<secret>","n\u0061me":"TOK\u0045N"}]}"#,
    );
    check(
        d,
        r#"{"env":[{"name":"DATABASE_URL","value":"postgres://u:c4n4ry@db/x"}]}"#,
        r#"{"env":[{"name":"DATABASE_URL","value":"<secret>"}]}"#,
    );
    check(
        d,
        r#"{"env":[{"name":"A_TOKEN","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}}]}"#,
        r#"{"env":[{"name":"A_TOKEN","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}}]}"#,
    );
    // In a JSON patch the name may be there, or not.
    check(
        d,
        r#"[{"op":"add","path":"/spec/template/spec/containers/0/env/-","value":{"name":"MY_SECRET","value":"c4n4ry"}}]"#,
        r#"[{"op":"add","path":"/spec/template/spec/containers/0/env/-","value":{"name":"MY_SECRET","value":"<secret>"}}]"#,
    );
    check(
        d,
        r#"[{"op":"replace","path":"/spec/template/spec/containers/0/env/2/value","value":"c4n4ry"}]"#,
        r#"[{"op":"replace","path":"/spec/template/spec/containers/0/env/2/value","value":"<secret>"}]"#,
    );
    check(
        d,
        r#"[{"op":"replace","path":"/spec/replicas","value":3}]"#,
        r#"[{"op":"replace","path":"/spec/replicas","value":3}]"#,
    );
}

#[test]
fn names_of_secrets() {
    for name in [
        "DB_PASSWORD",
        "passwd",
        "apiKey",
        "API-KEY",
        "AWS_ACCESS_KEY_ID",
        "tls.private.key",
        "DB_PASS",
        "GH_AUTH",
        "SENTRY_DSN",
        "clientSecret",
        "X_CREDENTIALS",
    ] {
        assert!(is_secret_name(name), "{name}");
    }
    for name in ["HOME", "PWD", "OLDPWD", "BYPASS", "KEY", "LOG_LEVEL", "AUTHOR", "REPLICAS", ""] {
        assert!(!is_secret_name(name), "{name}");
    }
}

#[test]
fn copies_of_the_object_are_cut_without_a_trace() {
    let copy = r#""kubectl.kubernetes.io/last-applied-configuration":"{\"data\":\"c4n4ry\"}""#;
    let cut = |inside: &str, expect: &str| {
        let body = inside.replace("COPY", copy);
        check(
            "deployments.apps",
            &format!(r#"{{"metadata":{{"annotations":{{{body}}}}}}}"#),
            &format!(r#"{{"metadata":{{"annotations":{{{expect}}}}}}}"#),
        );
    };
    cut("COPY", "");
    cut(r#""a":"1",COPY"#, r#""a":"1""#);
    cut(r#"COPY,"b":"2""#, r#""b":"2""#);
    cut(r#""a":"1",COPY,"b":"2""#, r#""a":"1","b":"2""#);
    cut(r"COPY,COPY", "");
    cut(r#" COPY , COPY , "b" : "2" "#, r#" "b" : "2" "#);
    check(
        "deployments.apps",
        r#"[{"op":"add","path":"/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration","value":"c4n4ry"}]"#,
        r#"[{"op":"add","path":"/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration"}]"#,
    );
    check(
        "deployments.apps",
        r#"{"a":{"kubectl.kubernetes.io\/last-applied-configuration":{"x":["c4n4ry"]}}}"#,
        r#"{"a":{}}"#,
    );
}

#[test]
fn managed_fields_are_cut_wherever_metadata_is() {
    check(
        "pods",
        r#"{"metadata":{"name":"a","managedFields":[{"f:x":{}}],"uid":"u"}}"#,
        r#"{"metadata":{"name":"a","uid":"u"}}"#,
    );
    check(
        "pods",
        r#"{"kind":"PodList","items":[{"metadata":{"managedFields":[]}}]}"#,
        r#"{"kind":"PodList","items":[{"metadata":{}}]}"#,
    );
    check(
        "deployments.apps",
        r#"{"spec":{"template":{"metadata":{"managedFields":[],"labels":{}}}}}"#,
        r#"{"spec":{"template":{"metadata":{"labels":{}}}}}"#,
    );
    check("secrets", r#"{"metadata":{"managedFields":[{"data":"c4n4ry"}]}}"#, r#"{"metadata":{}}"#);
    check(
        "pods",
        r#"[{"op":"replace","path":"/metadata/managedFields","value":[{}]}]"#,
        r#"[{"op":"replace","path":"/metadata/managedFields"}]"#,
    );
    // Somewhere else it is somebody's own field.
    check("crds", r#"{"spec":{"managedFields":["x"]}}"#, r#"{"spec":{"managedFields":["x"]}}"#);
}

#[test]
fn what_is_cut_is_cut_even_if_secrets_are_shown() {
    let body = r#"{"metadata":{"managedFields":[1]},"data":{"a":"c2hvd24="}}"#;
    let kept = kept_under("secrets", &Redaction::disabled(), body);
    assert_eq!(kept, r#"{"metadata":{},"data":{"a":"c2hvd24="}}"#);
}

#[test]
fn messages_lose_the_values_they_quote() {
    let say = |text: &str, expect: &str| {
        let redaction = common::redaction();
        let mut out = String::new();
        redact_message(text, &context("deployments.apps", &redaction), &mut out);
        assert_eq!(masked(&out), expect);
        assert!(!out.contains(CANARY), "{out}");
        // Inside of a body the same, however it is escaped.
        let body = format!("{{\"kind\":\"Status\",\"message\":{}}}", serde_json::Value::from(text));
        check(
            "deployments.apps",
            &body,
            &format!("{{\"kind\":\"Status\",\"message\":{}}}", serde_json::Value::from(expect)),
        );
    };
    say(
        "spec.replicas: Invalid value: -3: must be >= 0",
        "spec.replicas: Invalid value: -3: must be >= 0",
    );
    say("x: Invalid value: \"c4n4ry\": no", "x: Invalid value: \"<secret>\": no");
    say(
        "[a: Invalid value: \"c4n4ry \\\" c4n4ry\": no, b: Duplicate value: \"c4n4ry\"]",
        "[a: Invalid value: \"<secret>\": no, b: Duplicate value: \"<secret>\"]",
    );
    say(
        "p: Unsupported value: \"c4n4ry\": supported values: \"A\", \"B\"",
        "p: Unsupported value: \"<secret>\": supported values: \"A\", \"B\"",
    );
    say("x: Invalid value: {\"token\":\"c4n4ry\"}: no", "x: Invalid value: <secret>: no");
    say("x: Invalid value: v1.EnvVar{Value:\"c4n4ry\"}", "x: Invalid value: <secret>");
    say("x: Invalid value: \"c4n4ry and then cut", "x: Invalid value: \"<secret>\"");
    say(
        "quoted again: \\\"x: Invalid value: \\\\\\\"c4n4ry\\\\\\\": no\\\"",
        "quoted again: \\\"x: Invalid value: <secret>: no\\\"",
    );
    say(
        "spec: Forbidden: may not change\n  core.PodSpec{Env: \"c4n4ry\"}",
        "spec: Forbidden: may not change\n  <secret>",
    );
    say(
        "Object 'Kind' is missing in '{\"data\":{\"a\":\"c4n4ry\"}}'",
        "Object 'Kind' is missing in \"<secret>\"",
    );
    say(
        "ReadString: expects \", error found in #10 byte of ...|c4n4ry\":1|..., bigger context",
        "ReadString: expects \", error found in #10 byte of <secret>",
    );
    say("pods \"web\" not found", "pods \"web\" not found");
    check(
        "pods",
        r#"{"kind":"Status","details":{"causes":[{"field":"x","message":"Invalid value: \"c4n4ry\": no"}]}}"#,
        r#"{"kind":"Status","details":{"causes":[{"field":"x","message":"Invalid value: \"<secret>\": no"}]}}"#,
    );
}

#[test]
fn uris_lose_the_arguments_of_commands() {
    let say = |uri: &str, expect: &str| {
        let redaction = common::redaction();
        let mut out = String::new();
        redact_uri(uri, &context("pods", &redaction), &mut out);
        assert_eq!(masked(&out), expect);
    };
    let exec = "/api/v1/namespaces/shop/pods/web/exec";
    say(
        &format!("{exec}?command=sh&command=-c&command=c4n4ry&stdin=true"),
        &format!("{exec}?command=sh&command=<secret>&command=<secret>&stdin=true"),
    );
    say(&format!("{exec}?%63ommand=sh+-c+c4n4ry"), &format!("{exec}?%63ommand=sh+<secret>"));
    say(
        &format!("{exec}?command=sh%20c4n4ry&container=web"),
        &format!("{exec}?command=sh+<secret>&container=web"),
    );
    say(
        "/api/v1/namespaces/x/services/y/proxy/?access_token=c4n4ry&a=b",
        "/api/v1/namespaces/x/services/y/proxy/?access_token=<secret>&a=b",
    );
    let node = "/api/v1/nodes/a/proxy";
    say(
        &format!("{node}/exec/shop/web/app?command=sh&command=c4n4ry"),
        &format!("{node}/exec/shop/web/app?command=sh&command=<secret>"),
    );
    say(
        &format!("{node}/run/shop/web/app?cmd=mysql+-pc4n4ry"),
        &format!("{node}/run/shop/web/app?cmd=mysql+<secret>"),
    );
    say("/api/v1/pods?limit=500&resourceVersion=0", "/api/v1/pods?limit=500&resourceVersion=0");
    say("/api/v1/pods", "/api/v1/pods");
}

#[test]
fn unreadable_bodies_leave_nothing() {
    let say = |body: &str, expect: BodyError| {
        let mut out = String::from("before");
        let redaction = common::redaction();
        assert_eq!(read_body(body, &context("pods", &redaction), &mut out), Err(expect), "{body}");
        assert_eq!(out, "before");
    };
    let deep = |levels: usize| format!("{}{}", "{\"a\":".repeat(levels) + "1", "}".repeat(levels));
    say("", BodyError::NotAnObject);
    say("\"c4n4ry\"", BodyError::NotAnObject);
    say("17", BodyError::NotAnObject);
    say("[\"c4n4ry\"]", BodyError::NotAnObject);
    say("{\"a\":1}x", BodyError::Malformed { at: 7 });
    say("{\"a\":\"\u{1}\"}", BodyError::Malformed { at: 6 });
    say("{\"a\":\"\\x\"}", BodyError::Malformed { at: 5 });
    say("{\"a\":\"\\ud800\"}", BodyError::Malformed { at: 5 });
    say("{\"a\":01}", BodyError::Malformed { at: 6 });
    say("{\"a\":tru}", BodyError::Malformed { at: 5 });
    say("{\"a\" 1}", BodyError::Malformed { at: 5 });
    say("{\"a\":1,}", BodyError::Malformed { at: 7 });
    say("{\"a\":[1}", BodyError::Malformed { at: 7 });
    say("{\"metadata\":{\"managedFields\":[", BodyError::Malformed { at: 30 });
    say(&deep(128), BodyError::TooDeep { at: 127 * 5 });
    say(&"[".repeat(100_000), BodyError::NotAnObject);
    say(&"{\"a\":".repeat(100_000), BodyError::TooDeep { at: 127 * 5 });
    assert_eq!(kept("pods", &deep(127)), deep(127));
    assert!(serde_json::from_str::<serde_json::Value>(&deep(127)).is_ok());
}
