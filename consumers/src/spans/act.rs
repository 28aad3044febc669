//! The attributes of one request on one object.
//!
//! Promise: attributes stand in one order; what is empty is left out, the object key apart.

use kausal_audit::{Event, Status};
use kausal_object::json::escape_into;
use kausal_object::{BodyContext, BodyPart, KeyRef, Redaction, redact_message, redact_uri};
use kausal_trace::natural::AuditIdentity;
use kausal_trace::{KeyHash, NewSpan, SpanBatch, SpanId, SpanWriter, TraceId, attribute};

use super::bodies::BodyText;
use super::{EventTime, Output, Unencodable, annotations};
use crate::frames::write_key;

/// What the span of a request is written from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Act<'a> {
    pub(super) event: &'a Event<'a>,
    pub(super) time: EventTime,
    pub(super) key: KeyRef<'a>,
    pub(super) uid: &'a str,
    /// resourceVersion the request made.
    pub(super) made: &'a str,
    /// Kind of the response when it is not the object's own.
    pub(super) response_kind: &'a str,
    pub(super) is_dry_run: bool,
    pub(super) has_fingerprints: bool,
    pub(super) request: &'a BodyText,
    pub(super) response: &'a BodyText,
    pub(super) redaction: &'a Redaction,
}

/// Memory for texts that are put together, used again for every span.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) text: String,
    pub(super) label: String,
}

/// Whether bodies that there are go into the span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bodies {
    Stored,
    LeftOut,
}

