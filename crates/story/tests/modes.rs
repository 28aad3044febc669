//! What each mode shows, and what a view makes of facts that are not as they should be.

mod common;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use common::views::{ID, check_view, text, warnings};
use common::{Capture, Reach, key, web};
use kausal_object::ObjectKey;
use kausal_story::{Gathered, GatheredObject, LinkRole, Mode, Relation, TellPolicy, view};
use kausal_trace::{
    NewSpan, SpanBatch, SpanId, SpanKind, SpanRef, UnixNanos, Value, ViewEvent, ViewSpan,
    attribute as a,
};
use proptest::prelude::*;

static CAPTURE: LazyLock<Capture> = LazyLock::new(|| Capture::read(0));

fn render(gathered: &Gathered, mode: &str) -> Vec<ViewSpan> {
    let mode: Mode = mode.parse().expect("a mode");
    let spans = view::render(gathered, mode, ID, &TellPolicy::default());
    check_view(&spans);
    spans
}

fn owned() -> Gathered {
    CAPTURE.gather(&web(), Reach::OwnedObjects)
}

fn logs(spans: &[ViewSpan]) -> Vec<&ViewEvent> {
    spans.iter().flat_map(|span| &span.events).collect()
}

/// Audit ids of acts, one for each time one is shown.
fn acts<'s>(of: impl Iterator<Item = &'s Vec<(String, kausal_trace::AttrValue)>>) -> Vec<String> {
    let mut ids: Vec<_> = of.filter_map(|attributes| text(attributes, a::AUDIT_ID)).collect();
    ids.sort();
    ids
}

#[test]
fn every_display_shows_the_same_acts() {
    let gathered = owned();
    let policy = TellPolicy { view_spans_max: usize::MAX, ..TellPolicy::default() };
    let of = |mode: &str| {
        let spans = view::render(&gathered, mode.parse().expect("a mode"), ID, &policy);
        check_view(&spans);
        let logs = spans.iter().flat_map(|span| &span.events).map(|event| &event.attributes);
        acts(spans.iter().map(|span| &span.attributes).chain(logs))
    };
    let expect = of("tracing");
    assert!(expect.len() > 300);
    for display in ["tree", "timeline", "grouped"] {
        assert_eq!(of(display), expect, "{display}");
    }
}

#[test]
fn tracing_has_the_fields_that_scripts_know() {
    let spans = render(&owned(), "tracing");
    let fields: BTreeSet<&str> = logs(&spans)
        .iter()
        .flat_map(|log| log.attributes.iter().map(|(name, _)| name.as_str()))
        .collect();
    for field in ["audit", "diff", "snapshot", "error", "userAgent", "sourceIP"] {
        assert!(fields.contains(field), "{field}");
    }
    // Jaeger makes a field `event` of the name: only Events have one, and no `audit`.
    for log in logs(&spans) {
        assert_ne!(log.name.is_empty(), text(&log.attributes, "audit").is_none(), "{log:?}");
    }
    let audit = "mallory@example.com delete (Forbidden)";
    let is_refused = |log: &&ViewEvent| text(&log.attributes, "audit").as_deref() == Some(audit);
    let refused =
        &logs(&spans).into_iter().find(is_refused).expect("mallory was refused").attributes;
    assert!(text(refused, "error").unwrap().starts_with("Forbidden: deployments.apps"));
    for tag in ["cluster", "group", "resource", "namespace", "name", "timeStamp"] {
        assert!(text(&spans[0].attributes, tag).is_some(), "{tag}");
    }
}

#[test]
fn timeline_is_one_list_in_the_order_of_time() {
    let spans = render(&owned(), "timeline");
    assert_eq!(spans[0].name, "shop web");
    assert!(spans[1..].iter().all(|span| span.parent == Some(spans[0].span)));
    assert!(spans[1..].is_sorted_by_key(|span| span.start));
    let services: BTreeSet<_> = spans.iter().map(|span| span.service.as_str()).collect();
    assert!(services.is_superset(&["deployments", "replicasets", "pods"].into()), "{services:?}");
    let scale = spans.iter().find(|span| span.name == "bob scale shop web").expect("told");
    assert_eq!(text(&scale.attributes, "summary").unwrap(), "bob scale: replicas 3 → 5");
}

