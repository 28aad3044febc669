//! States put together again: from a snapshot and the changes after it.
//!
//! Promise: a state is given only where every step to it is known whole and fits the state before;
//! else there is none. What requests recorded themselves serves as a beginning too.

use std::borrow::Cow;
use std::collections::HashMap;

use kausal_object::diff;
use kausal_trace::Operation;
use serde_json::Value;

use crate::fact::AuditFact;
use crate::watched::ChangeFact;

/// Of each change, in their order: the object after it; of a removal, as it was last. Changes come
/// merged, so that what leads to a version stands before what leads away from it.
pub(super) fn replay<'a>(
    audits: &[AuditFact<'a>],
    changes: &[ChangeFact<'a>],
) -> Vec<Option<Cow<'a, str>>> {
    let mut known = Known::recorded(audits);
    changes.iter().map(|change| known.after(change)).collect()
}

/// The states known so far.
struct Known<'a> {
    /// By uid and resourceVersion.
    bodies: HashMap<(&'a str, &'a str), Cow<'a, str>>,
    /// The last state that was put together, as a tree: mostly the next builds on it.
    last: Option<((&'a str, &'a str), Value)>,
}

impl<'a> Known<'a> {
    fn recorded(audits: &[AuditFact<'a>]) -> Self {
        let mut bodies = HashMap::new();
        for fact in audits.iter().filter(|fact| fact.tells_whole_state()) {
            if let Cow::Borrowed(body) = fact.response {
                bodies.entry((fact.uid, fact.resource_version)).or_insert(Cow::Borrowed(body));
            }
        }
        Self { bodies, last: None }
    }

    fn after(&mut self, change: &ChangeFact<'a>) -> Option<Cow<'a, str>> {
        let at = (change.uid, change.new);
        if !change.snapshot.is_empty() {
            let body = Cow::Borrowed(change.snapshot);
            self.bodies.entry(at).or_insert_with(|| body.clone());
            return Some(body);
        }
        if let Some(body) = self.bodies.get(&at) {
            return Some(body.clone());
        }
        if change.is(Operation::Delete) {
            return None;
        }
        let next = self.next(change)?;
        let body: Cow<'a, str> = Cow::Owned(next.to_string());
        self.bodies.insert(at, body.clone());
        self.last = Some((at, next));
        Some(body)
    }

    fn next(&mut self, change: &ChangeFact<'a>) -> Option<Value> {
        let changes = change.changes()?;
        let before = (change.uid, change.old);
        let base = match self.last.take() {
            Some((at, tree)) if at == before => tree,
            _ => serde_json::from_str(self.bodies.get(&before)?).ok()?,
        };
        let mut next = diff::apply(base, &changes).ok()?;
        *next.get_mut("metadata")?.get_mut("resourceVersion")? = Value::from(change.new);
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SNAPSHOT: &str = r#"{"metadata":{"resourceVersion":"9"},"spec":{"replicas":1}}"#;

    fn change(old: &'static str, new: &'static str, diff: &'static str) -> ChangeFact<'static> {
        let operation = Some(Operation::Update);
        ChangeFact { operation, uid: "u1", old, new, diff, ..ChangeFact::default() }
    }

    fn check(changes: &[ChangeFact<'static>], expect: &[Option<i64>]) {
        let first = ChangeFact { snapshot: SNAPSHOT, ..change("", "9", "") };
        let all: Vec<_> = [first].into_iter().chain(changes.iter().cloned()).collect();
        let replicas = |body: Option<Cow<'_, str>>| {
            let body: Value = serde_json::from_str(&body?).expect("JSON");
            body["spec"]["replicas"].as_i64()
        };
        let got: Vec<_> = replay(&[], &all).into_iter().skip(1).map(replicas).collect();
        assert_eq!(got, expect);
    }

    #[test]
    fn a_state_is_given_where_every_step_is_known() {
        let one = change("9", "10", "spec.replicas 1 -> 2");
        let two = change("10", "11", "spec.replicas 2 -> 3");
        check(&[one.clone(), two.clone()], &[Some(2), Some(3)]);
        check(&[two], &[None]);
        check(&[change("9", "10", "spec.replicas 4 -> 5")], &[None]);
        check(&[ChangeFact { diff_cut: "cut", ..one.clone() }], &[None]);
        check(&[change("9", "10", "no diff")], &[None]);
        // A leader that missed 10.
        check(&[one, change("9", "11", "spec.replicas 1 -> 3")], &[Some(2), Some(3)]);
    }
}
