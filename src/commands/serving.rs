//! The reading side as a running process has it: bound doors, an open store, and what answers.
//!
//! Promise: every port is bound before the store is opened; readiness comes last; leaving finishes
//! what is under way.
//! Never here: where facts come from. Writers are doors that are added before it says it is ready.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use kausal_runtime::prometheus_client::registry::Registry;
use kausal_runtime::readiness::{Latch, Readiness};
use kausal_runtime::tls::ServerTls;
use kausal_runtime::{CancellationToken, admin, serve};
use kausal_storage_plugin::grpc::HealthReporter;
use kausal_storage_plugin::{Doors, ReadLimits, Reader, grpc, grpc_router, http_router};
use kausal_store::{EmbeddedConfig, EmbeddedStore, SpanStore};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use super::process::PluginDoors;
use super::store_metrics::StoreMetrics;
use crate::answer::Outcome;
use crate::config::Door;

/// The threads that wait for sockets; work that takes longer runs on threads of its own.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().build().context("the threads of the process cannot be started")
}

/// A bound door, with what goes through it still to come.
pub(crate) struct Bound {
    listener: TcpListener,
    pub(super) address: SocketAddr,
    tls: Option<ServerTls>,
}

/// The bound doors of the storage plugin.
pub(crate) struct Ports {
    pub(super) http: Bound,
    pub(super) grpc: Bound,
    pub(super) admin: Bound,
}

/// Open doors, until the process is told to leave.
pub(crate) struct Running {
    pub(super) doors: JoinSet<()>,
    pub(super) stop: CancellationToken,
    pub(super) health: HealthReporter,
    pub(super) opening: Option<Latch>,
}

/// The running storage plugin.
pub(crate) struct Serving {
    /// Where the HTTP API can be asked.
    pub(crate) url: String,
    /// Where Jaeger finds the storage plugin.
    pub(crate) grpc: SocketAddr,
    /// Answers questions.
    pub(crate) reader: Reader,
    running: Running,
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
        mut registry: Registry,
    ) -> anyhow::Result<Serving> {
        let readiness = Readiness::default();
        let opening = Some(readiness.latch("store"));
        let reading = kausal_storage_plugin::Metrics::register(&mut registry);
        let storing = StoreMetrics::default();
        registry.register_collector(Box::new(storing.clone()));
        let (mut doors, stop) = (JoinSet::new(), CancellationToken::new());
        self.admin.open(&mut doors, admin::router(readiness, Arc::new(registry)), &stop);

        let (url, grpc) = (self.http.url(), self.grpc.address);
        let holder = Some(url.clone());
        let store = tokio::task::spawn_blocking(move || EmbeddedStore::open(&store, holder));
        let store: Arc<dyn SpanStore> = Arc::new(store.await??);
        storing.opened(store.clone());
        let reader = Reader::new(store, read);
        let served = Doors::new(reader.clone(), reading);
        let (plugin, health) = grpc_router(served.clone()).await;
        // `kausal ingest` beside a running server finds this door in the store's lock.
        let both = http_router(served).merge(plugin.clone().reset_fallback());
        self.http.open(&mut doors, both, &stop);
        self.grpc.open(&mut doors, plugin, &stop);
        Ok(Serving { url, grpc, reader, running: Running { doors, stop, health, opening } })
    }
}

impl Bound {
    async fn of(door: Door, setting: &'static str) -> anyhow::Result<Self> {
        Self::new(setting, door.address, door.tls).await
    }

    /// Binds a door; `setting` is its name in the configuration.
    pub(crate) async fn new(
        setting: &'static str,
        address: SocketAddr,
        tls: Option<ServerTls>,
    ) -> anyhow::Result<Self> {
        let listener = serve::bind(setting, address).await?;
        Ok(Self { address: listener.local_addr()?, listener, tls })
    }

    /// How this machine reaches it.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        format!("{scheme}://{address}")
    }

    /// Lets requests in.
    pub(super) fn open(self, doors: &mut JoinSet<()>, router: Router, stop: &CancellationToken) {
        doors.spawn(serve::serve(self.listener, self.tls, router, stop.clone()));
    }
}

impl Serving {
    /// Opens one more door.
    pub(crate) fn add(&mut self, door: Bound, router: Router) {
        door.open(&mut self.running.doors, router, &self.running.stop);
    }

    /// All doors are open: probes may hear it.
    pub(crate) fn ready(&mut self) {
        self.running.ready();
    }

    /// See [`Running::until_told`].
    pub(crate) async fn until_told(self) -> anyhow::Result<Outcome> {
        self.running.until_told().await
    }
}

impl Running {
    /// All doors are open: probes may hear it.
    pub(crate) fn ready(&mut self) {
        self.opening = None;
    }

    /// Waits for SIGTERM or SIGINT, then finishes what is under way and closes the store.
    pub(crate) async fn until_told(mut self) -> anyhow::Result<Outcome> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            // A door only ends when told, or when it panicked.
            _ = self.doors.join_next() => anyhow::bail!("a door closed by itself"),
        }
        tracing::info!("leaving: finishing what is under way");
        grpc::leave(&self.health).await;
        self.stop.cancel();
        while self.doors.join_next().await.is_some() {}
        Ok(Outcome::Done)
    }
}
