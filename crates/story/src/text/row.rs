//! Rows and columns of the terminal form.
//!
//! Promise: no line is longer than asked; the summary gives way first, then the name.

use kausal_object::ObjectKey;

use super::clock::Clock;
use super::{TextStyle, effects, mark};
use crate::actor::Names;
use crate::describe::clip;
use crate::story::{Act, Outcome, Place};

/// One act, as cells.
#[derive(Debug)]
pub(super) struct Row {
    cells: [String; CELLS],
    tone: Tone,
}

const CELLS: usize = 7;
const ACTOR: usize = 1;
const SUMMARY: usize = 4;
/// Gap after each cell; mark and verb stand close.
const GAPS: [usize; CELLS] = [2, 1, 1, 2, 2, 2, 0];
/// The summary keeps at least this much of a narrow terminal.
const SUMMARY_CHARS_MIN: usize = 24;
/// Also takes control characters out of every cell: names and values are what clients chose.
const CELL_CHARS_MAX: usize = 200;
const ACTOR_CHARS_MAX: usize = 40;
const ACTOR_CHARS_MIN: usize = 12;

/// How a piece of text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Strong,
    Faint,
    Refused,
    DryRun,
    Around,
    Warning,
}

impl Row {
    pub(super) fn of(act: &Act, root: &ObjectKey, names: &Names, clock: &Clock) -> Self {
        let cells = [
            clock.time(act.time),
            clip(&names.show(&act.actor), ACTOR_CHARS_MAX),
            mark(act),
            act.title.clone(),
            act.summary.clone(),
            effects::objects(act, root),
            effects::pods(act),
        ];
        Self { cells: cells.map(|cell| clip(&cell, CELL_CHARS_MAX)), tone: tone(act) }
    }
}

fn tone(act: &Act) -> Tone {
    match (&act.outcome, act.place) {
        _ if act.folded.is_some() => Tone::Faint,
        (Outcome::Refused { .. }, _) => Tone::Refused,
        (Outcome::DryRun, _) => Tone::DryRun,
        (_, Place::Around) => Tone::Around,
        _ => Tone::Plain,
    }
}

/// Widths of the columns.
#[derive(Debug, Default)]
pub(super) struct Columns {
    widths: [usize; CELLS],
}

impl Columns {
    /// As wide as the widest cell; the summary gives way when a line would not fit.
    pub(super) fn fit<'r>(rows: impl Iterator<Item = &'r Row>, width: usize) -> Self {
        let mut columns = Self::default();
        for row in rows {
            for (own, cell) in columns.widths.iter_mut().zip(&row.cells) {
                *own = (*own).max(cell.chars().count());
            }
        }
        // Two characters between the longest name and a mark.
        columns.widths[ACTOR] += 1;
        columns.give_way(SUMMARY, SUMMARY_CHARS_MIN, width);
        columns.give_way(ACTOR, ACTOR_CHARS_MIN, width);
        columns
    }

    /// Narrows one column as far as needed and allowed.
    fn give_way(&mut self, column: usize, chars_min: usize, width: usize) {
        let excess = self.width().saturating_sub(width);
        if let Some(own) = self.widths.get_mut(column) {
            *own = own.saturating_sub(excess).max(chars_min.min(*own));
        }
    }

    /// Characters of a full line.
    pub(super) fn width(&self) -> usize {
        self.widths.iter().zip(GAPS).filter(|(width, _)| **width > 0).map(|(w, gap)| w + gap).sum()
    }

    /// One line.
    pub(super) fn print(&self, row: &Row, style: &TextStyle) -> String {
        let mut line = String::new();
        for ((cell, width), gap) in row.cells.iter().zip(self.widths).zip(GAPS) {
            if width == 0 {
                continue;
            }
            let cell = if cell.chars().count() > width {
                clip(cell, width.saturating_sub(1))
            } else {
                cell.clone()
            };
            line.push_str(&cell);
            line.extend(std::iter::repeat_n(' ', width - cell.chars().count().min(width) + gap));
        }
        let line = line.trim_end();
        let line = if line.chars().count() > style.width {
            clip(line, style.width.saturating_sub(1))
        } else {
            line.to_owned()
        };
        format!("{}\n", paint(&line, row.tone, style))
    }
}

/// Colours a text, if asked to.
pub(super) fn paint(text: &str, tone: Tone, style: &TextStyle) -> String {
    let code = match tone {
        Tone::Plain => return text.to_owned(),
        Tone::Strong => "1",
        Tone::Faint => "2",
        Tone::Refused => "31",
        Tone::DryRun => "33",
        Tone::Around => "36",
        Tone::Warning => "33;1",
    };
    if style.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}
