//! Bytes from whoever can reach the OTLP port: raw ones, and a message of ours with damages.
//!
//! Holds: nothing panics; what is taken from a message is readable, comes back byte for byte over
//! the wire, and is taken again.
#![no_main]

use kausal_trace::{
    KeyHash, NewSpan, SpanBatch, SpanId, SpanRef, TraceId, UnixNanos, attribute, export,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let _ = SpanRef::parse(input);
    let _ = export::resource_of(input);
    check(input);

    let (text, damages) = input.split_at(input.len() / 2);
    let mut message = message(&String::from_utf8_lossy(text));
    for damage in damages.chunks_exact(3) {
        let at = usize::from(damage[0]) << 8 | usize::from(damage[1]);
        let at = at % message.len();
        message[at] ^= damage[2];
    }
    check(&message);
});

/// An Export message of two spans that hold this text.
fn message(text: &str) -> Vec<u8> {
    let key =
        kausal_object::KeyRef { cluster: "c", resource: "pods", name: text, ..Default::default() };
    let start = UnixNanos(text.len() as u64);
    let trace = TraceId::facts_at(KeyHash::of(key), start);
    let mut batch = SpanBatch::default();
    for span in 1..=2 {
        let span = SpanId([span; 8]);
        batch
            .open(NewSpan { trace, span, name: "audit get", start, end: start })
            .str(attribute::CLUSTER, key.cluster)
            .str(attribute::RESOURCE, key.resource)
            .str(attribute::NAME, key.name)
            .strs(attribute::GROUPS, text.split(' '))
            .int(attribute::STATUS_CODE, text.len() as i64);
    }
    export::encode(batch.iter())
}

fn check(message: &[u8]) {
    let mut taken = SpanBatch::default();
    let Ok(report) = export::decode(message, &mut taken) else {
        assert!(taken.is_empty());
        return;
    };
    assert_eq!(report.accepted, taken.len());

    let mut again = SpanBatch::default();
    for message in export::encode_within(taken.iter(), 4096) {
        let report = export::decode(&message, &mut again).expect("our own message");
        assert_eq!(report.rejected(), 0);
    }
    assert_eq!(sorted(&taken), sorted(&again));
}

fn sorted(batch: &SpanBatch) -> Vec<&[u8]> {
    let mut spans: Vec<_> = batch.iter().map(|record| record.bytes).collect();
    spans.sort_unstable();
    spans
}
