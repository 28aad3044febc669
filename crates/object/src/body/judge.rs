//! What happens to a member: decided by its key, its place and its siblings.

use std::borrow::Cow;

use super::marks::Marks;
use super::place::{Place, Step};
use super::shape::{Meaning, NOWHERE};
use super::walk::{Mode, Walk};
use crate::json;
use crate::kinds;
use crate::redact::rules::{
    COPY_KEYS, MESSAGE_MEMBERS, SECRET_DATA_MEMBERS, SECRET_PLAIN_MEMBERS, holds_url_password,
    is_secret_name,
};

/// What happens to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes, key and value.
    Cut,
    /// It stays; its value is read in this mode.
    Walk(Mode),
    /// It stays; its text may quote values.
    Message,
}

const PLAIN: Verdict = Verdict::Walk(Mode::Plain);
const SECRET: Verdict = Verdict::Walk(Mode::Leaves);

/// The member whose own members are [`Mode::Metadata`].
const METADATA: &str = "metadata";
/// Who wrote which field: long, and said better by the audit events themselves.
const MANAGED_FIELDS: &str = "managedFields";
/// The other half of a `{name, value}` pair.
const VALUE: &str = "value";

/// Shortest key that [`COPY_KEYS`] could mean.
const COPY_KEY_LENGTH_MIN: usize = {
    let (mut shortest, mut at) = (usize::MAX, 0);
    while at < COPY_KEYS.len() {
        if COPY_KEYS[at].len() < shortest {
            shortest = COPY_KEYS[at].len();
        }
        at += 1;
    }
    shortest
};

/// The marks of the names that mean something anywhere.
const ANYWHERE: Marks =
    Marks::NONE.with_all(SECRET_DATA_MEMBERS).with_all(MESSAGE_MEMBERS).with(METADATA).with(VALUE);

/// Which members of an object may mean something: most keys are told apart from all of these by
/// one look at a bit.
pub(super) fn marks_in(mode: Mode, node: Marks) -> Marks {
    match mode {
        Mode::Plain => ANYWHERE.and(node),
        Mode::Metadata => ANYWHERE.and(node).with(MANAGED_FIELDS),
        Mode::SecretObject | Mode::Leaves | Mode::Arguments => Marks::ALL,
    }
}

/// Whether a key of this length and first letter needs a verdict. `false` is sure.
#[inline]
pub(super) fn needs_verdict(marks: Marks, length: usize, first: u8) -> bool {
    length >= COPY_KEY_LENGTH_MIN || marks.may_hold(length, first)
}

/// What the members of one object say together, looked up once and only when asked.
pub(super) struct Siblings {
    /// First byte of the object.
    start: usize,
    is_secret: Option<bool>,
    has_secret_name: Option<bool>,
}

impl Siblings {
    pub(super) fn of(start: usize) -> Self {
        Self { start, is_secret: None, has_secret_name: None }
    }
}

/// Whether a key stands for a copy of the whole object.
pub(super) fn is_copy_key(key: &str) -> bool {
    key.len() >= COPY_KEY_LENGTH_MIN && COPY_KEYS.iter().any(|end| key.ends_with(end))
}

