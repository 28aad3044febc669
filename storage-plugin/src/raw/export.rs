//! OTLP `TraceService`: spans of anybody come in.
//!
//! Promise: success means durable. A span that no reader of OTLP could decode is refused with its
//! reason and costs its neighbours nothing.

use std::sync::Arc;

use kausal_proto::collector::{ExportTraceServiceResponse, trace_service_server};
use kausal_proto::raw::ExportTraceServiceRequest;
use kausal_store::StoreError;
use kausal_store::raw::RawStore;
use kausal_trace::foreign::{ForeignBatch, RECORD_BYTES_MAX, Refusals};
use tokio::task::spawn_blocking;
use tonic::{Request, Response, Status};

use crate::grpc::export::{answer, settled};
use crate::metrics::{Metrics, SpansRefused};

/// The service.
pub(super) struct RawExport {
    store: Arc<RawStore>,
    metrics: Metrics,
}

impl RawExport {
    pub(super) fn new(store: Arc<RawStore>, metrics: Metrics) -> Self {
        Self { store, metrics }
    }

    /// Waits until the spans are durable.
    async fn store(&self, batch: ForeignBatch) -> Result<(), Status> {
        if batch.is_empty() {
            return Ok(());
        }
        let count = batch.len();
        let outcome = match self.store.try_submit(batch) {
            // A dropped acknowledgement is a store that is gone.
            Ok(acknowledgement) => acknowledgement.await.unwrap_or(Err(StoreError::Closed)),
            Err(_) => Err(StoreError::Busy),
        };
        settled(outcome, count, &self.metrics)
    }

    fn refuse(&self, refused: Refusals) -> ExportTraceServiceResponse {
        let mut reasons = Vec::new();
        for (count, reason) in [(refused.malformed, "malformed"), (refused.too_large, "too large")]
        {
            if count > 0 {
                SpansRefused { count, reason }.emit(&self.metrics);
                reasons.push(format!("{count} {reason}"));
            }
        }
        let rejected = refused.malformed + refused.too_large;
        let most = format!("a span with resource and scope has at most {RECORD_BYTES_MAX} bytes");
        let hint = if refused.too_large > 0 { format!(" ({most})") } else { String::new() };
        answer(rejected, format!("{rejected} spans rejected: {}{hint}", reasons.join(", ")))
    }
}

#[tonic::async_trait]
impl trace_service_server::TraceService for RawExport {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let message = request.into_inner().0;
        // Checking 16 MiB takes longer than a thread that waits for sockets has.
        let split = spawn_blocking(move || ForeignBatch::split(message.into())).await;
        let split = split.map_err(|error| Status::internal(error.to_string()))?;
        let (batch, refused) =
            split.map_err(|error| Status::invalid_argument(error.to_string()))?;
        self.store(batch).await?;
        Ok(Response::new(self.refuse(refused)))
    }
}
