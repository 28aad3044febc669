//! What informers would have seen of the capture: change spans from the answers recorded in it, and
//! audit facts as the level `Metadata` has them.

use std::collections::{BTreeMap, BTreeSet};

use kausal_object::{ObjectKey, diff, is_own_kind};
use kausal_trace::{ChangeSpan, Operation, SpanBatch, UnixNanos};
use serde_json::Value;

use super::{Capture, events, key_of, moved, text};

/// One version of an object.
struct Version {
    number: u64,
    seen: UnixNanos,
    body: Value,
}

/// An object as a watch knows it: under one key and uid.
#[derive(Default)]
struct Watched {
    versions: Vec<Version>,
    gone: Option<(UnixNanos, Value)>,
}

/// Which changes a watch saw.
pub(crate) type Sees<'s> = &'s dyn Fn(usize) -> bool;

/// What a watch missed is seen with the next version.
pub(crate) fn everything(_: usize) -> bool {
    true
}

impl Capture {
    /// Adds what one leader saw: those versions of each object for which `sees` answers, by their
    /// place among the versions; `later` is how much later it saw them, in nanoseconds.
    pub(crate) fn watch(&mut self, sees: Sees<'_>, later: u64) {
        for ((key, uid), watched) in watched() {
            if self.spans.contains_key(&key) {
                let mut batch = SpanBatch::default();
                watched.write(&key, &uid, sees, later, &mut batch);
                self.add(&key, &batch);
            }
        }
    }
}

impl Watched {
    /// A binding is answered with a Status; what it made of the pod shows in the next version.
    fn bind(&mut self) {
        let [first, next, ..] = self.versions.as_slice() else { return };
        let bound = |version: &Version| version.body.pointer("/spec/nodeName").is_some();
        if bound(first) || !bound(next) {
            return;
        }
        let (number, seen) = (first.number + 1, first.seen);
        let mut body = first.body.clone();
        body["spec"] = next.body["spec"].clone();
        body["metadata"]["labels"] = next.body["metadata"]["labels"].clone();
        body["metadata"]["resourceVersion"] = number.to_string().into();
        self.versions.insert(1, Version { number, seen, body });
    }

    fn write(&self, key: &ObjectKey, uid: &str, sees: Sees<'_>, later: u64, out: &mut SpanBatch) {
        let mut last: Option<(usize, &Version)> = None;
        for (at, version) in self.versions.iter().enumerate() {
            if at > 0 && !sees(at) {
                continue;
            }
            let before = last.map(|(_, before)| before);
            let gap = last.is_some_and(|(before, _)| before + 1 != at);
            write_version(key, uid, before, version, gap, later, out);
            last = Some((at, version));
        }
        let Some((time, body)) = &self.gone else { return };
        let old = last.map(|(_, before)| before.number.to_string()).unwrap_or_default();
        let observed_at = UnixNanos(time.0 + later);
        ChangeSpan {
            operation: Operation::Delete,
            time: observed_at,
            observed_at,
            old_version: &old,
            snapshot: &body.to_string(),
            ..empty(key, uid)
        }
        .write(out);
    }
}

fn write_version(
    key: &ObjectKey,
    uid: &str,
    before: Option<&Version>,
    version: &Version,
    gap: bool,
    later: u64,
    out: &mut SpanBatch,
) {
    let observed_at = UnixNanos(version.seen.0 + later);
    let nothing = Value::Null;
    let old_body = before.map_or(&nothing, |before| &before.body);
    let (manager, subresource, clock) = manager(old_body, &version.body);
    let (mut old, mut new) = (old_body.clone(), version.body.clone());
    for body in [&mut old, &mut new] {
        strip(body, &["managedFields", "resourceVersion"]);
    }
    let lines = before.map(|_| diff::to_lines(&diff::diff(&old, &new))).unwrap_or_default();
    let mut snapshot = version.body.clone();
    strip(&mut snapshot, &["managedFields"]);
    let (old_version, new_version) =
        (before.map(|before| before.number.to_string()), version.number.to_string());
    ChangeSpan {
        operation: if before.is_none() { Operation::Create } else { Operation::Update },
        time: clock.filter(|clock| moved_with(*clock, version.seen)).unwrap_or(observed_at),
        observed_at,
        old_version: &old_version.unwrap_or_default(),
        new_version: &new_version,
        manager,
        subresource,
        diff: &lines,
        snapshot: &if before.is_none() { snapshot.to_string() } else { String::new() },
        gap,
        ..empty(key, uid)
    }
    .write(out);
}