impl<'a> Walk<'a, '_> {
    /// Decides about a member whose value begins at `at`.
    pub(super) fn judge(
        &self,
        at: usize,
        member: &Place<'_>,
        node: u16,
        mode: Mode,
        siblings: &mut Siblings,
    ) -> Verdict {
        let Step::Key(key) = member.step else { return PLAIN };
        if mode == Mode::Metadata && key == MANAGED_FIELDS || is_copy_key(key) {
            return Verdict::Cut;
        }
        match mode {
            Mode::Leaves | Mode::Arguments => return SECRET,
            Mode::SecretObject => return self.judge_in_secret(at, member, key),
            Mode::Plain | Mode::Metadata => {}
        }
        if node != NOWHERE && self.redacts {
            match self.shapes.meaning(node) {
                Meaning::Arguments if self.byte(at) == b'[' => {
                    return Verdict::Walk(Mode::Arguments);
                }
                Meaning::Secret | Meaning::Arguments => return SECRET,
                _ => {}
            }
        }
        if !self.rules.is_empty() && self.named_by_user(member) {
            return SECRET;
        }
        self.judge_by_name(at, key, siblings)
    }

    /// Names that make a value secret, or one that may quote secrets, anywhere.
    fn judge_by_name(&self, at: usize, key: &str, siblings: &mut Siblings) -> Verdict {
        if !needs_verdict(ANYWHERE, key.len(), key.bytes().next().unwrap_or_default()) {
            return PLAIN;
        }
        let secret = match key {
            METADATA => return Verdict::Walk(Mode::Metadata),
            _ if !self.redacts => false,
            VALUE => self.is_secret_pair(at, siblings),
            _ if MESSAGE_MEMBERS.contains(&key) => return Verdict::Message,
            _ if SECRET_DATA_MEMBERS.contains(&key) => self.of_secrets || self.is_secret(siblings),
            _ => false,
        };
        if secret { SECRET } else { PLAIN }
    }

    /// In a Secret only what is known to be harmless stays.
    fn judge_in_secret(&self, at: usize, member: &Place<'_>, key: &str) -> Verdict {
        let verdict = match key {
            METADATA if self.byte(at) == b'{' => Verdict::Walk(Mode::Metadata),
            "$patch" => PLAIN,
            _ if SECRET_PLAIN_MEMBERS.contains(&key) && !matches!(self.byte(at), b'{' | b'[') => {
                PLAIN
            }
            _ => SECRET,
        };
        if self.named_by_user(member) { SECRET } else { verdict }
    }

    /// Whether the object says that it is a Secret; any of its `kind`s counts.
    fn is_secret(&self, siblings: &mut Siblings) -> bool {
        *siblings.is_secret.get_or_insert_with(|| {
            self.strings_of(siblings.start, "kind").any(|kind| kind == "Secret")
        })
    }

    /// Whether the `value` at `at` belongs to a secret's name, or shows by itself
    /// that it holds a password.
    fn is_secret_pair(&self, at: usize, siblings: &mut Siblings) -> bool {
        let named = *siblings.has_secret_name.get_or_insert_with(|| {
            self.strings_of(siblings.start, "name").any(|name| is_secret_name(&name))
        });
        named || (self.byte(at) == b'"' && self.holds_password(at))
    }

    fn holds_password(&self, at: usize) -> bool {
        let rest = self.slice(at, self.text.len());
        let Ok(end) = json::skip_value(rest, 0) else { return false };
        let text = rest.get(..end).and_then(json::string);
        text.is_some_and(|text| holds_url_password(&text))
    }

    /// Whether one of the user's rules names this place.
    pub(super) fn named_by_user(&self, place: &Place<'_>) -> bool {
        if self.rules.is_empty() {
            return false;
        }
        let Some(last) = place.last_segment() else { return false };
        let is_element = matches!(place.step, Step::Element(_));
        let possible = |rule: &&&crate::redact::Rule| is_element || rule.may_end_with(&last);
        let mut candidates = self.rules.iter().filter(possible).peekable();
        if candidates.peek().is_none() {
            return false;
        }
        let segments = place.segments(self.text);
        candidates.any(|rule| rule.matches(&segments))
    }

    /// How the root of a body of this kind is read.
    pub(super) fn root_mode(&self, kind: &str) -> Mode {
        let answer = kinds::is_never_a_state(kind) || kind.ends_with("List");
        let secret = kind == "Secret" || (self.of_secrets && !answer);
        if self.redacts && secret { Mode::SecretObject } else { Mode::Plain }
    }

    /// The `kind` of the object that begins at `start`.
    pub(super) fn kind_at(&self, start: usize) -> Option<Cow<'a, str>> {
        leading_kind(self.slice(start, self.text.len()))
            .map(Cow::Borrowed)
            .or_else(|| self.strings_of(start, "kind").next())
    }

    /// The text members of that name of the object that begins at `start`.
    fn strings_of(&self, start: usize, name: &'static str) -> impl Iterator<Item = Cow<'a, str>> {
        json::members(self.slice(start, self.text.len()))
            .map_while(Result::ok)
            .filter(move |member| member.is(name))
            .filter_map(|member| json::string(member.value))
    }
}

/// The kind of a body that begins as the apiserver and its clients write them.
fn leading_kind(text: &str) -> Option<&str> {
    const KIND: &str = "{\"kind\":\"";
    const VERSION: &str = "{\"apiVersion\":\"";
    const KIND_AFTER_VERSION: &str = ",\"kind\":\"";
    let rest = match text.strip_prefix(VERSION) {
        Some(rest) => up_to_quote(rest)?.1.strip_prefix(KIND_AFTER_VERSION)?,
        None => text.strip_prefix(KIND)?,
    };
    Some(up_to_quote(rest)?.0)
}

/// A string's text without escapes, and what follows its closing quote.
fn up_to_quote(text: &str) -> Option<(&str, &str)> {
    let end = text.bytes().position(|byte| matches!(byte, b'"' | b'\\'))?;
    let (inner, rest) = text.split_at_checked(end)?;
    Some((inner, rest.strip_prefix('"')?))
}
