//! The gRPC door over a real port, with a real store behind it.

use std::collections::BTreeSet;
use std::sync::Arc;

use kausal_proto::collector::trace_service_client::TraceServiceClient;
use kausal_proto::raw::ExportTraceServiceRequest;
use kausal_proto::storage::any_value::Value;
use kausal_proto::storage::capabilities_client::CapabilitiesClient;
use kausal_proto::storage::dependency_reader_client::DependencyReaderClient;
use kausal_proto::storage::trace_reader_client::TraceReaderClient;
use kausal_proto::storage::{
    AnyValue, FindTraceIDsRequest, FindTraceSummariesRequest, FindTracesRequest,
    GetCapabilitiesRequest, GetDependenciesRequest, GetOperationsRequest, GetServicesRequest,
    GetTraceParams, GetTracesRequest, KeyValue, TraceQueryParameters,
};
use kausal_store::{
    Acknowledgement, ReadBudget, SearchAnswer, SearchQuery, SpanStore, StoreError, StoreStats,
    StoredTrace,
};
use kausal_trace::{KeyHash, SpanBatch, TraceId, UnixNanos, export};
use opentelemetry_proto::tonic::trace::v1::TracesData;
use prometheus_client::registry::Registry;
use prost::Message;
use prost_types::Timestamp;
use tokio::sync::oneshot;
use tonic::transport::Channel;
use tonic::{Code, Streaming};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::{grpc_router, leave};
use crate::testing::{Act, Bed, Facts, Server, T0, at, key, web};
use crate::{Doors, Metrics, ReadConfig, Reader};

struct Client {
    server: Server,
    channel: Channel,
}

impl Client {
    async fn of(doors: Doors) -> Self {
        let server = Server::start(grpc_router(doors).await.0).await;
        let url = format!("http://{}", server.address);
        let channel = Channel::from_shared(url).unwrap().connect().await.unwrap();
        Self { server, channel }
    }

    fn reader(&self) -> TraceReaderClient<Channel> {
        TraceReaderClient::new(self.channel.clone())
    }

    async fn get(&self, ids: &[&[u8]]) -> Result<Vec<Vec<u8>>, Code> {
        let query = ids.iter().map(|id| GetTraceParams {
            trace_id: id.to_vec(),
            // Jaeger's absent times.
            start_time: Some(Timestamp { seconds: -62_135_596_800, nanos: 0 }),
            end_time: Some(Timestamp { seconds: -62_135_596_800, nanos: 0 }),
        });
        let request = GetTracesRequest { query: query.collect() };
        let answer = self.reader().get_traces(request).await.map_err(|status| status.code())?;
        drain(answer.into_inner()).await
    }

    async fn find(&self, query: TraceQueryParameters) -> Vec<(TraceId, usize)> {
        let request = FindTracesRequest { query: Some(query.clone()) };
        let stream = self.reader().find_traces(request).await.unwrap().into_inner();
        let mut found: Vec<(TraceId, usize)> = Vec::new();
        for message in drain(stream).await.unwrap() {
            let (id, spans) = one_trace(&message);
            match found.last_mut() {
                Some(last) if last.0 == id => last.1 += spans,
                _ => found.push((id, spans)),
            }
        }
        let request = FindTraceIDsRequest { query: Some(query) };
        let ids = self.reader().find_trace_i_ds(request).await.unwrap().into_inner().trace_ids;
        let ids: Vec<_> = ids.into_iter().map(|found| found.trace_id).collect();
        assert_eq!(ids, found.iter().map(|(id, _)| id.0.to_vec()).collect::<Vec<_>>());
        found
    }
}

async fn drain(mut stream: Streaming<kausal_proto::raw::TracesData>) -> Result<Vec<Vec<u8>>, Code> {
    let mut messages = Vec::new();
    while let Some(message) = stream.message().await.map_err(|status| status.code())? {
        assert!(message.0.len() <= 1 << 20, "a message of {} bytes", message.0.len());
        messages.push(message.0.to_vec());
    }
    Ok(messages)
}

