//! Events whose members a log service turned into strings, or overwrote.

mod common;

use common::{capture, event, openshift, small};
use kausal_audit::{Event, Level};
use serde_json::{Map, Value};

/// As SLS and CLS hand events out: every member that is an object or array is a string of JSON.
fn flatten(line: &str) -> String {
    let tree: Map<String, Value> = serde_json::from_str(line).expect("an object");
    let flat = |value: Value| match value {
        Value::Object(_) | Value::Array(_) => Value::String(value.to_string()),
        other => other,
    };
    let flat: Map<_, _> = tree.into_iter().map(|(key, value)| (key, flat(value))).collect();
    Value::Object(flat).to_string()
}

/// Bodies out of the way, since their text may be spaced or ordered otherwise; pairs in order.
fn split(mut event: Event<'_>) -> (Event<'_>, [Option<Value>; 2]) {
    let body = |body: Option<kausal_audit::Body<'_>>| {
        body.map(|body| serde_json::from_str(&body.json()).expect("JSON"))
    };
    let bodies = [event.request_object.take(), event.response_object.take()].map(body);
    event.annotations.sort();
    event.user.extra.sort();
    (event, bodies)
}

#[test]
fn members_as_strings_are_the_members() {
    let mut bytes = capture();
    bytes.extend(openshift());
    let text = String::from_utf8(bytes).expect("UTF-8");
    for line in text.lines() {
        let flat = flatten(line);
        assert_eq!(split(event(&flat)), split(event(line)));
    }
}

#[test]
fn a_body_as_string_is_not_touched_before_it_is_asked_for() {
    let line = small("x").replace(r#"{"a":"b{\"c\"}"}"#, r#""{\"a\": [1, \"\u00fc\"]}""#);
    let body = event(&line).request_object.expect("a body");
    assert_eq!(body.borrowed(), None);
    assert_eq!(body.json(), r#"{"a": [1, "ü"]}"#);
}

fn check(member: &str, expect: impl Fn(&Event<'_>) -> bool) {
    let line = format!(r#"{{"auditID":"x","verb":"get","requestURI":"/",{member}}}"#);
    let event = event(&line);
    assert!(expect(&event), "{member}: {event:?}");
}

#[test]
fn strings_that_say_nothing_are_absent() {
    for nothing in ["null", r#""""#, r#""null""#, r#""-""#] {
        check(&format!(r#""objectRef":{nothing}"#), |e| {
            e.object_ref.is_none() && e.truncated.is_none()
        });
        check(&format!(r#""user":{nothing}"#), |e| e.user.username.is_empty());
        check(&format!(r#""sourceIPs":{nothing}"#), |e| e.source_ips.is_empty());
    }
    check(r#""requestObject":null"#, |e| e.request_object.is_none());
    check(r#""requestObject":"""#, |e| e.request_object.is_none());
}

#[test]
fn what_shippers_do_to_members_is_read() {
    check(r#""sourceIPs":"10.0.0.1""#, |e| e.source_ips == ["10.0.0.1"]);
    check(r#""responseStatus":"{\"code\":\"404\"}""#, |e| {
        e.status.as_ref().is_some_and(|status| status.code == 404)
    });
    check(r#""user":{"username":"u","uid":17}"#, |e| e.user.uid == "17");
    check(r#""user":{"username":"u","groups":"[\"a\",\"b\"]"}"#, |e| e.user.groups == ["a", "b"]);
    check(r#""user":{"extra":{"k":["a","b"],"l":"c","m":[]}}"#, |e| {
        e.user.extra.iter().map(|(k, v)| format!("{k}={v}")).eq(["k=a", "k=b", "l=c"])
    });
    check(r#""annotations":{"n":1,"t":true,"z":null}"#, |e| {
        e.annotations.iter().map(|(k, v)| format!("{k}={v}")).eq(["n=1", "t=true", "z="])
    });
    check(r#""authenticationMetadata":{"impersonationConstraint":"x:y"}"#, |e| {
        e.impersonation_constraint == "x:y"
    });
    check(r#""requestReceivedTimestamp":"yesterday""#, |e| {
        e.request_received.is_none() && e.truncated.is_none()
    });
    check(r#""objectRef":"{\"resource\":\"po""#, |e| {
        e.truncated.as_deref() == Some("objectRef not readable")
    });
}

#[test]
fn an_overwritten_level_is_found_where_it_was_put() {
    check(r#""level":"default","k8s_audit_level":"Request""#, |e| e.level == Level::Request);
    check(r#""k8s_audit_level":"Metadata","level":"default""#, |e| e.level == Level::Metadata);
    check(r#""level":"default""#, |e| e.level == Level::Unknown);
    check(r#""level":"RequestResponse""#, |e| e.level == Level::RequestResponse);
}

#[test]
fn escapes_are_undone() {
    check(r#""userAgent":"a\u0026b\n\"\\\/\t\ud83d\ude00""#, |e| {
        e.user_agent == "a&b\n\"\\/\t\u{1f600}"
    });
    check(r#""\u0075serAgent":"a""#, |e| e.user_agent == "a");
}
