//! The audit event, as audit.k8s.io/v1 defines it, borrowed from its text.
//!
//! Promise: nothing is interpreted beyond what the schema says; absent strings are empty, absent
//! objects `None`.
//! Never here: what an event means.

use std::borrow::Cow;

use kausal_object::json::unescape;
use kausal_trace::UnixNanos;

/// One audit event: one stage of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event<'a> {
    /// How much of the request was recorded.
    pub level: Level,
    /// Id of the request, the same for all its stages; chosen by the client if it sends one.
    pub audit_id: Cow<'a, str>,
    /// The stage this event was written at.
    pub stage: Stage,
    /// Path and query, as sent.
    pub request_uri: Cow<'a, str>,
    /// `get`, `create`, …; the HTTP method in lower case for requests on no resource.
    pub verb: Cow<'a, str>,
    /// Who was authenticated.
    pub user: User<'a>,
    /// Whom the request acted as, if it impersonated somebody.
    pub impersonated: Option<User<'a>>,
    /// Which constraint allowed the impersonation (`authenticationMetadata`).
    pub impersonation_constraint: Cow<'a, str>,
    /// Addresses the request came by; all but the last could have been written by the client.
    pub source_ips: Vec<Cow<'a, str>>,
    /// As the client sent it.
    pub user_agent: Cow<'a, str>,
    /// What the request was on; `None` for requests on no resource.
    pub object_ref: Option<ObjectRef<'a>>,
    /// The answer; its code is kept at every level.
    pub status: Option<Status<'a>>,
    /// The object or patch sent.
    pub request_object: Option<Body<'a>>,
    /// The object answered.
    pub response_object: Option<Body<'a>>,
    /// When the request arrived.
    pub request_received: Option<UnixNanos>,
    /// When this stage was reached.
    pub stage_timestamp: Option<UnixNanos>,
    /// Annotations in their order.
    pub annotations: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// Why this is less than the whole event, where it is.
    pub truncated: Option<Cow<'static, str>>,
    /// Where it stood.
    pub extent: Extent,
}

/// Where an event stood in the buffer given, in bytes. It is no part of what the event says: events
/// are equal wherever they stood.
#[derive(Clone, Copy, Debug, Default, Eq)]
pub struct Extent {
    /// Its first byte.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
}

impl PartialEq for Extent {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

/// `level` of an event, by how much it records; [`Level::Unknown`] comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Not said, or overwritten by a shipper.
    #[default]
    Unknown,
    /// Nothing; never written by an apiserver.
    None,
    /// No bodies.
    Metadata,
    /// The body of the request.
    Request,
    /// Both bodies.
    RequestResponse,
}

/// `stage` of an event, in the order a request passes them; [`Stage::Unknown`] comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Not said.
    #[default]
    Unknown,
    /// Before the request was handled.
    RequestReceived,
    /// Headers sent, for long-running requests only.
    ResponseStarted,
    /// The whole answer was sent.
    ResponseComplete,
    /// The handler panicked.
    Panic,
}

/// A user, as `authentication.k8s.io` describes one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User<'a> {
    /// Name.
    pub username: Cow<'a, str>,
    /// Unique id over time, where the authenticator has one.
    pub uid: Cow<'a, str>,
    /// Groups in their order.
    pub groups: Vec<Cow<'a, str>>,
    /// What the authenticator adds; a key with several values stands once for each of them.
    pub extra: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

/// What a request was on, from its URL and, where that says less, from the object sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectRef<'a> {
    /// Plural resource name.
    pub resource: Cow<'a, str>,
    /// Namespace, or empty.
    pub namespace: Cow<'a, str>,
    /// Name; empty for lists, and for `generateName`.
    pub name: Cow<'a, str>,
    /// Uid, only where the request's body carries it.
    pub uid: Cow<'a, str>,
    /// API group; empty for the core group.
    pub api_group: Cow<'a, str>,
    /// API version.
    pub api_version: Cow<'a, str>,
    /// The precondition of the request, not what it led to.
    pub resource_version: Cow<'a, str>,
    /// `status`, `scale`, `exec`, … or empty.
    pub subresource: Cow<'a, str>,
}

/// `responseStatus`, a `metav1.Status` without its object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status<'a> {
    /// HTTP code; 0 if not said.
    pub code: u16,
    /// `Success`, `Failure` or empty.
    pub status: Cow<'a, str>,
    /// One word for the failure, such as `NotFound`.
    pub reason: Cow<'a, str>,
    /// The failure for people; may quote values of the object.
    pub message: Cow<'a, str>,
    /// More, where there is more.
    pub details: Option<Box<Details<'a>>>,
}

/// `details` of a status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details<'a> {
    /// Name of the object.
    pub name: Cow<'a, str>,
    /// API group of the object.
    pub group: Cow<'a, str>,
    /// Kind of the object, or its resource name.
    pub kind: Cow<'a, str>,
    /// Uid of the object.
    pub uid: Cow<'a, str>,
    /// One for each thing that was wrong.
    pub causes: Vec<Cause<'a>>,
}

/// One cause of a failure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cause<'a> {
    /// One word.
    pub reason: Cow<'a, str>,
    /// For people; may quote values of the object.
    pub message: Cow<'a, str>,
    /// Path of the field in the object sent.
    pub field: Cow<'a, str>,
}

