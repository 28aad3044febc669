//! What is acknowledged is durable: a persist that fails or stalls holds the acknowledgement back.
//!
//! Killing a process proves nothing here, because the page cache survives it; so the persist
//! itself is replaced.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use kausal_store::embedded::Durability;
use kausal_store::{
    Acknowledgement, EmbeddedConfig, EmbeddedStore, ReadBudget, SearchQuery, SpanStore, StoreError,
};
use kausal_testkit::store_contract::{Fact, put};
use kausal_trace::SpanBatch;
use tokio::sync::oneshot::error::TryRecvError;

fn batch(facts: &[Fact<'_>]) -> SpanBatch {
    let mut batch = SpanBatch::default();
    for fact in facts {
        fact.write(&mut batch);
    }
    batch
}

fn open(dir: &tempfile::TempDir, durability: impl Durability) -> EmbeddedStore {
    let config = EmbeddedConfig::new(dir.path());
    EmbeddedStore::open_with(&config, None, Box::new(durability)).expect("opens")
}

fn spans(store: &EmbeddedStore, fact: &Fact<'_>) -> usize {
    let traces = store.traces(&[fact.trace()], ReadBudget::default()).expect("readable");
    traces.iter().map(|trace| trace.spans.len()).sum()
}

/// Says when a persist begins, and waits to be told how it ends.
struct Told {
    began: SyncSender<()>,
    ends: Receiver<Result<(), String>>,
}

impl Durability for Told {
    fn persist(&mut self, fsync: &mut dyn FnMut() -> Result<(), String>) -> Result<(), String> {
        self.began.send(()).expect("the test waits for it");
        self.ends.recv().expect("the test says how it ends")?;
        fsync()
    }
}

fn told() -> (Told, Receiver<()>, SyncSender<Result<(), String>>) {
    let (began, has_begun) = sync_channel(1);
    let (end, ends) = sync_channel(1);
    (Told { began, ends }, has_begun, end)
}

fn is_pending(acknowledgement: &mut Acknowledgement) -> bool {
    matches!(acknowledgement.try_recv(), Err(TryRecvError::Empty))
}

#[test]
fn nothing_is_acknowledged_while_a_persist_stalls_and_reads_go_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let (durability, has_begun, end) = told();
    let store = open(&dir, durability);

    let early = Fact::new("early", 1).with("verb", "patch");
    let stored = store.submit(batch(std::slice::from_ref(&early)));
    has_begun.recv().expect("persisting");
    end.send(Ok(())).expect("waiting");
    assert_eq!(stored.blocking_recv(), Ok(Ok(())));

    let mut stalled = store.submit(batch(&[Fact::new("stalled", 1)]));
    has_begun.recv().expect("persisting");
    let mut behind = store.submit(batch(&[Fact::new("behind", 1)]));
    let mut beside = store.try_submit(batch(&[Fact::new("beside", 1)])).expect("there is room");
    assert_eq!(spans(&store, &early), 1);
    let hits = store.search(&SearchQuery::newest(5).with("verb", "patch")).expect("readable").hits;
    assert_eq!(hits.len(), 1);
    assert!(store.stats().is_ok() && store.clusters().is_ok());
    for acknowledgement in [&mut stalled, &mut behind, &mut beside] {
        assert!(is_pending(acknowledgement));
    }

    end.send(Ok(())).expect("waiting");
    assert_eq!(stalled.blocking_recv(), Ok(Ok(())));
    has_begun.recv().expect("persisting");
    assert!(is_pending(&mut behind) && is_pending(&mut beside));
    end.send(Ok(())).expect("waiting");
    assert_eq!(behind.blocking_recv(), Ok(Ok(())));
    assert_eq!(beside.blocking_recv(), Ok(Ok(())), "both waited for one persist");
    assert_eq!(store.stats().expect("readable").writes.commits, 3);
}

#[test]
fn after_a_failed_persist_nobody_is_told_that_it_is_durable() {
    let dir = tempfile::tempdir().expect("a folder");
    let (durability, has_begun, end) = told();
    let store = open(&dir, durability);
    let failing = store.submit(batch(&[Fact::new("failing", 1)]));
    has_begun.recv().expect("persisting");
    let waiting = store.submit(batch(&[Fact::new("waiting", 1)]));
    end.send(Err("no space left on device".to_owned())).expect("waiting");

    let error = StoreError::WriteFailed { cause: "no space left on device".to_owned() };
    assert_eq!(failing.blocking_recv(), Ok(Err(error.clone())));
    assert_eq!(waiting.blocking_recv(), Ok(Err(error.clone())));
    let later = store.submit(batch(&[Fact::new("later", 1)]));
    assert_eq!(later.blocking_recv(), Ok(Err(error.clone())));
    let later = store.try_submit(batch(&[Fact::new("later", 1)])).expect("answered");
    assert_eq!(later.blocking_recv(), Ok(Err(error)));
    assert!(store.stats().is_ok(), "reading goes on");
    assert_eq!(store.stats().expect("readable").writes.batches, 0);

    drop(store);
    let store = EmbeddedStore::open(&EmbeddedConfig::new(dir.path()), None).expect("reopens");
    put(&store, &[Fact::new("later", 1)]);
    assert_eq!(spans(&store, &Fact::new("later", 1)), 1);
}

/// Hands out what happened when a store is dropped with batches waiting.
#[test]
fn a_store_that_is_closed_still_writes_what_it_took() {
    let dir = tempfile::tempdir().expect("a folder");
    let config = EmbeddedConfig::new(dir.path());
    let store = EmbeddedStore::open(&config, None).expect("opens");
    let facts: Vec<Fact<'_>> = (0..50).map(|millis| Fact::new("web", millis)).collect();
    let taken: Vec<Acknowledgement> =
        facts.iter().map(|fact| store.submit(batch(std::slice::from_ref(fact)))).collect();
    drop(store);
    assert!(taken.into_iter().all(|answer| answer.blocking_recv() == Ok(Ok(()))));
    let store = EmbeddedStore::open(&config, None).expect("reopens");
    assert_eq!(spans(&store, &facts[0]), 50);
}

#[test]
fn a_full_queue_says_busy_and_gives_the_batch_back() {
    let dir = tempfile::tempdir().expect("a folder");
    let (durability, has_begun, end) = told();
    let store = open(&dir, durability);
    let first = store.submit(batch(&[Fact::new("first", 1)]));
    has_begun.recv().expect("persisting");
    let large = Fact::new("large", 1).with("response.object", &"x".repeat(13 << 20));
    let taken = store.try_submit(batch(std::slice::from_ref(&large))).expect("any one is taken");
    let refused = store.try_submit(batch(&[Fact::new("second", 1)])).expect_err("no room");
    assert_eq!(refused.len(), 1);
    assert_eq!(store.stats().expect("readable").writes.busy, 1);
    end.send(Ok(())).expect("waiting");
    assert_eq!(first.blocking_recv(), Ok(Ok(())));
    has_begun.recv().expect("persisting");
    let second = store.try_submit(refused).expect("there is room again");
    end.send(Ok(())).expect("waiting");
    assert_eq!(taken.blocking_recv(), Ok(Ok(())));
    has_begun.recv().expect("persisting");
    end.send(Ok(())).expect("waiting");
    assert_eq!(second.blocking_recv(), Ok(Ok(())));
}
