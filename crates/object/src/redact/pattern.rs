//! The path rules that users write.
//!
//! Promise: a rule that parses matches in time linear in path and rule. When in doubt it matches:
//! an element that a patch names by position may be any element.

use std::borrow::Cow;

/// Longest rule, in segments; the set of matched prefixes is one word.
const SEGMENTS_MAX: usize = 63;

/// A rule that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// The rule names nothing.
    #[error("redaction rule {rule:?} has no path")]
    Empty {
        /// The rule as written.
        rule: String,
    },
    /// Something in the rule is not path syntax.
    #[error(
        "redaction rule {rule:?} is not understood at {rest:?}; expected a path like spec.users[*].token"
    )]
    Syntax {
        /// The rule as written.
        rule: String,
        /// From where on it is not understood.
        rest: String,
    },
    /// The rule is too long.
    #[error("redaction rule {rule:?} has more than {SEGMENTS_MAX} segments")]
    TooLong {
        /// The rule as written.
        rule: String,
    },
    /// Too many rules.
    #[error("{count} redaction rules, at most {} are allowed", super::RULES_MAX)]
    TooMany {
        /// How many there are.
        count: usize,
    },
}

/// One step of a place in a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment<'a> {
    /// Member of an object.
    Key(Cow<'a, str>),
    /// Element of a list, by merge key and position.
    Element { label: Option<&'a str>, position: usize },
    /// Step of a JSON pointer: a member, or an element by position or `-`.
    Pointer(&'a str),
}

impl Segment<'_> {
    fn may_be_element(&self) -> bool {
        match self {
            Self::Key(_) => false,
            Self::Element { .. } => true,
            Self::Pointer(step) => is_position(step),
        }
    }
}

/// Whether a step of a JSON pointer can name an element of a list.
pub(crate) fn is_position(step: &str) -> bool {
    step == "-" || (!step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit()))
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    AnyDepth,
    Any,
    Key(String),
    Element(String),
}

/// A parsed rule.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// Resource and group it is for; every one if not said.
    target: Option<(String, String)>,
    path: Vec<Pattern>,
}

impl Rule {
    pub(crate) fn parse(text: &str) -> Result<Self, RuleError> {
        let (target, path) = match text.split_once(':') {
            Some((target, path)) if !target.contains(['[', '"']) => (Some(target), path),
            _ => (None, text),
        };
        let target = target.map(|target| {
            let (resource, group) = target.split_once('.').unwrap_or((target, ""));
            (resource.trim().to_owned(), group.trim().to_owned())
        });
        let path = parse_path(path.trim(), text)?;
        if path.is_empty() {
            return Err(RuleError::Empty { rule: text.to_owned() });
        }
        if path.len() > SEGMENTS_MAX {
            return Err(RuleError::TooLong { rule: text.to_owned() });
        }
        Ok(Self { target, path })
    }

    pub(crate) fn is_for(&self, group: &str, resource: &str) -> bool {
        self.target.as_ref().is_none_or(|(name, of)| name == resource && of == group)
    }

    /// Whether a path could end here at all: a cheap look at the last step.
    pub(crate) fn may_end_with(&self, segment: &Segment<'_>) -> bool {
        self.path.last().is_some_and(|last| last.matches(segment))
    }

