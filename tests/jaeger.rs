//! A real Jaeger reads the capture through the storage plugin, and tells what `kausal trace` tells.

#![expect(clippy::print_stderr, reason = "what was measured is part of the result")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kausal_testkit::bed::{AllInOne, Bed, Jaeger, JaegerSpan, JaegerTrace, Kausal};
use kausal_testkit::{capture, process};
use serde_json::{Value, json};

const REPLICA_SETS: &str = "replicasets";
const FULL_TREE: &str = "tracing [full tree]";
/// Of the 64: each display, each way along owner references, and each other modifier.
const MODES: [&str; 11] = [
    "tracing",
    "tracing [full tree]",
    "tracing [ancestors]",
    "tracing [owned objects]",
    "tree",
    "tree [full tree]",
    "tree [ancestors]",
    "tree [owned objects]",
    "timeline [owned objects]",
    "grouped [full tree + related]",
    "tree [owned objects + related + quiet]",
];
/// The hour of the capture, 20 Nov 2026 15:00 UTC, in the microseconds Jaeger counts in.
const HOUR: [(&str, &str); 2] = [("start", "1795186800000000"), ("end", "1795190400000000")];
const LIMIT: Duration = Duration::from_mins(1);

#[test]
fn jaeger_tells_what_kausal_trace_tells() {
    let dir = tempfile::tempdir().expect("a folder");
    let kausal = Kausal::new(env!("CARGO_BIN_EXE_kausal"), dir.path());
    let log = capture::folder().join("audit.jsonl.gz").display().to_string();
    kausal.run(&["ingest", "--cluster", "capture", "--store", "store", &log]);
    let server = kausal.all_in_one(None);
    let jaeger = Jaeger::start(&Bed::find(), dir.path(), server.at().grpc);
    process::wait_for("the plugin behind Jaeger", LIMIT, || jaeger.services());

    services_are_modes_and_operations_are_clusters(&jaeger);
    what_a_search_finds_can_be_opened(&jaeger);
    any_stored_attribute_can_be_searched(&jaeger);
    a_search_answers_with_many_traces(&jaeger);
    the_tree_is_that_of_the_command_line(&jaeger, &server);
    unknown_ids_are_not_found(&jaeger);
}

fn services_are_modes_and_operations_are_clusters(jaeger: &Jaeger) {
    let services: BTreeSet<_> = jaeger.services().unwrap_or_default().into_iter().collect();
    assert_eq!(services.len(), 64);
    assert!(services.is_superset(&MODES.map(str::to_owned).into()), "{services:?}");
    for service in services {
        assert_eq!(jaeger.operations(&service), ["capture"], "{service}");
    }
}

fn web() -> Value {
    json!({"resource": "deployments", "name": "web", "namespace": "shop"})
}

fn search(jaeger: &Jaeger, service: &str, tags: &Value) -> Vec<JaegerTrace> {
    search_up_to(20, jaeger, service, tags)
}

fn search_up_to(limit: usize, jaeger: &Jaeger, service: &str, tags: &Value) -> Vec<JaegerTrace> {
    let [start, end] = HOUR;
    let limit = limit.to_string();
    let query = [("service", service), ("operation", "capture"), ("limit", &limit), start, end];
    jaeger.search(&query, tags)
}

fn what_a_search_finds_can_be_opened(jaeger: &Jaeger) {
    for mode in MODES {
        let found = search(jaeger, mode, &web());
        assert!(!found.is_empty(), "{mode} finds nothing");
        for trace in found {
            check_trace(&trace);
            assert_eq!(jaeger.trace(&trace.id).as_ref(), Some(&trace), "{mode} {}", trace.id);
        }
    }
}

