//! Which requests are told, and which are folded into a number.
//!
//! Promise: every request is either told or counted under one reason.

use kausal_object::diff::{Change, is_noise};
use serde::{Deserialize, Serialize};

use crate::fact::AuditFact;
use crate::policy::TellPolicy;

/// Why a request is folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fold {
    /// A write of the status.
    Status,
    /// The scheduler's binding of a pod to a node.
    Binding,
    /// A lease or another sign of life.
    Heartbeat,
    /// A deletion that confirms one already asked for.
    ConfirmingDelete,
    /// A successful read; reads of Secrets are told.
    Read,
    /// Anything else a controller did.
    Controller,
}

impl Fold {
    /// As people read it in a summary.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Binding => "bindings",
            Self::Heartbeat => "heartbeats",
            Self::ConfirmingDelete => "confirming deletes",
            Self::Controller => "controllers",
            Self::Read => "reads",
        }
    }
}

/// Whether `username` is a controller: a `system:` name except service accounts outside
/// kube-system, or one of the policy's patterns. Nobody (`system:anonymous`) and the built-in
/// administrator of some distributions (`system:admin`) are people for this purpose: what they do
/// must be seen.
pub fn is_controller(username: &str, policy: &TellPolicy) -> bool {
    if policy.controllers.iter().any(|pattern| matches(pattern, username)) {
        return true;
    }
    match username.strip_prefix("system:") {
        None | Some("anonymous" | "unauthenticated" | "admin") => false,
        Some(name) => {
            !name.starts_with("serviceaccount:") || name.starts_with("serviceaccount:kube-system:")
        }
    }
}

/// Why to fold a request; `None` when it is told.
///
/// Status, bindings, heartbeats and confirming deletes fold whoever did them, unless somebody who
/// is no controller was refused.
pub(crate) fn fold(
    fact: &AuditFact<'_>,
    resource: &str,
    confirms: bool,
    policy: &TellPolicy,
) -> Option<Fold> {
    if fact.is_unaudited() {
        return fold_unaudited(fact, resource, confirms, policy);
    }
    let by_controller = is_controller(fact.username, policy)
        && (fact.impersonated.is_empty() || is_controller(fact.impersonated, policy));
    if fact.refused() && !by_controller {
        return None;
    }
    if confirms {
        return Some(Fold::ConfirmingDelete);
    }
    let routine = match (fact.subresource, resource) {
        ("", resource) if is_read(fact.verb) && resource != "secrets" => Some(Fold::Read),
        ("status", _) => Some(Fold::Status),
        ("binding", _) => Some(Fold::Binding),
        (_, "leases") => Some(Fold::Heartbeat),
        _ => None,
    };
    routine.or(by_controller.then_some(Fold::Controller))
}

/// Why to fold a change that no audit event tells: the same, by what was done and by its manager.
fn fold_unaudited(
    fact: &AuditFact<'_>,
    resource: &str,
    confirms: bool,
    policy: &TellPolicy,
) -> Option<Fold> {
    let change = fact.seen()?;
    if confirms {
        return Some(Fold::ConfirmingDelete);
    }
    let lines = change.shown_changes();
    let all = |test: fn(&str) -> bool| {
        !lines.is_empty() && lines.iter().all(|line| is_noise(&line.path) || test(&line.path))
    };
    let binds = |line: &Change| line.path == "spec.nodeName" && line.old.is_none();
    let routine = match resource {
        _ if is_read(fact.verb) => Some(Fold::Read),
        "leases" => Some(Fold::Heartbeat),
        _ if all(|_| false) => Some(Fold::Heartbeat),
        _ if all(is_status) => Some(Fold::Status),
        "pods" if lines.iter().any(binds) => Some(Fold::Binding),
        _ => None,
    };
    routine.or(is_controlling(change.manager, policy).then_some(Fold::Controller))
}

fn is_status(path: &str) -> bool {
    path == "status" || path.starts_with("status.") || path.starts_with("status[")
}

/// Whether a field manager is part of Kubernetes, or one of the policy's controllers.
fn is_controlling(manager: &str, policy: &TellPolicy) -> bool {
    let known = matches!(
        manager,
        "kube-controller-manager"
            | "cloud-controller-manager"
            | "kube-scheduler"
            | "kube-apiserver"
            | "kubelet"
            | "kube-proxy"
    );
    known || policy.controllers.iter().any(|pattern| matches(pattern, manager))
}

/// Looking changes nothing; only who looked at a Secret, or into a container, is worth telling.
fn is_read(verb: &str) -> bool {
    matches!(verb, "get" | "list" | "watch")
}

/// `*` stands for any number of characters.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(head) else { return false };
    let starts = std::iter::once(0).chain(text.char_indices().map(|(at, c)| at + c.len_utf8()));
    starts.into_iter().any(|at| text.get(at..).is_some_and(|tail| matches(rest, tail)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controllers_and_people() {
        let check = |name: &str, expect: bool| {
            assert_eq!(is_controller(name, &TellPolicy::default()), expect, "{name}");
        };
        check("system:kube-scheduler", true);
        check("system:node:node-1", true);
        check("system:serviceaccount:kube-system:deployment-controller", true);
        check("system:serviceaccount:ci:deployer", false);
        check("kwok-admin", true);
        check("alice@example.com", false);
        check("system:anonymous", false);
        check("admin", false);
    }

    #[test]
    fn patterns() {
        let check = |pattern: &str, text: &str, expect: bool| {
            assert_eq!(matches(pattern, text), expect, "{pattern} {text}");
        };
        check("kwok-*", "kwok-admin", true);
        check("*-operator", "x-operator", true);
        check("*-operator", "x-operators", false);
        check("a*b*c", "a-b-b-c", true);
        check("*", "", true);
        check("exact", "exact", true);
        check("exact", "exactly", false);
    }

    #[test]
    fn what_folds() {
        let fact = |username, subresource, code| AuditFact {
            username,
            subresource,
            verb: "patch",
            code: Some(code),
            ..AuditFact::default()
        };
        let check = |fact: AuditFact<'_>, confirms, expect| {
            let policy = TellPolicy::default();
            assert_eq!(fold(&fact, "pods", confirms, &policy), expect, "{fact:?}");
        };
        check(fact("alice", "", 200), false, None);
        check(fact("alice", "status", 200), false, Some(Fold::Status));
        check(fact("mallory", "status", 403), false, None);
        check(fact("kwok-admin", "status", 200), false, Some(Fold::Status));
        check(fact("alice", "", 200), true, Some(Fold::ConfirmingDelete));
        check(fact("system:kube-scheduler", "binding", 409), false, Some(Fold::Binding));
        let as_controller = AuditFact {
            impersonated: "system:serviceaccount:kube-system:job-controller",
            ..fact("admin", "", 200)
        };
        check(as_controller, false, None);
    }
}
