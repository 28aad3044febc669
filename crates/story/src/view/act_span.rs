//! An act or an Event as Jaeger shows it: a log on the span of its object, or a span of its own.
//!
//! Names of fields are those Kelemetry's users know: `audit`, `event`, `diff`, `snapshot`, `error`,
//! `message`.

use kausal_object::ObjectKey;
use kausal_trace::{AttrValue, SpanKind, UnixNanos, Value, ViewEvent, attribute as a};

use super::change;
use super::inside::{self, Inside};
use super::routine;
use crate::actor::Names;
use crate::classify::Fold;
use crate::fact::{AuditFact, EventFact};
use crate::story::{Act, Base, Outcome};
use crate::text::effects;
use crate::world::FactId;

/// What becomes of it: spans have room for more than logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A log on a span.
    Log,
    /// A span.
    Span,
}

/// One thing to show, with its attributes.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) time: UnixNanos,
    pub(super) end: UnixNanos,
    /// `audit`, `change` or `event`.
    pub(super) source: &'static str,
    /// Service of its span.
    pub(super) service: String,
    /// Operation of its span: who and what, the same whenever they do it again.
    pub(super) name: String,
    /// What it was about.
    pub(super) summary: String,
    pub(super) attributes: Vec<(String, AttrValue)>,
    pub(super) error: Option<String>,
    /// Sets it apart from all others of its object.
    pub(super) identity: [u8; 8],
    pub(super) id: Option<FactId>,
    /// The act it follows from.
    pub(super) cause: Option<FactId>,
    /// Who did it.
    pub(super) actor: String,
    /// Why `quiet` folds it.
    pub(super) routine: Option<&'static str>,
    /// What the apiserver says of its parts.
    pub(super) inside: Vec<Inside>,
    caused: bool,
    refused: bool,
    rank: u8,
}

impl Told {
    pub(super) fn act(
        act: &Act,
        fact: &AuditFact<'_>,
        names: &Names,
        root: &ObjectKey,
        shape: Shape,
    ) -> Self {
        let refused = super::is_refused_act(act);
        let mut attributes = attributes(act, fact, root);
        attributes.extend(more(act, fact, shape));
        Self {
            time: act.time,
            end: act.answered.max(act.time),
            source: if fact.is_unaudited() { "change" } else { "audit" },
            name: name(act, names),
            error: error(act),
            identity: identity(fact.span),
            refused,
            rank: rank(act.folded),
            attributes,
            service: "audit".to_owned(),
            summary: summary(act, names),
            id: None,
            cause: None,
            actor: names.show(&act.actor),
            routine: routine::reason(act),
            inside: if shape == Shape::Span { inside::of(fact) } else { Vec::new() },
            caused: !act.effects.is_empty(),
        }
    }

    /// One row for what `quiet` folds.
    pub(super) fn row(
        time: UnixNanos,
        summary: String,
        attributes: Vec<(String, AttrValue)>,
        last: &Self,
    ) -> Self {
        Self {
            time,
            end: time,
            source: last.source,
            service: last.source.to_owned(),
            name: "routine".to_owned(),
            summary,
            attributes,
            error: None,
            identity: last.identity,
            id: None,
            cause: None,
            actor: String::new(),
            routine: None,
            inside: Vec::new(),
            caused: false,
            refused: false,
            rank: rank(Some(Fold::Status)),
        }
    }

    pub(super) fn event(event: &EventFact<'_>) -> Self {
        let mut out = Attributes::default();
        out.text("message", event.message);
        out.text("source", event.component);
        out.text("action", event.action);
        out.text(a::EVENT_TYPE, event.kind);
        if let Some(count) = event.count {
            out.0.push((a::EVENT_COUNT.to_owned(), AttrValue::Int(count)));
        }
        out.text(a::EVENT_FIRST_TIME, event.first_time);
        out.text(a::UID, event.uid);
        out.text(a::AUDIT_ID, event.audit_id);
        let warning = event.kind == "Warning";
        let time = event.shown_at();
        if time != event.time {
            out.text("event.time", &event.time.to_string());
        }
        Self {
            time,
            end: time,
            source: "event",
            service: "event".to_owned(),
            name: event.reason.to_owned(),
            summary: event.message.to_owned(),
            attributes: out.0,
            error: warning.then(|| event.message.to_owned()),
            identity: identity(event.span),
            id: None,
            cause: None,
            actor: event.component.to_owned(),
            routine: None,
            inside: Vec::new(),
            caused: false,
            refused: false,
            rank: if warning { 1 } else { 2 },
        }
    }

