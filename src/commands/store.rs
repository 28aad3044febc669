//! `kausal store`: the store about itself.

use kausal_store::StoreStats;
use kausal_trace::UnixNanos;

use super::asking::Source;
use crate::answer::{Outcome, print};
use crate::cli::{SearchOutput, StoreCommand};
use crate::config::Loaded;

/// Runs the command.
pub(crate) fn run(loaded: &Loaded, command: &StoreCommand) -> anyhow::Result<Outcome> {
    let StoreCommand::Stats(flags) = command;
    let stats = Source::of(loaded, &flags.target)?.stats()?;
    print(&match flags.output {
        SearchOutput::Json => serde_json::to_string_pretty(&stats)?,
        SearchOutput::Text => text(&stats),
    })?;
    Ok(Outcome::Done)
}

fn text(stats: &StoreStats) -> String {
    let mut lines = Vec::new();
    let mut line = |name: &str, value: String| lines.push(format!("{name:<18}{value}\n"));
    let time = |time: Option<UnixNanos>| time.map_or("none".to_owned(), |time| time.to_string());
    line("facts", stats.facts.to_string());
    line("frames", stats.frames.to_string());
    line("oldest window", time(stats.oldest));
    line("newest fact", time(stats.newest));
    line("retention", format!("{} h", stats.retention_seconds / 3_600));
    line("tables", bytes(stats.table_bytes));
    line("  of these index", bytes(stats.index_bytes));
    line("journals", bytes(stats.journal_bytes));
    line("bytes per span", format!("{:.0}", stats.bytes_per_span));
    line("came too old", stats.expired.to_string());
    line("partitions", stats.partitions.len().to_string());
    for part in &stats.partitions {
        let range = format!("{} – {}", part.start, part.end);
        line(
            &format!("  {}", part.purpose),
            format!("{range}  {} spans, {}", part.spans, bytes(part.bytes)),
        );
    }
    line("format", stats.format.to_string());
    lines.concat()
}

fn bytes(count: u64) -> String {
    match count {
        0..10_000 => format!("{count} B"),
        10_000..10_000_000 => format!("{} KB", count / 1_000),
        _ => format!("{} MB", count / 1_000_000),
    }
}
