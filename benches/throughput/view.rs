//! Opening a view of 200 objects: a ReplicaSet and 199 pods, made from one of the capture's.

use std::sync::Arc;

use kausal_consumers::sink::StoreSink;
use kausal_runtime::clock::Stopwatch;
use kausal_storage_plugin::{ObjectQuery, ReadConfig, Reader, Stop};
use kausal_store::SpanStore;
use kausal_testkit::capture;
use kausal_trace::TraceId;

use crate::rows::{self, Figures};

/// A pod of the capture and its uid, which stand for each of the 199.
const POD: &str = "web-597699c6dd-vh7sk";
const REPLICA_SET: &str = "web-597699c6dd\"";
const PODS: usize = 199;
const OPENINGS: usize = 500;

/// Opens the view many times.
pub(crate) fn run() -> Figures {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("audit.jsonl");
    std::fs::write(&file, log()).expect("the log");
    let store = rows::open(dir.path());
    rows::ingest(&rows::pipeline(Arc::new(StoreSink::new(store.clone()))), &file);
    store.flush().expect("in table files");
    let limits = ReadConfig::default().validate().expect("the default limits");
    let reader = Reader::new(store as Arc<dyn SpanStore>, limits);
    let query = ObjectQuery {
        namespace: Some("shop".to_owned()),
        mode: Some("tracing [owned objects]".parse().expect("a mode")),
        ..ObjectQuery::typed("rs/web-597699c6dd", None).expect("an object")
    };
    let view = reader.view(&query, &Stop::default()).expect("a view");
    let (objects, id) =
        (view.spans.iter().filter(|span| span.parent.is_some()).count() + 1, view.id);
    assert!(objects >= PODS, "{objects} objects");
    let facts = reader.stats().expect("stats").facts;
    let mut millis: Vec<f64> = (0..OPENINGS).map(|_| open(&reader, id)).collect();
    millis.sort_by(f64::total_cmp);
    let at = |share: f64| millis[((OPENINGS - 1) as f64 * share) as usize];
    let more = format!(
        "view of {objects} objects, {facts} facts: {:.1} ms median, {:.1} ms p99 over {OPENINGS} openings",
        at(0.5),
        at(0.99)
    );
    rows::measured(|| (OPENINGS as u64, more))
}

fn open(reader: &Reader, id: TraceId) -> f64 {
    let watch = Stopwatch::start();
    let messages = reader.messages(id, &Stop::default()).expect("messages");
    assert!(!messages.is_empty());
    watch.elapsed().as_secs_f64() * 1_000.0
}

/// The ReplicaSet's events, and the pod's once for each of the pods.
fn log() -> String {
    let log = capture::audit_log();
    let uid = log
        .lines()
        .filter(|line| line.contains(POD))
        .find_map(|line| line.split_once(&format!("\"name\":\"{POD}\",\"generateName\"")))
        .and_then(|(_, rest)| rest.split_once("\"uid\":\""))
        .and_then(|(_, rest)| rest.get(..36))
        .expect("the pod's uid")
        .to_owned();
    let mut out = String::new();
    for line in
        log.lines().filter(|line| line.contains(REPLICA_SET) && line.contains("replicasets"))
    {
        out.push_str(line);
        out.push('\n');
    }
    for pod in 0..PODS {
        let mine = format!("\"name\":\"{POD}\"");
        let of_it = |line: &&str| line.contains(&mine) && line.contains("\"resource\":\"pods\"");
        for line in log.lines().filter(of_it) {
            let line = line.replace(POD, &format!("web-597699c6dd-p{pod:04}"));
            let line =
                line.replace(&uid, &format!("{pod:08x}{}", uid.get(8..).unwrap_or_default()));
            out.push_str(&line.replace("\"auditID\":\"", &format!("\"auditID\":\"{pod:03x}-")));
            out.push('\n');
        }
    }
    out
}
