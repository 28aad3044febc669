//! How long it takes to open a view of 200 objects from a store on disk: `cargo bench -p
//! kausal-storage-plugin`. Prints the middle and the slowest hundredth of 500 rounds, and the mean
//! time on a processor, which other work on the machine does not lengthen as much.

#[path = "../src/testing.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with the tests, which use all of it")]
mod testing;

use std::time::Duration;

use kausal_runtime::clock::Stopwatch;
use kausal_storage_plugin::{Doors, Metrics, ObjectQuery, ReadConfig, Reader, SearchRequest, Stop};
use kausal_trace::Day;
use testing::{Act, Bed, Facts, T0, at, key};

/// The allocator of the built program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 500;
const SETS: usize = 4;
const PODS_OF_A_SET: usize = 49;
const ACTS_OF_A_POD: i64 = 5;
/// With this a stored span has the mean size of the capture's, 2.7 KB.
const PADDING: usize = 2_000;

/// One Deployment, 4 replica sets, 196 Pods: 201 objects, each with its acts.
fn facts() -> Facts {
    let (mut facts, day) = (Facts::default(), Day::of(T0));
    let deploy = key("c1/apps/deployments/shop/web");
    let act = Act { padding: PADDING, ..Act::default() };
    facts.act(&deploy, Act { verb: "create", code: 201, ..act });
    for set in 0..SETS {
        let owner = key(&format!("c1/apps/replicasets/shop/web-{set}"));
        let uid = format!("rs{set}");
        facts.act(&owner, Act { verb: "create", code: 201, uid: &uid, ..act });
        facts.owns(&deploy, &owner, day);
        for pod in 0..PODS_OF_A_SET {
            let object = key(&format!("c1//pods/shop/web-{set}-{pod}"));
            let uid = format!("p{set}-{pod}");
            for second in 0..ACTS_OF_A_POD {
                let (verb, version) = if second == 0 { ("create", 1) } else { ("patch", 2) };
                let version = version + second.cast_unsigned();
                let at = at(second * 7);
                facts.act(&object, Act { at, verb, version, uid: &uid, ..act });
            }
            facts.owns(&owner, &object, day);
        }
    }
    facts
}

/// Time this thread has had a processor; zero where the system does not tell.
fn on_processor() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

#[expect(clippy::print_stdout, reason = "a bench says what it measured")]
fn measure(what: &str, mut work: impl FnMut() -> usize) {
    let mut times: Vec<Duration> = Vec::with_capacity(ROUNDS);
    let mut size = 0;
    let before = on_processor();
    for _ in 0..ROUNDS {
        let watch = Stopwatch::start();
        size = work();
        times.push(watch.elapsed());
    }
    let mean = on_processor().saturating_sub(before) / ROUNDS as u32;
    times.sort_unstable();
    let at = |percent: usize| times.get(ROUNDS * percent / 100).copied().unwrap_or_default();
    let (middle, slowest) = (at(50), at(99));
    println!("{what:<40} p50 {middle:>9.3?}  p99 {slowest:>9.3?}  cpu {mean:>9.3?}  {size}");
}

fn main() {
    let bed = Bed::new();
    let facts = facts();
    let spans = facts.batch.len();
    bed.store(facts);
    bed.store.flush().expect("on disk");
    let (reader, stop) = (&bed.reader, Stop::default());
    let mode = Some("tracing [owned objects]".parse().expect("a mode"));
    let query = ObjectQuery {
        namespace: Some("shop".to_owned()),
        mode,
        ..ObjectQuery::typed("deploy/web", None).expect("an object")
    };
    let id = reader.view(&query, &stop).expect("a view").id;
    measure(&format!("open a view by its id, {spans} spans"), || {
        reader.messages(id, &stop).expect("a view").iter().map(Vec::len).sum()
    });
    measure("view of a typed object, not encoded", || {
        reader.view(&query, &stop).expect("a view").spans.len()
    });
    measure("story of a typed object", || {
        reader.story(&query, &stop).expect("a story").lives.len()
    });
    let alone = ObjectQuery { mode: Some("tracing".parse().expect("a mode")), ..query.clone() };
    measure("view of the object alone", || reader.view(&alone, &stop).expect("a view").spans.len());
    measure("what the store says of itself", || reader.stats().expect("stats").partitions.len());
    let request = SearchRequest {
        attributes: vec![("resource".to_owned(), "pods".to_owned())],
        limit: Some(20),
        ..SearchRequest::default()
    };
    measure("search for 20 rows", || reader.search(&request, &stop).expect("rows").rows.len());
}
