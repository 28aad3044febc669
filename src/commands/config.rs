//! `kausal config`: is it valid, and what is in force.

use super::process::Settings;
use crate::answer::{Outcome, print, say};
use crate::cli::{AllInOne, ConfigCommand};
use crate::config::Loaded;

/// Runs the command.
pub(crate) fn run(loaded: &Loaded, command: &ConfigCommand) -> anyhow::Result<Outcome> {
    Settings::of(loaded, &AllInOne::default())?;
    match command {
        ConfigCommand::Check => say("the configuration is valid"),
        ConfigCommand::Print => print(&serde_saphyr::to_string(&loaded.config)?)?,
    }
    Ok(Outcome::Done)
}
