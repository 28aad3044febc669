//! Questions to a reader over a real store.

mod malformed;

use kausal_story::Mode;
use kausal_trace::{Day, IdParts, KeyHash, TraceId, UnixNanos, ViewId, Window};

use crate::testing::{Act, Bed, Facts, T0, at, key, web};
use crate::{ObjectQuery, ReadError, SearchRequest, Stop};

fn typed(object: &str) -> ObjectQuery {
    ObjectQuery::typed(object, None).unwrap()
}

fn search(pairs: &[(&str, &str)]) -> SearchRequest {
    let attributes = pairs.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    SearchRequest { attributes: attributes.collect(), ..SearchRequest::default() }
}

fn code_and_hint(error: &ReadError) -> String {
    format!("{}: {error} ({})", error.code(), error.hint())
}

#[test]
fn an_object_is_found_however_it_is_typed() {
    let bed = Bed::new();
    let mut facts = web(1);
    facts.act(&key("c1/example.com/backups/shop/nightly"), Act::default());
    bed.store(facts);
    let check = |query: &ObjectQuery, expect: &str| {
        let story = bed.reader.story(query, &Stop::default()).unwrap();
        assert_eq!(story.object, key(expect), "{query:?}");
    };
    for object in ["deploy/web", "Deployment/web", "deployments.apps/web"] {
        check(&typed(object), "c1/apps/deployments/shop/web");
    }
    check(&typed("backups/nightly"), "c1/example.com/backups/shop/nightly");
    let namespace = Some("shop".to_owned());
    check(&ObjectQuery { namespace, ..typed("po/web-1-0000") }, "c1//pods/shop/web-1-0000");
}

#[test]
fn several_clusters_need_to_be_told_apart_only_where_they_differ() {
    let bed = Bed::new();
    let mut facts = web(0);
    facts.act(&key("c2/apps/deployments/shop/web"), Act::default());
    facts.act(&key("c2/apps/deployments/shop/only"), Act::default());
    bed.store(facts);
    let stop = Stop::default();
    let error = bed.reader.story(&typed("deploy/web"), &stop).unwrap_err();
    assert!(
        code_and_hint(&error).contains("--cluster: c1/deployments.apps/shop/web, c2/"),
        "{error:?}"
    );
    assert_eq!(bed.reader.story(&typed("deploy/only"), &stop).unwrap().object.cluster, "c2");
    let of =
        |cluster: &str| ObjectQuery { cluster: Some(cluster.to_owned()), ..typed("deploy/web") };
    assert_eq!(bed.reader.story(&of("C2"), &stop).unwrap().object.cluster, "c2");
    let error = bed.reader.story(&of("c3"), &stop).unwrap_err();
    assert!(code_and_hint(&error).contains("clusters known: c1, c2"), "{error:?}");
}

#[test]
fn what_is_not_there_is_said_with_what_is() {
    let bed = Bed::new();
    let stop = Stop::default();
    let error = bed.reader.story(&typed("deploy/web"), &stop).unwrap_err();
    assert!(code_and_hint(&error).contains("the store is empty"), "{error:?}");
    bed.store(web(0));
    let check = |query: &ObjectQuery, expect: &str| {
        let error = bed.reader.story(query, &stop).unwrap_err();
        assert!(code_and_hint(&error).contains(expect), "{error:?}");
    };
    let namespace = Some("ship".to_owned());
    check(
        &ObjectQuery { namespace, ..typed("deploy/web") },
        "of this name there is: c1/deployments.apps/shop/web",
    );
    check(&typed("deploy/wep"), "not_found: nothing is recorded of deploy/wep");
    let from = Some(at(7_200));
    check(
        &ObjectQuery { from, ..typed("deploy/web") },
        "there are facts of it from 2026-11-20T15:00:00.000000Z to 2026-11-20T15:30:00.000000Z",
    );
    let (from, to) = (Some(at(2)), Some(at(1)));
    check(&ObjectQuery { from, to, ..typed("deploy/web") }, "invalid: the time range is empty");
}

#[test]
fn a_view_opens_again_by_its_id() {
    let bed = Bed::new();
    bed.store(web(2));
    let stop = Stop::default();
    for mode in Mode::all() {
        let view = bed
            .reader
            .view(&ObjectQuery { mode: Some(mode), ..typed("deploy/web") }, &stop)
            .unwrap();
        let IdParts::View(parts) = view.id.parts() else { panic!("no view id: {}", view.id) };
        assert_eq!((parts.mode, parts.first, parts.windows), (mode.id(), Window::of(T0), 1));
        assert!(view.spans.iter().all(|span| span.trace == view.id));
        let again = bed.reader.open(view.id, parts, &stop).unwrap().expect("known");
        assert_eq!(again.spans, view.spans, "{mode}");
        assert!(!bed.reader.messages(view.id, &stop).unwrap().is_empty());
    }
}

