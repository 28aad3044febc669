//! How a place inside an object is written: `spec.containers[web].image`,
//! `metadata.annotations["a/b"]`, `spec.rules[0]`.
//!
//! Promise: no two places are written alike, and what is written can be read back.

use std::fmt::Write as _;

use crate::json;

/// Appends a member's key.
pub(crate) fn push_key(path: &mut String, key: &str) {
    if is_plain(key) {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(key);
    } else {
        path.push('[');
        json::escape_into(key, path);
        path.push(']');
    }
}

/// Appends an element known by its merge key, or by its value in a set.
pub(crate) fn push_label(path: &mut String, label: &str) {
    let odd = |byte: u8| byte < 0x20 || matches!(byte, b'[' | b']' | b'"' | b'=');
    let position = label.bytes().all(|byte| byte.is_ascii_digit());
    if position || label.bytes().any(odd) {
        // `=` keeps it apart from a key and from a position.
        path.push_str("[=");
        json::escape_into(label, path);
        path.push(']');
    } else {
        let _infallible = write!(path, "[{label}]");
    }
}

/// Appends an element known by its position.
pub(crate) fn push_position(path: &mut String, position: usize) {
    let _infallible = write!(path, "[{position}]");
}

fn is_plain(key: &str) -> bool {
    !key.is_empty()
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'$'))
}

/// One step of a written path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A member of an object.
    Key(String),
    /// An element of a list, by its merge key or its value.
    Label(String),
    /// An element of a list, by its place.
    Position(usize),
    /// The order of a list's elements (`[]`).
    Order,
}

/// The steps of a path; `None` for what is not written as one.
pub(crate) fn steps(path: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let (step, after) = step(rest)?;
        steps.push(step);
        rest = after.strip_prefix('.').unwrap_or(after);
    }
    Some(steps)
}

/// Where the path at the beginning of a text ends: at the first space outside of brackets.
pub(crate) fn end(text: &str) -> Option<usize> {
    let mut rest = text;
    loop {
        if rest.is_empty() || rest.starts_with(' ') {
            return Some(text.len() - rest.len());
        }
        let (_, after) = step(rest)?;
        rest = after.strip_prefix('.').unwrap_or(after);
    }
}

fn step(text: &str) -> Option<(Step, &str)> {
    let Some(inside) = text.strip_prefix('[') else {
        let end = text.find(['.', '[', ' ']).unwrap_or(text.len());
        let (key, rest) = text.split_at_checked(end).filter(|_| end > 0)?;
        return Some((Step::Key(key.to_owned()), rest));
    };
    if let Some(label) = inside.strip_prefix('=') {
        let (label, rest) = quoted(label)?;
        return Some((Step::Label(label), rest));
    }
    if inside.starts_with('"') {
        let (key, rest) = quoted(inside)?;
        return Some((Step::Key(key), rest));
    }
    let (label, rest) = inside.split_once(']')?;
    let step = match label.parse() {
        _ if label.is_empty() => Step::Order,
        Ok(position) if label.bytes().all(|byte| byte.is_ascii_digit()) => Step::Position(position),
        _ => Step::Label(label.to_owned()),
    };
    Some((step, rest))
}

/// A JSON string and the bracket that closes it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut texts = serde_json::Deserializer::from_str(text).into_iter::<String>();
    let word = texts.next()?.ok()?;
    let rest = text.get(texts.byte_offset()..)?.strip_prefix(']')?;
    Some((word, rest))
}
