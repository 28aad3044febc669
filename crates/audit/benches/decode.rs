//! Decoding against the parse-only bound: `serde_json` into a borrowed struct, bodies unparsed.

#![expect(dead_code, reason = "fields are filled because filling them is what is measured")]
use std::{borrow::Cow, io::Read, path::Path};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kausal_audit::{Limits, decode_all};
use serde::{
    Deserialize,
    de::{Deserializer, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// A string that borrows where it can; serde's own `Cow` copies inside `Vec` and `Option`.
#[derive(Debug, Default)]
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrowing;
        impl<'de> Visitor<'de> for Borrowing {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Borrowing)
    }
}

#[derive(Debug, Default)]
struct Pairs<'a, V>(Vec<(Text<'a>, V)>);

impl<'de: 'a, 'a, V: Deserialize<'de>> Deserialize<'de> for Pairs<'a, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collecting<V>(std::marker::PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Collecting<V> {
            type Value = Pairs<'de, V>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Collecting(std::marker::PhantomData))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct User<'a> {
    #[serde(borrow)]
    username: Text<'a>,
    #[serde(borrow)]
    uid: Text<'a>,
    #[serde(borrow)]
    groups: Vec<Text<'a>>,
    #[serde(borrow)]
    extra: Pairs<'a, Vec<Text<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ObjectRef<'a> {
    #[serde(borrow)]
    resource: Text<'a>,
    #[serde(borrow)]
    namespace: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    uid: Text<'a>,
    #[serde(borrow)]
    api_group: Text<'a>,
    #[serde(borrow)]
    api_version: Text<'a>,
    #[serde(borrow)]
    resource_version: Text<'a>,
    #[serde(borrow)]
    subresource: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status<'a> {
    code: u16,
    #[serde(borrow, rename = "status")]
    outcome: Text<'a>,
    #[serde(borrow)]
    reason: Text<'a>,
    #[serde(borrow)]
    message: Text<'a>,
    #[serde(borrow)]
    details: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ParseOnly<'a> {
    #[serde(borrow)]
    level: Text<'a>,
    #[serde(borrow, rename = "auditID")]
    audit_id: Text<'a>,
    #[serde(borrow)]
    stage: Text<'a>,
    #[serde(borrow, rename = "requestURI")]
    request_uri: Text<'a>,
    #[serde(borrow)]
    verb: Text<'a>,
    #[serde(borrow)]
    user: User<'a>,
    #[serde(borrow)]
    impersonated_user: Option<User<'a>>,
    #[serde(borrow, rename = "sourceIPs", default)]
    source_ips: Vec<Text<'a>>,
    #[serde(borrow, default)]
    user_agent: Text<'a>,
    #[serde(borrow)]
    object_ref: Option<ObjectRef<'a>>,
    #[serde(borrow)]
    response_status: Option<Status<'a>>,
    #[serde(borrow)]
    request_object: Option<&'a RawValue>,
    #[serde(borrow)]
    response_object: Option<&'a RawValue>,
    #[serde(borrow)]
    request_received_timestamp: Text<'a>,
    #[serde(borrow)]
    stage_timestamp: Text<'a>,
    #[serde(borrow, default)]
    annotations: Pairs<'a, Text<'a>>,
}

fn capture() -> Vec<u8> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/capture/audit.jsonl.gz");
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).expect("the capture is in the repository");
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).expect("gzip");
    bytes
}

fn parse_only(text: &str) -> usize {
    text.lines()
        .filter(|line| {
            let event: ParseOnly<'_> = serde_json::from_str(line).expect("an event");
            !std::hint::black_box(&event).verb.0.is_empty()
        })
        .count()
}

fn decode(bytes: &[u8]) -> usize {
    let mut events = 0;
    decode_all(bytes, &Limits::default(), &mut |item| {
        let event = item.expect("an event");
        events += usize::from(!std::hint::black_box(&event).verb.is_empty());
    });
    events
}

fn event_list(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    let items = lines.join(",");
    format!(
        r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{{}},"items":[{items}]}}"#
    )
}

fn compare(criterion: &mut Criterion) {
    let bytes = capture();
    let text = std::str::from_utf8(&bytes).expect("UTF-8");
    let list = event_list(text);
    let events = text.lines().count() as u64;
    assert_eq!(parse_only(text), decode(&bytes));
    let both = Throughput::ElementsAndBytes { elements: events, bytes: bytes.len() as u64 };
    let mut group = criterion.benchmark_group("audit");
    group.throughput(both);
    group.bench_function("parse_only", |bencher| bencher.iter(|| parse_only(text)));
    group.bench_function("decode_lines", |bencher| bencher.iter(|| decode(&bytes)));
    group.bench_function("decode_event_list", |bencher| bencher.iter(|| decode(list.as_bytes())));
    group.finish();
}

criterion_group!(benches, compare);
criterion_main!(benches);
