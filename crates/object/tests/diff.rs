//! Diffs say what changed, all of it and nothing else: applying them gives the new state.
#![allow(clippy::unwrap_used, clippy::string_slice, reason = "a failing test may panic")]

mod common;

use kausal_object::diff::{Change, apply, diff, from_lines, is_noise, to_lines};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

#[allow(clippy::needless_pass_by_value, reason = "called with `json!`")]
fn check(old: Value, new: Value, expect: &[&str]) {
    let lines: Vec<String> = diff(&old, &new).iter().map(ToString::to_string).collect();
    assert_eq!(lines, expect);
}

#[test]
fn lines() {
    check(
        json!({"spec": {"replicas": 3}}),
        json!({"spec": {"replicas": 5}}),
        &["spec.replicas 3 -> 5"],
    );
    check(json!({}), json!({"a": {"b": 1}}), &[r#"a (none) -> {"b":1}"#]);
    check(json!({"a": null}), json!({}), &["a null -> (none)"]);
    check(
        json!({"m": {"a/b": "x", "c.d": 1}}),
        json!({"m": {"a/b": "y"}}),
        &[r#"m["a/b"] "x" -> "y""#, r#"m["c.d"] 1 -> (none)"#],
    );
    check(json!(1), json!("1"), &[r#" 1 -> "1""#]);
}

#[test]
fn lists_by_their_merge_keys() {
    let containers = |web: &str| json!({"containers": [{"name": "web", "image": web}, {"name": "log", "image": "l"}]});
    check(containers("a"), containers("b"), &[r#"containers[web].image "a" -> "b""#]);
    check(
        json!({"containers": [{"name": "web", "image": "a"}]}),
        json!({"containers": [{"name": "sidecar"}, {"name": "web", "image": "b"}]}),
        &[
            r#"containers[web].image "a" -> "b""#,
            r#"containers[sidecar] (none) -> {"name":"sidecar"}"#,
        ],
    );
    check(
        json!({"env": [{"name": "A", "value": "1"}, {"name": "B"}]}),
        json!({"env": [{"name": "B"}, {"name": "A", "value": "2"}]}),
        &[r#"env[A].value "1" -> "2""#, r#"env[] ["A","B"] -> ["B","A"]"#],
    );
    check(
        json!({"ports": [{"containerPort": 80, "protocol": "TCP", "name": "a"}]}),
        json!({"ports": [{"containerPort": 80, "protocol": "TCP", "name": "b"}]}),
        &[r#"ports[80/TCP].name "a" -> "b""#],
    );
    check(
        json!({"ports": [{"port": 80}]}),
        json!({"ports": [{"port": 81}]}),
        &[r#"ports[="80"] {"port":80} -> (none)"#, r#"ports[="81"] (none) -> {"port":81}"#],
    );
    check(
        json!({"conditions": [{"type": "Ready", "status": "False"}]}),
        json!({"conditions": [{"type": "New"}, {"type": "Ready", "status": "True"}]}),
        &[
            r#"conditions[Ready].status "False" -> "True""#,
            r#"conditions[New] (none) -> {"type":"New"}"#,
        ],
    );
    check(
        json!({"volumeClaimTemplates": [{"metadata": {"name": "d"}, "x": 1}]}),
        json!({"volumeClaimTemplates": [{"metadata": {"name": "d"}, "x": 2}]}),
        &["volumeClaimTemplates[d].x 1 -> 2"],
    );
    // Two of one name, or none: by position.
    check(
        json!({"env": [{"name": "A"}, {"name": "A", "value": "1"}]}),
        json!({"env": [{"name": "A"}, {"name": "A", "value": "2"}]}),
        &[r#"env[1].value "1" -> "2""#],
    );
    check(
        json!({"rules": [{"host": "a"}]}),
        json!({"rules": [{"host": "b"}, {}]}),
        &[r#"rules[0].host "a" -> "b""#, "rules[1] (none) -> {}"],
    );
}

#[test]
fn lists_of_scalars() {
    check(
        json!({"finalizers": ["a", "k.io/b"]}),
        json!({"finalizers": ["k.io/b", "c"]}),
        &[r#"finalizers[a] "a" -> (none)"#, r#"finalizers[c] (none) -> "c""#],
    );
    check(json!({"args": ["a", "b"]}), json!({"args": ["a", "c"]}), &[r#"args[1] "b" -> "c""#]);
    check(
        json!({"args": ["a", "b"]}),
        json!({"args": ["x", "a", "b"]}),
        &[r#"args ["a","b"] -> ["x","a","b"]"#],
    );
}

#[test]
fn changes_of_another_state_are_refused() {
    let refused = |state: &Value, line: &str| {
        let changes = from_lines(line).unwrap();
        assert!(apply(state.clone(), &changes).is_err(), "{line}");
    };
    let state = json!({"spec": {"replicas": 3, "containers": [{"name": "web"}], "args": ["a"]}});
    refused(&state, "spec.replicas 4 -> 5");
    refused(&state, "spec.replicas (none) -> 5");
    refused(&state, "spec.paused true -> (none)");
    refused(&state, "spec.strategy.type \"a\" -> \"b\"");
    refused(&state, r#"spec.containers[log].image "a" -> "b""#);
    refused(&state, r#"spec.containers[web] {"name":"log"} -> (none)"#);
    refused(&state, r#"spec.args[3] "a" -> "b""#);
    refused(&state, "spec.replicas.x 1 -> 2");
    refused(&state, " 1 -> 2");
}

#[test]
fn limits() {
    let many = |value: i32| {
        Value::Object((0..600).map(|n| (format!("k{n}"), Value::from(value))).collect())
    };
    assert_eq!(diff(&json!({"a": many(1)}), &json!({"a": many(2)})).len(), 1);
    let deep = |leaf: i32| (0..100).fold(Value::from(leaf), |inner, _| json!({"a": inner}));
    let changes = diff(&deep(1), &deep(2));
    assert_eq!((changes.len(), changes[0].path.split('.').count()), (1, 64));
    let long = Change { path: "a".into(), old: None, new: Some(Value::from("é".repeat(1_000))) };
    assert_eq!(long.to_string().chars().count(), "a (none) -> …".chars().count() + 300);
}

#[test]
fn noise() {
    for path in [
        "metadata.resourceVersion",
        "metadata.managedFields[0].time",
        "status.conditions[Ready].lastHeartbeatTime",
        "spec.renewTime",
    ] {
        assert!(is_noise(path), "{path}");
    }
    for path in [
        "spec.replicas",
        "metadata.resourceVersions",
        "metadata.annotations[\"a\"]",
        "status.conditions[Ready].status",
    ] {
        assert!(!is_noise(path), "{path}");
    }
}

/// The name that a list's element has in these tests: the merge keys written out by hand.
fn label(element: &Value) -> Option<String> {
    let text = |key: &str| {
        element.get(key).map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
    };
    match element {
        Value::String(text) => Some(text.clone()),
        _ => text("containerPort").or(text("name")).or(text("type")),
    }
}

/// The value with lists whose order means nothing in one order.
fn in_order(value: &Value) -> Value {
    match value {
        Value::Object(object) => Value::Object(
            object.iter().map(|(key, value)| (key.clone(), in_order(value))).collect(),
        ),
        Value::Array(list) => {
            let mut list: Vec<Value> = list.iter().map(in_order).collect();
            list.sort_by_key(label);
            Value::Array(list)
        }
        other => other.clone(),
    }
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<u8>().prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
        Just(Value::Null)
    ]
}

/// Objects with keyed lists, sets, plain lists, and odd keys.
fn object() -> impl Strategy<Value = Value> {
    let leaf = scalar().boxed();
    leaf.prop_recursive(4, 48, 5, |inner| {
        let key = prop_oneof![
            "[a-c]{1,2}",
            Just("a/b".to_owned()),
            Just("x.y[\"".to_owned()),
            Just(String::new())
        ];
        let member = (key, inner.clone());
        let named = |field: &'static str, name: &'static str| {
            let element = (prop::sample::select(vec!["p", "q", "r", "s[=\"", ""]), inner.clone());
            prop::collection::btree_map(element.0, element.1, 0..4).prop_shuffle_values(field, name)
        };
        let set = prop::collection::btree_set("[a-d]{1,3}", 0..4).prop_map(|set| json!(set));
        let members = (
            prop::collection::vec(member, 0..4),
            prop::option::of(named("containers", "name")),
            prop::option::of(named("env", "name")),
            prop::option::of(named("conditions", "type")),
            prop::option::of(set),
            prop::option::of(prop::collection::vec(
                scalar().prop_filter("no strings", |v| !v.is_string()),
                0..4,
            )),
        );
        members.prop_map(|(plain, containers, env, conditions, set, list)| {
            let mut object: Map<String, Value> = plain.into_iter().collect();
            let fields = [
                ("containers", containers),
                ("env", env),
                ("conditions", conditions),
                ("finalizers", set),
                ("args", list.map(Value::from)),
            ];
            object.extend(
                fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))),
            );
            Value::Object(object)
        })
    })
}

/// Turns a map of elements into a list in some order.
trait Shuffled {
    fn prop_shuffle_values(self, field: &'static str, name: &'static str) -> BoxedStrategy<Value>;
}

impl<S: Strategy<Value = std::collections::BTreeMap<&'static str, Value>> + 'static> Shuffled
    for S
{
    fn prop_shuffle_values(self, field: &'static str, name: &'static str) -> BoxedStrategy<Value> {
        let element =
            move |(label, value): (&str, Value)| json!({name: label, "in": field, "v": value});
        self.prop_map(move |map| map.into_iter().map(element).collect::<Vec<_>>())
            .prop_shuffle()
            .prop_map(Value::from)
            .boxed()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn applying_the_changes_gives_the_new_state(old in object(), new in object()) {
        let changes = diff(&old, &new);
        let read = from_lines(&to_lines(&changes)).unwrap();
        prop_assert_eq!(&read, &changes);
        let state = apply(old, &read).unwrap();
        prop_assert_eq!(in_order(&state), in_order(&new), "{:?}", changes);
    }

    #[test]
    fn nothing_changes_between_equals(state in object()) {
        prop_assert_eq!(diff(&state, &state), []);
    }

    #[test]
    fn paths_are_unique(old in object(), new in object()) {
        let changes = diff(&old, &new);
        let paths: std::collections::BTreeSet<&str> = changes.iter().map(|c| c.path.as_str()).collect();
        prop_assert_eq!(paths.len(), changes.len());
    }
}