/// The one trace id of a message, and its number of spans.
fn one_trace(message: &[u8]) -> (TraceId, usize) {
    let data = TracesData::decode(message).expect("OTLP");
    let scopes = data.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    let spans: Vec<_> = scopes.flat_map(|scope| &scope.spans).collect();
    let ids: BTreeSet<_> = spans.iter().map(|span| span.trace_id.clone()).collect();
    assert_eq!(ids.len(), 1, "several traces in one message");
    let id = ids.first().unwrap().as_slice().try_into().expect("16 bytes");
    (TraceId(id), spans.len())
}

fn attributes(pairs: &[(&str, &str)]) -> Vec<KeyValue> {
    let value = |text: &str| AnyValue { value: Some(Value::StringValue(text.to_owned())) };
    let pair =
        |(key, text): &(&str, &str)| KeyValue { key: (*key).to_owned(), value: Some(value(text)) };
    pairs.iter().map(pair).collect()
}

fn search(pairs: &[(&str, &str)]) -> TraceQueryParameters {
    TraceQueryParameters {
        service_name: "tracing [owned objects]".to_owned(),
        attributes: attributes(pairs),
        search_depth: 20,
        ..TraceQueryParameters::default()
    }
}

fn bed_of(facts: Facts) -> Arc<Bed> {
    let bed = Bed::new();
    bed.store(facts);
    Arc::new(bed)
}

/// Stores first, outside of any runtime, then runs the test in one.
fn with_bed<F: Future<Output = ()>>(facts: Facts, test: impl FnOnce(Arc<Bed>) -> F) {
    let bed = bed_of(facts);
    tokio::runtime::Runtime::new().unwrap().block_on(test(bed));
}

#[test]
fn ids_found_by_search_open() {
    with_bed(web(2), |bed| async move {
        let client = Client::of(bed.doors()).await;
        let service_name = "tracing".to_owned();
        let alices = search(&[("username", "alice")]);
        let found = client.find(TraceQueryParameters { service_name, ..alices }).await;
        assert_eq!(found.len(), 2, "{found:?}");
        for (id, spans) in found {
            let messages = client.get(&[&id.0]).await.unwrap();
            let opened: Vec<_> = messages.iter().map(|message| one_trace(message)).collect();
            assert!(opened.iter().all(|(opened, _)| *opened == id));
            assert_eq!(opened.iter().map(|(_, spans)| spans).sum::<usize>(), spans);
        }
    });
}

#[test]
fn several_hits_of_one_object_are_one_result() {
    with_bed(web(5), |bed| async move {
        let client = Client::of(bed.doors()).await;
        let by_search = client.find(search(&[("resource", "deployments")])).await;
        assert_eq!(by_search.len(), 1);
        let name = [("resource", "deploy"), ("name", "web"), ("namespace", "shop")];
        assert_eq!(client.find(search(&name)).await, by_search);
        let service_name = "tracing".to_owned();
        let everything = TraceQueryParameters { search_depth: 3, service_name, ..search(&[]) };
        assert_eq!(client.find(everything).await.len(), 3);
        assert!(client.find(search(&[("name", "nobody")])).await.is_empty());
    });
}

#[test]
fn time_and_cluster_narrow_a_search() {
    let mut facts = web(0);
    facts.act(&key("c2/apps/deployments/shop/web"), Act { at: at(7_200), ..Act::default() });
    with_bed(facts, |bed| async move {
        let client = Client::of(bed.doors()).await;
        let stamp = |time: UnixNanos| Some(super::times::timestamp(time));
        let count = async |query| client.find(query).await.len();
        let web = || search(&[("resource", "deployments"), ("name", "web")]);
        assert_eq!(count(web()).await, 2);
        let operation_name = "c2".to_owned();
        assert_eq!(count(TraceQueryParameters { operation_name, ..web() }).await, 1);
        let operation_name = "elsewhere".to_owned();
        assert_eq!(count(TraceQueryParameters { operation_name, ..web() }).await, 0);
        let (start_time_min, start_time_max) = (stamp(at(3_600)), stamp(at(7_200)));
        let query = TraceQueryParameters { start_time_min, start_time_max, ..web() };
        assert_eq!(count(query).await, 1);
        let start_time_max = stamp(at(-1));
        assert_eq!(count(TraceQueryParameters { start_time_max, ..web() }).await, 0);
        let service_name = "somebody's service".to_owned();
        assert_eq!(count(TraceQueryParameters { service_name, ..web() }).await, 0);
        let service_name = String::new();
        assert_eq!(count(TraceQueryParameters { service_name, ..web() }).await, 2);
    });
}

