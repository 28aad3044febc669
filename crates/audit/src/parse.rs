//! The members of an audit event, one by one, from objects or from strings that hold objects.
//!
//! Promise: a member is set whole or not at all, so that what was read before a cut can be used.
//! An odd member that does not identify the request is left out and said, not held against it.
//! Never here: where an event starts and ends.

use std::borrow::Cow;

use kausal_trace::UnixNanos;

use crate::{
    cursor::{Cursor, Fault},
    event::{
        Body, Cause, Details, Event, Level, ObjectRef, Stage, Status, User, own_pairs, own_texts,
    },
    item::Reason,
    limits::AUDIT_ID_BYTES_MAX,
};

type Text<'a> = Cow<'a, str>;

/// An event being read.
#[derive(Debug, Default)]
pub(crate) struct Draft<'a> {
    event: Event<'a>,
    has_user: bool,
    /// `k8s_audit_level`, where a shipper put the level after overwriting it.
    shipped_level: Option<Level>,
    /// `kind` of the document.
    pub(crate) kind: Text<'a>,
}

/// What an event must have to be one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Enough to tell an audit event from other documents.
    Event,
    /// Enough to know the request by, though the rest is lost.
    Salvage,
}

// === impl Draft ===

impl<'a> Draft<'a> {
    /// Whether this is an event so far, rather than a list.
    pub(crate) fn is_event(&self) -> bool {
        !self.event.audit_id.is_empty()
    }

    /// Reads the value of the member `key`.
    #[inline]
    pub(crate) fn member(&mut self, key: &str, cursor: &mut Cursor<'a>) -> Result<(), Fault> {
        match key {
            "kind" => self.kind = cursor.text("kind")?,
            "level" => self.event.level = Level::parse(&cursor.text("level")?).unwrap_or_default(),
            "k8s_audit_level" => self.shipped_level = Level::parse(&cursor.text("level")?),
            "auditID" => self.set_audit_id(cursor.text("auditID")?),
            "stage" => self.event.stage = Stage::parse(&cursor.text("stage")?).unwrap_or_default(),
            "requestURI" => self.event.request_uri = cursor.text("requestURI")?,
            "verb" => self.event.verb = cursor.text("verb")?,
            "user" => {
                self.event.user = nested::<User<'_>>("user", cursor)?.unwrap_or_default();
                self.has_user = true;
            }
            "impersonatedUser" => {
                self.event.impersonated = self.optional::<User<'_>>("impersonatedUser", cursor)?;
            }
            "authenticationMetadata" => {
                let metadata = self.optional::<Pairs>("authenticationMetadata", cursor)?;
                self.event.impersonation_constraint = constraint(metadata.unwrap_or_default());
            }
            "sourceIPs" => {
                let addresses = self.optional::<Texts>("sourceIPs", cursor)?;
                self.event.source_ips = addresses.unwrap_or_default();
            }
            "userAgent" => self.event.user_agent = self.optional_text("userAgent", cursor)?,
            "objectRef" => {
                self.event.object_ref = self.optional::<ObjectRef<'_>>("objectRef", cursor)?;
            }
            "responseStatus" => {
                self.event.status = self.optional::<Status<'_>>("responseStatus", cursor)?;
            }
            "requestObject" => self.event.request_object = self.body("requestObject", cursor)?,
            "responseObject" => self.event.response_object = self.body("responseObject", cursor)?,
            "requestReceivedTimestamp" => {
                self.event.request_received = self.time("requestReceivedTimestamp", cursor)?;
            }
            "stageTimestamp" => {
                self.event.stage_timestamp = self.time("stageTimestamp", cursor)?;
            }
            "annotations" => {
                let annotations = self.optional::<Pairs>("annotations", cursor)?;
                self.event.annotations = annotations.unwrap_or_default();
            }
            _ => pass(cursor)?,
        }
        Ok(())
    }

