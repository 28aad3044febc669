//! The gRPC door: Jaeger's `TraceReader`, `DependencyReader` and `Capabilities`, OTLP Export,
//! health.
//!
//! Promise: an unknown id is an empty answer; a message is one trace's and at most 1 MiB; every
//! span carries exactly the id asked for; nothing goes on for a client that has left.

mod abilities;
mod dependencies;
pub(crate) mod export;
mod filter;
mod reader;
mod stream;
mod summary;
#[cfg(test)]
mod tests;
mod times;

use axum::Router;
use kausal_proto::collector::trace_service_server::{TraceService, TraceServiceServer};
use kausal_proto::storage::capabilities_server::CapabilitiesServer;
use kausal_proto::storage::dependency_reader_server::DependencyReaderServer;
use kausal_proto::storage::trace_reader_server::TraceReaderServer;
use tonic::Status;
use tonic::codec::CompressionEncoding::{Gzip, Zstd};
use tonic::service::Routes;
use tonic_health::ServingStatus;
pub use tonic_health::server::HealthReporter;
use tonic_health::server::health_reporter;

use crate::doors::Doors;
use crate::error::ReadError;
use crate::traces::Traces;

/// Largest request: an Export of ours is at most 3 MiB, others' batches may be larger.
const REQUEST_BYTES_MAX: usize = 16 << 20;
/// What health is told of: the process, then what Jaeger's own servers name.
const HEALTH_NAMES: [&str; 6] = [
    "",
    "jaeger.storage.v2.Capabilities",
    "jaeger.storage.v2.DependencyReader",
    "jaeger.storage.v2.TraceReader",
    "jaeger.storage.v2.TraceWriter",
    "opentelemetry.proto.collector.trace.v1.TraceService",
];

/// All gRPC services over views, serving; the reporter lets the process say that it leaves.
pub async fn grpc_router(doors: Doors) -> (Router, HealthReporter) {
    router_of(doors.traces(), export::Export::new(doors)).await
}

/// All gRPC services on one router, whatever answers and whatever takes what is written.
pub(crate) async fn router_of(
    doors: Doors<dyn Traces>,
    writer: impl TraceService,
) -> (Router, HealthReporter) {
    let (reporter, health) = health_reporter();
    for name in HEALTH_NAMES {
        reporter.set_service_status(name, ServingStatus::Serving).await;
    }
    let reader = TraceReaderServer::new(reader::TraceReader::new(doors.clone()))
        .accept_compressed(Gzip)
        .accept_compressed(Zstd)
        .send_compressed(Gzip)
        .send_compressed(Zstd);
    let dependencies = DependencyReaderServer::new(dependencies::Dependencies::new(doors));
    let abilities = CapabilitiesServer::new(abilities::Abilities);
    let writer = TraceServiceServer::new(writer)
        .accept_compressed(Gzip)
        .accept_compressed(Zstd)
        .max_decoding_message_size(REQUEST_BYTES_MAX);
    let routes = Routes::new(health).add_service(reader).add_service(writer);
    let routes = routes.add_service(dependencies).add_service(abilities);
    (routes.into_axum_router(), reporter)
}

/// Tells every health name that the process is about to leave.
pub async fn leave(reporter: &HealthReporter) {
    for name in HEALTH_NAMES {
        reporter.set_service_status(name, ServingStatus::NotServing).await;
    }
}

fn status(error: &ReadError) -> Status {
    let text = error.sentence();
    match error {
        ReadError::NotFound { .. } => Status::not_found(text),
        ReadError::Ambiguous { .. } | ReadError::Invalid { .. } => Status::invalid_argument(text),
        ReadError::Abandoned => Status::cancelled(text),
        ReadError::Failed => Status::internal(text),
        ReadError::Store(_) => Status::unavailable(text),
    }
}