#[test]
fn grouped_has_a_span_for_each_source() {
    let spans = render(&owned(), "grouped");
    let (groups, objects): (Vec<_>, Vec<_>) =
        spans.iter().partition(|span| span.service == "audit");
    assert_eq!(groups.len(), objects.len(), "every object of the capture was written to");
    for span in objects {
        assert!(span.events.iter().all(|log| text(&log.attributes, "audit").is_none()));
    }
    let of_root = groups.iter().find(|group| group.parent == Some(spans[0].span)).expect("one");
    assert_eq!(of_root.name, "audit");
    assert!(of_root.error.is_some(), "mallory was refused");
}

#[test]
fn quiet_counts_what_it_folds() {
    let (plain, quiet) = (render(&owned(), "tracing"), render(&owned(), "tracing+quiet"));
    let folded = |spans: &[ViewSpan]| -> usize {
        let rows = logs(spans).into_iter().filter_map(|log| text(&log.attributes, "folded"));
        rows.map(|number| number.parse::<usize>().expect("a number")).sum()
    };
    let rows = logs(&quiet).iter().filter(|log| text(&log.attributes, "folded").is_some()).count();
    assert!(folded(&quiet) > 50, "{}", folded(&quiet));
    assert_eq!(logs(&quiet).len() - rows + folded(&quiet), logs(&plain).len());
    let row = quiet[0].events.iter().find(|log| text(&log.attributes, "folded").is_some());
    let row = &row.expect("the Deployment had status writes").attributes;
    assert!(text(row, "summary").unwrap().contains("status writes"));
    assert_eq!(text(row, "folded"), text(row, "folded.status writes"));
    assert!(text(row, "folded.by").unwrap().contains("deployment-controller"));
}

#[test]
fn acts_are_linked_to_what_they_follow_from() {
    let spans = render(&owned(), "tree");
    let scale = spans.iter().find(|span| span.name == "bob scale").expect("told");
    assert_eq!(scale.kind, SpanKind::Producer);
    let followed: Vec<_> = spans.iter().filter(|span| span.links == [scale.span]).collect();
    assert!(followed.iter().filter(|span| span.name.ends_with(" create")).count() >= 2);
    assert!(followed.iter().all(|span| span.kind == SpanKind::Consumer));
    let ids: BTreeSet<_> = spans.iter().map(|span| span.span).collect();
    assert!(spans.iter().flat_map(|span| &span.links).all(|link| ids.contains(link)));
    assert!(spans[0].links.is_empty(), "a link would become the parent of the root");
    let scaled = &scale.attributes;
    assert_eq!(text(scaled, "http.request.method").unwrap(), "PATCH");
    assert!(text(scaled, a::REQUEST_OBJECT).unwrap().starts_with('{'));
}

/// A stored span with other values of some attributes and others added.
fn with(bytes: &[u8], change: &[(&str, &str)]) -> Box<[u8]> {
    let span = SpanRef::parse(bytes).expect("a span");
    let mut batch = SpanBatch::default();
    let SpanRef { trace, span: id, name, start, end, .. } = span;
    let mut out = batch.open(NewSpan { trace, span: id, name, start, end });
    for (name, value) in &span.attributes {
        match value {
            _ if change.iter().any(|(changed, _)| changed == name) => continue,
            Value::Str(text) => out.str(name, text),
            Value::Int(number) => out.int(name, *number),
            Value::Bool(flag) => out.bool(name, *flag),
            Value::Strs(_) | Value::Other => continue,
        };
    }
    for (name, value) in change {
        out.str(name, value);
    }
    drop(out);
    batch.iter().next().expect("one span").bytes.into()
}