fn any_stored_attribute_can_be_searched(jaeger: &Jaeger) {
    let check = |tags: Value, expect: &[(&str, &str)]| {
        let found = search(jaeger, "tracing", &tags);
        let roots: BTreeSet<_> = found.iter().map(|trace| title(root(trace))).collect();
        for (service, operation) in expect {
            let wanted = ((*service).to_owned(), (*operation).to_owned());
            assert!(roots.contains(&wanted), "{tags}: {wanted:?} is not in {roots:?}");
        }
        assert_eq!(expect.is_empty(), roots.is_empty(), "{tags}: {roots:?}");
    };
    check(
        json!({"username": "bob@example.com", "subresource": "scale"}),
        &[("deployments", "shop web")],
    );
    check(
        json!({"username": "mallory@example.com", "http.response.status_code": "403"}),
        &[("deployments", "shop web")],
    );
    check(
        json!({"username": "alice@example.com", "error": "true", "error.reason": "Invalid"}),
        &[("deployments", "shop web")],
    );
    check(json!({"username": "nobody@example.com"}), &[]);
    check(json!({"name": "web", "cluster": "elsewhere"}), &[]);
}

fn a_search_answers_with_many_traces(jaeger: &Jaeger) {
    let found = search_up_to(7, jaeger, "tracing [full tree]", &json!({"namespace": "shop"}));
    let ids: BTreeSet<_> = found.iter().map(|trace| &trace.id).collect();
    assert_eq!(ids.len(), 7);
    found.iter().for_each(check_trace);
}

fn the_tree_is_that_of_the_command_line(jaeger: &Jaeger, server: &AllInOne) {
    for mode in MODES {
        let told = server.run(&["trace", "deploy/web", "-n", "shop", "--mode", mode, "-o", "otlp"]);
        let told: Value = serde_json::from_str(&told).expect("JSON");
        let told = spans_of(&told);
        let ids: BTreeSet<_> = told.iter().map(|span| text(&span["traceId"])).collect();
        let [id] = Vec::from_iter(ids).try_into().expect("one trace");
        let trace = jaeger.trace(&id).unwrap_or_else(|| panic!("{mode}: {id} is not there"));
        check_trace(&trace);
        let told: BTreeMap<_, _> =
            told.iter().map(|span| (text(&span["spanId"]), sketch(span))).collect();
        let shown = trace.spans.iter().map(|(id, span)| (id.clone(), sketch_of(span))).collect();
        assert_eq!(told, shown, "{mode}");
        eprintln!("{mode}: {} spans, {} events", told.len(), events(&trace));
        if mode == FULL_TREE {
            check_content(&trace);
        }
    }
}

/// What must be the same wherever it is asked.
#[derive(Debug, PartialEq)]
struct Sketch {
    parent: Option<String>,
    operation: String,
    events: usize,
    warnings: Vec<String>,
}

fn sketch(span: &Value) -> Sketch {
    let attributes = list(&span["attributes"]);
    let warnings = attributes.iter().find(|attribute| attribute["key"] == "@jaeger@warnings");
    let warnings = warnings.map_or(&Value::Null, |all| &all["value"]["arrayValue"]["values"]);
    Sketch {
        parent: span["parentSpanId"].as_str().map(str::to_owned),
        operation: text(&span["name"]),
        events: list(&span["events"]).len(),
        warnings: list(warnings).iter().map(|warning| text(&warning["stringValue"])).collect(),
    }
}

fn sketch_of(span: &JaegerSpan) -> Sketch {
    Sketch {
        parent: span.parent.clone(),
        operation: span.operation.clone(),
        events: span.logs.len(),
        warnings: span.warnings.clone(),
    }
}

fn spans_of(otlp: &Value) -> Vec<Value> {
    let resources = list(&otlp["resourceSpans"]).into_iter();
    let scopes = resources.flat_map(|resource| list(&resource["scopeSpans"]));
    scopes.flat_map(|scope| list(&scope["spans"])).collect()
}

