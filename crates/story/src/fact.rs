//! Stored facts, decoded: what one span says of one request or Event. Changes are in
//! [`watched`](crate::watched).
//!
//! Promise: strings borrow from the span; a body stays text until somebody asks for it.

use std::borrow::Cow;

use kausal_object::KeyRef;
use kausal_trace::{
    FactKind, Operation, SpanError, SpanId, SpanRef, UnixNanos, Value, attribute as a,
};

use crate::frames::{Frame, LinkFrame};
use crate::join::Joined;
use crate::watched::ChangeFact;

/// Audit stage, in the order stages follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    #[default]
    Unknown,
    RequestReceived,
    ResponseStarted,
    ResponseComplete,
    Panic,
}

/// Audit level, lowest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    #[default]
    Unknown,
    Metadata,
    Request,
    RequestResponse,
}

/// A request to the apiserver, as far as one span (or several, merged) tells it. A change that no
/// audit event tells is a request of which only what it did is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct AuditFact<'a> {
    pub(crate) span: Option<SpanId>,
    pub(crate) start: UnixNanos,
    pub(crate) end: UnixNanos,
    pub(crate) stage: Stage,
    pub(crate) level: Level,
    pub(crate) audit_id: &'a str,
    pub(crate) verb: &'a str,
    pub(crate) subresource: &'a str,
    pub(crate) version: &'a str,
    pub(crate) uid: &'a str,
    pub(crate) uri: &'a str,
    pub(crate) username: &'a str,
    pub(crate) impersonated: &'a str,
    pub(crate) user_agent: &'a str,
    pub(crate) address: &'a str,
    pub(crate) decision: &'a str,
    pub(crate) decision_reason: &'a str,
    pub(crate) code: Option<i64>,
    pub(crate) error_reason: &'a str,
    pub(crate) error_message: &'a str,
    pub(crate) error_causes: &'a str,
    pub(crate) precondition: &'a str,
    pub(crate) resource_version: &'a str,
    pub(crate) dry_run: bool,
    pub(crate) request: &'a str,
    pub(crate) response: Cow<'a, str>,
    pub(crate) request_cut: &'a str,
    pub(crate) response_cut: &'a str,
    pub(crate) response_kind: &'a str,
    pub(crate) truncated: &'a str,
    pub(crate) redaction_key: &'a str,
    pub(crate) time_source: &'a str,
    /// The change that watches saw of it.
    pub(crate) change: Option<Box<Joined<'a>>>,
    /// Everything else, by name: groups, user extras, latencies, admission, other annotations.
    pub(crate) more: Vec<(&'a str, Value<'a>)>,
}

/// A Kubernetes Event.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct EventFact<'a> {
    pub(crate) span: Option<SpanId>,
    pub(crate) time: UnixNanos,
    pub(crate) reason: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) message: &'a str,
    pub(crate) component: &'a str,
    pub(crate) action: &'a str,
    pub(crate) first_time: &'a str,
    pub(crate) received: &'a str,
    pub(crate) uid: &'a str,
    pub(crate) audit_id: &'a str,
    pub(crate) count: Option<i64>,
    pub(crate) more: Vec<(&'a str, Value<'a>)>,
}

/// Facts and frames of one object, as stored.
#[derive(Debug, Default)]
pub(crate) struct Decoded<'a> {
    pub(crate) audits: Vec<AuditFact<'a>>,
    pub(crate) events: Vec<EventFact<'a>>,
    pub(crate) changes: Vec<ChangeFact<'a>>,
    pub(crate) links: Vec<LinkFrame<'a>>,
    /// Spans that cannot be read.
    pub(crate) malformed: usize,
    /// Spans of another object that shares this one's hash.
    pub(crate) strangers: usize,
}

impl<'a> Decoded<'a> {
    /// Nothing yet, with room for the facts among so many spans.
    pub(crate) fn with_room(spans: usize) -> Self {
        Self { audits: Vec::with_capacity(spans), ..Self::default() }
    }

    /// Decodes one more span of `key`; a malformed one is counted.
    pub(crate) fn add(&mut self, key: KeyRef<'_>, bytes: &'a [u8]) {
        match SpanRef::parse(bytes) {
            Ok(span) if key_of(&span) != key => self.strangers += 1,
            Ok(span) => self.sort_in(span),
            Err(SpanError::Malformed | SpanError::Ids) => self.malformed += 1,
        }
    }

