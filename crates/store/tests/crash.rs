//! A process that is killed at any moment loses nothing it acknowledged.
//!
//! The test runs itself as a child that writes and prints the number of each batch once that is
//! acknowledged; the parent kills it after some number and looks at what is there.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use kausal_store::{EmbeddedConfig, EmbeddedStore, ReadBudget, SearchQuery, SpanStore};
use kausal_testkit::store_contract::{Fact, Random, WINDOW, key, put};
use kausal_trace::{SpanId, SpanRef, TraceId, Window};

const DIR: &str = "KAUSAL_STORE_CRASH_DIR";
const FIRST: &str = "KAUSAL_STORE_CRASH_FIRST";
const ROUNDS: usize = 10;
const BATCH: u64 = 20;
const BATCHES_PER_WINDOW: u64 = 40;

fn facts(batch: u64, marker: &str) -> Vec<Fact<'_>> {
    (0..BATCH)
        .map(|n| {
            let number = batch * BATCH + n;
            let mut fact = Fact::new("web", number % 1_800_000)
                .in_window(Window(WINDOW.0 + batch / BATCHES_PER_WINDOW))
                .with("uid", marker)
                .with("response.object", &format!("{number}").repeat(100));
            fact.id = number;
            fact
        })
        .collect()
}

fn marker(batch: u64) -> String {
    format!("batch-{batch}")
}

/// Not a test of its own: what the parent runs.
#[test]
fn child() {
    let (Ok(dir), Ok(first)) = (std::env::var(DIR), std::env::var(FIRST)) else { return };
    let store = EmbeddedStore::open(&EmbeddedConfig::new(dir), None).expect("opens");
    let first: u64 = first.parse().expect("a number");
    for batch in first.. {
        put(&store, &facts(batch, &marker(batch)));
        let mut out = std::io::stdout().lock();
        writeln!(out, "durable {batch}").expect("the parent reads");
        out.flush().expect("the parent reads");
    }
}

/// Runs a child that begins with batch `first`, kills it when it has acknowledged `count`, and
/// returns the last number it printed before it died.
fn run_and_kill(dir: &Path, first: u64, count: usize) -> u64 {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "child", "--nocapture"])
        .env(DIR, dir)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut last = None;
    let mut seen = 0;
    for line in lines.map_while(Result::ok) {
        // The test harness prints its own words on the first line.
        let number = line.rsplit_once("durable ").and_then(|(_, text)| text.parse().ok());
        last = number.or(last);
        seen += usize::from(number.is_some());
        if seen == count {
            child.kill().expect("it runs");
        }
    }
    child.wait().expect("it ends");
    last.expect("something was acknowledged")
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut random = Random(42);
    let mut next = 0;
    for round in 0..ROUNDS {
        let last = run_and_kill(dir.path(), next, 1 + random.below(30));
        let store = EmbeddedStore::open(&EmbeddedConfig::new(dir.path()), None).expect("reopens");
        for batch in next..=last {
            let query = SearchQuery::newest(100).with("uid", &marker(batch));
            let hits = store.search(&query).expect("readable").hits;
            assert_eq!(hits.len() as u64, BATCH, "round {round}, batch {batch}: found");
        }
        let there = spans_there(&store, last);
        for batch in 0..=last {
            for fact in facts(batch, &marker(batch)) {
                let span = fact.span();
                assert!(there.contains(&span), "round {round}, batch {batch}: {span:?}");
            }
        }
        next = last + 1;
    }
}

/// All spans of the batches up to `last`.
fn spans_there(store: &EmbeddedStore, last: u64) -> HashSet<SpanId> {
    let windows = 0..=last / BATCHES_PER_WINDOW;
    let ids: Vec<TraceId> =
        windows.map(|window| TraceId::facts(key("web"), Window(WINDOW.0 + window))).collect();
    let traces = store.traces(&ids, ReadBudget::default()).expect("readable");
    let spans = traces.iter().flat_map(|trace| &trace.spans);
    spans.map(|span| SpanRef::parse(span).expect("a span").span).collect()
}
