//! `jaeger.storage.v2.Capabilities`: what searches can do beyond the least.

use kausal_proto::storage::{
    GetCapabilitiesRequest, GetCapabilitiesResponse, SearchCapabilities, capabilities_server,
};
use tonic::{Request, Response, Status};

/// The service.
pub(super) struct Abilities;

#[tonic::async_trait]
impl capabilities_server::Capabilities for Abilities {
    async fn get_capabilities(
        &self,
        _: Request<GetCapabilitiesRequest>,
    ) -> Result<Response<GetCapabilitiesResponse>, Status> {
        let search = SearchCapabilities {
            without_service_name: true,
            same_span_conjunction: true,
            // Filter expressions are an experiment of Jaeger's.
            filter: None,
        };
        Ok(Response::new(GetCapabilitiesResponse { search: Some(search) }))
    }
}