fn empty<'a>(key: &'a ObjectKey, uid: &'a str) -> ChangeSpan<'a> {
    ChangeSpan {
        key: key.as_ref(),
        uid,
        operation: Operation::Update,
        time: UnixNanos(0),
        observed_at: UnixNanos(0),
        old_version: "",
        new_version: "",
        api_version: "",
        manager: "",
        subresource: "",
        diff: "",
        snapshot: "",
        gap: false,
        redaction_key: "",
    }
}

/// Whether an entry's time is that of the change: one that only lost fields keeps its old time.
fn moved_with(clock: UnixNanos, seen: UnixNanos) -> bool {
    seen.seconds().saturating_sub(clock.seconds()) <= 1
}

/// The newest entry of managedFields that is not as it was: manager, subresource, time. A deletion has its
/// own time.
fn manager<'v>(old: &Value, new: &'v Value) -> (&'v str, &'v str, Option<UnixNanos>) {
    let entries = |body: &'v Value| {
        body.pointer("/metadata/managedFields").and_then(Value::as_array).into_iter().flatten()
    };
    let known = old.pointer("/metadata/managedFields").and_then(Value::as_array);
    let changed = entries(new)
        .filter(|entry| !known.is_some_and(|known| known.contains(entry)))
        .max_by_key(|entry| text(entry, "/time"))
        .map(|entry| (text(entry, "/manager"), text(entry, "/subresource"), text(entry, "/time")));
    let (manager, subresource, time) = changed.unwrap_or_default();
    (manager, subresource, UnixNanos::parse_rfc3339(time))
}

/// Takes away members of the metadata, and what is cut from every body.
fn strip(body: &mut Value, members: &[&str]) {
    let Some(meta) = body.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    for member in members {
        meta.remove(*member);
    }
    if let Some(annotations) = meta.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
}

/// Every object of the capture with its versions, from the answers to successful writes.
fn watched() -> BTreeMap<(ObjectKey, String), Watched> {
    let mut all: BTreeMap<(ObjectKey, String), Watched> = BTreeMap::new();
    let mut done: BTreeSet<(ObjectKey, String)> = BTreeSet::new();
    let mut in_order = events();
    in_order.sort_by_key(|event| text(event, "/stageTimestamp").to_owned());
    for event in &in_order {
        let code = event.pointer("/responseStatus/code").and_then(Value::as_i64).unwrap_or(0);
        let verb = text(event, "/verb");
        let write = matches!(verb, "create" | "update" | "patch" | "delete" | "deletecollection");
        if !write || !(200..300).contains(&code) || text(event, "/requestURI").contains("dryRun=") {
            continue;
        }
        let body = event.get("responseObject").unwrap_or(&Value::Null);
        let items = body.get("items").and_then(Value::as_array).into_iter().flatten();
        for item in items {
            let key = key_of(event, text(item, "/metadata/name"));
            let id = (key, text(item, "/metadata/uid").to_owned());
            let held = !item.pointer("/metadata/finalizers").is_none_or(Value::is_null);
            let graceful = id.0.resource == "pods";
            if verb == "deletecollection" && !held && !graceful && done.insert(id.clone()) {
                let seen = moved(text(event, "/stageTimestamp"), 0);
                all.entry(id).or_default().gone = Some((seen, item.clone()));
            }
        }
        take(event, body, &mut all, &mut done);
    }
    for watched in all.values_mut() {
        watched.versions.sort_by_key(|version| version.number);
        watched.versions.dedup_by_key(|version| version.number);
        watched.bind();
    }
    all.retain(|_, watched| !watched.versions.is_empty());
    all
}