    /// The event, if it has what is needed; else the names of what is not there.
    pub(crate) fn finish(mut self, need: Need) -> Result<Event<'a>, String> {
        let missing = self.missing(need);
        if !missing.is_empty() {
            return Err(missing);
        }
        self.event.level = self.shipped_level.unwrap_or(self.event.level);
        if self.event.annotation("audit.k8s.io/truncated") == Some("true") {
            self.note("bodies left out by the apiserver");
        }
        Ok(self.event)
    }

    /// Says why this is not the whole event.
    pub(crate) fn note(&mut self, why: &str) {
        let note = match self.event.truncated.take() {
            Some(before) => format!("{before}; {why}"),
            None => why.to_owned(),
        };
        self.event.truncated = Some(Cow::Owned(note));
    }

    fn missing(&self, need: Need) -> String {
        let event = &self.event;
        let uri_needed = need == Need::Salvage || event.object_ref.is_none();
        let members = [
            ("auditID", event.audit_id.is_empty()),
            ("verb", event.verb.is_empty()),
            ("requestURI", uri_needed && event.request_uri.is_empty()),
            ("user", need == Need::Salvage && !self.has_user),
        ];
        let names: Vec<_> =
            members.into_iter().filter_map(|(name, missing)| missing.then_some(name)).collect();
        names.join(", ")
    }

    fn set_audit_id(&mut self, id: Text<'a>) {
        if id.len() <= AUDIT_ID_BYTES_MAX {
            self.event.audit_id = id;
            return;
        }
        let cut = id.floor_char_boundary(AUDIT_ID_BYTES_MAX);
        self.event.audit_id = Cow::Owned(id.get(..cut).unwrap_or_default().to_owned());
        self.note("auditID cut");
    }

    fn body(
        &mut self,
        member: &'static str,
        cursor: &mut Cursor<'a>,
    ) -> Result<Option<Body<'a>>, Fault> {
        let skipped = cursor.skip()?;
        if skipped.depth > cursor.limits().nesting_max {
            self.note(&format!("{member} nested too deep"));
            return Ok(None);
        }
        let empty = matches!(skipped.text, "null" | "\"\"" | "\"null\"");
        Ok((!empty).then(|| Body::new(Cow::Borrowed(skipped.text))))
    }

    /// A member the event can do without.
    #[inline]
    fn optional<N: Nested>(
        &mut self,
        member: &'static str,
        cursor: &mut Cursor<'a>,
    ) -> Result<Option<N::Of<'a>>, Fault> {
        let start = cursor.at();
        let read = nested::<N>(member, cursor);
        self.forgive(read, member, start, cursor)
    }

    #[inline]
    fn optional_text(
        &mut self,
        member: &'static str,
        cursor: &mut Cursor<'a>,
    ) -> Result<Text<'a>, Fault> {
        let start = cursor.at();
        let read = cursor.text(member);
        self.forgive(read, member, start, cursor)
    }

    #[inline]
    fn time(
        &mut self,
        member: &'static str,
        cursor: &mut Cursor<'a>,
    ) -> Result<Option<UnixNanos>, Fault> {
        Ok(UnixNanos::parse_rfc3339(&self.optional_text(member, cursor)?))
    }

    #[inline]
    fn forgive<T: Default>(
        &mut self,
        read: Result<T, Fault>,
        member: &str,
        start: usize,
        cursor: &mut Cursor<'a>,
    ) -> Result<T, Fault> {
        let Err(Fault::Shape { .. }) = read else { return read };
        cursor.move_to(start);
        cursor.skip()?;
        self.note(&format!("{member} not readable"));
        Ok(T::default())
    }
}

impl Need {
    /// The reason for an item of which `members` are missing.
    pub(crate) fn reason(self, members: String, bytes: usize) -> Reason {
        match self {
            Self::Event => Reason::Missing { members },
            Self::Salvage => Reason::Cut { at: bytes, members },
        }
    }
}

// === members that are objects or arrays, or strings that hold one ===

/// Something that stands in an event as JSON, or as a string of JSON after a shipper flattened it.
trait Nested {
    /// Borrowed from a text.
    type Of<'t>;
    fn read<'t>(member: &'static str, cursor: &mut Cursor<'t>) -> Result<Self::Of<'t>, Fault>;
    fn own<'o>(of: Self::Of<'_>) -> Self::Of<'o>;
    /// From a string that holds no JSON, where that can be meant.
    fn bare<'o>(_text: &str) -> Option<Self::Of<'o>> {
        None
    }
}

#[inline]
fn nested<'a, N: Nested>(
    member: &'static str,
    cursor: &mut Cursor<'a>,
) -> Result<Option<N::Of<'a>>, Fault> {
    match cursor.peek()? {
        b'{' | b'[' => N::read(member, cursor).map(Some),
        b'"' => from_string::<N>(member, &cursor.string(member)?, cursor),
        _ if cursor.text(member)?.is_empty() => Ok(None),
        _ => Err(Fault::Shape { member, expected: "JSON" }),
    }
}

