//! The bundled capture as gathered spans, made in the slow and simple way of a test: every event
//! becomes a tree, and what is gathered is found by walking over everything.
#![allow(dead_code, reason = "each test binary uses its part of this module")]

pub(crate) mod changes;
pub(crate) mod views;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use kausal_object::{ObjectKey, is_own_kind, kinds};
use kausal_story::{Gathered, GatheredObject, Mode, Relation};
use kausal_trace::natural::{AuditIdentity, EventIdentity, LinkIdentity};
use kausal_trace::{Day, NewSpan, SpanBatch, SpanId, SpanWriter, TraceId, UnixNanos, Window};
use kausal_trace::{KeyHash, attribute as a};
use serde_json::Value;

/// Everything of the capture, as a store would hold it.
#[derive(Clone, Default)]
pub(crate) struct Capture {
    pub(crate) spans: BTreeMap<ObjectKey, Vec<Box<[u8]>>>,
    /// Child to its owners.
    pub(crate) owners: BTreeMap<ObjectKey, BTreeSet<ObjectKey>>,
}

/// The audit log of the capture, one event a value.
pub(crate) fn events() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/capture/audit.jsonl.gz");
    let file = std::fs::File::open(path).expect("the capture is there");
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("gzip");
    text.lines().map(|line| serde_json::from_str(line).expect("an event")).collect()
}

/// What was written down by hand.
pub(crate) fn truth() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/capture/truth.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("the oracle")).expect("JSON")
}