    /// As a log. Jaeger makes a field `event` of a name: only Events have that one, as scripts
    /// written for Kelemetry tell them from requests by it.
    pub(super) fn into_event(self) -> ViewEvent {
        let is_event = self.source == "event";
        let mut attributes = Vec::with_capacity(self.attributes.len() + 2);
        if !is_event {
            attributes.push(("summary".to_owned(), self.summary.into()));
        }
        attributes.extend(self.attributes);
        attributes.extend(self.error.map(|error| ("error".to_owned(), error.into())));
        let name = if is_event { self.name } else { String::new() };
        ViewEvent { time: self.time, name, attributes }
    }

    /// What follows later is consumed, not called: Jaeger keeps it off the critical path.
    pub(super) fn kind(&self) -> SpanKind {
        match self.source {
            "event" => SpanKind::Internal,
            _ if self.cause.is_some() => SpanKind::Consumer,
            _ if self.caused => SpanKind::Producer,
            _ => SpanKind::Server,
        }
    }

    /// How many spans it becomes.
    pub(super) fn spans(&self) -> usize {
        1 + self.inside.len()
    }

    /// What makes the object's own span an error: somebody who is no controller was refused.
    pub(super) fn error_of_object(&self) -> Option<String> {
        self.error.clone().filter(|_| self.refused)
    }

    /// Nearest to people first.
    pub(super) fn rank(&self) -> u8 {
        self.rank
    }

    pub(super) fn order(&self) -> (UnixNanos, UnixNanos, &str, [u8; 8]) {
        (self.time, self.end, self.source, self.identity)
    }
}

fn rank(folded: Option<Fold>) -> u8 {
    match folded {
        None => 0,
        Some(Fold::Controller) => 2,
        Some(_) => 3,
    }
}

fn identity(span: Option<kausal_trace::SpanId>) -> [u8; 8] {
    span.map_or([0; 8], |span| span.0)
}

/// `bob scale`
fn name(act: &Act, names: &Names) -> String {
    format!("{} {}", names.show(&act.actor), act.title)
}

/// `bob scale: replicas 3 → 5`
fn summary(act: &Act, names: &Names) -> String {
    let who = names.show(&act.actor);
    let mark = match act.outcome {
        Outcome::Refused { .. } => "✗ ",
        Outcome::DryRun => "○ ",
        _ => "",
    };
    let colon = if act.summary.is_empty() { "" } else { ": " };
    format!("{who} {mark}{}{colon}{}", act.title, act.summary)
}

/// `Conflict: the object has been modified`, then a line a cause, as Kelemetry writes errors.
fn error(act: &Act) -> Option<String> {
    let Outcome::Refused { code, reason, message, causes } = &act.outcome else { return None };
    let code = code.to_string();
    let reason = if reason.is_empty() { &code } else { reason };
    let both = |what: &str, text: &str| match (what, text) {
        ("", text) => text.to_owned(),
        (what, "") => what.to_owned(),
        (what, text) => format!("{what}: {text}"),
    };
    let first = std::iter::once(both(reason, message));
    let causes = causes.iter().map(|cause| both(&cause.reason, &cause.message));
    Some(first.chain(causes).collect::<Vec<_>>().join("\n"))
}

/// Room for the attributes of an act, with the error that may follow; more make it grow.
const ATTRIBUTES_USUAL: usize = 16;

#[derive(Default)]
pub(super) struct Attributes(pub(super) Vec<(String, AttrValue)>);

impl Attributes {
    pub(super) fn text(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.0.push((name.to_owned(), value.into()));
        }
    }
}

