//! What a sender is told.
//!
//! Promise: a refusal says in one line what was wrong and never quotes the body.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use kausal_audit::NoEventList;

use crate::cluster::ClusterNameError;

/// Seconds after which a sender may try again: as long as a full queue needs to drain.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("2");

/// Why a request is not answered with 200.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error(
        "a bearer token is needed, or a client certificate that is accepted here: \
         Authorization: Bearer TOKEN"
    )]
    Unauthorized,
    #[error("this token or certificate may not send events of this cluster")]
    Forbidden,
    #[error("{0}")]
    Cluster(#[from] ClusterNameError),
    #[error("post to /audit/CLUSTER, CLUSTER being the name of the cluster the events come from")]
    NoCluster,
    #[error("audit events are sent with POST")]
    Method,
    #[error("Content-Encoding must be gzip or absent")]
    Encoding,
    #[error(
        "the body is larger than {bytes_max} bytes; send smaller batches \
         (--audit-webhook-batch-max-size), or allow more by webhook.{setting}"
    )]
    TooLarge { bytes_max: usize, setting: &'static str },
    #[error("the body is no gzip, or ends too soon; send it whole, or without Content-Encoding")]
    Gzip,
    #[error("the body ended before it was complete; send it again")]
    Interrupted,
    #[error("{0}; an audit.k8s.io EventList is needed")]
    NotEventList(#[from] NoEventList),
    #[error("too much is under way; send the same events again later")]
    Pressure,
    #[error("the events are not stored; send them again later")]
    Unavailable,
}

impl Refusal {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NoCluster => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Cluster(_) | Self::Gzip | Self::Interrupted | Self::NotEventList(_) => {
                StatusCode::BAD_REQUEST
            }
            Self::Pressure => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, format!("{self}\n")).into_response();
        let headers = response.headers_mut();
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, RETRY_AFTER_SECONDS);
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
            }
            _ => {}
        }
        response
    }
}
