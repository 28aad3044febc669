//! The pass over a body.
//!
//! **Invariant:** everything that is copied was read strictly; nothing is copied before the walk
//! has decided about it. `copied` is where the text begins that is neither copied nor cut.

use std::borrow::Cow;

use super::facts::Collector;
use super::judge::{Siblings, Verdict};
use super::place::{Place, Step, spell};
use super::shape::{Meaning, NOWHERE, SHAPES, Shapes};
use super::{BodyContext, BodyError, BodyFacts};
use crate::json::{self, Cursor, DEPTH_MAX};
use crate::redact::{Rule, Value};
use crate::{KeyRef, message};

/// How the values of a container are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// By the rules for each member.
    Plain,
    /// The members of an object's `metadata`.
    Metadata,
    /// The object is a Secret: what is not known to be harmless is secret.
    SecretObject,
    /// Every value is secret.
    Leaves,
    /// All but the first element is secret, and of that all but the program's name.
    Arguments,
}

pub(super) struct Walk<'a, 'c> {
    pub(super) text: &'a str,
    bytes: &'a [u8],
    cursor: Cursor<'a>,
    pub(super) at: usize,
    depth: usize,
    copied: usize,
    out: &'c mut String,
    pub(super) cx: &'c BodyContext<'c>,
    pub(super) shapes: &'static Shapes,
    pub(super) rules: Vec<&'c Rule>,
    /// Whether secrets are to be found at all.
    pub(super) redacts: bool,
    /// The request is about Secrets.
    pub(super) of_secrets: bool,
    /// Items of this list are Secrets.
    secret_items: bool,
    /// Namespace and name of the list item the walk is in.
    item: Option<(Cow<'a, str>, Cow<'a, str>)>,
    collector: Collector<'a>,
}

impl<'a, 'c> Walk<'a, 'c> {
    pub(super) fn new(text: &'a str, cx: &'c BodyContext<'c>, out: &'c mut String) -> Self {
        let bytes = text.as_bytes();
        let key = &cx.key;
        Self {
            text,
            bytes,
            cursor: Cursor::new(bytes, 0),
            at: 0,
            depth: 0,
            copied: 0,
            out,
            cx,
            shapes: &SHAPES,
            rules: cx.redaction.rules_for(key).collect(),
            redacts: !cx.redaction.is_disabled(),
            of_secrets: key.resource == "secrets" && key.group.is_empty(),
            secret_items: false,
            item: None,
            collector: Collector::default(),
        }
    }

