//! Error messages of the apiserver quote what they refuse.
//!
//! Promise: the value that follows `Invalid value:`, `Unsupported value:` or `Duplicate value:`
//! leaves as a fingerprint if it is quoted, an object or a list; numbers and words stay, because
//! they say what was wrong (`Invalid value: -3`). Where a quote never closes, the rest goes.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use memchr::{memchr2, memchr3_iter};

use crate::redact::Value;
use crate::redact::rules::{DUMPS, VALUE_LABEL_END, VALUE_LABELS};
use crate::{BodyContext, KeyRef, json};

/// Appends `text` (unescaped, as people read it) with the refused values in it redacted.
pub fn redact_message(text: &str, cx: &BodyContext<'_>, out: &mut String) {
    match redacted(text, &cx.key, cx) {
        Some(text) => out.push_str(&text),
        None => out.push_str(text),
    }
}

/// The redacted text, if there is anything to redact. `of` is the object the text is about.
pub(crate) fn redacted(text: &str, of: &KeyRef<'_>, cx: &BodyContext<'_>) -> Option<String> {
    if cx.redaction.is_disabled() {
        return None;
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, value)) = next_value(rest) {
        let Some((head, tail)) = rest.split_at_checked(before + value) else { break };
        out.push_str(head.get(..before).unwrap_or_default());
        let raw = head.get(before..).unwrap_or_default();
        let quoted = raw.starts_with(QUOTES);
        let path = format!("message:{}", field_before(rest.get(..before).unwrap_or_default()));
        out.push_str(if quoted { "\"" } else { "" });
        cx.redaction.fingerprint(of, &path, Value::Text(&plain(raw)), &mut out);
        out.push_str(if quoted { "\"" } else { "" });
        rest = tail;
    }
    if out.is_empty() {
        return None;
    }
    out.push_str(rest);
    Some(out)
}

const QUOTES: [char; 3] = ['"', '\'', '`'];

/// A quick look at the raw text of a JSON string: whether it is worth unescaping. Labels and dumps
/// could also be written with escapes.
pub(crate) fn may_quote(raw: &str) -> bool {
    static LABEL: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(VALUE_LABEL_END));
    static ESCAPE: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("\\u"));
    let bytes = raw.as_bytes();
    LABEL.find(bytes).is_some()
        || memchr2(b'{', b'|', bytes).is_some()
        || ESCAPE.find(bytes).is_some()
}

/// Where the next refused value begins, and its length.
fn next_value(text: &str) -> Option<(usize, usize)> {
    memchr3_iter(b':', b'{', b'|', text.as_bytes()).find_map(|at| {
        let (before, rest) = text.split_at_checked(at + 1)?;
        if VALUE_LABELS.iter().any(|label| before.ends_with(label)) {
            let start = text.len() - rest.trim_start().len();
            return Some((start, value_length(text.get(start..)?)?));
        }
        DUMPS.iter().any(|dump| before.ends_with(dump)).then(|| to_the_end(text, at))
    })
}

fn to_the_end(text: &str, dump: usize) -> (usize, usize) {
    let before = text.get(..dump).unwrap_or_default();
    let start = before.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    (start, text.len() - start)
}

/// Length of a quoted value, or of a JSON object or list; `None` for what may stay.
fn value_length(text: &str) -> Option<usize> {
    let first = text.chars().next()?;
    match first {
        '"' | '\'' | '`' => Some(quoted_length(text, first)),
        // A message that was itself quoted once more.
        '\\' => Some(escaped_quoted_length(text)),
        '{' | '[' => Some(json::skip_value(text, 0).unwrap_or(text.len())),
        _ if looks_structured(text) => Some(text.len()),
        _ => None,
    }
}

/// Go's way to print a struct, `v1.Container{…}` or `&v1.Pod{…}` or `map[…]`: it has no end that
/// could be found for sure.
fn looks_structured(text: &str) -> bool {
    let head = text.split([':', ' ', ',']).next().unwrap_or_default();
    head.contains(['{', '[', '&'])
}

fn quoted_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, char) in text.char_indices().skip(1) {
        match char {
            _ if escaped => escaped = false,
            '\\' if quote != '`' => escaped = true,
            _ if char == quote => return at + char.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// `\"…\"`, inside which a quote has three backslashes or more.
fn escaped_quoted_length(text: &str) -> usize {
    let depth = text.bytes().take_while(|byte| *byte == b'\\').count();
    if text.as_bytes().get(depth) != Some(&b'"') {
        return text.len();
    }
    let mut run = 0;
    for (at, byte) in text.bytes().enumerate().skip(depth + 1) {
        match byte {
            b'\\' => run += 1,
            b'"' if run <= depth => return at + 1,
            _ => run = 0,
        }
    }
    text.len()
}

/// The field a value was refused for, as it stands before the label.
fn field_before(text: &str) -> &str {
    let without = VALUE_LABELS.iter().find_map(|label| text.trim_end().strip_suffix(label));
    let field = without.unwrap_or_default().trim_end().trim_end_matches(':');
    field.rsplit([' ', ',']).next().unwrap_or_default().trim_start_matches('[')
}

/// The value without its quotes, where it is plainly quoted.
fn plain(raw: &str) -> Cow<'_, str> {
    json::string(raw).unwrap_or(Cow::Borrowed(raw))
}
