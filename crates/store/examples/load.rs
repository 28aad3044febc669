//! Fills an embedded store with spans like those of a real audit log and says what it cost.
//!
//! `cargo run --release -p kausal-store --example load -- [COPIES] [BATCH] [DIR]`
//!
//! Spans are made from the bundled capture: writes and Events only, bodies without
//! `managedFields`, each copy in namespaces of its own with fresh audit ids and uids.

#![allow(clippy::print_stdout, reason = "its output is its purpose")]
#![allow(clippy::disallowed_methods, reason = "it measures time")]
#![allow(clippy::cast_precision_loss, reason = "figures for people to read")]

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use kausal_object::KeyRef;
use kausal_store::{EmbeddedConfig, EmbeddedStore, ReadBudget, SearchQuery, SpanStore};
use kausal_trace::{Day, KeyHash, NewSpan, SpanBatch, SpanId, TraceId, UnixNanos, Window};
use serde_json::Value;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CAPTURE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/capture/audit.jsonl.gz");

fn main() {
    let mut arguments = std::env::args().skip(1);
    let copies: usize = arguments.next().map_or(40, |text| text.parse().expect("a number"));
    let batch_spans: usize = arguments.next().map_or(500, |text| text.parse().expect("a number"));
    let kept = arguments.next().map(PathBuf::from);
    let temporary = tempfile::tempdir().expect("a folder");
    let dir = kept.unwrap_or_else(|| temporary.path().join("store"));
    let templates = templates();
    let store = EmbeddedStore::open(&EmbeddedConfig::new(&dir), None).expect("opens");

    let (before, began) = (cpu_seconds(), Instant::now());
    let mut load = Load::new(&store, batch_spans);
    for copy in 0..copies {
        for template in &templates {
            load.add(template, copy);
        }
    }
    load.finish();
    let wall = began.elapsed().as_secs_f64();
    println!("peak memory while writing: {} MB, with the load itself", peak_rss_mb());
    store.flush().expect("flushes");
    costs(&store, wall, &before);
    sizes(&store);
    views(&store, &templates, copies);
    searches(&store, &templates);
    println!("peak memory: {} MB", peak_rss_mb());
}

fn costs(store: &EmbeddedStore, wall: f64, before: &HashMap<String, f64>) {
    let stats = store.stats().expect("readable");
    let writes = stats.writes;
    let spans = writes.spans as f64;
    println!(
        "{} spans ({} facts), mean {:.0} bytes, in {wall:.2} s, {:.0} a second",
        writes.spans,
        stats.facts,
        writes.bytes as f64 / spans,
        spans / wall
    );
    println!(
        "{} commits: {:.2} s writing, {:.2} s in fsync, slowest {} ms; {:.1} postings a span",
        writes.commits,
        writes.commit_micros as f64 / 1e6,
        writes.sync_micros as f64 / 1e6,
        writes.slowest_micros / 1_000,
        writes.postings as f64 / spans
    );
    for (name, seconds) in cpu_seconds() {
        let used = seconds - before.get(&name).unwrap_or(&0.0);
        println!("CPU of {name}: {used:.2} s, {:.2} us a span", used * 1e6 / spans);
    }
}

fn sizes(store: &EmbeddedStore) {
    let stats = store.stats().expect("readable");
    println!(
        "on disk, flushed: {:.0} bytes a span, of which index {:.0}; tables {} MB, journal {} MB",
        stats.bytes_per_span,
        stats.index_bytes as f64 / stats.writes.spans as f64,
        stats.table_bytes >> 20,
        stats.journal_bytes >> 20
    );
}

/// Opens views of 200 objects.
fn views(store: &EmbeddedStore, templates: &[Template], copies: usize) {
    let mut times = Vec::new();
    let mut spans = 0;
    for round in 0..100 {
        let copy = round * 7 % copies;
        let mut ids: Vec<TraceId> = templates.iter().map(|t| t.trace(copy)).collect();
        ids.sort();
        ids.dedup();
        ids.truncate(200);
        let began = Instant::now();
        let traces = store.traces(&ids, ReadBudget::default()).expect("readable");
        times.push(began.elapsed().as_micros());
        spans += traces.iter().map(|trace| trace.spans.len()).sum::<usize>();
    }
    times.sort_unstable();
    println!("200 traces of {} spans: p50 {} us, p99 {} us", spans / 100, times[50], times[98]);
}

