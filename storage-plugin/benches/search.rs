//! How long searches take over many spans, what a list of results costs, and 50 readers beside a
//! writer: `cargo bench -p kausal-storage-plugin --bench search`.
//!
//! `KAUSAL_BENCH_SPANS` sets the number of stored spans, `KAUSAL_BENCH_SECONDS` how long the
//! readers read.

#![expect(clippy::print_stdout, reason = "a bench says what it measured")]

mod measure;
#[path = "../src/testing.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with the tests, which use all of it")]
mod testing;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kausal_object::ObjectKey;
use kausal_runtime::clock::Stopwatch;
use kausal_storage_plugin::traces::{TraceQuery, Traces as _};
use kausal_storage_plugin::{Doors, Metrics, ReadConfig, Reader, Stop};
use kausal_store::SpanStore;
use kausal_trace::{Day, UnixNanos};
use measure::measure;
use testing::{Act, Bed, Facts, T0, key};

/// The allocator of the built program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Enough to be slower than a cache, and quick to make.
const SPANS_DEFAULT: u64 = 200_000;
const SECONDS_DEFAULT: u64 = 10;
/// Objects written to at a time; then the next ones.
const PODS: u64 = 2_400;
const PODS_OF_A_SET: u64 = 10;
/// Acts in a second: a busy cluster.
const ACTS_A_SECOND: u64 = 1_000;
const BATCH: u64 = 1_000;
const RESULTS: usize = 20;
const ROUNDS: usize = 50;
const ROUNDS_OF_ALL: usize = 3;
const READERS: usize = 50;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
}

fn time(act: u64) -> UnixNanos {
    UnixNanos(T0.0 + act * 1_000_000_000 / ACTS_A_SECOND)
}

fn pod(act: u64) -> (u64, ObjectKey) {
    let pod = act / (PODS * 10) * PODS + act % PODS;
    (pod, key(&format!("c1//pods/shop-{}/web-{pod}", pod % 200)))
}

/// The act of this number, and what owns its object.
fn add(facts: &mut Facts, act: u64) {
    let (pod, object) = pod(act);
    let user = if act.is_multiple_of(10_007) { "alice" } else { "system:node:n1" };
    let (uid, code) = (format!("p{pod}"), if act.is_multiple_of(1_009) { 403 } else { 200 });
    let at = time(act);
    facts.act(&object, Act { at, user, code, uid: &uid, version: act + 1, ..Act::default() });
    if act % (PODS * 10) < PODS {
        let set = pod / PODS_OF_A_SET;
        let namespace = pod % 200;
        let owner = key(&format!("c1/apps/replicasets/shop-{namespace}/web-{set}"));
        facts.owns(&owner, &object, Day::of(at));
    }
}

fn store(bed: &Bed, acts: std::ops::Range<u64>) {
    let mut facts = Facts::default();
    for act in acts {
        add(&mut facts, act);
    }
    bed.store(facts);
}

fn query(service: &str, attributes: &[(&str, &str)]) -> TraceQuery {
    let attributes = attributes.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    TraceQuery {
        service: service.to_owned(),
        attributes: attributes.collect(),
        limit: Some(RESULTS),
        ..TraceQuery::default()
    }
}

fn main() {
    let bed = Bed::new();
    // An act is a fact and its frame.
    let acts = setting("KAUSAL_BENCH_SPANS", SPANS_DEFAULT) / 2;
    for first in (0..acts).step_by(BATCH as usize) {
        store(&bed, first..(first + BATCH).min(acts));
    }
    bed.store.flush().expect("on disk");
    println!("{acts} acts and as many frames");
    ids(&bed.reader, acts);
    lists(&bed.reader);
    beside_a_writer(&bed, acts);
}

fn ids(reader: &Reader, acts: u64) {
    let last = pod(acts - 1).1;
    let name = last.name.as_str();
    for (what, attributes) in [
        ("ids: the newest", vec![]),
        ("ids: of a namespace", vec![("namespace", "shop-7")]),
        ("ids: of a rare user", vec![("user", "alice")]),
        ("ids: of a namespace and a code", vec![("namespace", "shop-7"), ("code", "403")]),
        ("ids: by identity", vec![("resource", "po"), ("name", name), ("ns", &last.namespace)]),
        ("ids: of a name that is not there", vec![("name", "nobody")]),
    ] {
        let query = query("tracing", &attributes);
        measure(what, ROUNDS, || reader.find(&query, &Stop::default()).expect("ids").len());
    }
    // All that the budget allows to look at.
    let query = query("tracing", &[("request.uri", "/nowhere")]);
    measure("ids: by what is not indexed, not there", ROUNDS_OF_ALL, || {
        reader.find(&query, &Stop::default()).expect("ids").len()
    });
}

fn lists(reader: &Reader) {
    for service in ["tracing", "tracing [full tree]"] {
        let (query, stop) = (query(service, &[]), Stop::default());
        measure(&format!("{RESULTS} ids, {service}"), ROUNDS, || {
            reader.find(&query, &stop).expect("ids").len()
        });
        measure(&format!("{RESULTS} summaries, {service}"), ROUNDS, || {
            reader.summaries(&query, &stop).expect("summaries").iter().map(|s| s.spans).sum()
        });
        measure(&format!("{RESULTS} whole traces, {service}"), ROUNDS, || {
            let found = reader.find(&query, &stop).expect("ids").into_iter();
            let read = |id| reader.messages(id, &stop).expect("a view");
            found.flat_map(|found| read(found.id)).map(|message| message.len()).sum()
        });
    }
}

/// Readers that list and open what they listed, beside a writer that is never behind; any error
/// ends the bench.
fn beside_a_writer(bed: &Bed, acts: u64) {
    let seconds = Duration::from_secs(setting("KAUSAL_BENCH_SECONDS", SECONDS_DEFAULT));
    let (over, watch) = (AtomicBool::new(false), Stopwatch::start());
    let (mut times, written) = std::thread::scope(|scope| {
        let read = |_| scope.spawn(|| read_until(&bed.reader, &over));
        let readers: Vec<_> = (0..READERS).map(read).collect();
        let mut next = acts;
        while watch.elapsed() < seconds {
            store(bed, next..next + BATCH);
            next += BATCH;
        }
        over.store(true, Ordering::Relaxed);
        let times = readers.into_iter().flat_map(|reader| reader.join().expect("no error"));
        (times.collect::<Vec<_>>(), next - acts)
    });
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    println!(
        "{READERS} readers and a writer, {seconds:?}: {} questions, p50 {:.3?}, p99 {:.3?}; {written} acts written; {} partitions",
        times.len(),
        at(50),
        at(99),
        bed.store.stats().expect("stats").partitions.len()
    );
}

fn read_until(reader: &Reader, over: &AtomicBool) -> Vec<Duration> {
    let (mut times, stop) = (Vec::new(), Stop::default());
    let query = query("tracing [owned objects]", &[]);
    let mut clocked = |work: &mut dyn FnMut()| {
        let watch = Stopwatch::start();
        work();
        times.push(watch.elapsed());
    };
    while !over.load(Ordering::Relaxed) {
        let mut found = Vec::new();
        clocked(&mut || found = reader.find(&query, &stop).expect("ids"));
        for result in found.iter().take(3) {
            clocked(&mut || {
                let messages = reader.messages(result.id, &stop).expect("a view");
                assert!(!messages.is_empty(), "{}", result.id);
            });
        }
    }
    times
}
