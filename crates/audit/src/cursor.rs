//! Reads JSON text from front to back: members, elements, strings, and values left as they are.
//!
//! Promise: never recurses, never allocates but for a string with escapes, and says where and why
//! it stopped. The end of the text is told apart from a fault in it.
//! Never here: what a member means.

use std::borrow::Cow;

use kausal_object::json::unescape;
use wide::u8x16;

use crate::{Limits, item::Reason, scan::Structure};

/// Why reading stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The text ended.
    Cut,
    /// The text breaks JSON's rules.
    Syntax { at: usize, expected: &'static str },
    /// A member is of the wrong type.
    Shape { member: &'static str, expected: &'static str },
    /// A string is over its limit.
    TooLong { member: &'static str, bytes: usize },
    /// A list is over its limit.
    TooMany { member: &'static str },
    /// A list broke; all of it has been answered for already.
    Answered,
}

/// A place in a JSON text.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    limits: Limits,
}

/// A value passed over.
pub(crate) struct Skipped<'a> {
    /// Its text.
    pub(crate) text: &'a str,
    /// How deep its brackets nest, to within a block.
    pub(crate) depth: usize,
}

impl Fault {
    /// As said of an item that starts at `start`; `end` is where the text ended.
    pub(crate) fn reason(&self, start: usize, end: usize, limits: &Limits) -> Reason {
        match *self {
            Self::Cut | Self::Answered => {
                Reason::NotJson { at: end.saturating_sub(start), expected: "end of the value" }
            }
            Self::Syntax { at, expected } => {
                Reason::NotJson { at: at.saturating_sub(start), expected }
            }
            Self::Shape { member, expected } => Reason::Malformed { member, expected },
            Self::TooLong { member, bytes } => {
                Reason::TooLong { member, bytes, max: limits.text_bytes_max }
            }
            Self::TooMany { member } => Reason::TooMany { member, max: limits.entries_max },
        }
    }
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(text: &'a str, at: usize, limits: &Limits) -> Self {
        Self { text, at, limits: *limits }
    }

    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    pub(crate) const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Goes to another place.
    pub(crate) const fn move_to(&mut self, at: usize) {
        self.at = at;
    }

    /// The next byte that is no white space, without taking it.
    #[inline]
    pub(crate) fn peek(&mut self) -> Result<u8, Fault> {
        loop {
            match self.text.as_bytes().get(self.at) {
                None => return Err(Fault::Cut),
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(byte) => return Ok(*byte),
            }
        }
    }

    /// Takes `byte`, which must come next; `expected` names it in the fault.
    #[inline]
    pub(crate) fn take(&mut self, byte: u8, expected: &'static str) -> Result<(), Fault> {
        if self.peek()? != byte {
            return Err(self.syntax(expected));
        }
        self.at += 1;
        Ok(())
    }

    pub(crate) const fn syntax(&self, expected: &'static str) -> Fault {
        Fault::Syntax { at: self.at, expected }
    }

