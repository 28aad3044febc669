//! The fast reading of bodies against the slow one: on generated JSON in all its spellings, on
//! broken JSON, and on every body of the capture.
#![allow(clippy::unwrap_used, clippy::string_slice, reason = "a failing test may panic")]

mod common;

use common::reference::{self, MASK};
use common::write::{Choices, write};
use kausal_object::{BodyContext, BodyPart, KeyRef, json as scan, read_body};
use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

const RESOURCES: &[&str] = &[
    "pods",
    "secrets",
    "tokenreviews.authentication.k8s.io",
    "serviceaccounts/token",
    "widgets.acme.example",
];

fn key() -> impl Strategy<Value = String> {
    let meaningful = prop::sample::select(vec![
        "metadata",
        "managedFields",
        "kind",
        "apiVersion",
        "name",
        "value",
        "data",
        "stringData",
        "message",
        "note",
        "items",
        "spec",
        "status",
        "token",
        "type",
        "template",
        "annotations",
        "kubectl.kubernetes.io/last-applied-configuration",
        "env",
        "namespace",
        "uid",
        "secret",
        "ownerReferences",
        "volumes",
        "$patch",
        "immutable",
        "a-label-that-is-long-enough",
    ]);
    prop_oneof![8 => meaningful.prop_map(str::to_owned), 1 => "\\PC{0,6}"]
}

fn text() -> impl Strategy<Value = String> {
    let meaningful = prop::sample::select(vec![
        "Secret",
        "SecretList",
        "Pod",
        "PodList",
        "List",
        "Status",
        "TokenReview",
        "DB_PASSWORD",
        "HOME",
        "postgres://u:p@db/x",
        "spec.x: Invalid value: \"hush\": no",
        "",
        "a\\b\"c\n",
        "core.PodSpec{Env: hush}",
    ]);
    prop_oneof![4 => meaningful.prop_map(str::to_owned), 1 => "\\PC{0,80}", 1 => any::<String>()]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        6 => text().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(6, 96, 6, |inner| {
        prop_oneof![
            3 => object(inner.clone()),
            1 => inner.clone().prop_map(|data| json!({"kind": "Secret", "data": data})),
            1 => inner.clone().prop_map(|value| json!({"name": "API_KEY", "value": value})),
            1 => inner.clone().prop_map(|cut| json!({"metadata": {"managedFields": cut}})),
            1 => prop::collection::vec(inner, 0..5).prop_map(Value::from),
        ]
    })
}

fn object(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let members = prop::collection::vec((key(), inner), 0..7);
    members.prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>()))
}

fn masked_strings(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::from(common::masked(text)),
        Value::Array(list) => list.iter().map(masked_strings).collect(),
        Value::Object(object) => Value::Object(
            object.iter().map(|(key, value)| (key.clone(), masked_strings(value))).collect(),
        ),
        other => other.clone(),
    }
}

fn check(body: &Value, text: &str, cx: &BodyContext<'_>) {
    let mut out = String::from("kept before");
    let facts = read_body(text, cx, &mut out).unwrap();
    let kept: Value = serde_json::from_str(out.strip_prefix("kept before").unwrap()).unwrap();
    let masked = masked_strings(&kept);
    assert_eq!(masked, reference::kept(body, cx), "{text}");
    assert_eq!(facts.redacted, masked.to_string().contains(MASK), "{text}");
    assert_eq!(facts.kind, body["kind"].as_str().unwrap_or_default());
    assert_eq!(facts.uid, body["metadata"]["uid"].as_str().unwrap_or_default());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn generated_bodies_are_kept_as_the_reference_has_them(
        body in object(value()), resource in prop::sample::select(RESOURCES), seed: u64,
    ) {
        let redaction = common::redaction();
        let mut text = String::new();
        write(&body, &mut Choices(seed), &mut text);
        check(&body, &text, &common::context(resource, &redaction));
    }

    #[test]
    fn broken_bodies_are_refused_or_kept_as_valid_json(
        body in object(value()), resource in prop::sample::select(RESOURCES), seed: u64,
        spots in prop::collection::vec((any::<prop::sample::Index>(), 0..6_usize), 1..4),
    ) {
        let redaction = common::redaction();
        let mut text = String::new();
        write(&body, &mut Choices(seed), &mut text);
        let mut chars: Vec<char> = text.chars().collect();
        for (spot, what) in spots {
            let at = spot.index(chars.len());
            match what {
                0 => drop(chars.remove(at)),
                1 => chars.truncate(at),
                other => chars.insert(at, ['"', '\\', '{', ']'][other - 2]),
            }
            if chars.is_empty() {
                break;
            }
        }
        let text: String = chars.into_iter().collect();
        let mut out = String::from("x");
        if read_body(&text, &common::context(resource, &redaction), &mut out).is_ok() {
            prop_assert!(serde_json::from_str::<IgnoredAny>(&out[1..]).is_ok(), "{}\n{}", text, out);
        } else {
            prop_assert_eq!(out, "x");
            let valid = serde_json::from_str::<Value>(&text).is_ok_and(|value| value.is_object());
            prop_assert!(!valid, "{}", text);
        }
    }

    #[test]
    fn the_scanner_sees_what_a_parser_sees(body in object(value()), seed: u64) {
        let mut text = String::new();
        write(&body, &mut Choices(seed), &mut text);
        let mut members = scan::members(&text);
        let seen: Map<String, Value> = members
            .by_ref()
            .map(|member| member.map(|m| (m.key().into_owned(), serde_json::from_str(m.value).unwrap())))
            .collect::<Result<_, _>>()
            .unwrap();
        prop_assert_eq!(Value::Object(seen), body);
        prop_assert_eq!(members.position(), text.trim_end().len());
        prop_assert_eq!(scan::skip_value(&text, 0), Ok(text.trim_end().len()));
    }
}

#[test]
fn every_body_of_the_capture_is_kept_as_the_reference_has_it() {
    let redaction = common::redaction();
    let mut seen = 0;
    for event in common::capture() {
        let target = &event["objectRef"];
        let part = |name: &str| target[name].as_str().unwrap_or_default();
        let cx = |part_of| BodyContext {
            key: KeyRef {
                cluster: "capture",
                group: part("apiGroup"),
                resource: part("resource"),
                namespace: part("namespace"),
                name: part("name"),
            },
            subresource: part("subresource"),
            part: part_of,
            redaction: &redaction,
        };
        for (field, part_of) in
            [("requestObject", BodyPart::Request), ("responseObject", BodyPart::Response)]
        {
            let body = &event[field];
            if body.is_object() {
                seen += 1;
                check(body, &body.to_string(), &cx(part_of));
            }
        }
    }
    assert!(seen > 2_000, "{seen} bodies");
}
