//! `kausal storage-plugin`: the reading side as a process of its own.
//!
//! Consumers and informers elsewhere write to it by OTLP Export; Jaeger, `kausal --server` and curl
//! read from it.

use kausal_runtime::prometheus_client::registry::Registry;

use super::identity;
use super::process::{PluginSettings, with_flags};
use super::serving::{Ports, runtime};
use crate::answer::Outcome;
use crate::cli::StoragePluginCommand;
use crate::config::Loaded;

/// Runs until told to leave.
pub(crate) fn run(loaded: &Loaded, flags: &StoragePluginCommand) -> anyhow::Result<Outcome> {
    let mut loaded = with_flags(loaded, &flags.plugin);
    if flags.identity {
        loaded.config.raw.allow_purge |= flags.allow_purge;
        return identity::run(&loaded);
    }
    let settings = PluginSettings::of(&loaded)?;
    runtime()?.block_on(async {
        let ports = Ports::bind(settings.doors).await?;
        let mut serving = ports.open(settings.store, settings.read, Registry::default()).await?;
        serving.ready();
        tracing::info!(http = %serving.url, grpc = %serving.grpc, "serving");
        serving.until_told().await
    })
}
