//! The rules that hold unless an operator says otherwise: what answers "who did this" is kept,
//! what only shows that a cluster is alive is counted.

use super::config::{Action, RuleConfig};

/// Subresources through which something is done whatever the verb: an `exec` may arrive as a `get`.
const ACTING_SUBRESOURCES: [&str; 8] =
    ["exec", "attach", "portforward", "proxy", "ephemeralcontainers", "log", "eviction", "binding"];
const READ_VERBS: [&str; 5] = ["get", "list", "watch", "head", "options"];

/// The standard rules in the order in which they are asked; the last matches everything.
pub fn rules() -> Vec<RuleConfig> {
    vec![
        RuleConfig { codes: vec![401, 403], ..keep("denied") },
        // A write of an Event is told as that Event, which is only known at its end.
        RuleConfig {
            groups: texts(&["", "events.k8s.io"]),
            resources: texts(&["events"]),
            stages: texts(&["RequestReceived"]),
            ..count("events-begun")
        },
        RuleConfig { impersonated: Some(true), ..keep("impersonated") },
        RuleConfig {
            groups: texts(&["coordination.k8s.io"]),
            resources: texts(&["leases"]),
            ..count("leases")
        },
        RuleConfig {
            groups: texts(&["authorization.k8s.io", "authentication.k8s.io"]),
            resources: texts(&["*reviews"]),
            ..count("reviews")
        },
        RuleConfig {
            groups: texts(&[""]),
            resources: texts(&["nodes"]),
            subresources: texts(&["status"]),
            user_groups: texts(&["system:nodes"]),
            ..count("heartbeats")
        },
        RuleConfig { groups: texts(&[""]), resources: texts(&["secrets"]), ..keep("secrets") },
        RuleConfig {
            groups: texts(&[""]),
            resources: texts(&["serviceaccounts"]),
            subresources: texts(&["token"]),
            ..keep("tokens")
        },
        RuleConfig { groups: texts(&["rbac.authorization.k8s.io"]), ..keep("rbac") },
        RuleConfig { subresources: texts(&ACTING_SUBRESOURCES), ..keep("acting-subresources") },
        RuleConfig {
            verbs: texts(&READ_VERBS),
            outcome: super::config::Outcome::Success,
            ..count("reads")
        },
        RuleConfig { verbs: texts(&READ_VERBS), ..count("failed-reads") },
        rest(),
    ]
}

/// What is no read is a write, and what no rule names is kept.
pub(super) fn rest() -> RuleConfig {
    keep("writes")
}

fn keep(name: &str) -> RuleConfig {
    RuleConfig::any(name, Action::Keep)
}

fn count(name: &str) -> RuleConfig {
    RuleConfig::any(name, Action::Count)
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}
