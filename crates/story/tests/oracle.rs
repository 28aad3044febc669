//! The story told from the capture, held against what was written down by hand from its requests.

mod common;

use std::collections::BTreeSet;

use common::{Capture, Reach, key, truth, web};
use kausal_object::ObjectKey;
use kausal_story::story::{Act, Change, Effect, EffectKind, Outcome, Place, Story};
use kausal_story::{NoManifest, TellPolicy, manifest_at, tell};
use kausal_trace::UnixNanos;
use serde_json::Value;

fn story(root: &ObjectKey) -> Story {
    tell(&Capture::read(0).gather(root, Reach::OwnedObjects), &TellPolicy::default())
}

fn time(value: &Value) -> UnixNanos {
    UnixNanos::parse_rfc3339(value.as_str().expect("a time")).expect("a time")
}

/// One act against one line of the oracle; what the oracle does not mention is not compared.
fn check(act: &Act, expect: &Value) {
    let said = |name: &str| expect.get(name).and_then(Value::as_str);
    assert_eq!(act.time, time(&expect["time"]), "{expect}");
    assert_eq!(Some(act.actor.username.as_str()), said("actor"), "{expect}");
    assert_eq!(act.actor.impersonated.as_deref(), said("impersonated"), "{expect}");
    assert_eq!(Some(act.verb.as_str()), said("verb"), "{expect}");
    assert_eq!(act.subresource, said("subresource").unwrap_or_default(), "{expect}");
    if let Some(id) = said("audit_id") {
        assert_eq!(act.audit_id, id);
    }
    let around = said("around").map(str::to_owned);
    let place = (act.place == Place::Around)
        .then(|| format!("{}/{}", act.object.resource, act.object.name));
    assert_eq!(place, around, "{expect}");
    check_outcome(act, expect);
    if let Some(changes) = expect.get("changes").and_then(Value::as_array) {
        let told: Vec<_> =
            act.changes.iter().map(|change| (change.path.as_str(), change)).collect();
        assert_eq!(told.len(), changes.len(), "{told:?}");
        for ((path, change), expect) in told.iter().zip(changes) {
            assert_eq!(plain(path), plain(expect["path"].as_str().expect("a path")));
            check_values(change, expect);
        }
    }
    check_effects(act, expect.get("effects").unwrap_or(&Value::Null));
}

/// `annotations["a"]` and `annotations.a` are one path.
fn plain(path: &str) -> String {
    path.replace("[\"", ".").replace("\"]", "")
}

fn check_values(change: &Change, expect: &Value) {
    assert_eq!(change.old.as_ref().unwrap_or(&Value::Null), &expect["old"], "{expect}");
    assert_eq!(change.new.as_ref().unwrap_or(&Value::Null), &expect["new"], "{expect}");
    assert!(!change.old_unknown);
}

fn check_outcome(act: &Act, expect: &Value) {
    match (&act.outcome, expect["outcome"].as_str()) {
        (Outcome::Done, Some("ok")) | (Outcome::DryRun, Some("dry_run")) => {}
        (Outcome::Refused { code, reason, message, .. }, Some("refused")) => {
            assert_eq!(Some(*code), expect["code"].as_i64());
            assert_eq!(Some(reason.as_str()), expect["reason"].as_str());
            if let Some(said) = expect["message"].as_str() {
                assert_eq!(message, said);
            }
        }
        (told, said) => panic!("{told:?} is not {said:?}: {expect}"),
    }
}

fn check_effects(act: &Act, expect: &Value) {
    let names = |wanted: fn(&Effect) -> bool, resource: &str| -> BTreeSet<String> {
        let effects = act.effects.iter().filter(|effect| effect.object.resource == resource);
        effects.filter(|effect| wanted(effect)).map(|effect| effect.object.name.clone()).collect()
    };
    let created = |effect: &Effect| effect.what == EffectKind::Created;
    let deleted = |effect: &Effect| effect.what == EffectKind::Deleted;
    let raised = |effect: &Effect| effect.what == EffectKind::ScaledUp;
    let Value::Object(expect) = expect else { return };
    for (what, expect) in expect {
        let told = match what.as_str() {
            "pods_created" => Value::from(names(created, "pods").len()),
            "pods_deleted" => Value::from(names(deleted, "pods").len()),
            "replicasets_created" => names(created, "replicasets").into_iter().collect(),
            "replicasets_deleted" => names(deleted, "replicasets").into_iter().collect(),
            "replicasets_scaled_up" => names(raised, "replicasets").into_iter().collect(),
            "takes" => format!("deployments/{}", names(deleted, "deployments").join_all()).into(),
            other => panic!("the oracle says {other}, the test does not know it"),
        };
        assert_eq!(&told, expect, "{what} of {} {}", act.verb, act.audit_id);
    }
}

trait JoinAll {
    fn join_all(self) -> String;
}

impl JoinAll for BTreeSet<String> {
    fn join_all(self) -> String {
        self.into_iter().collect::<Vec<_>>().join(" ")
    }
}