#[test]
fn ids_that_are_not_ours_or_of_nothing_are_empty() {
    let bed = Bed::new();
    bed.store(web(0));
    let hash = KeyHash::of(key("c1/apps/deployments/shop/web").as_ref());
    let nobody = KeyHash::of(key("c1/apps/deployments/shop/nobody").as_ref());
    let view = |mode, first, windows, key| ViewId { mode, first, windows, key }.encode().unwrap();
    let window = Window::of(T0);
    let check = |id: TraceId, expect: bool| {
        let messages = bed.reader.messages(id, &Stop::default()).unwrap();
        assert_eq!(!messages.is_empty(), expect, "{id}");
    };
    check(TraceId::facts(hash, window), true);
    check(TraceId::catalogue(hash, Day::of(T0)), true);
    check(view(0x2000_0000, window, 1, hash), true);
    check(view(0x2000_0000, window, 1, nobody), false);
    check(view(0x2000_0000, Window(window.0 + 5), 8_000, hash), false);
    check(view(0x9999_9999, window, 1, hash), false);
    check(TraceId([0; 16]), false);
    check(TraceId([0xff; 16]), false);
    check(TraceId(*b"somebody else's!"), false);
}

#[test]
fn rows_lead_to_views_that_open() {
    let bed = Bed::new();
    bed.store(web(1));
    let stop = Stop::default();
    let found = bed.reader.search(&search(&[("resource", "deploy")]), &stop).unwrap();
    let rows: Vec<_> = found
        .rows
        .iter()
        .map(|row| (row.time.as_str(), row.actor.as_str(), row.verb.as_str(), row.code))
        .collect();
    assert_eq!(
        rows,
        [
            ("2026-11-20T15:01:30.000000Z", "mallory", "delete", Some(403)),
            ("2026-11-20T15:01:00.000000Z", "bob", "patch", Some(200)),
            ("2026-11-20T15:00:00.000000Z", "alice", "create", Some(201)),
        ]
    );
    for row in &found.rows {
        let id = TraceId::parse_hex(&row.view).unwrap();
        assert!(!bed.reader.messages(id, &stop).unwrap().is_empty(), "{row:?}");
    }
    assert!(!found.exhausted);
}

#[test]
fn searches_by_what_people_type() {
    let bed = Bed::new();
    bed.store(web(3));
    let count =
        |request: SearchRequest| bed.reader.search(&request, &Stop::default()).unwrap().rows.len();
    assert_eq!(count(search(&[("user", "mallory"), ("code", "403")])), 1);
    assert_eq!(count(search(&[("error", "true")])), 1);
    assert_eq!(count(search(&[("error", "false"), ("ns", "shop"), ("resource", "po")])), 6);
    assert_eq!(count(search(&[("user", "alice"), ("code", "403")])), 0);
    assert_eq!(count(SearchRequest { limit: Some(4), ..search(&[]) }), 4);
    let (from, to) = (Some(at(60)), Some(at(90)));
    assert_eq!(count(SearchRequest { from, to, ..search(&[]) }), 1);
}

#[test]
fn a_filter_with_many_misses_is_read_page_by_page() {
    let bed = Bed::new();
    let mut facts = Facts::default();
    let deploy = key("c1/apps/deployments/shop/web");
    facts.act(&deploy, Act { at: at(0), code: 403, verb: "delete", ..Act::default() });
    for second in 1..1_200 {
        facts.act(
            &deploy,
            Act { at: at(second), version: second.cast_unsigned(), ..Act::default() },
        );
    }
    bed.store(facts);
    let found = bed.reader.search(&search(&[("error", "true")]), &Stop::default()).unwrap();
    assert_eq!(found.rows.len(), 1);
}

#[test]
fn a_manifest_is_the_state_at_a_time() {
    let bed = Bed::new();
    bed.store(web(0));
    let replicas = |time: UnixNanos| {
        let manifest = bed.reader.manifest(&typed("deploy/web"), time, &Stop::default());
        manifest.map(|manifest| manifest.value["spec"]["replicas"].as_u64())
    };
    assert_eq!(replicas(at(30)).unwrap(), Some(3));
    assert_eq!(replicas(at(3_600)).unwrap(), Some(5));
    assert_eq!(replicas(at(-30)).unwrap_err().code(), "not_found");
}

#[test]
fn two_lives_of_one_name_are_told_apart() {
    let bed = Bed::new();
    let (mut facts, deploy) = (web(0), key("c1/apps/deployments/shop/web"));
    facts.act(&deploy, Act { at: at(100), verb: "delete", version: 9, ..Act::default() }).act(
        &deploy,
        Act { at: at(4_000), verb: "create", code: 201, uid: "u9", version: 20, ..Act::default() },
    );
    bed.store(facts);
    let story = bed.reader.story(&typed("deploy/web"), &Stop::default()).unwrap();
    let uids: Vec<_> = story.lives.iter().map(|life| life.uid.as_deref()).collect();
    assert_eq!(uids, [Some("u1"), Some("u9")]);
}
