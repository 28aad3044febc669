//! Stored spans on the wire: Export messages out, Export messages in.
//!
//! Promise: the bytes of a span are the same before, on and after the wire. The resource is
//! derived from the span (its kind and its `cluster`), so nothing is lost by not storing it.
//! What is not a span of ours is counted with its reason and costs its neighbours nothing.

use std::collections::HashMap;
use std::fmt;

use kausal_object::KeyRef;

use crate::attribute;
use crate::batch::{SPAN_BYTES_MAX, SpanBatch, SpanRecord};
use crate::id::{FactKind, IdParts, KeyHash};
use crate::pack::Packer;
use crate::span::SpanRef;
use crate::window::{Day, Window};
use crate::wire::{Field, Fields, otlp};

/// Encodes stored spans as one `ExportTraceServiceRequest`, grouped by resource. The bytes are a
/// `TracesData` as well. No spans, no bytes.
pub fn encode<'a>(records: impl IntoIterator<Item = SpanRecord<'a>>) -> Vec<u8> {
    encode_within(records, usize::MAX).pop().unwrap_or_default()
}

/// The same in messages of at most `bytes_max` each; a span that is larger alone goes alone.
pub fn encode_within<'a>(
    records: impl IntoIterator<Item = SpanRecord<'a>>,
    bytes_max: usize,
) -> Vec<Vec<u8>> {
    let mut groups: Vec<(Resource<'a>, Vec<&'a [u8]>)> = Vec::new();
    let mut known = HashMap::new();
    for SpanRecord { bytes, .. } in records {
        let resource = resource_of(bytes);
        let index = *known.entry(resource).or_insert(groups.len());
        match groups.get_mut(index) {
            Some((_, spans)) => spans.push(bytes),
            None => groups.push((resource, vec![bytes])),
        }
    }
    let mut packer = Packer::new(bytes_max);
    for (resource, spans) in groups {
        packer.resource(resource.service, resource.cluster);
        for span in spans {
            packer.span(span);
        }
    }
    packer.finish()
}

/// What the resource of a stored span says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Resource<'a> {
    /// `service.name`: the kind of the fact; `unknown` for a span that is not ours.
    pub service: &'static str,
    /// `k8s.cluster.name`: the span's own `cluster`.
    pub cluster: &'a str,
}

/// The resource of a stored span.
pub fn resource_of(span: &[u8]) -> Resource<'_> {
    let (mut name, mut cluster) = ("", "");
    for field in Fields(span).map_while(Result::ok) {
        match field {
            (otlp::span::NAME, Field::Bytes(text)) => {
                name = std::str::from_utf8(text).unwrap_or("");
            }
            (otlp::span::ATTRIBUTES, Field::Bytes(pair)) if cluster.is_empty() => {
                cluster = crate::span::str_attribute(pair, attribute::CLUSTER).unwrap_or("");
            }
            _ => {}
        }
        if !name.is_empty() && !cluster.is_empty() {
            break;
        }
    }
    let service = FactKind::from_span_name(name).map_or("unknown", FactKind::as_str);
    Resource { service, cluster }
}

/// Adds the spans of an `ExportTraceServiceRequest` (or `TracesData`) to a batch, byte for byte.
/// After an error the batch is as it was.
pub fn decode(message: &[u8], batch: &mut SpanBatch) -> Result<DecodeReport, DecodeError> {
    let before = batch.len();
    let mut report = DecodeReport::default();
    let result = each_span(message, &mut |span| match judge(span) {
        Ok(record) => {
            batch.push_encoded(record);
            report.accepted += 1;
        }
        Err(reason) => *report.count(reason) += 1,
    });
    if result.is_err() {
        batch.truncate(before);
    }
    result.map(|()| report)
}

/// The message around the spans is no OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an OTLP trace message: malformed protobuf")]
pub struct DecodeError;

/// Why a span was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RejectReason {
    /// Malformed protobuf, text that is not UTF-8, or ids of a wrong length.
    Malformed,
    /// The name begins with no kind of ours.
    Kind,
    /// The object key is missing: no cluster, or neither a resource nor a name.
    Key,
    /// The trace id is not the one of this object, kind and time.
    Ids,
    /// Larger than [`SPAN_BYTES_MAX`].
    TooLarge,
}

