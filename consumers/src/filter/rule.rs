//! A compiled rule and how it is matched.

use super::config::{Action, Outcome};

#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) action: Action,
    pub(super) clusters: Patterns,
    pub(super) verbs: Patterns,
    pub(super) groups: Patterns,
    pub(super) resources: Patterns,
    pub(super) subresources: Patterns,
    pub(super) namespaces: Patterns,
    pub(super) users: Patterns,
    pub(super) user_groups: Patterns,
    pub(super) stages: Patterns,
    pub(super) codes: Vec<u16>,
    pub(super) outcome: Outcome,
    pub(super) impersonated: Option<bool>,
}

/// Texts to match one text against; none of them: everything matches.
#[derive(Clone, Debug)]
pub(super) struct Patterns(Vec<Pattern>);

#[derive(Clone, Debug)]
enum Pattern {
    Exact(String),
    Prefix(String),
    Suffix(String),
}

/// What rules look at, of one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    pub(super) cluster: &'a str,
    pub(super) verb: &'a str,
    pub(super) group: &'a str,
    pub(super) resource: &'a str,
    pub(super) subresource: &'a str,
    pub(super) namespace: &'a str,
    pub(super) user: &'a str,
    pub(super) stage: &'a str,
    pub(super) code: u16,
    pub(super) impersonated: bool,
}

impl Rule {
    /// Cheapest and most selective first; groups of the user, which have to be walked, last.
    pub(super) fn matches<'a, G>(&self, seen: &Seen<'_>, groups: G) -> bool
    where
        G: Iterator<Item = &'a str>,
    {
        self.impersonated.is_none_or(|wanted| wanted == seen.impersonated)
            && (self.codes.is_empty() || self.codes.contains(&seen.code))
            && self.outcome.matches(seen.code)
            && self.stages.match_text(seen.stage)
            && self.subresources.match_text(seen.subresource)
            && self.resources.match_text(seen.resource)
            && self.groups.match_text(seen.group)
            && self.verbs.match_text(seen.verb)
            && self.namespaces.match_text(seen.namespace)
            && self.users.match_text(seen.user)
            && self.clusters.match_text(seen.cluster)
            && self.user_groups.match_any(groups)
    }
}

impl Outcome {
    fn matches(self, code: u16) -> bool {
        match self {
            Self::Any => true,
            Self::Success => code < 400,
            Self::Failure => code >= 400,
        }
    }
}

impl Patterns {
    /// `Err` holds the pattern that cannot be used.
    pub(super) fn parse(list: Vec<String>) -> Result<Self, String> {
        list.into_iter().map(Pattern::parse).collect::<Result<_, _>>().map(Self)
    }

    fn match_text(&self, text: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|pattern| pattern.matches(text))
    }

    fn match_any<'a>(&self, mut texts: impl Iterator<Item = &'a str>) -> bool {
        self.0.is_empty() || texts.any(|text| self.match_text(text))
    }
}

impl Pattern {
    fn parse(text: String) -> Result<Self, String> {
        let parsed = match (text.strip_prefix('*'), text.strip_suffix('*')) {
            (Some(rest), _) => Self::Suffix(rest.to_owned()),
            (None, Some(rest)) => Self::Prefix(rest.to_owned()),
            (None, None) => Self::Exact(text.clone()),
        };
        let (Self::Exact(rest) | Self::Prefix(rest) | Self::Suffix(rest)) = &parsed;
        if rest.contains('*') { Err(text) } else { Ok(parsed) }
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(wanted) => text == wanted,
            Self::Prefix(wanted) => text.starts_with(wanted.as_str()),
            Self::Suffix(wanted) => text.ends_with(wanted.as_str()),
        }
    }
}