fn take(
    event: &Value,
    body: &Value,
    all: &mut BTreeMap<(ObjectKey, String), Watched>,
    done: &mut BTreeSet<(ObjectKey, String)>,
) {
    let verb = text(event, "/verb");
    let key = key_of(event, text(body, "/metadata/name"));
    let seen = moved(text(event, "/stageTimestamp"), 0);
    let of_status = text(body, "/details/uid");
    if verb == "delete" && !of_status.is_empty() {
        let id = (key, of_status.to_owned());
        let last = all.get(&id).and_then(|watched| watched.versions.last());
        if let Some(body) = last.map(|version| version.body.clone())
            && done.insert(id.clone())
        {
            all.entry(id).or_default().gone = Some((seen, body));
        }
        return;
    }
    let partial = text(body, "/kind") == "PartialObjectMetadata";
    let scale = text(body, "/kind") == "Scale";
    let own =
        is_own_kind(&key.group, &key.resource, text(body, "/apiVersion"), text(body, "/kind"));
    let id = (key, text(body, "/metadata/uid").to_owned());
    if done.contains(&id) || !(own || scale || partial) {
        return;
    }
    let number: u64 = text(body, "/metadata/resourceVersion").parse().expect("a version");
    let mut body = body.clone();
    let last = all.get(&id).and_then(|watched| watched.versions.last());
    if let Some(last) = last.filter(|_| scale) {
        body = scaled(&last.body, &body, text(event, "/userAgent"));
    }
    if let Some(last) = last.filter(|_| partial) {
        let metadata = body["metadata"].take();
        body = last.body.clone();
        body["metadata"] = metadata;
    }
    let meta = |name: &str| body.pointer(&format!("/metadata/{name}")).filter(|v| !v.is_null());
    let held = meta("finalizers").is_some() || body.pointer("/spec/finalizers").is_some();
    let deleting = meta("deletionTimestamp").is_some();
    let at_once = meta("deletionGracePeriodSeconds").is_none_or(|grace| grace == 0);
    let watched = all.entry(id.clone()).or_default();
    let emptied = verb != "delete"
        && deleting
        && !held
        && watched.versions.last().is_some_and(|last| last.number == number);
    if emptied || verb == "delete" && !held && at_once {
        watched.gone = Some((seen, body.clone()));
        done.insert(id);
    } else if !watched.versions.iter().any(|version| version.number == number) {
        watched.versions.push(Version { number, seen, body });
    }
}

/// The whole object after a write of its `scale`, with the entry that the apiserver then has in
/// managedFields: one without a time.
fn scaled(last: &Value, scale: &Value, user_agent: &str) -> Value {
    let mut body = last.clone();
    let program = user_agent.split('/').next().unwrap_or_default();
    let entry = serde_json::json!({"manager": program, "subresource": "scale"});
    body["spec"]["replicas"] = scale["spec"]["replicas"].clone();
    body["metadata"]["resourceVersion"] = scale["metadata"]["resourceVersion"].clone();
    let generation = body["metadata"]["generation"].as_i64().unwrap_or(0);
    body["metadata"]["generation"] = (generation + 1).into();
    if let Some(entries) = body["metadata"]["managedFields"].as_array_mut() {
        entries.push(entry);
    }
    body
}

/// The capture as the level `Metadata` records it: no bodies, no uid or version that only they
/// tell, and no name where the apiserver made it up (`generateName`).
pub(crate) fn at_metadata() -> Vec<Value> {
    let without_bodies = |mut event: Value| {
        let members = event.as_object_mut().expect("an event");
        members.insert("level".into(), "Metadata".into());
        members.remove("requestObject");
        members.remove("responseObject");
        event
    };
    events().into_iter().map(without_bodies).collect()
}
