//! What an act was about, in a few words.
//!
//! Promise: words and values come from the facts; nothing is said that the act's changes, outcome
//! and bodies do not hold.

use kausal_object::ObjectKey;
use kausal_object::json::string;
use serde_json::Value;

use crate::act::{is_creation, short_name};
use crate::body;
use crate::changes::Change;
use crate::fact::AuditFact;
use crate::story::{Act, Base, Certainty, EffectKind, Outcome, Place, RefusalCause};
use crate::world::Record;

/// Longest value shown within a line.
const VALUE_CHARS_MAX: usize = 40;
/// Changes named before the rest is counted.
const CHANGES_NAMED: usize = 2;

/// The verb as people say it.
pub(crate) fn title(fact: &AuditFact<'_>) -> String {
    match (fact.verb, fact.subresource) {
        (verb, "") => verb.to_owned(),
        ("update" | "patch", "scale") => "scale".to_owned(),
        ("create", "eviction") => "evict".to_owned(),
        ("create", "binding") => "bind".to_owned(),
        (_, sub @ ("exec" | "attach" | "portforward" | "proxy" | "log")) => sub.to_owned(),
        (verb, sub) => format!("{verb} {sub}"),
    }
}

/// What it was about.
pub(crate) fn summary(act: &Act, record: &Record<'_>, index: usize) -> String {
    let Some(fact) = record.facts.get(index) else { return String::new() };
    let words = match &act.outcome {
        Outcome::Refused { code, reason, message, causes } => {
            refusal(*code, reason, message, causes, fact)
        }
        Outcome::DryRun => join(&[dry_run(act, record, index), "nothing stored".to_owned()]),
        Outcome::NoChange => "no change".to_owned(),
        Outcome::Unknown => "no answer recorded".to_owned(),
        Outcome::Done => done(act, record, fact, index),
    };
    let words = join(&[words, doubt(act).to_owned()]);
    match act.place {
        Place::On => words,
        Place::Around => around(record, &words),
    }
}

/// What is not sure about who did it.
fn doubt(act: &Act) -> &'static str {
    match act.change.as_ref().map(|change| (change.joined_by, change.certainty)) {
        Some((None, _)) => "no audit",
        Some((Some(_), Certainty::Inferred)) => "joined by time",
        _ => "",
    }
}

/// `ns/shop, takes web with it`
pub(crate) fn namespace_deletion(act: &Act, root: &ObjectKey) -> String {
    let takes = act
        .effects
        .iter()
        .any(|effect| effect.object == *root && effect.what == EffectKind::Deleted);
    let namespace = short_name(&act.object, root);
    if takes { format!("{namespace}, takes {} with it", root.name) } else { namespace }
}

fn around(record: &Record<'_>, words: &str) -> String {
    let object = &record.called;
    if words.is_empty() { object.clone() } else { [object, ": ", words].concat() }
}

fn dry_run(act: &Act, record: &Record<'_>, index: usize) -> String {
    match record.facts.get(index) {
        Some(fact) if is_creation(record, fact, index) => created(&fact.response),
        _ => changes(act),
    }
}

fn done(act: &Act, record: &Record<'_>, fact: &AuditFact<'_>, index: usize) -> String {
    if fact.is_deletion() {
        return deletion(record, fact, index);
    }
    if is_creation(record, fact, index) {
        let what = created(if fact.response.is_empty() { fact.request } else { &fact.response });
        let verb = if fact.verb == "create" { "" } else { "created" };
        return join(&[verb.to_owned(), what]);
    }
    if act.removes {
        return join(&[changes(act), "which let it go".to_owned()]);
    }
    match fact.subresource {
        "exec" | "attach" | "portforward" | "proxy" | "log" | "eviction" | "binding" => {
            String::new()
        }
        _ => changes(act),
    }
}

fn deletion(record: &Record<'_>, fact: &AuditFact<'_>, index: usize) -> String {
    let held = record.lives.state(index).filter(|state| state.head.deleting);
    let names = held.map_or_else(Vec::new, |state| finalizers(&state.text));
    if names.is_empty() || record.key.resource == "namespaces" || fact.verb != "delete" {
        return String::new();
    }
    format!("asked for, held by {}", names.join(", "))
}

fn finalizers(text: &str) -> Vec<String> {
    body::find(text, &["metadata", "finalizers"]).into_iter().flat_map(body::strings).collect()
}

/// `3 replicas, web:1.0`
fn created(text: &str) -> String {
    let [metadata, spec] = body::pick(text, ["metadata", "spec"]);
    let [replicas, template, job, containers] =
        body::pick(spec.unwrap_or_default(), ["replicas", "template", "jobTemplate", "containers"]);
    let mut parts = Vec::new();
    if let Some(replicas) = replicas.and_then(|text| text.parse::<i64>().ok()) {
        parts.push(format!("{replicas} replica{}", if replicas == 1 { "" } else { "s" }));
    }
    // Where the containers of a workload are, of a cron job, and of a pod.
    let image = template
        .and_then(|template| body::find(template, &["spec", "containers"]))
        .or_else(|| body::find(job?, &["spec", "template", "spec", "containers"]))
        .or(containers)
        .and_then(body::first)
        .and_then(|container| body::find(container, &["image"]))
        .and_then(string);
    if let Some(image) = image {
        parts.push(cut(image.rsplit('/').next().unwrap_or(&image)));
    }
    let [held] = body::pick(metadata.unwrap_or_default(), ["finalizers"]);
    let held: Vec<_> = held.into_iter().flat_map(body::strings).collect();
    if !held.is_empty() {
        parts.push(format!("finalizer {}", held.join(", ")));
    }
    join(&parts)
}

