//! What the capture does not show: unseen changes, unknown bases, conflicting copies, requests
//! that made nothing, forced by hand-written facts.

mod common;

use common::web;
use kausal_object::ObjectKey;
use kausal_story::story::{Base, JoinedBy, Outcome, Story};
use kausal_story::text::{self, TextStyle};
use kausal_story::{
    Confidence, Gathered, GatheredObject, NoManifest, Relation, TellPolicy, manifest_at, tell,
    versions,
};
use kausal_trace::natural::AuditIdentity;
use kausal_trace::{
    ChangeSpan, NewSpan, Operation, SpanBatch, SpanId, TraceId, UnixNanos, attribute as a,
};

const START: u64 = 1_795_187_131;

/// One request, told by its attributes; status 200 unless said.
struct Fact {
    second: u64,
    verb: &'static str,
    texts: Vec<(&'static str, String)>,
    code: i64,
    dry_run: bool,
}

fn fact(second: u64, verb: &'static str) -> Fact {
    Fact { second, verb, texts: Vec::new(), code: 200, dry_run: false }
}

impl Fact {
    fn with(mut self, name: &'static str, text: &str) -> Self {
        self.texts.push((name, text.to_owned()));
        self
    }

    fn code(mut self, code: i64) -> Self {
        self.code = code;
        self
    }

    fn dry_run(mut self) -> Self {
        self.dry_run = true;
        self
    }

    /// The answer: a Deployment with these numbers.
    fn answer(self, version: u64, generation: u64, replicas: u64, more: &str) -> Self {
        self.answer_of("u1", version, generation, replicas, more)
    }

    fn answer_of(
        self,
        uid: &str,
        version: u64,
        generation: u64,
        replicas: u64,
        more: &str,
    ) -> Self {
        let body = format!(
            r#"{{"kind":"Deployment","metadata":{{"name":"web","uid":"{uid}","resourceVersion":"{version}","generation":{generation}{more}}},"spec":{{"replicas":{replicas}}}}}"#
        );
        self.with(a::RESPONSE_OBJECT, &body)
            .with(a::UID, uid)
            .with(a::RESOURCE_VERSION_NEW, &version.to_string())
    }

