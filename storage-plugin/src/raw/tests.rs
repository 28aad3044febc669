//! Raw mode over a real port, with a real store behind it.

use std::sync::Arc;

use kausal_proto::collector::trace_service_client::TraceServiceClient;
use kausal_proto::raw::ExportTraceServiceRequest;
use kausal_proto::storage::any_value::Value;
use kausal_proto::storage::dependency_reader_client::DependencyReaderClient;
use kausal_proto::storage::trace_reader_client::TraceReaderClient;
use kausal_proto::storage::{
    AnyValue, FindTraceIDsRequest, FindTraceSummariesRequest, FindTracesRequest,
    GetDependenciesRequest, GetOperationsRequest, GetServicesRequest, GetTraceParams,
    GetTracesRequest, KeyValue, TraceQueryParameters,
};
use kausal_store::Clock;
use kausal_store::raw::{RawConfig, RawStore};
use kausal_trace::UnixNanos;
use opentelemetry_proto::tonic::common::v1 as common;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, TracesData};
use prometheus_client::registry::Registry;
use prost::Message as _;
use prost_types::Timestamp;
use tonic::transport::Channel;
use tonic::{Code, Streaming};

use super::{RawTraces, raw_routers};
use crate::http::Pages;
use crate::testing::Server;
use crate::{Metrics, ReadConfig};

struct Desk {
    _dir: tempfile::TempDir,
    _server: Server,
    channel: Channel,
}

impl Desk {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = RawConfig {
            dir: dir.path().to_owned(),
            retention: std::time::Duration::from_hours(1),
            bytes_max: 64 << 20,
            clock: Clock::new(|| UnixNanos::from_seconds(1_000)),
        };
        let store = Arc::new(RawStore::open(config, None).unwrap());
        let traces = RawTraces::new(store, ReadConfig::default().validate().unwrap());
        let metrics = Metrics::register(&mut Registry::default());
        let server =
            Server::start(raw_routers(traces, &Pages::default(), metrics).await.grpc).await;
        let url = format!("http://{}", server.address);
        let channel = Channel::from_shared(url).unwrap().connect().await.unwrap();
        Self { _dir: dir, _server: server, channel }
    }

    /// What was refused, if anything.
    async fn export(&self, sent: &TracesData) -> Option<(i64, String)> {
        let request = ExportTraceServiceRequest(sent.encode_to_vec().into());
        let mut writer = TraceServiceClient::new(self.channel.clone());
        let answer = writer.export(request).await.unwrap().into_inner();
        answer.partial_success.map(|partial| (partial.rejected_spans, partial.error_message))
    }

    fn reader(&self) -> TraceReaderClient<Channel> {
        TraceReaderClient::new(self.channel.clone())
    }

    async fn get(&self, id: u8) -> Vec<ResourceSpans> {
        let query = GetTraceParams { trace_id: vec![id; 16], ..GetTraceParams::default() };
        let request = GetTracesRequest { query: vec![query] };
        drain(self.reader().get_traces(request).await.unwrap().into_inner()).await
    }

    /// Ids of the traces found, in their order; the three ways to ask give the same.
    async fn find(&self, query: TraceQueryParameters) -> Vec<u8> {
        let query = Some(query);
        let request = FindTraceIDsRequest { query: query.clone() };
        let ids = self.reader().find_trace_i_ds(request).await.unwrap().into_inner().trace_ids;
        let ids: Vec<_> = ids.iter().map(|found| found.trace_id[0]).collect();

        let request = FindTraceSummariesRequest { query: query.clone() };
        let mut rows = self.reader().find_trace_summaries(request).await.unwrap().into_inner();
        let mut listed = Vec::new();
        while let Some(page) = rows.message().await.unwrap() {
            listed.extend(page.summaries.into_iter().map(|summary| summary.trace_id[0]));
        }
        let request = FindTracesRequest { query };
        let traces = drain(self.reader().find_traces(request).await.unwrap().into_inner()).await;
        let mut opened: Vec<_> =
            traces.iter().map(|r| r.scope_spans[0].spans[0].trace_id[0]).collect();
        opened.dedup();
        assert_eq!((&listed, &opened), (&ids, &ids));
        ids
    }
}

