//! Whole traces for one answer.
//!
//! Promise: at most [`ANSWER_BYTES_MAX`] of encoded spans stand behind an answer, and what that
//! left out is said on a span of it; spans that cannot be read cost a warning, not their
//! neighbours.

use kausal_trace::TraceId;
use kausal_trace::attribute::JAEGER_WARNINGS;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{Span, TracesData};
use prost::Message;

use super::ui_json::{UiTrace, ui_traces};
use crate::error::ReadError;
use crate::stop::Stop;
use crate::traces::Traces;

/// Encoded spans behind one answer: some 100,000 spans, more than Jaeger's UI can draw, and what a
/// process can hold as JSON for every read at work.
pub(super) const ANSWER_BYTES_MAX: usize = 32 << 20;

/// What was found of the traces asked for.
#[derive(Debug, Default)]
pub(super) struct Collected {
    /// Those found, in the order asked for.
    pub(super) traces: Vec<TracesData>,
    /// Those of which nothing is known.
    pub(super) missing: Vec<TraceId>,
}

/// One trace in the JSON of Jaeger UI, from its encoded messages.
pub(in crate::http) fn ui_trace(messages: &[Vec<u8>]) -> UiTrace {
    ui_traces(decode(messages)).into_iter().next().unwrap_or_default()
}

/// Reads traces until the answer is full.
pub(super) fn collect(
    traces: &dyn Traces,
    ids: &[TraceId],
    bytes_max: usize,
    stop: &Stop,
) -> Result<Collected, ReadError> {
    let mut collected = Collected::default();
    let mut room = bytes_max;
    for (at, id) in ids.iter().enumerate() {
        stop.check()?;
        let messages = traces.messages(*id, stop)?;
        if messages.is_empty() {
            collected.missing.push(*id);
            continue;
        }
        // The first message of all is there whatever the room: at most 1 MiB.
        let kept = fitting(&messages, &mut room).max(usize::from(collected.traces.is_empty()));
        if kept > 0 {
            collected.traces.push(decode(messages.get(..kept).unwrap_or_default()));
        }
        if kept < messages.len() {
            collected.say_left_out(ids.len() - at - usize::from(kept > 0), bytes_max);
            break;
        }
    }
    Ok(collected)
}

/// How many of the messages have room.
fn fitting(messages: &[Vec<u8>], room: &mut usize) -> usize {
    let fits = |message: &&Vec<u8>| match room.checked_sub(message.len()) {
        Some(left) => {
            *room = left;
            true
        }
        None => false,
    };
    messages.iter().take_while(fits).count()
}

impl Collected {
    fn say_left_out(&mut self, traces: usize, bytes_max: usize) {
        let warning = format!(
            "this answer ends with this trace, at its {} MiB; left out are the rest of it, if there \
             is any, and up to {traces} more traces; ask for fewer, or for one by its id",
            bytes_max >> 20
        );
        if let Some(span) = self.traces.last_mut().and_then(first_span) {
            warn(span, warning);
        }
    }
}

/// The messages of one trace as one.
fn decode(messages: &[Vec<u8>]) -> TracesData {
    let mut trace = TracesData::default();
    let mut unreadable = 0;
    for message in messages {
        match TracesData::decode(message.as_slice()) {
            Ok(data) => trace.resource_spans.extend(data.resource_spans),
            Err(_) => unreadable += 1,
        }
    }
    if let (Some(span), 1..) = (first_span(&mut trace), unreadable) {
        let total = messages.len();
        warn(span, format!("{unreadable} of {total} parts of this trace cannot be read"));
    }
    trace
}

fn first_span(trace: &mut TracesData) -> Option<&mut Span> {
    let scopes = trace.resource_spans.iter_mut().flat_map(|resource| &mut resource.scope_spans);
    scopes.flat_map(|scope| &mut scope.spans).next()
}

/// Adds to the warnings that Jaeger shows on a span.
fn warn(span: &mut Span, warning: String) {
    let text = AnyValue { value: Some(Value::StringValue(warning)) };
    let given = span.attributes.iter_mut().find(|pair| pair.key == JAEGER_WARNINGS);
    if let Some(Value::ArrayValue(array)) =
        given.and_then(|pair| pair.value.as_mut()).and_then(|value| value.value.as_mut())
    {
        array.values.push(text);
        return;
    }
    let value = Some(Value::ArrayValue(ArrayValue { values: vec![text] }));
    span.attributes.push(KeyValue {
        key: JAEGER_WARNINGS.to_owned(),
        value: Some(AnyValue { value }),
        ..KeyValue::default()
    });
}
