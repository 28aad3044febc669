//! Names of the attributes of stored spans: the words writer and reader share.
//!
//! **Invariant:** names are stored; renaming one is a change of the format.

/// `service.name` of the resource: `audit`, `event`, `change`, `object`, `link`.
pub const SERVICE_NAME: &str = "service.name";
/// Cluster, as a resource attribute.
pub const K8S_CLUSTER_NAME: &str = "k8s.cluster.name";
/// One fixed value on every resource: Jaeger's clock-skew check compares hosts.
pub const HOST_NAME: &str = "host.name";
/// The value of [`HOST_NAME`].
pub const HOST_NAME_VALUE: &str = "kausal";

/// Object key: cluster.
pub const CLUSTER: &str = "cluster";
/// Object key: API group.
pub const GROUP: &str = "group";
/// Object key: resource.
pub const RESOURCE: &str = "resource";
/// Object key: namespace.
pub const NAMESPACE: &str = "namespace";
/// Object key: name.
pub const NAME: &str = "name";

/// Audit id as the apiserver wrote it.
pub const AUDIT_ID: &str = "audit.id";
/// `RequestReceived`, `ResponseStarted`, `ResponseComplete`, `Panic`.
pub const AUDIT_STAGE: &str = "audit.stage";
/// `Metadata`, `Request`, `RequestResponse`.
pub const AUDIT_LEVEL: &str = "audit.level";
/// Verb of the request (`patch`, `deletecollection`).
pub const VERB: &str = "verb";
/// Subresource (`scale`, `status`, `eviction`).
pub const SUBRESOURCE: &str = "subresource";
/// API version of the request path (`v1`).
pub const VERSION: &str = "version";
/// Uid of the object, from the body of its own kind, else from the object reference or `details`.
pub const UID: &str = "uid";
/// Request URI, redacted.
pub const REQUEST_URI: &str = "request.uri";
/// Who asked.
pub const USERNAME: &str = "username";
/// Groups of [`USERNAME`], an array of strings.
pub const GROUPS: &str = "groups";
/// Prefix of the user's extra attributes; each is an array of strings.
pub const USER_EXTRA_PREFIX: &str = "user.extra.";
/// As whom it was done.
pub const IMPERSONATED_USERNAME: &str = "impersonated.username";
/// Groups of [`IMPERSONATED_USERNAME`].
pub const IMPERSONATED_GROUPS: &str = "impersonated.groups";
/// User agent, as sent.
pub const USER_AGENT: &str = "user_agent.original";
/// Address nearest to the apiserver: the one a client cannot write itself.
pub const CLIENT_ADDRESS: &str = "client.address";
/// Addresses from forwarding headers, which the client could have written; an array of strings.
pub const CLIENT_ADDRESS_CLAIMED: &str = "client.address.claimed";
/// `allow` or `forbid`.
pub const AUTHORIZATION_DECISION: &str = "authorization.decision";
/// Why (`RBAC: allowed by RoleBinding …`).
pub const AUTHORIZATION_REASON: &str = "authorization.reason";
/// HTTP status of the answer, an integer.
pub const STATUS_CODE: &str = "http.response.status_code";
/// Reason of a refusal (`Forbidden`, `Conflict`).
pub const ERROR_REASON: &str = "error.reason";
/// Message of a refusal, redacted.
pub const ERROR_MESSAGE: &str = "error.message";
/// Causes of a refusal: JSON array of `{reason, message, field}`, redacted.
pub const ERROR_CAUSES: &str = "error.causes";
/// resourceVersion the request was conditional on.
pub const RESOURCE_VERSION: &str = "resource.version";
/// resourceVersion the write made.
pub const RESOURCE_VERSION_NEW: &str = "resource.version.new";
/// `true` when the request asked for a server-side dry run.
pub const DRY_RUN: &str = "dry_run";
/// Request body, redacted JSON.
pub const REQUEST_OBJECT: &str = "request.object";
/// Response body, redacted JSON.
pub const RESPONSE_OBJECT: &str = "response.object";
/// Why [`REQUEST_OBJECT`] is missing or cut.
pub const REQUEST_OBJECT_CUT: &str = "request.object.cut";
/// Why [`RESPONSE_OBJECT`] is missing or cut.
pub const RESPONSE_OBJECT_CUT: &str = "response.object.cut";
/// Kind of the response body when it is not the object's own (`Status`, `Scale`, `PodList`).
pub const RESPONSE_KIND: &str = "response.kind";
/// Prefix of admission annotations; the rest is the annotation's key.
pub const ADMISSION_PREFIX: &str = "admission.";
/// Prefix of apiserver latencies (`apiserver.latency.etcd`), strings as recorded.
pub const LATENCY_PREFIX: &str = "apiserver.latency.";
/// Prefix of annotations that are none of the above.
pub const ANNOTATION_PREFIX: &str = "audit.annotation.";
/// Why the event is not whole (`apiserver cut the bodies`, `cut at byte 16384`).
pub const TRUNCATED: &str = "truncated";
/// Where the time came from when the event had lost its own.
pub const TIME_SOURCE: &str = "time.source";
/// Id of the redaction key the fingerprints of this span were made with.
pub const REDACTION_KEY: &str = "redaction.key";