impl RejectReason {
    const ALL: [Self; 5] = [Self::Malformed, Self::Kind, Self::Key, Self::Ids, Self::TooLarge];

    /// A label for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Kind => "unknown kind",
            Self::Key => "no object key",
            Self::Ids => "foreign trace id",
            Self::TooLarge => "too large",
        }
    }
}

/// What became of the spans of one message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeReport {
    /// Spans added to the batch.
    pub accepted: usize,
    rejected: [usize; RejectReason::ALL.len()],
}

impl DecodeReport {
    /// Spans not taken.
    pub fn rejected(&self) -> usize {
        self.rejected.iter().sum()
    }

    /// The reasons that occurred, with their counts.
    pub fn reasons(&self) -> impl Iterator<Item = (RejectReason, usize)> {
        let counts = RejectReason::ALL.into_iter().zip(self.rejected);
        counts.filter(|(_, count)| *count > 0)
    }

    fn count(&mut self, reason: RejectReason) -> &mut usize {
        &mut self.rejected[reason as usize]
    }
}

/// `3 spans rejected: 2 unknown kind, 1 malformed`; empty when none was.
impl fmt::Display for DecodeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = format!("{} spans rejected: ", self.rejected());
        for (reason, count) in self.reasons() {
            write!(f, "{separator}{count} {}", reason.as_str())?;
            ", ".clone_into(&mut separator);
        }
        Ok(())
    }
}

fn each_span<'a>(message: &'a [u8], take: &mut impl FnMut(&'a [u8])) -> Result<(), DecodeError> {
    each(message, otlp::RESOURCE_SPANS, &mut |resource| {
        each(resource, otlp::SCOPE_SPANS, &mut |scope| {
            each(scope, otlp::SPANS, &mut |span| {
                take(span);
                Ok(())
            })
        })
    })
}

type Visit<'v, 'a> = &'v mut dyn FnMut(&'a [u8]) -> Result<(), DecodeError>;

fn each<'a>(message: &'a [u8], number: u32, visit: Visit<'_, 'a>) -> Result<(), DecodeError> {
    for field in Fields(message) {
        match field.map_err(|()| DecodeError)? {
            (at, Field::Bytes(inner)) if at == number => visit(inner)?,
            _ => {}
        }
    }
    Ok(())
}

fn judge(bytes: &[u8]) -> Result<SpanRecord<'_>, RejectReason> {
    if bytes.len() > SPAN_BYTES_MAX {
        return Err(RejectReason::TooLarge);
    }
    let span = SpanRef::parse(bytes).map_err(|_| RejectReason::Malformed)?;
    let kind = span.kind().ok_or(RejectReason::Kind)?;
    let key = span.object_key();
    if key.cluster.is_empty() || (key.resource.is_empty() && key.name.is_empty()) {
        return Err(RejectReason::Key);
    }
    if !is_at_home(&span, kind, key) {
        return Err(RejectReason::Ids);
    }
    Ok(SpanRecord { trace: span.trace, span: span.span, bytes })
}

