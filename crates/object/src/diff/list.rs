//! Lists: which element of the new list is which of the old one.

use std::collections::HashMap;

use serde_json::Value;

use super::Changes;
use crate::lists::{self, ListRule, SETS};
use crate::path;

impl Changes {
    pub(super) fn between_lists(&mut self, field: &str, old: &[Value], new: &[Value]) {
        if let Some(rule) = lists::rule(field)
            && let (Some(old), Some(new)) = (Keyed::by(rule, old), Keyed::by(rule, new))
        {
            return self.between_keyed(rule, &old, &new);
        }
        if SETS.contains(&field)
            && let (Some(old), Some(new)) = (Keyed::by_value(old), Keyed::by_value(new))
        {
            return self.between_sets(&old, &new);
        }
        let scalars = old.iter().chain(new).all(|value| !value.is_object() && !value.is_array());
        if scalars && old.len() != new.len() {
            // Arguments of a program: positions say nothing once one is put in between.
            let (old, new) = (Value::from(old), Value::from(new));
            return self.push(Some(&old), Some(&new));
        }
        self.by_position(field, old, new);
    }

    fn between_keyed(&mut self, rule: &ListRule, old: &Keyed<'_>, new: &Keyed<'_>) {
        for (label, _) in old.elements.iter().chain(new.without(old)) {
            self.at(
                |path| path::push_label(path, label),
                |changes| {
                    changes.maybe_between("", old.get(label), new.get(label));
                },
            );
        }
        if rule.ordered && old.common_order(new) != new.common_order(old) {
            self.at(
                |path| path.push_str("[]"),
                |changes| {
                    changes.push(Some(&old.order()), Some(&new.order()));
                },
            );
        }
    }

    fn between_sets(&mut self, old: &Keyed<'_>, new: &Keyed<'_>) {
        for (label, value) in old.without(new) {
            self.at(
                |path| path::push_label(path, label),
                |changes| changes.push(Some(value), None),
            );
        }
        for (label, value) in new.without(old) {
            self.at(
                |path| path::push_label(path, label),
                |changes| changes.push(None, Some(value)),
            );
        }
    }

    fn by_position(&mut self, field: &str, old: &[Value], new: &[Value]) {
        for position in 0..old.len().max(new.len()) {
            self.at(
                |path| path::push_position(path, position),
                |changes| {
                    changes.maybe_between(field, old.get(position), new.get(position));
                },
            );
        }
    }
}

/// Elements by name, in order. Lists with two elements of one name, or one without, are not keyed.
struct Keyed<'v> {
    elements: Vec<(String, &'v Value)>,
    index: HashMap<String, usize>,
}

impl<'v> Keyed<'v> {
    fn by(rule: &ListRule, list: &'v [Value]) -> Option<Self> {
        Self::with(list, |element| rule.label(|path| scalar_at(element, path)))
    }

    fn by_value(list: &'v [Value]) -> Option<Self> {
        Self::with(list, |element| element.as_str().map(str::to_owned))
    }

    fn with(list: &'v [Value], label: impl Fn(&Value) -> Option<String>) -> Option<Self> {
        let elements = list.iter().map(|value| Some((label(value)?, value)));
        let elements: Vec<_> = elements.collect::<Option<_>>()?;
        let labels = elements.iter().enumerate().map(|(at, (label, _))| (label.clone(), at));
        let index: HashMap<_, _> = labels.collect();
        (index.len() == elements.len()).then_some(Self { elements, index })
    }

    fn get(&self, label: &str) -> Option<&'v Value> {
        self.elements.get(*self.index.get(label)?).map(|(_, value)| *value)
    }

    /// The elements that the other list has not.
    fn without<'s>(&'s self, other: &'s Self) -> impl Iterator<Item = &'s (String, &'v Value)> {
        self.elements.iter().filter(|(label, _)| !other.index.contains_key(label))
    }

    /// The names both lists have, in this one's order.
    fn common_order<'s>(&'s self, other: &Self) -> Vec<&'s str> {
        let labels = self.elements.iter().map(|(label, _)| label.as_str());
        labels.filter(|label| other.index.contains_key(*label)).collect()
    }

    fn order(&self) -> Value {
        self.elements.iter().map(|(label, _)| label.as_str()).collect()
    }
}

/// What an element of the list in a field of this name is called in paths.
pub(super) fn label_of(field: &str, element: &Value) -> Option<String> {
    match lists::rule(field) {
        Some(rule) => rule.label(|path| scalar_at(element, path)),
        None => element.as_str().map(str::to_owned),
    }
}

/// Text of the scalar at a dotted path of an object.
fn scalar_at(object: &Value, path: &str) -> Option<String> {
    match path.split('.').try_fold(object, |value, name| value.get(name))? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