fn searches(store: &EmbeddedStore, templates: &[Template]) {
    for query in [
        SearchQuery::newest(20),
        SearchQuery::newest(20).with("verb", "delete"),
        SearchQuery::newest(20).with("username", "alice@example.com").with("verb", "patch"),
        SearchQuery::newest(20).with("name", "web").with("namespace", "shop-3"),
        SearchQuery::newest(20).with("http.response.status_code", "403"),
        SearchQuery::newest(20).with("audit.id", &fresh(&templates[400].audit_id, 7)),
        SearchQuery::newest(20).with("name", "no-such-name"),
        SearchQuery::newest(20).with("user_agent.original", "no such agent"),
    ] {
        let began = Instant::now();
        let answer = store.search(&query).expect("readable");
        println!(
            "search {:?}: {} hits, {} candidates, exhausted {}, {} us",
            query.attributes,
            answer.hits.len(),
            answer.candidates,
            answer.exhausted,
            began.elapsed().as_micros()
        );
    }
}

struct Load<'s> {
    store: &'s EmbeddedStore,
    batch: SpanBatch,
    batch_spans: usize,
    waiting: Vec<kausal_store::Acknowledgement>,
    announced: std::collections::HashSet<TraceId>,
}

impl<'s> Load<'s> {
    fn new(store: &'s EmbeddedStore, batch_spans: usize) -> Self {
        Self {
            store,
            batch: SpanBatch::default(),
            batch_spans,
            waiting: Vec::new(),
            announced: std::collections::HashSet::default(),
        }
    }

    fn add(&mut self, template: &Template, copy: usize) {
        let trace = template.write(copy, &mut self.batch);
        if self.announced.insert(trace) {
            template.write_frame(copy, &mut self.batch);
        }
        if self.batch.len() >= self.batch_spans {
            self.submit();
        }
    }

    fn submit(&mut self) {
        self.waiting.push(self.store.submit(std::mem::take(&mut self.batch)));
        if self.waiting.len() >= 8 {
            self.wait(4);
        }
    }

    fn wait(&mut self, oldest: usize) {
        for acknowledgement in self.waiting.drain(..oldest) {
            acknowledgement.blocking_recv().expect("answered").expect("durable");
        }
    }

    fn finish(mut self) {
        self.submit();
        self.wait(self.waiting.len());
    }
}

struct Template {
    group: String,
    resource: String,
    namespace: String,
    name: String,
    uid: String,
    audit_id: String,
    start: UnixNanos,
    end: UnixNanos,
    code: i64,
    texts: Vec<(&'static str, String)>,
    groups: Vec<String>,
    request: String,
    response: String,
}

fn templates() -> Vec<Template> {
    let file = std::fs::File::open(Path::new(CAPTURE)).expect("the capture");
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("gzip");
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    events.filter_map(|event| Template::of(&event)).collect()
}

/// Another id of the same form for each copy.
fn fresh(id: &str, copy: usize) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ copy as u64;
    for byte in id.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let tail = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{:08x}-{}-{:012x}", hash as u32, id.get(9..23).unwrap_or(""), tail >> 16)
}

impl Template {
    fn of(event: &Value) -> Option<Self> {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or("");
        let verb = text("/verb");
        let resource = text("/objectRef/resource");
        if matches!(verb, "get" | "list" | "watch") || matches!(resource, "" | "leases") {
            return None;
        }
        let body = |name: &str| {
            let mut body = event.get(name)?.clone();
            body.pointer_mut("/metadata").and_then(Value::as_object_mut)?.remove("managedFields");
            Some(body.to_string())
        };
        let uid = event.pointer("/responseObject/metadata/uid").and_then(Value::as_str);
        let annotations = event.get("annotations").and_then(Value::as_object);
        let mut texts = vec![
            ("audit.stage", text("/stage").to_owned()),
            ("audit.level", text("/level").to_owned()),
            ("verb", verb.to_owned()),
            ("subresource", text("/objectRef/subresource").to_owned()),
            ("version", text("/objectRef/apiVersion").to_owned()),
            ("request.uri", text("/requestURI").to_owned()),
            ("username", text("/user/username").to_owned()),
            ("impersonated.username", text("/impersonatedUser/username").to_owned()),
            ("user_agent.original", text("/userAgent").to_owned()),
            ("client.address", text("/sourceIPs/0").to_owned()),
            ("error.reason", text("/responseStatus/reason").to_owned()),
            ("error.message", text("/responseStatus/message").to_owned()),
            ("resource.version", text("/requestObject/metadata/resourceVersion").to_owned()),
            ("resource.version.new", text("/responseObject/metadata/resourceVersion").to_owned()),
        ];
        for (key, value) in annotations.into_iter().flatten() {
            let name = match key.as_str() {
                "authorization.k8s.io/decision" => "authorization.decision",
                "authorization.k8s.io/reason" => "authorization.reason",
                _ => "audit.annotation.other",
            };
            texts.push((name, value.as_str().unwrap_or("").to_owned()));
        }
        let groups = event.pointer("/user/groups").and_then(Value::as_array);
        let time = |name: &str| UnixNanos::parse_rfc3339(text(name));
        Some(Self {
            group: text("/objectRef/apiGroup").to_owned(),
            resource: resource.to_owned(),
            namespace: text("/objectRef/namespace").to_owned(),
            name: text("/objectRef/name").to_owned(),
            uid: uid.unwrap_or("").to_owned(),
            audit_id: text("/auditID").to_owned(),
            start: time("/requestReceivedTimestamp")?,
            end: time("/stageTimestamp")?,
            code: event.pointer("/responseStatus/code").and_then(Value::as_i64).unwrap_or(0),
            texts,
            groups: groups
                .into_iter()
                .flatten()
                .filter_map(|group| group.as_str().map(str::to_owned))
                .collect(),
            request: body("requestObject").unwrap_or_default(),
            response: body("responseObject").unwrap_or_default(),
        })
    }

