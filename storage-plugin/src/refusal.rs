//! What somebody is told who may not come in, in the form of what they asked.
//!
//! Promise: gRPC clients get a status, Jaeger's own clients get Jaeger's envelopes, ours get ours,
//! and people get text.

use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kausal_runtime::guard::Refusal;
use serde_json::json;
use tonic::Status;

use crate::error::{ErrorBody, ErrorDetail};
use crate::http::json_body;

/// What to do about it, for people.
const HINT: &str = "who may come in is in auth of this door's configuration";

/// The answer to a request that was refused at the door.
pub fn refused(refusal: &Refusal, head: &Parts) -> Response {
    if is_grpc(head) {
        return status(refusal).into_http();
    }
    let mut response = in_form_of(refusal, head.uri.path());
    if refusal.status() == StatusCode::UNAUTHORIZED {
        let scheme = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
    }
    response
}

fn is_grpc(head: &Parts) -> bool {
    let kind = head.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.starts_with(b"application/grpc"))
}

fn status(refusal: &Refusal) -> Status {
    match refusal.status() {
        StatusCode::UNAUTHORIZED => Status::unauthenticated(refusal.to_string()),
        _ => Status::permission_denied(refusal.to_string()),
    }
}

fn in_form_of(refusal: &Refusal, path: &str) -> Response {
    let (status, message) = (refusal.status(), refusal.to_string());
    let code = status.as_u16();
    if path.starts_with("/api/v1/") || path.starts_with("/extensions/") {
        let (code, hint) = (refusal.code().to_owned(), HINT.to_owned());
        json_body(status, &ErrorBody { error: ErrorDetail { code, message, hint } })
    } else if path.starts_with("/api/v3/") {
        json_body(status, &json!({"error": {"httpCode": code, "message": message}}))
    } else if path.starts_with("/api/") {
        let errors = [json!({"code": code, "msg": message})];
        let body = json!({"data": null, "total": 0, "limit": 0, "offset": 0, "errors": errors});
        json_body(status, &body)
    } else {
        (status, format!("{message}\n{HINT}\n")).into_response()
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use kausal_proto::collector::trace_service_client::TraceServiceClient;
    use kausal_proto::raw::ExportTraceServiceRequest;
    use kausal_proto::storage::GetServicesRequest;
    use kausal_proto::storage::trace_reader_client::TraceReaderClient;
    use kausal_runtime::guard::{GuardConfig, NamedTokenConfig};
    use kausal_runtime::metrics::DoorMetrics;
    use kausal_runtime::reload::Reloader;
    use tonic::transport::Channel;
    use tonic::{Code, Request};
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;

    use super::*;
    use crate::grpc_router;
    use crate::testing::{Bed, Server};

    async fn answer(path: &str, content_type: &str, refusal: &Refusal) -> (Response, String) {
        let request = axum::http::Request::get(path).header(header::CONTENT_TYPE, content_type);
        let (head, ()) = request.body(()).unwrap().into_parts();
        let (head, body) = refused(refusal, &head).into_parts();
        let mut chunks = body.into_data_stream();
        let mut text = String::new();
        while let Some(chunk) = tokio_stream::StreamExt::next(&mut chunks).await {
            text += std::str::from_utf8(&chunk.unwrap()).unwrap();
        }
        (Response::from_parts(head, Body::empty()), text)
    }

    fn unproven() -> Refusal {
        Refusal::Unproven { needed: "a bearer token" }
    }

    #[tokio::test]
    async fn every_family_of_paths_has_its_own_form() {
        let says = "a bearer token is needed that this door accepts";
        let check = async |path: &str, expect: String| {
            let (response, text) = answer(path, "application/json", &unproven()).await;
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
            assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
            assert_eq!(text, expect, "{path}");
        };
        let ours = json!({"code": "unauthenticated", "message": says, "hint": HINT});
        let ours = format!(r#"{{"error":{ours}}}"#);
        let ours: ErrorBody = serde_json::from_str(&ours).unwrap();
        check("/api/v1/story?x=y", serde_json::to_string(&ours).unwrap()).await;
        let v3 = json!({"error": {"httpCode": 401, "message": says}});
        check("/api/v3/services", v3.to_string()).await;
        let v2 = json!({"data": null, "total": 0, "limit": 0, "offset": 0,
            "errors": [{"code": 401, "msg": says}]});
        check("/api/traces/1", v2.to_string()).await;
        check("/trace/deploy/web", format!("{says}\n{HINT}\n")).await;
        check("/metrics", format!("{says}\n{HINT}\n")).await;
    }

    /// As trailers without a message: the status stands among the headers.
    #[tokio::test]
    async fn grpc_clients_get_a_status() {
        let check = async |refusal: Refusal, code: &str| {
            let path = "/jaeger.storage.v2.TraceReader/GetTraces";
            let (response, text) = answer(path, "application/grpc+proto", &refusal).await;
            let header = |name: &str| response.headers()[name].to_str().unwrap();
            let head = (response.status(), header("content-type"), header("grpc-status"));
            assert_eq!(head, (StatusCode::OK, "application/grpc", code));
            assert!(text.is_empty());
        };
        check(unproven(), "16").await;
        check(Refusal::Tenant, "7").await;
        check(Refusal::Certificate, "7").await;
    }

    /// Over a real port: Jaeger's token where Jaeger puts it, and a probe that has none.
    #[tokio::test]
    async fn jaeger_comes_in_by_its_bearer_token() {
        const TOKEN: &str = "the-token-of-jaeger";
        let folder = tempfile::tempdir().unwrap();
        let token_file = folder.path().join("token");
        std::fs::write(&token_file, TOKEN).unwrap();
        let config = GuardConfig {
            tokens: vec![NamedTokenConfig { name: "jaeger".to_owned(), token_file }],
            ..GuardConfig::default()
        };
        let guard = config.build("grpc", None, &mut Reloader::default()).unwrap();
        let bed = Bed::new();
        let router = grpc_router(bed.doors()).await.0;
        let server = Server::start(guard.wrap(router, refused, DoorMetrics::default())).await;
        let url = format!("http://{}", server.address);
        let channel = Channel::from_shared(url).unwrap().connect().await.unwrap();

        let ask = async |name: &'static str, value: String| {
            let mut request = Request::new(GetServicesRequest::default());
            request.metadata_mut().insert(name, value.parse().unwrap());
            let answer = TraceReaderClient::new(channel.clone()).get_services(request).await;
            answer.map_or_else(|status| status.code(), |_| Code::Ok)
        };
        assert_eq!(ask("bearer.token", TOKEN.to_owned()).await, Code::Ok);
        assert_eq!(ask("authorization", format!("Bearer {TOKEN}")).await, Code::Ok);
        assert_eq!(ask("bearer.token", "wrong".to_owned()).await, Code::Unauthenticated);
        assert_eq!(ask("x-tenant", TOKEN.to_owned()).await, Code::Unauthenticated);
        let mut writer = TraceServiceClient::new(channel.clone());
        let refused = writer.export(ExportTraceServiceRequest(vec![0; 1 << 20].into())).await;
        assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
        HealthClient::new(channel).check(HealthCheckRequest::default()).await.unwrap();
    }
}
