//! An act or an Event as Jaeger shows it: a log on the span of its object, or a span of its own.
//!
//! Names of fields are those Kelemetry's users know: `audit`, `event`, `diff`, `snapshot`, `error`,
//! `message`.

use kausal_object::ObjectKey;
use kausal_trace::{AttrValue, UnixNanos, ViewEvent, attribute as a};

use super::change;
use crate::actor::Names;
use crate::classify::Fold;
use crate::fact::{AuditFact, EventFact};
use crate::story::{Act, Base, Outcome};
use crate::text::effects;

/// One thing to show, with its attributes.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) time: UnixNanos,
    pub(super) end: UnixNanos,
    /// `audit`, `change` or `event`.
    pub(super) source: &'static str,
    pub(super) name: String,
    pub(super) attributes: Vec<(String, AttrValue)>,
    pub(super) error: Option<String>,
    /// Sets it apart from all others of its object.
    pub(super) identity: [u8; 8],
    refused: bool,
    rank: u8,
}

impl Told {
    pub(super) fn act(act: &Act, fact: &AuditFact<'_>, names: &Names, root: &ObjectKey) -> Self {
        let refused = super::is_refused_act(act);
        Self {
            time: act.time,
            end: act.answered.max(act.time),
            source: if fact.is_unaudited() { "change" } else { "audit" },
            name: name(act, names),
            error: error(act),
            identity: identity(fact.span),
            refused,
            rank: rank(act.folded),
            attributes: attributes(act, fact, root),
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
            name: event.reason.to_owned(),
            attributes: out.0,
            error: warning.then(|| event.message.to_owned()),
            identity: identity(event.span),
            refused: false,
            rank: if warning { 1 } else { 2 },
        }
    }

    pub(super) fn into_event(self) -> ViewEvent {
        let mut attributes = self.attributes;
        if let Some(error) = self.error {
            attributes.push(("error".to_owned(), error.into()));
        }
        ViewEvent { time: self.time, name: self.name, attributes }
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

/// `bob scale: replicas 3 → 5`
fn name(act: &Act, names: &Names) -> String {
    let who = names.show(&act.actor);
    let mark = match act.outcome {
        Outcome::Refused { .. } => "✗ ",
        Outcome::DryRun => "○ ",
        _ => "",
    };
    let colon = if act.summary.is_empty() { "" } else { ": " };
    format!("{who} {mark}{}{colon}{}", act.title, act.summary)
}

fn error(act: &Act) -> Option<String> {
    let Outcome::Refused { code, reason, message, .. } = &act.outcome else { return None };
    let text = if message.is_empty() { reason } else { message };
    Some(if text.is_empty() { code.to_string() } else { text.clone() })
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
    out.text("audit", &title(act));
    out.text("diff", &diff(act));
    if !act.effects.is_empty() {
        let followed = [effects::objects(act, root), effects::pods(act)];
        out.text("effects", followed.join(" ").trim());
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