    fn namespace(&self, copy: usize) -> String {
        format!("{}-{copy}", self.namespace)
    }

    fn trace(&self, copy: usize) -> TraceId {
        let namespace = self.namespace(copy);
        TraceId::facts(KeyHash::of(self.key(&namespace)), Window::of(self.start))
    }

    fn key<'a>(&'a self, namespace: &'a str) -> KeyRef<'a> {
        KeyRef {
            cluster: "capture",
            group: &self.group,
            resource: &self.resource,
            namespace,
            name: &self.name,
        }
    }

    fn write(&self, copy: usize, batch: &mut SpanBatch) -> TraceId {
        let namespace = self.namespace(copy);
        let key = self.key(&namespace);
        let trace = self.trace(copy);
        let (audit_id, uid) = (fresh(&self.audit_id, copy), fresh(&self.uid, copy));
        let verb = &self.texts[2].1;
        let localized = |body: &str| {
            body.replace(
                &format!("\"namespace\":\"{}\"", self.namespace),
                &format!("\"namespace\":\"{namespace}\""),
            )
            .replace(&self.uid, &uid)
        };
        let mut span = batch.open(NewSpan {
            trace,
            span: SpanId::derived(trace, &[audit_id.as_bytes()]),
            name: &format!("audit {verb}"),
            start: self.start,
            end: self.end,
        });
        for (name, value) in
            ["cluster", "group", "resource", "namespace", "name"].iter().zip(key.parts())
        {
            span.str_some(name, value);
        }
        span.str("audit.id", &audit_id).int("http.response.status_code", self.code);
        for (name, value) in &self.texts {
            span.str_some(name, value);
        }
        span.strs("groups", self.groups.iter().map(String::as_str));
        if !self.uid.is_empty() {
            span.str("uid", &uid);
            span.str_some("request.object", &localized(&self.request));
            span.str_some("response.object", &localized(&self.response));
        }
        trace
    }

    fn write_frame(&self, copy: usize, batch: &mut SpanBatch) {
        let namespace = self.namespace(copy);
        let key = self.key(&namespace);
        let window = Window::of(self.start);
        let trace = TraceId::catalogue(KeyHash::of(key), Day::of(self.start));
        let mut span = batch.open(NewSpan {
            trace,
            span: SpanId::object(trace, key, window),
            name: "object",
            start: window.start(),
            end: window.end(),
        });
        for (name, value) in
            ["cluster", "group", "resource", "namespace", "name"].iter().zip(key.parts())
        {
            span.str_some(name, value);
        }
    }
}

/// CPU seconds by thread name.
fn cpu_seconds() -> HashMap<String, f64> {
    let mut seconds = HashMap::new();
    for task in std::fs::read_dir("/proc/self/task").expect("Linux").flatten() {
        let read = |name: &str| std::fs::read_to_string(task.path().join(name));
        let (Ok(name), Ok(times)) = (read("comm"), read("schedstat")) else { continue };
        let nanos = times.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0.0);
        *seconds.entry(name.trim().to_owned()).or_insert(0.0) += nanos / 1e9;
    }
    seconds
}

fn peak_rss_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).unwrap_or(0) / 1_024
}