#[test]
fn unknown_ids_are_empty_and_wrong_ones_refused() {
    with_bed(web(1), |bed| async move {
        let client = Client::of(bed.doors()).await;
        assert_eq!(client.get(&[&[0xff; 16], &[7; 16], &[0; 16]]).await, Ok(vec![]));
        assert_eq!(client.get(&[]).await, Ok(vec![]));
        for wrong in [&[][..], &[1; 8], &[1; 17]] {
            assert_eq!(client.get(&[wrong]).await, Err(Code::InvalidArgument));
        }
        let hash = KeyHash::of(key("c1/apps/deployments/shop/web").as_ref());
        let facts = TraceId::facts_at(hash, T0);
        let twice = client.get(&[&facts.0, &[9; 16], &facts.0]).await.unwrap();
        assert_eq!(
            twice.iter().map(|message| one_trace(message)).collect::<Vec<_>>(),
            [(facts, 3)]
        );
        let many = vec![&[1_u8; 16][..]; 1_001];
        assert_eq!(client.get(&many).await, Err(Code::InvalidArgument));
    });
}

#[test]
fn modes_are_services_and_clusters_operations() {
    with_bed(web(0), |bed| async move {
        let client = Client::of(bed.doors()).await;
        let mut reader = client.reader();
        let services = reader.get_services(GetServicesRequest {}).await.unwrap().into_inner();
        assert_eq!(services.services[0], "tracing");
        assert!(services.services.contains(&"tree [full tree]".to_owned()));
        let mut operations = async |service: &str| {
            let request =
                GetOperationsRequest { service: service.to_owned(), span_kind: String::new() };
            let answer = reader.get_operations(request).await.unwrap().into_inner().operations;
            answer.into_iter().map(|operation| operation.name).collect::<Vec<_>>()
        };
        assert_eq!(operations("tree").await, ["c1"]);
        assert_eq!(operations("").await, ["c1"]);
        assert!(operations("checkout").await.is_empty());
    });
}

/// Root, spans, errors and orphans of an opened trace, as Jaeger would count them.
fn counted(message: &[u8]) -> (String, [usize; 3]) {
    let data = TracesData::decode(message).expect("OTLP");
    let scopes = data.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    let spans: Vec<_> = scopes.flat_map(|scope| &scope.spans).collect();
    let ids: BTreeSet<_> = spans.iter().map(|span| span.span_id.clone()).collect();
    let root = spans.iter().find(|span| span.parent_span_id.is_empty()).expect("a root");
    let failed = spans.iter().filter(|span| span.status.as_ref().is_some_and(|s| s.code == 2));
    let lost = spans
        .iter()
        .filter(|span| !span.parent_span_id.is_empty() && !ids.contains(&span.parent_span_id));
    (root.name.clone(), [spans.len(), failed.count(), lost.count()])
}

#[test]
fn a_summary_counts_what_the_trace_shows() {
    with_bed(web(5), |bed| async move {
        let client = Client::of(bed.doors()).await;
        for mode in ["tracing [owned objects]", "tree [full tree]"] {
            let query = TraceQueryParameters {
                service_name: mode.to_owned(),
                ..search(&[("user", "bob")])
            };
            let request = FindTraceSummariesRequest { query: Some(query) };
            let mut stream =
                client.reader().find_trace_summaries(request).await.unwrap().into_inner();
            let page = stream.message().await.unwrap().expect("a page");
            let [summary] = page.summaries.as_slice() else { panic!("{page:?}") };
            let messages = client.get(&[&summary.trace_id]).await.unwrap();
            let (root, counts) = counted(&messages[0]);
            assert_eq!(summary.root_operation_name, root);
            let told = [summary.span_count, summary.error_span_count, summary.orphan_span_count];
            assert_eq!(told.map(|count| usize::try_from(count).unwrap()), counts, "{mode}");
            let by_service: i32 = summary.services.iter().map(|service| service.span_count).sum();
            assert_eq!(by_service, summary.span_count, "{mode}");
        }
    });
}

