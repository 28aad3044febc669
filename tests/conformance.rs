//! Jaeger's own storage integration suite, through Jaeger's own remote-storage client, against
//! `kausal storage-plugin --identity`.

use kausal_testkit::bed::{Bed, Kausal, Verdict, storage_suite};

/// What the suite skips, because Jaeger's remote storage has no way to write it.
const SKIPPED: [&str; 3] =
    ["TestKausal/GetDependencies", "TestKausal/GetThroughput", "TestKausal/GetLatestProbability"];
/// Six tests, one part of the third, and 22 searches, in one test around them.
const PASSED: usize = 30;

#[test]
fn jaeger_certifies_the_raw_store() {
    let dir = tempfile::tempdir().expect("a folder");
    let kausal = Kausal::new(env!("CARGO_BIN_EXE_kausal"), dir.path());
    let server = kausal.raw_storage(Some("raw: {allow_purge: true}\n"));
    let (tests, output) = storage_suite(&Bed::find(), dir.path(), server.at());
    for test in &tests {
        eprintln!("{:?} {}", test.verdict, test.name);
    }
    let with = |verdict| tests.iter().filter(move |test| test.verdict == verdict);
    let names: Vec<_> = with(Verdict::Failed).map(|test| &test.name).collect();
    assert!(names.is_empty(), "{names:?} failed:\n{output}");
    let skipped: Vec<_> = with(Verdict::Skipped).map(|test| test.name.as_str()).collect();
    assert_eq!(skipped, SKIPPED);
    assert_eq!(with(Verdict::Passed).count(), PASSED, "{output}");
}
