//! How a span becomes a stored value, and back.
//!
//! Promise: what is read is byte for byte what was stored, whichever dictionary was current.
//! **Invariant:** the layouts are part of the format. First byte 1: the span follows. First byte 2:
//! dictionary id (2), length of the span (4), then a zstd frame.
//!
//! Spans of one store resemble each other more than any one resembles itself: with a dictionary
//! learned from its own spans, zstd leaves an eighth of a span, faster than LZ4 alone leaves half.
//! Small values then make everything after cheap: journal, memory, tables, merging, reading.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::Arc;

use fjall::UserValue;
use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::DecoderDictionary;

use crate::StoreError;

const PLAIN: u8 = 1;
const COMPRESSED: u8 = 2;
const HEAD_BYTES: usize = 7;
/// Higher levels cost a tenth more time for a tenth fewer bytes.
const LEVEL: i32 = 1;
/// Far above the largest span of ours: a damaged length must not ask for all memory.
const SPAN_BYTES_MAX: usize = 64 << 20;

/// Names a dictionary within one store.
pub(crate) type DictionaryId = u16;

/// A dictionary for reading.
pub(crate) type Prepared = Arc<DecoderDictionary<'static>>;

/// Dictionaries for reading, by id.
pub(crate) type Dictionaries = Arc<BTreeMap<DictionaryId, Prepared>>;

/// Makes values; belongs to the writer.
#[derive(Default)]
pub(crate) struct Encoder {
    current: Option<(DictionaryId, Compressor<'static>)>,
    frame: Vec<u8>,
}

impl Encoder {
    /// Compresses with this dictionary from now on.
    pub(crate) fn adopt(&mut self, id: DictionaryId, dictionary: &[u8]) -> Result<(), String> {
        self.current = Some((id, compressor(dictionary).map_err(text)?));
        Ok(())
    }

    /// The dictionary in use.
    pub(crate) fn dictionary(&self) -> Option<DictionaryId> {
        self.current.as_ref().map(|(id, _)| *id)
    }

    /// The value of a span.
    pub(crate) fn value(&mut self, span: &[u8]) -> Result<UserValue, String> {
        if let Some((id, compressor)) = &mut self.current
            && let Ok(len) = u32::try_from(span.len())
        {
            let frame_len = compress(compressor, span, &mut self.frame).map_err(text)?;
            if HEAD_BYTES + frame_len < span.len() {
                let (id, len) = (id.to_be_bytes(), len.to_be_bytes());
                let head = [COMPRESSED, id[0], id[1], len[0], len[1], len[2], len[3]];
                return joined(&head, &self.frame).map_err(text);
            }
        }
        plain(span)
    }

    /// Bytes that the spans take with the dictionary in use.
    pub(crate) fn cost(&mut self, spans: &[&[u8]]) -> Result<usize, String> {
        spans.iter().map(|span| self.value(span).map(|value| value.len())).sum()
    }
}

/// Reads values. Made for one call, so that its contexts are not shared.
pub(crate) struct Decoder<'d> {
    dictionaries: &'d Dictionaries,
    contexts: BTreeMap<DictionaryId, Decompressor<'d>>,
    span: Vec<u8>,
}

impl<'d> Decoder<'d> {
    pub(crate) fn new(dictionaries: &'d Dictionaries) -> Self {
        Self { dictionaries, contexts: BTreeMap::new(), span: Vec::new() }
    }

    /// The span in a value.
    pub(crate) fn span<'a>(&'a mut self, value: &'a [u8]) -> Result<&'a [u8], StoreError> {
        match value.split_first() {
            Some((&PLAIN, span)) => Ok(span),
            Some((&COMPRESSED, rest)) => {
                let (id, len, frame) = head(rest).ok_or_else(|| damaged("its head is cut"))?;
                self.decompress(id, len, frame)
            }
            Some((form, _)) => Err(damaged(&format!("it has form {form}"))),
            None => Err(damaged("it is empty")),
        }
    }

    fn decompress(
        &mut self,
        id: DictionaryId,
        len: usize,
        frame: &[u8],
    ) -> Result<&[u8], StoreError> {
        if len > SPAN_BYTES_MAX {
            return Err(damaged(&format!("its length is {len} bytes")));
        }
        let context = match self.contexts.entry(id) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(new) => {
                let dictionary = self.dictionaries.get(&id);
                let dictionary =
                    dictionary.ok_or_else(|| damaged(&format!("dictionary {id} is missing")))?;
                let context = Decompressor::with_prepared_dictionary(dictionary);
                new.insert(context.map_err(|error| damaged(&error.to_string()))?)
            }
        };
        self.span.clear();
        self.span.reserve(len);
        context
            .decompress_to_buffer(frame, &mut self.span)
            .map_err(|error| damaged(&error.to_string()))?;
        if self.span.len() == len {
            Ok(&self.span)
        } else {
            Err(damaged(&format!("it has {} bytes, not {len}", self.span.len())))
        }
    }
}

