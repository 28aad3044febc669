//! Bodies made to be slow: each of these would take minutes if reading were not linear.
#![allow(clippy::unwrap_used, clippy::string_slice, reason = "a failing test may panic")]

mod common;

use common::{context, kept, kept_under, with_rules};
use kausal_object::redact_message;

#[test]
fn many_secrets_in_an_element_that_names_itself_last() {
    let env = r#"{"name":"A_TOKEN","value":"s"}"#;
    let body = format!(
        r#"{{"spec":{{"containers":[{{"env":[{}],"name":"web"}}]}}}}"#,
        vec![env; 20_000].join(",")
    );
    assert_eq!(kept("pods", &body).matches("redacted:").count(), 20_000);
}

#[test]
fn many_siblings_that_ask_for_their_siblings() {
    let pairs = vec![r#""value":"x","data":{"a":"b"}"#; 5_000].join(",");
    assert_eq!(kept("pods", &format!("{{{pairs}}}")).len(), pairs.len() + 2);
    let nested = format!("{}{{{pairs}}}{}", r#"{"value":"#.repeat(120), "}".repeat(120));
    assert_eq!(kept("pods", &nested).len(), nested.len());
}

#[test]
fn many_references() {
    let refs: Vec<_> = (0..50_000).map(|n| format!(r#"{{"name":"secret-{n:06}"}}"#)).collect();
    let body = format!(r#"{{"kind":"ServiceAccount","secrets":[{}]}}"#, refs.join(","));
    assert_eq!(common::facts("serviceaccounts", &body).links.len(), 500);
}

#[test]
fn many_values_in_a_message() {
    let redaction = common::redaction();
    for part in ["x: Invalid value: \"a\", ", "Invalid value: 1 ", "{", ": ", "Invalid value: \\\""]
    {
        let mut out = String::new();
        redact_message(&part.repeat(20_000), &context("pods", &redaction), &mut out);
        assert!(!out.is_empty());
    }
}

#[test]
fn long_pointers_under_rules() {
    let rules = with_rules(&["**.a.**.b", "spec.*.x"]);
    let body = format!(r#"[{{"op":"add","path":"{}","value":1}}]"#, "/a".repeat(50_000));
    assert_eq!(kept_under("pods", &rules, &body), body);
    let members: Vec<_> = (0..20_000).map(|n| format!(r#""k{n}":{{"b":1}}"#)).collect();
    let body = format!(r#"{{"containers":[{{"a":{{{}}},"name":"web"}}]}}"#, members.join(","));
    assert_eq!(kept_under("pods", &rules, &body).matches("redacted:").count(), 20_000);
}