#[test]
fn the_architecture_is_which_resources_own_which() {
    with_bed(web(3), |bed| async move {
        let client = Client::of(bed.doors()).await;
        let mut reader = DependencyReaderClient::new(client.channel.clone());
        let answer = reader.get_dependencies(GetDependenciesRequest::default()).await.unwrap();
        let arrows = answer.into_inner().dependencies.into_iter();
        let arrows: Vec<_> =
            arrows.map(|arrow| (arrow.parent, arrow.child, arrow.call_count)).collect();
        let arrow = |parent: &str, child: &str, count| (parent.to_owned(), child.to_owned(), count);
        assert_eq!(
            arrows,
            [arrow("deployments", "replicasets", 1), arrow("replicasets", "pods", 3)]
        );
    });
}

#[test]
fn searches_need_no_service_and_find_everything_on_one_span() {
    with_bed(Facts::default(), |bed| async move {
        let client = Client::of(bed.doors()).await;
        let mut capabilities = CapabilitiesClient::new(client.channel.clone());
        let answer = capabilities.get_capabilities(GetCapabilitiesRequest {}).await.unwrap();
        let search = answer.into_inner().search.expect("of searches");
        assert!(search.without_service_name && search.same_span_conjunction);
        assert_eq!(search.filter, None);
    });
}

#[test]
fn health_tells_serving_and_leaving() {
    with_bed(Facts::default(), |bed| async move {
        let (router, reporter) = grpc_router(bed.doors()).await;
        let server = Server::start(router).await;
        let url = format!("http://{}", server.address);
        let channel = Channel::from_shared(url).unwrap().connect().await.unwrap();
        let mut health = HealthClient::new(channel);
        let mut check = async |service: &str| {
            let request = HealthCheckRequest { service: service.to_owned() };
            health.check(request).await.map(|answer| answer.into_inner().status())
        };
        for name in ["", "jaeger.storage.v2.TraceReader", "jaeger.storage.v2.TraceWriter"] {
            assert_eq!(check(name).await.unwrap(), ServingStatus::Serving);
        }
        assert_eq!(check("unheard.of").await.unwrap_err().code(), Code::NotFound);
        leave(&reporter).await;
        assert_eq!(check("").await.unwrap(), ServingStatus::NotServing);
    });
}

fn exported(batch: &SpanBatch) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest(export::encode(batch.iter()).into())
}

#[test]
fn exported_spans_are_durable_and_readable_when_answered() {
    with_bed(Facts::default(), |bed| async move {
        let client = Client::of(bed.doors()).await;
        let mut writer = TraceServiceClient::new(client.channel.clone());
        let facts = web(1);
        let answer = writer.export(exported(&facts.batch)).await.unwrap().into_inner();
        assert_eq!(answer.partial_success, None);
        let found = client.find(search(&[("name", "web")])).await;
        assert_eq!(found.len(), 1);
        // The same again lands on itself.
        writer.export(exported(&facts.batch)).await.unwrap();
        assert_eq!(client.find(search(&[("name", "web")])).await, found);
        drop(client.server);
    });
}

