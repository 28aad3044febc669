//! Real events, and what the tests do with them.
#![allow(dead_code, reason = "each test file uses its part")]

use std::{io::Read, path::PathBuf};

use kausal_audit::{Event, Item, Limits, Rejected, decode_all};

fn data(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(path)
}

/// The capture of a real cluster: 1,876 lines.
pub(crate) fn capture() -> Vec<u8> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(data("capture/audit.jsonl.gz")).expect("the capture is bundled");
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).expect("gzip");
    bytes
}

/// Events of an `OpenShift` cluster: 12 lines.
pub(crate) fn openshift() -> Vec<u8> {
    std::fs::read(data("audit/openshift.jsonl")).expect("the events are bundled")
}

/// A dozen events that differ in verb, answer, bodies and members, as lines.
pub(crate) fn varied() -> Vec<String> {
    let text = String::from_utf8(capture()).expect("UTF-8");
    let marks = [
        "\"impersonatedUser\"",
        "\"causes\"",
        "\"verb\":\"deletecollection\"",
        "\"subresource\":\"scale\"",
        "\"subresource\":\"eviction\"",
        "\"code\":403",
        "\"code\":409",
        "\"verb\":\"watch\"",
        "last-applied-configuration",
        "\"stage\":\"ResponseStarted\"",
        "/readyz",
        "\"resource\":\"secrets\"",
    ];
    let find = |mark: &&str| text.lines().find(|line| line.contains(*mark)).map(str::to_owned);
    marks.iter().map(|mark| find(mark).unwrap_or_else(|| panic!("no {mark}"))).collect()
}

/// All items of a buffer.
pub(crate) fn items(bytes: &[u8]) -> Vec<Item<'_>> {
    items_within(bytes, &Limits::default())
}

pub(crate) fn items_within<'a>(bytes: &'a [u8], limits: &Limits) -> Vec<Item<'a>> {
    let mut items = Vec::new();
    decode_all(bytes, limits, &mut |item| items.push(item));
    items
}

/// All events of a buffer that holds nothing else.
pub(crate) fn events(bytes: &[u8]) -> Vec<Event<'_>> {
    items(bytes).into_iter().map(|item| item.unwrap_or_else(|no| panic!("{no}"))).collect()
}

/// The one event in a text.
pub(crate) fn event(text: &str) -> Event<'_> {
    let mut events = events(text.as_bytes());
    assert_eq!(events.len(), 1, "{text}");
    events.remove(0)
}

/// The one item that is none.
pub(crate) fn rejected(text: &[u8]) -> Rejected<'_> {
    let mut items = items(text);
    assert_eq!(items.len(), 1);
    items.remove(0).expect_err("no event")
}

/// A small event with this id.
pub(crate) fn small(id: &str) -> String {
    format!(
        concat!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Request","auditID":"{}","#,
            r#""stage":"ResponseComplete","requestURI":"/api/v1/pods","verb":"list","#,
            r#""user":{{"username":"ann","groups":["dev"]}},"requestObject":{{"a":"b{{\"c\"}}"}},"#,
            r#""stageTimestamp":"2026-11-20T15:05:31.321174Z"}}"#
        ),
        id
    )
}

/// What was found, in short: ids of events, `!` and reason of what is none.
pub(crate) fn shape(items: &[Item<'_>]) -> Vec<String> {
    let say = |item: &Item<'_>| match item {
        Ok(event) => match &event.truncated {
            None => event.audit_id.to_string(),
            Some(why) => format!("{} ({why})", event.audit_id),
        },
        Err(rejected) => format!("! {rejected}"),
    };
    items.iter().map(say).collect()
}
