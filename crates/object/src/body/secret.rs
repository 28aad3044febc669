//! What takes the place of a secret.

use std::borrow::Cow;

use super::BodyError;
use super::place::{Place, Step, spell};
use super::walk::{At, Walk};
use crate::redact::Value;
use crate::{KeyRef, json, message};

impl<'a> Walk<'a, '_> {
    /// Replaces the scalar at `at` by its fingerprint.
    pub(super) fn secret(&mut self, at: usize, place: &Place<'_>) -> At {
        let (end, text) = match self.byte(at) {
            b'"' => {
                let end = self.string(at)?;
                (end + 1, json::unescape(self.slice(at + 1, end)))
            }
            _ => (self.scalar(at)?, None),
        };
        let value =
            text.as_ref().map_or(Value::Json(self.slice(at, end)), |text| Value::Text(text));
        let mut print = String::new();
        self.fingerprint(place, value, &mut print);
        self.replace(at, end, &print);
        Ok(end)
    }

    /// The program's name stays; what may follow it in the same string does not.
    pub(super) fn program(&mut self, at: usize, place: &Place<'_>) -> At {
        let (text, end) = self.text_at(at)?;
        if let Some((program, _)) = text.split_once(char::is_whitespace) {
            let mut print = format!("{program} ");
            self.fingerprint(place, Value::Text(&text), &mut print);
            self.replace(at, end, &print);
        }
        Ok(end)
    }

    /// A message may quote values that were refused.
    pub(super) fn message(&mut self, at: usize, place: &Place<'_>) -> At {
        let end = self.string(at)? + 1;
        if message::may_quote(self.slice(at, end)) {
            let text = json::string(self.slice(at, end)).unwrap_or_default();
            let cx = self.cx;
            if let Some(text) = message::redacted(&text, &self.object_key(place), cx) {
                self.replace(at, end, &text);
            }
        }
        Ok(end)
    }

    fn text_at(&mut self, at: usize) -> Result<(Cow<'a, str>, usize), BodyError> {
        let end = self.string(at)?;
        Ok((json::unescape(self.slice(at + 1, end)).unwrap_or_default(), end + 1))
    }

    fn fingerprint(&mut self, place: &Place<'_>, value: Value<'_>, print: &mut String) {
        let path = spell(&place.segments(self.text));
        let redaction = self.cx.redaction;
        redaction.fingerprint(&self.object_key(place), &path, value, print);
    }

    /// Puts a JSON string in the place of what stands from `start` to `end`.
    fn replace(&mut self, start: usize, end: usize, text: &str) {
        self.flush(start);
        json::escape_into(text, self.out);
        self.forget(end);
        self.collector.facts.redacted = true;
    }

    /// The object that a fingerprint is bound to: the request's, or the list item the place is in.
    fn object_key<'k>(&'k mut self, place: &Place<'_>) -> KeyRef<'k> {
        let key = self.cx.key;
        let Step::Item(start) = place.root().step else { return key };
        let text = self.slice(start, self.text.len());
        let (namespace, name) = self.item.get_or_insert_with(|| own_name(text));
        let namespace = if namespace.is_empty() { key.namespace } else { namespace };
        KeyRef { namespace, name, ..key }
    }
}

/// Namespace and name in the `metadata` of the object that `text` begins with.
fn own_name(text: &str) -> (Cow<'_, str>, Cow<'_, str>) {
    let member_of = |object: &'_ str, name: &str| {
        json::members(object).map_while(Result::ok).find(|member| member.is(name)).map(|m| m.at)
    };
    let Some(metadata) = member_of(text, "metadata").and_then(|at| text.get(at..)) else {
        return Default::default();
    };
    let mut own = (Cow::Borrowed(""), Cow::Borrowed(""));
    for member in json::members(metadata).map_while(Result::ok) {
        if member.is("namespace") {
            own.0 = json::string(member.value).unwrap_or_default();
        } else if member.is("name") {
            own.1 = json::string(member.value).unwrap_or_default();
        }
    }
    own
}
