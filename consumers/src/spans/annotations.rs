//! What the apiserver and its admission wrote on an event: who allowed it, which webhooks took
//! part, where the time went.
//!
//! Promise: the patch a webhook made is redacted as the request's own body would be.

use kausal_object::json::{escape_into, members};
use kausal_object::{BodyPart, read_body, redact_message};
use kausal_trace::{SpanWriter, attribute};

use super::act::{Act, Words};

const DECISION: &str = "authorization.k8s.io/decision";
const REASON: &str = "authorization.k8s.io/reason";
const TRUNCATED: &str = "audit.k8s.io/truncated";
const LATENCY: &str = "apiserver.latency.k8s.io/";
const WEBHOOK_PATCH: &str = "patch.webhook.admission.k8s.io/";
const POD_SECURITY: &str = "pod-security.kubernetes.io/";
const ADMISSION: &str = "admission.k8s.io/";

pub(super) fn write(act: &Act<'_>, writer: &mut SpanWriter<'_>, words: &mut Words) {
    for (key, value) in &act.event.annotations {
        match &**key {
            DECISION => {
                writer.str_some(attribute::AUTHORIZATION_DECISION, value);
            }
            REASON => {
                writer.str_some(attribute::AUTHORIZATION_REASON, value);
            }
            // Told by the attribute `truncated`.
            TRUNCATED => {}
            key => write_other(act, key, value, writer, words),
        }
    }
}

fn write_other(
    act: &Act<'_>,
    key: &str,
    value: &str,
    writer: &mut SpanWriter<'_>,
    words: &mut Words,
) {
    words.text.clear();
    if let Some(part) = key.strip_prefix(LATENCY) {
        words.label(attribute::LATENCY_PREFIX, part);
        words.text.push_str(value);
    } else if key.starts_with(WEBHOOK_PATCH) {
        words.label(attribute::ADMISSION_PREFIX, key);
        if redact_patch(act, value, &mut words.text).is_none() {
            words.text.clear();
            words.text.push_str("left out: not the patch of a webhook");
        }
    } else {
        let is_admission = key.contains(ADMISSION) || key.starts_with(POD_SECURITY);
        let prefix =
            if is_admission { attribute::ADMISSION_PREFIX } else { attribute::ANNOTATION_PREFIX };
        words.label(prefix, key);
        redact_message(value, &act.context(BodyPart::Response), &mut words.text);
    }
    writer.str(&words.label, &words.text);
}

/// `{"configuration":…,"webhook":…,"patch":[…],"patchType":"JSONPatch"}`, with its patch redacted.
fn redact_patch(act: &Act<'_>, value: &str, out: &mut String) -> Option<()> {
    let mut separator = '{';
    for member in members(value) {
        let member = member.ok()?;
        out.push(separator);
        separator = ',';
        escape_into(&member.key(), out);
        out.push(':');
        match &*member.key() {
            "patch" => {
                read_body(member.value, &act.context(BodyPart::Patch), out).ok()?;
            }
            "configuration" | "webhook" | "patchType" => out.push_str(member.value),
            _ => out.push_str("null"),
        }
    }
    (separator == ',').then(|| out.push('}'))
}
