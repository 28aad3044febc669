//! The pass over a body.
//!
//! **Invariant:** everything that is copied was read strictly; nothing is copied before the walk
//! has decided about it. `copied` is where the text begins that is neither copied nor cut.
//! Positions go from hand to hand instead of living in the struct: this is the hottest loop there
//! is, and registers are faster than memory.

use std::borrow::Cow;

use super::facts::Collector;
use super::judge::{Siblings, Verdict, marks_in, needs_verdict};
use super::marks::Marks;
use super::place::{Element, Place, Step};
use super::shape::{Meaning, NOWHERE, SHAPES, Shapes};
use super::{BodyContext, BodyError, BodyFacts};
use crate::json::{self, Cursor, DEPTH_MAX};
use crate::redact::Rule;

/// A position behind what was read.
pub(super) type At = Result<usize, BodyError>;

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

/// The object whose members are read.
struct Object<'p> {
    place: &'p Place<'p>,
    node: u16,
    mode: Mode,
    siblings: Siblings,
}

pub(super) struct Walk<'a, 'c> {
    bytes: &'a [u8],
    cursor: Cursor<'a>,
    depth: usize,
    pub(super) text: &'a str,
    copied: usize,
    pub(super) out: &'c mut String,
    pub(super) cx: &'c BodyContext<'c>,
    pub(super) shapes: &'static Shapes,
    pub(super) rules: Vec<&'c Rule>,
    /// Whether secrets are to be found at all.
    pub(super) redacts: bool,
    /// The request is about Secrets.
    pub(super) of_secrets: bool,
    /// Items of this list are Secrets.
    secret_items: bool,
    /// Namespace and name of the list item the walk is in, once they were needed.
    pub(super) item: Option<(Cow<'a, str>, Cow<'a, str>)>,
    pub(super) collector: Collector<'a>,
}

