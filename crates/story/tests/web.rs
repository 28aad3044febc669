//! How stories and views of the capture read. Accepted by eye against the capture; `oracle.rs`
//! holds the facts.

mod common;

use std::collections::HashMap;
use std::fmt::Write;

use common::{Capture, Reach, key, web};
use kausal_object::ObjectKey;
use kausal_story::text::{self, TextStyle};
use kausal_story::{Mode, TellPolicy, tell, view};
use kausal_trace::{AttrValue, TraceId, ViewSpan};

fn shown(root: &ObjectKey, style: &TextStyle) -> String {
    let gathered = Capture::read(0).gather(root, Reach::OwnedObjects);
    text::render(&tell(&gathered, &TellPolicy::default()), style)
}

#[test]
fn web_reads() {
    insta::assert_snapshot!(shown(&web(), &TextStyle::default()));
}

#[test]
fn web_reads_in_a_narrow_colour_terminal() {
    let style = TextStyle { colour: true, width: 88, all: false };
    let text = shown(&web(), &style);
    for line in text.lines() {
        let bare: String = line
            .split('\u{1b}')
            .map(|part| match part.split_once('m') {
                Some((code, rest)) if code.starts_with('[') => rest,
                _ => part,
            })
            .collect();
        assert!(bare.chars().count() <= style.width, "{bare}");
    }
    insta::assert_snapshot!(text.replace('\u{1b}', "^"));
}

#[test]
fn a_held_deletion_reads() {
    let backup = key("ops.example", "backups", "shop", "nightly");
    insta::assert_snapshot!(shown(&backup, &TextStyle::default()));
}

#[test]
fn an_orphaning_deletion_reads() {
    let set = key("apps", "statefulsets", "shop", "db");
    insta::assert_snapshot!(shown(&set, &TextStyle::default()));
}

#[test]
fn a_config_map_reads() {
    let config = key("", "configmaps", "shop", "web-config");
    insta::assert_snapshot!(shown(&config, &TextStyle::default()));
}

#[test]
fn a_metadata_only_secret_reads() {
    insta::assert_snapshot!(shown(&key("", "secrets", "shop", "db"), &TextStyle::default()));
}

#[test]
fn web_as_json() {
    let gathered = Capture::read(0).gather(&web(), Reach::OwnedObjects);
    let mut story = tell(&gathered, &TellPolicy::default());
    for life in &mut story.lives {
        life.acts.retain(|act| act.folded.is_none());
        for act in &mut life.acts {
            act.effects.truncate(3);
        }
    }
    insta::assert_json_snapshot!(story);
}

#[test]
fn web_for_jaeger() {
    let gathered = Capture::read(0).gather(&web(), Reach::OwnedObjects);
    let id = TraceId([0xff; 16]);
    let mode: Mode = "tracing [owned objects]".parse().expect("a mode");
    insta::assert_snapshot!(outline(&view::render(&gathered, mode, id, &TellPolicy::default())));
}

/// The deletion that a finalizer held, as programs read it.
#[test]
fn a_held_deletion_as_otlp() {
    let root = key("ops.example", "backups", "shop", "nightly");
    let gathered = Capture::read(0).gather(&root, Reach::Object);
    let mode: Mode = "tracing".parse().expect("a mode");
    let spans = view::render(&gathered, mode, TraceId([0xff; 16]), &TellPolicy::default());
    insta::assert_json_snapshot!(kausal_trace::view::to_otlp_json(&spans));
}

/// One line a span, under its parent; below it what people and CI did.
fn outline(spans: &[ViewSpan]) -> String {
    let mut depth: HashMap<_, usize> = HashMap::new();
    let mut out = String::new();
    for span in spans {
        let level = span.parent.and_then(|parent| depth.get(&parent)).map_or(0, |level| level + 1);
        depth.insert(span.span, level);
        let indent = "  ".repeat(level);
        let (from, to) = (span.start, span.end);
        let events = span.events.len();
        writeln!(out, "{indent}{} · {} · {from} – {to} · {events}", span.service, span.name)
            .expect("a String");
        for (name, value) in &span.attributes {
            if name.starts_with('@') {
                writeln!(out, "{indent}  ! {value:?}").expect("a String");
            }
        }
        let routine = |name: &str| matches!(name, "routine" | "event.type");
        for event in &span.events {
            if event.attributes.iter().any(|(name, _)| routine(name)) {
                continue;
            }
            let summary = event.attributes.iter().find(|(name, _)| name == "summary");
            let what = match summary {
                Some((_, AttrValue::Str(text))) => text,
                _ => &event.name,
            };
            writeln!(out, "{indent}  {} {what}", event.time).expect("a String");
            for (name, value) in &event.attributes {
                if let (
                    AttrValue::Str(text),
                    "diff" | "effects" | "error" | "error.causes" | "authorization.reason",
                ) = (value, name.as_str())
                {
                    writeln!(out, "{indent}    {name}: {text}").expect("a String");
                }
            }
        }
    }
    out
}
