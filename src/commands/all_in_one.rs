//! `kausal all-in-one`: webhook in, embedded store, doors out, in one process.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use kausal_consumers::Metrics;
use kausal_consumers::sink::StoreSink;
use kausal_runtime::prometheus_client::registry::Registry;
use kausal_runtime::readiness::Readiness;
use kausal_runtime::tls::ServerTls;
use kausal_runtime::{CancellationToken, admin, serve};
use kausal_storage_plugin::grpc::HealthReporter;
use kausal_storage_plugin::{Doors, Reader, grpc, grpc_router, http_router};
use kausal_store::{EmbeddedStore, SpanStore};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use super::process::{Settings, pipeline};
use super::store_metrics::StoreMetrics;
use crate::answer::Outcome;
use crate::cli::AllInOne;
use crate::config::{Door, Loaded};

/// Runs until told to leave.
pub(crate) fn run(loaded: &Loaded, flags: &AllInOne) -> anyhow::Result<Outcome> {
    let settings = Settings::of(loaded, flags)?;
    runtime()?.block_on(async {
        let running = start(loaded, settings).await?;
        running.until_told().await
    })
}

/// The threads that wait for sockets; work that takes longer runs on threads of its own.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().build().context("the threads of the process cannot be started")
}

/// The running parts.
pub(crate) struct Running {
    /// Where the HTTP API can be asked.
    pub(crate) url: String,
    /// Where Jaeger finds the storage plugin.
    pub(crate) grpc: SocketAddr,
    /// Where audit webhooks post to.
    pub(crate) webhook: String,
    /// From bytes to durable spans.
    pub(crate) pipeline: Arc<kausal_consumers::Pipeline>,
    /// Answers questions.
    pub(crate) reader: Reader,
    doors: JoinSet<()>,
    stop: CancellationToken,
    health: HealthReporter,
}

/// A bound door, with what goes through it still to come.
struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<ServerTls>,
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
    let webhook = Bound::new("webhook.listen", settings.webhook.listen(), webhook_tls).await?;
    let http = Bound::of(settings.http, "http.listen").await?;
    let grpc = Bound::of(settings.grpc, "grpc.listen").await?;
    let admin = Bound::of(settings.admin, "admin.listen").await?;

    let readiness = Readiness::default();
    let opening = readiness.latch("store");
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let reading = kausal_storage_plugin::Metrics::register(&mut registry);
    let storing = StoreMetrics::default();
    registry.register_collector(Box::new(storing.clone()));
    let (mut doors, stop) = (JoinSet::new(), CancellationToken::new());
    admin.open(&mut doors, admin::router(readiness, Arc::new(registry)), &stop);

    let (url, config) = (http.url(), settings.store.clone());
    let holder = Some(url.clone());
    let store = tokio::task::spawn_blocking(move || EmbeddedStore::open(&config, holder)).await??;
    let store: Arc<EmbeddedStore> = Arc::new(store);
    storing.opened(store.clone());
    let sink = Arc::new(StoreSink::new(store.clone()));
    let pipeline = pipeline(loaded, settings.filter, sink, &settings.store, metrics)?;
    let reader = Reader::new(store as Arc<dyn SpanStore>, settings.read);
    let served = Doors::new(reader.clone(), reading);

    let (plugin, health) = grpc_router(served.clone()).await;
    let (grpc_at, webhook_at) = (grpc.address, webhook.url());
    // `kausal ingest` beside a running server finds this door in the store's lock.
    let both = http_router(served, settings.pages).merge(plugin.clone().reset_fallback());
    http.open(&mut doors, both, &stop);
    grpc.open(&mut doors, plugin, &stop);
    webhook.open(&mut doors, settings.webhook.router(pipeline.clone()), &stop);
    drop(opening);
    let running =
        Running { url, grpc: grpc_at, webhook: webhook_at, pipeline, reader, doors, stop, health };
    running.announce();
    Ok(running)
}

impl Bound {
    async fn of(door: Door, setting: &'static str) -> anyhow::Result<Self> {
        Self::new(setting, door.address, door.tls).await
    }

    async fn new(
        setting: &'static str,
        address: SocketAddr,
        tls: Option<ServerTls>,
    ) -> anyhow::Result<Self> {
        let listener = serve::bind(setting, address).await?;
        Ok(Self { address: listener.local_addr()?, listener, tls })
    }

    fn open(self, doors: &mut JoinSet<()>, router: Router, stop: &CancellationToken) {
        doors.spawn(serve::serve(self.listener, self.tls, router, stop.clone()));
    }

    /// How this machine reaches it.
    fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        format!("{scheme}://{address}")
    }
}

impl Running {
    fn announce(&self) {
        tracing::info!(webhook = %self.webhook, http = %self.url, grpc = %self.grpc, "serving");
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
