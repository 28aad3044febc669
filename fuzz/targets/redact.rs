//! Bodies, messages and URIs of any content, on their way to becoming part of a span.
//!
//! Holds: nothing panics; what was JSON stays JSON; a value in a place that is secret never comes
//! out, whatever stands in it and around it.
#![no_main]

use std::sync::LazyLock;

use kausal_audit::{Limits, decode_all};
use kausal_object::{
    BodyContext, BodyPart, KeyRef, Redaction, read_body, redact_message, redact_uri,
};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use serde_json::json;

/// No text of a body's structure holds this.
const CANARY: &str = "c4n4ry";

static REDACTION: LazyLock<Redaction> =
    LazyLock::new(|| Redaction::new([7; 32], &["spec.token"]).expect("a valid rule"));

const SECRET: KeyRef<'_> =
    KeyRef { cluster: "c", group: "", resource: "secrets", namespace: "ns", name: "x" };
const POD: KeyRef<'_> = KeyRef { resource: "pods", ..SECRET };
const PARTS: [BodyPart; 3] = [BodyPart::Request, BodyPart::Response, BodyPart::Patch];

fuzz_target!(|input: &[u8]| {
    decode_all(input, &Limits::default(), &mut |item| {
        let Ok(event) = item else { return };
        for body in [&event.request_object, &event.response_object].into_iter().flatten() {
            any_body(&body.json());
        }
    });
    let text = String::from_utf8_lossy(input);
    any_body(&text);
    secret_values(&text);
    let cx = context(POD, BodyPart::Response);
    let mut out = String::new();
    redact_message(&text, &cx, &mut out);
    redact_uri(&text, &cx, &mut out);
});

fn context(key: KeyRef<'static>, part: BodyPart) -> BodyContext<'static> {
    BodyContext { key, subresource: "", part, redaction: &REDACTION }
}

/// One part of one object at a time: the fuzzer has the patience to try them all.
fn any_body(body: &str) {
    let part = PARTS[body.len() % 3];
    let key = if body.len() / 3 % 2 == 0 { SECRET } else { POD };
    let mut out = String::from("before");
    if read_body(body, &context(key, part), &mut out).is_err() {
        assert_eq!(out, "before");
    } else if serde_json::from_str::<IgnoredAny>(body).is_ok() {
        let kept = out.strip_prefix("before").expect("appended");
        serde_json::from_str::<IgnoredAny>(kept).expect("JSON stays JSON");
    }
}

/// Puts the text, with the canary in it, where secrets stand.
fn secret_values(text: &str) {
    let middle = text.floor_char_boundary(text.len() / 2);
    let (before, after) = text.split_at(middle);
    let value = format!("{before}{CANARY}{after}");
    let secret = json!({"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "x"},
        "data": {"a": value}, "stringData": {"b": [value, {"deep": value}]}});
    let applied = json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "x",
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": value}}});
    let pod = json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "x"},
        "spec": {"token": value, "containers": [
            {"name": "a", "env": [{"name": "DB_PASSWORD", "value": value}]}]}});
    let patch = json!([{"op": "replace", "path": "/data/a", "value": value}]);
    let part = PARTS[text.len() % 3];
    for (key, body) in [(SECRET, &secret), (POD, &applied), (POD, &pod), (SECRET, &patch)] {
        let mut out = String::new();
        let _ = read_body(&body.to_string(), &context(key, part), &mut out);
        assert!(!out.contains(CANARY), "{part:?} {out}");
    }
    let quoted = format!("spec.x: Invalid value: {}: must be short", json!(value));
    let uri = format!("/api/v1/namespaces/n/pods/p/exec?command=sh&command={CANARY}&stdin=true");
    let mut out = String::new();
    redact_message(&quoted, &context(POD, BodyPart::Response), &mut out);
    let exec = BodyContext { subresource: "exec", ..context(POD, BodyPart::Request) };
    redact_uri(&uri, &exec, &mut out);
    assert!(!out.contains(CANARY), "{out}");
}
