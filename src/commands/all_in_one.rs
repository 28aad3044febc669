//! `kausal all-in-one`: webhook in, embedded store, doors out, in one process.

use std::sync::Arc;

use kausal_consumers::Metrics;
use kausal_consumers::sink::StoreSink;
use kausal_runtime::prometheus_client::registry::Registry;

use super::process::{Settings, pipeline};
use super::running::{Bound, runtime};
use super::serving::{Ports, Serving};
use crate::answer::Outcome;
use crate::cli::AllInOne;
use crate::config::{Door, Loaded};

/// Runs until told to leave.
pub(crate) fn run(loaded: &Loaded, flags: &AllInOne) -> anyhow::Result<Outcome> {
    let settings = Settings::of(loaded, flags)?;
    runtime()?.block_on(async {
        let running = start(loaded, settings).await?;
        running.serving.running.until_told().await
    })
}

/// The running parts.
pub(crate) struct Running {
    /// The reading side.
    pub(crate) serving: Serving,
    /// From bytes to durable spans.
    pub(crate) pipeline: Arc<kausal_consumers::Pipeline>,
}

/// Binds every door, opens the store, and serves.
pub(crate) async fn start(loaded: &Loaded, settings: Settings) -> anyhow::Result<Running> {
    let webhook_tls = settings.webhook_tls;
    if webhook_tls.is_none() && !loaded.config.webhook.tokens.is_empty() {
        // client-go drops credentials on plain http.
        tracing::warn!(
            "webhook.tokens without webhook.tls: an apiserver sends its token over https only"
        );
    }
    // The webhook asks for itself, because what it asks depends on the cluster.
    let webhook = Door { address: settings.webhook.listen(), tls: webhook_tls, guard: None };
    let webhook = Bound::of(webhook, "webhook.listen").await?;
    let plugin = settings.plugin;
    let ports = Ports::bind(plugin.doors).await?;
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let serving = ports.open(plugin.store.clone(), plugin.read, plugin.pages, registry);
    let mut serving = serving.await?;
    serving.running.keep_fresh(settings.reloader);

    let sink = Arc::new(StoreSink::new(serving.reader.store().clone()));
    let pipeline = pipeline(loaded, settings.filter, sink, &plugin.store, metrics)?;
    let at = webhook.url();
    serving.running.add(webhook, settings.webhook.router(pipeline.clone()));
    serving.running.ready();
    tracing::info!(webhook = %at, http = %serving.url, grpc = %serving.grpc, "serving");
    Ok(Running { serving, pipeline })
}
