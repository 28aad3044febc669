//! What an operator writes to choose which requests become spans.

use serde::{Deserialize, Serialize};

use super::rule::{Patterns, Rule};
use super::{Filter, standard};

/// Which requests become spans; the others are only counted.
///
/// The first rule that matches decides: your `rules` in their order, then, unless `standard` is
/// `without`, the standard ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilterConfig {
    /// Your own rules, asked first.
    pub rules: Vec<RuleConfig>,
    /// Whether the standard rules follow.
    pub standard: Standard,
}

/// Whether the standard rules follow an operator's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standard {
    /// They do.
    #[default]
    With,
    /// They do not: what no rule of yours names is kept.
    Without,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It becomes spans.
    Keep,
    /// It is counted under the rule's name and goes no further.
    Count,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// However it ended, or not known yet.
    #[default]
    Any,
    /// With a status below 400, or not known yet.
    Success,
    /// With a status of 400 or more.
    Failure,
}

/// One rule. It matches a request when every list matches; an empty list matches everything.
///
/// Members of lists are exact, or have one `*` at either end: `system:*`, `*.example.com`, `*`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// Name under which matching requests are counted; lower case, digits and `-`.
    pub name: String,
    /// What becomes of matching requests.
    pub action: Action,
    /// Clusters, after aliases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<String>,
    /// Verbs: `create`, `get`, `deletecollection`, …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verbs: Vec<String>,
    /// API groups; the core group is the empty string.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Resources, as in request paths: `pods`. Requests outside the API have the empty string.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// Subresources: `status`, `exec`; none is the empty string.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subresources: Vec<String>,
    /// Namespaces; none is the empty string.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// Who asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
    /// Groups of who asked; one that matches is enough.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user_groups: Vec<String>,
    /// Stages: `RequestReceived`, `ResponseStarted`, `ResponseComplete`, `Panic`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<String>,
    /// HTTP status codes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<u16>,
    /// How the request ended.
    #[serde(default)]
    pub outcome: Outcome,
    /// `true`: only impersonated requests; `false`: only others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impersonated: Option<bool>,
}

/// Why a filter cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// A rule has no usable name: it is a label of a metric.
    #[error("filter rule {at} is named {name:?}; a name is 1 to 63 of a-z, 0-9 and '-'")]
    Name {
        /// Which one, counted from 1.
        at: usize,
        /// Its name.
        name: String,
    },
    /// Two rules have the same name, or one has that of a standard rule.
    #[error("two filter rules are named {name:?}")]
    Twice {
        /// The name.
        name: String,
    },
    /// A pattern has its star elsewhere than at one end.
    #[error("filter rule {rule:?}: pattern {pattern:?} may have one '*', at one end")]
    Pattern {
        /// The rule.
        rule: String,
        /// The pattern.
        pattern: String,
    },
    /// More rules than anyone can follow; each costs time for every event.
    #[error("{count} filter rules; at most {RULES_MAX} are allowed")]
    TooMany {
        /// How many there are.
        count: usize,
    },
}

/// Most rules of an operator's own.
pub const RULES_MAX: usize = 100;

impl FilterConfig {
    /// Checks the rules and compiles them.
    pub fn validate(self) -> Result<Filter, FilterError> {
        if self.rules.len() > RULES_MAX {
            return Err(FilterError::TooMany { count: self.rules.len() });
        }
        check_names(&self.rules)?;
        let standard = match self.standard {
            Standard::With => standard::rules(),
            Standard::Without => vec![standard::rest()],
        };
        let compiled: Result<Vec<Rule>, _> =
            self.rules.into_iter().chain(standard).map(RuleConfig::compile).collect();
        Ok(Filter::new(compiled?))
    }
}

impl RuleConfig {
    /// A rule that matches everything.
    pub(super) fn any(name: &str, action: Action) -> Self {
        Self {
            name: name.to_owned(),
            action,
            clusters: Vec::new(),
            verbs: Vec::new(),
            groups: Vec::new(),
            resources: Vec::new(),
            subresources: Vec::new(),
            namespaces: Vec::new(),
            users: Vec::new(),
            user_groups: Vec::new(),
            stages: Vec::new(),
            codes: Vec::new(),
            outcome: Outcome::Any,
            impersonated: None,
        }
    }

    fn compile(self) -> Result<Rule, FilterError> {
        let name = self.name;
        let patterns = |list: Vec<String>| {
            Patterns::parse(list)
                .map_err(|pattern| FilterError::Pattern { rule: name.clone(), pattern })
        };
        Ok(Rule {
            action: self.action,
            clusters: patterns(self.clusters)?,
            verbs: patterns(self.verbs)?,
            groups: patterns(self.groups)?,
            resources: patterns(self.resources)?,
            subresources: patterns(self.subresources)?,
            namespaces: patterns(self.namespaces)?,
            users: patterns(self.users)?,
            user_groups: patterns(self.user_groups)?,
            stages: patterns(self.stages)?,
            codes: self.codes,
            outcome: self.outcome,
            impersonated: self.impersonated,
            name,
        })
    }
}

fn check_names(rules: &[RuleConfig]) -> Result<(), FilterError> {
    let usable = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let mut names: Vec<String> = standard::rules().into_iter().map(|rule| rule.name).collect();
    for (index, RuleConfig { name, .. }) in rules.iter().enumerate() {
        if name.is_empty() || name.len() > 63 || !name.bytes().all(usable) {
            return Err(FilterError::Name { at: index + 1, name: name.clone() });
        }
        if names.contains(name) {
            return Err(FilterError::Twice { name: name.clone() });
        }
        names.push(name.clone());
    }
    Ok(())
}