pub(crate) fn key(group: &str, resource: &str, namespace: &str, name: &str) -> ObjectKey {
    ObjectKey {
        cluster: "capture".to_owned(),
        group: group.to_owned(),
        resource: resource.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

pub(crate) fn web() -> ObjectKey {
    key("apps", "deployments", "shop", "web")
}

/// Which owner references are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    Object,
    FullTree,
    Ancestors,
    OwnedObjects,
}

impl Capture {
    /// Reads the capture with all its times moved.
    pub(crate) fn read(shift_seconds: u64) -> Self {
        Self::of(&events(), shift_seconds)
    }

    /// The same, of these events. Links are always those of the whole capture.
    pub(crate) fn of(events: &[Value], shift_seconds: u64) -> Self {
        let mut capture = Self::default();
        for event in events {
            capture.take(event, shift_seconds);
        }
        capture.link();
        capture
    }

    fn take(&mut self, event: &Value, shift: u64) {
        let verb = text(event, "/verb");
        let code = event.pointer("/responseStatus/code").and_then(Value::as_i64).unwrap_or(0);
        let resource = text(event, "/objectRef/resource");
        let write = matches!(verb, "create" | "update" | "patch" | "delete" | "deletecollection");
        let noise = resource == "leases" || resource.ends_with("reviews");
        if (!write || noise) && !matches!(code, 401 | 403) {
            return;
        }
        let response = event.get("responseObject").unwrap_or(&Value::Null);
        if resource == "events" && code < 300 && response.get("reason").is_some() {
            return self.event(event, response, shift);
        }
        let own = key_of(event, text(response, "/metadata/name"));
        self.audit(event, &own, response, shift);
        for item in response.get("items").and_then(Value::as_array).into_iter().flatten() {
            if verb == "deletecollection" && resource != "events" {
                let own = key_of(event, text(item, "/metadata/name"));
                self.audit(event, &own, item, shift);
            }
        }
    }

    fn audit(&mut self, event: &Value, key: &ObjectKey, body: &Value, shift: u64) {
        let time = |name: &str| moved(text(event, name), shift);
        let (start, end) = (time("/requestReceivedTimestamp"), time("/stageTimestamp"));
        let trace = TraceId::facts(KeyHash::of(key.as_ref()), Window::of(start));
        let identity = AuditIdentity {
            audit_id: text(event, "/auditID"),
            received: start,
            verb: text(event, "/verb"),
            raw_uri: text(event, "/requestURI"),
            username: text(event, "/user/username"),
        };
        let span = SpanId::audit(trace, key.as_ref(), &identity);
        let name = format!("audit {}", identity.verb);
        let mut batch = SpanBatch::default();
        let head = NewSpan { trace, span, name: &name, start, end };
        audit_attributes(&mut batch.open(head), event, key, body);
        self.add(key, &batch);
    }

    fn event(&mut self, event: &Value, body: &Value, shift: u64) {
        let about = ["involvedObject", "regarding"].iter().find_map(|name| body.get(*name));
        let Some(about) = about else { return };
        let api = text(about, "/apiVersion");
        let group = api.split_once('/').map_or("", |(group, _)| group);
        let kind = text(about, "/kind");
        let resource = kinds::plural(group, kind);
        let namespace =
            if kinds::is_cluster_scoped(group, &resource) { "" } else { text(about, "/namespace") };
        let key = key(group, &resource, namespace, text(about, "/name"));
        let pick = |names: &[&str]| {
            let found = names.iter().map(|name| text(body, name)).find(|text| !text.is_empty());
            found.unwrap_or_default().to_owned()
        };
        let received = moved(text(event, "/requestReceivedTimestamp"), shift);
        let last = pick(&[
            "/series/lastObservedTime",
            "/eventTime",
            "/lastTimestamp",
            "/deprecatedLastTimestamp",
        ]);
        let time = UnixNanos::parse_rfc3339(&last).map_or(received, |_| moved(&last, shift));
        let count = body.get("count").and_then(Value::as_u64).unwrap_or(1);
        let trace = TraceId::facts(KeyHash::of(key.as_ref()), Window::of(time));
        let identity = EventIdentity { uid: text(body, "/metadata/uid"), count, last: time };
        let span = SpanId::event(trace, key.as_ref(), &identity);
        let mut batch = SpanBatch::default();
        let mut out = batch.open(NewSpan { trace, span, name: "event", start: time, end: time });
        key_attributes(&mut out, &key);
        out.str(a::EVENT_REASON, text(body, "/reason"))
            .str_some(a::EVENT_TYPE, text(body, "/type"))
            .str_some(a::EVENT_MESSAGE, &pick(&["/message", "/note"]))
            .str_some(a::EVENT_COMPONENT, &pick(&["/reportingComponent", "/source/component"]))
            .str_some(a::UID, text(about, "/uid"))
            .str(a::AUDIT_ID, text(event, "/auditID"))
            .str(a::EVENT_RECEIVED, &received.to_string())
            .int(a::EVENT_COUNT, count.cast_signed());
        drop(out);
        self.add(&key, &batch);
    }

    fn add(&mut self, key: &ObjectKey, batch: &SpanBatch) {
        let spans = self.spans.entry(key.clone()).or_default();
        spans.extend(batch.iter().map(|span| Box::from(span.bytes)));
    }

    /// Finds owners in bodies of the objects' own kind, and writes link frames for both ends.
    fn link(&mut self) {
        for event in events() {
            let response = event.get("responseObject").unwrap_or(&Value::Null);
            let items = response.get("items").and_then(Value::as_array).into_iter().flatten();
            for body in items.chain([response]) {
                self.link_body(&event, body);
            }
        }
    }

    fn link_body(&mut self, event: &Value, body: &Value) {
        let child = key_of(event, text(body, "/metadata/name"));
        let references = body.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        for reference in references.into_iter().flatten() {
            let api = text(reference, "/apiVersion");
            let group = api.split_once('/').map_or("", |(group, _)| group);
            let resource = kinds::plural(group, text(reference, "/kind"));
            let scoped = kinds::is_cluster_scoped(group, &resource);
            let namespace = if scoped { "" } else { child.namespace.as_str() };
            let owner = key(group, &resource, namespace, text(reference, "/name"));
            let known = self.owners.entry(child.clone()).or_default();
            if self.spans.contains_key(&child) && known.insert(owner.clone()) {
                let (uid, own) = (text(reference, "/uid"), text(body, "/metadata/uid"));
                self.frame(&child, own, &owner, uid, "parent");
                self.frame(&owner, uid, &child, own, "child");
            }
        }
    }

    fn frame(&mut self, key: &ObjectKey, own: &str, other: &ObjectKey, uid: &str, role: &str) {
        let day = Day::of(UnixNanos::parse_rfc3339("2026-11-20T00:00:00Z").expect("a time"));
        let trace = TraceId::catalogue(KeyHash::of(key.as_ref()), day);
        let identity = LinkIdentity {
            day,
            own_uid: own,
            target: other.as_ref(),
            target_uid: uid,
            role,
            class: "owner",
        };
        let span = SpanId::link(trace, key.as_ref(), &identity);
        let mut batch = SpanBatch::default();
        let mut out =
            batch.open(NewSpan { trace, span, name: "link", start: day.start(), end: day.end() });
        key_attributes(&mut out, key);
        out.str(a::LINK_CLUSTER, &other.cluster)
            .str(a::LINK_GROUP, &other.group)
            .str(a::LINK_RESOURCE, &other.resource)
            .str(a::LINK_NAMESPACE, &other.namespace)
            .str(a::LINK_NAME, &other.name)
            .str(a::LINK_UID, uid)
            .str(a::UID, own)
            .str(a::LINK_ROLE, role)
            .str(a::LINK_CLASS, "owner");
        drop(out);
        self.add(key, &batch);
    }

    /// Gathers as the reader does for a mode; links other than owner references are in no capture.
    pub(crate) fn gather_for(&self, root: &ObjectKey, mode: Mode) -> Gathered {
        let mut names = mode.modifiers().map(|modifier| modifier.name);
        let reach = names.find_map(|name| match name {
            "full tree" => Some(Reach::FullTree),
            "ancestors" => Some(Reach::Ancestors),
            "owned objects" => Some(Reach::OwnedObjects),
            _ => None,
        });
        self.gather(root, reach.unwrap_or(Reach::Object))
    }

    /// Gathers as the reader does for `kausal trace` (owned objects and the Namespace) or a view.
    pub(crate) fn gather(&self, root: &ObjectKey, reach: Reach) -> Gathered {
        let mut relations: BTreeMap<ObjectKey, Relation> = BTreeMap::new();
        relations.insert(root.clone(), Relation::Root);
        let mut top = vec![root.clone()];
        if matches!(reach, Reach::FullTree | Reach::Ancestors) {
            top.extend(self.climb(root, &mut relations));
        }
        match reach {
            Reach::FullTree => top.iter().for_each(|from| self.descend(from, &mut relations)),
            Reach::OwnedObjects => self.descend(root, &mut relations),
            Reach::Object | Reach::Ancestors => {}
        }
        if reach == Reach::OwnedObjects {
            relations.insert(key("", "namespaces", "", &root.namespace), Relation::Namespace);
        }
        let object = |(key, relation): (ObjectKey, Relation)| GatheredObject {
            spans: self.spans.get(&key).cloned().unwrap_or_default(),
            key,
            relation,
        };
        Gathered {
            root: root.clone(),
            from: UnixNanos(0),
            to: UnixNanos(u64::MAX),
            objects: relations.into_iter().map(object).collect(),
            warnings: Vec::new(),
        }
    }

    fn climb(
        &self,
        root: &ObjectKey,
        relations: &mut BTreeMap<ObjectKey, Relation>,
    ) -> Vec<ObjectKey> {
        let (mut level, mut all) = (vec![root.clone()], Vec::new());
        for depth in 1..=3 {
            let mut next = Vec::new();
            for child in &level {
                for owner in self.owners.get(child).into_iter().flatten() {
                    relations
                        .entry(owner.clone())
                        .or_insert(Relation::Ancestor { child: child.clone(), depth });
                    next.push(owner.clone());
                }
            }
            all.extend(next.clone());
            level = next;
        }
        all
    }

    fn descend(&self, from: &ObjectKey, relations: &mut BTreeMap<ObjectKey, Relation>) {
        let mut level = vec![from.clone()];
        for depth in 1..=3 {
            let mut next = Vec::new();
            for (child, owners) in &self.owners {
                for parent in level.iter().filter(|parent| owners.contains(parent)) {
                    relations
                        .entry(child.clone())
                        .or_insert(Relation::Owned { parent: parent.clone(), depth });
                    next.push(child.clone());
                }
            }
            level = next;
        }
    }
}

fn text<'v>(value: &'v Value, at: &str) -> &'v str {
    value.pointer(at).and_then(Value::as_str).unwrap_or_default()
}

