//! `kausal storage-plugin --identity`: a plain Jaeger storage for spans of anybody.

use std::sync::Arc;

use kausal_runtime::admin;
use kausal_runtime::metrics::DoorMetrics;
use kausal_runtime::prometheus_client::registry::Registry;
use kausal_runtime::readiness::Readiness;
use kausal_runtime::reload::Reloader;
use kausal_storage_plugin::{
    Metrics, Pages, RawRouters, RawTraces, ReadLimits, purge_router, raw_routers,
};
use kausal_store::raw::{RawConfig, RawStore};

use super::process::{PluginDoors, pages, read};
use super::running::{Opened, Running, runtime};
use super::serving::Ports;
use crate::answer::Outcome;
use crate::config::Loaded;

/// What raw mode needs, valid.
struct Settings {
    store: RawConfig,
    read: ReadLimits,
    pages: Pages,
    doors: PluginDoors,
    purge: Purge,
}

/// Whether everything may be forgotten on demand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purge {
    Allowed,
    Refused,
}

/// Runs until told to leave.
pub(super) fn run(loaded: &Loaded) -> anyhow::Result<Outcome> {
    let mut reloader = Reloader::default();
    let settings = Settings::of(loaded, &mut reloader)?;
    runtime()?.block_on(async {
        let mut running = start(settings).await?;
        running.keep_fresh(reloader);
        running.ready();
        running.until_told().await
    })
}

impl Settings {
    fn of(loaded: &Loaded, reloader: &mut Reloader) -> anyhow::Result<Self> {
        let (config, doors) = (&loaded.config, PluginDoors::of(loaded, reloader)?);
        config.log.validate().map_err(|error| loaded.wrong("log.level", &error))?;
        let purge = if config.raw.allow_purge { Purge::Allowed } else { Purge::Refused };
        let store = config.raw.validate(&doors.admin, loaded)?;
        Ok(Self { store, read: read(loaded)?, pages: pages(loaded)?, doors, purge })
    }
}

/// Binds every door, opens the store, and serves.
async fn start(settings: Settings) -> anyhow::Result<Running> {
    let Settings { store, read, pages, doors: at, purge } = settings;
    let ports = Ports::bind(at).await?;
    let readiness = Readiness::default();
    let opening = readiness.latch("store");
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let mut opened = Opened::new(DoorMetrics::register(&mut registry));

    let (url, grpc) = (ports.http.url(), ports.grpc.address());
    let holder = Some(url.clone());
    let store = tokio::task::spawn_blocking(move || RawStore::open(store, holder));
    let store = Arc::new(store.await??);
    let mut probes = admin::router(readiness, Arc::new(registry));
    if purge == Purge::Allowed {
        probes = probes.merge(purge_router(store.clone()));
    }
    let RawRouters { grpc: plugin, http, health } =
        raw_routers(RawTraces::new(store, read), &pages, metrics).await;
    ports.admin.open(&mut opened, probes);
    ports.http.open(&mut opened, http);
    ports.grpc.open(&mut opened, plugin);
    tracing::info!(http = %url, %grpc, "serving raw spans");
    Ok(Running::new(opened, health, opening))
}
