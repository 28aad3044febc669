//! Brings together what the audit log and what watches say of one change.
//!
//! Promise: a request and a change meet by the new resourceVersion, else by the old one, else as
//! creation or deletion, else by time and manager; the way is kept. One request meets one change. Where two pairings are as good, there is none: what stays alone is shown as it is.
//! Never here: order or repetition that shows; both sides come merged.

mod by_time;
mod pairs;
mod replay;

use std::borrow::Cow;

use kausal_trace::Operation;
use serde::{Deserialize, Serialize};

use crate::fact::AuditFact;
use crate::merge;
use crate::story::Certainty;
use crate::watched::{self, ChangeFact};
use pairs::Pair;
use replay::replay;

/// How a request and a change were brought together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinedBy {
    /// The request answered with the resourceVersion that the change made.
    NewVersion,
    /// The request was conditional on the resourceVersion that the change replaced, and its manager
    /// and time fit.
    OldVersion,
    /// The request created an object of this name when this one came to be.
    Creation,
    /// The request asked for the deletion that was seen, or let the object go.
    Deletion,
    /// Manager and time fit, and nothing else does.
    TimeAndManager,
}

/// A change, and how it came to its request.
#[derive(Clone, Debug)]
pub(crate) struct Joined<'a> {
    pub(crate) change: ChangeFact<'a>,
    /// `None`: no audit event tells the request.
    pub(crate) by: Option<JoinedBy>,
    /// Whether that is recorded or inferred.
    pub(crate) certainty: Certainty,
}

/// Joins the merged requests of one object with the changes seen of it. The result is in the order
/// of time, and every change is in it once.
pub(crate) fn join<'a>(
    audits: Vec<AuditFact<'a>>,
    changes: Vec<ChangeFact<'a>>,
    warnings: &mut Vec<String>,
) -> Vec<AuditFact<'a>> {
    if changes.is_empty() {
        return audits;
    }
    let changes = watched::merge(changes, warnings);
    let mut bodies = replay(&audits, &changes);
    let told = watched::finest(&changes);
    let told: Vec<_> = told
        .into_iter()
        .filter_map(|at| Some((changes.get(at)?.clone(), bodies.get_mut(at)?.take())))
        .collect();
    let pairs = pairs::find(&audits, &told.iter().map(|(change, _)| change).collect::<Vec<_>>());
    let mut facts = audits;
    for ((change, body), pair) in told.into_iter().zip(pairs) {
        match pair.and_then(|pair| Some((facts.get_mut(pair.audit)?, pair))) {
            Some((fact, pair)) => complete(fact, change, body, pair),
            None => facts.push(alone(change, body)),
        }
    }
    facts.sort_by(merge::in_time);
    facts
}

/// Gives a request what its audit event does not hold.
fn complete<'a>(
    fact: &mut AuditFact<'a>,
    change: ChangeFact<'a>,
    body: Option<Cow<'a, str>>,
    pair: Pair,
) {
    let says_state = !fact.response.is_empty()
        && matches!(fact.response_kind, "" | "Scale" | "PartialObjectMetadata");
    if !says_state && let Some(body) = body {
        (fact.response, fact.response_kind) = (body, "");
    }
    if fact.uid.is_empty() {
        fact.uid = change.uid;
    }
    if fact.resource_version.is_empty() && !change.is(Operation::Delete) {
        fact.resource_version = change.new;
    }
    fact.change = Some(Box::new(Joined { change, by: Some(pair.by), certainty: pair.certainty }));
}

/// A request of which only the change is known.
fn alone<'a>(change: ChangeFact<'a>, body: Option<Cow<'a, str>>) -> AuditFact<'a> {
    let verb = match change.operation {
        _ if change.asks_deletion() => "delete",
        Some(Operation::Create) => "create",
        Some(Operation::Delete) => "delete",
        Some(Operation::Observe) => "watch",
        Some(Operation::Update) | None => "update",
    };
    let time = change.shown_at();
    AuditFact {
        span: change.span,
        start: time,
        end: time,
        verb,
        subresource: if change.subresource == "status" { "status" } else { "" },
        version: change.version,
        uid: change.uid,
        resource_version: change.new,
        response: body.unwrap_or_default(),
        redaction_key: change.redaction_key,
        change: Some(Box::new(Joined { change, by: None, certainty: Certainty::Recorded })),
        ..AuditFact::default()
    }
}
