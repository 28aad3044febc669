//! Request URIs carry what was typed into a container.
//!
//! Promise: of the arguments of `exec` and `attach`, also of those sent to a kubelet through its
//! node's proxy, only the program's name stays; of any URI the values of parameters with a secret's
//! name go. Everything else is copied byte for byte.

use std::borrow::Cow;

use crate::BodyContext;
use crate::redact::{Value, rules::is_secret_name};

/// Steps of a path that run a command: subresources of pods, and the kubelet's own paths, which
/// have namespace, pod and container behind them (`nodes/a/proxy/run/shop/web/app`).
const COMMAND_PATHS: [&str; 3] = ["exec", "attach", "run"];
/// Parameters that hold a command: the apiserver's, and that of the kubelet's `run`.
const COMMAND_PARAMETERS: [&str; 2] = ["command", "cmd"];

/// Appends a request URI with its secrets redacted.
pub fn redact_uri(uri: &str, cx: &BodyContext<'_>, out: &mut String) {
    let query = uri.split_once('?').filter(|_| !cx.redaction.is_disabled());
    let Some((path, query)) = query else { return out.push_str(uri) };
    let runs_commands = matches!(cx.subresource, "exec" | "attach")
        || path.split('/').any(|step| COMMAND_PATHS.contains(&step));
    out.push_str(path);
    let mut separator = '?';
    let mut arguments = 0;
    for pair in query.split('&') {
        out.push(separator);
        separator = '&';
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = percent_decoded(name);
        if runs_commands && COMMAND_PARAMETERS.contains(&&*decoded) {
            out.push_str(name);
            out.push('=');
            push_argument(value, arguments, cx, out);
            arguments += 1;
        } else if !value.is_empty() && is_secret_name(&decoded) {
            out.push_str(name);
            out.push('=');
            let path = format!("uri:{decoded}");
            cx.redaction.fingerprint(&cx.key, &path, Value::Text(&percent_decoded(value)), out);
        } else {
            out.push_str(pair);
        }
    }
}

/// One `command=` argument. The first is the program; what follows a space in it is not.
fn push_argument(value: &str, index: usize, cx: &BodyContext<'_>, out: &mut String) {
    let decoded = percent_decoded(value);
    let program = if index == 0 { program_length(value) } else { 0 };
    if index == 0 && program == value.len() {
        return out.push_str(value);
    }
    if program > 0 {
        out.push_str(value.get(..program).unwrap_or_default());
        out.push('+');
    }
    let path = format!("command[{index}]");
    cx.redaction.fingerprint(&cx.key, &path, Value::Text(&decoded), out);
}

/// Length of the program's name in the encoded first argument: up to the first white space.
fn program_length(value: &str) -> usize {
    let bytes = value.as_bytes();
    let ends = |at: &usize| match bytes.get(*at) {
        Some(b'+') => true,
        Some(b'%') => hex_pair(bytes, *at + 1).is_none_or(|byte| byte.is_ascii_whitespace()),
        _ => false,
    };
    (0..bytes.len()).find(ends).unwrap_or(bytes.len())
}

/// A query component, decoded; bytes that are no text become the replacement character.
fn percent_decoded(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escaped = if *byte == b'%' { hex_pair(bytes, at + 1) } else { None };
        at += if escaped.is_some() { 3 } else { 1 };
        decoded.push(escaped.unwrap_or(if *byte == b'+' { b' ' } else { *byte }));
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

fn hex_pair(bytes: &[u8], at: usize) -> Option<u8> {
    let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
    u8::try_from(digit(at)? << 4 | digit(at + 1)?).ok()
}
