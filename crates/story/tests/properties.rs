//! What must hold for every story and view, whatever order, repetition or damage the facts came in.

mod common;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use common::changes::{at_metadata, everything};
use common::views::{ID, check_view};
use common::{Capture, Reach, key, web};
use kausal_story::story::Story;
use kausal_story::text::{self, TextStyle};
use kausal_story::{Gathered, Mode, Relation, TellPolicy, manifest_at, tell, view};
use kausal_trace::view::encode;
use kausal_trace::{
    NewSpan, SpanBatch, SpanId, SpanRef, UnixNanos, ViewSpan, Window, attribute as a,
};
use proptest::prelude::*;

static CAPTURE: LazyLock<Capture> = LazyLock::new(|| Capture::read(0));
/// The capture at the level `Metadata`, with what two leaders saw of it, one of them every other
/// version only.
static WATCHED: LazyLock<Capture> = LazyLock::new(|| {
    let mut capture = Capture::of(&at_metadata(), 0);
    capture.watch(&everything, 2_000_000);
    capture.watch(&|at| at % 2 == 1, 9_000_000);
    capture
});

/// Everything that is shown, as bytes.
fn shown(gathered: &Gathered) -> (String, String, Vec<Vec<u8>>) {
    let policy = TellPolicy::default();
    let story = tell(gathered, &policy);
    let mut messages = Vec::new();
    for mode in ["tracing", "tree", "timeline", "grouped", "tree+quiet"] {
        let mode = mode.parse().expect("a mode");
        messages.extend(encode(&view::render(gathered, mode, ID, &policy), 1 << 20));
    }
    let all = TextStyle { all: true, ..TextStyle::default() };
    (serde_json::to_string(&story).expect("serialises"), text::render(&story, &all), messages)
}

/// A fixed permutation of `items` for each seed.
fn shuffle<T>(items: &mut [T], mut seed: u64) {
    for at in (1..items.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        items.swap(at, (seed >> 33) as usize % (at + 1));
    }
}

/// The same request with a few attributes only, as an earlier stage or a truncated copy has them.
fn twin(bytes: &[u8], keep: &[&str], add: (&str, &str)) -> Box<[u8]> {
    let span = SpanRef::parse(bytes).expect("a span");
    let mut batch = SpanBatch::default();
    let head = NewSpan {
        trace: span.trace,
        span: span.span,
        name: span.name,
        start: span.start,
        end: span.start,
    };
    let mut out = batch.open(head);
    for name in keep {
        out.str(name, span.str(name));
    }
    out.str(add.0, add.1);
    drop(out);
    batch.iter().next().expect("one span").bytes.into()
}

const IDENTITY: [&str; 9] = [
    a::CLUSTER,
    a::GROUP,
    a::RESOURCE,
    a::NAMESPACE,
    a::NAME,
    a::AUDIT_ID,
    a::VERB,
    a::REQUEST_URI,
    a::USERNAME,
];

