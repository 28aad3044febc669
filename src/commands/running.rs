//! Doors of a running process: bound first, opened when what answers is there, closed together.
//!
//! Promise: whoever may not come in is told so before anything is read; leaving finishes what is
//! under way.
//! Never here: what is behind a door.

use std::net::SocketAddr;

use anyhow::Context;
use axum::Router;
use kausal_runtime::guard::Guard;
use kausal_runtime::metrics::DoorMetrics;
use kausal_runtime::readiness::Latch;
use kausal_runtime::reload::Reloader;
use kausal_runtime::tls::ServerTls;
use kausal_runtime::{CancellationToken, serve};
use kausal_storage_plugin::grpc::HealthReporter;
use kausal_storage_plugin::{grpc, refused};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

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
    address: SocketAddr,
    tls: Option<ServerTls>,
    guard: Option<Guard>,
}

/// The open doors, and how they are closed.
pub(crate) struct Opened {
    doors: JoinSet<()>,
    stop: CancellationToken,
    metrics: DoorMetrics,
}

/// A process that serves, until it is told to leave.
pub(crate) struct Running {
    opened: Opened,
    health: HealthReporter,
    opening: Option<Latch>,
}

impl Bound {
    /// Binds a door; `setting` is its name in the configuration.
    pub(crate) async fn of(door: Door, setting: &'static str) -> anyhow::Result<Self> {
        let Door { address, tls, guard } = door;
        let listener = serve::bind(setting, address).await?;
        Ok(Self { address: listener.local_addr()?, listener, tls, guard })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
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
    pub(crate) fn open(self, opened: &mut Opened, router: Router) {
        let router = match self.guard {
            Some(guard) => guard.wrap(router, refused, opened.metrics.clone()),
            None => router,
        };
        opened.doors.spawn(serve::serve(self.listener, self.tls, router, opened.stop.clone()));
    }
}

impl Opened {
    /// No door yet; `metrics` count what comes to them.
    pub(crate) fn new(metrics: DoorMetrics) -> Self {
        Self { doors: JoinSet::new(), stop: CancellationToken::new(), metrics }
    }
}

impl Running {
    /// Doors that are open; probes hear that all of them are with [`Running::ready`].
    pub(crate) fn new(opened: Opened, health: HealthReporter, opening: Latch) -> Self {
        Self { opened, health, opening: Some(opening) }
    }

    /// Opens one more door.
    pub(crate) fn add(&mut self, door: Bound, router: Router) {
        door.open(&mut self.opened, router);
    }

    /// Keeps certificates and tokens as new as their files.
    pub(crate) fn keep_fresh(&mut self, reloader: Reloader) {
        let Opened { doors, stop, metrics } = &mut self.opened;
        doors.spawn(reloader.run(metrics.clone(), stop.clone()));
    }

    /// All doors are open: probes may hear it.
    pub(crate) fn ready(&mut self) {
        self.opening = None;
    }

    /// Waits for SIGTERM or SIGINT, then finishes what is under way.
    pub(crate) async fn until_told(self) -> anyhow::Result<Outcome> {
        let Opened { mut doors, stop, .. } = self.opened;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            // A door only ends when told, or when it panicked.
            _ = doors.join_next() => anyhow::bail!("a door closed by itself"),
        }
        tracing::info!("leaving: finishing what is under way");
        grpc::leave(&self.health).await;
        stop.cancel();
        while doors.join_next().await.is_some() {}
        Ok(Outcome::Done)
    }
}
