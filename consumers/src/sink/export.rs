//! Hands spans to the process that holds the store, by OTLP Export.
//!
//! Promise: each message is at most [`EXPORT_BYTES_MAX`]; a batch is answered only after every one
//! of its messages was. What another try can mend is tried again within a stated time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kausal_proto::collector::ExportTraceServiceResponse;
use kausal_proto::collector::trace_service_client::TraceServiceClient;
use kausal_proto::raw::ExportTraceServiceRequest;
use kausal_runtime::access::{Access, AccessError};
use kausal_runtime::clock::Stopwatch;
use kausal_trace::SpanBatch;
use kausal_trace::batch::EXPORT_BYTES_MAX;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Status};

use super::{Backoff, Delivery, Sink, SinkError};

/// Batches that are sent at a time; the others wait their turn.
const CONCURRENT_MAX: usize = 4;
const CONNECT_SECONDS_MAX: Duration = Duration::from_secs(5);
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How spans are sent to another process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExportConfig {
    /// Address of the receiver, `http://host:port` or `https://host:port`.
    pub endpoint: String,
    /// Longest wait for one answer, in seconds.
    pub timeout_seconds: u64,
    /// Time within which a batch is tried again, in seconds.
    pub retry_seconds: u64,
}

impl Default for ExportConfig {
    fn default() -> Self {
        let endpoint = "http://127.0.0.1:17271".to_owned();
        Self { endpoint, timeout_seconds: 30, retry_seconds: 60 }
    }
}

/// Why spans cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum ExportSinkError {
    /// The endpoint is no address.
    #[error("export endpoint {endpoint:?} is not of the form http://host:port: {source}")]
    Endpoint {
        /// What was given.
        endpoint: String,
        /// What is wrong with it.
        source: tonic::transport::Error,
    },
    /// What would be shown to the receiver, or whom to trust, cannot be used.
    #[error(
        "export to {endpoint}: the client certificate, its key or the authorities cannot be used: {source}"
    )]
    Tls {
        /// The receiver.
        endpoint: String,
        /// What is wrong with it.
        source: tonic::transport::Error,
    },
    /// What would be shown to the receiver cannot be shown to this one.
    #[error("export: {0}")]
    Access(#[from] AccessError),
    /// Waiting no time at all would refuse everything.
    #[error("export timeout_seconds and retry_seconds must be at least 1")]
    Time,
}

/// The open way to the receiver.
#[derive(Clone, Debug)]
pub struct ExportSink {
    client: TraceServiceClient<Channel>,
    authorization: Option<MetadataValue<Ascii>>,
    backoff: Backoff,
    turns: Arc<Semaphore>,
    runtime: Handle,
    rejected: Arc<AtomicU64>,
}

impl ExportSink {
    /// Prepares the connection; it is made when the first batch is sent, and again when it breaks.
    pub fn new(
        config: &ExportConfig,
        access: &Access,
        runtime: Handle,
    ) -> Result<Self, ExportSinkError> {
        if config.timeout_seconds == 0 || config.retry_seconds == 0 {
            return Err(ExportSinkError::Time);
        }
        let endpoint = endpoint(config, access)?;
        let channel = {
            let _inside = runtime.enter();
            endpoint.connect_lazy()
        };
        let total = Duration::from_secs(config.retry_seconds);
        Ok(Self {
            client: TraceServiceClient::new(channel),
            authorization: authorization(access),
            backoff: Backoff::new(FIRST_WAIT, LONGEST_WAIT, total),
            turns: Arc::new(Semaphore::new(CONCURRENT_MAX)),
            runtime,
            rejected: Arc::default(),
        })
    }

    /// Spans that the receiver refused for good. Sending them again changes nothing, so that they
    /// do not hold their batch back.
    pub fn rejected(&self) -> u64 {
        self.rejected.load(Ordering::Relaxed)
    }

    fn note_rejected(&self, answer: ExportTraceServiceResponse) {
        let partial = answer.partial_success.unwrap_or_default();
        let count = u64::try_from(partial.rejected_spans).unwrap_or_default();
        if count > 0 {
            self.rejected.fetch_add(count, Ordering::Relaxed);
            tracing::error!(count, reason = partial.error_message, "spans were refused for good");
        }
    }