/// What holds for every trace: its spans carry its id, form one tree, and Jaeger has nothing to
/// remark about their times and parents. Remarks of our own are compared elsewhere.
fn check_trace(trace: &JaegerTrace) {
    assert!(trace.id.starts_with("ff"), "{} is no view", trace.id);
    assert_eq!(trace.warnings, [""; 0], "{}", trace.id);
    let roots = trace.spans.values().filter(|span| span.parent.is_none()).count();
    assert_eq!(roots, 1, "{}", trace.id);
    for (id, span) in &trace.spans {
        assert_eq!(span.trace, trace.id, "{id}");
        let remarked = span.warnings.iter().any(|warning| {
            ["clock skew", "span ID", "link"].iter().any(|of_jaeger| warning.contains(of_jaeger))
        });
        assert!(!remarked, "{} {id} {}: {:?}", trace.id, span.operation, span.warnings);
        let parent_is_there = span.parent.as_ref().is_none_or(|id| trace.spans.contains_key(id));
        assert!(parent_is_there, "{} {id} {:?}", trace.id, span.parent);
    }
}

/// The Deployment over its four revisions, these over their Pods, as counted in the capture; and
/// what people did.
fn check_content(trace: &JaegerTrace) {
    let parent = |span: &JaegerSpan| span.parent.as_ref().map(|id| title(&trace.spans[id]));
    let mut pods: BTreeMap<_, usize> = BTreeMap::new();
    for pod in trace.spans.values().filter(|span| span.service == "pods") {
        *pods.entry(parent(pod).expect("a Pod has a parent")).or_default() += 1;
    }
    let revisions = [("597699c6dd", 10), ("5b5558c86", 2), ("68b687dc", 5), ("b5556679d", 7)];
    let revisions = revisions
        .map(|(hash, count)| ((REPLICA_SETS.to_owned(), format!("shop web-{hash}")), count));
    assert_eq!(pods, revisions.into());
    for set in trace.spans.values().filter(|span| span.service == REPLICA_SETS) {
        assert_eq!(parent(set), Some(title(root(trace))));
    }
    assert_eq!(title(root(trace)), ("deployments".into(), "shop web".into()));
    assert_eq!(trace.spans.len(), 1 + 4 + 24);

    let check = |username: &str, tags: &[(&str, &str)]| {
        let is_it = |log: &BTreeMap<String, String>| {
            let has = |(key, value): &(&str, &str)| log.get(*key).is_some_and(|is| is == value);
            has(&("username", username)) && tags.iter().all(has)
        };
        assert!(root(trace).logs.iter().any(is_it), "{username} {tags:?}: {:#?}", root(trace));
    };
    check("bob@example.com", &[("diff", "spec.replicas 3 -> 5")]);
    check("mallory@example.com", &[("http.response.status_code", "403")]);
    check(
        "alice@example.com",
        &[("http.response.status_code", "422"), ("error.reason", "Invalid")],
    );
}

fn root(trace: &JaegerTrace) -> &JaegerSpan {
    trace.spans.values().find(|span| span.parent.is_none()).expect("a root")
}

fn title(span: &JaegerSpan) -> (String, String) {
    (span.service.clone(), span.operation.clone())
}

fn events(trace: &JaegerTrace) -> usize {
    trace.spans.values().map(|span| span.logs.len()).sum()
}

fn unknown_ids_are_not_found(jaeger: &Jaeger) {
    let view = search(jaeger, "tracing", &web()).pop().expect("a trace").id;
    let (rest, _) = view.split_at(view.len() - 14);
    for id in [
        "0123456789abcdef0123456789abcdef".to_owned(),
        // A view of no object, one of no mode, and a day nobody wrote on.
        format!("{rest}{:014x}", 0x00ab_cdef),
        format!("ff77777777{}", view.split_at(10).1),
        format!("02{:014x}{:016x}", 0x00ab_cdef, 20_777),
    ] {
        assert!(jaeger.trace(&id).is_none(), "{id}");
    }
    assert_eq!(jaeger.get("/api/traces/nonsense").status, 400);
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}
