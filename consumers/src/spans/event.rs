//! Kubernetes Events inside the audit log: one `event` span on the object they are about.
//!
//! Promise: a write that created or changed an Event, seen with its body, is told as that Event; a
//! refused write, or one whose body was not recorded, stays a request.

use std::borrow::Cow;

use kausal_audit::Event;
use kausal_object::json::{members, string};
use kausal_object::{BodyContext, BodyPart, KeyRef, is_own_kind, kinds, redact_message};
use kausal_trace::natural::EventIdentity;
use kausal_trace::{KeyHash, NewSpan, SpanBatch, SpanId, TraceId, UnixNanos, attribute};

use super::identify::is_plausible;
use super::{Encoder, Output, Texts, Unencodable, audit, check_time, took_effect};
use crate::frames::write_key;

/// The parts of an Event, as they stand in its text. Both API groups write into the same fields.
#[derive(Debug, Default)]
pub(super) struct Told<'a> {
    uid: Cow<'a, str>,
    name: Cow<'a, str>,
    home: Cow<'a, str>,
    created: Cow<'a, str>,
    object: Reference<'a>,
    related: Reference<'a>,
    reason: Cow<'a, str>,
    message: Cow<'a, str>,
    kind: Cow<'a, str>,
    action: Cow<'a, str>,
    component: Cow<'a, str>,
    controller: Cow<'a, str>,
    count: u64,
    first: Cow<'a, str>,
    last: Cow<'a, str>,
    event_time: Cow<'a, str>,
    series_count: u64,
    series_last: Cow<'a, str>,
}

/// A reference to an object, as Events hold them.
#[derive(Debug, Default)]
struct Reference<'a> {
    kind: Cow<'a, str>,
    api_version: Cow<'a, str>,
    namespace: Cow<'a, str>,
    name: Cow<'a, str>,
    uid: Cow<'a, str>,
}

/// The Event a request wrote, if it wrote one and says which.
pub(super) fn find<'a>(event: &'a Event<'_>, texts: Texts<'a>) -> Option<Told<'a>> {
    let target = event.object_ref.as_ref()?;
    let is_event = target.resource == "events"
        && matches!(&*target.api_group, "" | "events.k8s.io")
        && target.subresource.is_empty();
    let is_write = matches!(&*event.verb, "create" | "update" | "patch");
    if !is_event || !is_write || !took_effect(event, audit::is_dry_run(event, texts.request)) {
        return None;
    }
    let whole_request = texts.request.filter(|_| event.verb != "patch");
    let told = [texts.response, whole_request].into_iter().flatten().find_map(Told::read)?;
    let has_object = !told.object.kind.is_empty() && !told.object.name.is_empty();
    (has_object && told.last().is_some()).then_some(told)
}

impl<'a> Told<'a> {
    fn read(body: &'a str) -> Option<Self> {
        let mut told = Self::default();
        let (mut kind, mut api_version) = (Cow::default(), Cow::default());
        for member in members(body) {
            let value = member.ok()?;
            match value.raw_key {
                "kind" => kind = text(value.value),
                "apiVersion" => api_version = text(value.value),
                key => told.take(key, value.value),
            }
        }
        let is_event = |group| is_own_kind(group, "events", &api_version, &kind);
        (is_event("") || is_event("events.k8s.io")).then_some(told)
    }

    fn take(&mut self, key: &str, value: &'a str) {
        match key {
            "metadata" => self.take_metadata(value),
            "involvedObject" | "regarding" => self.object = Reference::read(value),
            "related" => self.related = Reference::read(value),
            "reason" => self.reason = text(value),
            "message" | "note" => self.message = text(value),
            "type" => self.kind = text(value),
            "action" => self.action = text(value),
            "source" | "deprecatedSource" => self.take_source(value),
            "reportingComponent" | "reportingController" => self.controller = text(value),
            "count" | "deprecatedCount" => self.count = number(value),
            "firstTimestamp" | "deprecatedFirstTimestamp" => self.first = text(value),
            "lastTimestamp" | "deprecatedLastTimestamp" => self.last = text(value),
            "eventTime" => self.event_time = text(value),
            "series" => self.take_series(value),
            _ => {}
        }
    }

    fn take_metadata(&mut self, value: &'a str) {
        for member in members(value).map_while(Result::ok) {
            match member.raw_key {
                "uid" => self.uid = text(member.value),
                "name" => self.name = text(member.value),
                "namespace" => self.home = text(member.value),
                "creationTimestamp" => self.created = text(member.value),
                _ => {}
            }
        }
    }

    fn take_source(&mut self, value: &'a str) {
        let mut members = members(value).map_while(Result::ok);
        if let Some(component) = members.find(|member| member.is("component")) {
            self.component = text(component.value);
        }
    }

    fn take_series(&mut self, value: &'a str) {
        for member in members(value).map_while(Result::ok) {
            match member.raw_key {
                "count" => self.series_count = number(member.value),
                "lastObservedTime" => self.series_last = text(member.value),
                _ => {}
            }
        }
    }

