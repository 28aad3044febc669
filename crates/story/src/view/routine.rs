//! The modifier `quiet`: what is routine becomes one row an object, with its numbers.
//!
//! Promise: nothing goes without being counted. A row stands at the end of what it counts, so that
//! the acts of people and CI come first.

use std::collections::{BTreeMap, BTreeSet};

use kausal_trace::AttrValue;

use super::act_span::Told;
use crate::classify::Fold;
use crate::story::{Act, Outcome};

/// Fewer are shown as they are: a row would say less and take as much room.
const ROW_MIN: usize = 2;
/// Names of who did it; more are counted.
const ACTORS_MAX: usize = 10;

/// Why an act goes into the row: `status writes`, `heartbeats`, `reads`, `conflict retries`.
pub(super) fn reason(act: &Act) -> Option<&'static str> {
    match act.folded? {
        Fold::Status => Some("status writes"),
        Fold::Heartbeat => Some("heartbeats"),
        Fold::Read => Some("reads"),
        Fold::Binding | Fold::ConfirmingDelete | Fold::Controller => {
            is_conflict(act).then_some("conflict retries")
        }
    }
}

/// A write made from an outdated state: whoever sent it reads again and writes again.
fn is_conflict(act: &Act) -> bool {
    matches!(&act.outcome, Outcome::Refused { code: 409, reason, .. } if reason == "Conflict")
}

/// Folds the routine of one object.
pub(super) fn fold(told: &mut Vec<Told>) {
    if told.iter().filter(|told| told.routine.is_some()).count() < ROW_MIN {
        return;
    }
    let (folded, kept): (Vec<_>, Vec<_>) =
        std::mem::take(told).into_iter().partition(|told| told.routine.is_some());
    *told = kept;
    told.extend(row(&folded));
}

fn row(folded: &[Told]) -> Option<Told> {
    let (first, last) = (folded.iter().map(|told| told.time).min()?, folded.last()?);
    let end = folded.iter().map(|told| told.end).max()?;
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for reason in folded.iter().filter_map(|told| told.routine) {
        *counts.entry(reason).or_default() += 1;
    }
    let actors: BTreeSet<&str> = folded.iter().map(|told| told.actor.as_str()).collect();
    let mut by: Vec<String> = actors.iter().take(ACTORS_MAX).map(|&name| name.to_owned()).collect();
    if actors.len() > ACTORS_MAX {
        by.push(format!("{} more", actors.len() - ACTORS_MAX));
    }
    let summary: Vec<_> =
        counts.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    let total: i64 = counts.values().sum();
    let mut attributes: Vec<(String, AttrValue)> = vec![
        ("routine".to_owned(), "folded".into()),
        ("folded".to_owned(), total.into()),
        ("folded.from".to_owned(), first.to_string().into()),
        ("folded.to".to_owned(), end.to_string().into()),
        ("folded.by".to_owned(), by.into()),
    ];
    attributes
        .extend(counts.iter().map(|(reason, count)| (format!("folded.{reason}"), (*count).into())));
    Some(Told::row(end, summary.join(", "), attributes, last))
}
