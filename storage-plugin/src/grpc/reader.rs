//! `jaeger.storage.v2.TraceReader`.

use std::collections::HashSet;
use std::sync::Arc;

use kausal_proto::storage::{
    FindTraceIDsRequest, FindTraceIDsResponse, FindTraceSummariesRequest,
    FindTraceSummariesResponse, FindTracesRequest, FoundTraceId, GetOperationsRequest,
    GetOperationsResponse, GetServicesRequest, GetServicesResponse, GetTracesRequest, Operation,
    TraceQueryParameters, trace_reader_server,
};
use kausal_story::Mode;
use kausal_trace::{TraceId, Window};
use tokio_stream::Empty;
use tonic::{Request, Response, Status};

use super::filter::asked;
use super::status;
use super::stream::{Left, Out, Traces, stream};
use super::times::timestamp;
use crate::doors::Doors;
use crate::error::ReadError;

/// Traces of one call; Jaeger's UI asks for one, its search by ids for a handful.
const IDS_MAX: usize = 1_000;

/// The service.
pub(super) struct TraceReader {
    doors: Doors,
}

impl TraceReader {
    pub(super) fn new(doors: Doors) -> Self {
        Self { doors }
    }

    /// Ids of the views that show what was searched for, with the windows of each.
    async fn find(
        &self,
        query: Option<TraceQueryParameters>,
    ) -> Result<Vec<(TraceId, Window, Window)>, Status> {
        let asked = asked(&query.unwrap_or_default()).map_err(|error| status(&error))?;
        let Some(asked) = asked else { return Ok(Vec::new()) };
        let find = self.doors.read("find", move |reader, stop| {
            let found = reader.find(&asked.filter, asked.results_max, stop)?.into_iter();
            let views = found.map(|found| found.view(asked.mode));
            let windows = |view: &kausal_trace::ViewId| Window(view.first.0 + view.windows - 1);
            let named = views.filter_map(|view| Some((view.encode()?, view.first, windows(&view))));
            Ok(named.collect::<Vec<_>>())
        });
        find.await.map_err(|error| status(&error))
    }
}

#[tonic::async_trait]
impl trace_reader_server::TraceReader for TraceReader {
    type GetTracesStream = Traces;
    type FindTracesStream = Traces;
    type FindTraceSummariesStream = Empty<Result<FindTraceSummariesResponse, Status>>;

    async fn get_traces(
        &self,
        request: Request<GetTracesRequest>,
    ) -> Result<Response<Traces>, Status> {
        let ids = ids(&request.into_inner())?;
        let doors = self.doors.clone();
        Ok(Response::new(stream(move |out| send(doors, ids, out))))
    }

    async fn find_traces(
        &self,
        request: Request<FindTracesRequest>,
    ) -> Result<Response<Traces>, Status> {
        let found = self.find(request.into_inner().query).await?;
        let ids = found.into_iter().map(|(id, ..)| id).collect();
        let doors = self.doors.clone();
        Ok(Response::new(stream(move |out| send(doors, ids, out))))
    }

    async fn find_trace_i_ds(
        &self,
        request: Request<FindTraceIDsRequest>,
    ) -> Result<Response<FindTraceIDsResponse>, Status> {
        let found = self.find(request.into_inner().query).await?.into_iter();
        let trace_ids = found.map(|(id, first, last)| FoundTraceId {
            trace_id: id.0.to_vec(),
            start: Some(timestamp(first.start())),
            end: Some(timestamp(last.end())),
        });
        Ok(Response::new(FindTraceIDsResponse { trace_ids: trace_ids.collect() }))
    }

    async fn get_services(
        &self,
        _: Request<GetServicesRequest>,
    ) -> Result<Response<GetServicesResponse>, Status> {
        let services = Mode::all().map(|mode| mode.to_string()).collect();
        Ok(Response::new(GetServicesResponse { services }))
    }

    async fn get_operations(
        &self,
        request: Request<GetOperationsRequest>,
    ) -> Result<Response<GetOperationsResponse>, Status> {
        let service = request.into_inner().service;
        if !service.is_empty() && service.parse::<Mode>().is_err() {
            return Ok(Response::new(GetOperationsResponse::default()));
        }
        let clusters = self.doors.read("clusters", |reader, _| reader.clusters()).await;
        let clusters = clusters.map_err(|error| status(&error))?.into_iter();
        let operations = clusters.map(|name| Operation { name, span_kind: String::new() });
        Ok(Response::new(GetOperationsResponse { operations: operations.collect() }))
    }

    async fn find_trace_summaries(
        &self,
        _: Request<FindTraceSummariesRequest>,
    ) -> Result<Response<Self::FindTraceSummariesStream>, Status> {
        Err(Status::unimplemented("summaries are counted over FindTraces"))
    }
}

/// Sends traces one after another; each is read when the one before it is on its way.
async fn send(doors: Doors, ids: Vec<TraceId>, out: Arc<Out>) -> Result<(), Left> {
    for id in ids {
        match doors.read("trace", move |reader, stop| reader.messages(id, stop)).await {
            Ok(messages) => out.trace(messages).await?,
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