    async fn deliver(
        &self,
        batch: SpanBatch,
        turn: Option<OwnedSemaphorePermit>,
    ) -> Result<(), SinkError> {
        let _turn = match turn {
            Some(turn) => turn,
            None => self.turns.clone().acquire_owned().await.map_err(|_| SinkError::Stopped)?,
        };
        let messages = kausal_trace::export::encode_within(batch.iter(), EXPORT_BYTES_MAX);
        drop(batch);
        for message in messages {
            self.send(ExportTraceServiceRequest(message.into())).await?;
        }
        Ok(())
    }

    async fn send(&self, message: ExportTraceServiceRequest) -> Result<(), SinkError> {
        let started = Stopwatch::start();
        for tries in 1.. {
            let request = self.request(message.clone());
            let status = match self.client.clone().export(request).await {
                Ok(answer) => {
                    self.note_rejected(answer.into_inner());
                    return Ok(());
                }
                Err(status) => status,
            };
            match self.backoff.after(tries, started.elapsed()).filter(|_| is_passing(&status)) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(refusal(&status)),
            }
        }
        Err(SinkError::Stopped)
    }
}

/// Where to connect to, and what is shown and trusted there.
fn endpoint(config: &ExportConfig, access: &Access) -> Result<Endpoint, ExportSinkError> {
    access.check(&config.endpoint)?;
    let wrong = |source| ExportSinkError::Endpoint { endpoint: config.endpoint.clone(), source };
    let endpoint = Endpoint::from_shared(config.endpoint.clone())
        .map_err(wrong)?
        .connect_timeout(CONNECT_SECONDS_MAX)
        .timeout(Duration::from_secs(config.timeout_seconds));
    if !config.endpoint.starts_with("https://") {
        return Ok(endpoint);
    }
    let mut tls = match access.authorities() {
        Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
        None => ClientTlsConfig::new().with_enabled_roots(),
    };
    if let Some((certificate, key)) = access.certificate() {
        tls = tls.identity(Identity::from_pem(certificate, key));
    }
    let unusable = |source| ExportSinkError::Tls { endpoint: config.endpoint.clone(), source };
    endpoint.tls_config(tls).map_err(unusable)
}

/// Marked so that nothing prints it.
fn authorization(access: &Access) -> Option<MetadataValue<Ascii>> {
    let mut value: MetadataValue<Ascii> = access.authorization()?.parse().ok()?;
    value.set_sensitive(true);
    Some(value)
}

impl Sink for ExportSink {
    /// Sources hold a few batches at most, so that what waits here for its turn is bounded.
    fn submit(&self, batch: SpanBatch) -> Delivery {
        self.spawn(batch, None)
    }

    fn try_submit(&self, batch: SpanBatch) -> Result<Delivery, SpanBatch> {
        match self.turns.clone().try_acquire_owned() {
            Ok(turn) => Ok(self.spawn(batch, Some(turn))),
            Err(_) => Err(batch),
        }
    }
}

impl ExportSink {
    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(value) = &self.authorization {
            request.metadata_mut().insert("authorization", value.clone());
        }
        request
    }

    fn spawn(&self, batch: SpanBatch, turn: Option<OwnedSemaphorePermit>) -> Delivery {
        let (answer, delivery) = oneshot::channel();
        let sink = self.clone();
        self.runtime.spawn(async move {
            if answer.send(sink.deliver(batch, turn).await).is_err() {
                tracing::debug!("nobody waits for this batch any more");
            }
        });
        Delivery::new(delivery)
    }
}

fn is_passing(status: &Status) -> bool {
    use Code::{Aborted, Cancelled, DeadlineExceeded, ResourceExhausted, Unavailable};
    matches!(
        status.code(),
        Unavailable | ResourceExhausted | DeadlineExceeded | Aborted | Cancelled
    )
}

fn refusal(status: &Status) -> SinkError {
    let mut reason = format!("{:?}: {}", status.code(), status.message());
    // A connection that cannot be made says why only here.
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        reason = format!("{reason}: {error}");
        source = error.source();
    }
    if status.code() == Code::ResourceExhausted {
        SinkError::Busy { reason }
    } else {
        SinkError::Failed { reason }
    }
}
