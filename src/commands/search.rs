//! `kausal search`: facts by their attributes, newest first.

use std::fmt::Write;

use kausal_storage_plugin::{SearchRequest, SearchRow, SearchRows};

use super::asking::{Source, time};
use crate::answer::{NothingFound, Outcome, UsageError, print, say};
use crate::cli::{Search, SearchOutput};
use crate::config::Loaded;

const NOTHING: &str =
    "nothing recorded matches; values are compared whole, so write username=bob@example.com";

/// Runs the command.
pub(crate) fn run(loaded: &Loaded, flags: &Search) -> anyhow::Result<Outcome> {
    let request = SearchRequest {
        attributes: flags
            .attributes
            .iter()
            .map(|pair| attribute(pair))
            .collect::<Result<_, _>>()?,
        from: time("--from", flags.range.from.as_deref())?,
        to: time("--to", flags.range.to.as_deref())?,
        limit: Some(flags.limit),
        mode: None,
    };
    let found = Source::of(loaded, &flags.target)?.search(&request)?;
    match flags.output {
        SearchOutput::Json => print(&serde_json::to_string_pretty(&found)?)?,
        SearchOutput::Text if found.rows.is_empty() => {}
        SearchOutput::Text => print(&table(&found)?)?,
    }
    if found.exhausted {
        say(
            "the search was ended by its budget: older matches may exist; narrow it with --from, --to or more attributes",
        );
    }
    if found.rows.is_empty() {
        return Err(NothingFound(NOTHING.to_owned()).into());
    }
    Ok(Outcome::Done)
}

fn attribute(pair: &str) -> Result<(String, String), UsageError> {
    match pair.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(UsageError(format!(
            "{pair:?} is no KEY=VALUE; write username=bob@example.com or verb=patch"
        ))),
    }
}

fn table(found: &SearchRows) -> Result<String, std::fmt::Error> {
    let cells: Vec<[String; 5]> = found.rows.iter().map(cells).collect();
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; 5] = std::array::from_fn(|column| width(column).unwrap_or(0));
    let mut out = String::new();
    for row in &cells {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            write!(line, "{cell:width$}  ")?;
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    Ok(out)
}

fn cells(row: &SearchRow) -> [String; 5] {
    let actor = match row.acting_as.as_str() {
        "" => row.actor.clone(),
        acting_as => format!("{acting_as} (as {})", row.actor),
    };
    let verb = match row.subresource.as_str() {
        "" => row.verb.clone(),
        subresource => format!("{} {subresource}", row.verb),
    };
    let code = row.code.map(|code| code.to_string()).unwrap_or_default();
    [row.time.clone(), code, actor, verb, row.object.to_string()]
}
