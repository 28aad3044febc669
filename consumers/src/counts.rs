//! What became of the events of a batch, a file or a process.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::filter::{Action, Filter};

/// Counts under names, for people and metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Audit events seen, whole or salvaged.
    pub events: u64,
    /// Events that became spans, by the rule that kept them.
    pub kept: BTreeMap<String, u64>,
    /// Events that were only counted, by the rule that says so.
    pub filtered: BTreeMap<String, u64>,
    /// Items that were set aside, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Events that were not whole and of which what was left is told.
    pub truncated: u64,
    /// Spans of facts.
    pub fact_spans: u64,
    /// Spans of the catalogue.
    pub frame_spans: u64,
    /// Encoded bytes of all spans.
    pub span_bytes: u64,
}

/// The same while counting: rules by their place, no allocation for an event.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) events: u64,
    pub(crate) per_rule: Vec<u64>,
    pub(crate) rejected: BTreeMap<&'static str, u64>,
    pub(crate) truncated: u64,
    pub(crate) fact_spans: u64,
    pub(crate) frame_spans: u64,
    pub(crate) span_bytes: u64,
}

impl Tally {
    pub(crate) fn rule(&mut self, rule: usize) {
        if self.per_rule.len() <= rule {
            self.per_rule.resize(rule + 1, 0);
        }
        if let Some(count) = self.per_rule.get_mut(rule) {
            *count += 1;
        }
    }

    pub(crate) fn reject(&mut self, reason: &'static str) {
        *self.rejected.entry(reason).or_default() += 1;
    }

    pub(crate) fn named(self, filter: &Filter) -> Counts {
        let mut counts = Counts {
            events: self.events,
            rejected: self.rejected.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect(),
            truncated: self.truncated,
            fact_spans: self.fact_spans,
            frame_spans: self.frame_spans,
            span_bytes: self.span_bytes,
            ..Counts::default()
        };
        for (rule, count) in self.per_rule.iter().enumerate().filter(|(_, count)| **count > 0) {
            let (name, action) = filter.rule(rule);
            let list = match action {
                Action::Keep => &mut counts.kept,
                Action::Count => &mut counts.filtered,
            };
            list.insert(name.to_owned(), *count);
        }
        counts
    }
}

impl Counts {
    /// Adds what another part counted.
    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.truncated += other.truncated;
        self.fact_spans += other.fact_spans;
        self.frame_spans += other.frame_spans;
        self.span_bytes += other.span_bytes;
        add_named(&mut self.kept, &other.kept);
        add_named(&mut self.filtered, &other.filtered);
        add_named(&mut self.rejected, &other.rejected);
    }

    /// Events that became spans.
    pub fn kept_total(&self) -> u64 {
        self.kept.values().sum()
    }

    /// Events that were only counted.
    pub fn filtered_total(&self) -> u64 {
        self.filtered.values().sum()
    }

    /// Items that were set aside.
    pub fn rejected_total(&self) -> u64 {
        self.rejected.values().sum()
    }
}

fn add_named(to: &mut BTreeMap<String, u64>, from: &BTreeMap<String, u64>) {
    for (name, count) in from {
        *to.entry(name.clone()).or_default() += count;
    }
}
