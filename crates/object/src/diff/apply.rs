//! Applies a diff: from a state to the next.
//!
//! Promise: a diff that was not taken from this very state is refused, never applied in part;
//! nothing panics, whatever the changes say. Elements new to a list whose order means nothing
//! stand at its end.

use serde_json::Value;

use super::Change;
use super::list::label_of;
use crate::path::{Step, steps};

/// The diff was taken from another state than the one it was to be applied to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the state is not the one the diff was taken from: it differs at {path}")]
pub struct NotTheBase {
    /// Where the state is not as the diff says.
    pub path: String,
}

/// The state after `changes`, given the state before.
pub fn apply(state: Value, changes: &[Change]) -> Result<Value, NotTheBase> {
    let mut next = state;
    let is_order = |change: &&Change| change.path.ends_with("[]");
    // From the back, so that positions in front stay what they were; the order of a list last,
    // when all of its elements are there.
    let values = changes.iter().rev().filter(|change| !is_order(change));
    for change in values.chain(changes.iter().filter(is_order)) {
        let wrong = || NotTheBase { path: change.path.clone() };
        let steps = steps(&change.path).ok_or_else(wrong)?;
        step(&mut next, "", &steps, change).ok_or_else(wrong)?;
    }
    Ok(next)
}

/// Goes one step down from `at`, which stands in a field of this name; `None` if what is found is
/// not what the change says was there.
fn step(at: &mut Value, field: &str, steps: &[Step], change: &Change) -> Option<()> {
    let Some((first, rest)) = steps.split_first() else { return replace(at, change) };
    match (first, at) {
        (Step::Key(key), Value::Object(object)) => match (object.get_mut(key), rest) {
            (Some(_), []) if change.new.is_none() => {
                (object.remove(key) == change.old).then_some(())
            }
            (Some(inner), rest) => step(inner, key, rest, change),
            (None, []) => added(change).map(|new| drop(object.insert(key.clone(), new))),
            (None, _) => None,
        },
        (Step::Label(label), Value::Array(list)) => {
            let known =
                list.iter().position(|element| label_of(field, element) == Some(label.into()));
            element(list, known, field, rest, change)
        }
        (Step::Position(position), Value::Array(list)) => {
            let known = Some(*position).filter(|position| *position < list.len());
            element(list, known, field, rest, change)
        }
        (Step::Order, Value::Array(list)) => reorder(list, field, change),
        _ => None,
    }
}

fn element(
    list: &mut Vec<Value>,
    known: Option<usize>,
    field: &str,
    rest: &[Step],
    change: &Change,
) -> Option<()> {
    match (known, rest) {
        (Some(at), []) if change.new.is_none() => {
            (Some(list.remove(at)) == change.old).then_some(())
        }
        (Some(at), rest) => step(list.get_mut(at)?, inner_field(rest, field), rest, change),
        (None, []) => added(change).map(|new| list.push(new)),
        (None, _) => None,
    }
}

/// Lists within lists are compared as lists of the field they stand in.
fn inner_field<'f>(rest: &[Step], field: &'f str) -> &'f str {
    if matches!(rest.first(), Some(Step::Position(_))) { field } else { "" }
}

fn replace(at: &mut Value, change: &Change) -> Option<()> {
    if change.old.as_ref() != Some(at) {
        return None;
    }
    *at = change.new.clone()?;
    Some(())
}

fn added(change: &Change) -> Option<Value> {
    change.new.clone().filter(|_| change.old.is_none())
}

fn reorder(list: &mut [Value], field: &str, change: &Change) -> Option<()> {
    let order = change.new.as_ref()?.as_array()?;
    let place = |element: &Value| {
        let label = label_of(field, element);
        order.iter().position(|name| name.as_str() == label.as_deref())
    };
    list.sort_by_cached_key(place);
    Some(())
}
