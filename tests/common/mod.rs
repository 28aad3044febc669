//! The whole way from audit log to answers, inside the test: the real pipeline, the real store.

use std::collections::BTreeSet;
use std::sync::Arc;

use kausal_audit::Limits;
use kausal_consumers::intake::{HandOver, Intake};
use kausal_consumers::sink::{SinkError, StoreSink};
use kausal_consumers::{ClusterName, FilterConfig, Metrics, Pipeline, PipelineParts};
use kausal_object::{ObjectKey, Redaction};
use kausal_runtime::prometheus_client::registry::Registry;
use kausal_storage_plugin::{ObjectQuery, ReadConfig, Reader, Stop};
use kausal_store::{Clock, EmbeddedConfig, EmbeddedStore, SearchQuery, SpanStore};
use kausal_story::{Mode, Story};
use kausal_trace::{SpanRef, UnixNanos, attribute};

/// The redaction key of tests: views are the same under the same key.
const KEY: [u8; 32] = [7; 32];

/// An audit log that was ingested, and whoever answers questions about it.
pub(crate) struct Told {
    pub(crate) reader: Reader,
    pipeline: Arc<Pipeline>,
    _dir: tempfile::TempDir,
}

impl Told {
    /// An empty store. Its clock stands far enough ahead for every shifted capture.
    pub(crate) fn nothing() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let clock =
            Clock::new(|| UnixNanos::parse_rfc3339("2026-12-01T00:00:00Z").expect("a time"));
        let mut config = EmbeddedConfig::new(dir.path().join("store"));
        config.clock = Some(clock.clone());
        let store = Arc::new(EmbeddedStore::open(&config, None).expect("the store opens"));
        let pipeline = Pipeline::new(PipelineParts {
            filter: FilterConfig::default().validate().expect("the default filter"),
            redaction: Arc::new(Redaction::new(KEY, &[] as &[&str]).expect("no rules")),
            limits: Limits::default(),
            sink: Arc::new(StoreSink::new(store.clone())),
            dead_letters: None,
            clock,
            metrics: Metrics::register(&mut Registry::default()),
        });
        let limits = ReadConfig::default().validate().expect("the default limits");
        let reader = Reader::new(store as Arc<dyn SpanStore>, limits);
        Self { reader, pipeline, _dir: dir }
    }

    /// The story of one log.
    pub(crate) fn of(log: &str) -> Self {
        let told = Self::nothing();
        told.ingest(log);
        told
    }

    /// Takes a log as one piece of input of the cluster `capture`.
    pub(crate) fn ingest(&self, log: &str) {
        self.take("file", |intake, hand_over| intake.take(log.as_bytes(), 0, hand_over));
    }

    /// Takes a log as an apiserver would send it: lists of 400 events.
    pub(crate) fn receive(&self, log: &str) {
        let lines: Vec<&str> = log.lines().collect();
        for items in lines.chunks(400) {
            let items = items.join(",");
            let kind = r#""kind":"EventList","apiVersion":"audit.k8s.io/v1""#;
            let body = format!(r#"{{{kind},"metadata":{{}},"items":[{items}]}}"#);
            self.take("webhook", |intake, hand_over| {
                let answer = intake.take_webhook_body(body.as_bytes(), hand_over)?;
                answer.expect("an EventList");
                Ok(())
            });
        }
    }

    fn take(
        &self,
        source: &'static str,
        work: impl FnOnce(&mut Intake<'_>, HandOver<'_>) -> Result<(), SinkError>,
    ) {
        let cluster = ClusterName::new("capture").expect("a name");
        let mut intake = self.pipeline.intake(source, "log", cluster);
        let mut under_way = Vec::new();
        let mut hand_over = |parcel| {
            under_way.push(self.pipeline.hand_over(parcel));
            Ok(())
        };
        work(&mut intake, &mut hand_over).expect("taken");
        hand_over(intake.finish()).expect("handed over");
        for parcel in under_way {
            self.pipeline.acknowledged_blocking(parcel).expect("durable");
        }
    }

    /// The story of an object in the namespace `shop`.
    pub(crate) fn story(&self, object: &str) -> Story {
        self.reader.story(&query(object), &Stop::default()).expect("a story")
    }

    /// Every object that has facts, once requests are merged: a record that did not know its
    /// object's name belongs to the act it became, and the write of an Event whose body was
    /// lost to the event.
    pub(crate) fn objects(&self) -> BTreeSet<ObjectKey> {
        let store = self.reader.store();
        let found = store.search(&SearchQuery::newest(1_000_000)).expect("facts");
        assert!(!found.exhausted);
        let spans = found.hits.iter().map(|hit| SpanRef::parse(&hit.bytes).expect("a span"));
        let spans: Vec<_> = spans.collect();
        let whole = spans.iter().filter(|span| !is_partial(span));
        let whole: BTreeSet<_> = whole.map(|span| span.str(attribute::AUDIT_ID)).collect();
        let is_told = |span: &SpanRef<'_>| whole.contains(span.str(attribute::AUDIT_ID));
        let facts = spans.iter().filter(|span| !is_partial(span) || !is_told(span));
        facts.map(|span| span.object_key().to_owned()).collect()
    }

    /// The story of any object.
    pub(crate) fn story_of(&self, object: &ObjectKey) -> Story {
        let resource = match object.group.as_str() {
            "" => object.resource.clone(),
            group => format!("{}.{group}", object.resource),
        };
        let query = ObjectQuery {
            cluster: Some(object.cluster.clone()),
            resource,
            namespace: Some(object.namespace.clone()),
            name: object.name.clone(),
            mode: Some("tracing".parse().expect("a mode")),
            ..ObjectQuery::default()
        };
        self.reader.story(&query, &Stop::default()).unwrap_or_else(|e| panic!("{object}: {e}"))
    }

    /// The view of an object in the namespace `shop`, as its bytes on the wire.
    pub(crate) fn view(&self, object: &str, mode: &str) -> Vec<Vec<u8>> {
        let mode: Mode = mode.parse().expect("a mode");
        let query = ObjectQuery { mode: Some(mode), ..query(object) };
        let view = self.reader.view(&query, &Stop::default()).expect("a view");
        kausal_trace::view::encode(&view.spans, kausal_trace::view::MESSAGE_BYTES_MAX)
    }
}

/// The question for `deploy/web` in the namespace `shop`.
pub(crate) fn query(object: &str) -> ObjectQuery {
    let query = ObjectQuery::typed(object, None).expect("an object");
    ObjectQuery { namespace: Some("shop".to_owned()), ..query }
}

fn is_partial(span: &SpanRef<'_>) -> bool {
    let is_create = span.str(attribute::VERB) == "create";
    let is_nameless = span.str(attribute::NAME).is_empty();
    let is_event_write = span.name != "event" && span.str(attribute::RESOURCE) == "events";
    is_create && is_nameless || is_event_write
}
