//! `jaeger.storage.v2.DependencyReader`.

use kausal_proto::storage::{
    Dependency, GetDependenciesRequest, GetDependenciesResponse, dependency_reader_server,
};
use tonic::{Request, Response, Status};

use super::status;
use super::times::instant;
use crate::doors::Doors;
use crate::traces::Traces;

/// The service.
pub(super) struct Dependencies {
    doors: Doors<dyn Traces>,
}

impl Dependencies {
    pub(super) fn new(doors: Doors<dyn Traces>) -> Self {
        Self { doors }
    }
}

#[tonic::async_trait]
impl dependency_reader_server::DependencyReader for Dependencies {
    async fn get_dependencies(
        &self,
        request: Request<GetDependenciesRequest>,
    ) -> Result<Response<GetDependenciesResponse>, Status> {
        let request = request.into_inner();
        let from = instant(request.start_time.as_ref());
        let to = instant(request.end_time.as_ref());
        let read = self
            .doors
            .read("dependencies", move |traces, stop| traces.dependencies(from, to, stop));
        let found = read.await.map_err(|error| status(&error))?.into_iter();
        let dependencies = found.map(|found| Dependency {
            parent: found.parent,
            child: found.child,
            call_count: found.calls,
            source: String::new(),
        });
        Ok(Response::new(GetDependenciesResponse { dependencies: dependencies.collect() }))
    }
}