/// Adds an early stage and a truncated twin of some requests.
fn with_twins(gathered: &mut Gathered, seed: u64) {
    for object in &mut gathered.objects {
        let audits: Vec<_> = object
            .spans
            .iter()
            .filter(|bytes| SpanRef::parse(bytes).is_ok_and(|span| span.name.starts_with("audit")))
            .cloned()
            .collect();
        for (at, bytes) in audits.iter().enumerate() {
            match (at as u64 ^ seed) % 3 {
                0 => object.spans.push(twin(bytes, &IDENTITY, (a::AUDIT_STAGE, "RequestReceived"))),
                1 => object.spans.push(twin(bytes, &IDENTITY, (a::TRUNCATED, "cut at byte 16384"))),
                _ => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5))]

    #[test]
    fn order_repetition_and_twins_do_not_show(seed in any::<u64>(), reach in 0..4_usize, watched in any::<bool>()) {
        let reach = [Reach::OwnedObjects, Reach::FullTree, Reach::Ancestors, Reach::Object][reach];
        let capture = if watched { &WATCHED } else { &CAPTURE };
        let plain = capture.gather(&web(), reach);
        let mut other = plain.clone();
        for (at, object) in other.objects.iter_mut().enumerate() {
            let again: Vec<_> = object.spans.iter().step_by(1 + at % 3).cloned().collect();
            object.spans.extend(again);
        }
        with_twins(&mut other, seed);
        let halves: Vec<_> = other.objects.iter().filter(|object| object.spans.len() > 4).cloned().collect();
        other.objects.extend(halves);
        for object in &mut other.objects {
            shuffle(&mut object.spans, seed);
        }
        shuffle(&mut other.objects, seed);
        prop_assert_eq!(shown(&plain), shown(&other));
    }

    #[test]
    fn damage_costs_a_warning_and_nothing_else(seed in any::<u64>(), at in any::<prop::sample::Index>()) {
        let mut gathered = CAPTURE.gather(&web(), Reach::OwnedObjects);
        let plain = tell(&gathered, &TellPolicy::default());
        let object = at.index(gathered.objects.len());
        let spans = &mut gathered.objects[object].spans;
        prop_assume!(!spans.is_empty());
        let mut broken = spans[seed as usize % spans.len()].to_vec();
        broken.truncate(broken.len() - 1 - seed as usize % (broken.len() / 2));
        spans.push(broken.into());
        spans.push(seed.to_be_bytes().as_slice().into());
        let story = tell(&gathered, &TellPolicy::default());
        prop_assert_eq!(&story.lives, &plain.lives);
        prop_assert_eq!(story.warnings.len(), 1);
        shown(&gathered);
    }

    #[test]
    fn changes_of_any_shape_are_survived(
        diff in "([a-z\\[\\].\"= ]{0,12} [0-9{}\\[\\](none)]{0,6} -> [0-9a-z\"]{0,4}\n?){0,3}",
        snapshot in "[\\[\\{\"a:,0-9\\]\\}]{0,40}",
        versions in prop::collection::vec(("[0-9]{0,4}", "[0-9]{0,4}", 0..4_usize), 0..12),
    ) {
        use kausal_trace::Operation::{Create, Delete, Observe, Update};
        let mut gathered = WATCHED.gather(&web(), Reach::Object);
        let mut batch = SpanBatch::default();
        for (old_version, new_version, operation) in &versions {
            let time = gathered.objects[0].spans.len() as u64 * 1_000_000_000 + 1_795_187_131_000_000_000;
            kausal_trace::ChangeSpan {
                key: web().as_ref(),
                uid: "b442b83c",
                operation: [Create, Update, Delete, Observe][*operation],
                time: UnixNanos(time),
                observed_at: UnixNanos(time),
                old_version,
                new_version,
                api_version: "",
                manager: "kubectl",
                subresource: "",
                diff: &diff,
                snapshot: &snapshot,
                gap: diff.is_empty(),
                redaction_key: "",
            }
            .write(&mut batch);
        }
        gathered.objects[0].spans.extend(batch.iter().map(|span| Box::from(span.bytes)));
        let told = shown(&gathered);
        gathered.objects[0].spans.reverse();
        prop_assert_eq!(told, shown(&gathered));
        let _shown_or_not = manifest_at(&gathered, UnixNanos(u64::MAX)).map_err(|error| error.to_string());
    }

    #[test]
    fn bodies_of_any_shape_are_survived(body in "\\PC{0,60}|[\\[\\{\"a:,0-9\\]\\}]{0,60}", part in 0..3_usize) {
        let mut gathered = CAPTURE.gather(&web(), Reach::Object);
        let name = [a::RESPONSE_OBJECT, a::REQUEST_OBJECT, a::ERROR_CAUSES][part];
        let spans = &mut gathered.objects[0].spans;
        let more: Vec<_> = spans.iter().filter(|bytes| SpanRef::parse(bytes).is_ok()).map(|bytes| {
            let span = SpanRef::parse(bytes).expect("a span");
            let mut batch = SpanBatch::default();
            let head = NewSpan { trace: span.trace, span: SpanId([9; 8]), name: "audit patch", start: span.start, end: span.end };
            let mut out = batch.open(head);
            for name in IDENTITY { out.str(name, span.str(name)); }
            out.str(name, &body).str(a::AUDIT_ID, "made up").int(a::STATUS_CODE, 200);
            drop(out);
            batch.iter().next().expect("one span").bytes.into()
        }).collect();
        spans.extend(more);
        shown(&gathered);
        let _shown_or_not = manifest_at(&gathered, UnixNanos(u64::MAX)).map_err(|error| error.to_string());
    }
}

/// A story without what a shift of all times moves or what hashes times.
fn without_times(story: &Story) -> Vec<String> {
    let act = |act: &kausal_story::story::Act| {
        let effects: Vec<_> = act
            .effects
            .iter()
            .map(|effect| (effect.what, effect.object.to_string(), effect.rule, &effect.audit_id))
            .collect();
        format!(
            "{} {:?} {} {} {:?} {:?} {effects:?} {:?}",
            act.audit_id, act.actor, act.title, act.summary, act.outcome, act.changes, act.folded
        )
    };
    story.acts().map(act).collect()
}

#[test]
fn windows_and_days_inside_the_story_do_not_show() {
    let plain = tell(&CAPTURE.gather(&web(), Reach::OwnedObjects), &TellPolicy::default());
    for shift in [23 * 60 + 18, 24 * 60 + 21, 8 * 3_600 + 53 * 60 + 18] {
        let gathered = Capture::read(shift).gather(&web(), Reach::OwnedObjects);
        let windows: BTreeSet<_> = gathered.objects[0]
            .spans
            .iter()
            .filter_map(|bytes| SpanRef::parse(bytes).ok())
            .filter(|span| span.name.starts_with("audit"))
            .map(|span| Window::of(span.start))
            .collect();
        assert!(windows.len() > 1, "a border must fall inside");
        let story = tell(&gathered, &TellPolicy::default());
        assert_eq!(without_times(&story), without_times(&plain));
        assert_eq!(story.counts, plain.counts);
        let moved = story.first.map(|time| time.0 - shift * 1_000_000_000);
        assert_eq!(moved, plain.first.map(|time| time.0));
    }
}