impl<'a, 'c> Walk<'a, 'c> {
    pub(super) fn new(text: &'a str, cx: &'c BodyContext<'c>, out: &'c mut String) -> Self {
        let bytes = text.as_bytes();
        let key = &cx.key;
        Self {
            bytes,
            cursor: Cursor::new(bytes, 0),
            depth: 0,
            text,
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
        let start = self.whitespace(0);
        let end = match self.byte(start) {
            b'{' => self.root(start)?,
            b'[' => self.json_patch(start)?,
            _ => return Err(BodyError::NotAnObject),
        };
        let end = self.whitespace(end);
        if end < self.bytes.len() {
            return malformed(end);
        }
        if let Some(at) = self.cursor.control_character() {
            return Err(BodyError::Malformed { at });
        }
        self.flush(end);
        Ok(self.collector.finish(&self.cx.key))
    }

    fn root(&mut self, at: usize) -> At {
        let kind = self.kind_at(at).unwrap_or_default();
        self.secret_items = self.of_secrets || kind == "SecretList";
        let mode = self.root_mode(&kind);
        let key = &self.cx.key;
        let node = self.shapes.root(&kind, key.resource, self.cx.subresource);
        self.object(at, &Place::ROOT, node, mode)
    }

    /// The value at `at`; `place` is its own place.
    pub(super) fn value(&mut self, at: usize, place: &Place<'_>, node: u16, mode: Mode) -> At {
        match self.byte(at) {
            b'"' if mode == Mode::Leaves => self.secret(at, place),
            b'"' => {
                let end = self.string(at)?;
                if node != NOWHERE {
                    self.meet(node, at + 1, end);
                }
                Ok(end + 1)
            }
            b'{' => self.object(at, place, node, mode),
            b'[' => self.array(at, place, node, mode),
            b'n' => self.scalar(at),
            _ if mode == Mode::Leaves => self.secret(at, place),
            _ => self.scalar(at),
        }
    }

    fn object(&mut self, at: usize, place: &Place<'_>, node: u16, mode: Mode) -> At {
        let mut object = Object { place, node, mode, siblings: Siblings::of(at) };
        let any = !self.rules.is_empty();
        let marks = if any { Marks::ALL } else { marks_in(mode, self.shapes.marks(node)) };
        let mut at = self.enter(at)?;
        if self.byte(at) == b'}' {
            return self.leave(at);
        }
        let mut cut_from = at;
        let mut kept = false;
        loop {
            let quote = at;
            let end = self.string(quote)?;
            let escaped = self.cursor.may_have_escapes(quote);
            at = self.colon(end + 1)?;
            let first = self.byte(quote + 1);
            if !escaped && !needs_verdict(marks, end - quote - 1, first) {
                at = self.plain_member(at, place, quote, end)?;
                kept = true;
            } else {
                let key = self.slice(quote + 1, end);
                let key = if escaped { json::unescape(key) } else { Some(Cow::Borrowed(key)) };
                let key = key.unwrap_or_default();
                let (after, keep) = self.member(at, &mut object, &key, cut_from)?;
                at = after;
                kept |= keep;
            }
            at = self.whitespace(at);
            cut_from = at;
            match self.byte(at) {
                b',' => at = self.whitespace(at + 1),
                b'}' => return self.leave(at),
                _ => return malformed(at),
            }
            if !kept {
                // All members so far were cut: their commas go with them.
                self.copied = at;
                cut_from = at;
            }
        }
    }

    /// The value of a member that no rule is about.
    #[inline]
    fn plain_member(&mut self, at: usize, place: &Place<'_>, quote: usize, end: usize) -> At {
        match self.byte(at) {
            b'"' => Ok(self.string(at)? + 1),
            b'{' => {
                let key = self.slice(quote + 1, end);
                self.object(at, &place.member(key), NOWHERE, Mode::Plain)
            }
            b'[' => {
                let key = self.slice(quote + 1, end);
                self.array(at, &place.member(key), NOWHERE, Mode::Plain)
            }
            _ => self.scalar(at),
        }
    }

    /// The value of a member; also says whether it was kept, or cut from `cut_from` on.
    fn member(
        &mut self,
        at: usize,
        object: &mut Object<'_>,
        key: &str,
        cut_from: usize,
    ) -> Result<(usize, bool), BodyError> {
        let next = self.shapes.member(object.node, key);
        let member = object.place.member(key);
        let end = match self.judge(at, &member, next, object.mode, &mut object.siblings) {
            Verdict::Cut => {
                self.flush(cut_from);
                self.copied = self.skip(at)?;
                return Ok((self.copied, false));
            }
            Verdict::Message if self.byte(at) == b'"' => self.message(at, &member)?,
            Verdict::Message => self.value(at, &member, next, Mode::Plain)?,
            Verdict::Walk(mode) => self.value(at, &member, next, mode)?,
        };
        Ok((end, true))
    }

    fn array(&mut self, at: usize, place: &Place<'_>, node: u16, mode: Mode) -> At {
        let mut at = self.enter(at)?;
        if self.byte(at) == b']' {
            return self.leave(at);
        }
        let node = if node == NOWHERE { NOWHERE } else { self.shapes.element(node) };
        let plain = mode == Mode::Plain && node == NOWHERE && self.rules.is_empty();
        let mut position = 0;
        loop {
            let element = place.below(Step::Element(Element::new(position, at)));
            at = if plain {
                self.value(at, &element, NOWHERE, Mode::Plain)?
            } else {
                self.element(at, &element, node, mode)?
            };
            position += 1;
            at = self.whitespace(at);
            match self.byte(at) {
                b',' => at = self.whitespace(at + 1),
                b']' => return self.leave(at),
                _ => return malformed(at),
            }
        }
    }

    fn element(&mut self, at: usize, element: &Place<'_>, node: u16, mode: Mode) -> At {
        let is_first = matches!(&element.step, Step::Element(element) if element.position == 0);
        let mode = match mode {
            Mode::Arguments if is_first && self.byte(at) == b'"' => {
                return self.program(at, element);
            }
            Mode::Arguments | Mode::Leaves => Mode::Leaves,
            _ if self.named_by_user(element) => Mode::Leaves,
            _ => Mode::Plain,
        };
        match self.shapes.meaning(node) {
            Meaning::Item if mode == Mode::Plain => return self.item(at, node),
            Meaning::Owner => self.collector.owner(),
            _ => {}
        }
        self.value(at, element, node, mode)
    }

    /// An item of a list is an object of its own.
    fn item(&mut self, at: usize, node: u16) -> At {
        if self.byte(at) != b'{' {
            return self.value(at, &Place::ROOT, node, Mode::Leaves);
        }
        let secret = self.secret_items || self.kind_at(at).is_some_and(|kind| kind == "Secret");
        let mode = if secret && self.redacts { Mode::SecretObject } else { Mode::Plain };
        let place = Place { up: None, step: Step::Item(at) };
        let end = self.object(at, &place, node, mode)?;
        self.item = None;
        self.collector.facts.items.push(self.slice(at, end));
        Ok(end)
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

    /// Goes over a value that is cut.
    pub(super) fn skip(&mut self, at: usize) -> At {
        match self.byte(at) {
            b'"' => Ok(self.string(at)? + 1),
            b'{' | b'[' => {
                let end = self.cursor.skip_container(at + 1);
                end.ok_or(BodyError::Malformed { at: self.bytes.len() })
            }
            _ => self.scalar(at),
        }
    }

    pub(super) fn scalar(&mut self, at: usize) -> At {
        let rest = self.bytes.get(at..).unwrap_or_default();
        let word = match self.byte(at) {
            b't' => "true",
            b'f' => "false",
            b'n' => "null",
            b'-' | b'0'..=b'9' => {
                return json::number_end(self.bytes, at).map_err(|_| BodyError::Malformed { at });
            }
            _ => return malformed(at),
        };
        if rest.starts_with(word.as_bytes()) { Ok(at + word.len()) } else { malformed(at) }
    }

    /// Takes the string at `at`; gives the position of its closing quote.
    #[inline]
    pub(super) fn string(&mut self, at: usize) -> At {
        if self.byte(at) != b'"' || self.cursor.next_quote() != Some(at) {
            return malformed(at);
        }
        let Some(end) = self.cursor.next_quote() else { return malformed(at) };
        if self.cursor.may_have_escapes(at) {
            self.check_escapes(at, end)?;
        }
        Ok(end)
    }

    #[inline(never)]
    fn check_escapes(&self, at: usize, end: usize) -> Result<(), BodyError> {
        let inner = self.bytes.get(at + 1..end).unwrap_or_default();
        if json::check_escapes(inner) { Ok(()) } else { Err(BodyError::Malformed { at }) }
    }

    /// Takes a key and its colon; gives the key.
    pub(super) fn key(&mut self, at: usize) -> Result<(Cow<'a, str>, usize), BodyError> {
        let end = self.string(at)?;
        let key = json::unescape(self.slice(at + 1, end)).unwrap_or_default();
        Ok((key, self.colon(end + 1)?))
    }

    #[inline]
    fn colon(&mut self, at: usize) -> At {
        let at = self.whitespace(at);
        if self.byte(at) == b':' { Ok(self.whitespace(at + 1)) } else { malformed(at) }
    }

    /// Takes an opening bracket.
    #[inline]
    pub(super) fn enter(&mut self, at: usize) -> At {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(BodyError::TooDeep { at });
        }
        Ok(self.whitespace(at + 1))
    }

    /// Takes a closing bracket.
    #[inline]
    #[expect(clippy::unnecessary_wraps, reason = "ends its callers in one expression")]
    pub(super) fn leave(&mut self, at: usize) -> At {
        self.depth -= 1;
        Ok(at + 1)
    }

    /// Copies what stands before `to` and was not copied.
    pub(super) fn flush(&mut self, to: usize) {
        self.out.push_str(self.text.get(self.copied..to).unwrap_or_default());
        self.copied = to;
    }

    /// What stands before `to` is not to be copied any more.
    pub(super) fn forget(&mut self, to: usize) {
        self.copied = to;
    }

    #[inline]
    pub(super) fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or_default()
    }

    #[inline]
    pub(super) fn whitespace(&self, at: usize) -> usize {
        if self.byte(at) <= b' ' { json::skip_whitespace(self.bytes, at) } else { at }
    }

    #[inline]
    pub(super) fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }
}

pub(super) fn malformed<T>(at: usize) -> Result<T, BodyError> {
    Err(BodyError::Malformed { at })
}
