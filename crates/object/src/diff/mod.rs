//! What changed between two states of an object, as `path old -> new`.
//!
//! Promise: elements of lists are compared with their likes, by the merge keys of the Kubernetes
//! API, not by position; applying the changes to the old state gives the new one, up to the order
//! of lists whose order means nothing. Nothing is left out: [`is_noise`] tells what a reader may
//! want to fold.
//! Never here: text of the two states, redaction, which states to compare.

mod apply;
mod lines;
mod list;
mod noise;

use std::fmt;

use serde_json::Value;

use crate::path;
pub use apply::{NotTheBase, apply};
pub use lines::{LineError, from_lines, to_lines};
pub use noise::is_noise;

/// Below this depth values are compared as a whole.
pub const DEPTH_MAX: usize = 64;

/// A value with more changes in it than this is shown as one change.
pub const CHANGES_MAX: usize = 500;

/// Longest value that [`Change`] displays, in characters.
pub const SHOWN_CHARS_MAX: usize = 300;

/// One value that is not what it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Where: `spec.template.spec.containers[web].image`, `metadata.annotations["a/b"]`. An
    /// element of a list is named by its merge key, by its value in a set, else by its position.
    /// `[]` at the end means the order of the list's elements.
    pub path: String,
    /// What was there; `None` if nothing.
    pub old: Option<Value>,
    /// What is there; `None` if nothing.
    pub new: Option<Value>,
}

impl Change {
    /// Whether it stands outside of every list: its path names members of objects only.
    pub fn is_outside_lists(&self) -> bool {
        let steps = path::steps(&self.path).unwrap_or_default();
        !steps.is_empty() && steps.iter().all(|step| matches!(step, path::Step::Key(_)))
    }
}

/// The changes that lead from `old` to `new`, members in the order of their names.
pub fn diff(old: &Value, new: &Value) -> Vec<Change> {
    let mut changes = Changes { found: Vec::new(), path: String::new(), depth: 0 };
    changes.between("", old, new);
    changes.found
}

/// `path old -> new`; a value that is not there reads `(none)`, one that is too long is cut.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.path)?;
        show(self.old.as_ref(), f)?;
        f.write_str(" -> ")?;
        show(self.new.as_ref(), f)
    }
}

fn show(value: Option<&Value>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Some(value) = value else { return f.write_str(lines::NONE) };
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => write!(f, "{}…", text.get(..end).unwrap_or_default()),
        None => f.write_str(&text),
    }
}

/// The changes found so far, and where the comparison stands.
struct Changes {
    found: Vec<Change>,
    path: String,
    depth: usize,
}

impl Changes {
    /// Compares two values that stand in a field of this name.
    fn between(&mut self, field: &str, old: &Value, new: &Value) {
        if old == new {
            return;
        }
        let before = self.found.len();
        self.depth += 1;
        match (old, new) {
            _ if self.depth > DEPTH_MAX => self.push(Some(old), Some(new)),
            (Value::Object(old), Value::Object(new)) => self.between_objects(old, new),
            (Value::Array(old), Value::Array(new)) => self.between_lists(field, old, new),
            _ => self.push(Some(old), Some(new)),
        }
        self.depth -= 1;
        if self.found.len() - before > CHANGES_MAX {
            self.found.truncate(before);
            self.push(Some(old), Some(new));
        }
    }

    fn between_objects(
        &mut self,
        old: &serde_json::Map<String, Value>,
        new: &serde_json::Map<String, Value>,
    ) {
        let added = new.keys().filter(|key| !old.contains_key(*key));
        let mut keys: Vec<&String> = old.keys().chain(added).collect();
        keys.sort();
        for key in keys {
            self.at(
                |path| path::push_key(path, key),
                |changes| {
                    changes.maybe_between(key, old.get(key), new.get(key));
                },
            );
        }
    }

    fn maybe_between(&mut self, field: &str, old: Option<&Value>, new: Option<&Value>) {
        match (old, new) {
            (Some(old), Some(new)) => self.between(field, old, new),
            (old, new) => self.push(old, new),
        }
    }

    /// Looks at a place below the current one.
    fn at(&mut self, step: impl FnOnce(&mut String), look: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        step(&mut self.path);
        look(self);
        self.path.truncate(length);
    }

    fn push(&mut self, old: Option<&Value>, new: Option<&Value>) {
        self.found.push(Change { path: self.path.clone(), old: old.cloned(), new: new.cloned() });
    }
}
