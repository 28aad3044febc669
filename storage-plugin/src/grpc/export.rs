//! OTLP `TraceService`: spans of ours come in.
//!
//! Promise: success means durable. A span that is not ours, or whose id is not the one of its
//! object, is refused with its reason and costs its neighbours nothing.

use kausal_proto::collector::{
    ExportTracePartialSuccess, ExportTraceServiceResponse, trace_service_server,
};
use kausal_proto::raw::ExportTraceServiceRequest;
use kausal_runtime::clock;
use kausal_store::{StoreError, check_time};
use kausal_trace::export::decode;
use kausal_trace::{IdParts, SpanBatch, TraceId, UnixNanos};
use tonic::{Request, Response, Status};

use crate::doors::Doors;
use crate::metrics::{ExportPostponed, Metrics, SpansRefused, SpansTaken};

/// The service.
pub(super) struct Export {
    doors: Doors,
}

impl Export {
    pub(super) fn new(doors: Doors) -> Self {
        Self { doors }
    }

    /// Waits until the spans are durable.
    async fn store(&self, batch: SpanBatch) -> Result<(), Status> {
        if batch.is_empty() {
            return Ok(());
        }
        let count = batch.len();
        let answer = match self.doors.reader().store().try_submit(batch) {
            // A dropped acknowledgement is a store that is gone.
            Ok(acknowledgement) => acknowledgement.await.unwrap_or(Err(StoreError::Closed)),
            Err(_) => Err(StoreError::Busy),
        };
        settled(answer, count, self.doors.metrics())
    }
}

/// What a writer hears of spans that a store took, or did not take now.
pub(crate) fn settled(
    answer: Result<(), StoreError>,
    count: usize,
    metrics: &Metrics,
) -> Result<(), Status> {
    match answer {
        Ok(()) => {
            SpansTaken { count }.emit(metrics);
            Ok(())
        }
        // OTLP writers keep what is answered like this and send it again.
        Err(error) => {
            let cause = error.to_string();
            ExportPostponed { cause: &cause }.emit(metrics);
            Err(Status::unavailable(cause))
        }
    }
}

/// The answer to a message of which so many spans were refused for good.
pub(crate) fn answer(rejected: usize, error_message: String) -> ExportTraceServiceResponse {
    let rejected_spans = i64::try_from(rejected).unwrap_or(i64::MAX);
    let partial_success =
        (rejected > 0).then_some(ExportTracePartialSuccess { rejected_spans, error_message });
    ExportTraceServiceResponse { partial_success }
}

#[tonic::async_trait]
impl trace_service_server::TraceService for Export {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut batch = SpanBatch::default();
        let report = decode(&request.into_inner().0, &mut batch)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let (batch, ahead) = without_future(batch, UnixNanos(clock::now()));
        self.store(batch).await?;
        for (reason, count) in report.reasons() {
            SpansRefused { count, reason: reason.as_str() }.emit(self.doors.metrics());
        }
        let mut message = if report.rejected() > 0 { report.to_string() } else { String::new() };
        if ahead > 0 {
            SpansRefused { count: ahead, reason: "ahead of the clock" }.emit(self.doors.metrics());
            let separator = if message.is_empty() { "" } else { "; " };
            message = format!("{message}{separator}{ahead} spans rejected: ahead of the clock");
        }
        Ok(Response::new(answer(report.rejected() + ahead, message)))
    }
}

/// Takes out spans that lie too far in the future; one of them would cost the whole batch.
fn without_future(batch: SpanBatch, now: UnixNanos) -> (SpanBatch, usize) {
    let in_time = |trace: TraceId| match trace.parts() {
        IdParts::Facts(_, window) => check_time(window, now).is_ok(),
        IdParts::Catalogue(_, day) => {
            check_time(kausal_trace::Window::of(day.start()), now).is_ok()
        }
        IdParts::View(_) | IdParts::Foreign => true,
    };
    let ahead = batch.iter().filter(|record| !in_time(record.trace)).count();
    if ahead == 0 {
        return (batch, 0);
    }
    let mut kept = SpanBatch::default();
    for record in batch.iter().filter(|record| in_time(record.trace)) {
        kept.push_encoded(record);
    }
    (kept, ahead)
}
