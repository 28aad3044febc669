//! `kausal storage-plugin`: the reading side as a process of its own.
//!
//! Consumers and informers elsewhere write to it by OTLP Export; Jaeger, `kausal --server` and curl
//! read from it.

use kausal_runtime::prometheus_client::registry::Registry;
use kausal_runtime::reload::Reloader;

use super::identity;
use super::process::{PluginSettings, with_flags};
use super::running::runtime;
use super::serving::Ports;
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
    let mut reloader = Reloader::default();
    let settings = PluginSettings::of(&loaded, &mut reloader)?;
    runtime()?.block_on(async {
        let ports = Ports::bind(settings.doors).await?;
        let serving =
            ports.open(settings.store, settings.read, settings.pages, Registry::default());
        let serving = serving.await?;
        let mut running = serving.running;
        running.keep_fresh(reloader);
        running.ready();
        tracing::info!(http = %serving.url, grpc = %serving.grpc, "serving");
        running.until_told().await
    })
}
