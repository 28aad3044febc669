//! Messages that are kept as bytes.
//!
//! Promise: what is decoded is what was received and what is encoded is what was given, byte for
//! byte, without a copy where the transport allows it.
//! Never here: a look inside. Bytes that are no protobuf are found by whoever reads them.

use bytes::{Buf, BufMut, Bytes};
use prost::encoding::{self, DecodeContext, WireType};
use prost::{DecodeError, Message};

macro_rules! raw_message {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name(
            /// The encoded message.
            pub Bytes,
        );

        impl Message for $name {
            fn encode_raw(&self, buf: &mut impl BufMut) {
                buf.put_slice(&self.0);
            }

            fn merge_field(
                &mut self,
                tag: u32,
                wire_type: WireType,
                buf: &mut impl Buf,
                ctx: DecodeContext,
            ) -> Result<(), DecodeError> {
                self.0 = appended(&self.0, tag, wire_type, buf, ctx)?;
                Ok(())
            }

            fn encoded_len(&self) -> usize {
                self.0.len()
            }

            /// Takes the whole buffer, unread.
            fn decode(mut buf: impl Buf) -> Result<Self, DecodeError> {
                Ok(Self(buf.copy_to_bytes(buf.remaining())))
            }

            /// Adds the whole buffer, unread: protobuf merges messages by putting them in a row.
            fn merge(&mut self, mut buf: impl Buf) -> Result<(), DecodeError> {
                let more = buf.copy_to_bytes(buf.remaining());
                self.0 = if self.0.is_empty() { more } else { [&*self.0, &more].concat().into() };
                Ok(())
            }

            fn clear(&mut self) {
                self.0.clear();
            }
        }
    };
}

raw_message!(
    /// OTLP `TracesData`, encoded.
    TracesData
);
raw_message!(
    /// OTLP `ExportTraceServiceRequest`, encoded. The same bytes are a [`TracesData`].
    ExportTraceServiceRequest
);

/// `bytes` and one more field. The way of a message inside another, which no interface of ours
/// uses; correct all the same, one copy a field.
fn appended(
    bytes: &[u8],
    tag: u32,
    wire: WireType,
    buf: &mut impl Buf,
    cx: DecodeContext,
) -> Result<Bytes, DecodeError> {
    let mut out = bytes.to_vec();
    match wire {
        WireType::LengthDelimited => {
            let mut value = Bytes::new();
            encoding::bytes::merge(wire, &mut value, buf, cx)?;
            encoding::bytes::encode(tag, &value, &mut out);
        }
        WireType::Varint => {
            let mut value = 0;
            encoding::uint64::merge(wire, &mut value, buf, cx)?;
            encoding::uint64::encode(tag, &value, &mut out);
        }
        WireType::SixtyFourBit => {
            let mut value = 0;
            encoding::fixed64::merge(wire, &mut value, buf, cx)?;
            encoding::fixed64::encode(tag, &value, &mut out);
        }
        WireType::ThirtyTwoBit => {
            let mut value = 0;
            encoding::fixed32::merge(wire, &mut value, buf, cx)?;
            encoding::fixed32::encode(tag, &value, &mut out);
        }
        WireType::StartGroup | WireType::EndGroup => encoding::skip_field(wire, tag, buf, cx)?,
    }
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::trace::v1::{
        ResourceSpans, ScopeSpans, Span, TracesData as Decoded,
    };

    use super::*;

    fn encoded() -> Vec<u8> {
        let span = Span { trace_id: vec![7; 16], name: "audit patch".into(), ..Span::default() };
        let spans = ScopeSpans { spans: vec![span], ..ScopeSpans::default() };
        let resource = ResourceSpans { scope_spans: vec![spans], ..ResourceSpans::default() };
        Decoded { resource_spans: vec![resource.clone(), resource] }.encode_to_vec()
    }

    #[test]
    fn passes_bytes_through_both_ways() {
        let bytes = encoded();
        let raw = TracesData::decode(&bytes[..]).expect("bytes");
        assert_eq!(raw.0, bytes);
        assert_eq!(raw.encode_to_vec(), bytes);
        assert_eq!(Decoded::decode(&raw.0[..]).expect("traces").resource_spans.len(), 2);
    }

    #[test]
    fn keeps_bytes_that_are_no_protobuf() {
        let raw = ExportTraceServiceRequest::decode(&[0xff, 0xff][..]).expect("bytes");
        assert_eq!(raw.encode_to_vec(), [0xff, 0xff]);
    }

    #[test]
    fn merges_as_protobuf_does() {
        let bytes = encoded();
        let mut raw = TracesData::decode(&bytes[..]).expect("bytes");
        raw.merge(&bytes[..]).expect("more");
        assert_eq!(Decoded::decode(&raw.0[..]).expect("traces").resource_spans.len(), 4);
        raw.clear();
        assert_eq!(raw.encoded_len(), 0);
    }

    #[test]
    fn survives_inside_another_message() {
        let raw = TracesData(encoded().into());
        let bytes = raw.encode_length_delimited_to_vec();
        assert_eq!(TracesData::decode_length_delimited(&bytes[..]).expect("inside"), raw);
        assert!(TracesData::decode_length_delimited(&bytes[..bytes.len() - 1]).is_err());
    }
}