async fn drain(mut stream: Streaming<kausal_proto::raw::TracesData>) -> Vec<ResourceSpans> {
    let mut all = Vec::new();
    while let Some(message) = stream.message().await.unwrap() {
        assert!(message.0.len() <= 1 << 20, "a message of {} bytes", message.0.len());
        all.extend(TracesData::decode(&message.0[..]).unwrap().resource_spans);
    }
    all
}

fn text(key: &str, value: &str) -> common::KeyValue {
    let value = common::any_value::Value::StringValue(value.to_owned());
    let value = Some(common::AnyValue { value: Some(value) });
    common::KeyValue { key: key.to_owned(), value, ..common::KeyValue::default() }
}

/// A span of trace `trace` that starts in second `trace`.
fn span(trace: u8, id: u8, parent: u8, name: &str) -> Span {
    let start = u64::from(trace) * 1_000_000_000;
    Span {
        trace_id: vec![trace; 16],
        span_id: vec![id; 8],
        parent_span_id: if parent == 0 { Vec::new() } else { vec![parent; 8] },
        name: name.to_owned(),
        kind: 2,
        start_time_unix_nano: start,
        end_time_unix_nano: start + 5_000_000,
        ..Span::default()
    }
}

fn of(service: &str, spans: Vec<Span>) -> ResourceSpans {
    let attributes = if service.is_empty() { vec![] } else { vec![text("service.name", service)] };
    ResourceSpans {
        resource: Some(Resource { attributes, ..Resource::default() }),
        scope_spans: vec![ScopeSpans { spans, schema_url: "s".into(), ..ScopeSpans::default() }],
        schema_url: "r".into(),
    }
}

/// Three traces: the shop asks the cart; a failure in the cart; and one that names no service.
fn three() -> TracesData {
    let mut failed = span(2, 1, 0, "PUT");
    failed.status = Some(Status { code: 2, ..Status::default() });
    failed.attributes = vec![text("user", "bob")];
    let (root, calls) = (span(1, 1, 0, "GET"), [span(1, 2, 1, "read"), span(1, 3, 1, "read")]);
    let shop = of("shop", vec![root]);
    let cart = of("cart", [&calls[..], &[failed]].concat());
    TracesData { resource_spans: vec![shop, cart, of("", vec![span(3, 1, 9, "lost")])] }
}

fn asking(service: &str, attributes: &[(&str, &str)]) -> TraceQueryParameters {
    let pair = |(key, value): &(&str, &str)| KeyValue {
        key: (*key).to_owned(),
        value: Some(AnyValue { value: Some(Value::StringValue((*value).to_owned())) }),
    };
    TraceQueryParameters {
        service_name: service.to_owned(),
        attributes: attributes.iter().map(pair).collect(),
        ..TraceQueryParameters::default()
    }
}

#[tokio::test]
async fn a_trace_is_read_back_as_it_was_exported() {
    let desk = Desk::new().await;
    assert_eq!(desk.export(&three()).await, None);
    let lost = TracesData { resource_spans: desk.get(3).await };
    assert_eq!(lost.resource_spans, [of("", vec![span(3, 1, 9, "lost")])]);
    let mut first = desk.get(1).await;
    first.sort_by_key(|resource| resource.scope_spans[0].spans[0].name.clone());
    let calls = vec![span(1, 2, 1, "read"), span(1, 3, 1, "read")];
    assert_eq!(first, [of("shop", vec![span(1, 1, 0, "GET")]), of("cart", calls)]);
    assert_eq!(desk.get(9).await, []);
}

