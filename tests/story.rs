//! What an audit log tells, the whole way through: the same whatever the order, the repetition,
//! the cuts, and wherever the borders of windows and days fall.

mod common;

use std::collections::BTreeSet;

use common::{Told, query};
use kausal_storage_plugin::{SearchRequest, Stop};
use kausal_story::story::Act;
use kausal_testkit::capture;
use kausal_trace::UnixNanos;
use serde_json::Value;

const TREE: &str = "tree [full tree]";

fn truth() -> Value {
    let text = std::fs::read_to_string(capture::folder().join("truth.json")).expect("the oracle");
    serde_json::from_str(&text).expect("JSON")
}

/// An act without its times: what must not depend on where the clock stood.
fn timeless(act: &Act) -> String {
    let changes: Vec<_> = act.changes.iter().map(ToString::to_string).collect();
    let mut effects: Vec<_> =
        act.effects.iter().map(|it| format!("{:?} {} {:?}", it.what, it.object, it.rule)).collect();
    effects.sort();
    format!(
        "{} {:?} {} {} {} {changes:?} {effects:?} {:?}",
        act.audit_id, act.actor, act.title, act.summary, act.object, act.folded
    )
}

#[test]
fn the_capture_is_told_as_the_oracle_says() {
    let told = Told::of(&capture::audit_log());
    let (story, truth) = (told.story("deploy/web"), truth());
    let truth = &truth["deployments/web"];
    let counts = [story.counts.on_it, story.counts.around, story.counts.folded];
    let expect = ["acts_on_it", "acts_around_it", "folded"].map(|name| truth[name].as_u64());
    assert_eq!(counts.map(|count| Some(count as u64)), expect);
    let lives: Vec<_> = story.lives.iter().filter_map(|life| life.uid.clone()).collect();
    assert_eq!(serde_json::json!(lives), truth["lives"]);

    let acts: Vec<&Act> = story.told().collect();
    let expected = truth["acts"].as_array().expect("acts");
    assert_eq!(acts.len(), expected.len());
    for (act, expect) in acts.iter().zip(expected) {
        assert_eq!(act.time.to_string(), expect["time"].as_str().unwrap_or_default());
        assert_eq!(act.actor.username, expect["actor"].as_str().unwrap_or_default(), "{expect}");
        assert_eq!(act.verb, expect["verb"].as_str().unwrap_or_default(), "{expect}");
        if let Some(audit_id) = expect["audit_id"].as_str() {
            assert_eq!(act.audit_id, audit_id);
        }
    }
}

#[test]
fn order_and_repetition_do_not_matter() {
    let log = capture::audit_log();
    let plain = Told::of(&log);
    let (story, view) = (plain.story("deploy/web"), plain.view("deploy/web", TREE));
    for (name, pieces) in variations(&log) {
        let told = Told::nothing();
        for piece in &pieces {
            told.ingest(piece);
        }
        assert_eq!(told.story("deploy/web"), story, "{name}");
        assert!(told.view("deploy/web", TREE) == view, "{name}: the view has other bytes");
    }
}

#[test]
fn a_file_and_a_webhook_at_once_tell_it_once() {
    let log = capture::audit_log();
    let plain = Told::of(&log);
    let both = Told::nothing();
    std::thread::scope(|scope| {
        scope.spawn(|| both.ingest(&log));
        scope.spawn(|| both.receive(&log));
    });
    assert_eq!(both.story("deploy/web"), plain.story("deploy/web"));
    assert!(both.view("deploy/web", TREE) == plain.view("deploy/web", TREE));
}

/// Every object of the capture, not only the one whose story is known best.
#[test]
fn what_is_stored_is_the_same_after_merging() {
    let log = capture::audit_log();
    let plain = Told::of(&log);
    let other = Told::nothing();
    for (_, pieces) in variations(&log) {
        for piece in &pieces {
            other.ingest(piece);
        }
    }
    let objects = plain.objects();
    assert!(objects.len() > 300, "{}", objects.len());
    let more: Vec<_> = other.objects().difference(&objects).map(ToString::to_string).collect();
    assert_eq!(more, [""; 0], "objects that only the variations have");
    for object in &objects {
        let (told, again) = (plain.story_of(object), other.story_of(object));
        assert_eq!(again, told, "{object}");
    }
}

/// The capture as it might also arrive.
fn variations(log: &str) -> Vec<(&'static str, Vec<String>)> {
    let lines: Vec<&str> = log.lines().collect();
    let half = lines.len() / 2;
    let join = |lines: &[String]| lines.join("\n");
    let owned = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    let all = owned(&lines);
    let received: Vec<String> = lines.iter().flat_map(|line| with_received(line)).collect();
    let cut: Vec<String> = lines.iter().flat_map(|line| with_truncated(line)).collect();
    vec![
        ("backwards", vec![join(&all.iter().rev().cloned().collect::<Vec<_>>())]),
        ("shuffled", vec![join(&shuffled(&all))]),
        ("doubled", vec![join(&all), join(&shuffled(&all))]),
        ("split", vec![join(&all[half..]), join(&all[..half])]),
        ("with RequestReceived stages", vec![join(&shuffled(&received))]),
        ("with truncated twins", vec![join(&shuffled(&cut))]),
    ]
}

/// The same order on every run, unlike the one in the file.
fn shuffled(lines: &[String]) -> Vec<String> {
    let mut lines = lines.to_vec();
    lines.sort_by_key(|line| fnv1a(line));
    lines
}

fn fnv1a(line: &str) -> u64 {
    line.bytes().fold(14_695_981_039_346_656_037, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(1_099_511_628_211)
    })
}

