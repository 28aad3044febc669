//! The capture as seen by watches: with the audit log at a level without bodies, and beside it at
//! full level. The story told from whole bodies is the oracle.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use common::changes::{Sees, at_metadata, everything};
use common::{Capture, Reach, key, web};
use kausal_object::ObjectKey;
use kausal_story::story::{Act, Base, Certainty, JoinedBy, Story};
use kausal_story::{Confidence, Gathered, TellPolicy, manifest_at, tell};
use kausal_trace::UnixNanos;

/// How much later than the answer a watch sees a change, in nanoseconds.
const LAG: u64 = 2_000_000;

static WHOLE: LazyLock<Capture> = LazyLock::new(|| Capture::read(0));
static METADATA: LazyLock<Capture> = LazyLock::new(|| Capture::of(&at_metadata(), 0));

fn watched(capture: &Capture, leaders: &[Sees<'_>]) -> Capture {
    let mut capture = capture.clone();
    for (leader, sees) in leaders.iter().enumerate() {
        capture.watch(sees, LAG * (1 + leader as u64));
    }
    capture
}

fn gathered(capture: &Capture, root: &ObjectKey) -> Gathered {
    capture.gather(root, Reach::OwnedObjects)
}

fn story(capture: &Capture, root: &ObjectKey) -> Story {
    tell(&gathered(capture, root), &TellPolicy::default())
}

/// What is said of every told act, by its audit id.
fn said(story: &Story) -> BTreeMap<String, String> {
    let bare = |act: &Act| {
        let summary = act.summary.replace(", joined by time", "").replace("joined by time", "");
        let effects: BTreeSet<_> = act
            .effects
            .iter()
            .map(|effect| format!("{:?} {}", effect.what, effect.object))
            .collect();
        let changes: Vec<_> = act.changes.iter().map(ToString::to_string).collect();
        format!("{} {summary}|{:?}|{changes:?}|{effects:?}|{}", act.title, act.outcome, act.removes)
    };
    story.told().map(|act| (act.audit_id.clone(), bare(act))).collect()
}

/// The story joined from `Metadata` and changes against the one told from whole bodies; gives the
/// audit ids of which not the same is said, as their verbs and objects.
fn differences(root: &ObjectKey) -> Vec<String> {
    let (whole, joined) = (story(&WHOLE, root), story(&watched(&METADATA, &[&everything]), root));
    let (expect, got) = (said(&whole), said(&joined));
    let of = |act: &Act| format!("{} {}/{}", act.title, act.object.resource, act.object.name);
    let all = whole.told().chain(joined.told());
    let mut different: Vec<_> =
        all.filter(|act| expect.get(&act.audit_id) != got.get(&act.audit_id)).map(of).collect();
    different.sort();
    different.dedup();
    different
}

#[test]
fn without_bodies_changes_tell_the_same() {
    let check = |root: &ObjectKey, expect: &[&str]| assert_eq!(differences(root), expect, "{root}");
    // A deletecollection without a body names no items: what it took is seen, but not by whom.
    // A dry run changes nothing that could be seen.
    let web_differs = ["delete deployments/web", "delete namespaces/shop", "scale deployments/web"];
    check(&web(), &web_differs);
    // A name the apiserver made up (`generateName`) is not in a request without bodies.
    check(&key("ops.example", "backups", "shop", "nightly"), &["create jobs/nightly-4spdt"]);
    check(&key("", "configmaps", "shop", "web-config"), &["delete configmaps/web-config"]);
    let revision = "delete controllerrevisions/db-668ffbf4f4";
    check(&key("apps", "statefulsets", "shop", "db"), &[revision, "delete namespaces/shop"]);
}

#[test]
fn the_way_of_joining_is_said() {
    let of = |capture: &Capture| {
        let story = story(capture, &web());
        let seen = |act: &Act| act.change.as_ref().map(|seen| (seen.joined_by, seen.certainty));
        story.acts().filter_map(seen).fold(BTreeMap::<_, usize>::new(), |mut count, (by, sure)| {
            *count.entry((by, sure == Certainty::Recorded)).or_default() += 1;
            count
        })
    };
    let whole = of(&watched(&WHOLE, &[&everything]));
    assert!(whole.keys().all(|(by, _)| *by != Some(JoinedBy::TimeAndManager)), "{whole:?}");
    assert!(whole.keys().any(|(by, _)| *by == Some(JoinedBy::NewVersion)));
    let bare = of(&watched(&METADATA, &[&everything]));
    for by in [JoinedBy::OldVersion, JoinedBy::Creation, JoinedBy::Deletion] {
        assert!(bare.contains_key(&(Some(by), true)), "{by:?} of {bare:?}");
    }
    assert!(bare.contains_key(&(Some(JoinedBy::TimeAndManager), false)));
    assert!(!bare.contains_key(&(Some(JoinedBy::TimeAndManager), true)));
}

#[test]
fn beside_whole_bodies_changes_only_confirm() {
    for root in [web(), key("ops.example", "backups", "shop", "nightly")] {
        let (whole, joined) =
            (story(&WHOLE, &root), story(&watched(&WHOLE, &[&everything]), &root));
        assert_eq!(said(&whole), said(&joined));
        assert_eq!(joined.warnings, [""; 0]);
    }
}

#[test]
fn manifests_follow_from_a_snapshot_and_changes() {
    let whole = gathered(&WHOLE, &web());
    let joined = gathered(&watched(&METADATA, &[&everything]), &web());
    for second in ["32", "40", "46", "52", "59"] {
        let at = format!("2026-11-20T15:05:{second}.9Z");
        let at = UnixNanos::parse_rfc3339(&at).expect("a time");
        let expect = manifest_at(&whole, at).expect("it was there");
        let got = manifest_at(&joined, at).expect("it was there");
        assert_eq!(got.value["spec"], expect.value["spec"], "{second}");
        assert!(
            matches!(got.confidence, Confidence::Recorded | Confidence::Derived),
            "{:?}",
            got.doubts
        );
    }
}

#[test]
fn leaders_that_saw_different_versions_tell_one_story() {
    let (odd, even) = (|at: usize| at % 2 == 1, |at: usize| at.is_multiple_of(2));
    let early = |at: usize| at < 4;
    let late = |at: usize| at >= 3;
    let one = watched(&METADATA, &[&everything]);
    for leaders in [[&everything as Sees<'_>, &odd], [&everything, &even], [&early, &late]] {
        let two = watched(&METADATA, &leaders);
        assert_eq!(said(&story(&two, &web())), said(&story(&one, &web())));
    }
}

#[test]
fn what_was_missed_is_said() {
    // All that was seen between the creation and the removal of an object is its fourth version.
    let fourth = |at: usize| at == 3;
    let story = story(&watched(&METADATA, &[&fourth]), &web());
    let gaps: Vec<_> = story
        .acts()
        .filter(|act| act.object == web() && act.change.as_ref().is_some_and(|seen| seen.gap))
        .map(|act| act.base)
        .collect();
    assert_eq!(gaps, [Base::ChangesInBetweenUnseen; 2], "one in each life");
    assert_eq!(story.lives.len(), 2, "creation and removal tell the lives");
}

#[test]
fn without_audit_the_manager_is_all_that_is_known() {
    let mut capture = METADATA.clone();
    for spans in capture.spans.values_mut() {
        spans.retain(|span| {
            !kausal_trace::SpanRef::parse(span).is_ok_and(|span| span.name.starts_with("audit"))
        });
    }
    capture.watch(&everything, LAG);
    let story = story(&capture, &web());
    let told: Vec<_> = story
        .told()
        .filter(|act| act.object == web())
        .map(|act| (act.actor.manager.as_deref().unwrap_or_default(), act.summary.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("kubectl-client-side-apply", "3 replicas, web:1.0, no audit"),
            ("kubectl", "replicas 3 → 5, no audit"),
            ("kubectl-set", "web image 1.0 → 1.1-broken, no audit"),
            ("kubectl", "web image 1.1-broken → 1.0, no audit"),
            ("kubectl-rollout", "restart, no audit"),
            ("kubectl-annotate", "annotation reviewed-by → carol, no audit"),
            ("", "no audit"),
            ("kubectl-create", "2 replicas, web:2.0, no audit"),
            ("", "no audit"),
        ]
    );
    let how = |act: &Act| act.change.as_ref().map(kausal_story::story::SeenChange::how);
    let first = story.told().next().expect("an act");
    assert_eq!(how(first), Some("no audit: manager known, person unknown"));
    assert!(first.audit_id.starts_with("change/b442b83c"), "{}", first.audit_id);
}
