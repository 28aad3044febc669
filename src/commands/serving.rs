//! The reading side as a running process has it: bound doors, an open store, and what answers.
//!
//! Promise: every port is bound before the store is opened; readiness comes last.
//! Never here: where facts come from. Writers are doors that are added before it says it is ready.

use std::net::SocketAddr;
use std::sync::Arc;

use kausal_runtime::admin;
use kausal_runtime::metrics::DoorMetrics;
use kausal_runtime::prometheus_client::registry::Registry;
use kausal_runtime::readiness::Readiness;
use kausal_storage_plugin::{Doors, Pages, ReadLimits, Reader, grpc_router, http_router};
use kausal_store::{EmbeddedConfig, EmbeddedStore, SpanStore};

use super::process::PluginDoors;
use super::running::{Bound, Opened, Running};
use super::store_metrics::StoreMetrics;

/// The bound doors of the storage plugin.
pub(crate) struct Ports {
    /// The HTTP API.
    pub(super) http: Bound,
    /// The gRPC storage plugin.
    pub(super) grpc: Bound,
    /// Probes and metrics.
    pub(super) admin: Bound,
}

/// The running storage plugin.
pub(crate) struct Serving {
    /// Where the HTTP API can be asked.
    pub(crate) url: String,
    /// Where Jaeger finds the storage plugin.
    pub(crate) grpc: SocketAddr,
    /// Answers questions.
    pub(crate) reader: Reader,
    /// Its doors.
    pub(crate) running: Running,
}

impl Ports {
    /// Binds the doors.
    pub(crate) async fn bind(doors: PluginDoors) -> anyhow::Result<Self> {
        Ok(Self {
            http: Bound::of(doors.http, "http.listen").await?,
            grpc: Bound::of(doors.grpc, "grpc.listen").await?,
            admin: Bound::of(doors.admin, "admin.listen").await?,
        })
    }

    /// Opens the store and lets questions in; `registry` holds what else is measured.
    pub(crate) async fn open(
        self,
        store: EmbeddedConfig,
        read: ReadLimits,
        pages: Pages,
        mut registry: Registry,
    ) -> anyhow::Result<Serving> {
        let readiness = Readiness::default();
        let opening = readiness.latch("store");
        let reading = kausal_storage_plugin::Metrics::register(&mut registry);
        let storing = StoreMetrics::default();
        registry.register_collector(Box::new(storing.clone()));
        let mut opened = Opened::new(DoorMetrics::register(&mut registry));
        self.admin.open(&mut opened, admin::router(readiness, Arc::new(registry)));

        let (url, grpc) = (self.http.url(), self.grpc.address());
        let holder = Some(url.clone());
        let store = tokio::task::spawn_blocking(move || EmbeddedStore::open(&store, holder));
        let store: Arc<dyn SpanStore> = Arc::new(store.await??);
        storing.opened(store.clone());
        let reader = Reader::new(store, read);
        let served = Doors::new(reader.clone(), reading);
        let (plugin, health) = grpc_router(served.clone()).await;
        // `kausal ingest` beside a running server finds this door in the store's lock.
        let both = http_router(served, pages).merge(plugin.clone().reset_fallback());
        self.http.open(&mut opened, both);
        self.grpc.open(&mut opened, plugin);
        Ok(Serving { url, grpc, reader, running: Running::new(opened, health, opening) })
    }
}