/// The slow way: the value is a string, so what it holds cannot be borrowed.
#[cold]
fn from_string<'a, N: Nested>(
    member: &'static str,
    text: &str,
    outer: &Cursor<'_>,
) -> Result<Option<N::Of<'a>>, Fault> {
    let text = text.trim();
    if matches!(text, "" | "null" | "-") {
        return Ok(None);
    }
    if !text.starts_with(['{', '['])
        && let Some(bare) = N::bare(text)
    {
        return Ok(Some(bare));
    }
    let mut cursor = Cursor::new(text, 0, outer.limits());
    match N::read(member, &mut cursor) {
        Ok(of) if cursor.at() == text.len() => Ok(Some(N::own(of))),
        Err(fault @ (Fault::TooLong { .. } | Fault::TooMany { .. })) => Err(fault),
        _ => Err(Fault::Shape { member, expected: "JSON" }),
    }
}

/// Reads an object into a value, member by member.
#[inline]
fn object<'t, T: Default>(
    member: &'static str,
    cursor: &mut Cursor<'t>,
    mut set: impl FnMut(&mut T, &str, &mut Cursor<'t>) -> Result<(), Fault>,
) -> Result<T, Fault> {
    let mut value = T::default();
    entries(member, cursor, |key, cursor| set(&mut value, key, cursor))?;
    Ok(value)
}

/// Every member of what must be an object.
#[inline]
fn entries<'t>(
    member: &'static str,
    cursor: &mut Cursor<'t>,
    each: impl FnMut(&Text<'t>, &mut Cursor<'t>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    if cursor.peek()? != b'{' {
        return Err(Fault::Shape { member, expected: "an object" });
    }
    cursor.members(each)
}

fn pass(cursor: &mut Cursor<'_>) -> Result<(), Fault> {
    cursor.skip().map(drop)
}

impl Nested for User<'_> {
    type Of<'t> = User<'t>;

    fn read<'t>(member: &'static str, cursor: &mut Cursor<'t>) -> Result<User<'t>, Fault> {
        object(member, cursor, |user: &mut User<'t>, key, cursor| {
            match key {
                "username" => user.username = cursor.text("user.username")?,
                "uid" => user.uid = cursor.text("user.uid")?,
                "groups" => {
                    user.groups = nested::<Texts>("user.groups", cursor)?.unwrap_or_default();
                }
                "extra" => {
                    user.extra = nested::<Extra>("user.extra", cursor)?.unwrap_or_default();
                }
                _ => pass(cursor)?,
            }
            Ok(())
        })
    }

    fn own<'o>(of: User<'_>) -> User<'o> {
        of.into_owned()
    }
}

impl Nested for ObjectRef<'_> {
    type Of<'t> = ObjectRef<'t>;

    fn read<'t>(member: &'static str, cursor: &mut Cursor<'t>) -> Result<ObjectRef<'t>, Fault> {
        object(member, cursor, |object: &mut ObjectRef<'t>, key, cursor| {
            match key {
                "resource" => object.resource = cursor.text("objectRef.resource")?,
                "namespace" => object.namespace = cursor.text("objectRef.namespace")?,
                "name" => object.name = cursor.text("objectRef.name")?,
                "uid" => object.uid = cursor.text("objectRef.uid")?,
                "apiGroup" => object.api_group = cursor.text("objectRef.apiGroup")?,
                "apiVersion" => object.api_version = cursor.text("objectRef.apiVersion")?,
                "resourceVersion" => {
                    object.resource_version = cursor.text("objectRef.resourceVersion")?;
                }
                "subresource" => object.subresource = cursor.text("objectRef.subresource")?,
                _ => pass(cursor)?,
            }
            Ok(())
        })
    }

    fn own<'o>(of: ObjectRef<'_>) -> ObjectRef<'o> {
        of.into_owned()
    }
}

impl Nested for Status<'_> {
    type Of<'t> = Status<'t>;

    fn read<'t>(member: &'static str, cursor: &mut Cursor<'t>) -> Result<Status<'t>, Fault> {
        object(member, cursor, |status: &mut Status<'t>, key, cursor| {
            match key {
                "code" => {
                    let text = cursor.text("responseStatus.code")?;
                    status.code = text.parse().unwrap_or_default();
                }
                "status" => status.status = cursor.text("responseStatus.status")?,
                "reason" => status.reason = cursor.text("responseStatus.reason")?,
                "message" => status.message = cursor.text("responseStatus.message")?,
                "details" => {
                    let details = nested::<Details<'_>>("responseStatus.details", cursor)?;
                    status.details = details.map(Box::new);
                }
                _ => pass(cursor)?,
            }
            Ok(())
        })
    }

    fn own<'o>(of: Status<'_>) -> Status<'o> {
        of.into_owned()
    }
}

