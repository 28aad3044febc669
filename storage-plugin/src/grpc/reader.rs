//! `jaeger.storage.v2.TraceReader`.

use std::collections::HashSet;
use std::sync::Arc;

use kausal_proto::raw::TracesData;
use kausal_proto::storage::{
    FindTraceIDsRequest, FindTraceIDsResponse, FindTraceSummariesRequest,
    FindTraceSummariesResponse, FindTracesRequest, FoundTraceId, GetOperationsRequest,
    GetOperationsResponse, GetServicesRequest, GetServicesResponse, GetTracesRequest, Operation,
    TraceQueryParameters, trace_reader_server,
};
use kausal_trace::TraceId;
use tonic::{Request, Response, Status};

use super::filter::asked;
use super::status;
use super::stream::{Left, Messages, Out, stream};
use super::summary::summary;
use super::times::timestamp;
use crate::doors::Doors;
use crate::error::ReadError;
use crate::traces::{FoundTrace, Traces};

/// Traces of one call; Jaeger's UI asks for one, its search by ids for a handful.
const IDS_MAX: usize = 1_000;

/// Summaries of one message: a page of Jaeger's list.
const SUMMARIES_A_MESSAGE: usize = 20;

/// The service.
pub(super) struct TraceReader {
    doors: Doors<dyn Traces>,
}

impl TraceReader {
    pub(super) fn new(doors: Doors<dyn Traces>) -> Self {
        Self { doors }
    }

    /// Traces that match what was searched for.
    async fn find(&self, query: Option<TraceQueryParameters>) -> Result<Vec<FoundTrace>, Status> {
        let asked = asked(&query.unwrap_or_default()).map_err(|error| status(&error))?;
        let find = self.doors.read("find", move |traces, stop| traces.find(&asked, stop));
        find.await.map_err(|error| status(&error))
    }
}

#[tonic::async_trait]
impl trace_reader_server::TraceReader for TraceReader {
    type GetTracesStream = Messages<TracesData>;
    type FindTracesStream = Messages<TracesData>;
    type FindTraceSummariesStream = Messages<FindTraceSummariesResponse>;

    async fn get_traces(
        &self,
        request: Request<GetTracesRequest>,
    ) -> Result<Response<Self::GetTracesStream>, Status> {
        let ids = ids(&request.into_inner())?;
        let doors = self.doors.clone();
        Ok(Response::new(stream(move |out| send(doors, ids, out))))
    }

    async fn find_traces(
        &self,
        request: Request<FindTracesRequest>,
    ) -> Result<Response<Self::FindTracesStream>, Status> {
        let found = self.find(request.into_inner().query).await?;
        let ids = found.into_iter().map(|found| found.id).collect();
        let doors = self.doors.clone();
        Ok(Response::new(stream(move |out| send(doors, ids, out))))
    }

    async fn find_trace_i_ds(
        &self,
        request: Request<FindTraceIDsRequest>,
    ) -> Result<Response<FindTraceIDsResponse>, Status> {
        let found = self.find(request.into_inner().query).await?.into_iter();
        let trace_ids = found.map(|found| FoundTraceId {
            trace_id: found.id.0.to_vec(),
            start: Some(timestamp(found.start)),
            end: Some(timestamp(found.end)),
        });
        Ok(Response::new(FindTraceIDsResponse { trace_ids: trace_ids.collect() }))
    }

    async fn get_services(
        &self,
        _: Request<GetServicesRequest>,
    ) -> Result<Response<GetServicesResponse>, Status> {
        let services = self.doors.read("services", <dyn Traces>::services).await;
        let services = services.map_err(|error| status(&error))?;
        Ok(Response::new(GetServicesResponse { services }))
    }

    async fn get_operations(
        &self,
        request: Request<GetOperationsRequest>,
    ) -> Result<Response<GetOperationsResponse>, Status> {
        let GetOperationsRequest { service, span_kind } = request.into_inner();
        let operations = self
            .doors
            .read("operations", move |traces, stop| traces.operations(&service, &span_kind, stop));
        let operations = operations.await.map_err(|error| status(&error))?.into_iter();
        let operations = operations
            .map(|operation| Operation { name: operation.name, span_kind: operation.span_kind });
        Ok(Response::new(GetOperationsResponse { operations: operations.collect() }))
    }

    async fn find_trace_summaries(
        &self,
        request: Request<FindTraceSummariesRequest>,
    ) -> Result<Response<Self::FindTraceSummariesStream>, Status> {
        let query = request.into_inner().query.unwrap_or_default();
        let asked = asked(&query).map_err(|error| status(&error))?;
        let read = self.doors.read("summaries", move |traces, stop| traces.summaries(&asked, stop));
        let summaries = read.await.map_err(|error| status(&error))?;
        let pages: Vec<FindTraceSummariesResponse> = summaries
            .chunks(SUMMARIES_A_MESSAGE)
            .map(|page| FindTraceSummariesResponse {
                summaries: page.iter().map(summary).collect(),
            })
            .collect();
        Ok(Response::new(stream(async move |out| out.all(pages).await)))
    }
}

/// Sends traces one after another; each is read when the one before it is on its way.
async fn send(
    doors: Doors<dyn Traces>,
    ids: Vec<TraceId>,
    out: Arc<Out<TracesData>>,
) -> Result<(), Left> {
    for id in ids {
        match doors.read("trace", move |traces, stop| traces.messages(id, stop)).await {
            Ok(messages) => {
                out.all(messages.into_iter().map(|bytes| TracesData(bytes.into()))).await?;
            }
            Err(ReadError::Abandoned) => return Err(Left),
            Err(error) => return Err(out.fail(status(&error)).await),
        }
    }
    Ok(())
}

/// The ids asked for, each once: Jaeger reads a trace's consecutive messages as one.
fn ids(request: &GetTracesRequest) -> Result<Vec<TraceId>, Status> {
    if request.query.len() > IDS_MAX {
        return Err(Status::invalid_argument(format!("at most {IDS_MAX} traces a call")));
    }
    let mut seen = HashSet::new();
    let mut ids = Vec::new();
    for query in &request.query {
        let id: [u8; 16] = query.trace_id.as_slice().try_into().map_err(|_| {
            let length = query.trace_id.len();
            Status::invalid_argument(format!("a trace id has 16 bytes, this one has {length}"))
        })?;
        if seen.insert(id) {
            ids.push(TraceId(id));
        }
    }
    Ok(ids)
}