impl Act<'_> {
    /// Writes the span, without its bodies if it is too large with them.
    pub(super) fn write(
        &self,
        hash: KeyHash,
        words: &mut Words,
        out: &mut Output<'_>,
    ) -> Result<(), Unencodable> {
        let mut fits = |bodies| out.write_span(|batch| self.write_with(bodies, hash, words, batch));
        if fits(Bodies::Stored) || fits(Bodies::LeftOut) {
            Ok(())
        } else {
            Err(Unencodable::SpanTooLarge)
        }
    }

    fn write_with(&self, bodies: Bodies, hash: KeyHash, words: &mut Words, batch: &mut SpanBatch) {
        let event = self.event;
        let start = self.time.received;
        let trace = TraceId::facts_at(hash, start);
        let identity = AuditIdentity {
            audit_id: &event.audit_id,
            received: event.request_received.unwrap_or_default(),
            verb: &event.verb,
            raw_uri: &event.request_uri,
            username: &event.user.username,
        };
        let span = SpanId::audit(trace, self.key, &identity);
        let end = event.stage_timestamp.unwrap_or(start);
        let name = span_name(&event.verb);
        let mut writer = batch.open(NewSpan { trace, span, name, start, end });
        write_key(&mut writer, self.key);
        self.write_request(&mut writer, words);
        self.write_actor(&mut writer, words);
        self.write_answer(&mut writer, words);
        self.write_bodies(bodies, &mut writer);
        annotations::write(self, &mut writer, words);
    }

    fn write_request(&self, writer: &mut SpanWriter<'_>, words: &mut Words) {
        let event = self.event;
        writer
            .str_some(attribute::AUDIT_ID, &event.audit_id)
            .str_some(attribute::AUDIT_STAGE, event.stage.as_str())
            .str_some(attribute::AUDIT_LEVEL, event.level.as_str())
            .str_some(attribute::VERB, &event.verb);
        if let Some(target) = &event.object_ref {
            writer
                .str_some(attribute::SUBRESOURCE, &target.subresource)
                .str_some(attribute::VERSION, &target.api_version)
                .str_some(attribute::RESOURCE_VERSION, &target.resource_version);
        }
        words.text.clear();
        redact_uri(&event.request_uri, &self.context(BodyPart::Request), &mut words.text);
        writer
            .str_some(attribute::UID, self.uid)
            .str_some(attribute::REQUEST_URI, &words.text)
            .str_some(attribute::TIME_SOURCE, self.time.source);
        if self.is_dry_run {
            writer.bool(attribute::DRY_RUN, true);
        }
        if let Some(truncated) = &event.truncated {
            writer.str(attribute::TRUNCATED, truncated);
        }
    }

    fn write_actor(&self, writer: &mut SpanWriter<'_>, words: &mut Words) {
        let event = self.event;
        writer.str_some(attribute::USERNAME, &event.user.username);
        write_list(writer, attribute::GROUPS, event.user.groups.iter().map(|group| &**group));
        let extra = &event.user.extra;
        for (at, (key, _)) in extra.iter().enumerate() {
            if extra.iter().take(at).any(|(earlier, _)| earlier == key) {
                continue;
            }
            let values = extra.iter().filter(|(other, _)| other == key).map(|(_, value)| &**value);
            words.label(attribute::USER_EXTRA_PREFIX, key);
            writer.strs(&words.label, values);
        }
        if let Some(user) = &event.impersonated {
            writer.str_some(attribute::IMPERSONATED_USERNAME, &user.username);
            let groups = user.groups.iter().map(|group| &**group);
            write_list(writer, attribute::IMPERSONATED_GROUPS, groups);
        }
        writer.str_some(attribute::USER_AGENT, &event.user_agent);
        // The apiserver appends the peer it sees itself; what stands before came in headers.
        if let Some((peer, claimed)) = event.source_ips.split_last() {
            writer.str_some(attribute::CLIENT_ADDRESS, peer);
            let claimed = claimed.iter().map(|address| &**address);
            write_list(writer, attribute::CLIENT_ADDRESS_CLAIMED, claimed);
        }
    }

    fn write_answer(&self, writer: &mut SpanWriter<'_>, words: &mut Words) {
        if let Some(status) = &self.event.status {
            if status.code != 0 {
                writer.int(attribute::STATUS_CODE, i64::from(status.code));
            }
            if status.code >= 400 {
                self.write_refusal(status, writer, words);
            }
        }
        writer
            .str_some(attribute::RESOURCE_VERSION_NEW, self.made)
            .str_some(attribute::RESPONSE_KIND, self.response_kind);
    }

    fn write_refusal(&self, status: &Status<'_>, writer: &mut SpanWriter<'_>, words: &mut Words) {
        let cx = self.context(BodyPart::Response);
        words.text.clear();
        redact_message(&status.message, &cx, &mut words.text);
        writer
            .str_some(attribute::ERROR_REASON, &status.reason)
            .str_some(attribute::ERROR_MESSAGE, &words.text)
            .error();
        let causes = status.details.as_ref().map_or(&[][..], |details| &details.causes);
        if causes.is_empty() {
            return;
        }
        let Words { text, label } = words;
        text.clear();
        for cause in causes {
            text.push_str(if text.is_empty() { "[{\"reason\":" } else { ",{\"reason\":" });
            escape_into(&cause.reason, text);
            text.push_str(",\"message\":");
            label.clear();
            redact_message(&cause.message, &cx, label);
            escape_into(label, text);
            text.push_str(",\"field\":");
            escape_into(&cause.field, text);
            text.push('}');
        }
        text.push(']');
        writer.str(attribute::ERROR_CAUSES, text);
    }

    fn write_bodies(&self, bodies: Bodies, writer: &mut SpanWriter<'_>) {
        let both = [
            (self.request, attribute::REQUEST_OBJECT, attribute::REQUEST_OBJECT_CUT),
            (self.response, attribute::RESPONSE_OBJECT, attribute::RESPONSE_OBJECT_CUT),
        ];
        for (body, name, name_cut) in both {
            match bodies {
                Bodies::Stored => writer.str_some(name, &body.json).str_some(name_cut, &body.cut),
                Bodies::LeftOut if body.json.is_empty() => writer.str_some(name_cut, &body.cut),
                Bodies::LeftOut => writer.str(name_cut, "the span is too large with it"),
            };
        }
        if self.has_fingerprints {
            writer.str_some(attribute::REDACTION_KEY, self.redaction.key_id());
        }
    }

    pub(super) fn context(&self, part: BodyPart) -> BodyContext<'_> {
        let target = self.event.object_ref.as_ref();
        BodyContext {
            key: self.key,
            subresource: target.map_or("", |target| &target.subresource),
            part,
            redaction: self.redaction,
        }
    }
}

impl Words {
    /// Puts an attribute's name together.
    pub(super) fn label(&mut self, prefix: &str, rest: &str) {
        self.label.clear();
        self.label.push_str(prefix);
        self.label.push_str(rest);
    }
}

fn write_list<'v>(
    writer: &mut SpanWriter<'_>,
    name: &str,
    values: impl ExactSizeIterator<Item = &'v str> + Clone,
) {
    if values.len() > 0 {
        writer.strs(name, values);
    }
}

/// Names of spans are few, because backends index them; a client may invent an HTTP method.
fn span_name(verb: &str) -> &'static str {
    match verb {
        "create" => "audit create",
        "update" => "audit update",
        "patch" => "audit patch",
        "delete" => "audit delete",
        "deletecollection" => "audit deletecollection",
        "get" => "audit get",
        "list" => "audit list",
        "watch" => "audit watch",
        "post" => "audit post",
        "put" => "audit put",
        "head" => "audit head",
        "options" => "audit options",
        _ => "audit other",
    }
}
