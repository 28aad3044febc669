//! Streams cut into pieces: nothing lost, nothing twice, whatever the sizes, in flat memory.
#![allow(clippy::string_slice, reason = "the texts are the test's own")]

mod common;

use std::io::{self, Read, Write};

use common::{capture, items, shape, small};
use flate2::{Compression, write::GzEncoder};
use kausal_audit::read::{
    Chunk, DocumentReader, InflateLimits, Oversized, Piece, ReadError, ReadLimits, inflate,
};
use proptest::prelude::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("writes");
    encoder.finish().expect("ends")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 1).expect("writes")
}

fn limits(chunk_bytes: usize) -> ReadLimits {
    ReadLimits { chunk_bytes, ..ReadLimits::default() }
}

/// All pieces, and how the input ended.
fn pieces(input: impl Read, limits: ReadLimits) -> (Vec<Piece>, Option<ReadError>) {
    let mut reader = DocumentReader::new(input, limits);
    let mut pieces = Vec::new();
    for piece in reader.by_ref() {
        match piece {
            Ok(piece) => pieces.push(piece),
            Err(error) => {
                assert!(reader.next().is_none(), "an error is the last word");
                return (pieces, Some(error));
            }
        }
    }
    (pieces, None)
}

fn chunks(pieces: &[Piece]) -> Vec<&Chunk> {
    fn chunk(piece: &Piece) -> &Chunk {
        match piece {
            Piece::Documents(chunk) => chunk,
            Piece::Oversized(large) => panic!("{large:?}"),
        }
    }
    pieces.iter().map(chunk).collect()
}

/// What decoding the pieces one by one finds.
fn found(pieces: &[Piece]) -> Vec<String> {
    chunks(pieces).iter().flat_map(|chunk| shape(&items(&chunk.bytes))).collect()
}

/// Gives a few bytes a read, as sockets do.
struct Dripping<'a>(&'a [u8], usize);

impl Read for Dripping<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = out.len().min(self.1);
        self.0.read(&mut out[..most])
    }
}

#[test]
fn an_input_is_read_whatever_compresses_it() {
    let plain = capture();
    let expect = shape(&items(&plain));
    let (first, second) = plain.split_at(plain.len() / 3);
    let inputs = [
        plain.clone(),
        gzip(&plain),
        zstd(&plain),
        [gzip(first), gzip(second)].concat(),
        [zstd(first), zstd(second)].concat(),
    ];
    for input in inputs {
        for size in [1, 100_000, 64 << 20] {
            let (pieces, error) = pieces(&*input, limits(size));
            assert!(error.is_none());
            assert_eq!(found(&pieces), expect);
            let chunks = chunks(&pieces);
            assert!(chunks.iter().all(|chunk| chunk.bytes.ends_with(b"}\n")));
            let (mut offset, mut line) = (0, 1);
            for chunk in chunks {
                assert_eq!((chunk.offset, chunk.line), (offset, line));
                offset += chunk.bytes.len() as u64;
                line += chunk.bytes.split(|byte| *byte == b'\n').count() as u64 - 1;
            }
            assert_eq!(offset, plain.len() as u64);
        }
    }
}

#[test]
fn progress_is_told_in_bytes_of_the_input() {
    let input = gzip(&capture());
    let mut reader = DocumentReader::new(&*input, limits(64 << 10));
    assert_eq!(reader.input_bytes(), 0);
    reader.next().expect("a piece").expect("no error");
    assert!((1..input.len() as u64).contains(&reader.input_bytes()));
    assert!(reader.all(|piece| piece.is_ok()));
    assert_eq!(reader.input_bytes(), input.len() as u64);
}

