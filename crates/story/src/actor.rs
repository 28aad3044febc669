//! Who acted, and how their names are shown.
//!
//! Promise: a shortened name stands for one user only among all that are shown.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Who sent a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Actor {
    /// The user who was authenticated.
    pub username: String,
    /// As whom it was done, when the user impersonated somebody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impersonated: Option<String>,
    /// Field manager, where no audit event tells who it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager: Option<String>,
}

/// How the names of one story are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The domain all shown names share, with its `@`.
    domain: Option<String>,
}

impl Names {
    /// Decides how to show `actors`: `@domain` is cut only when all that have one share it, and
    /// when no bare name would then be taken for another.
    pub fn of<'a>(actors: impl IntoIterator<Item = &'a Actor>) -> Self {
        let mut bare = BTreeSet::new();
        let mut with_domain = BTreeSet::new();
        let mut domains = BTreeSet::new();
        for name in actors.into_iter().flat_map(Actor::names) {
            match name.split_once('@') {
                Some((user, domain)) if !domain.is_empty() => {
                    with_domain.insert(user);
                    domains.insert(domain);
                }
                _ => {
                    bare.insert(name);
                }
            }
        }
        let shared = (domains.len() == 1 && bare.is_disjoint(&with_domain))
            .then(|| domains.first().map(|domain| format!("@{domain}")));
        Self { domain: shared.flatten() }
    }

    /// The name as shown. `carol (as admin)`: done as carol, by the user admin, who impersonated
    /// her. `(unknown, kubectl-edit)`: only the manager is known.
    pub fn show(&self, actor: &Actor) -> String {
        match (&actor.impersonated, &actor.manager) {
            (Some(other), _) => {
                format!("{} (as {})", self.short(other), self.short(&actor.username))
            }
            (None, Some(manager)) => format!("(unknown, {manager})"),
            (None, None) => self.short(&actor.username),
        }
    }

    fn short(&self, name: &str) -> String {
        if name.is_empty() {
            return "(unknown)".to_owned();
        }
        if let Some(account) = name.strip_prefix("system:serviceaccount:") {
            return account.replacen(':', "/", 1);
        }
        let cut = self.domain.as_deref().and_then(|domain| name.strip_suffix(domain));
        cut.filter(|cut| !cut.is_empty()).unwrap_or(name).to_owned()
    }
}

impl Actor {
    fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.username.as_str()).chain(self.impersonated.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[(&str, Option<&str>)], expect: &[&str]) {
        let actors: Vec<_> = names
            .iter()
            .map(|(username, impersonated)| Actor {
                username: (*username).to_owned(),
                impersonated: impersonated.map(str::to_owned),
                manager: None,
            })
            .collect();
        let shown = Names::of(&actors);
        let got: Vec<_> = actors.iter().map(|actor| shown.show(actor)).collect();
        assert_eq!(got, expect);
    }

    #[test]
    fn a_shared_domain_is_cut() {
        check(&[("alice@a.example", None), ("bob@a.example", None)], &["alice", "bob"]);
        check(&[("alice@a.example", None), ("admin", None)], &["alice", "admin"]);
    }

    #[test]
    fn domains_that_tell_people_apart_stay() {
        let names = ["alice@a.example", "alice@b.example"];
        check(&[(names[0], None), (names[1], None)], &names);
        check(&[("alice@a.example", None), ("alice", None)], &["alice@a.example", "alice"]);
    }

    #[test]
    fn service_accounts_and_impersonation() {
        check(&[("system:serviceaccount:ci:deployer", None)], &["ci/deployer"]);
        check(&[("admin", Some("carol@a.example"))], &["carol (as admin)"]);
        check(&[("", None)], &["(unknown)"]);
        let manager = Some("kubectl-edit".to_owned());
        let actor = Actor { manager, ..Actor::default() };
        assert_eq!(Names::default().show(&actor), "(unknown, kubectl-edit)");
    }
}
