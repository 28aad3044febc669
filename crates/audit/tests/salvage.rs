//! What can be saved of an event that was cut, torn or damaged.
#![allow(clippy::string_slice, reason = "the texts are the test's own")]

mod common;

use common::{event, events, items, rejected, shape, small, varied};
use kausal_audit::{AUDIT_ID_BYTES_MAX, Event, Reason};
use proptest::prelude::*;

/// Every member that `part` has is the one of `whole`, and it says that it is less.
fn is_part_of(part: &Event<'_>, whole: &Event<'_>) {
    assert!(part.truncated.is_some());
    assert_eq!(part.audit_id, whole.audit_id);
    assert_eq!(part.verb, whole.verb);
    assert_eq!(part.request_uri, whole.request_uri);
    assert_eq!(part.user, whole.user);
    assert_eq!((part.level, part.stage), (whole.level, whole.stage));
    let same = |absent: bool, equal: bool| assert!(absent || equal, "{part:?}");
    same(part.impersonated.is_none(), part.impersonated == whole.impersonated);
    same(part.source_ips.is_empty(), part.source_ips == whole.source_ips);
    same(part.user_agent.is_empty(), part.user_agent == whole.user_agent);
    same(part.object_ref.is_none(), part.object_ref == whole.object_ref);
    same(part.status.is_none(), part.status == whole.status);
    same(part.request_object.is_none(), part.request_object == whole.request_object);
    same(part.response_object.is_none(), part.response_object == whole.response_object);
    same(part.request_received.is_none(), part.request_received == whole.request_received);
    same(part.stage_timestamp.is_none(), part.stage_timestamp == whole.stage_timestamp);
    same(part.annotations.is_empty(), part.annotations == whole.annotations);
}

#[test]
fn an_event_cut_anywhere_is_saved_or_rejected_and_never_half() {
    for line in varied().iter().filter(|line| line.len() < 20_000) {
        let whole = event(line);
        let identified = line.find(",\"sourceIPs\"").expect("after the user");
        for cut in 1..line.len() {
            let text = &line.as_bytes()[..cut];
            let found = items(text);
            assert_eq!(found.len(), 1, "{cut}");
            match &found[0] {
                Ok(part) => is_part_of(part, &whole),
                Err(rejected) => {
                    assert!(cut < identified + 60, "{cut} of {line}: {rejected}");
                    assert!(matches!(rejected.reason, Reason::Cut { at, .. } if at == cut));
                    assert_eq!(rejected.bytes, text);
                }
            }
        }
    }
}

#[test]
fn a_cut_event_says_where_and_costs_no_neighbour() {
    let line = small("x");
    let cut = line.find("requestObject").expect("it is there") + 18;
    let text = format!("{}\n{}\n{}\n", small("a"), &line[..cut], small("b"));
    let found = items(text.as_bytes());
    assert_eq!(shape(&found), ["a", &format!("x (cut at byte {cut})"), "b"]);
    let part = found[1].as_ref().expect("saved");
    assert_eq!((&*part.user.username, part.request_object.is_none()), ("ann", true));
}

#[test]
fn an_event_written_onto_the_line_of_a_torn_one_is_found() {
    let (torn, next) = (small("x"), small("b"));
    let identified = torn.find("\"requestObject\"").expect("it is there");
    let mut lost = Vec::new();
    for cut in identified..torn.len() {
        let text = format!("{}\n{}{next}\n{}", small("a"), &torn[..cut], small("c"));
        let shape = shape(&items(text.as_bytes()));
        match shape.iter().map(|item| &item[..1]).collect::<String>().as_str() {
            "axbc" => {}
            // Where a value would be right, the next event is that value for all anybody can know.
            "axc" => lost.push(&torn[cut - 1..cut]),
            other => panic!("{other} at {cut}: {shape:?}"),
        }
    }
    assert_eq!(lost, [":", ":", ":"]);
}

