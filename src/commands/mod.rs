//! What each command does.

mod all_in_one;
mod asking;
mod config;
mod demo;
mod get;
mod identity;
mod ingest;
mod process;
mod reach;
mod running;
mod search;
mod server;
mod serving;
mod storage_plugin;
mod store;
mod store_metrics;
mod trace;
mod view_text;

use kausal_runtime::telemetry;

use crate::answer::Outcome;
use crate::cli::{Cli, Command};
use crate::config::Loaded;

/// Runs a command to its end.
pub(crate) fn run(cli: Cli) -> anyhow::Result<Outcome> {
    let mut loaded = Loaded::read(cli.config.as_deref())?;
    if let Some(level) = &cli.log {
        loaded.config.log.level.clone_from(level);
    }
    let mut log = loaded.config.log.clone();
    if cli.log.is_none() && !serves(&cli.command) {
        // A question's answer is its output; only what is wrong belongs beside it.
        "warn".clone_into(&mut log.level);
    }
    telemetry::init(&log).map_err(|error| loaded.wrong("log.level", &error))?;
    match cli.command {
        Command::AllInOne(flags) => all_in_one::run(&loaded, &flags),
        Command::StoragePlugin(flags) => storage_plugin::run(&loaded, &flags),
        Command::Demo(flags) => demo::run(&loaded, &flags),
        Command::Ingest(flags) => ingest::run(&loaded, &flags),
        Command::Trace(flags) => trace::run(&loaded, &flags),
        Command::Search(flags) => search::run(&loaded, &flags),
        Command::Get(flags) => get::run(&loaded, &flags),
        Command::Config(command) => config::run(&loaded, &command),
        Command::Store(command) => store::run(&loaded, &command),
    }
}

fn serves(command: &Command) -> bool {
    matches!(command, Command::AllInOne(_) | Command::StoragePlugin(_))
}
