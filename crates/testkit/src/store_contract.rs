//! What every span store must do, as one suite that each implementation runs.
//!
//! Never here: durability and crashes; those need the implementation's own seams.

use std::collections::BTreeSet;

use kausal_object::KeyRef;
use kausal_store::{ReadBudget, SearchBudget, SearchHit, SearchQuery, SpanStore, StoreError};
use kausal_trace::{
    Day, FactKind, KeyHash, NewSpan, SpanBatch, SpanId, SpanRecord, SpanRef, TraceId, UnixNanos,
    Window,
};

/// The window most facts of the suite lie in: 2026-11-20T15:00:00Z.
pub const WINDOW: Window = Window(997_326);

/// Runs the suite; `make` gives an empty store each time.
pub fn store_contract<S: SpanStore>(make: impl Fn() -> S) {
    many_traces_come_in_one_call(&make());
    a_redelivery_is_seen_once_and_other_sights_are_kept(&make());
    foreign_traces_are_refused_whole(&make());
    budgets_cut_reading_and_say_so(&make());
    every_form_of_value_is_found(&make());
    attributes_must_meet_on_one_span(&make());
    hits_are_the_newest_first(&make());
    budgets_end_a_search_and_say_so(&make());
    a_search_goes_on_where_its_budget_ended(&make());
    search_agrees_with_looking_at_every_span(&make());
    clusters_are_remembered(&make());
    it_counts(&make());
}

/// A fact to store: an object by name, a time, attributes.
#[derive(Clone, Debug)]
pub struct Fact<'a> {
    /// Name of the object; each has a trace of its own.
    pub object: &'a str,
    /// Window of the fact.
    pub window: Window,
    /// Milliseconds into the window.
    pub millis: u64,
    /// Stored name of the span.
    pub name: &'a str,
    /// What the span id is made of, with the object.
    pub id: u64,
    /// String attributes.
    pub attributes: Vec<(&'a str, String)>,
}

impl<'a> Fact<'a> {
    /// A fact of [`WINDOW`] without attributes.
    pub fn new(object: &'a str, millis: u64) -> Self {
        let id = millis;
        Self { object, window: WINDOW, millis, name: "audit patch", id, attributes: Vec::new() }
    }

    /// With one more attribute.
    #[must_use]
    pub fn with(mut self, name: &'a str, value: &str) -> Self {
        self.attributes.push((name, value.to_owned()));
        self
    }

    /// In another window.
    #[must_use]
    pub fn in_window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }

    /// Its trace.
    pub fn trace(&self) -> TraceId {
        TraceId::facts(key(self.object), self.window)
    }

    /// Its span id.
    pub fn span(&self) -> SpanId {
        SpanId::derived(self.trace(), &[&self.id.to_be_bytes()])
    }

    /// When it starts.
    pub fn start(&self) -> UnixNanos {
        UnixNanos(self.window.start().0 + self.millis * 1_000_000)
    }

    /// Encodes it.
    pub fn write(&self, batch: &mut SpanBatch) {
        let (trace, span, start) = (self.trace(), self.span(), self.start());
        let mut writer = batch.open(NewSpan { trace, span, name: self.name, start, end: start });
        writer.str("cluster", "c1").str("name", self.object);
        for (name, value) in &self.attributes {
            writer.str(name, value);
        }
    }
}

/// The hash of the suite's object of this name.
pub fn key(object: &str) -> KeyHash {
    let (cluster, resource, namespace) = ("c1", "pods", "shop");
    KeyHash::of(KeyRef { cluster, group: "", resource, namespace, name: object })
}

