//! The gRPC interfaces Kausal speaks, generated from its own .proto files.
