//! Spans of anybody: kept as they came, found, and dropped in the order of their arrival.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use kausal_store::embedded::Durability;
use kausal_store::raw::{RawConfig, RawStore};
use kausal_store::{Clock, OpenError, ReadBudget, StoreError};
use kausal_trace::foreign::{ForeignBatch, ForeignQuery, ForeignSpan, messages};
use kausal_trace::{SpanId, TraceId, UnixNanos};
use tokio::sync::oneshot::error::TryRecvError;

const ENTRIES_MAX: usize = 100_000;

/// A span as its writer encodes it.
#[derive(Clone, Copy)]
struct Sent<'a> {
    trace: TraceId,
    span: u8,
    start: u64,
    name: &'a str,
    service: &'a str,
}

const SENT: Sent<'_> =
    Sent { trace: TraceId([7; 16]), span: 1, start: 1_000_000_000, name: "GET", service: "shop" };

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut rest = bytes.len();
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
    out.extend_from_slice(bytes);
    out
}

/// One message with these spans.
fn batch(spans: &[Sent<'_>]) -> ForeignBatch {
    let encoded: Vec<_> = spans.iter().map(|sent| encode(*sent)).collect();
    let spans = spans.iter().zip(&encoded).map(|(sent, (resource, bytes))| ForeignSpan {
        trace: sent.trace,
        span: SpanId([sent.span; 8]),
        resource,
        scope: b"\x1a\x09scope url",
        bytes,
    });
    let message = messages(&spans.collect::<Vec<_>>(), usize::MAX).pop().unwrap_or_default();
    ForeignBatch::split(message).expect("OTLP").0
}

fn encode(sent: Sent<'_>) -> (Vec<u8>, Vec<u8>) {
    let service = field(1, sent.service.as_bytes());
    let attribute = field(1, &[field(1, b"service.name"), field(2, &service)].concat());
    let start = [&[0x39][..], &sent.start.to_le_bytes()].concat();
    let ids = [field(1, &sent.trace.0), field(2, &[sent.span; 8])].concat();
    (field(1, &attribute), [ids, field(5, sent.name.as_bytes()), start].concat())
}

/// A store whose time stands still until it is moved.
struct Desk {
    dir: tempfile::TempDir,
    seconds: Arc<AtomicU64>,
}

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        Self { dir, seconds: Arc::new(AtomicU64::new(1_000_000)) }
    }

    fn config(&self, retention: Duration) -> RawConfig {
        let seconds = self.seconds.clone();
        let now = move || UnixNanos::from_seconds(seconds.load(Ordering::Relaxed));
        let dir = self.dir.path().join("raw");
        RawConfig { dir, retention, bytes_max: 64 << 20, clock: Clock::new(now) }
    }

    fn open(&self) -> RawStore {
        RawStore::open(self.config(Duration::from_hours(1)), None).expect("opens")
    }

    fn pass(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }
}

fn put(store: &RawStore, batch: ForeignBatch) {
    let acknowledgement = store.try_submit(batch).expect("there is room");
    acknowledgement.blocking_recv().expect("answered").expect("durable");
}

fn trace(store: &RawStore, id: TraceId) -> Vec<Vec<u8>> {
    let trace = store.view().trace(id, ReadBudget::default()).expect("readable");
    assert!(!trace.cut);
    trace.spans.iter().map(|span| span.get().bytes.to_vec()).collect()
}

fn found(store: &RawStore, query: &ForeignQuery) -> Vec<TraceId> {
    let view = store.view();
    let candidates = view.candidates(query, ENTRIES_MAX).expect("readable");
    candidates.collect::<Result<_, _>>().expect("readable")
}

#[test]
fn every_byte_is_read_back_whatever_the_ids() {
    let desk = Desk::new();
    let ids = [[0; 16], [0x01; 16], [0x02; 16], [0xff; 16], [0x5a; 16]].map(TraceId);
    let sent = ids.map(|trace| batch(&[Sent { trace, ..SENT }, Sent { trace, span: 0, ..SENT }]));
    let check = |store: &RawStore| {
        for (id, batch) in ids.iter().zip(&sent) {
            let stored = store.view().trace(*id, ReadBudget::default()).expect("readable");
            let mut written: Vec<_> = batch.iter().collect();
            written.sort_by_key(|span| span.span);
            let read: Vec<_> = stored.spans.iter().map(|span| span.get()).collect();
            assert_eq!(read, written, "{id}");
        }
    };
    let store = desk.open();
    for batch in ids.map(|trace| batch(&[Sent { trace, ..SENT }, Sent { trace, span: 0, ..SENT }]))
    {
        put(&store, batch);
    }
    check(&store);
    drop(store);
    check(&desk.open());
}