fn refusal(
    code: i64,
    reason: &str,
    message: &str,
    causes: &[RefusalCause],
    fact: &AuditFact<'_>,
) -> String {
    let why = match (code, causes.first()) {
        (403, _) => "forbidden".to_owned(),
        (401, _) => "not authenticated".to_owned(),
        (409, _) if reason == "AlreadyExists" => "already exists".to_owned(),
        (409, _) if reason == "Conflict" && !fact.precondition.is_empty() => {
            format!("conflict, made from resourceVersion {}", fact.precondition)
        }
        (_, Some(cause)) => {
            let more = if causes.len() > 1 {
                format!(", +{} more", causes.len() - 1)
            } else {
                String::new()
            };
            format!("{}{more}", refusal_cause(cause))
        }
        _ if !reason.is_empty() => words(reason),
        _ => clip(message, 2 * VALUE_CHARS_MAX),
    };
    if why.is_empty() { code.to_string() } else { format!("{code} {why}") }
}

/// `replicas -3: must be ≥ 0`
fn refusal_cause(cause: &RefusalCause) -> String {
    let field = cause.field.rsplit('.').next().unwrap_or_default();
    let text = cause.message.strip_prefix("Invalid value: ").unwrap_or(&cause.message);
    let text = text
        .replace("must be greater than or equal to", "must be ≥")
        .replace("must be less than or equal to", "must be ≤")
        .replace("must be greater than", "must be >")
        .replace("must be less than", "must be <");
    let text = clip(&text, 2 * VALUE_CHARS_MAX);
    if field.is_empty() { text } else { format!("{field} {text}") }
}

/// `AlreadyExists` → `already exists`
fn words(reason: &str) -> String {
    let mut words = String::new();
    for c in reason.chars() {
        if c.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(c.to_lowercase());
    }
    words
}

fn changes(act: &Act) -> String {
    let mut parts: Vec<String> = Vec::new();
    for change in &act.changes {
        let words = change_words(change);
        if !parts.contains(&words) {
            parts.push(words);
        }
    }
    let more = parts.len().saturating_sub(CHANGES_NAMED);
    parts.truncate(CHANGES_NAMED);
    if more > 0 {
        parts.push(format!("+{more} more"));
    }
    if act.base == Base::ChangesInBetweenUnseen {
        parts.push("changes in between unseen".to_owned());
    }
    join(&parts)
}

fn change_words(change: &Change) -> String {
    let path = change.path.as_str();
    if path.ends_with("annotations[\"kubectl.kubernetes.io/restartedAt\"]") {
        return "restart".to_owned();
    }
    if path == "spec.replicas" {
        return format!("replicas {}", from_to(change));
    }
    if let Some(container) = path.strip_suffix("].image").and_then(|at| at.rsplit('[').next()) {
        return format!("{container} image {}", images(change));
    }
    for (prefix, word) in [("metadata.annotations", "annotation"), ("metadata.labels", "label")] {
        if let Some(name) = path.strip_prefix(prefix).filter(|name| !name.is_empty()) {
            let name = name.trim_start_matches(['.', '[']).trim_end_matches(']').trim_matches('"');
            return format!("{word} {name} {}", from_to(change));
        }
    }
    if path == "metadata.finalizers" && change.new.is_none() {
        let old = change.old.as_ref().map(show).unwrap_or_default();
        return format!("finalizer {} removed", old.trim_matches(['[', ']']).replace('"', ""));
    }
    format!("{path} {}", from_to(change))
}

/// `3 → 5`, `→ carol` for what was not there, `x removed`, `? → 5` for what is not known.
fn from_to(change: &Change) -> String {
    let new = change.new.as_ref().map(show);
    match (&change.old, new) {
        _ if change.old_unknown => format!("? → {}", new_or_none(change)),
        (Some(old), Some(new)) => format!("{} → {new}", show(old)),
        (Some(_), None) => "removed".to_owned(),
        (None, Some(new)) => format!("→ {new}"),
        (None, None) => String::new(),
    }
}

fn new_or_none(change: &Change) -> String {
    change.new.as_ref().map_or_else(|| "none".to_owned(), show)
}

/// Images of one repository show their tags only.
fn images(change: &Change) -> String {
    let text = |value: &Option<Value>| value.as_ref().and_then(Value::as_str).map(str::to_owned);
    let (Some(old), Some(new)) = (text(&change.old), text(&change.new)) else {
        return from_to(change);
    };
    let split = |image: &str| image.rsplit_once(':').map(|(a, b)| (a.to_owned(), b.to_owned()));
    match (split(&old), split(&new)) {
        (Some((repo, old)), Some((other, new))) if repo == other => {
            format!("{} → {}", cut(&old), cut(&new))
        }
        _ => format!("{} → {}", cut(&old), cut(&new)),
    }
}

fn show(value: &Value) -> String {
    match value {
        Value::String(text) => cut(text),
        other => cut(&other.to_string()),
    }
}

fn cut(text: &str) -> String {
    clip(text, VALUE_CHARS_MAX)
}

/// Cuts a text to one line of so many characters.
pub(crate) fn clip(text: &str, chars_max: usize) -> String {
    // Also what turns the direction of a line around.
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let line = text.replace(|c: char| c.is_control() || turns(c), " ");
    match line.char_indices().nth(chars_max) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or_default()),
        None => line,
    }
}

fn join(parts: &[String]) -> String {
    let parts: Vec<_> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    parts.join(", ")
}