impl Nested for Details<'_> {
    type Of<'t> = Details<'t>;

    fn read<'t>(member: &'static str, cursor: &mut Cursor<'t>) -> Result<Details<'t>, Fault> {
        object(member, cursor, |details: &mut Details<'t>, key, cursor| {
            match key {
                "name" => details.name = cursor.text("responseStatus.details.name")?,
                "group" => details.group = cursor.text("responseStatus.details.group")?,
                "kind" => details.kind = cursor.text("responseStatus.details.kind")?,
                "uid" => details.uid = cursor.text("responseStatus.details.uid")?,
                "causes" if cursor.peek()? == b'[' => details.causes = causes(cursor)?,
                _ => pass(cursor)?,
            }
            Ok(())
        })
    }

    fn own<'o>(of: Details<'_>) -> Details<'o> {
        of.into_owned()
    }
}

fn causes<'t>(cursor: &mut Cursor<'t>) -> Result<Vec<Cause<'t>>, Fault> {
    const MEMBER: &str = "responseStatus.details.causes";
    let mut causes = Vec::new();
    cursor.elements(|cursor| {
        room(causes.len(), MEMBER, cursor)?;
        causes.push(object(MEMBER, cursor, |cause: &mut Cause<'t>, key, cursor| {
            match key {
                "reason" => cause.reason = cursor.text(MEMBER)?,
                "message" => cause.message = cursor.text(MEMBER)?,
                "field" => cause.field = cursor.text(MEMBER)?,
                _ => pass(cursor)?,
            }
            Ok(())
        })?);
        Ok(())
    })?;
    Ok(causes)
}

/// A list of strings.
struct Texts;

impl Nested for Texts {
    type Of<'t> = Vec<Text<'t>>;

    fn read<'t>(member: &'static str, cursor: &mut Cursor<'t>) -> Result<Vec<Text<'t>>, Fault> {
        if cursor.peek()? != b'[' {
            return Err(Fault::Shape { member, expected: "a list" });
        }
        let mut texts = Vec::new();
        cursor.elements(|cursor| {
            room(texts.len(), member, cursor)?;
            texts.push(cursor.text(member)?);
            Ok(())
        })?;
        Ok(texts)
    }

    fn own<'o>(of: Vec<Text<'_>>) -> Vec<Text<'o>> {
        own_texts(of)
    }

    fn bare<'o>(text: &str) -> Option<Vec<Text<'o>>> {
        Some(vec![Cow::Owned(text.to_owned())])
    }
}

/// A map of strings.
struct Pairs;

impl Nested for Pairs {
    type Of<'t> = Vec<(Text<'t>, Text<'t>)>;

    fn read<'t>(
        member: &'static str,
        cursor: &mut Cursor<'t>,
    ) -> Result<Vec<(Text<'t>, Text<'t>)>, Fault> {
        let mut pairs = Vec::new();
        entries(member, cursor, |key, cursor| {
            room(pairs.len(), member, cursor)?;
            pairs.push((key.clone(), cursor.text(member)?));
            Ok(())
        })?;
        Ok(pairs)
    }

    fn own<'o>(of: Vec<(Text<'_>, Text<'_>)>) -> Vec<(Text<'o>, Text<'o>)> {
        own_pairs(of)
    }
}

/// A map of lists of strings, as pairs.
struct Extra;

impl Nested for Extra {
    type Of<'t> = Vec<(Text<'t>, Text<'t>)>;

    fn read<'t>(
        member: &'static str,
        cursor: &mut Cursor<'t>,
    ) -> Result<Vec<(Text<'t>, Text<'t>)>, Fault> {
        let mut pairs = Vec::new();
        entries(member, cursor, |key, cursor| {
            if cursor.peek()? != b'[' {
                room(pairs.len(), member, cursor)?;
                pairs.push((key.clone(), cursor.text(member)?));
                return Ok(());
            }
            cursor.elements(|cursor| {
                room(pairs.len(), member, cursor)?;
                pairs.push((key.clone(), cursor.text(member)?));
                Ok(())
            })
        })?;
        Ok(pairs)
    }

    fn own<'o>(of: Vec<(Text<'_>, Text<'_>)>) -> Vec<(Text<'o>, Text<'o>)> {
        own_pairs(of)
    }
}

/// Whether one more entry may come.
#[inline]
fn room(length: usize, member: &'static str, cursor: &Cursor<'_>) -> Result<(), Fault> {
    if length < cursor.limits().entries_max { Ok(()) } else { Err(Fault::TooMany { member }) }
}

fn constraint<'a>(metadata: Vec<(Text<'a>, Text<'a>)>) -> Text<'a> {
    metadata
        .into_iter()
        .find(|(key, _)| key == "impersonationConstraint")
        .map(|(_, value)| value)
        .unwrap_or_default()
}