/// Whether the trace id is the one computed for this object, kind and time. Anybody who may write
/// could otherwise put a fact into the trace of another object.
fn is_at_home(span: &SpanRef<'_>, kind: FactKind, key: KeyRef<'_>) -> bool {
    let hash = KeyHash::of(key);
    match (kind, span.trace.parts()) {
        (FactKind::Audit | FactKind::Event | FactKind::Change, IdParts::Facts(of, window)) => {
            of == hash && window == Window::of(span.start)
        }
        (FactKind::Object | FactKind::Link, IdParts::Catalogue(of, day)) => {
            of == hash && day == Day::of(span.start)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::NewSpan;
    use crate::id::{SpanId, TraceId};
    use crate::time::UnixNanos;

    const KEY: KeyRef<'_> =
        KeyRef { cluster: "c", group: "", resource: "pods", namespace: "ns", name: "web" };
    const TIME: UnixNanos = UnixNanos::from_seconds(1_800_000);

    fn home() -> TraceId {
        TraceId::facts_at(KeyHash::of(KEY), TIME)
    }

    fn put(batch: &mut SpanBatch, trace: TraceId, name: &str, start: UnixNanos, key: KeyRef<'_>) {
        let span = NewSpan { trace, span: SpanId([7; 8]), name, start, end: start };
        batch
            .open(span)
            .str_some(attribute::CLUSTER, key.cluster)
            .str_some(attribute::RESOURCE, key.resource)
            .str_some(attribute::NAMESPACE, key.namespace)
            .str_some(attribute::NAME, key.name);
    }

    /// Sends one good span and then what `fill` adds; the good one must arrive alone.
    fn check(fill: impl FnOnce(&mut SpanBatch), expect: &str) {
        let mut sent = SpanBatch::default();
        put(&mut sent, home(), "audit get", TIME, KEY);
        fill(&mut sent);
        let mut taken = SpanBatch::default();
        let report = decode(&encode(sent.iter()), &mut taken).expect("an Export message");
        assert_eq!((report.accepted, taken.len()), (1, 1));
        assert_eq!(taken.iter().next(), sent.iter().next());
        assert_eq!(report.to_string(), expect);
    }

    #[test]
    fn takes_what_is_ours() {
        check(|_| {}, "");
    }

    #[test]
    fn counts_what_is_not_ours() {
        check(|b| put(b, home(), "GET /", TIME, KEY), "1 spans rejected: 1 unknown kind");
        let nobody = KeyRef { resource: "", name: "", ..KEY };
        check(|b| put(b, home(), "audit get", TIME, nobody), "1 spans rejected: 1 no object key");
        let nowhere = KeyRef { cluster: "", ..KEY };
        check(|b| put(b, home(), "audit get", TIME, nowhere), "1 spans rejected: 1 no object key");
        check(
            |b| {
                let bytes = &[1, 2, 3];
                b.push_encoded(SpanRecord { trace: home(), span: SpanId([7; 8]), bytes });
                put(b, home(), "metric", TIME, KEY);
                put(b, home(), "metric", TIME, KEY);
            },
            "3 spans rejected: 1 malformed, 2 unknown kind",
        );
    }

    #[test]
    fn refuses_a_fact_in_another_trace_than_its_own() {
        let expect = "1 spans rejected: 1 foreign trace id";
        let other = KeyRef { name: "other", ..KEY };
        check(|b| put(b, home(), "audit get", TIME, other), expect);
        let later = UnixNanos::from_seconds(TIME.seconds() + 1_800);
        check(|b| put(b, home(), "audit get", later, KEY), expect);
        check(|b| put(b, home(), "object", TIME, KEY), expect);
        let catalogue = TraceId::catalogue_at(KeyHash::of(KEY), TIME);
        check(|b| put(b, catalogue, "audit get", TIME, KEY), expect);
        check(|b| put(b, TraceId([9; 16]), "audit get", TIME, KEY), expect);
    }

    #[test]
    fn refuses_a_span_that_is_too_large() {
        let name = "n".repeat(SPAN_BYTES_MAX);
        let large = KeyRef { name: &name, ..KEY };
        let trace = TraceId::facts_at(KeyHash::of(large), TIME);
        check(|b| put(b, trace, "audit get", TIME, large), "1 spans rejected: 1 too large");
    }

    #[test]
    fn leaves_the_batch_alone_when_the_message_is_broken() {
        let mut sent = SpanBatch::default();
        put(&mut sent, home(), "audit get", TIME, KEY);
        let mut message = encode(sent.iter());
        message.push(0xff);
        let mut batch = sent.clone();
        assert_eq!(decode(&message, &mut batch), Err(DecodeError));
        assert!(batch.iter().eq(sent.iter()));
    }

    #[test]
    fn says_the_resource_of_a_span() {
        let mut batch = SpanBatch::default();
        put(&mut batch, home(), "link", TIME, KEY);
        let resource = batch.iter().next().map(|record| resource_of(record.bytes));
        assert_eq!(resource, Some(Resource { service: "link", cluster: "c" }));
        assert_eq!(resource_of(b"junk"), Resource { service: "unknown", cluster: "" });
    }
}