    /// Whether the rule names the place at the end of the path.
    pub(crate) fn matches(&self, path: &[Segment<'_>]) -> bool {
        let mut reached = self.start();
        for segment in path {
            reached = self.step(reached, segment);
        }
        self.is_complete(reached)
    }

    /// Whether the rule names the place at the end of the path, or one above it.
    pub(crate) fn matches_on_the_way(&self, path: &[Segment<'_>]) -> bool {
        let mut reached = self.start();
        path.iter().any(|segment| {
            reached = self.step(reached, segment);
            self.is_complete(reached)
        })
    }

    /// What is matched before the first segment. Bit n: the first n patterns are.
    fn start(&self) -> u64 {
        self.pass_over_any_depth(1)
    }

    fn is_complete(&self, reached: u64) -> bool {
        reached >> self.path.len() & 1 == 1
    }

    fn step(&self, reached: u64, segment: &Segment<'_>) -> u64 {
        // Elements may be left out of a rule. What was complete already lies above this segment;
        // it was dealt with there.
        let incomplete = reached & !(1 << self.path.len());
        let mut next = if segment.may_be_element() { incomplete } else { 0 };
        for (index, pattern) in self.path.iter().enumerate() {
            if reached >> index & 1 == 0 {
                continue;
            }
            if *pattern == Pattern::AnyDepth {
                next |= 1 << index;
            }
            if pattern.matches(segment) {
                next |= 1 << (index + 1);
            }
        }
        self.pass_over_any_depth(next)
    }

    fn pass_over_any_depth(&self, mut reached: u64) -> u64 {
        for (index, pattern) in self.path.iter().enumerate() {
            if *pattern == Pattern::AnyDepth && reached >> index & 1 == 1 {
                reached |= 1 << (index + 1);
            }
        }
        reached
    }
}

impl Pattern {
    fn matches(&self, segment: &Segment<'_>) -> bool {
        match (self, segment) {
            (Self::AnyDepth | Self::Any, _) => true,
            (Self::Key(glob), Segment::Key(key)) => glob_matches(glob, key),
            (Self::Key(glob), Segment::Pointer(step)) => glob_matches(glob, step),
            (Self::Element(_), Segment::Pointer(step)) => is_position(step),
            (Self::Element(glob), Segment::Element { label, position }) => {
                label.as_ref().is_some_and(|label| glob_matches(glob, label))
                    || glob_matches(glob, &position.to_string())
            }
            (Self::Key(_), Segment::Element { .. }) | (Self::Element(_), Segment::Key(_)) => false,
        }
    }
}

fn parse_path(mut rest: &str, rule: &str) -> Result<Vec<Pattern>, RuleError> {
    let mut path = Vec::new();
    while !rest.is_empty() {
        let (pattern, left) = parse_step(rest)
            .ok_or_else(|| RuleError::Syntax { rule: rule.to_owned(), rest: rest.to_owned() })?;
        path.push(pattern);
        rest = match left.strip_prefix('.') {
            Some("") => left,
            Some(after) => after,
            None if left.is_empty() || left.starts_with('[') => left,
            None => return Err(RuleError::Syntax { rule: rule.to_owned(), rest: left.to_owned() }),
        };
    }
    Ok(path)
}

fn parse_step(text: &str) -> Option<(Pattern, &str)> {
    if let Some(inside) = text.strip_prefix('[') {
        if inside.starts_with('"') {
            let end = crate::json::skip_value(inside, 0).ok()?;
            let key = crate::json::string(inside.get(..end)?)?.into_owned();
            return Some((Pattern::Key(key), inside.get(end..)?.strip_prefix(']')?));
        }
        let (label, left) = inside.split_once(']')?;
        let label = if label.is_empty() { "*" } else { label };
        return Some((Pattern::Element(label.to_owned()), left));
    }
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let (word, left) = text.split_at_checked(end)?;
    let pattern = match word {
        "" => return None,
        "**" => Pattern::AnyDepth,
        "*" => Pattern::Any,
        key => Pattern::Key(key.to_owned()),
    };
    Some((pattern, left))
}

/// `*` in a glob stands for any text.
fn glob_matches(glob: &str, text: &str) -> bool {
    let Some((head, tail)) = glob.split_once('*') else { return glob == text };
    let Some(mut rest) = text.strip_prefix(head) else { return false };
    let mut pieces = tail.split('*').peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        let Some(at) = rest.find(piece) else { return false };
        rest = rest.get(at + piece.len()..).unwrap_or_default();
    }
    true
}
