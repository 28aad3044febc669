//! The scanner on JSON that was cut, that is odd, and that is long.
#![allow(clippy::unwrap_used, clippy::string_slice, reason = "a failing test may panic")]

use kausal_object::json::{self, JsonError};

/// `key=value` of each member, then how the scan ended.
fn check(text: &str, expect: &[&str], end: Result<usize, JsonError>) {
    let mut members = json::members(text);
    let mut seen = Vec::new();
    let mut error = None;
    for member in members.by_ref() {
        match member {
            Ok(member) => {
                assert_eq!(&text[member.at..member.at + member.value.len()], member.value);
                seen.push(format!("{}={}", member.key(), member.value));
            }
            Err(found) => error = Some(found),
        }
    }
    assert_eq!(seen, expect, "{text}");
    assert_eq!(error.map_or_else(|| Ok(members.position()), Err), end, "{text}");
}

#[test]
fn members_of_whole_and_cut_objects() {
    check("{}", &[], Ok(2));
    check(" { } rest", &[], Ok(4));
    check(
        r#"{"a":1,"b" : [ "}" ] ,"c":{"d":"\\"}}x"#,
        &["a=1", r#"b=[ "}" ]"#, r#"c={"d":"\\"}"#],
        Ok(37),
    );
    check(r#"{"\u0061":"x"}"#, &[r#"a="x""#], Ok(14));
    check(r#"{"a":1,"b":"cut"#, &["a=1"], Err(JsonError::Cut { at: 11 }));
    check(r#"{"a":1,"b":20"#, &["a=1"], Err(JsonError::Cut { at: 11 }));
    check(r#"{"a":{"b":[1,2"#, &[], Err(JsonError::Cut { at: 5 }));
    check(r#"{"a":1"#, &[], Err(JsonError::Cut { at: 5 }));
    check(r#"{"a":"x""#, &[r#"a="x""#], Err(JsonError::Cut { at: 8 }));
    check(r#"{"a""#, &[], Err(JsonError::Cut { at: 4 }));
    check("", &[], Err(JsonError::Cut { at: 0 }));
    check("[1]", &[], Err(JsonError::Malformed { at: 0 }));
    check(r#"{"a":1,}"#, &["a=1"], Err(JsonError::Malformed { at: 7 }));
    check(r#"{"a":1 "b":2}"#, &["a=1"], Err(JsonError::Malformed { at: 7 }));
    check(r#"{"a":}"#, &[], Err(JsonError::Malformed { at: 5 }));
}

#[test]
fn elements() {
    let seen: Vec<_> = json::elements(r#"[1, "a]", {"b":[]} ,null]"#).map(Result::unwrap).collect();
    assert_eq!(seen, ["1", "\"a]\"", "{\"b\":[]}", "null"]);
    assert_eq!(json::elements("[1,").map(|e| e.is_ok()).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn values_that_run_over_many_blocks() {
    for pad in 0..140 {
        let text = format!(
            r#"{}{{"k":"{}\"{}","l":[{{}}]}}!"#,
            " ".repeat(pad % 7),
            "x".repeat(pad),
            "\\\\".repeat(pad)
        );
        assert_eq!(json::skip_value(&text, 0), Ok(text.len() - 1), "{text}");
        let keys: Vec<_> =
            json::members(&text).map(|member| member.unwrap().raw_key.to_owned()).collect();
        assert_eq!(keys, ["k", "l"]);
    }
}

#[test]
fn depth_costs_nothing() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    assert_eq!(json::skip_value(&deep, 0), Ok(deep.len()));
    assert_eq!(json::skip_value(&deep[1..], 0), Ok(199_998));
    assert!(json::skip_value(&"[{".repeat(100_000), 0).is_err());
}

#[test]
fn strings_there_and_back() {
    for text in ["", "plain", "q\"\\/", "\n\t\r\u{8}\u{c}\u{1}\u{1f}", "é 😀", "\u{7f}"] {
        let mut raw = String::new();
        json::escape_into(text, &mut raw);
        assert_eq!(serde_json::from_str::<String>(&raw).unwrap(), text);
        assert_eq!(json::string(&raw).unwrap(), text);
    }
    assert_eq!(json::unescape(r"\ud83d\ude00\/").unwrap(), "😀/");
    for broken in [r"\x", r"\u12", r"\ud83d", r"\ud83dx", r"\udc00", "\\"] {
        assert_eq!(json::unescape(broken), None, "{broken}");
    }
    assert_eq!(json::string("x"), None);
}
