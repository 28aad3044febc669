//! Pod templates, compared as controllers do: without the hash they add.

use std::collections::HashMap;
use std::rc::Rc;

use kausal_trace::UnixNanos;
use serde_json::Value;

use super::search::{known_at, set_by};
use crate::state::{Life, State};

/// Compares pod templates; each text is normalised once.
#[derive(Debug, Default)]
pub(super) struct Templates {
    known: HashMap<Box<str>, Rc<str>>,
}

impl Templates {
    /// Whether two templates ask for the same pods. A missing one equals nothing.
    pub(super) fn equal(&mut self, a: Option<&str>, b: Option<&str>) -> bool {
        match a.zip(b) {
            Some((a, b)) => a == b || self.normal(a) == self.normal(b),
            None => false,
        }
    }

    /// Whether two states of one object have the same template; two without one do.
    pub(super) fn same_template(&mut self, a: &State<'_>, b: &State<'_>) -> bool {
        let (a, b) = (a.head.template(&a.text), b.head.template(&b.text));
        a.is_none() && b.is_none() || self.equal(a, b)
    }

    /// The fact of `owner` that set the template of `made` last before `time`.
    pub(super) fn setter(
        &mut self,
        owner: &Life<'_>,
        time: UnixNanos,
        made: &State<'_>,
    ) -> Option<usize> {
        let wanted = made.head.template(&made.text);
        let last = known_at(owner, time)
            .rev()
            .find(|state| self.equal(state.head.template(&state.text), wanted))?
            .since;
        set_by(owner, last, |a, b| self.same_template(a, b))
    }

    fn normal(&mut self, text: &str) -> Rc<str> {
        if let Some(known) = self.known.get(text) {
            return Rc::clone(known);
        }
        let normal: Rc<str> = match serde_json::from_str::<Value>(text) {
            Ok(mut template) => {
                drop_hash(&mut template);
                template.to_string().into()
            }
            Err(_) => text.into(),
        };
        self.known.insert(text.into(), Rc::clone(&normal));
        normal
    }
}

/// Takes away the label a Deployment's controller adds, and members that are null.
fn drop_hash(template: &mut Value) {
    let Some(meta) = template.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    meta.retain(|_, member| !member.is_null());
    if let Some(labels) = meta.get_mut("labels").and_then(Value::as_object_mut) {
        labels.remove("pod-template-hash");
        if labels.is_empty() {
            meta.remove("labels");
        }
    }
    if meta.is_empty()
        && let Some(template) = template.as_object_mut()
    {
        template.remove("metadata");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_does_not_count() {
        let mut templates = Templates::default();
        let bare = r#"{"metadata":{"labels":{"app":"web"}},"spec":{"a":1}}"#;
        let hashed = r#"{"metadata":{"creationTimestamp":null,"labels":{"app":"web","pod-template-hash":"x"}},"spec":{"a":1}}"#;
        let other = r#"{"metadata":{"labels":{"app":"web"}},"spec":{"a":2}}"#;
        assert!(templates.equal(Some(bare), Some(hashed)));
        assert!(!templates.equal(Some(bare), Some(other)));
        assert!(!templates.equal(None, None));
    }
}
