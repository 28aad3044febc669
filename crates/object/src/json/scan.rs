//! One level of JSON text: the members of an object, the elements of an array.

use std::borrow::Cow;

use super::{Cursor, JsonError, unescape};

/// One member of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// The key between its quotes, escapes as written. Compare with [`Member::is`].
    pub raw_key: &'a str,
    /// The value as written.
    pub value: &'a str,
    /// Where the value begins in the text given.
    pub at: usize,
}

impl<'a> Member<'a> {
    /// The key; as written if its escapes are broken.
    pub fn key(&self) -> Cow<'a, str> {
        unescape(self.raw_key).unwrap_or(Cow::Borrowed(self.raw_key))
    }

    /// Whether the key is `name`, however it is written.
    pub fn is(&self, name: &str) -> bool {
        // An escape is longer than what it stands for.
        let escaped = self.raw_key.len() > name.len() && self.raw_key.contains('\\');
        self.raw_key == name || (escaped && self.key() == name)
    }
}

/// Iterates over the members of an object; see [`members`].
pub struct Members<'a> {
    level: Level<'a>,
}

/// Iterates over the elements of an array; see [`elements`].
pub struct Elements<'a> {
    level: Level<'a>,
}

/// The members of the object that `text` begins with. Ends after the closing brace, or with one
/// error: of a text that was cut, all whole members come first.
pub fn members(text: &str) -> Members<'_> {
    Members { level: Level::new(text, b'{', b'}') }
}

/// The elements of the array that `text` begins with, as [`members`] does.
pub fn elements(text: &str) -> Elements<'_> {
    Elements { level: Level::new(text, b'[', b']') }
}

/// Where the value ends that begins at `at` (white space before it is skipped). Balanced brackets
/// and closed strings are all that is asked of it.
pub fn skip_value(text: &str, at: usize) -> Result<usize, JsonError> {
    let at = skip_whitespace(text.as_bytes(), at);
    Level::at(text, at).value()
}

/// Position of the first byte from `at` on that is not white space.
#[inline]
pub fn skip_whitespace(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\t' | b'\r') = bytes.get(at) {
        at += 1;
    }
    at
}

impl Members<'_> {
    /// Where the scan stands: behind the object once it has ended.
    pub fn position(&self) -> usize {
        self.level.at
    }
}

impl Elements<'_> {
    /// Where the scan stands: behind the array once it has ended.
    pub fn position(&self) -> usize {
        self.level.at
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Result<Member<'a>, JsonError>;

    fn next(&mut self) -> Option<Self::Item> {
        let level = &mut self.level;
        level.next_with(|level| {
            let start = level.at + 1;
            let end = level.string()? - 1;
            level.take(b':')?;
            let at = level.at;
            let end_of_value = level.value()?;
            Ok(Member {
                raw_key: level.slice(start, end),
                value: level.slice(at, end_of_value),
                at,
            })
        })
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<&'a str, JsonError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.level.next_with(|level| {
            let at = level.at;
            let end = level.value()?;
            Ok(level.slice(at, end))
        })
    }
}

/// What comes next on this level.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    First,
    Rest,
    Done,
}

struct Level<'a> {
    text: &'a str,
    cursor: Cursor<'a>,
    at: usize,
    stage: Stage,
    brackets: (u8, u8),
}

impl<'a> Level<'a> {
    fn new(text: &'a str, open: u8, close: u8) -> Self {
        Self { brackets: (open, close), stage: Stage::Open, ..Self::at(text, 0) }
    }

    fn at(text: &'a str, at: usize) -> Self {
        let cursor = Cursor::new(text.as_bytes(), at.min(text.len()));
        Self { text, cursor, at, stage: Stage::Done, brackets: (0, 0) }
    }

    /// Steps to the next item and reads it with `read`; the first error ends the iteration.
    fn next_with<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, JsonError>,
    ) -> Option<Result<T, JsonError>> {
        if self.stage == Stage::Done {
            return None;
        }
        let item = self.step().and_then(|more| if more { read(self).map(Some) } else { Ok(None) });
        if !matches!(item, Ok(Some(_))) {
            self.stage = Stage::Done;
        }
        item.transpose()
    }

    /// Moves to the start of the next item; `false` at the closing bracket.
    fn step(&mut self) -> Result<bool, JsonError> {
        if self.stage == Stage::Open {
            self.at = skip_whitespace(self.text.as_bytes(), self.at);
            self.take(self.brackets.0)?;
            self.stage = Stage::First;
        } else {
            self.at = skip_whitespace(self.text.as_bytes(), self.at);
            self.stage = Stage::Rest;
        }
        if self.byte()? == self.brackets.1 {
            self.at += 1;
            return Ok(false);
        }
        if self.stage == Stage::Rest {
            self.take(b',')?;
        }
        Ok(true)
    }

    /// Takes one byte and the white space around it.
    fn take(&mut self, byte: u8) -> Result<(), JsonError> {
        self.at = skip_whitespace(self.text.as_bytes(), self.at);
        if self.byte()? != byte {
            return Err(JsonError::Malformed { at: self.at });
        }
        self.at = skip_whitespace(self.text.as_bytes(), self.at + 1);
        Ok(())
    }

    fn byte(&self) -> Result<u8, JsonError> {
        self.text.as_bytes().get(self.at).copied().ok_or(JsonError::Cut { at: self.at })
    }

    /// Goes behind the value at the current position; gives its end.
    fn value(&mut self) -> Result<usize, JsonError> {
        match self.byte()? {
            b'"' => self.string(),
            b'{' | b'[' => {
                let end = self.cursor.skip_container(self.at + 1);
                self.at = end.ok_or(JsonError::Cut { at: self.at })?;
                Ok(self.at)
            }
            _ => self.scalar(),
        }
    }

    fn string(&mut self) -> Result<usize, JsonError> {
        if self.byte()? != b'"' || self.cursor.next_quote() != Some(self.at) {
            return Err(JsonError::Malformed { at: self.at });
        }
        let end = self.cursor.next_quote().ok_or(JsonError::Cut { at: self.at })?;
        self.at = end + 1;
        Ok(self.at)
    }

    /// A number or a word. One that runs up to the end of an open container may have been cut.
    fn scalar(&mut self) -> Result<usize, JsonError> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let plain =
            |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'E' | b'+' | b'-' | b'.');
        let length = rest.iter().position(|byte| !plain(byte)).unwrap_or(rest.len());
        if length == 0 {
            return Err(JsonError::Malformed { at: self.at });
        }
        if length == rest.len() && self.stage != Stage::Done {
            return Err(JsonError::Cut { at: self.at });
        }
        self.at += length;
        Ok(self.at)
    }

    fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }
}
