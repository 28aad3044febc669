//! A disk that fills up, for real: a small tmpfs that only the test's child sees.
//!
//! The test runs itself under `unshare` in a namespace of its own, where it may mount. Where that
//! is not allowed it says so and checks nothing.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use kausal_store::{
    EmbeddedConfig, EmbeddedStore, ReadBudget, SearchQuery, SpanStore, StoreError, StoreStats,
};
use kausal_testkit::store_contract::{Fact, Random, WINDOW, submit};
use kausal_trace::{SpanBatch, Window};

const DIR: &str = "KAUSAL_STORE_FULL_DISK_DIR";
const DISK: &str = "size=192m";
const RESERVE_BYTES: u64 = 64 << 20;
/// Bytes of one fact: the largest body that is kept.
const BODY_BYTES: usize = 256 << 10;

/// Runs `child` again on a small disk of its own.
#[expect(clippy::print_stderr, reason = "a test that checks nothing must say so")]
fn on_a_small_disk(child: &str) {
    let dir = tempfile::tempdir().expect("a folder");
    let mounts = "mount -t tmpfs -o \"$1\" kausal-test \"$2\"";
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", DISK]);
        command.arg(dir.path());
        command
    };
    let possible = unshare(mounts).output().is_ok_and(|output| output.status.success());
    if !possible {
        eprintln!(
            "skipped: this system does not let a test mount a disk of its own (unshare -Urm)"
        );
        return;
    }
    let output = unshare(&format!("{mounts} && shift 2 && exec \"$@\""))
        .arg(std::env::current_exe().expect("this test"))
        .args(["--exact", child, "--ignored", "--nocapture"])
        .env(DIR, dir.path())
        .output()
        .expect("it could before");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn disk() -> PathBuf {
    std::env::var_os(DIR).expect("run by its parent").into()
}

fn config() -> EmbeddedConfig {
    let retention = Duration::from_hours(24);
    EmbeddedConfig { retention, reserve_bytes: RESERVE_BYTES, ..EmbeddedConfig::new(disk()) }
}

/// Text that does not compress to less than three quarters.
fn noise(random: &mut Random) -> String {
    (0..BODY_BYTES).map(|_| char::from(b'0' + random.below(64) as u8)).collect()
}

fn store_fact(store: &EmbeddedStore, fact: &Fact<'_>, body: &str) -> Result<(), StoreError> {
    let mut batch = SpanBatch::default();
    fact.clone().with("response.object", body).write(&mut batch);
    submit(store, batch)
}

fn is_there(store: &EmbeddedStore, fact: &Fact<'_>) -> bool {
    let traces = store.traces(&[fact.trace()], ReadBudget::default()).expect("readable");
    traces.iter().any(|trace| !trace.spans.is_empty())
}

fn stats(store: &EmbeddedStore) -> StoreStats {
    store.stats().expect("readable")
}

/// Fills the disk up to so many free bytes.
fn ballast(path: &Path, free_after: u64, free: u64) {
    let mut file = File::create(path).expect("writable");
    let block = vec![1; 1 << 20];
    for _ in 0..free.saturating_sub(free_after) >> 20 {
        file.write_all(&block).expect("there is room");
    }
}

#[test]
fn the_oldest_partitions_make_room_and_writing_never_stops() {
    on_a_small_disk("hours_go_by");
}

#[test]
#[ignore = "run by another test on a disk of its own"]
fn hours_go_by() {
    let store = EmbeddedStore::open(&config(), None).expect("opens");
    let mut random = Random(7);
    // More than fits, an hour for each 4 MB.
    let facts: Vec<Fact<'_>> =
        (0..700).map(|n| Fact::new("web", n).in_window(Window(WINDOW.0 + 2 * (n / 16)))).collect();
    for (at, fact) in facts.iter().enumerate() {
        let stored = store_fact(&store, fact, &noise(&mut random));
        assert_eq!(stored, Ok(()), "{at}: {:?}", stats(&store).disk);
        assert!(is_there(&store, fact), "{at}");
    }
    let stats = stats(&store);
    assert!(stats.dropped.reserve > 0, "{:?}", stats.dropped);
    assert!(!stats.disk.full && stats.disk.free_bytes >= Some(RESERVE_BYTES / 2), "{stats:?}");
    let oldest = stats.oldest.expect("facts").seconds();
    for fact in facts.iter().filter(|fact| fact.window.start().seconds() >= oldest) {
        assert!(is_there(&store, fact), "{:?} is younger than what was dropped", fact.window);
    }
}

#[test]
fn without_old_partitions_writing_waits_and_goes_on_by_itself() {
    on_a_small_disk("somebody_else_fills_the_disk");
}

#[test]
#[ignore = "run by another test on a disk of its own"]
fn somebody_else_fills_the_disk() {
    let store = EmbeddedStore::open(&config(), None).expect("opens");
    let body = noise(&mut Random(8));
    let fact = |millis| Fact::new("web", millis).with("verb", "patch");
    assert_eq!(store_fact(&store, &fact(1), &body), Ok(()));
    let other = disk().join("of-somebody-else");
    let free = stats(&store).disk.free_bytes.expect("known");
    ballast(&other, RESERVE_BYTES - (8 << 20), free);

    for round in 0..3 {
        let refused = store_fact(&store, &fact(2), &body);
        assert!(matches!(refused, Err(StoreError::NoSpace { .. })), "{round}: {refused:?}");
        assert!(is_there(&store, &fact(1)), "reading goes on");
        let found = store.search(&SearchQuery::newest(5).with("verb", "patch")).expect("readable");
        assert_eq!(found.hits.len(), 1, "what was refused is not there");
    }
    let full = stats(&store);
    assert!(full.disk.full && full.writes.no_space == 3, "{full:?}");
    assert_eq!(full.dropped.reserve, 0, "what is being written is kept");

    std::fs::remove_file(&other).expect("removable");
    assert_eq!(store_fact(&store, &fact(2), &body), Ok(()), "without a restart");
    assert!(!stats(&store).disk.full);
    drop(store);
    let store = EmbeddedStore::open(&config(), None).expect("reopens");
    assert!(is_there(&store, &fact(1)));
    let found = store.search(&SearchQuery::newest(5).with("verb", "patch")).expect("readable");
    assert_eq!(found.hits.len(), 2);
}
