//! The forms events come in: lines, documents one after another, arrays, lists, request bodies.
#![allow(clippy::string_slice, reason = "the texts are the test's own")]

mod common;

use common::{items, items_within, shape, small};
use kausal_audit::{Limits, NoEventList, WebhookBody, decode_webhook_body};

fn check(text: &str, expect: &[&str]) {
    assert_eq!(shape(&items(text.as_bytes())), expect, "{text}");
}

fn list(items: &str) -> String {
    format!(
        r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{{}},"items":{items}}}"#
    )
}

/// Printed over several lines.
fn pretty(text: &str) -> String {
    let tree: serde_json::Value = serde_json::from_str(text).expect("JSON");
    serde_json::to_string_pretty(&tree).expect("prints")
}

#[test]
fn documents_may_follow_each_other_in_any_way() {
    let (a, b, c) = (small("a"), small("b"), small("c"));
    check("", &[]);
    check(" \r\n\n", &[]);
    check(&a, &["a"]);
    check(&format!("{a}\n{b}\n{c}"), &["a", "b", "c"]);
    check(&format!("\u{feff}{a}\r\n\r\n  {b}\r\n"), &["a", "b"]);
    check(&format!("{a}{b} {c}"), &["a", "b", "c"]);
    check(&format!("{a},\n{b},{c},\n"), &["a", "b", "c"]);
    check(&format!("\u{1e}{a}\n\u{1e}{b}\n"), &["a", "b"]);
    check(&format!("[{a},{b}]"), &["a", "b"]);
    check(&format!("[\n{a},\n{b}\n]\n{c}"), &["a", "b", "c"]);
    check(&format!("[{a},\n{b}]\n{c}"), &["a", "b", "c"]);
    check(&list(&format!("[\n{a},\n{b}\n]\n")), &["a", "b"]);
    check(&a.replace(",\"", ",\n\"").repeat(2), &["a", "a"]);
    check(&format!("[]{a}[ ]\n[{b}]{c}"), &["a", "b", "c"]);
    check(&list(&format!("[{a},{b}]")), &["a", "b"]);
    check(&format!("{}\n{c}\n", list(&format!("[{a},{b}]"))), &["a", "b", "c"]);
    check(&list("[]"), &[]);
    let at = a.len() + 2;
    check(
        &format!("[{a},"),
        &["a", &format!("! byte {at}: not JSON: no end of the value at byte 0")],
    );
    check(&list("null"), &[]);
    check(&format!("{}\n{}\n{c}", pretty(&a), pretty(&b)), &["a", "b", "c"]);
    check(&pretty(&format!("[{a},{b}]")), &["a", "b"]);
    check(&pretty(&list(&format!("[{a},{b}]"))), &["a", "b"]);
    check(&pretty(&a).replace('\n', "\r\n"), &["a"]);
}

