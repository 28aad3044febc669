//! Which requests become spans, and under which name the others are counted.
//!
//! Promise: every event is decided by exactly one rule, the first that matches; the rules are data.
//! Never here: a look into bodies, or at anything but the one event.

mod config;
mod rule;
mod standard;

pub use config::{Action, FilterConfig, FilterError, Outcome, RULES_MAX, RuleConfig, Standard};
pub use standard::rules as standard_rules;

use kausal_audit::Event;

use crate::cluster::ClusterName;
use rule::{Rule, Seen};

/// The compiled rules.
#[derive(Clone, Debug)]
pub struct Filter {
    rules: Vec<Rule>,
}

/// What becomes of an event, and which rule says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What becomes of it.
    pub action: Action,
    /// The rule's place; its name is [`Filter::rule`].
    pub rule: usize,
}

impl Filter {
    /// `rules` end with one that matches everything.
    fn new(rules: Vec<Rule>) -> Self {
        Self { rules }
    }

    /// Decides what becomes of an event.
    pub fn decide(&self, cluster: &ClusterName, event: &Event<'_>) -> Decision {
        let seen = seen(cluster, event);
        let groups = || event.user.groups.iter().map(|group| &**group);
        let found = self.rules.iter().position(|rule| rule.matches(&seen, groups()));
        let rule = found.unwrap_or(self.rules.len());
        Decision { action: self.rule(rule).1, rule }
    }

    /// Name and action of the rule at a place.
    pub fn rule(&self, at: usize) -> (&str, Action) {
        self.rules.get(at).map_or(("unnamed", Action::Keep), |rule| (&rule.name, rule.action))
    }
}

fn seen<'a>(cluster: &'a ClusterName, event: &'a Event<'_>) -> Seen<'a> {
    let mut seen = Seen {
        cluster: cluster.as_str(),
        verb: &event.verb,
        group: "",
        resource: "",
        subresource: "",
        namespace: "",
        user: &event.user.username,
        stage: event.stage.as_str(),
        code: event.status.as_ref().map_or(0, |status| status.code),
        impersonated: event.impersonated.is_some(),
    };
    if let Some(target) = &event.object_ref {
        seen.group = &target.api_group;
        seen.resource = &target.resource;
        seen.subresource = &target.subresource;
        seen.namespace = &target.namespace;
    }
    seen
}