fn moved(time: &str, shift: u64) -> UnixNanos {
    let time = UnixNanos::parse_rfc3339(time).expect("a time");
    UnixNanos(time.0 + shift * 1_000_000_000)
}

fn key_of(event: &Value, name: &str) -> ObjectKey {
    let (group, resource) =
        (text(event, "/objectRef/apiGroup"), text(event, "/objectRef/resource"));
    let scoped = kinds::is_cluster_scoped(group, resource);
    let namespace = if scoped { "" } else { text(event, "/objectRef/namespace") };
    let own = text(event, "/objectRef/name");
    key(group, resource, namespace, if own.is_empty() { name } else { own })
}

fn key_attributes(out: &mut SpanWriter<'_>, key: &ObjectKey) {
    out.str(a::CLUSTER, &key.cluster)
        .str(a::GROUP, &key.group)
        .str(a::RESOURCE, &key.resource)
        .str(a::NAMESPACE, &key.namespace)
        .str(a::NAME, &key.name);
}

fn audit_attributes(out: &mut SpanWriter<'_>, event: &Value, key: &ObjectKey, body: &Value) {
    let of_event = |at: &str| text(event, at);
    let code = event.pointer("/responseStatus/code").and_then(Value::as_i64);
    let own =
        is_own_kind(&key.group, &key.resource, text(body, "/apiVersion"), text(body, "/kind"))
            || event.get("responseObject") != Some(body);
    key_attributes(out, key);
    out.str(a::AUDIT_ID, of_event("/auditID"))
        .str(a::AUDIT_STAGE, of_event("/stage"))
        .str(a::AUDIT_LEVEL, of_event("/level"))
        .str(a::VERB, of_event("/verb"))
        .str_some(a::SUBRESOURCE, of_event("/objectRef/subresource"))
        .str_some(a::VERSION, of_event("/objectRef/apiVersion"))
        .str_some(a::UID, uid(event, body, own))
        .str(a::REQUEST_URI, of_event("/requestURI"))
        .str(a::USERNAME, of_event("/user/username"))
        .str_some(a::IMPERSONATED_USERNAME, of_event("/impersonatedUser/username"))
        .str_some(a::USER_AGENT, of_event("/userAgent"))
        .str_some(a::CLIENT_ADDRESS, of_event("/sourceIPs/0"))
        .str_some(
            a::AUTHORIZATION_DECISION,
            of_event("/annotations/authorization.k8s.io~1decision"),
        )
        .str_some(a::AUTHORIZATION_REASON, of_event("/annotations/authorization.k8s.io~1reason"))
        .str_some(a::RESOURCE_VERSION, of_event("/objectRef/resourceVersion"));
    if let Some(code) = code {
        out.int(a::STATUS_CODE, code);
        if code >= 300 {
            let causes = event.pointer("/responseStatus/details/causes");
            out.str_some(a::ERROR_REASON, of_event("/responseStatus/reason"))
                .str_some(a::ERROR_MESSAGE, of_event("/responseStatus/message"))
                .str_some(a::ERROR_CAUSES, &causes.map(Value::to_string).unwrap_or_default())
                .error();
        }
    }
    if of_event("/requestURI").contains("dryRun=") {
        out.bool(a::DRY_RUN, true);
    }
    if own || text(body, "/kind") == "Scale" {
        out.str_some(a::RESOURCE_VERSION_NEW, text(body, "/metadata/resourceVersion"));
    }
    if !own {
        out.str_some(a::RESPONSE_KIND, text(body, "/kind"));
    }
    out.str_some(a::REQUEST_OBJECT, &cut(event.get("requestObject")));
    out.str_some(a::RESPONSE_OBJECT, &cut(Some(body)));
}

fn uid<'v>(event: &'v Value, body: &'v Value, own: bool) -> &'v str {
    let found = [
        if own { text(body, "/metadata/uid") } else { "" },
        text(body, "/details/uid"),
        text(event, "/objectRef/uid"),
    ];
    found.into_iter().find(|uid| !uid.is_empty()).unwrap_or_default()
}

/// A body without what is always cut.
fn cut(body: Option<&Value>) -> String {
    let Some(body) = body.filter(|body| !body.is_null()) else { return String::new() };
    let mut body = body.clone();
    if let Some(meta) = body.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.remove("managedFields");
        if let Some(annotations) = meta.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    body.to_string()
}