#[test]
fn foreign_spans_are_refused_with_their_reason_and_cost_nothing_else() {
    with_bed(Facts::default(), |bed| async move {
        let client = Client::of(bed.doors()).await;
        let mut writer = TraceServiceClient::new(client.channel.clone());
        let mut facts = web(0);
        let ours: Vec<_> = facts.batch.iter().map(|record| record.bytes.to_vec()).collect();
        let stolen: Vec<u8> = ours[0].clone();
        let far = at(400 * 86_400);
        facts.act(&key("c1/apps/deployments/shop/web"), Act { at: far, ..Act::default() });
        let mut message = exported(&facts.batch).0.to_vec();
        // A fact in another object's trace: the id is in the first 18 bytes of the span.
        let mut moved = stolen;
        moved[3] ^= 1;
        let record = kausal_trace::SpanRecord {
            trace: TraceId([0; 16]),
            span: kausal_trace::SpanId([0; 8]),
            bytes: &moved,
        };
        message.extend(export::encode([record]));
        let request = ExportTraceServiceRequest(message.into());
        let answer = writer.export(request).await.unwrap().into_inner();
        let partial = answer.partial_success.expect("some refused");
        // The fact of next year and its frame, and the moved one.
        assert_eq!(partial.rejected_spans, 3, "{}", partial.error_message);
        for reason in ["foreign trace id", "ahead of the clock"] {
            assert!(partial.error_message.contains(reason), "{}", partial.error_message);
        }
        assert_eq!(client.find(search(&[("name", "web")])).await.len(), 1);
        let nonsense = ExportTraceServiceRequest(vec![0xff, 0xff].into());
        let status = writer.export(nonsense).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
    });
}

/// A store that takes nothing now: the one answer a real one gives only under load.
struct Full;

impl SpanStore for Full {
    fn submit(&self, _: SpanBatch) -> Acknowledgement {
        let (sender, receiver) = oneshot::channel();
        sender.send(Err(StoreError::Busy)).ok();
        receiver
    }

    fn try_submit(&self, batch: SpanBatch) -> Result<Acknowledgement, SpanBatch> {
        Err(batch)
    }

    fn traces(&self, _: &[TraceId], _: ReadBudget) -> Result<Vec<StoredTrace>, StoreError> {
        Err(StoreError::Closed)
    }

    fn search(&self, _: &SearchQuery) -> Result<SearchAnswer, StoreError> {
        Err(StoreError::Closed)
    }

    fn clusters(&self) -> Result<Vec<String>, StoreError> {
        Err(StoreError::Closed)
    }

    fn stats(&self) -> Result<StoreStats, StoreError> {
        Err(StoreError::Closed)
    }
}

#[tokio::test]
async fn a_full_store_asks_to_try_again() {
    let limits = ReadConfig::default().validate().unwrap();
    let metrics = Metrics::register(&mut Registry::default());
    let client = Client::of(Doors::new(Reader::new(Arc::new(Full), limits), metrics)).await;
    let mut writer = TraceServiceClient::new(client.channel.clone());
    let status = writer.export(exported(&web(0).batch)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("busy"), "{status}");
    assert_eq!(client.get(&[&[1; 16]]).await, Err(Code::Unavailable));
}

#[test]
fn a_dropped_stream_ends_the_work() {
    // Facts of 40 windows, more than any flow-control window takes in advance.
    let (mut facts, deploy) = (Facts::default(), key("c1/apps/deployments/shop/web"));
    let long = "x".repeat(400 << 10);
    for window in 0..40 {
        facts.act(&deploy, Act { at: at(window * 1_800), uid: &long, ..Act::default() });
    }
    with_bed(facts, |bed| async move {
        let client = Client::of(bed.doors()).await;
        let hash = KeyHash::of(deploy.as_ref());
        let query = (0..40).map(|window| GetTraceParams {
            trace_id: TraceId::facts_at(hash, at(window * 1_800)).0.to_vec(),
            ..GetTraceParams::default()
        });
        let request = GetTracesRequest { query: query.collect() };
        let mut stream = client.reader().get_traces(request).await.unwrap().into_inner();
        assert!(stream.message().await.unwrap().is_some());
        drop(stream);
        drop(client);
        while bed.metrics.at_work() > 0 {
            tokio::task::yield_now().await;
        }
        let read = bed.metrics.reads("trace", "ok");
        assert!(read > 0 && read < 40, "{read} traces were read");
    });
}
