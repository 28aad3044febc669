//! The gRPC interfaces Kausal speaks, generated from the `.proto` files in `proto/`.
//!
//! Promise: spans pass through as bytes; nothing here decodes or re-encodes one.
//! Never here: what the calls mean. Servers live in the roles, clients where they are used.

pub mod raw;

/// `jaeger.storage.v2`: how Jaeger Query reads traces from us.
#[allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::let_underscore_must_use,
    reason = "generated code"
)]
pub mod storage {
    tonic::include_proto!("jaeger.storage.v2");
}

/// `opentelemetry.proto.collector.trace.v1`: how spans are handed over.
#[allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::let_underscore_must_use,
    reason = "generated code"
)]
pub mod collector {
    tonic::include_proto!("opentelemetry.proto.collector.trace.v1");
}
