//! How fast bodies are read: `cargo run --release -p kausal-object --example bodies [FILE.gz [ONLY]]`.
//!
//! Reads every request and response body of an audit log (by default the bundled capture) over and
//! over in one thread, and prints megabytes of input per second of CPU time for each way to read
//! them.
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use std::io::Read as _;

use flate2::read::GzDecoder;
use kausal_object::{BodyContext, BodyPart, KeyRef, Redaction, json, read_body};
use serde_json::value::RawValue;

const ROUNDS: u32 = 100;
const CAPTURE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/capture/audit.jsonl.gz");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| CAPTURE.to_owned());
    let mut log = String::new();
    GzDecoder::new(std::fs::File::open(path)?).read_to_string(&mut log)?;
    let bodies = bodies(&log);
    let bytes: usize = bodies.iter().map(|body| body.len()).sum();
    let redaction = Redaction::new([7; 32], &[] as &[&str])?;
    let cx = BodyContext {
        key: KeyRef { cluster: "capture", resource: "deployments", ..KeyRef::default() },
        subresource: "",
        part: BodyPart::Response,
        redaction: &redaction,
    };
    println!("{} bodies, {bytes} bytes, {ROUNDS} rounds", bodies.len());
    let mut out = String::new();
    report("read_body", bytes, || {
        for body in &bodies {
            out.clear();
            std::hint::black_box(read_body(body, &cx, &mut out).is_ok());
        }
    });
    report("json::skip_value", bytes, || {
        for body in &bodies {
            std::hint::black_box(json::skip_value(body, 0).is_ok());
        }
    });
    report("serde_json, nothing kept", bytes, || {
        for body in &bodies {
            std::hint::black_box(serde_json::from_str::<serde::de::IgnoredAny>(body).is_ok());
        }
    });
    report("serde_json, tree", bytes, || {
        for body in &bodies {
            std::hint::black_box(serde_json::from_str::<serde_json::Value>(body).is_ok());
        }
    });
    Ok(())
}

/// The bodies of all events, as written.
fn bodies(log: &str) -> Vec<&str> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Event<'a> {
        #[serde(borrow)]
        request_object: Option<&'a RawValue>,
        #[serde(borrow)]
        response_object: Option<&'a RawValue>,
    }
    let events = log.lines().filter_map(|line| serde_json::from_str::<Event<'_>>(line).ok());
    let both = events.flat_map(|event| [event.request_object, event.response_object]);
    both.flatten().map(RawValue::get).collect()
}

/// Megabytes per second of CPU time, so that a busy machine gives the figures of an idle one.
fn report(name: &str, bytes: usize, mut round: impl FnMut()) {
    if std::env::args().nth(2).is_some_and(|only| !name.contains(&only)) {
        return;
    }
    round();
    let start = cpu_nanos();
    for _ in 0..ROUNDS {
        round();
    }
    #[expect(clippy::cast_precision_loss, reason = "a few seconds, a few megabytes")]
    let (seconds, megabytes) = ((cpu_nanos() - start) as f64 / 1e9, bytes as f64 / 1e6);
    println!("{name:<26} {:>8.0} MB/s", megabytes * f64::from(ROUNDS) / seconds);
}

/// CPU time of this thread; Linux only.
fn cpu_nanos() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or_default()
}