    fn sort_in(&mut self, span: SpanRef<'a>) {
        match span.kind() {
            Some(FactKind::Audit) => self.audits.push(audit(span)),
            Some(FactKind::Event) => self.events.push(event(span)),
            Some(FactKind::Object | FactKind::Link) => {
                if let Some(Frame::Link(link)) = Frame::of(&span) {
                    self.links.push(link);
                }
            }
            Some(FactKind::Change) => match ChangeFact::of(&span) {
                Some(change) => self.changes.push(change),
                None => self.malformed += 1,
            },
            // Not ours.
            None => {}
        }
    }
}

fn key_of<'a>(span: &SpanRef<'a>) -> KeyRef<'a> {
    KeyRef {
        cluster: span.str(a::CLUSTER),
        group: span.str(a::GROUP),
        resource: span.str(a::RESOURCE),
        namespace: span.str(a::NAMESPACE),
        name: span.str(a::NAME),
    }
}

impl EventFact<'_> {
    /// When to show it: an Event's clock has whole seconds only, so within its second it stands
    /// where its write was received.
    pub(crate) fn shown_at(&self) -> UnixNanos {
        within_second(self.time, UnixNanos::parse_rfc3339(self.received).unwrap_or(self.time))
    }
}

/// A time of whole seconds, moved within its second as near to `seen` as can be; a finer one as it
/// is.
pub(crate) fn within_second(clock: UnixNanos, seen: UnixNanos) -> UnixNanos {
    const SECOND: u64 = 1_000_000_000;
    if clock.0.is_multiple_of(SECOND) {
        UnixNanos(seen.0.clamp(clock.0, clock.0.saturating_add(SECOND - 1)))
    } else {
        clock
    }
}

impl<'a> AuditFact<'a> {
    /// Whether the request was answered with 2xx, or a change shows that it was.
    pub(crate) fn succeeded(&self) -> bool {
        self.code.is_some_and(|code| (200..300).contains(&code)) || self.is_unaudited()
    }

    /// Whether only a change is known of it.
    pub(crate) fn is_unaudited(&self) -> bool {
        self.change.as_ref().is_some_and(|change| change.by.is_none())
    }

    /// What watches saw of it.
    pub(crate) fn seen(&self) -> Option<&ChangeFact<'a>> {
        self.change.as_ref().map(|joined| &joined.change)
    }

    /// Whether its answer is the whole object as it then was.
    pub(crate) fn tells_whole_state(&self) -> bool {
        self.took_effect()
            && !self.resource_version.is_empty()
            && !self.response.is_empty()
            && self.response_kind.is_empty()
            && self.response_cut.is_empty()
    }

    /// resourceVersion it started from, as far as is known: empty after a gap too.
    pub(crate) fn started_from(&self) -> &'a str {
        match self.seen() {
            Some(change) if !change.is(Operation::Delete) => {
                if change.gap {
                    ""
                } else {
                    change.old
                }
            }
            _ => self.precondition,
        }
    }

    /// Its audit id; what stands for it where no audit event tells the request.
    pub(crate) fn reference(&self) -> String {
        match self.seen().filter(|_| self.is_unaudited()) {
            Some(change) => change.reference(),
            None => self.audit_id.to_owned(),
        }
    }

    /// Whether it was answered with anything but 2xx.
    pub(crate) fn refused(&self) -> bool {
        self.code.is_some_and(|code| !(200..300).contains(&code))
    }

    /// Whether it succeeded and was stored.
    pub(crate) fn took_effect(&self) -> bool {
        self.succeeded() && !self.dry_run
    }

    /// Whether the verb is one that writes objects.
    pub(crate) fn is_write(&self) -> bool {
        matches!(self.verb, "create" | "update" | "patch" | "delete" | "deletecollection")
    }

    /// Whether it asks for the object's deletion, by whichever road.
    pub(crate) fn is_deletion(&self) -> bool {
        match self.subresource {
            "" => matches!(self.verb, "delete" | "deletecollection"),
            "eviction" => self.verb == "create",
            _ => false,
        }
    }

    /// What makes two records sights of one request.
    pub(crate) fn request_key(&self) -> (&str, &str, &str, &str) {
        (self.audit_id, self.username, self.verb, self.uri)
    }
}

