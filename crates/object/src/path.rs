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