#[test]
fn every_form_is_cut_between_documents() {
    let documents: Vec<_> = (0..300).map(|n| small(&n.to_string())).collect();
    let ids: Vec<_> = (0..300).map(|n| n.to_string()).collect();
    let pretty = |text: &String| {
        let tree: serde_json::Value = serde_json::from_str(text).expect("JSON");
        serde_json::to_string_pretty(&tree).expect("prints")
    };
    let printed: Vec<_> = documents.iter().map(pretty).collect();
    let array = |separator: &str| format!("[{}]", documents.join(separator));
    let forms = [
        documents.join("\n"),
        documents.join("\r\n") + "\r\n",
        documents.concat(),
        documents.join(" "),
        printed.join("\n"),
        printed.join("\n").replace('\n', "\r\n"),
        array(","),
        array(",\n"),
        format!("[\n{}\n]\n", documents.join(",\n")),
        format!("[\n{}\n]\n", printed.join(",\n")),
        format!("[{}]\n[{}]", documents[..9].join(","), documents[9..].join(",")),
        format!("\u{feff}{}", array(",")),
        format!("\u{feff}{}", documents.concat()),
    ];
    for form in forms {
        for size in [1, 3_000, 1 << 20] {
            for drip in [7, 1_000, usize::MAX] {
                let (pieces, error) = pieces(Dripping(form.as_bytes(), drip), limits(size));
                assert!(error.is_none());
                assert_eq!(found(&pieces), ids, "{size} {drip} {}", &form[..40]);
                // The second of two lines that are arrays is one document.
                let small = size.max(drip) <= 3_000 && !form.contains("]\n[");
                let few = small && pieces.len() < 10;
                assert!(!few, "{} {size} {drip} {}", pieces.len(), &form[..40]);
            }
        }
    }
}

#[test]
fn a_read_that_brings_documents_is_handed_out_at_once() {
    let (a, b) = (small("a") + "\n", small("b") + "\n");
    let mut reader = DocumentReader::new(a.as_bytes().chain(b.as_bytes()), limits(1));
    let mut next = || match reader.next() {
        Some(Ok(Piece::Documents(chunk))) => chunk.bytes,
        other => panic!("{other:?}"),
    };
    assert_eq!((next(), next()), (a.clone().into_bytes(), b.clone().into_bytes()));
}

#[test]
fn an_empty_input_has_no_pieces() {
    for input in [vec![], gzip(b""), zstd(b"")] {
        let (pieces, error) = pieces(&*input, ReadLimits::default());
        assert!(pieces.is_empty() && error.is_none());
    }
}

/// So much of a byte, made as it is read.
fn many(byte: u8, bytes: u64) -> impl Read {
    io::repeat(byte).take(bytes)
}

#[test]
fn an_oversized_document_is_passed_over_in_flat_memory() {
    let limits = ReadLimits { chunk_bytes: 64 << 10, document_bytes_max: 1 << 20 };
    let (a, b) = (small("a") + "\n", small("b") + "\n");
    let before = format!("{a}{{\"a\":\"");
    let input =
        before.as_bytes().chain(many(b'x', 300 << 20)).chain(&b"\"}\n"[..]).chain(b.as_bytes());
    let (pieces, error) = pieces(input, limits);
    assert!(error.is_none());
    let [Piece::Documents(first), Piece::Oversized(large), Piece::Documents(last)] = &*pieces
    else {
        panic!("{pieces:?}");
    };
    assert_eq!(shape(&items(&first.bytes)), ["a"]);
    assert_eq!(shape(&items(&last.bytes)), ["b"]);
    let bytes = 6 + (300 << 20) + 3;
    let Oversized { head, offset, line, bytes: size, max } = large;
    assert_eq!((*offset, *line, *size, *max), (a.len() as u64, 2, bytes, 1 << 20));
    assert!(head.starts_with(b"{\"a\":\"xx") && head.len() == 4 << 10);
    assert_eq!((last.offset, last.line), (a.len() as u64 + bytes, 3));
    let said = large.reason().to_string();
    assert_eq!(said, format!("event of {bytes} bytes, over the limit of 1048576"));
}