fn attributes(act: &Act, fact: &AuditFact<'_>, root: &ObjectKey) -> Vec<(String, AttrValue)> {
    let mut out = Attributes(Vec::with_capacity(ATTRIBUTES_USUAL));
    out.text("audit", &format!("{}{}", title(act), status(fact.code)));
    out.text("diff", &diff(act));
    if !act.effects.is_empty() {
        let followed = [effects::objects(act, root), effects::pods(act)];
        out.text("effects", followed.join(" ").trim());
    }
    if act.outcome == Outcome::NoChange {
        out.text("verbose", "No-op update");
    }
    if act.base == Base::ChangesInBetweenUnseen {
        out.text("diff.base", "changes in between unseen");
    }
    let snapshot = act.removes || act.verb == "create" && act.subresource.is_empty();
    if snapshot && fact.response_kind.is_empty() && fact.succeeded() {
        out.text("snapshot", &fact.response);
    }
    if let Outcome::Refused { reason, causes, .. } = &act.outcome {
        out.text(a::ERROR_REASON, reason);
        let lines: Vec<_> =
            causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        out.text(a::ERROR_CAUSES, &lines.join("\n"));
    }
    if let Some(code) = fact.code {
        out.0.push((a::STATUS_CODE.to_owned(), AttrValue::Int(code)));
    }
    if fact.dry_run {
        out.0.push((a::DRY_RUN.to_owned(), AttrValue::Bool(true)));
    }
    out.text(a::AUDIT_ID, fact.audit_id);
    out.text(a::USERNAME, fact.username);
    out.text(a::IMPERSONATED_USERNAME, fact.impersonated);
    out.text("userAgent", fact.user_agent);
    out.text("sourceIP", fact.address);
    out.text(a::AUTHORIZATION_REASON, fact.decision_reason);
    out.text(a::UID, fact.uid);
    out.text(a::RESOURCE_VERSION, fact.precondition);
    out.text(a::RESOURCE_VERSION_NEW, fact.resource_version);
    out.text(a::TRUNCATED, fact.truncated);
    if let Some(seen) = &act.change {
        change::attributes(&mut out, fact, seen);
    }
    if let Some(cause) = &act.cause {
        let rule = serde_json::to_value(cause.rule).unwrap_or_default();
        out.text("cause.audit.id", &cause.audit_id);
        out.text("cause.rule", rule.as_str().unwrap_or_default());
    }
    if let Some(fold) = act.folded {
        out.text("routine", fold.as_str());
    }
    out.0
}

/// `bob@example.com patch scale`, as Kelemetry names audit spans.
fn title(act: &Act) -> String {
    let actor = &act.actor;
    let who = actor.impersonated.as_ref().or(actor.manager.as_ref()).unwrap_or(&actor.username);
    let slash = if act.subresource.is_empty() { "" } else { " " };
    format!("{who} {}{slash}{}", act.verb, act.subresource)
}

fn diff(act: &Act) -> String {
    let lines: Vec<_> = act.changes.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// ` (Conflict)` after what was not done; codes without a known text stand for themselves.
fn status(code: Option<i64>) -> String {
    let Some(code) = code.filter(|code| *code >= 300) else { return String::new() };
    let text = match code {
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        410 => "Gone",
        413 => "Request Entity Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        other => return format!(" ({other})"),
    };
    format!(" ({text})")
}

/// What logs have no room for, and what is stored under names of its own: latencies and admission
/// on a log, everything on a span.
fn more(act: &Act, fact: &AuditFact<'_>, shape: Shape) -> Vec<(String, AttrValue)> {
    let is_shown = |name: &str| match shape {
        Shape::Log => name.starts_with(a::LATENCY_PREFIX) || name.starts_with(a::ADMISSION_PREFIX),
        Shape::Span => true,
    };
    let stored = fact.more.iter().filter(|(name, _)| is_shown(name));
    let mut out = Attributes::default();
    out.0.extend(stored.filter_map(|(name, value)| Some(((*name).to_owned(), plain(value)?))));
    if shape == Shape::Span {
        out.text("http.request.method", method(act));
        if act.folded.is_none() {
            out.text(a::REQUEST_OBJECT, fact.request);
        }
    }
    out.0
}

fn plain(value: &Value<'_>) -> Option<AttrValue> {
    Some(match value {
        Value::Str(text) => (*text).into(),
        Value::Bool(flag) => (*flag).into(),
        Value::Int(number) => (*number).into(),
        Value::Strs(texts) => {
            texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>().into()
        }
        Value::Other => return None,
    })
}

/// The HTTP method that the apiserver takes a verb from; none where several lead to it.
fn method(act: &Act) -> &'static str {
    match act.verb.as_str() {
        "create" => "POST",
        "update" => "PUT",
        "patch" => "PATCH",
        "delete" | "deletecollection" => "DELETE",
        "get" | "list" | "watch" => "GET",
        _ => "",
    }
}