    fn span(&self, key: &ObjectKey, number: usize) -> Box<[u8]> {
        let start = UnixNanos::from_seconds(START + self.second);
        let id = format!("id-{number}");
        let of = |name: &str, default: &str| {
            let own = self.texts.iter().find(|(own, _)| *own == name);
            own.map_or_else(|| default.to_owned(), |(_, text)| text.clone())
        };
        let (audit_id, username) = (of(a::AUDIT_ID, &id), of(a::USERNAME, "alice"));
        let identity = AuditIdentity {
            audit_id: &audit_id,
            received: start,
            verb: self.verb,
            raw_uri: "/x",
            username: &username,
        };
        let trace = TraceId([1; 16]);
        let span = SpanId::audit(trace, key.as_ref(), &identity);
        let mut batch = SpanBatch::default();
        let mut out = batch.open(NewSpan { trace, span, name: "audit", start, end: start });
        out.str(a::CLUSTER, &key.cluster)
            .str(a::GROUP, &key.group)
            .str(a::RESOURCE, &key.resource)
            .str(a::NAMESPACE, &key.namespace)
            .str(a::NAME, &key.name)
            .str(a::AUDIT_ID, &audit_id)
            .str(a::AUDIT_STAGE, "ResponseComplete")
            .str(a::VERB, self.verb)
            .str(a::REQUEST_URI, "/x")
            .str(a::USERNAME, &username)
            .int(a::STATUS_CODE, self.code)
            .bool(a::DRY_RUN, self.dry_run);
        for (name, text) in &self.texts {
            if !matches!(*name, a::AUDIT_ID | a::USERNAME) {
                out.str(name, text);
            }
        }
        drop(out);
        batch.iter().next().expect("one span").bytes.into()
    }
}

fn gathered(facts: &[Fact]) -> Gathered {
    let spans = facts.iter().enumerate().map(|(number, fact)| fact.span(&web(), number));
    let object = GatheredObject { key: web(), relation: Relation::Root, spans: spans.collect() };
    Gathered {
        root: web(),
        from: UnixNanos(0),
        to: UnixNanos(u64::MAX),
        objects: vec![object],
        warnings: Vec::new(),
    }
}

fn story(facts: &[Fact]) -> Story {
    tell(&gathered(facts), &TellPolicy::default())
}

/// The summaries told, and what each is counted from.
fn check(facts: &[Fact], expect: &[(&str, Base)]) {
    let story = story(facts);
    let got: Vec<_> = story.told().map(|act| (act.summary.as_str(), act.base)).collect();
    assert_eq!(got, expect);
}

fn at(second: u64) -> UnixNanos {
    UnixNanos::from_seconds(START + second)
}

#[test]
fn changes_in_between_are_said() {
    let create = || fact(0, "create").code(201).answer(9, 1, 3, "");
    let unseen = "replicas 3 → 5, changes in between unseen";
    check(
        &[create(), fact(1, "update").with(a::RESOURCE_VERSION, "40").answer(41, 2, 5, "")],
        &[("3 replicas", Base::None), (unseen, Base::ChangesInBetweenUnseen)],
    );
    check(
        &[create(), fact(1, "patch").answer(41, 4, 5, "")],
        &[("3 replicas", Base::None), (unseen, Base::ChangesInBetweenUnseen)],
    );
    check(
        &[create(), fact(1, "patch").answer(10, 2, 5, "")],
        &[("3 replicas", Base::None), ("replicas 3 → 5", Base::Recorded)],
    );
}

#[test]
fn without_a_base_the_request_speaks() {
    let patch = fact(0, "patch").with(a::REQUEST_OBJECT, r#"{"spec":{"replicas":7}}"#);
    check(&[patch.answer(41, 2, 7, "")], &[("replicas ? → 7", Base::Unknown)]);
    let scale = fact(0, "patch")
        .with(a::SUBRESOURCE, "scale")
        .with(a::RESPONSE_KIND, "Scale")
        .with(a::RESPONSE_OBJECT, r#"{"metadata":{"resourceVersion":"8"},"spec":{"replicas":7}}"#);
    check(&[scale], &[("replicas ? → 7", Base::Unknown)]);
}

#[test]
fn versions_are_ordered_as_numbers_not_by_time() {
    let story = story(&[
        fact(0, "create").code(201).answer(99, 1, 1, ""),
        fact(2, "patch").answer(100, 2, 2, ""),
        fact(1, "patch").answer(101, 3, 3, ""),
    ]);
    let told: Vec<_> = story.told().map(|act| act.summary.as_str()).collect();
    assert_eq!(told, ["1 replica", "replicas 2 → 3", "replicas 1 → 2"]);
}

#[test]
fn what_changed_nothing_is_said() {
    let facts =
        [fact(0, "create").code(201).answer(9, 1, 3, ""), fact(1, "patch").answer(9, 1, 3, "")];
    let story = story(&facts);
    assert_eq!(story.told().last().map(|act| &act.outcome), Some(&Outcome::NoChange));
}

#[test]
fn dry_runs_and_refusals_make_no_life() {
    let made = fact(0, "create").code(201).answer_of("never", 1, 1, 3, "").dry_run();
    let refused = fact(1, "update").code(409).with(a::UID, "stale");
    let story = story(&[made, refused, fact(2, "create").code(201).answer(9, 1, 2, "")]);
    let uids: Vec<_> = story.lives.iter().map(|life| life.uid.as_deref()).collect();
    assert_eq!(uids, [Some("u1")]);
    assert_eq!(story.counts.on_it, 3);
    let first = story.told().next().expect("an act");
    assert_eq!(
        (first.summary.as_str(), &first.outcome),
        ("3 replicas, nothing stored", &Outcome::DryRun)
    );
}

#[test]
fn copies_that_contradict_are_both_told() {
    let twin = |code| fact(0, "patch").with(a::AUDIT_ID, "chosen").code(code);
    let story = story(&[twin(200).answer(9, 1, 3, ""), twin(409)]);
    assert_eq!(story.counts.on_it, 2);
    assert!(story.warnings[0].contains("contradict"), "{:?}", story.warnings);
}

#[test]
fn a_graceful_deletion_is_two_acts_on_one_life() {
    let going = r#","deletionTimestamp":"2026-11-20T15:05:33Z","deletionGracePeriodSeconds":30"#;
    let gone = r#","deletionTimestamp":"2026-11-20T15:05:33Z","deletionGracePeriodSeconds":0"#;
    let story = story(&[
        fact(0, "create").code(201).answer(9, 1, 3, ""),
        fact(2, "delete").answer(10, 2, 3, going),
        fact(4, "delete").with(a::USERNAME, "system:node:n1").answer(11, 2, 3, gone),
        fact(6, "create").code(201).answer_of("u2", 12, 1, 1, ""),
    ]);
    assert_eq!(story.lives.len(), 2);
    assert_eq!((story.counts.on_it, story.counts.folded), (3, 1));
    assert_eq!(story.lives[0].removed.as_ref().map(|removed| removed.time), Some(at(4)));
}

#[test]
fn manifests_say_what_is_not_sure() {
    let create = || fact(0, "create").code(201).answer(9, 1, 3, "");
    let get = |facts: &[Fact], second| manifest_at(&gathered(facts), at(second));
    let check = |facts: &[Fact], second, replicas: u64, confidence| {
        let manifest = get(facts, second).expect("a manifest");
        assert_eq!(manifest.value["spec"]["replicas"], replicas);
        assert_eq!(manifest.confidence, confidence, "{:?}", manifest.doubts);
    };
    check(&[create()], 5, 3, Confidence::Recorded);
    let scale = fact(1, "patch")
        .with(a::SUBRESOURCE, "scale")
        .with(a::RESPONSE_KIND, "Scale")
        .with(a::UID, "u1")
        .with(a::RESPONSE_OBJECT, r#"{"metadata":{"resourceVersion":"10"},"spec":{"replicas":7}}"#);
    check(&[create(), scale], 5, 7, Confidence::Derived);
    let bare = fact(1, "patch").with(a::UID, "u1");
    check(&[create(), bare], 5, 3, Confidence::Outdated);
    let later = fact(9, "update").with(a::RESOURCE_VERSION, "40").answer(41, 2, 5, "");
    check(&[create(), later], 5, 3, Confidence::Outdated);
    assert!(matches!(
        get(&[fact(5, "create").code(201).answer(9, 1, 3, "")], 1),
        Err(NoManifest::NotYet { .. })
    ));
    let bare = fact(1, "patch").with(a::UID, "u1");
    assert_eq!(get(&[bare], 5), Err(NoManifest::NoState));
    assert_eq!(get(&[], 5), Err(NoManifest::NothingRecorded));
}

/// A change of `web` by kubectl, seen a moment after the second.
fn change(second: u64, old: u64, new: u64, diff: &str) -> Box<[u8]> {
    let (key, time) = (web(), UnixNanos::from_seconds(START + second));
    let (old_version, new_version) = (old.to_string(), new.to_string());
    let mut batch = SpanBatch::default();
    ChangeSpan {
        key: key.as_ref(),
        uid: "u1",
        operation: Operation::Update,
        time,
        observed_at: UnixNanos(time.0 + 9_000_000),
        old_version: &old_version,
        new_version: &new_version,
        api_version: "v1",
        manager: "kubectl",
        subresource: "",
        diff,
        snapshot: "",
        gap: false,
        redaction_key: "",
    }
    .write(&mut batch);
    batch.iter().next().expect("one span").bytes.into()
}

/// How changes were joined to each told act, in the order of time.
fn ways(facts: &[Fact], changes: &[Box<[u8]>]) -> (Vec<Option<JoinedBy>>, Story) {
    let mut gathered = gathered(facts);
    gathered.objects[0].spans.extend(changes.iter().cloned());
    let story = tell(&gathered, &TellPolicy::default());
    let by = story.told().filter_map(|act| act.change.as_ref()).map(|seen| seen.joined_by);
    (by.collect(), story)
}

fn by_kubectl(second: u64) -> Fact {
    fact(second, "patch").with(a::USER_AGENT, "kubectl/v1.36.0 (linux/amd64)")
}

#[test]
fn a_change_that_contradicts_its_request_is_said() {
    let facts =
        || [fact(0, "create").code(201).answer(9, 1, 3, ""), by_kubectl(1).answer(10, 2, 5, "")];
    let diff = |new: u64| {
        change(1, 9, 10, &format!("metadata.generation 1 -> 2\nspec.replicas 3 -> {new}"))
    };
    let (by, story) = ways(&facts(), &[diff(5)]);
    assert_eq!((by, story.warnings.len()), (vec![Some(JoinedBy::NewVersion)], 0));
    let (_, story) = ways(&facts(), &[diff(7)]);
    assert!(story.warnings[0].contains("contradict"), "{:?}", story.warnings);
    assert_eq!(story.told().last().map(|act| act.summary.as_str()), Some("replicas 3 → 5"));
}

#[test]
fn what_may_be_anothers_stays_alone() {
    let diff = "spec.replicas 3 -> 5";
    // The only one whose manager and time fit.
    let (by, story) = ways(&[by_kubectl(1)], &[change(1, 9, 10, diff)]);
    assert_eq!(by, [Some(JoinedBy::TimeAndManager)]);
    assert_eq!(
        story.told().next().map(|act| act.summary.as_str()),
        Some("replicas 3 → 5, joined by time")
    );
    // Two that could have been it, another program, another second.
    let rivals = [by_kubectl(1), by_kubectl(1).with(a::USERNAME, "bob")];
    let other = fact(1, "patch").with(a::USER_AGENT, "helm/v3");
    for facts in [&rivals[..], &[other], &[by_kubectl(3)]] {
        let (by, _) = ways(facts, &[change(1, 9, 10, diff)]);
        assert_eq!(by, [None]);
    }
    // As many as there are changes: in order.
    let (by, _) =
        ways(&rivals, &[change(1, 9, 10, diff), change(1, 10, 11, "spec.replicas 5 -> 6")]);
    assert_eq!(by, [Some(JoinedBy::TimeAndManager); 2]);
    // An update that changed nothing carries the precondition of somebody else's change.
    let idle = fact(1, "update").with(a::RESOURCE_VERSION, "9").with(a::USER_AGENT, "helm/v3");
    let (by, _) = ways(&[idle, by_kubectl(1)], &[change(1, 9, 10, diff)]);
    assert_eq!(by, [Some(JoinedBy::TimeAndManager)]);
}

#[test]
fn control_characters_stay_out_of_the_terminal() {
    let name = "mal\u{1b}[2Jlory\n";
    let facts = [fact(0, "delete").code(403).with(a::USERNAME, name)];
    let text = text::render(&story(&facts), &TextStyle::default());
    assert!(!text.contains('\u{1b}'), "{text:?}");
    assert_eq!(text.lines().count(), 5);
}

#[test]
fn a_version_is_a_write_that_changed_something() {
    let facts = [
        fact(0, "create").code(201).answer(9, 1, 3, ""),
        fact(1, "patch").code(409),
        fact(2, "patch").answer(9, 1, 3, ""),
        fact(3, "patch").dry_run().answer(9, 2, 4, ""),
        fact(4, "patch").with(a::SUBRESOURCE, "scale").answer(10, 2, 5, ""),
        fact(5, "get").answer(10, 2, 5, ""),
    ];
    let versions = versions(&gathered(&facts), &TellPolicy::default());
    let told: Vec<_> = versions
        .iter()
        .map(|version| {
            let changes: Vec<_> = version.changes.iter().map(ToString::to_string).collect();
            (version.resource_version.as_str(), version.time, changes.join("; "))
        })
        .collect();
    let replicas = "spec.replicas 3 -> 5".to_owned();
    assert_eq!(told, [("9", at(0), String::new()), ("10", at(4), replicas)]);
    assert_eq!(versions[1].base, Base::Recorded);
}