/// Submits and waits until it is durable.
///
/// # Panics
/// When it does not become durable.
pub fn put<S: SpanStore>(store: &S, facts: &[Fact<'_>]) {
    let mut batch = SpanBatch::default();
    for fact in facts {
        fact.write(&mut batch);
    }
    submit(store, batch).expect("stored");
}

/// Submits and waits for the answer.
///
/// # Panics
/// When there is none.
pub fn submit<S: SpanStore>(store: &S, batch: SpanBatch) -> Result<(), StoreError> {
    store.submit(batch).blocking_recv().expect("every batch is answered")
}

fn spans_of<S: SpanStore>(store: &S, id: TraceId) -> Vec<Box<[u8]>> {
    let mut traces = store.traces(&[id], ReadBudget::default()).expect("readable");
    traces.pop().map(|trace| trace.spans).unwrap_or_default()
}

fn found<S: SpanStore>(store: &S, query: &SearchQuery) -> Vec<SpanId> {
    let answer = store.search(query).expect("readable");
    assert!(!answer.exhausted, "{query:?}");
    answer.hits.iter().map(|hit| hit.span).collect()
}

fn many_traces_come_in_one_call<S: SpanStore>(store: &S) {
    let facts: Vec<Fact<'_>> = ["a", "b", "c"].map(|object| Fact::new(object, 5)).to_vec();
    let (catalogue, day) = (TraceId::catalogue(key("a"), WINDOW.day()), WINDOW.day());
    let mut batch = SpanBatch::default();
    for fact in &facts {
        fact.write(&mut batch);
    }
    let span = SpanId::derived(catalogue, &[b"frame"]);
    let (start, end) = (day.start(), day.end());
    batch.open(NewSpan { trace: catalogue, span, name: "object", start, end }).str("name", "a");
    let stored: Vec<Vec<u8>> = batch.iter().map(|record| record.bytes.to_vec()).collect();
    submit(store, batch).expect("stored");

    let missing = Fact::new("nobody", 5).trace();
    let asked = [catalogue, facts[2].trace(), missing, facts[0].trace(), facts[2].trace()];
    let traces = store.traces(&asked, ReadBudget::default()).expect("readable");
    let ids: Vec<TraceId> = traces.iter().map(|trace| trace.id).collect();
    assert_eq!(ids, [catalogue, facts[2].trace(), facts[0].trace()]);
    let bytes: Vec<&[u8]> = traces.iter().flat_map(|t| &t.spans).map(|span| &**span).collect();
    assert_eq!(bytes, [&stored[3], &stored[2], &stored[0]]);
    assert!(traces.iter().all(|trace| !trace.cut));
    let other_day = TraceId::catalogue(key("a"), Day(day.0 + 1));
    assert!(store.traces(&[other_day], ReadBudget::default()).expect("readable").is_empty());
}

fn a_redelivery_is_seen_once_and_other_sights_are_kept<S: SpanStore>(store: &S) {
    let fact = Fact::new("web", 1).with("verb", "patch");
    put(store, &[fact.clone(), fact.clone()]);
    put(store, std::slice::from_ref(&fact));
    assert_eq!(spans_of(store, fact.trace()).len(), 1);
    assert_eq!(found(store, &SearchQuery::newest(10).with("verb", "patch")), [fact.span()]);

    let other_sight = fact.clone().with("truncated", "apiserver cut the bodies");
    put(store, std::slice::from_ref(&other_sight));
    assert_eq!(spans_of(store, fact.trace()).len(), 2);
    let hits = store.search(&SearchQuery::newest(10).with("verb", "patch")).expect("readable").hits;
    assert_eq!(hits.len(), 1, "one hit a span, whatever its sights");
    assert!(SpanRef::parse(&hits[0].bytes).expect("a span").get("truncated").is_some());
}

fn foreign_traces_are_refused_whole<S: SpanStore>(store: &S) {
    let fact = Fact::new("web", 1);
    let trace = TraceId([7; 16]);
    let mut batch = SpanBatch::default();
    fact.write(&mut batch);
    batch.push_encoded(SpanRecord { trace, span: SpanId([1; 8]), bytes: b"" });
    assert_eq!(submit(store, batch), Err(StoreError::ForeignTrace { trace }));
    assert!(spans_of(store, fact.trace()).is_empty());
    assert!(spans_of(store, trace).is_empty());
}

fn budgets_cut_reading_and_say_so<S: SpanStore>(store: &S) {
    let facts: Vec<Fact<'_>> = (0..10).map(|millis| Fact::new("web", millis)).collect();
    put(store, &facts);
    put(store, &[Fact::new("other", 1)]);
    let ids = [facts[0].trace(), Fact::new("other", 1).trace()];
    let read = |spans_max, bytes_max| {
        let traces = store.traces(&ids, ReadBudget { spans_max, bytes_max }).expect("readable");
        traces.iter().map(|trace| (trace.spans.len(), trace.cut)).collect::<Vec<_>>()
    };
    assert_eq!(read(100, 1 << 20), [(10, false), (1, false)]);
    assert_eq!(read(10, 1 << 20), [(10, false), (0, true)]);
    assert_eq!(read(4, 1 << 20), [(4, true), (0, true)]);
    assert_eq!(read(100, 0), [(0, true), (0, true)]);
}

fn every_form_of_value_is_found<S: SpanStore>(store: &S) {
    let fact = Fact::new("web", 1);
    let (trace, span, start) = (fact.trace(), fact.span(), fact.start());
    let mut batch = SpanBatch::default();
    batch
        .open(NewSpan { trace, span, name: "audit patch", start, end: start })
        .str("cluster", "c1")
        .str("username", "alice")
        .str("uid", "b442b83c-0000")
        .int("http.response.status_code", 422)
        .bool("dry_run", true)
        .strs("groups", ["dev", "ops"].into_iter())
        .str("request.uri", &"/".repeat(3_000));
    submit(store, batch).expect("stored");
    for (name, value, hit) in [
        ("username", "alice", true),
        ("username", "bob", false),
        ("username", "", false),
        ("uid", "b442b83c-0000", true),
        ("uid", "b442b83c-0001", false),
        ("http.response.status_code", "422", true),
        ("http.response.status_code", "42", false),
        ("dry_run", "true", true),
        ("dry_run", "false", false),
        ("groups", "dev", true),
        ("groups", "ops", true),
        ("groups", "qa", false),
        ("request.uri", &"/".repeat(3_000), true),
        ("no.such.attribute", "x", false),
    ] {
        let spans = found(store, &SearchQuery::newest(10).with(name, value));
        assert_eq!(spans.len(), usize::from(hit), "{name}={value}");
    }
}

fn attributes_must_meet_on_one_span<S: SpanStore>(store: &S) {
    let alice = Fact::new("web", 1).with("username", "alice").with("verb", "patch");
    let bob = Fact::new("web", 2).with("username", "bob").with("verb", "delete");
    put(store, &[alice.clone(), bob]);
    let query = |user: &str, verb: &str| {
        found(store, &SearchQuery::newest(10).with("username", user).with("verb", verb))
    };
    assert_eq!(query("alice", "patch"), [alice.span()]);
    assert!(query("alice", "delete").is_empty());
}

fn hits_are_the_newest_first<S: SpanStore>(store: &S) {
    let names = ["a", "b", "c", "d"];
    let facts: Vec<Fact<'_>> = (0..60_u64)
        .map(|n| {
            let object = names[n as usize % names.len()];
            let window = Window(WINDOW.0 - n % 3 * 40);
            let mut fact = Fact::new(object, n * 25_000).in_window(window).with("verb", "patch");
            fact.id = n;
            fact
        })
        .collect();
    put(store, &facts);
    let mut newest: Vec<(UnixNanos, SpanId)> =
        facts.iter().map(|fact| (fact.start(), fact.span())).collect();
    newest.sort_unstable_by(|a, b| b.cmp(a));
    let expect: Vec<SpanId> = newest.iter().map(|(_, span)| *span).collect();
    for limit in [0, 1, 7, 20, 60, 100] {
        let shown = &expect[..limit.min(expect.len())];
        assert_eq!(found(store, &SearchQuery::newest(limit)), shown, "{limit}");
        let by_verb = SearchQuery::newest(limit).with("verb", "patch");
        assert_eq!(found(store, &by_verb), shown, "{limit}");
    }
    let (from, to) = (newest[40].0, newest[10].0);
    let between = SearchQuery { from: Some(from), to: Some(to), ..SearchQuery::newest(100) };
    assert_eq!(found(store, &between), &expect[11..=40]);
}

fn budgets_end_a_search_and_say_so<S: SpanStore>(store: &S) {
    let names: Vec<String> = (0..50).map(|n| format!("pod-{n}")).collect();
    let facts: Vec<Fact<'_>> =
        names.iter().map(|name| Fact::new(name, 1).with("verb", "patch")).collect();
    put(store, &facts);
    let unlimited = SearchBudget::default();
    for budget in [
        SearchBudget { candidates_max: 10, ..unlimited },
        SearchBudget { spans_max: 10, ..unlimited },
        SearchBudget { entries_max: 10, ..unlimited },
    ] {
        let query = SearchQuery { budget, ..SearchQuery::newest(50).with("verb", "patch") };
        let answer = store.search(&query).expect("readable");
        assert!(answer.exhausted && answer.hits.len() <= 10, "{budget:?}: {}", answer.hits.len());
    }
    let whole = store.search(&SearchQuery::newest(50).with("verb", "patch")).expect("readable");
    assert_eq!((whole.exhausted, whole.hits.len(), whole.candidates), (false, 50, 50));
}

/// What a search says to have reached was seen in full, so that pieces of work make the whole.
fn a_search_goes_on_where_its_budget_ended<S: SpanStore>(store: &S) {
    let names: Vec<String> = (0..300).map(|n| format!("pod-{n}")).collect();
    let facts = names.iter().enumerate();
    let facts =
        facts.map(|(n, name)| Fact::new(name, n as u64 * 997 % 240_000).with("verb", "patch"));
    let facts: Vec<Fact<'_>> = facts.collect();
    facts.chunks(70).for_each(|chunk| put(store, chunk));
    let query = SearchQuery::newest(300).with("verb", "patch");
    let (mut seen, mut to) = (Vec::new(), None);
    let mut budget = SearchBudget { candidates_max: 9, ..SearchBudget::default() };
    loop {
        let piece = SearchQuery { to, budget, ..query.clone() };
        let answer = store.search(&piece).expect("readable");
        let reached = answer.reached.filter(|_| answer.exhausted);
        let whole = |hit: &&SearchHit| reached.is_none_or(|reached| hit.start >= reached);
        match reached {
            None if answer.exhausted => budget.candidates_max *= 2,
            _ => seen.extend(answer.hits.iter().filter(whole).map(|hit| hit.span)),
        }
        to = reached.or(to);
        if !answer.exhausted {
            break;
        }
    }
    assert_eq!(seen, expected(&facts, &query));
}

/// Many spans with few values each, so that posting lists interleave in every way, and all
/// conjunctions of two, against a plain filter.
fn search_agrees_with_looking_at_every_span<S: SpanStore>(store: &S) {
    let mut random = Random(7);
    let users = ["alice", "bob", "carol"];
    let verbs = ["create", "patch", "delete"];
    let kinds = ["audit patch", "event", "change"];
    let names: Vec<String> = (0..12).map(|n| format!("pod-{n}")).collect();
    let mut facts = Vec::new();
    for id in 0..400 {
        let mut fact = Fact::new(&names[random.below(names.len())], random.below(1_800_000) as u64)
            .in_window(Window(WINDOW.0 - random.below(60) as u64))
            .with("username", users[random.below(users.len())])
            .with("verb", verbs[random.below(verbs.len())])
            .with("uid", &format!("uid-{}", random.below(40)));
        fact.name = kinds[random.below(kinds.len())];
        fact.id = id;
        facts.push(fact);
    }
    facts.chunks(37).for_each(|chunk| put(store, chunk));
    for _ in 0..300 {
        let one = &facts[random.below(facts.len())].attributes;
        let other = &facts[random.below(facts.len())].attributes;
        let mut query = SearchQuery::newest(1 + random.below(30));
        for (name, value) in [&one[random.below(3)], &other[random.below(3)]] {
            query = query.with(name, value);
        }
        if random.below(3) == 0 {
            query.kinds = vec![FactKind::Event];
        }
        if random.below(3) == 0 {
            query.from = Some(Window(WINDOW.0 - random.below(60) as u64).start());
        }
        assert_eq!(found(store, &query), expected(&facts, &query), "{query:?}");
    }
}

fn expected(facts: &[Fact<'_>], query: &SearchQuery) -> Vec<SpanId> {
    let is_hit = |fact: &&Fact<'_>| {
        let kind = FactKind::from_span_name(fact.name).expect("a kind");
        query
            .attributes
            .iter()
            .all(|(name, value)| fact.attributes.iter().any(|(n, v)| n == name && v == value))
            && (query.kinds.is_empty() || query.kinds.contains(&kind))
            && query.from.is_none_or(|from| fact.start() >= from)
    };
    let hits: BTreeSet<_> =
        facts.iter().filter(is_hit).map(|fact| (fact.start(), fact.trace(), fact.span())).collect();
    hits.into_iter().rev().take(query.limit).map(|(_, _, span)| span).collect()
}

fn clusters_are_remembered<S: SpanStore>(store: &S) {
    assert!(store.clusters().expect("readable").is_empty());
    let fact = Fact::new("web", 1);
    for cluster in ["prod", "staging", "prod"] {
        let (trace, span, start) = (fact.trace(), fact.span(), fact.start());
        let mut batch = SpanBatch::default();
        batch
            .open(NewSpan { trace, span, name: "event", start, end: start })
            .str("cluster", cluster);
        submit(store, batch).expect("stored");
    }
    assert_eq!(store.clusters().expect("readable"), ["prod", "staging"]);
}

fn it_counts<S: SpanStore>(store: &S) {
    assert_eq!(store.stats().expect("readable").newest, None);
    let facts = [Fact::new("a", 1), Fact::new("b", 70_000).in_window(Window(WINDOW.0 + 1))];
    put(store, &facts);
    let stats = store.stats().expect("readable");
    assert_eq!((stats.facts, stats.frames, stats.expired), (2, 0, 0));
    assert_eq!(stats.newest, Some(facts[1].start()));
    assert_eq!(stats.oldest, Some(WINDOW.start()));
    assert_eq!((stats.writes.batches, stats.writes.spans), (1, 2));
}

/// A small generator, so that a failure comes again.
#[derive(Clone, Copy, Debug)]
pub struct Random(pub u64);

impl Random {
    /// A number under `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}
