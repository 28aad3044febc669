//! What followed from an act, as two short columns: objects and pods.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use kausal_object::ObjectKey;

use crate::act::{kind_word, short_name};
use crate::story::{Act, Effect, EffectKind, Rule};

/// Replica sets and the like: made or raised by name, taken away by number.
pub(crate) fn objects(act: &Act, root: &ObjectKey) -> String {
    if act.object.resource == "namespaces" {
        return String::new();
    }
    // Revisions only repeat the template; they are in the JSON form.
    let hidden = |resource: &str| matches!(resource, "pods" | "controllerrevisions");
    let others = || act.effects.iter().filter(|effect| !hidden(&effect.object.resource));
    let names: BTreeSet<String> = others()
        .filter(|effect| is_new(effect))
        .map(|effect| short_name(&effect.object, root))
        .collect();
    let mut gone: BTreeMap<Cow<'_, str>, BTreeSet<&ObjectKey>> = BTreeMap::new();
    for effect in others().filter(|effect| effect.what == EffectKind::Deleted) {
        gone.entry(kind_word(&effect.object)).or_default().insert(&effect.object);
    }
    let made = match names.len() {
        0..=2 => names.into_iter().collect::<Vec<_>>().join(" "),
        more => format!("{more} objects"),
    };
    let gone = gone.iter().map(|(kind, keys)| format!("−{} {kind}", keys.len()));
    let parts: Vec<_> = std::iter::once(made).filter(|part| !part.is_empty()).chain(gone).collect();
    parts.join(" ")
}

/// `+3 pods`, `+5 −5`
pub(crate) fn pods(act: &Act) -> String {
    let count = |what| {
        act.effects
            .iter()
            .filter(|effect| effect.object.resource == "pods" && effect.what == what)
            .map(|effect| &effect.object)
            .collect::<BTreeSet<_>>()
            .len()
    };
    let word = |number| if number == 1 { "pod" } else { "pods" };
    match (count(EffectKind::Created), count(EffectKind::Deleted)) {
        (0, 0) => String::new(),
        (made, 0) => format!("+{made} {}", word(made)),
        (0, gone) => format!("−{gone} {}", word(gone)),
        (made, gone) => format!("+{made} −{gone}"),
    }
}

/// Made for the act, or taken into use again by it.
fn is_new(effect: &Effect) -> bool {
    match effect.what {
        EffectKind::Created => true,
        EffectKind::ScaledUp => effect.rule == Rule::Rollout,
        _ => false,
    }
}
