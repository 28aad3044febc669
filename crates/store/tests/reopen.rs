//! What a store keeps from one opening to the next, and what it drops.

use std::time::Duration;

use kausal_store::{
    Ahead, Clock, EmbeddedConfig, EmbeddedStore, Holder, OpenError, ReadBudget, SearchQuery,
    SpanStore, StoreError, read_holder,
};
use kausal_testkit::store_contract::{Fact, WINDOW, key, put, submit};
use kausal_trace::{NewSpan, SpanBatch, SpanId, TraceId, Window};

const DAY_WINDOWS: u64 = 48;

fn open(config: &EmbeddedConfig) -> EmbeddedStore {
    EmbeddedStore::open(config, None).expect("opens")
}

fn config(dir: &tempfile::TempDir, retention_hours: u64) -> EmbeddedConfig {
    let retention = Duration::from_hours(retention_hours);
    EmbeddedConfig { retention, ..EmbeddedConfig::new(dir.path()) }
}

fn stored(store: &EmbeddedStore, id: TraceId) -> Vec<Box<[u8]>> {
    let mut traces = store.traces(&[id], ReadBudget::default()).expect("readable");
    traces.pop().map(|trace| trace.spans).unwrap_or_default()
}

/// Waits until the writer is through with what follows a commit: it does that before the next.
fn settle(store: &EmbeddedStore) {
    put(store, &[]);
}

fn found(store: &EmbeddedStore, name: &str, value: &str) -> usize {
    store.search(&SearchQuery::newest(100).with(name, value)).expect("readable").hits.len()
}

#[test]
fn everything_is_there_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let config = config(&dir, 720);
    let fact = Fact::new("web", 7).with("verb", "patch");
    let before = {
        let store = open(&config);
        put(&store, std::slice::from_ref(&fact));
        store.stats().expect("readable")
    };
    let store = open(&config);
    assert_eq!(stored(&store, fact.trace()).len(), 1);
    assert_eq!(found(&store, "verb", "patch"), 1);
    assert_eq!(store.clusters().expect("readable"), ["c1"]);
    let after = store.stats().expect("readable");
    assert_eq!((after.newest, after.oldest, after.facts), (before.newest, before.oldest, 1));
    put(&store, std::slice::from_ref(&fact));
    assert_eq!(stored(&store, fact.trace()).len(), 1, "a redelivery after a restart");
    put(&store, &[fact.with("x", "y")]);
    assert_eq!(found(&store, "verb", "patch"), 1, "later commits do not overwrite the index");
}

#[test]
fn what_is_older_than_the_retention_goes_in_whole_partitions() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(&config(&dir, 24));
    let at = |hours_ago: u64| {
        Fact::new("web", 1).in_window(Window(WINDOW.0 - 2 * hours_ago)).with("verb", "patch")
    };
    put(&store, &[at(60), at(50)]);
    assert_eq!(found(&store, "verb", "patch"), 2, "both are within a day of the newest");
    put(&store, &[at(30), at(10)]);
    settle(&store);
    assert!(stored(&store, at(60).trace()).is_empty());
    assert!(stored(&store, at(50).trace()).is_empty());
    assert_eq!(found(&store, "verb", "patch"), 2);
    put(&store, &[at(0)]);
    settle(&store);
    assert_eq!(found(&store, "verb", "patch"), 2, "the one 30 hours ago is gone");
    let stats = store.stats().expect("readable");
    assert_eq!(stats.expired, 0, "dropped is not expired: they were kept while young");
    assert_eq!(stats.oldest, Some(at(10).window.start()));
}

#[test]
fn facts_that_come_too_late_are_counted_and_acknowledged() {
    let dir = tempfile::tempdir().expect("a folder");
    let config = config(&dir, 24);
    let (old, new) = (Fact::new("old", 1).in_window(Window(WINDOW.0 - 200)), Fact::new("new", 1));
    let store = open(&config);
    put(&store, &[old.clone(), new.clone()]);
    assert!(stored(&store, old.trace()).is_empty(), "whatever the order in a commit");
    assert_eq!(stored(&store, new.trace()).len(), 1);
    put(&store, std::slice::from_ref(&old));
    assert!(stored(&store, old.trace()).is_empty());
    drop(store);
    assert_eq!(open(&config).stats().expect("readable").expired, 2);
}

#[test]
fn clusters_go_with_their_last_facts() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(&config(&dir, 24));
    let fact = Fact::new("web", 1).in_window(Window(WINDOW.0 - 4 * DAY_WINDOWS));
    let mut batch = SpanBatch::default();
    let (trace, span, start) = (fact.trace(), fact.span(), fact.start());
    batch.open(NewSpan { trace, span, name: "event", start, end: start }).str("cluster", "gone");
    submit(&store, batch).expect("stored");
    put(&store, &[Fact::new("web", 1)]);
    settle(&store);
    assert_eq!(store.clusters().expect("readable"), ["c1"]);
}

