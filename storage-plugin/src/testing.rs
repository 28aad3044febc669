//! Test only: a real embedded store in a folder of its own, filled with spans built by hand.

use std::net::SocketAddr;
use std::sync::Arc;

use kausal_object::{KeyRef, ObjectKey};
use kausal_runtime::CancellationToken;
use kausal_runtime::serve::{bind, serve};
use kausal_store::{EmbeddedConfig, EmbeddedStore, SpanStore};
use kausal_trace::{
    AuditIdentity, Day, KeyHash, LinkIdentity, NewSpan, SpanBatch, SpanId, TraceId, UnixNanos,
    Window, attribute as a,
};
use prometheus_client::registry::Registry;
use tempfile::TempDir;

use crate::{Doors, Metrics, ReadConfig, Reader};

/// 2026-11-20T15:00:00Z, the beginning of a window.
pub(crate) const T0: UnixNanos = UnixNanos(1_795_186_800_000_000_000);

/// So many seconds after [`T0`].
pub(crate) fn at(seconds: i64) -> UnixNanos {
    UnixNanos(T0.0.saturating_add_signed(seconds * 1_000_000_000))
}

/// `cluster/group/resource/namespace/name`.
pub(crate) fn key(text: &str) -> ObjectKey {
    let parts: Vec<_> = text.split('/').map(str::to_owned).collect();
    let [cluster, group, resource, namespace, name] = parts.try_into().expect("five parts");
    ObjectKey { cluster, group, resource, namespace, name }
}

/// One request.
#[derive(Clone, Copy)]
pub(crate) struct Act<'a> {
    pub(crate) at: UnixNanos,
    pub(crate) user: &'a str,
    pub(crate) verb: &'a str,
    pub(crate) code: i64,
    pub(crate) uid: &'a str,
    pub(crate) version: u64,
    pub(crate) replicas: u64,
    /// Bytes to make the body as large as real ones.
    pub(crate) padding: usize,
}

impl Default for Act<'_> {
    fn default() -> Self {
        Self {
            at: T0,
            user: "alice",
            verb: "patch",
            code: 200,
            uid: "u1",
            version: 1,
            replicas: 3,
            padding: 0,
        }
    }
}

/// Spans on their way to a store.
#[derive(Default)]
pub(crate) struct Facts {
    pub(crate) batch: SpanBatch,
}

impl Facts {
    /// A request with the state it made, and the frame that announces it.
    pub(crate) fn act(&mut self, object: &ObjectKey, act: Act<'_>) -> &mut Self {
        let key = object.as_ref();
        let audit_id = format!("{}-{}-{}", act.uid, act.version, act.at.0);
        let trace = TraceId::facts_at(KeyHash::of(key), act.at);
        let uri = format!("/apis/{}/{}", key.resource, key.name);
        let identity = AuditIdentity {
            audit_id: &audit_id,
            received: act.at,
            verb: act.verb,
            raw_uri: &uri,
            username: act.user,
        };
        let name = format!("audit {}", act.verb);
        let end = UnixNanos(act.at.0 + 5_000_000);
        let span = SpanId::audit(trace, key, &identity);
        let mut writer = self.batch.open(NewSpan { trace, span, name: &name, start: act.at, end });
        put_key(&mut writer, key);
        writer
            .str(a::AUDIT_ID, &audit_id)
            .str(a::AUDIT_STAGE, "ResponseComplete")
            .str(a::AUDIT_LEVEL, "RequestResponse")
            .str(a::VERB, act.verb)
            .str(a::UID, act.uid)
            .str(a::REQUEST_URI, &uri)
            .str(a::USERNAME, act.user)
            .int(a::STATUS_CODE, act.code);
        if act.code < 300 {
            writer
                .str(a::RESOURCE_VERSION_NEW, &act.version.to_string())
                .str(a::RESPONSE_OBJECT, &body(key, &act));
        } else {
            writer.str(a::ERROR_REASON, "Forbidden").error();
        }
        drop(writer);
        self.frame(key, Window::of(act.at));
        self
    }

    /// Owner and child, in both catalogues of a day.
    pub(crate) fn owns(&mut self, owner: &ObjectKey, child: &ObjectKey, day: Day) -> &mut Self {
        self.links(owner, child, "owner", day)
    }

    /// A link of any class, in both catalogues of a day.
    pub(crate) fn links(
        &mut self,
        parent: &ObjectKey,
        child: &ObjectKey,
        class: &str,
        day: Day,
    ) -> &mut Self {
        self.link(parent.as_ref(), child.as_ref(), ("child", class), day);
        self.link(child.as_ref(), parent.as_ref(), ("parent", class), day);
        self
    }

    fn frame(&mut self, key: KeyRef<'_>, window: Window) {
        let trace = TraceId::catalogue(KeyHash::of(key), window.day());
        let span = SpanId::object(trace, key, window);
        let (start, end) = (window.start(), window.end());
        let mut writer = self.batch.open(NewSpan { trace, span, name: "object", start, end });
        put_key(&mut writer, key);
    }