fn audit(span: SpanRef<'_>) -> AuditFact<'_> {
    let mut fact = AuditFact {
        span: Some(span.span),
        start: span.start,
        end: span.end.max(span.start),
        ..AuditFact::default()
    };
    for (name, value) in span.attributes {
        match value {
            Value::Str(text) => audit_text(&mut fact, name, text),
            Value::Int(code) if name == a::STATUS_CODE => fact.code = Some(code),
            Value::Bool(flag) if name == a::DRY_RUN => fact.dry_run = flag,
            value => fact.more.push((name, value)),
        }
    }
    fact
}

fn audit_text<'a>(fact: &mut AuditFact<'a>, name: &'a str, text: &'a str) {
    let field = match name {
        a::AUDIT_ID => &mut fact.audit_id,
        a::VERB => &mut fact.verb,
        a::SUBRESOURCE => &mut fact.subresource,
        a::VERSION => &mut fact.version,
        a::UID => &mut fact.uid,
        a::REQUEST_URI => &mut fact.uri,
        a::USERNAME => &mut fact.username,
        a::IMPERSONATED_USERNAME => &mut fact.impersonated,
        a::USER_AGENT => &mut fact.user_agent,
        a::CLIENT_ADDRESS => &mut fact.address,
        a::AUTHORIZATION_DECISION => &mut fact.decision,
        a::AUTHORIZATION_REASON => &mut fact.decision_reason,
        a::ERROR_REASON => &mut fact.error_reason,
        a::ERROR_MESSAGE => &mut fact.error_message,
        a::ERROR_CAUSES => &mut fact.error_causes,
        a::RESOURCE_VERSION => &mut fact.precondition,
        a::RESOURCE_VERSION_NEW => &mut fact.resource_version,
        a::REQUEST_OBJECT => &mut fact.request,
        a::REQUEST_OBJECT_CUT => &mut fact.request_cut,
        a::RESPONSE_OBJECT_CUT => &mut fact.response_cut,
        a::RESPONSE_KIND => &mut fact.response_kind,
        a::TRUNCATED => &mut fact.truncated,
        a::REDACTION_KEY => &mut fact.redaction_key,
        a::TIME_SOURCE => &mut fact.time_source,
        a::RESPONSE_OBJECT => return fact.response = Cow::Borrowed(text),
        a::AUDIT_STAGE => return fact.stage = stage(text),
        a::AUDIT_LEVEL => return fact.level = level(text),
        a::CLUSTER | a::GROUP | a::RESOURCE | a::NAMESPACE | a::NAME => return,
        _ => return fact.more.push((name, Value::Str(text))),
    };
    *field = text;
}

fn stage(text: &str) -> Stage {
    match text {
        "RequestReceived" => Stage::RequestReceived,
        "ResponseStarted" => Stage::ResponseStarted,
        "ResponseComplete" => Stage::ResponseComplete,
        "Panic" => Stage::Panic,
        _ => Stage::Unknown,
    }
}

fn level(text: &str) -> Level {
    match text {
        "Metadata" => Level::Metadata,
        "Request" => Level::Request,
        "RequestResponse" => Level::RequestResponse,
        _ => Level::Unknown,
    }
}

fn event(span: SpanRef<'_>) -> EventFact<'_> {
    let mut fact = EventFact { span: Some(span.span), time: span.start, ..EventFact::default() };
    for (name, value) in span.attributes {
        match value {
            Value::Str(text) => event_text(&mut fact, name, text),
            Value::Int(count) if name == a::EVENT_COUNT => fact.count = Some(count),
            value => fact.more.push((name, value)),
        }
    }
    fact
}

fn event_text<'a>(fact: &mut EventFact<'a>, name: &'a str, text: &'a str) {
    let field = match name {
        a::EVENT_REASON => &mut fact.reason,
        a::EVENT_TYPE => &mut fact.kind,
        a::EVENT_MESSAGE => &mut fact.message,
        a::EVENT_COMPONENT => &mut fact.component,
        a::EVENT_ACTION => &mut fact.action,
        a::EVENT_FIRST_TIME => &mut fact.first_time,
        a::EVENT_RECEIVED => &mut fact.received,
        a::UID => &mut fact.uid,
        a::AUDIT_ID => &mut fact.audit_id,
        a::CLUSTER | a::GROUP | a::RESOURCE | a::NAMESPACE | a::NAME => return,
        _ => return fact.more.push((name, Value::Str(text))),
    };
    *field = text;
}
