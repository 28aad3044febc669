//! Generates clients and servers from `proto/` with protox: no protoc on the machine.

use std::error::Error;

const FILES: [&str; 4] = [
    "jaeger/storage/v2/capabilities.proto",
    "jaeger/storage/v2/dependency_storage.proto",
    "jaeger/storage/v2/trace_storage.proto",
    "opentelemetry/proto/collector/trace/v1/trace_service.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    tonic_prost_build::configure()
        .extern_path(".opentelemetry.proto.trace.v1.TracesData", "crate::raw::TracesData")
        .extern_path(
            ".opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest",
            "crate::raw::ExportTraceServiceRequest",
        )
        .compile_fds(descriptors)?;
    Ok(())
}
