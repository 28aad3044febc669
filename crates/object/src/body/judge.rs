//! What happens to a member: decided by its key, its place and its siblings.

use std::borrow::Cow;

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
    /// Decides about a member whose value begins at the current position.
    #[inline]
    pub(super) fn judge(
        &self,
        member: &Place<'_>,
        node: u16,
        mode: Mode,
        siblings: &mut Siblings,
    ) -> Verdict {
        let Step::Key(key) = member.step else { return PLAIN };
        if mode == Mode::Metadata && key == "managedFields" || is_copy_key(key) {
            return Verdict::Cut;
        }
        match mode {
            Mode::Leaves | Mode::Arguments => return SECRET,
            Mode::SecretObject => return self.judge_in_secret(member, key),
            Mode::Plain | Mode::Metadata => {}
        }
        if node != NOWHERE && self.redacts {
            match self.shapes.meaning(node) {
                Meaning::Secret => return SECRET,
                Meaning::Arguments => return Verdict::Walk(Mode::Arguments),
                _ => {}
            }
        }
        if !self.rules.is_empty() && self.named_by_user(member) {
            return SECRET;
        }
        match key.len() {
            4 | 5 | 7 | 10 if self.redacts => self.judge_by_name(key, siblings),
            8 if key == "metadata" => Verdict::Walk(Mode::Metadata),
            _ => PLAIN,
        }
    }

    /// Names that make a value secret, or one that may quote secrets, anywhere.
    #[inline]
    fn judge_by_name(&self, key: &str, siblings: &mut Siblings) -> Verdict {
        let secret = match key {
            "value" => self.is_secret_pair(siblings),
            _ if SECRET_DATA_MEMBERS.contains(&key) => self.of_secrets || self.is_secret(siblings),
            _ if MESSAGE_MEMBERS.contains(&key) => return Verdict::Message,
            _ => return PLAIN,
        };
        if secret { SECRET } else { PLAIN }
    }

    /// In a Secret only what is known to be harmless stays.
    fn judge_in_secret(&self, member: &Place<'_>, key: &str) -> Verdict {
        let verdict = match key {
            "metadata" if self.byte() == b'{' => Verdict::Walk(Mode::Metadata),
            "$patch" => PLAIN,
            _ if SECRET_PLAIN_MEMBERS.contains(&key) && !matches!(self.byte(), b'{' | b'[') => {
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

    /// Whether the `value` at the current position belongs to a secret's name, or shows by itself
    /// that it holds a password.
    fn is_secret_pair(&self, siblings: &mut Siblings) -> bool {
        let named = *siblings.has_secret_name.get_or_insert_with(|| {
            self.strings_of(siblings.start, "name").any(|name| is_secret_name(&name))
        });
        named || self.value_holds_password()
    }

    fn value_holds_password(&self) -> bool {
        let rest = self.slice(self.at, self.text.len());
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
        let is_element = matches!(place.step, Step::Element { .. });
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
        self.strings_of(start, "kind").next()
    }

    /// The text members of that name of the object that begins at `start`.
    fn strings_of(&self, start: usize, name: &'static str) -> impl Iterator<Item = Cow<'a, str>> {
        json::members(self.slice(start, self.text.len()))
            .map_while(Result::ok)
            .filter(move |member| member.is(name))
            .filter_map(|member| json::string(member.value))
    }
}
