//! JSON strings and numbers, as text.

use std::borrow::Cow;

use super::JsonError;

/// The text of a raw JSON string, quotes included; `None` if `raw` is not a string or holds an
/// escape that JSON does not know.
pub fn string(raw: &str) -> Option<Cow<'_, str>> {
    unescape(raw.strip_prefix('"')?.strip_suffix('"')?)
}

/// The text between two quotes with its escapes undone; borrowed if there are none.
pub fn unescape(inner: &str) -> Option<Cow<'_, str>> {
    let Some(first) = memchr::memchr(b'\\', inner.as_bytes()) else {
        return Some(Cow::Borrowed(inner));
    };
    let (mut text, mut rest) = (inner.get(..first)?.to_owned(), inner.get(first..)?);
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        text.push_str(rest.get(..at)?);
        let (char, used) = escape(rest.as_bytes().get(at..)?)?;
        text.push(char);
        rest = rest.get(at + used..)?;
    }
    text.push_str(rest);
    Some(Cow::Owned(text))
}

/// Whether every escape between two quotes is one that JSON knows.
pub(crate) fn check_escapes(inner: &[u8]) -> bool {
    let mut rest = inner;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let Some((_, used)) = rest.get(at..).and_then(escape) else { return false };
        rest = rest.get(at + used..).unwrap_or_default();
    }
    true
}

/// Appends `text` as a JSON string, quotes included.
pub fn escape_into(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| byte < 0x20 || matches!(byte, b'"' | b'\\')) {
        let (plain, tail) = rest.split_at(at);
        out.push_str(plain);
        let mut chars = tail.chars();
        if let Some(char) = chars.next() {
            push_escaped(char, out);
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

fn push_escaped(char: char, out: &mut String) {
    match char {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        other => {
            out.push_str("\\u00");
            for shift in [4, 0] {
                out.extend(char::from_digit(u32::from(other) >> shift & 0xf, 16));
            }
        }
    }
}

/// The character that an escape at the start of `bytes` stands for, and its length.
fn escape(bytes: &[u8]) -> Option<(char, usize)> {
    let simple = match bytes.get(1)? {
        b'u' => return unicode_escape(bytes),
        b'n' => '\n',
        b't' => '\t',
        b'r' => '\r',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        byte @ (b'"' | b'\\' | b'/') => char::from(*byte),
        _ => return None,
    };
    Some((simple, 2))
}

/// `\uXXXX`, or the two of a surrogate pair; a lone surrogate is no character.
fn unicode_escape(bytes: &[u8]) -> Option<(char, usize)> {
    let unit = hex4(bytes)?;
    if let Some(char) = char::from_u32(unit) {
        return Some((char, 6));
    }
    let low = hex4(bytes.get(6..)?)?;
    if !(0xd800..0xdc00).contains(&unit) || !(0xdc00..0xe000).contains(&low) {
        return None;
    }
    let char = char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00))?;
    Some((char, 12))
}

fn hex4(bytes: &[u8]) -> Option<u32> {
    let [b'\\', b'u', digits @ ..] = bytes.get(..6)? else { return None };
    digits.iter().try_fold(0, |sum, byte| Some(sum << 4 | char::from(*byte).to_digit(16)?))
}

/// Where the number ends that begins at `at`, by the grammar of JSON.
pub(crate) fn number_end(bytes: &[u8], at: usize) -> Result<usize, JsonError> {
    let byte = |at: usize| bytes.get(at).copied().unwrap_or_default();
    let digits = |mut at: usize| {
        while byte(at).is_ascii_digit() {
            at += 1;
        }
        at
    };
    let some_digits = |at: usize| match digits(at) {
        end if end == at => Err(JsonError::Malformed { at }),
        end => Ok(end),
    };
    let start = at + usize::from(byte(at) == b'-');
    let mut end = if byte(start) == b'0' { start + 1 } else { some_digits(start)? };
    if byte(end) == b'.' {
        end = some_digits(end + 1)?;
    }
    if matches!(byte(end), b'e' | b'E') {
        end = some_digits(end + 1 + usize::from(matches!(byte(end + 1), b'+' | b'-')))?;
    }
    Ok(end)
}