#[tokio::test]
async fn searches_find_what_is_on_one_span_newest_first() {
    let desk = Desk::new().await;
    desk.export(&three()).await;
    let check = async |query, expect: &[u8]| assert_eq!(desk.find(query).await, expect);
    check(asking("", &[]), &[3, 2, 1]).await;
    check(asking("cart", &[]), &[2, 1]).await;
    check(asking("cart", &[("error", "true"), ("user", "bob")]), &[2]).await;
    // Each holds of a span of the trace, both of none.
    check(asking("shop", &[("user", "bob")]), &[]).await;
    check(TraceQueryParameters { operation_name: "read".into(), ..asking("cart", &[]) }, &[1])
        .await;
    check(TraceQueryParameters { search_depth: 1, ..asking("", &[]) }, &[3]).await;
    let until = Some(Timestamp { seconds: 2, nanos: 0 });
    check(TraceQueryParameters { start_time_max: until, ..asking("", &[]) }, &[2, 1]).await;
}

#[tokio::test]
async fn names_kinds_and_arrows() {
    let desk = Desk::new().await;
    desk.export(&three()).await;
    let services = desk.reader().get_services(GetServicesRequest {}).await.unwrap().into_inner();
    assert_eq!(services.services, ["cart", "shop"]);
    let operations = async |service: &str, kind: &str| {
        let (service, span_kind) = (service.to_owned(), kind.to_owned());
        let request = GetOperationsRequest { service, span_kind };
        let answer = desk.reader().get_operations(request).await.unwrap().into_inner().operations;
        answer
            .into_iter()
            .map(|found| format!("{} {}", found.name, found.span_kind))
            .collect::<Vec<_>>()
    };
    assert_eq!(operations("cart", "").await, ["PUT server", "read server"]);
    assert_eq!(operations("cart", "client").await, [""; 0]);
    assert_eq!(operations("car", "").await, [""; 0]);

    let (start, end) = (Timestamp { seconds: 1, nanos: 0 }, Timestamp { seconds: 4, nanos: 0 });
    let request = GetDependenciesRequest { start_time: Some(start), end_time: Some(end) };
    let mut reader = DependencyReaderClient::new(desk.channel.clone());
    let arrows = reader.get_dependencies(request).await.unwrap().into_inner().dependencies;
    let arrows: Vec<_> = arrows.iter().map(|a| (&*a.parent, &*a.child, a.call_count)).collect();
    assert_eq!(arrows, [("shop", "cart", 2)]);
}

#[tokio::test]
async fn a_summary_counts_spans_failures_and_orphans() {
    let desk = Desk::new().await;
    desk.export(&three()).await;
    let request = FindTraceSummariesRequest { query: Some(asking("", &[])) };
    let mut rows = desk.reader().find_trace_summaries(request).await.unwrap().into_inner();
    let rows = rows.message().await.unwrap().unwrap().summaries;
    let told = rows.iter().map(|row| {
        let counts = (row.span_count, row.error_span_count, row.orphan_span_count);
        (&*row.root_service_name, &*row.root_operation_name, counts)
    });
    let expect = [("", "", (1, 0, 1)), ("cart", "PUT", (1, 1, 0)), ("shop", "GET", (3, 0, 0))];
    assert_eq!(told.collect::<Vec<_>>(), expect);
}

#[tokio::test]
async fn what_nobody_could_decode_is_refused_with_its_reason() {
    let desk = Desk::new().await;
    let wrong = Span { span_id: vec![1; 3], ..span(1, 1, 0, "x") };
    let sent = TracesData { resource_spans: vec![of("shop", vec![wrong, span(1, 1, 0, "GET")])] };
    assert_eq!(desk.export(&sent).await, Some((1, "1 spans rejected: 1 malformed".to_owned())));
    assert_eq!(desk.get(1).await.len(), 1);
    let mut writer = TraceServiceClient::new(desk.channel.clone());
    let nonsense = ExportTraceServiceRequest(vec![0xff].into());
    assert_eq!(writer.export(nonsense).await.unwrap_err().code(), Code::InvalidArgument);
}
