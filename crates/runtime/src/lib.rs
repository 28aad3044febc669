//! What every process needs: clock, telemetry, admin server, TLS and who may come in, serving and
//! shutdown.
//!
//! Promise: the wall clock, the process environment and sockets are touched here and in adapters
//! built on this crate; what decides takes the time as an argument.

pub mod access;
pub mod admin;
pub mod clock;
pub mod guard;
pub mod metrics;
pub mod readiness;
pub mod reload;
pub mod serve;
pub mod telemetry;
pub mod tls;

pub use prometheus_client;
pub use tokio_util::sync::CancellationToken;
