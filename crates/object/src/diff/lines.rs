//! Changes as text, one a line: `path old -> new`, values as JSON, `(none)` for what is not there.
//!
//! Promise: what is written is read back as it was; reading never panics, whatever the text.
//! Never here: cutting values short. What is for the eye only is [`Change`]'s `Display`.

use serde_json::Value;

use super::Change;
use crate::path;

/// Stands for a value that is not there.
pub(super) const NONE: &str = "(none)";
/// Between the old value and the new one.
const ARROW: &str = " -> ";

/// A line is not `path old -> new`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the diff is not `path old -> new`")]
pub struct LineError {
    /// Number of the line, from 1.
    pub line: usize,
}

/// The changes, each on a line of its own, without a newline at the end.
pub fn to_lines(changes: &[Change]) -> String {
    let mut out = String::new();
    for change in changes {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&change.path);
        out.push(' ');
        out.push_str(&text(change.old.as_ref()));
        out.push_str(ARROW);
        out.push_str(&text(change.new.as_ref()));
    }
    out
}

/// Reads what [`to_lines`] wrote.
pub fn from_lines(text: &str) -> Result<Vec<Change>, LineError> {
    let lines = text.lines().enumerate();
    lines.map(|(at, line)| read(line).ok_or(LineError { line: at + 1 })).collect()
}

fn text(value: Option<&Value>) -> String {
    value.map_or_else(|| NONE.to_owned(), Value::to_string)
}

fn read(line: &str) -> Option<Change> {
    let (path, rest) = line.split_at_checked(path::end(line)?)?;
    let (old, rest) = value(rest.strip_prefix(' ')?)?;
    let (new, rest) = value(rest.strip_prefix(ARROW)?)?;
    rest.is_empty().then(|| Change { path: path.to_owned(), old, new })
}

/// A value at the beginning of a text, and what follows it.
fn value(text: &str) -> Option<(Option<Value>, &str)> {
    if let Some(rest) = text.strip_prefix(NONE) {
        return Some((None, rest));
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let value = values.next()?.ok()?;
    Some((Some(value), text.get(values.byte_offset()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let check = |line: &str| {
            let changes = from_lines(line).expect("a diff");
            assert_eq!(to_lines(&changes), line);
        };
        check("");
        check("spec.replicas 3 -> 5");
        check("spec.a (none) -> \"x -> y\"\nspec.b {\"c\":[1,null]} -> (none)");
        check(r#"metadata.annotations["a b/c"] "1" -> "2""#);
        check(r#"verbs[="[x] y"] "[x] y" -> (none)"#);
        check("rules[0].hosts[a b] (none) -> \"a b\"");
        check(" 1 -> \"1\"");
    }

    #[test]
    fn refuses_what_is_no_diff() {
        let check = |text: &str, line| assert_eq!(from_lines(text), Err(LineError { line }));
        check("spec.replicas", 1);
        check("spec.replicas 3 5", 1);
        check("a 1 -> 2\n\na 2 -> 3", 2);
        check("a 1 -> 2 3", 1);
        check("a[\"x 1 -> 2", 1);
        check("a[x 1 -> 2", 1);
        check("a {\"b\" -> 2", 1);
    }
}