    /// Last time by the Event's own clock.
    fn last(&self) -> Option<UnixNanos> {
        let times = [&self.series_last, &self.last, &self.event_time, &self.first, &self.created];
        times.into_iter().find_map(|time| UnixNanos::parse_rfc3339(time))
    }

    fn first(&self) -> &str {
        let times = [&self.first, &self.event_time, &self.created];
        times.into_iter().find(|time| !time.is_empty()).map_or("", |time| time)
    }

    /// How often it happened. An Event that counts nothing happened once.
    fn count(&self) -> u64 {
        if self.series_count > 0 { self.series_count } else { self.count.max(1) }
    }

    fn component(&self) -> &str {
        if self.component.is_empty() { &self.controller } else { &self.component }
    }
}

impl<'a> Reference<'a> {
    fn read(value: &'a str) -> Self {
        let mut reference = Self::default();
        for member in members(value).map_while(Result::ok) {
            match member.raw_key {
                "kind" => reference.kind = text(member.value),
                "apiVersion" => reference.api_version = text(member.value),
                "namespace" => reference.namespace = text(member.value),
                "name" => reference.name = text(member.value),
                "uid" => reference.uid = text(member.value),
                _ => {}
            }
        }
        reference
    }

    fn group(&self) -> &str {
        match self.api_version.split_once('/') {
            Some((group, _)) => group,
            None if self.api_version.is_empty() => {
                kinds::lookup(&self.kind).map_or("", |(group, _)| group)
            }
            None => "",
        }
    }
}

impl Encoder {
    /// Writes the span of an Event; gives the number of facts.
    pub(super) fn event_span(
        &mut self,
        event: &Event<'_>,
        told: &Told<'_>,
        out: &mut Output<'_>,
    ) -> Result<u64, Unencodable> {
        let object = &told.object;
        let group = object.group();
        let resource = kinds::plural(group, &object.kind);
        let is_cluster_scoped = kinds::is_cluster_scoped(group, &resource);
        let key = KeyRef {
            cluster: self.cluster.as_str(),
            group,
            resource: &resource,
            namespace: if is_cluster_scoped { "" } else { &object.namespace },
            name: &object.name,
        };
        if !is_plausible(key) {
            return Err(Unencodable::KeyTooLong);
        }
        let time = told.last().unwrap_or_default();
        check_time(time, out)?;
        let text = &mut self.scratch.words.text;
        text.clear();
        let cx = BodyContext {
            key,
            subresource: "",
            part: BodyPart::Response,
            redaction: &self.redaction,
        };
        redact_message(&told.message, &cx, text);
        let hash = KeyHash::of(key);
        let place = Place { key, hash, time };
        if !out.write_span(|batch| write(event, told, place, text, batch)) {
            return Err(Unencodable::SpanTooLarge);
        }
        Self::announce(key, hash, time, out);
        Ok(1)
    }
}

/// Where the span of an Event goes.
#[derive(Clone, Copy)]
struct Place<'a> {
    key: KeyRef<'a>,
    hash: KeyHash,
    time: UnixNanos,
}

fn write(
    event: &Event<'_>,
    told: &Told<'_>,
    place: Place<'_>,
    message: &str,
    batch: &mut SpanBatch,
) {
    let Place { key, hash, time } = place;
    let trace = TraceId::facts_at(hash, time);
    let stand_in;
    let uid = if told.uid.is_empty() {
        stand_in = format!("{}/{}", told.home, told.name);
        &stand_in
    } else {
        &*told.uid
    };
    let identity = EventIdentity { uid, count: told.count(), last: time };
    let span = SpanId::event(trace, key, &identity);
    let mut writer = batch.open(NewSpan { trace, span, name: "event", start: time, end: time });
    write_key(&mut writer, key);
    writer
        .str_some(attribute::UID, &told.object.uid)
        .str_some(attribute::EVENT_UID, &told.uid)
        .str_some(attribute::AUDIT_ID, &event.audit_id)
        .str_some(attribute::USERNAME, &event.user.username)
        .str_some(attribute::EVENT_REASON, &told.reason)
        .str_some(attribute::EVENT_TYPE, &told.kind)
        .str_some(attribute::EVENT_MESSAGE, message)
        .int(attribute::EVENT_COUNT, i64::try_from(told.count()).unwrap_or(i64::MAX))
        .str_some(attribute::EVENT_COMPONENT, told.component())
        .str_some(attribute::EVENT_ACTION, &told.action)
        .str_some(attribute::EVENT_FIRST_TIME, told.first());
    if let Some(received) = event.request_received {
        writer.str(attribute::EVENT_RECEIVED, &received.to_string());
    }
    let related = &told.related;
    for (part, value) in [
        (attribute::RELATED_KIND, &related.kind),
        (attribute::RELATED_API_VERSION, &related.api_version),
        (attribute::RELATED_NAMESPACE, &related.namespace),
        (attribute::RELATED_NAME, &related.name),
        (attribute::RELATED_UID, &related.uid),
    ] {
        writer.str_some(part, value);
    }
}

fn text(value: &str) -> Cow<'_, str> {
    string(value).unwrap_or_default()
}

fn number(value: &str) -> u64 {
    value.parse().unwrap_or(0)
}