#[test]
fn an_event_inside_a_body_is_never_taken_for_one() {
    let forged = small("forged");
    let line =
        small("x").replace(r#"{"a":"b{\"c\"}"}"#, &format!(r#"{{"spec":[{forged},{forged}]}}"#));
    assert_eq!(shape(&items(line.as_bytes())), ["x"]);
    for cut in 1..line.len() {
        let text = format!("{}\n{}", &line[..cut], small("b"));
        let shape = shape(&items(text.as_bytes()));
        assert!(shape.iter().all(|item| !item.starts_with("forged")), "{cut}: {shape:?}");
        assert_eq!(shape.last().map(String::as_str), Some("b"), "{cut}");
    }
}

#[test]
fn damage_behind_the_identity_leaves_the_identity() {
    let line = small("x").replace(",\"stageTimestamp\"", "#\"stageTimestamp\"");
    let at = line.find('#').expect("it is there");
    assert_eq!(shape(&items(line.as_bytes())), [format!("x (not JSON from byte {at})")]);
}

#[test]
fn bytes_that_are_not_utf_8_cost_what_comes_after_them() {
    let with = |mark: &str| {
        let text = format!("{}\n{}\n{}", small("a"), small("x").replace(mark, "\u{1}"), small("b"));
        let mut bytes = text.into_bytes();
        let at = bytes.iter().position(|byte| *byte == 1).expect("the mark");
        bytes[at] = 0xff;
        (bytes, at - small("a").len() - 1)
    };
    let (bytes, at) = with("b{");
    let found = items(&bytes);
    assert_eq!(shape(&found), ["a", &format!("x (not UTF-8 at byte {at})"), "b"]);
    let (bytes, at) = with("list");
    let found = items(&bytes);
    let rejected = found[1].as_ref().expect_err("no verb");
    assert_eq!((found.len(), &rejected.reason), (3, &Reason::NotUtf8 { at }));
    assert!(rejected.bytes.contains(&0xff));
    assert_eq!(rejected.line, Some(2));
}

#[test]
fn a_cut_inside_a_character_is_a_cut() {
    let line = small("x").replace("b{", "Zürich");
    let cut = line.find('ü').expect("it is there") + 1;
    let found = items(&line.as_bytes()[..cut]);
    assert_eq!(shape(&found), [format!("x (not UTF-8 at byte {})", cut - 1)]);
}

#[test]
fn an_event_the_apiserver_truncated_says_so() {
    let line = small("x").replace(
        "\"stageTimestamp\"",
        r#""annotations":{"audit.k8s.io/truncated":"true"},"stageTimestamp""#,
    );
    assert_eq!(event(&line).truncated.as_deref(), Some("bodies left out by the apiserver"));
}

#[test]
fn a_long_audit_id_is_cut_and_hides_nothing() {
    let line = small(&"é".repeat(AUDIT_ID_BYTES_MAX));
    let event = event(&line);
    assert_eq!(event.audit_id, "é".repeat(AUDIT_ID_BYTES_MAX / 2));
    assert_eq!(event.truncated.as_deref(), Some("auditID cut"));
}

#[test]
fn odd_members_are_left_out_and_said() {
    let event = event(
        r#"{"auditID":"x","verb":"get","requestURI":"/","objectRef":7,"userAgent":{},"annotations":[]}"#,
    );
    let said = "objectRef not readable; userAgent not readable; annotations not readable";
    assert_eq!(event.truncated.as_deref(), Some(said));
    assert!(event.object_ref.is_none());
}

#[test]
fn a_rejected_item_quotes_nothing() {
    let secret = "hunter2";
    for text in [
        format!(r#"{{"auditID":"x","{secret}":{secret}}}"#),
        format!(r#"{{"auditID":"x","data":"{secret}"#),
        format!(r#"{{"{secret}":"{secret}"}}"#),
        secret.to_owned(),
    ] {
        let rejected = rejected(text.as_bytes());
        assert!(!rejected.to_string().contains(secret), "{rejected}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn damage_anywhere_never_panics_and_never_costs_other_lines(
        which in 0..12_usize,
        at in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>().prop_filter("no line end", |b| *b != b'\n'), 0..6),
        removed in 0..6_usize,
    ) {
        let line = &varied_cached()[which];
        let at = at.index(line.len());
        let mut text = format!("{}\n", small("a")).into_bytes();
        text.extend_from_slice(&line.as_bytes()[..at]);
        text.extend_from_slice(&bytes);
        text.extend_from_slice(&line.as_bytes()[(at + removed).min(line.len())..]);
        text.extend_from_slice(format!("\n{}\n", small("b")).as_bytes());
        let shape = shape(&items(&text));
        prop_assert_eq!(shape.first().map(String::as_str), Some("a"));
        prop_assert_eq!(shape.last().map(String::as_str), Some("b"));
    }

    #[test]
    fn any_bytes_are_answered_for(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert_eq!(unanswered(&bytes), "");
    }

    #[test]
    fn any_brackets_and_quotes_are_answered_for(text in r#"[\[\]{}",:\\a\n ]{0,200}"#) {
        prop_assert_eq!(unanswered(text.as_bytes()), "");
    }
}

#[test]
fn broken_lists_are_answered_for() {
    for text in
        ["\"\n[a[", "[", "[{", "[{}", "[{},", "[1,\"", "[[", "[]]", "{\"items\":[", "{\"items\":[1"]
    {
        assert_eq!(unanswered(text.as_bytes()).replace("{\"items\":", ""), "", "{text}");
        assert!(!items(text.as_bytes()).is_empty(), "{text}");
    }
}

/// Of bytes that hold no event: what is in no rejected item, but for what stands between items.
fn unanswered(bytes: &[u8]) -> String {
    let mut answered = vec![false; bytes.len()];
    let mut reached = 0;
    for item in items(bytes) {
        let rejected = item.expect_err("no event");
        assert!(rejected.offset >= reached, "in order, and each byte once");
        reached = rejected.offset + rejected.bytes.len();
        answered[rejected.offset..reached].fill(true);
    }
    let left = bytes.iter().zip(&answered).filter(|(_, answered)| !**answered);
    let left: Vec<_> = left.map(|(byte, _)| *byte).collect();
    String::from_utf8_lossy(&left).replace(|c: char| " ,[]\n\r\t\x0c\x1e\u{feff}".contains(c), "")
}

fn varied_cached() -> &'static [String] {
    static LINES: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
    LINES.get_or_init(|| {
        let lines = varied();
        assert_eq!(events(lines.join("\n").as_bytes()).len(), 12);
        lines
    })
}