#[test]
fn an_oversized_document_without_lines_is_passed_over_by_its_brackets() {
    let limits = ReadLimits { chunk_bytes: 64 << 10, document_bytes_max: 1 << 20 };
    let (a, b) = (small("a"), small("b"));
    let before = format!("{a}{a}{{\"a\":\"}}\\");
    let input = before.as_bytes().chain(many(b'"', 1)).chain(many(b'x', 9 << 20));
    let (pieces, error) = pieces(input.chain(&b"\"}"[..]).chain(b.as_bytes()), limits);
    assert!(error.is_none());
    let [Piece::Documents(first), Piece::Oversized(large), Piece::Documents(last)] = &*pieces
    else {
        panic!("{} pieces", pieces.len());
    };
    assert_eq!(shape(&items(&first.bytes)), ["a", "a"]);
    assert_eq!(shape(&items(&last.bytes)), ["b"]);
    assert_eq!(large.offset, 2 * a.len() as u64);
    assert_eq!(last.offset, large.offset + large.bytes);
}

#[test]
fn a_stream_without_any_end_is_passed_over() {
    let limits = ReadLimits { chunk_bytes: 64 << 10, document_bytes_max: 1 << 20 };
    for byte in *b"[{\"x \0" {
        let (pieces, error) = pieces(many(byte, 20 << 20), limits);
        assert!(error.is_none());
        let [Piece::Oversized(large)] = &*pieces else { panic!("{} pieces", pieces.len()) };
        assert_eq!(large.bytes, 20 << 20);
    }
}

#[test]
fn what_was_read_before_an_error_comes_first() {
    let plain = capture();
    for input in [gzip(&plain), zstd(&plain)] {
        let (pieces, error) = pieces(&input[..input.len() / 2], limits(64 << 10));
        assert!(matches!(error, Some(ReadError::Io(_))), "{error:?}");
        let chunks = chunks(&pieces);
        let read: Vec<u8> = chunks.iter().flat_map(|chunk| &chunk.bytes).copied().collect();
        assert!(read.len() > plain.len() / 10 && plain.starts_with(&read));
    }
    let two = [gzip(small("a").as_bytes()), b"no gzip".to_vec()].concat();
    let (pieces, error) = pieces(&*two, limits(1));
    assert_eq!(found(&pieces), ["a"]);
    assert!(error.is_some());
}

// === request bodies ===

#[test]
fn a_request_body_is_inflated() {
    let plain = capture();
    let limits = InflateLimits::default();
    for body in [plain.clone(), gzip(&plain), zstd(&plain)] {
        assert_eq!(inflate(&body, &limits).expect("inflates"), plain);
    }
    assert_eq!(inflate(b"", &limits).expect("nothing"), &b""[..]);
}

#[test]
fn a_bomb_is_an_error_that_names_the_limit() {
    let zeros = vec![b' '; 70 << 20];
    let limits = InflateLimits { bytes_max: 10 << 20, ratio_max: usize::MAX };
    for body in [gzip(&zeros), zstd(&zeros), zeros[..11 << 20].to_vec()] {
        let error = inflate(&body, &limits).expect_err("a bomb");
        assert_eq!(error.to_string(), "decompresses to more than 10485760 bytes");
    }
    for body in [gzip(&zeros), zstd(&zeros)] {
        let error = inflate(&body, &InflateLimits::default()).expect_err("a bomb");
        assert_eq!(error.to_string(), "decompresses to more than 200 times its size");
    }
}

#[test]
fn a_damaged_body_is_an_error() {
    let mut body = gzip(&capture());
    body.truncate(body.len() - 20);
    assert!(inflate(&body, &InflateLimits::default()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn pieces_are_the_input(
        lines in prop::collection::vec("[a-z{}\\[\\]\",: ]{0,40}", 0..40),
        size in 1..200_usize,
        drip in 1..50_usize,
    ) {
        let text = lines.join("\n");
        let (pieces, error) = pieces(Dripping(text.as_bytes(), drip), limits(size));
        prop_assert!(error.is_none());
        let read: Vec<u8> = chunks(&pieces).iter().flat_map(|c| &c.bytes).copied().collect();
        prop_assert_eq!(read.len(), text.len());
        let differs = |(read, given): (&u8, &u8)| read != given && !b"[]".contains(given);
        prop_assert!(!read.iter().zip(text.as_bytes()).any(differs));
    }
}
