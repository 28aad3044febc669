//! Searches over a real store: what is one result, and where its id leads.

use std::collections::BTreeSet;

use kausal_object::ObjectKey;
use kausal_story::Mode;
use kausal_trace::{Day, IdParts, SpanBatch, SpanRecord, TraceId, Window};

use crate::testing::{Act, Bed, Facts, T0, at, key, web};
use crate::traces::{TraceQuery, Traces};
use crate::{ReadConfig, Reader, Stop};

fn asked(mode: &str, attributes: &[(&str, &str)]) -> TraceQuery {
    let attributes = attributes.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    TraceQuery { service: mode.into(), attributes: attributes.collect(), ..TraceQuery::default() }
}

fn ids(reader: &Reader, query: &TraceQuery) -> Vec<TraceId> {
    let found = reader.find(query, &Stop::default()).unwrap();
    found.into_iter().map(|found| found.id).collect()
}

/// The root of each result and the number of its objects.
fn results(reader: &Reader, query: &TraceQuery) -> Vec<(String, usize)> {
    let summaries = reader.summaries(query, &Stop::default()).unwrap();
    let mut results: Vec<_> =
        summaries.into_iter().map(|summary| (summary.root_operation, summary.spans)).collect();
    results.sort();
    results
}

fn check(bed: &Bed, mode: &str, attributes: &[(&str, &str)], expect: &[(&str, usize)]) {
    let results = results(&bed.reader, &asked(mode, attributes));
    let results: Vec<_> = results.iter().map(|(root, spans)| (root.as_str(), *spans)).collect();
    assert_eq!(results, expect, "{mode} {attributes:?}");
}

#[test]
fn hits_of_one_tree_are_one_result_where_the_mode_shows_the_tree() {
    let bed = Bed::new();
    bed.store(web(2));
    let shop = [("namespace", "shop")];
    let alone =
        [("shop web", 1), ("shop web-1", 1), ("shop web-1-0000", 1), ("shop web-1-0001", 1)];
    check(&bed, "tracing", &shop, &alone);
    check(&bed, "tracing [owned objects]", &shop, &[("shop web", 4)]);
    check(&bed, "tracing [full tree]", &shop, &[("shop web", 4)]);
    // Each pod has a view of its own, drawn from its topmost owner.
    check(&bed, "tracing [ancestors]", &shop, &[("shop web", 3), ("shop web", 3)]);
}

#[test]
fn hits_without_their_owner_are_one_result_where_each_shows_the_others() {
    let bed = Bed::new();
    bed.store(web(2));
    let pods = [("resource", "po")];
    let apart = [("shop web-1-0000", 1), ("shop web-1-0001", 1)];
    check(&bed, "tracing [owned objects]", &pods, &apart);
    check(&bed, "tracing [full tree]", &pods, &[("shop web", 4)]);
}

#[test]
fn what_the_view_has_no_room_for_stays_a_result_of_its_own() {
    let bed = Bed::with(ReadConfig { objects_max: 4, ..ReadConfig::default() });
    bed.store(web(3));
    let results = results(&bed.reader, &asked("tracing [owned objects]", &[("ns", "shop")]));
    let roots: BTreeSet<_> = results.iter().map(|(root, _)| root.as_str()).collect();
    assert!(roots.contains("shop web"), "{results:?}");
    assert!(roots.len() > 1, "{results:?}");
}

#[test]
fn hits_of_a_tree_that_lie_days_apart_are_results_of_their_own() {
    let bed = Bed::new();
    let (mut facts, set) = (web(1), key("c1/apps/replicasets/shop/web-1"));
    facts.act(&set, Act { at: at(3 * 86_400), uid: "u2", version: 9, ..Act::default() });
    bed.store(facts);
    let query = asked("tracing [owned objects]", &[("ns", "shop")]);
    let roots: Vec<_> = results(&bed.reader, &query).into_iter().map(|(root, _)| root).collect();
    assert_eq!(roots, ["shop web", "shop web-1"]);
}