    fn link(&mut self, key: KeyRef<'_>, target: KeyRef<'_>, (role, class): (&str, &str), day: Day) {
        let trace = TraceId::catalogue(KeyHash::of(key), day);
        let (own_uid, target_uid) = ("", "");
        let identity = LinkIdentity { day, own_uid, target, target_uid, role, class };
        let span = SpanId::link(trace, key, &identity);
        let (start, end) = (day.start(), day.end());
        let mut writer = self.batch.open(NewSpan { trace, span, name: "link", start, end });
        put_key(&mut writer, key);
        writer
            .str(a::LINK_CLUSTER, target.cluster)
            .str(a::LINK_GROUP, target.group)
            .str(a::LINK_RESOURCE, target.resource)
            .str(a::LINK_NAMESPACE, target.namespace)
            .str(a::LINK_NAME, target.name)
            .str(a::LINK_ROLE, role)
            .str(a::LINK_CLASS, class);
    }
}

fn put_key(writer: &mut kausal_trace::SpanWriter<'_>, key: KeyRef<'_>) {
    writer
        .str(a::CLUSTER, key.cluster)
        .str(a::GROUP, key.group)
        .str(a::RESOURCE, key.resource)
        .str(a::NAMESPACE, key.namespace)
        .str(a::NAME, key.name);
}

fn body(key: KeyRef<'_>, act: &Act<'_>) -> String {
    let api_version =
        if key.group.is_empty() { "v1".to_owned() } else { format!("{}/v1", key.group) };
    let kind = kausal_object::kinds::kind(key.group, key.resource).unwrap_or("Backup");
    serde_json::json!({
        "kind": kind,
        "apiVersion": api_version,
        "metadata": {
            "name": key.name,
            "namespace": key.namespace,
            "uid": act.uid,
            "resourceVersion": act.version.to_string(),
        },
        "spec": {"replicas": act.replicas, "padding": "x".repeat(act.padding)},
    })
    .to_string()
}

/// A store and what reads it. The folder goes when this does.
pub(crate) struct Bed {
    pub(crate) store: Arc<EmbeddedStore>,
    pub(crate) reader: Reader,
    pub(crate) metrics: Metrics,
    folder: TempDir,
}

impl Bed {
    pub(crate) fn new() -> Self {
        Self::with(ReadConfig::default())
    }

    pub(crate) fn with(config: ReadConfig) -> Self {
        Self::at(tempfile::tempdir().expect("a folder"), config)
    }

    /// The same store, closed and opened again.
    pub(crate) fn reopened(self) -> Self {
        let Self { store, reader, metrics: _, folder } = self;
        drop((store, reader));
        Self::at(folder, ReadConfig::default())
    }

    fn at(folder: TempDir, config: ReadConfig) -> Self {
        let config_of_store = EmbeddedConfig::new(folder.path());
        let store = EmbeddedStore::open(&config_of_store, None).expect("a new store");
        let store = Arc::new(store);
        let limits = config.validate().expect("valid limits");
        let reader = Reader::new(store.clone(), limits);
        let metrics = Metrics::register(&mut Registry::default());
        Self { store, reader, metrics, folder }
    }

    /// Stores facts, durably.
    pub(crate) fn store(&self, facts: Facts) -> &Self {
        let acknowledgement = self.store.submit(facts.batch);
        acknowledgement.blocking_recv().expect("an answer").expect("durable");
        self
    }

    pub(crate) fn doors(&self) -> Doors {
        Doors::new(self.reader.clone(), self.metrics.clone())
    }
}

/// A router on a port of its own, until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
}

impl Server {
    pub(crate) async fn start(router: axum::Router) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = bind("test", address).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let stop = CancellationToken::new();
        tokio::spawn(serve(listener, None, router, stop.clone()));
        Self { address, stop }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A Deployment with one replica set and `pods` Pods, each with a few acts.
pub(crate) fn web(pods: usize) -> Facts {
    let mut facts = Facts::default();
    let deploy = key("c1/apps/deployments/shop/web");
    let set = key("c1/apps/replicasets/shop/web-1");
    let day = Day::of(T0);
    facts
        .act(&deploy, Act { verb: "create", code: 201, ..Act::default() })
        .act(&deploy, Act { at: at(60), user: "bob", version: 2, replicas: 5, ..Act::default() })
        .act(
            &deploy,
            Act { at: at(90), user: "mallory", verb: "delete", code: 403, ..Act::default() },
        )
        .act(&set, Act { at: at(1), verb: "create", code: 201, uid: "u2", ..Act::default() })
        .owns(&deploy, &set, day);
    for pod in 0..pods {
        let object = key(&format!("c1//pods/shop/web-1-{pod:04}"));
        let uid = format!("p{pod}");
        let act = Act { at: at(2), user: "system:node:n1", uid: &uid, ..Act::default() };
        facts
            .act(&object, Act { verb: "create", code: 201, ..act })
            .act(&object, Act { at: at(3), version: 2, ..act })
            .owns(&set, &object, day);
    }
    facts
}
