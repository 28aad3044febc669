//! Natural keys: what makes one stored span of an object distinct from every other.
//!
//! Promise: every writer computes the same id for the same fact. Integers are hashed as eight
//! bytes, big-endian; every part has its length in front.
//! Never here: heap allocation. This is on the way of every event.

use kausal_object::KeyRef;

use crate::id::{FactKind, KeyHash, SpanId, TraceId};
use crate::time::UnixNanos;
use crate::window::{Day, Window};

/// A request: all its stages share this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditIdentity<'a> {
    /// Audit id as the apiserver wrote it.
    pub audit_id: &'a str,
    /// requestReceivedTimestamp, hashed in microseconds; zero where the event lost it.
    pub received: UnixNanos,
    /// Verb.
    pub verb: &'a str,
    /// Request URI as it came, before any redaction.
    pub raw_uri: &'a str,
    /// Username of the one who authenticated, not of the impersonated one.
    pub username: &'a str,
}

/// One state of a Kubernetes Event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventIdentity<'a> {
    /// Uid of the Event.
    pub uid: &'a str,
    /// Count, or the count of its series.
    pub count: u64,
    /// Last time, or that of its series, hashed in microseconds.
    pub last: UnixNanos,
}

/// A change of an object seen by a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeIdentity<'a> {
    /// From one resourceVersion to another; `old` is empty for the first state seen.
    Update {
        /// Uid of the object.
        uid: &'a str,
        /// resourceVersion before.
        old: &'a str,
        /// resourceVersion after.
        new: &'a str,
    },
    /// The end of the object.
    Deleted {
        /// Uid of the object.
        uid: &'a str,
    },
}

/// A relation of one object to another on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkIdentity<'a> {
    /// The day of the catalogue.
    pub day: Day,
    /// Uid of the object whose catalogue it is; empty where unknown.
    pub own_uid: &'a str,
    /// The other object.
    pub target: KeyRef<'a>,
    /// Uid of the other object; empty where unknown.
    pub target_uid: &'a str,
    /// What the other is to this one: `parent` or `child`.
    pub role: &'a str,
    /// What relates them: `owner`, `configmap`, …
    pub class: &'a str,
}

impl SpanId {
    /// The id of an audit span.
    pub fn audit(trace: TraceId, key: KeyRef<'_>, identity: &AuditIdentity<'_>) -> Self {
        let AuditIdentity { audit_id, received, verb, raw_uri, username } = *identity;
        let received = received.micros().to_be_bytes();
        let natural: [&[u8]; 5] = [
            audit_id.as_bytes(),
            &received,
            verb.as_bytes(),
            raw_uri.as_bytes(),
            username.as_bytes(),
        ];
        Self::of(trace, FactKind::Audit, key, &natural)
    }

    /// The id of an event span.
    pub fn event(trace: TraceId, key: KeyRef<'_>, identity: &EventIdentity<'_>) -> Self {
        let EventIdentity { uid, count, last } = *identity;
        let (count, last) = (count.to_be_bytes(), last.micros().to_be_bytes());
        Self::of(trace, FactKind::Event, key, &[uid.as_bytes(), &count, &last])
    }

    /// The id of a change span.
    pub fn change(trace: TraceId, key: KeyRef<'_>, identity: &ChangeIdentity<'_>) -> Self {
        match *identity {
            ChangeIdentity::Update { uid, old, new } => {
                let natural = [uid.as_bytes(), old.as_bytes(), new.as_bytes()];
                Self::of(trace, FactKind::Change, key, &natural)
            }
            ChangeIdentity::Deleted { uid } => {
                Self::of(trace, FactKind::Change, key, &[uid.as_bytes(), b"deleted"])
            }
        }
    }

    /// The id of an object frame: facts exist in `window`.
    pub fn object(trace: TraceId, key: KeyRef<'_>, window: Window) -> Self {
        Self::of(trace, FactKind::Object, key, &[&window.0.to_be_bytes()])
    }

    /// The id of a link frame.
    pub fn link(trace: TraceId, key: KeyRef<'_>, identity: &LinkIdentity<'_>) -> Self {
        let day = identity.day.0.to_be_bytes();
        let [cluster, group, resource, namespace, name] = identity.target.parts();
        let natural: [&[u8]; 10] = [
            &day,
            identity.own_uid.as_bytes(),
            cluster.as_bytes(),
            group.as_bytes(),
            resource.as_bytes(),
            namespace.as_bytes(),
            name.as_bytes(),
            identity.target_uid.as_bytes(),
            identity.role.as_bytes(),
            identity.class.as_bytes(),
        ];
        Self::of(trace, FactKind::Link, key, &natural)
    }
}

impl TraceId {
    /// The trace in which the object of `key` keeps a fact of this time.
    pub fn facts_at(key: KeyHash, time: UnixNanos) -> Self {
        Self::facts(key, Window::of(time))
    }

    /// The catalogue that announces a fact of this time.
    pub fn catalogue_at(key: KeyHash, time: UnixNanos) -> Self {
        Self::catalogue(key, Day::of(time))
    }
}