/// The facts in another order, some of them twice, in commits of their own.
fn shuffled(facts: &Facts, step: usize) -> Vec<SpanBatch> {
    let records: Vec<SpanRecord<'_>> = facts.batch.iter().collect();
    let count = records.len();
    let step = (step..count).find(|step| gcd(*step, count) == 1).unwrap_or(1);
    let order = (0..count + count / 3).map(|n| n * step % count);
    let order: Vec<_> = order.filter_map(|at| records.get(at)).collect();
    let batch = |records: &[&SpanRecord<'_>]| {
        let mut batch = SpanBatch::default();
        for record in records {
            batch.push_encoded(**record);
        }
        batch
    };
    order.chunks(7).map(batch).collect()
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[test]
fn order_and_repetition_of_what_was_stored_never_show() {
    let facts = || {
        let (mut facts, day) = (web(4), Day::of(T0));
        let (owner, job) = (key("c1/example.com/backups/shop/web"), key("c1/batch/jobs/shop/b1"));
        facts.act(&owner, Act { at: at(70), uid: "b", ..Act::default() });
        facts.act(&job, Act { at: at(2_000), uid: "j", ..Act::default() }).owns(&owner, &job, day);
        facts
    };
    let bed = Bed::new();
    bed.store(facts());
    let queries: Vec<_> = Mode::all()
        .flat_map(|mode| {
            let mode = mode.to_string();
            [asked(&mode, &[("ns", "shop")]), asked(&mode, &[("user", "alice")]), asked(&mode, &[])]
        })
        .collect();
    for step in [1, 5, 11] {
        let other = Bed::new();
        for batch in shuffled(&facts(), step) {
            other.store(Facts { batch });
        }
        for query in &queries {
            let stop = Stop::default();
            let expect = bed.reader.summaries(query, &stop).unwrap();
            assert_eq!(other.reader.summaries(query, &stop).unwrap(), expect, "{query:?}");
            for summary in expect {
                let read = |bed: &Bed| bed.reader.messages(summary.id, &stop).unwrap();
                assert_eq!(read(&other), read(&bed), "{query:?}");
            }
        }
    }
}

#[test]
fn the_id_of_a_result_opens_the_same_view_on_any_reader_and_after_a_restart() {
    let bed = Bed::new();
    bed.store(web(3));
    let queries: Vec<_> =
        Mode::all().map(|mode| asked(&mode.to_string(), &[("ns", "shop")])).collect();
    let opened = |reader: &Reader| -> Vec<Vec<Vec<u8>>> {
        let ids = queries.iter().flat_map(|query| ids(reader, query));
        ids.map(|id| reader.messages(id, &Stop::default()).unwrap()).collect()
    };
    let before = opened(&bed.reader);
    assert!(before.iter().all(|messages| !messages.is_empty()));
    let limits = ReadConfig::default().validate().unwrap();
    assert_eq!(opened(&Reader::new(bed.store.clone(), limits)), before);
    assert_eq!(opened(&bed.reopened().reader), before);
}

#[test]
fn the_range_asked_for_bounds_the_view() {
    let bed = Bed::new();
    bed.store(web(0));
    let windows = |query: &TraceQuery| -> Vec<(Window, u64)> {
        let parts = ids(&bed.reader, query).into_iter().map(TraceId::parts);
        let view = parts.map(|parts| match parts {
            IdParts::View(view) => (view.first, view.windows),
            other => panic!("no view: {other:?}"),
        });
        view.collect()
    };
    let first = Window::of(T0);
    for attributes in [&[("resource", "deploy"), ("name", "web")][..], &[("user", "bob")]] {
        let any = asked("tracing", attributes);
        assert_eq!(windows(&any), [(Window(first.0 - 1), 3)]);
        let bounded = TraceQuery { from: Some(T0), to: Some(at(60)), ..any };
        assert_eq!(windows(&bounded), [(first, 1)]);
    }
}

/// Pods with an act each, a few in every second.
fn crowd(pods: i64) -> Facts {
    let mut facts = Facts::default();
    for pod in 0..pods {
        let object: ObjectKey = key(&format!("c1//pods/shop/web-{pod}"));
        let user = if pod == 0 { "alice" } else { "bob" };
        facts.act(&object, Act { at: at(pod / 40), user, ..Act::default() });
    }
    facts
}

#[test]
fn a_search_that_no_index_helps_goes_on_slice_by_slice() {
    let bed = Bed::new();
    bed.store(crowd(2_500));
    let uri = [("request.uri", "/apis/pods/web-0")];
    assert_eq!(ids(&bed.reader, &asked("tracing", &uri)).len(), 1);
    assert_eq!(bed.doors().metrics().exhausted(), 0);
    let nowhere = [("request.uri", "/nowhere")];
    assert!(ids(&bed.reader, &asked("tracing", &nowhere)).is_empty());
}

#[test]
fn operators_see_a_search_that_its_budget_ended() {
    let bed = Bed::new();
    bed.store(crowd(5_100));
    let doors = bed.doors();
    let failed = asked("tracing", &[("error", "true")]);
    assert!(ids(doors.reader(), &failed).is_empty());
    assert_eq!(bed.metrics.exhausted(), 1);
    let narrow = asked("tracing", &[("error", "true"), ("user", "alice")]);
    assert!(ids(doors.reader(), &narrow).is_empty());
    assert_eq!(bed.metrics.exhausted(), 1);
}

#[test]
fn many_readers_beside_a_writer_see_whole_results_and_no_error() {
    const READERS: usize = 50;
    const ROUNDS: usize = 4;
    let bed = Bed::new();
    bed.store(web(2));
    let read = || {
        let stop = Stop::default();
        for round in 0..ROUNDS {
            let mode = if round % 2 == 0 { "tracing" } else { "tracing [owned objects]" };
            let found = bed.reader.find(&asked(mode, &[("ns", "shop")]), &stop).unwrap();
            assert!(!found.is_empty());
            for result in found.iter().take(3) {
                assert!(!bed.reader.messages(result.id, &stop).unwrap().is_empty());
            }
        }
    };
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS).map(|_| scope.spawn(read)).collect();
        let pod = key("c1//pods/shop/web-1-0000");
        let mut version = 10;
        while readers.iter().any(|reader| !reader.is_finished()) {
            let mut facts = Facts::default();
            let act = Act {
                at: at(i64::try_from(version % 1_700).unwrap()),
                uid: "p0",
                version,
                ..Act::default()
            };
            facts.act(&pod, act);
            bed.store(facts);
            version += 1;
        }
        for reader in readers {
            reader.join().expect("no error");
        }
    });
}

#[test]
fn a_search_whose_asker_has_left_stops() {
    let bed = Bed::new();
    bed.store(web(2));
    let stop = Stop::default();
    drop(stop.on_drop());
    for mode in ["tracing", "tracing [full tree]"] {
        let error = bed.reader.summaries(&asked(mode, &[("ns", "shop")]), &stop).unwrap_err();
        assert_eq!(error.code(), "abandoned");
    }
}
