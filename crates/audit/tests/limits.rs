//! Sizes that would hurt are refused with a reason, and hurt nobody else.

mod common;

use std::fmt::Write;

use common::{items, items_within, shape, small};
use kausal_audit::{Limits, Reason, decode_all};

/// The item between two good ones.
fn between(bad: &str) -> Result<Option<String>, Reason> {
    let text = format!("{}\n{bad}\n{}\n", small("a"), small("b"));
    let mut found = items(text.as_bytes());
    assert_eq!(found.len(), 3);
    assert!(found[0].is_ok() && found[2].is_ok());
    found.remove(1).map(|e| e.truncated.map(String::from)).map_err(|rejected| rejected.reason)
}

fn with_name(name: &str) -> String {
    let object = format!(r#""objectRef":{{"resource":"pods","name":"{name}"}},"verb""#);
    small("x").replace("\"verb\"", &object)
}

#[test]
fn a_large_event_is_refused() {
    let body = "x".repeat(20 << 20);
    let bytes = small("x").len() + body.len() - 1;
    let refused = between(&small("x").replace("b{", &body));
    assert_eq!(refused, Err(Reason::TooLarge { bytes: bytes - 1, max: 16 << 20 }));
    assert_eq!(between(&small("x").replace("b{", &"x".repeat(3 << 20))), Ok(None));
}

#[test]
fn a_long_name_is_refused() {
    for (name, bytes) in [("n".repeat(10 << 20), 10 << 20), ("\\u0026".repeat(2 << 20), 12 << 20)] {
        let refused = Reason::TooLong { member: "objectRef.name", bytes, max: 8 << 20 };
        assert_eq!(between(&with_name(&name)), Err(refused));
    }
    assert_eq!(between(&with_name(&"n".repeat(1 << 20))), Ok(None));
}

#[test]
fn brackets_may_nest_without_end() {
    let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
    let objects = r#"{"a":"#.repeat(100_000);
    let no_end = Reason::NotJson { at: 99_999, expected: "end of the value" };
    assert_eq!(between(&open), Err(no_end));
    assert_eq!(between(&format!("{open}{close}")), Err(Reason::NotAnObject { found: "an array" }));
    assert!(matches!(between(&objects), Err(Reason::Cut { at: 500_000, .. })));
    let body = |deep: &str| small("x").replace(r#"{"a":"b{\"c\"}"}"#, deep);
    let said = Ok(Some("requestObject nested too deep".to_owned()));
    assert_eq!(between(&body(&format!("{open}{close}"))), said);
    let deep = format!("{objects}1{}", "}".repeat(100_000));
    assert_eq!(between(&body(&deep)), said);
    assert_eq!(between(&body(&format!("{}{}", "[".repeat(900), "]".repeat(900)))), Ok(None));
    let unknown = small("x").replace("\"verb\"", &format!("\"new\":{open}{close},\"verb\""));
    assert_eq!(between(&unknown), Ok(None));
    let user =
        small("x").replace(r#"{"username":"ann","groups":["dev"]}"#, &format!("{open}{close}"));
    assert!(matches!(between(&user), Err(Reason::Malformed { member: "user", .. })));
}

#[test]
fn long_lists_are_refused() {
    let mut groups = String::new();
    for group in 0..10_001 {
        write!(groups, "\"g{group}\",").expect("writes");
    }
    let refused = between(&small("x").replace("\"dev\"", &format!("{groups}\"dev\"")));
    assert_eq!(refused, Err(Reason::TooMany { member: "user.groups", max: 10_000 }));
    let limits = Limits { entries_max: 1, ..Limits::default() };
    let two = r#"{"auditID":"x","verb":"get","requestURI":"/","annotations":{"a":"1","b":"2"}}"#;
    let found = items_within(two.as_bytes(), &limits);
    assert_eq!(shape(&found), ["! line 1, byte 0: annotations with more than 1 entries"]);
}

#[test]
fn many_broken_items_take_linear_time() {
    // Quadratic, this would take minutes.
    let rejected = |text: &str| {
        let mut count = 0;
        decode_all(text.as_bytes(), &Limits::default(), &mut |item| {
            item.expect_err("nothing is good");
            count += 1;
        });
        count
    };
    for bad in ["{,}", "{,},", "{\"a\":}\n", "{}", "[", "{\"a", "\u{0}\n", "[{,},", "[{,},\n"] {
        assert!(rejected(&bad.repeat((1 << 19) / bad.len())) > 0, "{bad}");
    }
    assert_eq!(rejected(&format!("[{}]", "{\"a\":},".repeat(1 << 16))), (1 << 16) + 1);
}