/// The value of a span as it is: what is small and alike anyway, and what tables compress.
pub(crate) fn plain(span: &[u8]) -> Result<UserValue, String> {
    joined(&[PLAIN], span).map_err(text)
}

/// A dictionary of at most `bytes_max` for spans like `samples`; `None` when they are too few or
/// too much alike to learn from.
pub(crate) fn train(samples: &[&[u8]], bytes_max: usize) -> Option<Vec<u8>> {
    zstd::dict::from_samples(samples, bytes_max).ok().filter(|dictionary| !dictionary.is_empty())
}

/// Prepares a stored dictionary for reading.
pub(crate) fn prepare(dictionary: &[u8]) -> Result<DecoderDictionary<'static>, String> {
    DecoderDictionary::try_copy(dictionary).map_err(text)
}

fn head(value: &[u8]) -> Option<(DictionaryId, usize, &[u8])> {
    let (id, rest) = value.split_first_chunk()?;
    let (len, frame) = rest.split_first_chunk()?;
    let len = u32::from_be_bytes(*len) as usize;
    Some((DictionaryId::from_be_bytes(*id), len, frame))
}

fn compressor(dictionary: &[u8]) -> std::io::Result<Compressor<'static>> {
    let mut compressor = Compressor::with_dictionary(LEVEL, dictionary)?;
    // The table files have checksums, the value's head the length and the dictionary.
    compressor.include_checksum(false)?;
    compressor.include_contentsize(false)?;
    compressor.include_dictid(false)?;
    Ok(compressor)
}

fn compress(
    compressor: &mut Compressor<'_>,
    span: &[u8],
    frame: &mut Vec<u8>,
) -> std::io::Result<usize> {
    frame.clear();
    frame.reserve(zstd::zstd_safe::compress_bound(span.len()));
    compressor.compress_to_buffer(span, frame)
}

/// Copied once, into the allocation the engine keeps.
fn joined(head: &[u8], rest: &[u8]) -> std::io::Result<UserValue> {
    UserValue::from_reader(&mut head.chain(rest), head.len() + rest.len())
}

#[expect(clippy::needless_pass_by_value, reason = "it is the shape `map_err` asks for")]
fn text(error: std::io::Error) -> String {
    error.to_string()
}

fn damaged(cause: &str) -> StoreError {
    StoreError::ReadFailed { cause: format!("a stored span cannot be read: {cause}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(number: usize) -> Vec<u8> {
        let uid = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!(
            "{{\"kind\":\"Pod\",\"metadata\":{{\"name\":\"web-{number}\",\"uid\":\"{uid:x}\"}},\
             \"spec\":{{\"containers\":[{{\"name\":\"web\",\"image\":\"web:{}\"}}]}}}}",
            number % 7
        )
        .into_bytes()
    }

    fn trained() -> Vec<u8> {
        let samples: Vec<Vec<u8>> = (0..500).map(sample).collect();
        let samples: Vec<&[u8]> = samples.iter().map(Vec::as_slice).collect();
        train(&samples, 4_096).expect("enough samples")
    }

    fn read(dictionaries: &Dictionaries, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        Decoder::new(dictionaries).span(value).map(<[u8]>::to_vec)
    }

    #[test]
    fn a_dictionary_makes_values_small_and_they_read_back() {
        let dictionary = trained();
        let prepared = Arc::new(prepare(&dictionary).expect("a dictionary"));
        let dictionaries = Arc::new(BTreeMap::from([(3, prepared)]));
        let mut encoder = Encoder::default();
        let span = sample(7_777);
        let plain = encoder.value(&span).expect("a value");
        encoder.adopt(3, &dictionary).expect("a dictionary");
        let small = encoder.value(&span).expect("a value");
        assert!(small.len() * 2 < plain.len(), "{} of {}", small.len(), plain.len());
        for value in [plain, small] {
            assert_eq!(read(&dictionaries, &value), Ok(span.clone()));
        }
    }

    #[test]
    fn what_does_not_get_smaller_stays_as_it_is() {
        let mut encoder = Encoder::default();
        encoder.adopt(1, &trained()).expect("a dictionary");
        for span in [&b""[..], b"x", &[0xa5, 1, 7, 99, 240]] {
            let value = encoder.value(span).expect("a value");
            assert_eq!(value.first(), Some(&PLAIN));
            assert_eq!(read(&Dictionaries::default(), &value), Ok(span.to_vec()));
        }
    }

    #[test]
    fn a_damaged_value_is_an_error() {
        let mut encoder = Encoder::default();
        encoder.adopt(1, &trained()).expect("a dictionary");
        let mut value = encoder.value(&sample(1)).expect("a value").to_vec();
        let none = Dictionaries::default();
        let check = |value: &[u8], expect: &str| {
            let error = read(&none, value).expect_err("damaged").to_string();
            assert!(error.contains(expect), "{error}");
        };
        check(&value, "dictionary 1 is missing");
        check(&[], "it is empty");
        check(&[9, 9], "it has form 9");
        check(&[COMPRESSED, 0], "its head is cut");
        value[3] = 0xff;
        check(&value, "its length is");
    }
}
