//! Writes JSON in many ways: the same value, other escapes and other white space.

use std::fmt::Write as _;

use serde_json::Value;

/// A small generator of choices, so that a failing case can be told by one number.
pub struct Choices(pub u64);

impl Choices {
    pub fn next(&mut self, below: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// The value as JSON text, written as `choices` have it.
pub fn write(value: &Value, choices: &mut Choices, out: &mut String) {
    space(choices, out);
    match value {
        Value::Object(members) => {
            out.push('{');
            let mut members: Vec<_> = members.iter().collect();
            if choices.next(2) == 0 {
                members.reverse();
            }
            for (index, (key, value)) in members.into_iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                space(choices, out);
                string(key, choices, out);
                space(choices, out);
                out.push(':');
                write(value, choices, out);
            }
            out.push('}');
        }
        Value::Array(elements) => {
            out.push('[');
            for (index, value) in elements.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                write(value, choices, out);
            }
            out.push(']');
        }
        Value::String(text) => string(text, choices, out),
        other => out.push_str(&other.to_string()),
    }
    space(choices, out);
}

fn space(choices: &mut Choices, out: &mut String) {
    if choices.next(16) == 0 {
        out.push([' ', '\n', '\t', '\r'][choices.next(4) as usize]);
    }
}

fn string(text: &str, choices: &mut Choices, out: &mut String) {
    let escapes = choices.next(4) == 0;
    out.push('"');
    for char in text.chars() {
        if escapes && choices.next(3) == 0 {
            for unit in char.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}").unwrap();
            }
        } else {
            let quoted = Value::from(char.to_string()).to_string();
            out.push_str(&quoted[1..quoted.len() - 1]);
        }
    }
    out.push('"');
}
