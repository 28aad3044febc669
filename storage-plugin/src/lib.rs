//! Role: reading. Views, stories, manifests and searches over a span store, and the doors to them:
//! gRPC for Jaeger, HTTP for `kausal --server` and curl, OTLP for writers.
//!
//! Promise: read-only but for OTLP Export; every question has a budget; what was left out is said.
//! Never here: what facts mean (`kausal-story`), how they are kept (`kausal-store`).

pub mod config;
pub mod doors;
pub mod error;
mod gather;
pub mod grpc;
pub mod http;
pub mod metrics;
pub mod moment;
pub mod query;
pub mod raw;
pub mod reader;
mod refusal;
mod resolve;
mod search;
mod stop;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod traces;
mod views;

pub use config::{ConfigError, ReadConfig, ReadLimits};
pub use doors::Doors;
pub use error::{ErrorBody, ErrorDetail, ReadError};
pub use grpc::grpc_router;
pub use http::{Pages, UiConfig, UiConfigError, http_router, jaeger_router};
pub use metrics::Metrics;
pub use query::{ObjectQuery, SearchRequest, SearchRow, SearchRows, ViewDocument};
pub use raw::{RawRouters, RawTraces, purge_router, raw_routers};
pub use reader::{Reader, View};
pub use refusal::refused;
pub use stop::{Stop, StopOnDrop};
pub use traces::Traces;