#[test]
fn the_inside_of_a_request_is_under_it() {
    let mut gathered = CAPTURE.gather(&web(), Reach::Object);
    let is_scale = |span: &SpanRef<'_>| span.str(a::SUBRESOURCE) == "scale";
    let spans = &mut gathered.objects[0].spans;
    let scale = spans.iter_mut().find(|bytes| SpanRef::parse(bytes).is_ok_and(|s| is_scale(&s)));
    let scale = scale.expect("bob scaled");
    *scale = with(
        scale,
        &[
            ("apiserver.latency.total", "4ms"),
            ("apiserver.latency.etcd", "2ms"),
            ("apiserver.latency.authorization", "100µs"),
        ],
    );
    let spans = render(&gathered, "tree");
    let act = spans.iter().find(|span| span.name == "bob scale").expect("told");
    let inside: Vec<_> = spans.iter().filter(|span| span.parent == Some(act.span)).collect();
    let names: Vec<_> = inside.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["authorization", "etcd"]);
    assert_eq!(inside[1].start.0 - act.start.0, 100_000);
    assert!(text(&inside[1].attributes, "placement").unwrap().contains("start not"));
    let log = render(&gathered, "tracing");
    let log = logs(&log)
        .into_iter()
        .find(|log| text(&log.attributes, "apiserver.latency.etcd").as_deref() == Some("2ms"));
    assert!(log.is_some(), "as a field where there are no spans");
}

#[test]
fn what_is_related_stands_under_what_relates_to_it() {
    let mut gathered = owned();
    let config = key("", "configmaps", "shop", "web-config");
    let pod = key("", "pods", "shop", "web-b5556679d-s5fn4");
    let relation =
        Relation::Related { to: pod, role: LinkRole::Child, class: "configmap".to_owned() };
    let spans = CAPTURE.spans[&config].clone();
    gathered.objects.push(GatheredObject { key: config, relation, spans });
    let spans = render(&gathered, "tracing [owned objects + related]");
    let config = spans.iter().find(|span| span.service == "configmaps").expect("shown");
    let under = spans.iter().find(|span| Some(span.span) == config.parent).expect("in the view");
    assert_eq!(under.name, "shop web-b5556679d-s5fn4");
    assert_eq!(text(&config.attributes, "link.class").unwrap(), "configmap");
    assert_eq!(text(&config.attributes, "link.role").unwrap(), "child");
    assert!(!config.events.is_empty());
}

#[test]
fn children_say_which_life_of_their_owner_they_belong_to() {
    let spans = render(&owned(), "tracing");
    let life = |name: &str| {
        let span = spans.iter().find(|span| span.name == name).expect("in the view");
        text(&span.attributes, "owner.life")
    };
    assert_eq!(life("shop web-597699c6dd").unwrap(), "1 of 2");
    assert_eq!(life("shop web-5b5558c86").unwrap(), "2 of 2");
    assert_eq!(life("shop web-5b5558c86-smv7c"), None, "its owner has one life");
}

#[test]
fn a_missing_owner_is_named() {
    let mut gathered = owned();
    let set = key("apps", "replicasets", "shop", "web-68b687dc");
    gathered.objects.retain(|object| object.key != set);
    let said = warnings(&render(&gathered, "tracing"));
    assert!(said.contains("web-68b687dc, the owner of"), "{said}");
}

#[test]
fn two_records_of_one_request_that_contradict_each_other_are_two_spans() {
    let mut gathered = CAPTURE.gather(&web(), Reach::Object);
    let first = gathered.objects[0]
        .spans
        .iter()
        .find(|bytes| SpanRef::parse(bytes).is_ok_and(|span| span.str(a::VERB) == "create"));
    let other = with(first.expect("created"), &[(a::RESOURCE_VERSION_NEW, "1")]);
    gathered.objects[0].spans.push(other);
    for display in ["tree", "timeline"] {
        assert!(warnings(&render(&gathered, display)).contains("contradict"));
    }
}