#[test]
fn web_is_told_as_it_was() {
    let (story, truth) = (story(&web()), &truth()["deployments/web"]);
    let number = |name: &str| truth[name].as_u64().map(|number| number as usize);
    assert_eq!(Some(story.counts.on_it), number("acts_on_it"));
    assert_eq!(Some(story.counts.around), number("acts_around_it"));
    assert_eq!(Some(story.counts.folded), number("folded"));
    assert_eq!(story.counts.folded_by.values().sum::<usize>(), story.counts.folded);
    let uids: Vec<_> = story.lives.iter().map(|life| life.uid.as_deref()).collect();
    let expect: Vec<_> =
        truth["lives"].as_array().expect("lives").iter().map(Value::as_str).collect();
    assert_eq!(uids, expect);
    let told: Vec<_> = story
        .lives
        .iter()
        .flat_map(|life| life.acts.iter().map(move |act| (life.number, act)))
        .filter(|(_, act)| act.folded.is_none())
        .collect();
    let acts = truth["acts"].as_array().expect("acts");
    assert_eq!(told.len(), acts.len());
    for ((life, act), expect) in told.iter().zip(acts) {
        assert_eq!(Some(*life as u64), expect["life"].as_u64(), "{expect}");
        check(act, expect);
    }
    let removals: Vec<_> = told.iter().filter(|(_, act)| act.removes).collect();
    assert_eq!(removals.len(), 1, "the other life ended with the Namespace");
    assert_eq!((removals[0].1.verb.as_str(), removals[0].0), ("delete", 1));
    assert_eq!(story.not_explained, [""; 0]);
    assert_eq!(story.warnings, [""; 0]);
}

#[test]
fn every_write_is_told_or_folded_once() {
    let story = story(&web());
    let ids: Vec<_> = story.acts().map(|act| act.audit_id.as_str()).collect();
    let distinct: BTreeSet<_> = ids.iter().copied().collect();
    assert_eq!(ids.len(), distinct.len());
    let mut expect = BTreeSet::new();
    for event in common::events() {
        let text = |at: &str| event.pointer(at).and_then(Value::as_str).unwrap_or_default();
        let write =
            matches!(text("/verb"), "create" | "update" | "patch" | "delete" | "deletecollection");
        if !write || text("/objectRef/namespace") != "shop" {
            continue;
        }
        let of_web = |resource: &str, name: &str| match resource {
            "deployments" => name == "web",
            "replicasets" | "pods" => name.starts_with("web-"),
            _ => false,
        };
        let resource = text("/objectRef/resource");
        let name = match text("/objectRef/name") {
            "" => text("/responseObject/metadata/name"),
            name => name,
        };
        let items = event.pointer("/responseObject/items").and_then(Value::as_array);
        let of_items = items.into_iter().flatten().any(|item| {
            of_web(resource, item.pointer("/metadata/name").and_then(Value::as_str).unwrap_or(""))
        });
        let ends_namespace = resource == "namespaces" && text("/verb") == "delete";
        if of_web(resource, name) || of_items || ends_namespace {
            expect.insert(text("/auditID").to_owned());
        }
    }
    assert_eq!(expect.len(), 336, "332 requests by name, 3 collections, 1 Namespace");
    assert_eq!(distinct, expect.iter().map(String::as_str).collect());
}

#[test]
fn the_backup_goes_with_its_finalizer() {
    let backup = key("ops.example", "backups", "shop", "nightly");
    let (story, truth) = (story(&backup), &truth()["backups/nightly"]);
    let told: Vec<_> = story.told().filter(|act| act.place == Place::On).collect();
    let acts = truth["acts"].as_array().expect("acts");
    assert_eq!(told.len(), acts.len());
    for (act, expect) in told.iter().zip(acts) {
        check(act, expect);
    }
    let summaries: Vec<_> = told.iter().map(|act| act.summary.as_str()).collect();
    assert_eq!(
        summaries,
        [
            "finalizer ops.example/hold",
            "asked for, held by ops.example/hold",
            "finalizer ops.example/hold removed, which let it go",
        ]
    );
    let last: Vec<_> = told.iter().map(|act| act.removes).collect();
    assert_eq!(last, [false, false, true]);
    let removed = story.lives[0].removed.as_ref().expect("it went");
    assert_eq!(removed.audit_id, told[2].audit_id);
}

#[test]
fn manifests_are_as_they_were() {
    let gathered = Capture::read(0).gather(&web(), Reach::Object);
    for expect in truth()["get"].as_array().expect("times") {
        let got = manifest_at(&gathered, time(&expect["at"]));
        if expect["gone"] == true {
            let error = got.expect_err("it was not there");
            assert!(matches!(error, NoManifest::Removed { .. } | NoManifest::NotYet { .. }));
            continue;
        }
        let manifest = got.expect("it was there");
        if let Some(replicas) = expect.get("spec.replicas") {
            assert_eq!(&manifest.value["spec"]["replicas"], replicas, "{expect}");
        }
        if let Some(image) = expect.get("image web") {
            let container = &manifest.value["spec"]["template"]["spec"]["containers"][0];
            assert_eq!(&container["image"], image, "{expect}");
        }
    }
}
