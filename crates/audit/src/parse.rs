//! The members of an audit event, one by one, from objects or from strings that hold objects.
//!
//! Promise: a member is set whole or not at all, so that what was read before a cut can be used.
//! An odd member that does not identify the request is left out and said, not held against it.
//! Never here: where an event starts and ends.

use std::borrow::Cow;

use kausal_trace::UnixNanos;

use crate::{
    cursor::{Cursor, Fault},
    event::{Body, Event, Level, ObjectRef, Stage, Status, User},
    limits::AUDIT_ID_BYTES_MAX,
    nested::{Nested, Pairs, Texts, nested},
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
            "kind" => self.kind = self.optional_text("kind", cursor)?,
            "level" => {
                let level = Level::parse(&self.optional_text("level", cursor)?);
                self.event.level = level.unwrap_or_default();
            }
            "k8s_audit_level" => {
                self.shipped_level = Level::parse(&self.optional_text("k8s_audit_level", cursor)?);
            }
            "auditID" => self.set_audit_id(cursor.text("auditID")?),
            "stage" => {
                let stage = Stage::parse(&self.optional_text("stage", cursor)?);
                self.event.stage = stage.unwrap_or_default();
            }
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
            _ => {
                cursor.skip()?;
            }
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

fn constraint<'a>(metadata: Vec<(Text<'a>, Text<'a>)>) -> Text<'a> {
    let named = metadata.into_iter().find(|(key, _)| key == "impersonationConstraint");
    named.map(|(_, value)| value).unwrap_or_default()
}