#[test]
fn facts_before_the_range_are_bases_only() {
    let mut gathered = CAPTURE.gather(&web(), Reach::OwnedObjects);
    let whole = tell(&gathered, &TellPolicy::default());
    gathered.from = UnixNanos::parse_rfc3339("2026-11-20T15:05:51Z").expect("a time");
    gathered.to = UnixNanos::parse_rfc3339("2026-11-20T15:06:30Z").expect("a time");
    let part = tell(&gathered, &TellPolicy::default());
    let told = |story: &Story| story.told().map(|act| act.summary.clone()).collect::<Vec<_>>();
    assert_eq!(told(&part), told(&whole)[3..12]);
    assert_eq!(part.lives.len(), 1);
    assert!(part.acts().all(|act| (gathered.from..=gathered.to).contains(&act.time)));
}

#[test]
fn stories_survive_json() {
    let story = tell(&CAPTURE.gather(&web(), Reach::OwnedObjects), &TellPolicy::default());
    let json = serde_json::to_string(&story).expect("serialises");
    assert_eq!(serde_json::from_str::<Story>(&json).expect("reads back"), story);
}

#[test]
fn every_view_is_one_tree() {
    let pod = key("", "pods", "shop", "web-b5556679d-s5fn4");
    for root in [web(), pod.clone(), key("apps", "replicasets", "shop", "web-68b687dc")] {
        // The capture has no other links than owner references.
        for mode in Mode::all().filter(|mode| !mode.to_string().contains("related")) {
            let gathered = CAPTURE.gather_for(&root, mode);
            check_view(&view::render(&gathered, mode, ID, &TellPolicy::default()));
        }
    }
    let gathered = CAPTURE.gather(&pod, Reach::FullTree);
    let spans = view::render(&gathered, Mode::default(), ID, &TellPolicy::default());
    assert_eq!((spans[0].service.as_str(), spans[0].name.as_str()), ("deployments", "shop web"));
    assert_eq!(spans.len(), 29, "web, 4 ReplicaSets, 24 pods");
}

#[test]
fn a_view_over_budget_says_what_is_left_out() {
    let gathered = CAPTURE.gather(&web(), Reach::OwnedObjects);
    let mode: Mode = "tree".parse().expect("a mode");
    let whole = view::render(&gathered, mode, ID, &TellPolicy::default());
    let policy = TellPolicy { view_spans_max: 100, ..TellPolicy::default() };
    let part = view::render(&gathered, mode, ID, &policy);
    assert_eq!(part.len(), 100);
    check_view(&part);
    let told = |spans: &[ViewSpan]| -> BTreeSet<String> {
        let routine = |span: &&ViewSpan| span.attributes.iter().any(|(name, _)| name == "routine");
        let acts = spans.iter().filter(|span| span.service == "audit" && !routine(span));
        acts.map(|span| span.name.clone()).collect()
    };
    assert_eq!(told(&part), told(&whole), "acts of people stay");
    let warned = part[0].attributes.iter().any(|(name, value)| {
        name == a::JAEGER_WARNINGS && format!("{value:?}").contains("left out")
    });
    assert!(warned);
}

#[test]
fn circles_and_further_owners_are_said() {
    let mut gathered = CAPTURE.gather(&web(), Reach::OwnedObjects);
    let replica_set = key("apps", "replicasets", "shop", "web-68b687dc");
    for object in &mut gathered.objects {
        if object.key == web() {
            object.relation = Relation::Owned { parent: replica_set.clone(), depth: 1 };
        }
        if object.key.resource == "pods" {
            object.relation = Relation::Owned { parent: web(), depth: 1 };
        }
    }
    let spans = view::render(&gathered, Mode::default(), ID, &TellPolicy::default());
    check_view(&spans);
    let warnings = format!("{:?}", spans[0].attributes);
    assert!(warnings.contains("is also owned by"), "{warnings}");
}

#[test]
fn strangers_under_one_hash_are_left_out() {
    let mut gathered = CAPTURE.gather(&web(), Reach::Object);
    let plain = tell(&gathered, &TellPolicy::default());
    let strangers = CAPTURE.spans[&key("", "configmaps", "shop", "web-config")].clone();
    gathered.objects[0].spans.extend(strangers);
    let story = tell(&gathered, &TellPolicy::default());
    assert_eq!(story.lives, plain.lives);
    assert!(story.warnings[0].contains("another object"), "{:?}", story.warnings);
}

#[test]
fn nothing_recorded_is_said() {
    let gathered = Gathered { root: web(), to: UnixNanos(1), ..Gathered::default() };
    let story = tell(&gathered, &TellPolicy::default());
    assert!(text::render(&story, &TextStyle::default()).contains("nothing recorded"));
    check_view(&view::render(&gathered, Mode::default(), ID, &TellPolicy::default()));
    assert!(manifest_at(&gathered, UnixNanos(5)).is_err());
}