#[test]
fn a_changed_retention_reads_and_finds_what_there_was() {
    let dir = tempfile::tempdir().expect("a folder");
    let facts: Vec<Fact<'_>> = (0..40)
        .map(|n| Fact::new("web", 1).in_window(Window(WINDOW.0 - n)).with("verb", "patch"))
        .collect();
    let (first, rest) = facts.split_at(20);
    put(&open(&config(&dir, 24)), first);
    for hours in [24 * 365, 24 * 30, 48] {
        let store = open(&config(&dir, hours));
        put(&store, rest);
        assert_eq!(found(&store, "verb", "patch"), 40, "{hours}");
        for fact in &facts {
            assert_eq!(stored(&store, fact.trace()).len(), 1, "{hours} {:?}", fact.window);
        }
    }
}

#[test]
fn an_attribute_chosen_later_is_found_in_old_facts_too() {
    let dir = tempfile::tempdir().expect("a folder");
    let fact = Fact::new("web", 1).with("verb", "patch").with("team", "blue");
    put(&open(&config(&dir, 720)), std::slice::from_ref(&fact));
    let more = EmbeddedConfig { indexed: vec!["team".to_owned()], ..config(&dir, 720) };
    let store = open(&more);
    let later = fact.clone().in_window(Window(WINDOW.0 + 100));
    put(&store, &[later, fact.in_window(Window(WINDOW.0 - 100))]);
    assert_eq!(found(&store, "team", "blue"), 3);
    assert_eq!(found(&store, "verb", "patch"), 3, "not indexed any more, still compared");
}

/// Enough facts that a dictionary is learned in between; all read back the same, before and after
/// the tables are written and the store is reopened.
#[test]
fn spans_read_back_the_same_however_they_are_compressed() {
    let dir = tempfile::tempdir().expect("a folder");
    let config = config(&dir, 720);
    let bodies: Vec<String> = (0..1_500_u64)
        .map(|n| {
            let uid = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            format!(
                "{{\"kind\":\"Pod\",\"metadata\":{{\"uid\":\"{uid:016x}\",\"labels\":{{}}}},\
                 \"status\":{{\"phase\":\"Running\",\"podIP\":\"10.0.{}.{}\"}}}}",
                n % 251,
                n % 13
            )
        })
        .collect();
    let facts: Vec<Fact<'_>> = bodies
        .iter()
        .zip(0..)
        .map(|(body, n)| Fact::new("web", n).with("response.object", body))
        .collect();
    let mut expect: Vec<Box<[u8]>> = Vec::new();
    let store = open(&config);
    for chunk in facts.chunks(100) {
        let mut batch = SpanBatch::default();
        for fact in chunk {
            fact.write(&mut batch);
        }
        expect.extend(batch.iter().map(|record| Box::from(record.bytes)));
        submit(&store, batch).expect("stored");
    }
    expect.sort_unstable();
    let check = |store: &EmbeddedStore, when: &str| {
        let mut spans = stored(store, facts[0].trace());
        spans.sort_unstable();
        assert!(spans == expect, "{when}: {} of {} spans", spans.len(), expect.len());
    };
    check(&store, "from memory");
    store.flush().expect("flushes");
    check(&store, "from tables");
    let stats = store.stats().expect("readable");
    assert!(stats.table_bytes > 0 && stats.bytes_per_span < 200.0, "{}", stats.bytes_per_span);
    put(&store, &facts[..100]);
    check(&store, "after a redelivery under the new dictionary");
    drop(store);
    check(&open(&config), "reopened");
}

/// The first dictionary is replaced while its partition still has a window to come; when that first
/// window is past the retention, the partition is not, and what it holds must stay readable.
#[test]
fn a_dictionary_stays_as_long_as_the_partition_it_served() {
    let dir = tempfile::tempdir().expect("a folder");
    let config = config(&dir, 24);
    let store = open(&config);
    let write = |flavour: &str, from: u64, count: u64| {
        for chunk in (from..from + count).collect::<Vec<_>>().chunks(512) {
            let bodies: Vec<String> = chunk
                .iter()
                .map(|n| format!("{flavour} {:016x} {flavour}", n.wrapping_mul(0x9e37_79b9)))
                .collect();
            let facts: Vec<Fact<'_>> = bodies
                .iter()
                .zip(chunk)
                .map(|(body, n)| Fact::new("web", *n).with("response.object", body))
                .collect();
            put(&store, &facts);
        }
    };
    write("the controller of deployments speaks of replicas", 0, 1_024);
    write("a different kind of workload has different words", 1_024, 9_000);
    let later = |windows| Fact::new("late", 1).in_window(Window(WINDOW.0 + windows));
    put(&store, &[later(48)]);
    settle(&store);
    drop(store);
    let store = open(&config);
    let budget = ReadBudget { spans_max: 20_000, ..ReadBudget::default() };
    let read = store.traces(&[Fact::new("web", 0).trace()], budget).expect("readable");
    assert_eq!(read.iter().map(|trace| trace.spans.len()).sum::<usize>(), 10_024);
    put(&store, &[later(60)]);
    settle(&store);
    assert!(stored(&store, Fact::new("web", 0).trace()).is_empty());
}