#[test]
fn equal_ids_with_different_content_are_kept_and_an_exact_copy_is_there_once() {
    let desk = Desk::new();
    let store = desk.open();
    let twins = || batch(&[SENT, Sent { name: "PUT", ..SENT }, Sent { service: "cart", ..SENT }]);
    put(&store, twins());
    assert_eq!(trace(&store, SENT.trace).len(), 3);
    // Also when the copy arrives so much later that it lands in another segment.
    desk.pass(600);
    put(&store, twins());
    assert_eq!(trace(&store, SENT.trace).len(), 3);
}

#[test]
fn searches_propose_the_newest_first_within_their_range() {
    let desk = Desk::new();
    let store = desk.open();
    let at = |n: u8| Sent { trace: TraceId([n; 16]), start: u64::from(n) * 1_000_000_000, ..SENT };
    // Arrivals in any order, over several segments.
    for n in [3, 1, 2, 5, 4] {
        put(&store, batch(&[at(n)]));
        desk.pass(300);
    }
    let query = || ForeignQuery {
        service: "shop".into(),
        operation: "GET".into(),
        ..ForeignQuery::default()
    };
    let ids = |numbers: &[u8]| numbers.iter().map(|n| TraceId([*n; 16])).collect::<Vec<_>>();
    assert_eq!(found(&store, &query()), ids(&[5, 4, 3, 2, 1]));
    let nanos = |n: u64| Some(UnixNanos(n * 1_000_000_000));
    assert_eq!(
        found(&store, &ForeignQuery { from: nanos(2), to: nanos(4), ..query() }),
        ids(&[4, 3, 2])
    );
    assert_eq!(found(&store, &ForeignQuery { from: nanos(4), to: nanos(2), ..query() }), []);
    assert_eq!(found(&store, &ForeignQuery { operation: "PUT".into(), ..query() }), []);
    assert_eq!(found(&store, &ForeignQuery::default()).len(), 5);
    let names = store.view().operations("shop", "").expect("readable");
    assert_eq!(names.iter().map(|found| found.name.as_str()).collect::<Vec<_>>(), ["GET"]);
    assert_eq!(store.view().services().expect("readable"), ["shop"]);
}

#[test]
fn a_search_says_that_its_budget_ended() {
    let desk = Desk::new();
    let store = desk.open();
    put(&store, batch(&[SENT, Sent { trace: TraceId([8; 16]), ..SENT }]));
    let view = store.view();
    let mut candidates = view.candidates(&ForeignQuery::default(), 1).expect("readable");
    assert_eq!((candidates.by_ref().count(), candidates.exhausted()), (1, true));
}

#[test]
fn the_oldest_arrivals_go_by_age() {
    let desk = Desk::new();
    let store = desk.open();
    put(&store, batch(&[SENT]));
    for _ in 0..3 {
        desk.pass(1_800);
        put(&store, batch(&[Sent { trace: TraceId([8; 16]), ..SENT }]));
    }
    drop(store);
    // What is too old goes when the store is opened, too.
    let store = desk.open();
    assert_eq!(trace(&store, SENT.trace), Vec::<Vec<u8>>::new());
    assert_eq!(trace(&store, TraceId([8; 16])).len(), 1);
}

#[test]
fn the_oldest_arrivals_go_by_bytes() {
    let desk = Desk::new();
    let store = desk.open();
    let mut random = 1_u64;
    let noise = std::iter::repeat_with(|| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'!' + (random >> 33) as u8 % 90)
    });
    let name: String = noise.take(2 << 20).collect();
    for n in 0..60 {
        put(&store, batch(&[Sent { trace: TraceId([n; 16]), name: &name, ..SENT }]));
    }
    assert!(store.bytes() <= 80 << 20, "{} bytes", store.bytes());
    assert!(trace(&store, TraceId([0; 16])).is_empty());
    assert_eq!(trace(&store, TraceId([59; 16])).len(), 1);
}

#[test]
fn a_purge_forgets_all_and_the_store_goes_on() {
    let desk = Desk::new();
    let store = desk.open();
    put(&store, batch(&[SENT]));
    store.purge().expect("possible");
    assert!(trace(&store, SENT.trace).is_empty());
    assert!(store.view().services().expect("readable").is_empty());
    put(&store, batch(&[SENT]));
    drop(store);
    let store = desk.open();
    assert_eq!(trace(&store, SENT.trace).len(), 1);
    store.purge().expect("possible");
    drop(store);
    assert!(trace(&desk.open(), SENT.trace).is_empty());
}