    /// Every member of the object that comes next; `each` must take the value.
    #[inline]
    pub(crate) fn members(
        &mut self,
        mut each: impl FnMut(&Cow<'a, str>, &mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.take(b'{', "object")?;
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            let key = self.string("a member's name")?;
            self.take(b':', "colon")?;
            each(&key, self)?;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.syntax("comma or closing brace")),
            }
        }
    }

    /// Every element of the array that comes next; `each` must take it.
    #[inline]
    pub(crate) fn elements(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.take(b'[', "array")?;
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(());
        }
        loop {
            each(self)?;
            match self.peek()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.syntax("comma or closing bracket")),
            }
        }
    }

    /// The string that comes next, unescaped.
    #[inline]
    pub(crate) fn string(&mut self, member: &'static str) -> Result<Cow<'a, str>, Fault> {
        self.take(b'"', "string")?;
        let start = self.at;
        let (raw, escaped) = self.string_rest()?;
        if raw.len() > self.limits.text_bytes_max {
            return Err(Fault::TooLong { member, bytes: raw.len() });
        }
        if !escaped {
            return Ok(Cow::Borrowed(raw));
        }
        unescape(raw).ok_or(Fault::Syntax { at: start, expected: "known escape" })
    }

    /// The string, number or truth value that comes next, as text; empty for `null`.
    #[inline]
    pub(crate) fn text(&mut self, member: &'static str) -> Result<Cow<'a, str>, Fault> {
        match self.peek()? {
            b'"' => self.string(member),
            b'{' | b'[' => Err(Fault::Shape { member, expected: "a string" }),
            _ => match self.scalar()? {
                "null" => Ok(Cow::Borrowed("")),
                text => Ok(Cow::Borrowed(text)),
            },
        }
    }

    /// Passes over the value that comes next; stays before it if it has no end.
    #[inline]
    pub(crate) fn skip(&mut self) -> Result<Skipped<'a>, Fault> {
        match self.peek()? {
            b'{' | b'[' => self.skip_nested(),
            b'"' => self.skip_string(),
            _ => Ok(Skipped { text: self.scalar()?, depth: 0 }),
        }
    }

    fn skip_string(&mut self) -> Result<Skipped<'a>, Fault> {
        let start = self.at;
        self.at += 1;
        if let Err(fault) = self.string_rest() {
            self.at = start;
            return Err(fault);
        }
        Ok(Skipped { text: self.since(start)?, depth: 0 })
    }

    fn skip_nested(&mut self) -> Result<Skipped<'a>, Fault> {
        let start = self.at;
        let mut structure = Structure::default();
        let rest = self.text.as_bytes().get(start..).unwrap_or_default();
        self.at += structure.feed(rest, 0).ok_or(Fault::Cut)?;
        Ok(Skipped { text: self.since(start)?, depth: structure.deepest() })
    }

    /// A number or word; one that touches the end of the text may go on behind it.
    fn scalar(&mut self) -> Result<&'a str, Fault> {
        let start = self.at;
        let rest = self.text.as_bytes().get(start..).unwrap_or_default();
        let length = rest
            .iter()
            .position(|byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'-' | b'+' | b'.' | b'E'))
            .ok_or(Fault::Cut)?;
        let text = self.text.get(start..start + length).ok_or(Fault::Cut)?;
        let begins_number = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        if !begins_number && !matches!(text, "true" | "false" | "null") {
            return Err(self.syntax("value"));
        }
        self.at += length;
        Ok(text)
    }

    /// From after the opening quote to after the closing one: what is between, and whether it has
    /// escapes.
    #[inline]
    fn string_rest(&mut self) -> Result<(&'a str, bool), Fault> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut escaped = false;
        let mut at = start;
        loop {
            at = special(bytes, at);
            match bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    at += 2;
                }
                Some(_) => return Err(Fault::Syntax { at, expected: "printable character" }),
                None => return Err(Fault::Cut),
            }
        }
        self.at = at + 1;
        self.text.get(start..at).map(|raw| (raw, escaped)).ok_or(Fault::Cut)
    }

    fn since(&self, start: usize) -> Result<&'a str, Fault> {
        self.text.get(start..self.at).ok_or(Fault::Cut)
    }
}

/// First quote, backslash or control character at or after `at`, or the end; 16 bytes a step.
#[inline]
fn special(bytes: &[u8], mut at: usize) -> usize {
    while let Some(lane) = bytes.get(at..).and_then(<[u8]>::first_chunk::<16>) {
        let lane = u8x16::new(*lane);
        let hits = lane.simd_eq(u8x16::splat(b'"'))
            | lane.simd_eq(u8x16::splat(b'\\'))
            | lane.simd_lt(u8x16::splat(b' '));
        let hits = hits.to_bitmask();
        if hits != 0 {
            return at + hits.trailing_zeros() as usize;
        }
        at += 16;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|b| matches!(b, b'"' | b'\\' | 0..0x20)).unwrap_or(rest.len())
}