#[test]
fn link_patterns_use_what_the_views_have() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../storage-plugin/src/http/ui.json");
    let ui = std::fs::read_to_string(path).expect("the file is there");
    let ui: serde_json::Value = serde_json::from_str(&ui).expect("it is JSON");
    let mut shown = render(&owned(), "tracing");
    shown.extend(render(&owned(), "tree"));
    let patterns = ui["linkPatterns"].as_array().expect("link patterns");
    assert!(patterns.len() >= 5);
    for pattern in patterns {
        let field = |name: &str| pattern[name].as_str().expect("text");
        let logs = logs(&shown);
        let lists: Vec<_> = match field("type") {
            "logs" => logs.iter().map(|log| &log.attributes).collect(),
            _ => shown.iter().map(|span| &span.attributes).collect(),
        };
        let with_key: Vec<_> =
            lists.into_iter().filter(|list| text(list, field("key")).is_some()).collect();
        assert!(!with_key.is_empty(), "nothing has {}", field("key"));
        let both = format!("{}{}", field("url"), field("text"));
        for variable in both.split("#{").skip(1).filter_map(|rest| rest.split('}').next()) {
            assert!(with_key.iter().all(|list| text(list, variable).is_some()), "{variable}");
        }
    }
}

/// Facts and links of many objects that are given to others, at random.
fn scramble(gathered: &mut Gathered, picks: &[(usize, usize, u8)]) {
    let keys: Vec<ObjectKey> = gathered.objects.iter().map(|object| object.key.clone()).collect();
    for &(from, to, how) in picks {
        let (from, to) = (from % keys.len(), to % keys.len());
        let spans = gathered.objects[from].spans.clone();
        let object = &mut gathered.objects[to];
        match how % 6 {
            // Foreign spans, and the same span ids twice.
            0 => object.spans.extend(spans.into_iter().take(3)),
            // Circles.
            1 => object.relation = Relation::Owned { parent: keys[from].clone(), depth: 1 },
            2 => object.relation = Relation::Ancestor { child: keys[from].clone(), depth: 1 },
            // Unknown parents.
            3 => {
                let parent = key("", "pods", "nowhere", "none");
                object.relation = Relation::Owned { parent, depth: 2 };
            }
            4 => {
                let (to, class) = (keys[from].clone(), String::new());
                object.relation = Relation::Related { to, role: LinkRole::Parent, class };
            }
            _ => redirect_links(object, &keys[from]),
        }
    }
}

/// Lets every link of an object lead to another, with a wrong span id.
fn redirect_links(object: &mut GatheredObject, target: &ObjectKey) {
    for bytes in &mut object.spans {
        let is_link = SpanRef::parse(bytes).is_ok_and(|span| span.name == "link");
        if is_link {
            let change = [
                (a::LINK_GROUP, target.group.as_str()),
                (a::LINK_RESOURCE, &target.resource),
                (a::LINK_NAMESPACE, &target.namespace),
                (a::LINK_NAME, &target.name),
            ];
            *bytes = with(bytes, &change);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_malformed_store_gives_a_view(
        picks in prop::collection::vec((any::<usize>(), any::<usize>(), any::<u8>()), 1..12),
        garbage in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut gathered = owned();
        scramble(&mut gathered, &picks);
        gathered.objects[0].spans.push(garbage.into());
        for mode in ["tracing [full tree]", "tree+quiet", "timeline", "grouped+related"] {
            render(&gathered, mode);
        }
    }
}

#[test]
fn a_view_of_nothing_has_its_root() {
    for mode in Mode::all() {
        let gathered = Gathered { root: web(), to: UnixNanos(1), ..Gathered::default() };
        let spans = render(&gathered, &mode.to_string());
        assert_eq!((spans.len(), spans[0].parent), (1, None::<SpanId>), "{mode}");
    }
}