#[test]
fn a_trace_beyond_the_budget_is_cut_and_says_so() {
    let desk = Desk::new();
    let store = desk.open();
    let spans: Vec<_> = (0..10).map(|span| Sent { span, ..SENT }).collect();
    put(&store, batch(&spans));
    let budget = ReadBudget { spans_max: 4, ..ReadBudget::default() };
    let trace = store.view().trace(SENT.trace, budget).expect("readable");
    assert_eq!((trace.spans.len(), trace.cut), (4, true));
}

#[test]
fn nothing_is_acknowledged_before_the_persist_returns() {
    struct Told(std::sync::mpsc::Receiver<Result<(), String>>);
    impl Durability for Told {
        fn persist(&mut self, fsync: &mut dyn FnMut() -> Result<(), String>) -> Result<(), String> {
            self.0.recv().expect("the test says how it ends")?;
            fsync()
        }
    }
    let desk = Desk::new();
    let (end, ends) = sync_channel(0);
    let config = desk.config(Duration::from_hours(1));
    let store = RawStore::open_with(config, None, Box::new(Told(ends))).expect("opens");
    let mut first = store.try_submit(batch(&[SENT])).expect("there is room");
    assert!(matches!(first.try_recv(), Err(TryRecvError::Empty)));
    end.send(Ok(())).expect("the writer waits");
    assert_eq!(first.blocking_recv(), Ok(Ok(())));
    let second = store.try_submit(batch(&[SENT])).expect("there is room");
    end.send(Err("disk".to_owned())).expect("the writer waits");
    let failed = StoreError::WriteFailed { cause: "disk".to_owned() };
    assert_eq!(second.blocking_recv(), Ok(Err(failed.clone())));
    let third = store.try_submit(batch(&[SENT])).expect("answered at once");
    assert_eq!(third.blocking_recv(), Ok(Err(failed)));
}

#[test]
fn what_cannot_be_opened_is_said() {
    let desk = Desk::new();
    let held = desk.open();
    let open = |config| RawStore::open(config, None).err().expect("refused");
    assert!(matches!(open(desk.config(Duration::from_hours(1))), OpenError::Held { .. }));
    drop(held);
    assert!(matches!(open(desk.config(Duration::ZERO)), OpenError::Config(_)));
    let stamp: &Path = &desk.dir.path().join("raw/FORMAT");
    std::fs::write(stamp, r#"{"format":9,"created_by":"kausal 9"}"#).expect("writable");
    assert!(matches!(open(desk.config(Duration::from_hours(1))), OpenError::NewerFormat { .. }));
}

/// Not a test of its own: what the next one runs and kills.
#[test]
fn child() {
    let Ok(dir) = std::env::var(CRASH_DIR) else { return };
    let config = RawConfig {
        dir: dir.into(),
        retention: Duration::from_hours(1),
        bytes_max: 1 << 30,
        clock: Clock::new(|| UnixNanos::from_seconds(1)),
    };
    let store = RawStore::open(config, None).expect("opens");
    for n in 0_u64.. {
        put(&store, numbered(n));
        println!("durable {n}");
    }
}

const CRASH_DIR: &str = "KAUSAL_RAW_CRASH_DIR";

fn numbered(n: u64) -> ForeignBatch {
    let mut id = [9; 16];
    id[8..].copy_from_slice(&n.to_be_bytes());
    let spans: Vec<_> = (0..5).map(|span| Sent { trace: TraceId(id), span, ..SENT }).collect();
    batch(&spans)
}

#[test]
fn a_killed_process_loses_nothing_it_acknowledged() {
    use std::io::BufRead as _;
    let desk = Desk::new();
    let dir = desk.dir.path().join("raw");
    let mut child = std::process::Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "child", "--nocapture"])
        .env(CRASH_DIR, &dir)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    let out = std::io::BufReader::new(child.stdout.take().expect("piped"));
    let mut numbers = out
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix("durable ")?.parse::<u64>().ok());
    assert_eq!(numbers.by_ref().take(50).count(), 50);
    child.kill().expect("it can be killed");
    let last = numbers.last().unwrap_or(49);
    child.wait().expect("it is gone");
    let store = desk.open();
    for n in 0..=last {
        let batch = numbered(n);
        let id = batch.iter().next().expect("a span").trace;
        assert_eq!(trace(&store, id).len(), 5, "batch {n} of {last}");
    }
    assert!(found(&store, &ForeignQuery::default()).len() as u64 > last);
}