/// The event, and the stage the apiserver would have written before it.
fn with_received(line: &str) -> Vec<String> {
    let mut event: Value = serde_json::from_str(line).expect("an event");
    let members = event.as_object_mut().expect("an object");
    members["stage"] = "RequestReceived".into();
    members["stageTimestamp"] = members["requestReceivedTimestamp"].clone();
    for later in ["responseStatus", "responseObject", "requestObject", "annotations"] {
        members.remove(later);
    }
    // The apiserver learns a generated name and a uid only from bodies.
    let named = |path: &Value| path.as_str().is_some_and(|path| !path.is_empty());
    if let Some(reference) = members.get_mut("objectRef").and_then(Value::as_object_mut) {
        let by_url = members_name_in_url(line, reference.get("name").unwrap_or(&Value::Null));
        if !by_url && reference.get("name").is_some_and(named) {
            reference.remove("name");
        }
        reference.remove("uid");
        reference.remove("resourceVersion");
    }
    vec![event.to_string(), line.to_owned()]
}

fn members_name_in_url(line: &str, name: &Value) -> bool {
    let event: Value = serde_json::from_str(line).expect("an event");
    let uri = event["requestURI"].as_str().unwrap_or_default();
    let path = uri.split('?').next().unwrap_or_default();
    name.as_str().is_some_and(|name| path.split('/').any(|part| part == name))
}

/// The event, and a copy of it that lost its bodies on the way.
fn with_truncated(line: &str) -> Vec<String> {
    let mut event: Value = serde_json::from_str(line).expect("an event");
    let members = event.as_object_mut().expect("an object");
    let had =
        members.remove("requestObject").is_some() | members.remove("responseObject").is_some();
    if !had {
        return vec![line.to_owned()];
    }
    members["annotations"]["audit.k8s.io/truncated"] = "true".into();
    vec![event.to_string(), line.to_owned()]
}

#[test]
fn borders_of_windows_and_days_do_not_show() {
    let log = capture::audit_log();
    let plain = Told::of(&log).story("deploy/web");
    let expect: Vec<_> = plain.acts().map(timeless).collect();
    // 15:05:31–15:07:23 moved onto 15:30, onto 15:30 elsewhere, onto midnight.
    for seconds in [23 * 60 + 18, 24 * 60 + 21, 8 * 3_600 + 53 * 60 + 18] {
        let story = Told::of(&capture::shifted(&log, seconds)).story("deploy/web");
        assert_eq!(story.counts, plain.counts, "shifted by {seconds} s");
        // Times of the cluster's own clock stand in bodies too, and move along.
        let moved: BTreeSet<_> = story.acts().map(|act| act.audit_id.clone()).collect();
        let there: BTreeSet<_> = plain.acts().map(|act| act.audit_id.clone()).collect();
        assert_eq!(moved, there, "shifted by {seconds} s");
        let told: Vec<_> = story.acts().map(timeless).collect();
        for (moved, expect) in told.iter().zip(&expect) {
            assert_eq!(without_times(moved), without_times(expect), "shifted by {seconds} s");
        }
    }
}

/// Cuts RFC 3339 times out of a text.
fn without_times(text: &str) -> String {
    let mut parts = text.split("2026-11-2");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(part.split_once(['Z', '"']).map_or("", |(_, rest)| rest));
    }
    out
}

#[test]
fn manifests_are_as_they_were() {
    let told = Told::of(&capture::audit_log());
    for case in truth()["get"].as_array().expect("cases") {
        let at = UnixNanos::parse_rfc3339(case["at"].as_str().unwrap_or_default()).expect("a time");
        let manifest = told.reader.manifest(&query("deploy/web"), at, &Stop::default());
        if case["gone"] == true {
            assert!(manifest.is_err(), "{case}");
            continue;
        }
        let value = manifest.expect("a manifest").value;
        if let Some(replicas) = case["spec.replicas"].as_u64() {
            assert_eq!(value["spec"]["replicas"], replicas, "{case}");
        }
        if let Some(image) = case["image web"].as_str() {
            assert_eq!(
                value["spec"]["template"]["spec"]["containers"][0]["image"], image,
                "{case}"
            );
        }
    }
}

#[test]
fn a_search_finds_and_its_ids_open() {
    let told = Told::of(&capture::audit_log());
    let pairs = [("username", "mallory@example.com"), ("verb", "delete")];
    let attributes = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let request = SearchRequest { attributes, ..SearchRequest::default() };
    let found = told.reader.search(&request, &Stop::default()).expect("rows");
    assert_eq!(found.rows.len(), 1);
    let row = &found.rows[0];
    assert_eq!((row.code, row.object.name.as_str()), (Some(403), "web"));
    let id = kausal_trace::TraceId::parse_hex(&row.view).expect("an id");
    assert!(!told.reader.messages(id, &Stop::default()).expect("messages").is_empty());
}

/// Pods are made with `generateName`: the first stage of their request has no name to be filed under.
#[test]
fn a_search_tells_a_request_once() {
    let log = capture::audit_log();
    let created = |line: &&str| line.contains("generateName") && line.contains("/pods\"");
    let line = log.lines().find(created).expect("a pod's creation");
    let event: Value = serde_json::from_str(line).expect("an event");
    let told = Told::nothing();
    told.ingest(&with_received(line).join("\n"));
    let audit_id = event["auditID"].as_str().unwrap_or_default().to_owned();
    let attributes = vec![("audit.id".to_owned(), audit_id)];
    let request = SearchRequest { attributes, ..SearchRequest::default() };
    let found = told.reader.search(&request, &Stop::default()).expect("rows");
    let names: Vec<_> = found.rows.iter().map(|row| row.object.name.as_str()).collect();
    assert_eq!(names, [event["responseObject"]["metadata"]["name"].as_str().unwrap_or_default()]);
}
