//! The terminal form of a story: one line an act, columns aligned.
//!
//! Promise: everything shown is in the [`Story`]; times are UTC and cut to milliseconds, not
//! rounded; without colour the text holds no control characters.

mod clock;
pub(crate) mod effects;
mod row;

use std::fmt::Write;

use crate::act::kind_word;
use crate::actor::Names;
use crate::describe::clip;
use crate::story::{Act, Life, Outcome, Place, Story};
use clock::Clock;
use row::{Columns, Row, Tone, paint};

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextStyle {
    /// Use ANSI colours.
    pub colour: bool,
    /// Longest line, in characters.
    pub width: usize,
    /// Print folded requests too.
    pub all: bool,
}

impl Default for TextStyle {
    fn default() -> Self {
        Self { colour: false, width: 120, all: false }
    }
}

/// Prints a story, ending with a newline.
pub fn render(story: &Story, style: &TextStyle) -> String {
    let shown = |act: &&Act| style.all || act.folded.is_none();
    let names = Names::of(story.acts().filter(shown).map(|act| &act.actor));
    let clock = Clock::of(story.first, story.last);
    let rows: Vec<(&Life, Vec<Row>)> = story
        .lives
        .iter()
        .map(|life| {
            let acts = life.acts.iter().filter(shown);
            (life, acts.map(|act| Row::of(act, &story.object, &names, &clock)).collect())
        })
        .collect();
    let columns = Columns::fit(rows.iter().flat_map(|(_, rows)| rows), style.width);
    let mut out = String::new();
    head(&mut out, story, style, &clock, &columns);
    for (life, rows) in &rows {
        life_head(&mut out, life, style);
        for row in rows {
            out.push_str(&columns.print(row, style));
        }
    }
    tail(&mut out, story, style);
    out
}

fn head(out: &mut String, story: &Story, style: &TextStyle, clock: &Clock, columns: &Columns) {
    let key = &story.object;
    let mut title = format!("{}/{}", kind_word(key), key.name);
    for part in [&key.namespace, &key.cluster].into_iter().filter(|part| !part.is_empty()) {
        title.push_str(" · ");
        title.push_str(part);
    }
    let lives = story.lives.len();
    let mut when = match story.first.zip(story.last) {
        Some((first, last)) => clock.range(first, last),
        None => "nothing recorded".to_owned(),
    };
    if lives > 1 {
        write!(when, " · {lives} lives").expect(INFALLIBLE);
    }
    let width = columns.width().clamp(80.min(style.width), style.width);
    let (title, when) = (clip(&title, width), clip(&when, width));
    out.push_str(&spread(&paint(&title, Tone::Strong, style), title.chars().count(), &when, width));
    let (left, legend) = (numbers(story, style), legend(story));
    out.push_str(&spread(&left, left.chars().count(), &legend, width));
}

const UID_CHARS_MAX: usize = 36;
const INFALLIBLE: &str = "writing to a String cannot fail";

/// `12 acts on it, 3 around it (↳); 321 writes folded (--all)`
fn numbers(story: &Story, style: &TextStyle) -> String {
    let counts = &story.counts;
    let acts = |number: usize| if number == 1 { "act" } else { "acts" };
    let mut text = format!("{} {} on it", counts.on_it, acts(counts.on_it));
    if counts.around > 0 {
        write!(text, ", {} around it (↳)", counts.around).expect(INFALLIBLE);
    }
    let hint = if style.all { "" } else { " (--all)" };
    let folded = [(counts.folded, "write"), (counts.reads_folded, "read")];
    let folded: Vec<_> = folded
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}{}", if *number == 1 { "" } else { "s" }))
        .collect();
    if !folded.is_empty() {
        write!(text, "; {} folded{hint}", folded.join(" and ")).expect(INFALLIBLE);
    }
    text
}

fn legend(story: &Story) -> String {
    let any = |wanted: fn(&Outcome) -> bool| story.told().any(|act| wanted(&act.outcome));
    let mut marks = Vec::new();
    if any(|outcome| matches!(outcome, Outcome::Refused { .. })) {
        marks.push("✗ refused");
    }
    if any(|outcome| *outcome == Outcome::DryRun) {
        marks.push("○ dry run");
    }
    marks.join("  ")
}

/// Left and right on one line, if it fits; else on two.
fn spread(left: &str, left_chars: usize, right: &str, width: usize) -> String {
    let used = left_chars + right.chars().count();
    if right.is_empty() {
        return format!("{left}\n");
    }
    match width.checked_sub(used) {
        Some(gap) if gap >= 2 => format!("{left}{}{right}\n", " ".repeat(gap)),
        _ => format!("{left}\n{right}\n"),
    }
}

fn life_head(out: &mut String, life: &Life, style: &TextStyle) {
    let uid =
        life.uid.as_deref().map_or("uid not recorded", |uid| uid.split('-').next().unwrap_or(uid));
    let title = format!("LIFE {}  {}", life.number, clip(uid, UID_CHARS_MAX));
    writeln!(out, "\n{}", paint(&title, Tone::Strong, style)).expect(INFALLIBLE);
}

fn tail(out: &mut String, story: &Story, style: &TextStyle) {
    let unexplained = story.not_explained.len();
    if unexplained > 0 {
        let writes = if unexplained == 1 { "write" } else { "writes" };
        let hint = if style.all { "" } else { " (--all)" };
        let line = format!("{unexplained} {writes} by controllers not explained{hint}");
        writeln!(out, "\n{}", paint(&line, Tone::Faint, style)).expect(INFALLIBLE);
    }
    for (index, warning) in story.warnings.iter().enumerate() {
        let gap = if index == 0 { "\n" } else { "" };
        let line = format!("! {}", clip(warning, style.width.saturating_sub(2)));
        writeln!(out, "{gap}{}", paint(&line, Tone::Warning, style)).expect(INFALLIBLE);
    }
}

fn mark(act: &Act) -> String {
    let place = if act.place == Place::Around { "↳" } else { "" };
    let outcome = match act.outcome {
        Outcome::Refused { .. } => "✗",
        Outcome::DryRun => "○",
        _ => "",
    };
    format!("{place}{outcome}")
}
