//! How long it takes to open views of 10, 200 and 1,500 objects from a store on disk: `cargo bench
//! -p kausal-storage-plugin --bench open`.

mod measure;
#[path = "../src/testing.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with the tests, which use all of it")]
mod testing;

use kausal_storage_plugin::{Doors, Metrics, ObjectQuery, ReadConfig, Reader, SearchRequest, Stop};
use kausal_trace::Day;
use measure::measure;
use testing::{Act, Bed, Facts, T0, at, key};

/// The allocator of the built program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Replica sets of a Deployment, and the pods of each: 10, 201 and 1,501 objects.
const SIZES: [(usize, usize); 3] = [(1, 8), (4, 49), (10, 149)];
const ROUNDS: usize = 500;
/// More objects than a view has by default.
const OBJECTS_MAX: usize = 2_000;
const ACTS_OF_A_POD: i64 = 5;
/// With this a stored span has the mean size of the capture's, 2.7 KB.
const PADDING: usize = 2_000;

/// One Deployment, its replica sets and their pods, each with its acts.
fn facts(sets: usize, pods: usize) -> Facts {
    let (mut facts, day) = (Facts::default(), Day::of(T0));
    let deploy = key("c1/apps/deployments/shop/web");
    let act = Act { padding: PADDING, ..Act::default() };
    facts.act(&deploy, Act { verb: "create", code: 201, ..act });
    for set in 0..sets {
        let owner = key(&format!("c1/apps/replicasets/shop/web-{set}"));
        let uid = format!("rs{set}");
        facts.act(&owner, Act { verb: "create", code: 201, uid: &uid, ..act });
        facts.owns(&deploy, &owner, day);
        for pod in 0..pods {
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

fn main() {
    for (sets, pods) in SIZES {
        rows(sets, pods);
    }
}

fn rows(sets: usize, pods: usize) {
    let bed = Bed::with(ReadConfig { objects_max: OBJECTS_MAX, ..ReadConfig::default() });
    let facts = facts(sets, pods);
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
    let objects = 1 + sets + sets * pods;
    measure(&format!("view of {objects} objects by id, {spans} spans"), ROUNDS, || {
        reader.messages(id, &stop).expect("a view").iter().map(Vec::len).sum()
    });
    measure("  of a typed object, not encoded", ROUNDS, || {
        reader.view(&query, &stop).expect("a view").spans.len()
    });
    measure("  story of a typed object", ROUNDS, || {
        reader.story(&query, &stop).expect("a story").lives.len()
    });
    let alone = ObjectQuery { mode: Some("tracing".parse().expect("a mode")), ..query.clone() };
    measure("  of the object alone", ROUNDS, || {
        reader.view(&alone, &stop).expect("a view").spans.len()
    });
    measure("  what the store says of itself", ROUNDS, || {
        reader.stats().expect("stats").partitions.len()
    });
    let request = SearchRequest {
        attributes: vec![("resource".to_owned(), "pods".to_owned())],
        limit: Some(20),
        ..SearchRequest::default()
    };
    measure("  search for 20 rows", ROUNDS, || {
        reader.search(&request, &stop).expect("rows").rows.len()
    });
}
