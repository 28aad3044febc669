//! What the tests of this crate share: contexts, the capture, and a slow reference.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

pub mod reference;
pub mod write;

use std::io::Read as _;

use flate2::read::GzDecoder;
use kausal_object::{BodyContext, BodyFacts, BodyPart, KeyRef, Redaction, read_body};
use serde_json::Value;

pub const KEY: [u8; 32] = [7; 32];

pub fn redaction() -> Redaction {
    with_rules(&[])
}

pub fn with_rules(rules: &[&str]) -> Redaction {
    Redaction::new(KEY, rules).unwrap()
}

/// A request about `resource` (`secrets`, `deployments.apps`, `pods/exec`).
pub fn context<'a>(resource: &'a str, redaction: &'a Redaction) -> BodyContext<'a> {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
    BodyContext {
        key: KeyRef { cluster: "c", group, resource, namespace: "shop", name: "web" },
        subresource,
        part: BodyPart::Request,
        redaction,
    }
}

/// The body as it is kept.
pub fn kept(resource: &str, body: &str) -> String {
    kept_under(resource, &redaction(), body)
}

pub fn kept_under(resource: &str, redaction: &Redaction, body: &str) -> String {
    let mut out = String::from("before");
    let facts = read_body(body, &context(resource, redaction), &mut out).unwrap();
    let kept = out.strip_prefix("before").unwrap().to_owned();
    assert_eq!(facts.redacted, kept.contains("redacted:"), "{kept}");
    kept
}

pub fn facts<'a>(resource: &str, body: &'a str) -> BodyFacts<'a> {
    read_body(body, &context(resource, &redaction()), &mut String::new()).unwrap()
}

/// The text with every fingerprint replaced by `<secret>`.
pub fn masked(text: &str) -> String {
    let mut masked = String::new();
    let mut rest = text;
    while let Some((before, print)) = rest.split_once("redacted:") {
        masked.push_str(before);
        masked.push_str("<secret>");
        assert!(print.chars().take(25).all(|c| c.is_ascii_hexdigit() || c == ':'), "{print}");
        rest = &print[25..];
    }
    masked + rest
}

/// The fingerprints in a text, in order.
pub fn fingerprints(text: &str) -> Vec<&str> {
    text.match_indices("redacted:").map(|(at, _)| &text[at..at + 34]).collect()
}

/// The events of the bundled capture.
pub fn capture() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/capture/audit.jsonl.gz");
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
