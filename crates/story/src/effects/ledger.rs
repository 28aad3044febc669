//! What the owner of pods has asked of its controller and not yet got.
//!
//! Promise: pods made and taken away are matched to the writes that asked for them, first asked
//! first served; nothing is matched beyond what was asked.

use std::collections::VecDeque;

use super::{Cause, Rule};
use crate::world::FactId;

/// Pods owed to one owner.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    raise: VecDeque<Entry>,
    lower: VecDeque<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    pods: i64,
    by: FactId,
    rule: Rule,
}

impl Ledger {
    /// `pods` more are to be made.
    pub(super) fn owe(&mut self, pods: i64, by: FactId, rule: Rule) {
        if pods > 0 {
            self.raise.push_back(Entry { pods, by, rule });
        }
    }

    /// The owner wants `delta` pods more, or fewer. What was asked and not yet done the other way
    /// is no longer asked.
    pub(super) fn change(&mut self, delta: i64, by: FactId) {
        let (cancelled, asked) = if delta > 0 {
            (&mut self.lower, &mut self.raise)
        } else {
            (&mut self.raise, &mut self.lower)
        };
        let pods = delta.saturating_abs() - cancel(cancelled, delta.saturating_abs());
        if pods > 0 {
            asked.push_back(Entry { pods, by, rule: Rule::ReplicaCount });
        }
    }

    /// `pods` are to be exchanged for others.
    pub(super) fn replace(&mut self, pods: i64, by: FactId) {
        if pods > 0 {
            let entry = Entry { pods, by, rule: Rule::ReplicaCount };
            self.lower.push_back(entry);
            self.raise.push_back(entry);
        }
    }

    /// A pod is made.
    pub(super) fn raise(&mut self) -> Option<Cause> {
        draw(&mut self.raise)
    }

    /// A pod is taken away.
    pub(super) fn lower(&mut self) -> Option<Cause> {
        draw(&mut self.lower)
    }
}

/// Takes up to `pods` from the newest entries; answers how many.
fn cancel(entries: &mut VecDeque<Entry>, pods: i64) -> i64 {
    let mut left = pods;
    while let Some(last) = entries.back_mut().filter(|_| left > 0) {
        let taken = last.pods.min(left);
        last.pods -= taken;
        left -= taken;
        if last.pods == 0 {
            entries.pop_back();
        }
    }
    pods - left
}

fn draw(entries: &mut VecDeque<Entry>) -> Option<Cause> {
    let first = entries.front_mut()?;
    let (by, rule) = (first.by, first.rule);
    first.pods -= 1;
    let done = first.pods == 0;
    let mut rivals: Vec<_> = entries.iter().map(|entry| entry.by).filter(|id| *id != by).collect();
    rivals.dedup();
    if done {
        entries.pop_front();
    }
    Some(Cause { by, rule, rivals })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(fact: usize) -> FactId {
        FactId { object: 0, fact }
    }

    fn by(cause: Option<Cause>) -> Option<usize> {
        cause.map(|cause| cause.by.fact)
    }

    #[test]
    fn first_asked_first_served_and_nothing_beyond() {
        let mut ledger = Ledger::default();
        ledger.change(2, id(1));
        ledger.owe(1, id(2), Rule::Replacement);
        assert_eq!(by(ledger.raise()), Some(1));
        assert_eq!(ledger.raise().map(|cause| cause.rivals), Some(vec![id(2)]));
        assert_eq!(by(ledger.raise()), Some(2));
        assert_eq!(by(ledger.raise()), None);
        assert_eq!(by(ledger.lower()), None);
    }

    #[test]
    fn what_is_no_longer_asked_is_cancelled() {
        let mut ledger = Ledger::default();
        ledger.change(3, id(1));
        assert_eq!(by(ledger.raise()), Some(1));
        ledger.change(-3, id(2));
        assert_eq!(by(ledger.raise()), None);
        assert_eq!(by(ledger.lower()), Some(2));
        assert_eq!(by(ledger.lower()), None);
    }

    #[test]
    fn a_rollout_exchanges() {
        let mut ledger = Ledger::default();
        ledger.replace(1, id(1));
        assert_eq!((by(ledger.lower()), by(ledger.raise())), (Some(1), Some(1)));
    }
}
