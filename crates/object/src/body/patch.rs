//! JSON patches: a list of operations that name their places by pointers.

use std::borrow::Cow;

use super::BodyError;
use super::judge::{Verdict, is_copy_key};
use super::place::{Place, Step};
use super::shape::NOWHERE;
use super::walk::{At, Mode, Walk, malformed};
use crate::json;
use crate::redact::is_position;
use crate::redact::rules::{MESSAGE_MEMBERS, SECRET_PATHS};

/// Members of an operation that hold no value.
const HARMLESS: &[&str] = &["op", "path", "from"];

impl Walk<'_, '_> {
    pub(super) fn json_patch(&mut self, at: usize) -> At {
        let mut at = self.enter(at)?;
        if self.byte(at) == b']' {
            return self.leave(at);
        }
        loop {
            if self.byte(at) != b'{' {
                return Err(BodyError::NotAnObject);
            }
            at = self.operation(at)?;
            at = self.whitespace(at);
            match self.byte(at) {
                b',' => at = self.whitespace(at + 1),
                b']' => return self.leave(at),
                _ => return malformed(at),
            }
        }
    }

    fn operation(&mut self, at: usize) -> At {
        let pointer = self.pointer(at);
        let place = Place { up: None, step: Step::Pointer(&pointer) };
        let verdict = self.judge_operation(&place, &pointer);
        let mut at = self.enter(at)?;
        if self.byte(at) == b'}' {
            return self.leave(at);
        }
        let mut cut_from = at;
        let mut kept = false;
        loop {
            let (key, value) = self.key(at)?;
            let harmless = HARMLESS.contains(&key.as_ref());
            at = match if harmless { PLAIN } else { verdict } {
                Verdict::Cut => {
                    self.flush(cut_from);
                    let end = self.skip(value)?;
                    self.forget(end);
                    end
                }
                verdict => {
                    kept = true;
                    self.operand(value, verdict, &place)?
                }
            };
            at = self.whitespace(at);
            cut_from = at;
            match self.byte(at) {
                b',' => at = self.whitespace(at + 1),
                b'}' => return self.leave(at),
                _ => return malformed(at),
            }
            if !kept {
                self.forget(at);
                cut_from = at;
            }
        }
    }

    fn operand(&mut self, at: usize, verdict: Verdict, place: &Place<'_>) -> At {
        match verdict {
            Verdict::Walk(mode) => self.value(at, place, NOWHERE, mode),
            Verdict::Message if self.byte(at) == b'"' => self.message(at, place),
            Verdict::Message => self.value(at, place, NOWHERE, Mode::Plain),
            Verdict::Cut => self.skip(at),
        }
    }

    /// The steps of the operation's `path`; of several the last counts, as for the apiserver.
    fn pointer(&self, at: usize) -> Vec<Cow<'static, str>> {
        let members = json::members(self.slice(at, self.text.len())).map_while(Result::ok);
        let path = members.filter(|member| member.is("path")).last();
        let path = path.and_then(|member| json::string(member.value)).unwrap_or_default();
        path.split('/').skip(1).map(|step| Cow::Owned(unescaped(step))).collect()
    }

    fn judge_operation(&self, place: &Place<'_>, pointer: &[Cow<'_, str>]) -> Verdict {
        let last = pointer.last().map_or("", AsRef::as_ref);
        let above = pointer.iter().rev().nth(1).map_or("", AsRef::as_ref);
        let managed = pointer
            .windows(2)
            .any(|pair| matches!(pair, [a, b] if a == "metadata" && b == "managedFields"));
        if managed || pointer.iter().any(|step| is_copy_key(step)) {
            return Verdict::Cut;
        }
        if !self.redacts {
            return Verdict::Walk(mode_below(last));
        }
        // The name that goes with `env/2/value` is not in the patch: it may be a secret's.
        let unnamed_value = last == "value" && is_position(above);
        if self.of_secrets
            || unnamed_value
            || self.is_secret_path(pointer)
            || self.user_names(place)
        {
            return Verdict::Walk(Mode::Leaves);
        }
        if MESSAGE_MEMBERS.contains(&last) {
            Verdict::Message
        } else {
            Verdict::Walk(mode_below(last))
        }
    }

    /// Whether the pointer leads to a secret by place, or above or below one.
    fn is_secret_path(&self, pointer: &[Cow<'_, str>]) -> bool {
        let rules = SECRET_PATHS.iter();
        let mut rules =
            rules.filter(|rule| rule.answers(self.cx.key.resource, self.cx.subresource));
        rules.any(|rule| rule.path.split('.').zip(pointer).all(|(step, at)| step == at.as_ref()))
    }

    /// Whether one of the user's rules names the place or one above it.
    fn user_names(&self, place: &Place<'_>) -> bool {
        let segments = place.segments(self.text);
        self.rules.iter().any(|rule| rule.matches_on_the_way(&segments))
    }
}

const PLAIN: Verdict = Verdict::Walk(Mode::Plain);

fn mode_below(last: &str) -> Mode {
    if last == "metadata" { Mode::Metadata } else { Mode::Plain }
}

/// A step of a JSON pointer, as RFC 6901 escapes it.
fn unescaped(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}
