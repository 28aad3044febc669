//! One request: from its head to its answer.

use std::num::NonZero;
use std::sync::Arc;

use axum::body::{Body, BodyDataStream};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Router};
use kausal_runtime::serve::Peer;
use tokio::sync::Semaphore;

use super::answer::Refusal;
use super::auth::Access;
use super::body::{self, Encoding};
use super::{KIND, Webhook};
use crate::budget::Taken;
use crate::cluster::ClusterName;
use crate::counts::Counts;
use crate::metrics::WebhookAnswered;
use crate::pipeline::{Pipeline, UnderWay};
use crate::sink::SinkError;

/// What requests share.
#[derive(Clone)]
struct Door {
    webhook: Arc<Webhook>,
    pipeline: Arc<Pipeline>,
    /// Bodies decoded at a time: one a core, so that the others wait as bytes.
    desks: Arc<Semaphore>,
}

pub(super) fn router(webhook: Arc<Webhook>, pipeline: Arc<Pipeline>) -> Router {
    let desks = std::thread::available_parallelism().map_or(1, NonZero::get);
    let door = Door { webhook, pipeline, desks: Arc::new(Semaphore::new(desks)) };
    Router::new()
        .route("/audit/{cluster}", post(receive).fallback(wrong_method))
        .fallback(no_cluster)
        .with_state(door)
}

async fn no_cluster(State(door): State<Door>) -> Response {
    door.answer(Err(Refusal::NoCluster))
}

async fn wrong_method(State(door): State<Door>) -> Response {
    door.answer(Err(Refusal::Method))
}

async fn receive(
    State(door): State<Door>,
    Extension(peer): Extension<Peer>,
    Path(cluster): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let mut body = body.into_data_stream();
    let answer = match door.admit(&cluster, &headers, &peer) {
        Ok(cluster) => door.take(cluster, &headers, &mut body).await,
        Err(refusal) => Err(refusal),
    };
    if answer.is_err() {
        body::discard(&headers, &mut body).await;
    }
    door.answer(answer)
}

impl Door {
    fn answer(&self, answer: Result<Counts, Refusal>) -> Response {
        let metrics = self.pipeline.metrics();
        metrics.in_flight(self.webhook.in_flight.in_use());
        match answer {
            Ok(counts) => {
                WebhookAnswered { code: StatusCode::OK.as_u16(), refusal: None }.emit(metrics);
                let (kept, filtered) = (counts.kept_total(), counts.filtered_total());
                let set_aside = counts.rejected_total();
                format!("{kept} kept, {filtered} counted, {set_aside} set aside\n").into_response()
            }
            Err(refusal) => {
                let code = refusal.status().as_u16();
                WebhookAnswered { code, refusal: Some(&refusal) }.emit(metrics);
                refusal.into_response()
            }
        }
    }

    async fn take(
        &self,
        cluster: ClusterName,
        headers: &HeaderMap,
        body: &mut BodyDataStream,
    ) -> Result<Counts, Refusal> {
        let encoding = Encoding::of(headers)?;
        let mut taken = self.webhook.in_flight.open();
        let limit = self.webhook.body_bytes_max;
        let bytes = body::receive(headers, body, limit, &mut taken).await?;
        self.pipeline.metrics().in_flight(self.webhook.in_flight.in_use());
        let under_way = self.encode(cluster, bytes, encoding, taken).await?;
        let mut counts = Counts::default();
        for parcel in under_way {
            counts.add(&self.pipeline.acknowledged(parcel).await.map_err(|e| refusal_of(&e))?);
        }
        Ok(counts)
    }

    fn admit(
        &self,
        cluster: &str,
        headers: &HeaderMap,
        peer: &Peer,
    ) -> Result<ClusterName, Refusal> {
        let named = self.webhook.clusters.resolve(cluster);
        // A name that cannot be is told only to those who may send something.
        let nobody = || ClusterName::new("x").map_err(Refusal::from);
        let probe = named.clone().or_else(|_| nobody())?;
        match (self.webhook.senders.check(headers, peer.certificate.as_ref(), &probe), named) {
            (Access::Unknown, _) => Err(Refusal::Unauthorized),
            (_, Err(error)) => Err(Refusal::Cluster(error)),
            (Access::OtherCluster, Ok(_)) => Err(Refusal::Forbidden),
            (Access::Granted, Ok(cluster)) => Ok(cluster),
        }
    }

    /// Decodes and encodes on a thread that may be busy for long, and hands over.
    async fn encode(
        &self,
        cluster: ClusterName,
        bytes: Vec<u8>,
        encoding: Encoding,
        mut taken: Taken,
    ) -> Result<Vec<UnderWay>, Refusal> {
        let desk = self.desks.clone().acquire_owned().await.map_err(|_| Refusal::Unavailable)?;
        let door = self.clone();
        let work = tokio::task::spawn_blocking(move || {
            let _desk = desk;
            let limit = door.webhook.decoded_bytes_max;
            let bytes = body::decoded(bytes, encoding, limit, &mut taken)?;
            door.hand_over(cluster, &bytes)
        });
        work.await.map_err(|_| Refusal::Unavailable)?
    }

    fn hand_over(&self, cluster: ClusterName, bytes: &[u8]) -> Result<Vec<UnderWay>, Refusal> {
        let mut under_way = Vec::new();
        let mut intake = self.pipeline.intake(KIND, KIND, cluster);
        let taken = intake.take_webhook_body(bytes, &mut |parcel| {
            under_way.push(self.pipeline.try_hand_over(parcel)?);
            Ok(())
        });
        taken.map_err(|error| refusal_of(&error))??;
        let rest = self.pipeline.try_hand_over(intake.finish());
        under_way.push(rest.map_err(|error| refusal_of(&error))?);
        Ok(under_way)
    }
}

fn refusal_of(error: &SinkError) -> Refusal {
    match error {
        SinkError::Busy { .. } => Refusal::Pressure,
        SinkError::Failed { .. } | SinkError::Stopped => Refusal::Unavailable,
    }
}
