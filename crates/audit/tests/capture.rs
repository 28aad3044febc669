//! The capture of a real cluster decodes without a rest.

use std::{collections::BTreeMap, io::Read, path::Path};

use kausal_audit::{Event, Level, Limits, Stage, decode_all};

fn capture() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/capture/audit.jsonl.gz");
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).expect("the capture is in the repository");
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).expect("gzip");
    bytes
}

fn events(bytes: &[u8]) -> Vec<Event<'_>> {
    let mut events = Vec::new();
    decode_all(bytes, &Limits::default(), &mut |item| match item {
        Ok(event) => events.push(event),
        Err(rejected) => panic!("{rejected}"),
    });
    events
}

fn count<T: Ord>(keys: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for key in keys {
        *counts.entry(key).or_default() += 1;
    }
    counts
}

#[test]
fn every_event_is_read_and_none_is_truncated() {
    let bytes = capture();
    let events = events(&bytes);
    assert_eq!(events.len(), 1876);
    assert!(events.iter().all(|event| event.truncated.is_none()));
    let verbs = count(events.iter().map(|event| event.verb.to_string()));
    let expect = [
        ("create", 474),
        ("delete", 94),
        ("deletecollection", 34),
        ("get", 569),
        ("list", 63),
        ("patch", 131),
        ("update", 393),
        ("watch", 118),
    ];
    assert_eq!(verbs, expect.map(|(verb, n)| (verb.to_owned(), n)).into());
    let stages = count(events.iter().map(|event| event.stage));
    assert_eq!(stages, [(Stage::ResponseStarted, 117), (Stage::ResponseComplete, 1759)].into());
    let levels = count(events.iter().map(|event| event.level));
    assert_eq!(levels, [(Level::Metadata, 773), (Level::RequestResponse, 1103)].into());
}