    pub(super) fn run(mut self) -> Result<BodyFacts<'a>, BodyError> {
        self.whitespace();
        match self.byte() {
            b'{' => self.root()?,
            b'[' => self.json_patch()?,
            _ => return Err(BodyError::NotAnObject),
        }
        self.whitespace();
        if self.at < self.bytes.len() {
            return Err(self.malformed());
        }
        if let Some(at) = self.cursor.control_character() {
            return Err(BodyError::Malformed { at });
        }
        self.flush(self.at);
        Ok(self.collector.finish(&self.cx.key))
    }

    fn root(&mut self) -> Result<(), BodyError> {
        let kind = self.kind_at(self.at).unwrap_or_default();
        self.secret_items = self.of_secrets || kind == "SecretList";
        let mode = self.root_mode(&kind);
        let resource = if self.cx.key.group.contains('.') { "" } else { self.cx.key.resource };
        let node = self.shapes.root(&kind, resource, self.cx.subresource);
        self.object(&Place::ROOT, node, mode)
    }

    /// The value at the current position. `place` is its own place.
    pub(super) fn value(
        &mut self,
        place: &Place<'_>,
        node: u16,
        mode: Mode,
    ) -> Result<(), BodyError> {
        match self.byte() {
            b'"' if mode == Mode::Leaves => self.secret(place),
            b'"' => {
                let (start, end) = self.string()?;
                if node != NOWHERE {
                    self.meet(node, start, end);
                }
                Ok(())
            }
            b'{' => self.object(place, node, mode),
            b'[' => self.array(place, node, mode),
            b'n' => self.scalar(),
            _ if mode == Mode::Leaves => self.secret(place),
            _ => self.scalar(),
        }
    }

    fn object(&mut self, place: &Place<'_>, node: u16, mode: Mode) -> Result<(), BodyError> {
        let mut siblings = Siblings::of(self.at);
        self.enter()?;
        if self.byte() == b'}' {
            return self.leave();
        }
        let mut cut_from = self.at;
        let mut kept = false;
        loop {
            let key = self.key()?;
            let next = if node == NOWHERE { NOWHERE } else { self.shapes.member(node, &key) };
            let member = place.member(&key);
            match self.judge(&member, next, mode, &mut siblings) {
                Verdict::Cut => {
                    self.flush(cut_from);
                    self.skip()?;
                    self.copied = self.at;
                }
                verdict => {
                    self.obey(verdict, &member, next)?;
                    kept = true;
                }
            }
            self.whitespace();
            cut_from = self.at;
            match self.byte() {
                b',' => self.at += 1,
                b'}' => return self.leave(),
                _ => return Err(self.malformed()),
            }
            self.whitespace();
            if !kept {
                // All members so far were cut: their commas go with them.
                self.copied = self.at;
                cut_from = self.at;
            }
        }
    }

    /// Does with a member's value what was decided.
    fn obey(&mut self, verdict: Verdict, member: &Place<'_>, next: u16) -> Result<(), BodyError> {
        match verdict {
            Verdict::Walk(mode) => self.value(member, next, mode),
            Verdict::Message if self.byte() == b'"' => self.message(member),
            Verdict::Message => self.value(member, next, Mode::Plain),
            Verdict::Cut => self.skip(),
        }
    }

    fn array(&mut self, place: &Place<'_>, node: u16, mode: Mode) -> Result<(), BodyError> {
        self.enter()?;
        if self.byte() == b']' {
            return self.leave();
        }
        let node = if node == NOWHERE { NOWHERE } else { self.shapes.element(node) };
        for position in 0.. {
            let at = self.at;
            let element = place.below(Step::Element { position, at });
            self.element(&element, node, mode, position)?;
            self.whitespace();
            match self.byte() {
                b',' => self.at += 1,
                b']' => break,
                _ => return Err(self.malformed()),
            }
            self.whitespace();
        }
        self.leave()
    }

    fn element(
        &mut self,
        element: &Place<'_>,
        node: u16,
        mode: Mode,
        position: usize,
    ) -> Result<(), BodyError> {
        let mode = match mode {
            Mode::Arguments if position == 0 && self.byte() == b'"' => {
                return self.program(element);
            }
            Mode::Arguments | Mode::Leaves => Mode::Leaves,
            _ if self.named_by_user(element) => Mode::Leaves,
            _ => Mode::Plain,
        };
        match self.shapes.meaning(node) {
            Meaning::Item if mode == Mode::Plain => return self.item(node),
            Meaning::Owner => self.collector.owner(),
            _ => {}
        }
        self.value(element, node, mode)
    }

    /// An item of a list is an object of its own.
    fn item(&mut self, node: u16) -> Result<(), BodyError> {
        let start = self.at;
        if self.byte() != b'{' {
            return self.value(&Place::ROOT, node, Mode::Leaves);
        }
        let kind = self.kind_at(start).unwrap_or_default();
        let secret = self.redacts && (self.secret_items || kind == "Secret");
        let mode = if secret { Mode::SecretObject } else { Mode::Plain };
        self.object(&Place { up: None, step: Step::Item(start) }, node, mode)?;
        self.item = None;
        self.collector.facts.items.push(self.slice(start, self.at));
        Ok(())
    }

    /// A string at a place that a rule leads to.
    fn meet(&mut self, node: u16, start: usize, end: usize) {
        let inner = self.slice(start, end);
        match self.shapes.meaning(node) {
            Meaning::Fact(fact) => self.collector.fact(fact, inner),
            Meaning::OwnerField(field) => self.collector.owner_field(field, inner),
            Meaning::Reference(target) => self.collector.reference(target, inner),
            _ => {}
        }
    }

    /// Replaces the scalar at the current position by its fingerprint.
    fn secret(&mut self, place: &Place<'_>) -> Result<(), BodyError> {
        let start = self.at;
        let text = if self.byte() == b'"' {
            let (from, to) = self.string()?;
            json::unescape(self.slice(from, to))
        } else {
            self.scalar()?;
            None
        };
        let value = match &text {
            Some(text) => Value::Text(text),
            None => Value::Json(self.slice(start, self.at)),
        };
        let mut print = String::new();
        let path = spell(&place.segments(self.text));
        let cx = self.cx;
        cx.redaction.fingerprint(&self.object_key(place), &path, value, &mut print);
        self.replace(start, &print);
        Ok(())
    }

    /// The program's name stays; what may follow it in the same string does not.
    fn program(&mut self, place: &Place<'_>) -> Result<(), BodyError> {
        let start = self.at;
        let (from, to) = self.string()?;
        let text = json::unescape(self.slice(from, to)).unwrap_or_default();
        if let Some((program, _)) = text.split_once(char::is_whitespace) {
            let mut print = format!("{program} ");
            let path = spell(&place.segments(self.text));
            let cx = self.cx;
            let of = self.object_key(place);
            cx.redaction.fingerprint(&of, &path, Value::Text(&text), &mut print);
            self.replace(start, &print);
        }
        Ok(())
    }

    /// A message may quote values that were refused.
    pub(super) fn message(&mut self, place: &Place<'_>) -> Result<(), BodyError> {
        let start = self.at;
        let (from, to) = self.string()?;
        let inner = self.slice(from, to);
        if message::may_quote(inner) {
            let cx = self.cx;
            let text = json::unescape(inner).unwrap_or_default();
            if let Some(text) = message::redacted(&text, &self.object_key(place), cx) {
                self.replace(start, &text);
            }
        }
        Ok(())
    }

    /// Puts a JSON string in the place of what stands from `start` to the current position.
    fn replace(&mut self, start: usize, text: &str) {
        self.flush(start);
        json::escape_into(text, self.out);
        self.copied = self.at;
        self.collector.facts.redacted = true;
    }

    /// The object that a fingerprint is bound to: the request's, or the list item the place is in.
    fn object_key<'k>(&'k mut self, place: &Place<'_>) -> KeyRef<'k> {
        let key = self.cx.key;
        let mut root = place;
        while let Some(up) = root.up {
            root = up;
        }
        let Step::Item(start) = root.step else { return key };
        if self.item.is_none() {
            let metadata = json::members(self.slice(start, self.text.len()))
                .map_while(Result::ok)
                .find(|member| member.is("metadata"));
            self.item = Some(metadata.map_or_else(Default::default, |m| own_name(m.value)));
        }
        let (namespace, name) = self.item.as_ref().map_or(("", ""), |(ns, name)| (ns, name));
        let namespace = if namespace.is_empty() { key.namespace } else { namespace };
        KeyRef { namespace, name, ..key }
    }

    /// Goes over a value that is cut.
    pub(super) fn skip(&mut self) -> Result<(), BodyError> {
        match self.byte() {
            b'"' => self.string().map(drop),
            b'{' | b'[' => {
                let end = self.cursor.skip_container(self.at + 1);
                self.at = end.ok_or(BodyError::Malformed { at: self.bytes.len() })?;
                Ok(())
            }
            _ => self.scalar(),
        }
    }

    fn scalar(&mut self) -> Result<(), BodyError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let word = |word: &str| rest.starts_with(word.as_bytes()).then_some(self.at + word.len());
        let end = match self.byte() {
            b't' => word("true"),
            b'f' => word("false"),
            b'n' => word("null"),
            b'-' | b'0'..=b'9' => json::number_end(self.bytes, self.at).ok(),
            _ => None,
        };
        self.at = end.ok_or(self.malformed())?;
        Ok(())
    }

    /// Takes a string; gives the range between its quotes.
    #[inline]
    fn string(&mut self) -> Result<(usize, usize), BodyError> {
        let start = self.at;
        if self.byte() != b'"' || self.cursor.next_quote() != Some(start) {
            return Err(self.malformed());
        }
        let end = self.cursor.next_quote().ok_or(BodyError::Malformed { at: start })?;
        self.at = end + 1;
        if self.cursor.may_have_escapes(start) {
            let inner = self.bytes.get(start + 1..end).unwrap_or_default();
            if !json::check_escapes(inner) {
                return Err(BodyError::Malformed { at: start });
            }
        }
        Ok((start + 1, end))
    }

    /// Takes a key and its colon.
    #[inline]
    pub(super) fn key(&mut self) -> Result<Cow<'a, str>, BodyError> {
        let quote = self.at;
        let (start, end) = self.string()?;
        let inner = self.slice(start, end);
        let key = if self.cursor.may_have_escapes(quote) {
            json::unescape(inner).ok_or(BodyError::Malformed { at: quote })?
        } else {
            Cow::Borrowed(inner)
        };
        self.whitespace();
        if self.byte() != b':' {
            return Err(self.malformed());
        }
        self.at += 1;
        self.whitespace();
        Ok(key)
    }

    /// Takes an opening bracket.
    pub(super) fn enter(&mut self) -> Result<(), BodyError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(BodyError::TooDeep { at: self.at });
        }
        self.at += 1;
        self.whitespace();
        Ok(())
    }

    /// Takes a closing bracket.
    #[expect(clippy::unnecessary_wraps, reason = "ends its callers in one expression")]
    pub(super) fn leave(&mut self) -> Result<(), BodyError> {
        self.depth -= 1;
        self.at += 1;
        Ok(())
    }

    /// Copies what stands before `to` and was not copied.
    pub(super) fn flush(&mut self, to: usize) {
        self.out.push_str(self.text.get(self.copied..to).unwrap_or_default());
        self.copied = to;
    }

    /// Nothing before the current position is to be copied any more.
    pub(super) fn forget(&mut self) {
        self.copied = self.at;
    }

    #[inline]
    pub(super) fn byte(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or_default()
    }

    #[inline]
    pub(super) fn whitespace(&mut self) {
        if self.byte() <= b' ' {
            self.at = json::skip_whitespace(self.bytes, self.at);
        }
    }

    pub(super) fn advance(&mut self) {
        self.at += 1;
    }

    #[inline]
    pub(super) fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    pub(super) fn malformed(&self) -> BodyError {
        BodyError::Malformed { at: self.at }
    }
}

/// Namespace and name in an object's `metadata`.
fn own_name(metadata: &str) -> (Cow<'_, str>, Cow<'_, str>) {
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