#[test]
fn a_month_comes_at_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let config = config(&dir, 720);
    let facts: Vec<Fact<'_>> = (0..1_440)
        .step_by(7)
        .map(|n| Fact::new("web", 1).in_window(Window(WINDOW.0 - n)).with("verb", "patch"))
        .collect();
    put(&open(&config), &facts);
    let store = open(&config);
    assert_eq!(store.stats().expect("readable").partitions.len(), 97);
    for fact in &facts {
        assert_eq!(stored(&store, fact.trace()).len(), 1, "{:?}", fact.window);
    }
    let query = SearchQuery::newest(1_000).with("verb", "patch");
    assert_eq!(store.search(&query).expect("readable").hits.len(), facts.len());
}

#[test]
fn a_store_has_one_holder_who_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let config = config(&dir, 720);
    let address = Some("http://127.0.0.1:16686".to_owned());
    let store = EmbeddedStore::open(&config, address.clone()).expect("opens");
    let refused = EmbeddedStore::open(&config, None).map(|_| ()).expect_err("held");
    let named = matches!(&refused, OpenError::Held { address: held_at, pid }
        if *held_at == address && *pid == std::process::id());
    assert!(named, "{refused}");
    let holder = Holder { pid: std::process::id(), address, started: None };
    assert_eq!(read_holder(dir.path()).expect("readable"), Some(holder));
    drop(store);
    assert_eq!(read_holder(dir.path()).expect("readable"), None);
    drop(open(&config));
}

#[test]
fn with_a_clock_the_future_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let clock = Clock::new(|| WINDOW.start());
    let store = open(&EmbeddedConfig { clock: Some(clock), ..config(&dir, 720) });
    let fact = |windows| Fact::new("web", 1).in_window(Window(WINDOW.0 + windows));
    put(&store, &[fact(2)]);
    let mut batch = SpanBatch::default();
    fact(3).write(&mut batch);
    let refused =
        StoreError::AheadOfClock { trace: fact(3).trace(), ahead: Ahead { seconds: 5_400 } };
    assert_eq!(submit(&store, batch), Err(refused));
    assert!(stored(&store, fact(3).trace()).is_empty());
    // A catalogue of today begins in the past, whatever the hour.
    let day = WINDOW.day();
    let trace = TraceId::catalogue(key("web"), day);
    let mut batch = SpanBatch::default();
    let span = SpanId::derived(trace, &[b"frame"]);
    batch.open(NewSpan { trace, span, name: "object", start: day.start(), end: day.end() });
    submit(&store, batch).expect("stored");
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let short = EmbeddedStore::open(&config(&dir, 0), None).map(|_| ()).expect_err("too short");
    assert!(short.to_string().contains("at least 3600 s are needed"), "{short}");
    let many = (0..300).map(|n| format!("a{n}")).collect();
    let many = EmbeddedConfig { indexed: many, ..config(&dir, 720) };
    let many = EmbeddedStore::open(&many, None).map(|_| ()).expect_err("too many");
    assert!(many.to_string().contains("at most 200"), "{many}");
}

#[test]
fn the_newest_of_a_crowded_minute_are_found_without_opening_it_whole() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(&config(&dir, 720));
    let names: Vec<String> = (0..2_400).map(|n| format!("pod-{n}")).collect();
    let facts = names.iter().enumerate();
    let facts = facts.map(|(n, name)| Fact::new(name, n as u64 * 25).with("verb", "patch"));
    let facts: Vec<Fact<'_>> = facts.collect();
    put(&store, &facts);
    let newest: Vec<_> = facts.iter().rev().take(20).map(Fact::span).collect();
    for query in [SearchQuery::newest(20), SearchQuery::newest(20).with("verb", "patch")] {
        let answer = store.search(&query).expect("readable");
        assert_eq!(answer.hits.iter().map(|hit| hit.span).collect::<Vec<_>>(), newest);
        assert_eq!(answer.candidates, 20, "two in each moment");
    }
}
