//! A view on a terminal: its spans as an indented tree, their events under them.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;

use kausal_storage_plugin::ViewDocument;
use kausal_trace::UnixNanos;
use serde_json::Value;

/// Prints the view.
pub(crate) fn render(view: &ViewDocument) -> anyhow::Result<String> {
    let mut out = format!("trace {}\n", view.trace_id);
    let spans = spans(&view.otlp);
    let known: HashSet<&str> = spans.iter().map(|span| text(span.value, "spanId")).collect();
    let mut children: BTreeMap<&str, Vec<&Span<'_>>> = BTreeMap::new();
    for span in &spans {
        let parent = text(span.value, "parentSpanId");
        children.entry(if known.contains(parent) { parent } else { "" }).or_default().push(span);
    }
    for list in children.values_mut() {
        list.sort_by_key(|span| {
            (nanos(span.value, "startTimeUnixNano"), text(span.value, "spanId"))
        });
    }
    let mut open: Vec<(usize, &Span<'_>)> = Vec::new();
    push(&mut open, 0, children.remove("").unwrap_or_default());
    while let Some((depth, span)) = open.pop() {
        write_span(&mut out, depth, span)?;
        push(&mut open, depth + 1, children.remove(text(span.value, "spanId")).unwrap_or_default());
    }
    Ok(out)
}

struct Span<'v> {
    service: &'v str,
    value: &'v Value,
}

fn push<'s, 'v>(open: &mut Vec<(usize, &'s Span<'v>)>, depth: usize, spans: Vec<&'s Span<'v>>) {
    open.extend(spans.into_iter().rev().map(|span| (depth, span)));
}

fn spans(otlp: &Value) -> Vec<Span<'_>> {
    array(otlp, "resourceSpans")
        .flat_map(|resource| {
            let service = resource.get("resource").map_or("", |it| attribute(it, "service.name"));
            let scopes = array(resource, "scopeSpans");
            scopes.flat_map(|scope| array(scope, "spans")).map(move |value| Span { service, value })
        })
        .collect()
}

fn write_span(out: &mut String, depth: usize, span: &Span<'_>) -> std::fmt::Result {
    let indent = "  ".repeat(depth);
    let start = UnixNanos(nanos(span.value, "startTimeUnixNano"));
    let failed = span.value.pointer("/status/code").and_then(Value::as_u64) == Some(2);
    let mark = if failed { "✗ " } else { "" };
    writeln!(out, "{indent}{start}  {mark}{}  {}", span.service, headline(span))?;
    let mut events: Vec<&Value> = array(span.value, "events").collect();
    events.sort_by_key(|event| nanos(event, "timeUnixNano"));
    for event in events {
        let time = UnixNanos(nanos(event, "timeUnixNano"));
        let summary = attribute(event, "summary");
        let what = if summary.is_empty() { text(event, "name") } else { summary };
        writeln!(out, "{indent}  · {time}  {what}")?;
        for key in ["diff", "error", "message"] {
            for line in attribute(event, key).lines() {
                writeln!(out, "{indent}      {line}")?;
            }
        }
    }
    Ok(())
}

/// What a span is about: its operation, or the summary of an act; in one list of all objects, with
/// the object it was on.
fn headline(span: &Span<'_>) -> String {
    let summary = attribute(span.value, "summary");
    if summary.is_empty() {
        return text(span.value, "name").to_owned();
    }
    if span.service != attribute(span.value, "resource") {
        return summary.to_owned();
    }
    let object = [attribute(span.value, "namespace"), attribute(span.value, "name")];
    format!("{}: {summary}", object.join(" ").trim())
}

fn array<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn nanos(value: &Value, name: &str) -> u64 {
    text(value, name).parse().unwrap_or(0)
}

fn attribute<'v>(holder: &'v Value, key: &str) -> &'v str {
    let found = array(holder, "attributes").find(|pair| text(pair, "key") == key);
    found.and_then(|pair| pair.pointer("/value/stringValue")).and_then(Value::as_str).unwrap_or("")
}