/// A request or response body: the text of one JSON value, whole but not checked.
///
/// Its brackets balance outside its strings; whether it is JSON shows when somebody reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body<'a>(Cow<'a, str>);

// === impl Level ===

impl Level {
    /// `None` for a word that is no level.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "RequestResponse" => Self::RequestResponse,
            "Metadata" => Self::Metadata,
            "Request" => Self::Request,
            "None" => Self::None,
            _ => return None,
        })
    }

    /// As the schema writes it; empty if unknown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::None => "None",
            Self::Metadata => "Metadata",
            Self::Request => "Request",
            Self::RequestResponse => "RequestResponse",
        }
    }
}

// === impl Stage ===

impl Stage {
    /// `None` for a word that is no stage.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "ResponseComplete" => Self::ResponseComplete,
            "ResponseStarted" => Self::ResponseStarted,
            "RequestReceived" => Self::RequestReceived,
            "Panic" => Self::Panic,
            _ => return None,
        })
    }

    /// As the schema writes it; empty if unknown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::RequestReceived => "RequestReceived",
            Self::ResponseStarted => "ResponseStarted",
            Self::ResponseComplete => "ResponseComplete",
            Self::Panic => "Panic",
        }
    }
}

// === impl Body ===

impl<'a> Body<'a> {
    /// `raw`: the value as it stands in the event, an object or a string that holds one.
    pub(crate) const fn new(raw: Cow<'a, str>) -> Self {
        Self(raw)
    }

    /// The JSON text; unescaped here if the event carries it as a string (and left as it is if its
    /// escapes are broken, which no JSON reader then takes).
    pub fn json(&self) -> Cow<'_, str> {
        match self.0.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            Some(escaped) => unescape(escaped).unwrap_or(Cow::Borrowed(escaped)),
            None => Cow::Borrowed(&self.0),
        }
    }

    /// The JSON text with the event's own lifetime, where it needs no unescaping and the event was
    /// not made owned.
    pub fn borrowed(&self) -> Option<&'a str> {
        match self.0 {
            Cow::Borrowed(raw) if !raw.starts_with('"') => Some(raw),
            _ => None,
        }
    }
}

// === owning ===

fn own<'o>(text: Cow<'_, str>) -> Cow<'o, str> {
    Cow::Owned(text.into_owned())
}

pub(crate) fn own_texts<'o>(texts: Vec<Cow<'_, str>>) -> Vec<Cow<'o, str>> {
    texts.into_iter().map(own).collect()
}

pub(crate) fn own_pairs<'o>(
    pairs: Vec<(Cow<'_, str>, Cow<'_, str>)>,
) -> Vec<(Cow<'o, str>, Cow<'o, str>)> {
    pairs.into_iter().map(|(key, value)| (own(key), own(value))).collect()
}

impl Event<'_> {
    /// The same event, free of the text it was read from.
    pub fn into_owned<'o>(self) -> Event<'o> {
        Event {
            level: self.level,
            audit_id: own(self.audit_id),
            stage: self.stage,
            request_uri: own(self.request_uri),
            verb: own(self.verb),
            user: self.user.into_owned(),
            impersonated: self.impersonated.map(User::into_owned),
            impersonation_constraint: own(self.impersonation_constraint),
            source_ips: own_texts(self.source_ips),
            user_agent: own(self.user_agent),
            object_ref: self.object_ref.map(ObjectRef::into_owned),
            status: self.status.map(Status::into_owned),
            request_object: self.request_object.map(|body| Body(own(body.0))),
            response_object: self.response_object.map(|body| Body(own(body.0))),
            request_received: self.request_received,
            stage_timestamp: self.stage_timestamp,
            annotations: own_pairs(self.annotations),
            truncated: self.truncated,
            extent: self.extent,
        }
    }

    /// Value of an annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.iter().find(|(name, _)| name == key).map(|(_, value)| &**value)
    }
}

impl User<'_> {
    /// The same user, free of the text it was read from.
    pub fn into_owned<'o>(self) -> User<'o> {
        User {
            username: own(self.username),
            uid: own(self.uid),
            groups: own_texts(self.groups),
            extra: own_pairs(self.extra),
        }
    }
}

impl ObjectRef<'_> {
    /// The same reference, free of the text it was read from.
    pub fn into_owned<'o>(self) -> ObjectRef<'o> {
        ObjectRef {
            resource: own(self.resource),
            namespace: own(self.namespace),
            name: own(self.name),
            uid: own(self.uid),
            api_group: own(self.api_group),
            api_version: own(self.api_version),
            resource_version: own(self.resource_version),
            subresource: own(self.subresource),
        }
    }
}

impl Status<'_> {
    /// The same status, free of the text it was read from.
    pub fn into_owned<'o>(self) -> Status<'o> {
        Status {
            code: self.code,
            status: own(self.status),
            reason: own(self.reason),
            message: own(self.message),
            details: self.details.map(|details| Box::new(details.into_owned())),
        }
    }
}

impl Details<'_> {
    /// The same details, free of the text they were read from.
    pub fn into_owned<'o>(self) -> Details<'o> {
        Details {
            name: own(self.name),
            group: own(self.group),
            kind: own(self.kind),
            uid: own(self.uid),
            causes: self
                .causes
                .into_iter()
                .map(|cause| Cause {
                    reason: own(cause.reason),
                    message: own(cause.message),
                    field: own(cause.field),
                })
                .collect(),
        }
    }
}