#[test]
fn a_bad_document_costs_no_neighbour() {
    let (a, b) = (small("a"), small("b"));
    let around = |bad: &str, reason: &str| {
        let at = a.len() + 1;
        check(
            &format!("{a}\n{bad}\n{b}\n"),
            &["a", &format!("! line 2, byte {at}: {reason}"), "b"],
        );
    };
    around("hello", "not JSON: no value at byte 0");
    around("42", "a number where an event should be");
    around(r#""text""#, "a string where an event should be");
    around("{}", "no audit event: without auditID, verb, requestURI");
    around(r#"{"items":[]}"#, "no audit event: without auditID, verb, requestURI");
    around(r#"{"items":{"a":1}}"#, "no audit event: without auditID, verb, requestURI");
    around(
        r#"{"kind":"PodList","items":[{}]}"#,
        "no audit event: without auditID, verb, requestURI",
    );
    around(r#"{"kind":"Pod"}"#, "no audit event: without auditID, verb, requestURI");
    around(r#"{"auditID":"x","verb":"get"}"#, "no audit event: without requestURI");
    around(r#"{"auditID" "x"}"#, "not JSON: no colon at byte 11");
    around(r#"{"auditID":"x",}"#, "not JSON: no string at byte 15");
    around(r#"{"auditID":nonsense}"#, "not JSON: no value at byte 11");
    around(r#"{"auditID":"\q"}"#, "not JSON: no known escape at byte 12");
    around("{\"auditID\":\"\t\"}", "not JSON: no printable character at byte 12");
    around(r#"{"auditID":{}}"#, "auditID is not a string");
    around(r#"{"auditID":"x","user":7}"#, "user is not JSON");
    around(r#"{"auditID":"x","user":[]}"#, "user is not an object");
    around(r#"{"auditID":"x","verb":"get"#, "cut at byte 26: without verb, requestURI, user");
    around(r#"{"a":[{"b"#, "cut at byte 9: without auditID, verb, requestURI, user");
}

#[test]
fn a_bad_item_of_a_list_costs_no_neighbour() {
    let (a, b) = (small("a"), small("b"));
    for bad in [
        r#"{"kind":"Pod"}"#,
        "4242",
        "null",
        r#""x""#,
        "[[1],{}]",
        r#"{"auditID":{}}"#,
        r#"{"auditID" 1}"#,
        r#"{"verb":"a}"#,
        r#"{"verb":["#,
    ] {
        for text in [
            format!("[{a},{bad},{b}]"),
            format!("[\n{a},\n{bad},\n{b}\n]"),
            list(&format!("[{a},{bad},{b}]")),
        ] {
            let found = items(text.as_bytes());
            let ids: Vec<_> = found.iter().filter_map(|item| item.as_ref().ok()).collect();
            assert_eq!(ids.len(), 2, "{text} {:?}", shape(&found));
            assert_eq!(found.len(), 3, "{text} {:?}", shape(&found));
            let rejected = found[1].as_ref().expect_err("the middle one");
            assert_eq!(rejected.offset, text.find(bad).expect("it is there"), "{text}");
            assert!(rejected.bytes.starts_with(bad.as_bytes()), "{text}");
            assert_eq!(rejected.line, None);
        }
    }
}

#[test]
fn rejected_items_keep_their_bytes_and_place() {
    let text = format!("{}\n\n  {{\"x\":1}}  \r\n{}", small("a"), small("b"));
    let found = items(text.as_bytes());
    let rejected = found[1].as_ref().expect_err("the second");
    assert_eq!(rejected.bytes, br#"{"x":1}"#);
    assert_eq!(rejected.line, Some(3));
    assert_eq!(&text.as_bytes()[rejected.offset..][..7], rejected.bytes);
}

#[test]
fn members_nobody_knows_and_members_that_lack_are_fine() {
    let event = common::event(
        r#" { "new" : [ {"a":"]}"} , 1.5e3 ] , "auditID":"x", "verb":"get", "requestURI":"/", "t":true } "#,
    );
    assert_eq!((&*event.audit_id, &*event.verb), ("x", "get"));
    assert!(event.status.is_none() && event.object_ref.is_none());
    let event = common::event(r#"{"auditID":"x","verb":"get","objectRef":{"resource":"pods"}}"#);
    assert_eq!(event.object_ref.expect("one").resource, "pods");
}

#[test]
fn the_last_of_equal_members_counts() {
    let event =
        common::event(r#"{"auditID":"x","verb":"get","requestURI":"/a","requestURI":"/b"}"#);
    assert_eq!(event.request_uri, "/b");
}

// === request bodies ===

fn webhook(text: &str) -> (Result<WebhookBody, NoEventList>, Vec<String>) {
    let mut items = Vec::new();
    let answer = decode_webhook_body(text.as_bytes(), &Limits::default(), &mut |i| items.push(i));
    (answer, shape(&items))
}

#[test]
fn a_request_body_must_be_an_event_list() {
    let a = small("a");
    let no_json = |text: &str, expect: &str| {
        let (answer, items) = webhook(text);
        assert_eq!(answer.expect_err(text).to_string(), expect);
        assert!(items.is_empty(), "{text}");
    };
    no_json("", "the body is no JSON object: not JSON: no end of the value at byte 0");
    no_json("hello", "the body is no JSON object: not JSON: no object at byte 0");
    no_json(&format!("[{a}]"), "the body is no JSON object: not JSON: no object at byte 0");
    no_json(
        r#"{"kind":"Ev"#,
        "the body is no JSON object: not JSON: no end of the value at byte 11",
    );
    no_json(&a, "the body's kind is not EventList");
    no_json(&format!(r#"{{"kind":"PodList","items":[{a}]}}"#), "the body's kind is not EventList");
    no_json("{}", "the body's kind is not EventList");
    no_json(r#"{"kind":"EventList"}"#, "the body has no items");
}

#[test]
fn a_request_body_hands_out_every_item() {
    let (a, b) = (small("a"), small("b"));
    let whole = |items| Ok(WebhookBody { items, whole: true });
    assert_eq!(webhook(&list(&format!("[{a},{b}]"))), (whole(2), vec!["a".into(), "b".into()]));
    assert_eq!(webhook(&list("[]")), (whole(0), vec![]));
    assert_eq!(webhook(&list("null")), (whole(0), vec![]));
    let kind_last = format!(r#"{{"items":[{a}],"kind":"EventList"}}"#);
    assert_eq!(webhook(&kind_last), (whole(1), vec!["a".into()]));
    let (answer, found) = webhook(&list(&format!("[{a},{{}},{b}]")));
    assert_eq!((answer, found.len()), (whole(3), 3));
}

#[test]
fn a_request_body_that_breaks_gives_what_came_before() {
    let (a, b) = (small("a"), small("b"));
    let text = list(&format!("[{a},{b}]"));
    let start = text.find(&b).expect("it is there");
    for cut in start..text.len() {
        let (answer, found) = webhook(&text[..cut]);
        let answer = answer.expect("a list");
        assert!(!answer.whole, "{cut}");
        assert_eq!(found[0], "a");
        let expect = if cut < start + b.len() { 2 } else { 3 };
        assert_eq!(found.len(), expect, "{cut} {found:?}");
    }
    let (answer, found) = webhook(&format!("{text} and more"));
    assert_eq!(answer, Ok(WebhookBody { items: 2, whole: false }));
    assert_eq!(found.len(), 3);
}

#[test]
fn an_event_may_be_as_large_as_the_limit() {
    let text = small("a");
    let limits = |event_bytes_max| Limits { event_bytes_max, ..Limits::default() };
    assert!(items_within(text.as_bytes(), &limits(text.len()))[0].is_ok());
    assert!(items_within(text.as_bytes(), &limits(text.len() - 1))[0].is_err());
}