/// Event: uid of the Event itself; [`UID`] is that of the object it is about.
pub const EVENT_UID: &str = "event.uid";
/// Event: reason (`ScalingReplicaSet`).
pub const EVENT_REASON: &str = "event.reason";
/// Event: `Normal` or `Warning`.
pub const EVENT_TYPE: &str = "event.type";
/// Event: message, redacted.
pub const EVENT_MESSAGE: &str = "event.message";
/// Event: how often, an integer.
pub const EVENT_COUNT: &str = "event.count";
/// Event: the component that reported it.
pub const EVENT_COMPONENT: &str = "event.component";
/// Event: action.
pub const EVENT_ACTION: &str = "event.action";
/// Event: first time, RFC 3339.
pub const EVENT_FIRST_TIME: &str = "event.first_time";
/// Event: when the write was received, RFC 3339; puts whole-second Events in order.
pub const EVENT_RECEIVED: &str = "event.received";
/// Event: prefix of the related object's parts (`related.kind`, `related.name`).
pub const RELATED_PREFIX: &str = "related.";
/// Event: kind of the related object.
pub const RELATED_KIND: &str = "related.kind";
/// Event: apiVersion of the related object.
pub const RELATED_API_VERSION: &str = "related.api_version";
/// Event: namespace of the related object.
pub const RELATED_NAMESPACE: &str = "related.namespace";
/// Event: name of the related object.
pub const RELATED_NAME: &str = "related.name";
/// Event: uid of the related object.
pub const RELATED_UID: &str = "related.uid";

/// Change: what was done to the object (`create`, `update`, `delete`, `observe`). [`UID`],
/// [`VERSION`], [`SUBRESOURCE`], [`RESOURCE_VERSION`] (before) and [`RESOURCE_VERSION_NEW`] (after)
/// stand on it too.
pub const OPERATION: &str = "operation";
/// Change: when the watch saw it, RFC 3339.
pub const OBSERVED_AT: &str = "observed_at";
/// Change: field manager that made it.
pub const MANAGER: &str = "manager";
/// Change: what changed, lines of `path old -> new`.
pub const DIFF: &str = "diff";
/// Change: why [`DIFF`] is cut.
pub const DIFF_CUT: &str = "diff.cut";
/// Change: the whole object after its creation, or as it was last before its removal.
pub const SNAPSHOT: &str = "snapshot";
/// Change: why [`SNAPSHOT`] is missing.
pub const SNAPSHOT_CUT: &str = "snapshot.cut";
/// Change: `true` when versions in between were missed.
pub const GAP: &str = "gap";

/// Link: the other object's key and what is known of it.
pub const LINK_CLUSTER: &str = "link.cluster";
/// See [`LINK_CLUSTER`].
pub const LINK_GROUP: &str = "link.group";
/// See [`LINK_CLUSTER`].
pub const LINK_RESOURCE: &str = "link.resource";
/// See [`LINK_CLUSTER`].
pub const LINK_NAMESPACE: &str = "link.namespace";
/// See [`LINK_CLUSTER`].
pub const LINK_NAME: &str = "link.name";
/// Uid of the other object, when the link names one.
pub const LINK_UID: &str = "link.uid";
/// Kind as written in the reference, when the plural was derived from it.
pub const LINK_KIND: &str = "link.kind";
/// apiVersion as written in the reference.
pub const LINK_API_VERSION: &str = "link.api_version";
/// `parent`: the other is this object's parent; `child`: the other is its child.
pub const LINK_ROLE: &str = "link.role";
/// What relates them: `owner`, `configmap`, `secret`, …
pub const LINK_CLASS: &str = "link.class";

/// Warnings shown by Jaeger on a span, an array of strings.
pub const JAEGER_WARNINGS: &str = "@jaeger@warnings";
