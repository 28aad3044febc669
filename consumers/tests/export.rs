//! Spans handed to the process that holds the store.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use kausal_consumers::sink::{ExportConfig, ExportSink, Sink, SinkError};
use kausal_object::KeyRef;
use kausal_proto::collector::trace_service_server::{TraceService, TraceServiceServer};
use kausal_proto::collector::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use kausal_proto::raw::ExportTraceServiceRequest;
use kausal_runtime::CancellationToken;
use kausal_runtime::access::Access;
use kausal_runtime::serve::{bind, serve};
use kausal_trace::batch::EXPORT_BYTES_MAX;
use kausal_trace::{KeyHash, NewSpan, SpanBatch, SpanId, TraceId, UnixNanos, attribute};
use tonic::{Request, Response, Status};

/// Answers with the prepared refusals first, then takes everything.
#[derive(Clone, Default)]
struct Holder {
    refusals: Arc<Mutex<Vec<Status>>>,
    rejects: i64,
    messages: Arc<Mutex<Vec<Vec<u8>>>>,
}

#[tonic::async_trait]
impl TraceService for Holder {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        if let Some(refusal) = self.refusals.lock().unwrap().pop() {
            return Err(refusal);
        }
        self.messages.lock().unwrap().push(request.into_inner().0.to_vec());
        let partial_success = (self.rejects > 0).then(|| ExportTracePartialSuccess {
            rejected_spans: self.rejects,
            error_message: "foreign".to_owned(),
        });
        Ok(Response::new(ExportTraceServiceResponse { partial_success }))
    }
}

impl Holder {
    async fn start(&self) -> (SocketAddr, CancellationToken) {
        let listener = bind("test", "127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = TraceServiceServer::new(self.clone());
        let router = tonic::service::Routes::new(service).into_axum_router();
        let stop = CancellationToken::new();
        tokio::spawn(serve(listener, None, router, stop.clone()));
        (address, stop)
    }

    fn messages(&self) -> Vec<Vec<u8>> {
        self.messages.lock().unwrap().clone()
    }
}

fn sink(address: SocketAddr) -> ExportSink {
    let endpoint = format!("http://{address}");
    let config = ExportConfig { endpoint, timeout_seconds: 10, retry_seconds: 5 };
    ExportSink::new(&config, &Access::default(), tokio::runtime::Handle::current()).unwrap()
}

/// `count` spans of about `bytes` each.
fn batch(count: u64, bytes: usize) -> SpanBatch {
    let mut batch = SpanBatch::default();
    let key = KeyRef { cluster: "c", group: "", resource: "pods", namespace: "n", name: "p" };
    let hash = KeyHash::of(key);
    for number in 0..count {
        let time = UnixNanos::from_seconds(1_795_187_131 + number);
        let trace = TraceId::facts_at(hash, time);
        let span = SpanId::derived(trace, &[&number.to_be_bytes()]);
        let head = NewSpan { trace, span, name: "audit patch", start: time, end: time };
        batch.open(head).str(attribute::CLUSTER, "c").str("x", &"y".repeat(bytes));
    }
    batch
}

fn decoded(messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut spans = Vec::new();
    for message in messages {
        let traces = <opentelemetry_proto::tonic::trace::v1::TracesData as prost::Message>::decode(
            &message[..],
        );
        for resource in traces.unwrap().resource_spans {
            for scope in resource.scope_spans {
                spans.extend(scope.spans.into_iter().map(|span| span.span_id));
            }
        }
    }
    spans
}

#[tokio::test]
async fn a_batch_is_sent_in_messages_that_receivers_take() {
    let holder = Holder::default();
    let (address, _stop) = holder.start().await;
    let batch = batch(10, 800 << 10);
    let ids: Vec<_> = batch.iter().map(|span| span.span.0.to_vec()).collect();
    sink(address).submit(batch).wait().await.unwrap();
    let messages = holder.messages();
    assert!(messages.len() >= 3 && messages.iter().all(|m| m.len() <= EXPORT_BYTES_MAX));
    assert_eq!(decoded(&messages), ids);
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let holder = Holder::default();
    let refusals = [Status::unavailable("starting"), Status::resource_exhausted("full")];
    *holder.refusals.lock().unwrap() = refusals.to_vec();
    let (address, _stop) = holder.start().await;
    sink(address).submit(batch(1, 10)).wait().await.unwrap();
    assert_eq!(holder.messages().len(), 1);
}

#[tokio::test]
async fn what_does_not_pass_is_a_failure() {
    let holder = Holder::default();
    *holder.refusals.lock().unwrap() = vec![Status::invalid_argument("no")];
    let (address, _stop) = holder.start().await;
    let error = sink(address).submit(batch(1, 10)).wait().await.unwrap_err();
    assert!(matches!(error, SinkError::Failed { .. }), "{error}");
    assert!(holder.messages().is_empty());
}

#[tokio::test]
async fn spans_that_were_rejected_are_counted() {
    let holder = Holder { rejects: 2, ..Holder::default() };
    let (address, _stop) = holder.start().await;
    let sink = sink(address);
    sink.submit(batch(3, 10)).wait().await.unwrap();
    assert_eq!(sink.rejected(), 2);
}

#[tokio::test]
async fn only_so_many_batches_are_under_way() {
    let silent = bind("test", "127.0.0.1:0".parse().unwrap()).await.unwrap();
    let sink = sink(silent.local_addr().unwrap());
    let mut under_way = Vec::new();
    while let Ok(delivery) = sink.try_submit(batch(1, 10)) {
        under_way.push(delivery);
        assert!(under_way.len() < 100);
    }
    assert_eq!(under_way.len(), 4);
}

#[tokio::test]
async fn an_endpoint_that_is_none_is_named() {
    let config = ExportConfig { endpoint: "not an address".to_owned(), ..ExportConfig::default() };
    let error = ExportSink::new(&config, &Access::default(), tokio::runtime::Handle::current())
        .unwrap_err();
    assert!(error.to_string().contains("not an address"), "{error}");
}
