//! Where a JSON value ends, 64 bytes at a time.
//!
//! Promise: of balanced JSON it finds the exact end, whatever its depth, in constant memory and
//! several times faster than a parser, since it looks only at quotes, backslashes and brackets.
//! Never here: checking. What is between the brackets may be no JSON at all; whoever reads a body
//! finds out then, and most bodies are never read.

use wide::u8x16;

/// Bytes looked at in one step.
pub(crate) const BLOCK: usize = 64;

/// Bracket structure of a text, fed in pieces.
#[derive(Clone, Debug, Default)]
pub(crate) struct Structure {
    /// All ones if the next byte is inside a string, else zero.
    in_string: u64,
    /// One if the next byte is escaped, else zero.
    escaped: u64,
    depth: usize,
    deepest: usize,
}

/// What a block of bytes holds; bit n speaks of byte n.
struct Masks {
    quotes: u64,
    backslashes: u64,
    opens: u64,
    closes: u64,
}

impl Structure {
    /// A text that goes on outside of strings with so many brackets open.
    pub(crate) fn at_depth(depth: usize) -> Self {
        Self { depth, ..Self::default() }
    }

    /// Brackets open, seen from after everything fed.
    pub(crate) const fn depth(&self) -> usize {
        self.depth
    }

    /// The largest depth seen between blocks.
    pub(crate) const fn deepest(&self) -> usize {
        self.deepest
    }

    /// Feeds bytes until a bracket closes down to `floor` open ones; the position after that
    /// bracket, or `None` if all of `bytes` was taken before.
    ///
    /// After `Some(end)` feed on from `end`. A close without an open counts as reaching the floor.
    pub(crate) fn feed(&mut self, bytes: &[u8], floor: usize) -> Option<usize> {
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        for (index, block) in blocks.iter().enumerate() {
            if let Some(end) = self.block(block, BLOCK, floor) {
                return Some(index * BLOCK + end);
            }
        }
        if rest.is_empty() {
            return None;
        }
        let mut last = [b' '; BLOCK];
        last.get_mut(..rest.len())?.copy_from_slice(rest);
        let end = self.block(&last, rest.len(), floor)?;
        Some(blocks.len() * BLOCK + end)
    }

    /// One block, of which `length` bytes are input; the rest are spaces.
    #[inline]
    fn block(&mut self, block: &[u8; BLOCK], length: usize, floor: usize) -> Option<usize> {
        let masks = masks(block);
        let escapes = escapes(masks.backslashes, self.escaped);
        let quotes = masks.quotes & !escapes.escaped;
        let strings = ones_between(quotes) ^ self.in_string;
        let opens = masks.opens & !strings;
        let closes = masks.closes & !strings;
        if self.depth < floor + closes.count_ones() as usize + 1
            && let Some((end, depth)) = self.close_within(opens, closes, floor)
        {
            // Right after a closing bracket no string is open, so that state starts afresh.
            (self.in_string, self.escaped, self.depth) = (0, 0, depth);
            return Some(end);
        }
        self.depth = (self.depth + opens.count_ones() as usize) - closes.count_ones() as usize;
        self.deepest = self.deepest.max(self.depth);
        self.in_string = 0_u64.wrapping_sub(strings >> (BLOCK - 1));
        self.escaped = if length < BLOCK { escapes.escaped >> length & 1 } else { escapes.carried };
        None
    }

    /// After the close that brings the depth to `floor` or below: position and depth.
    fn close_within(&self, opens: u64, closes: u64, floor: usize) -> Option<(usize, usize)> {
        let mut closes_left = closes;
        let mut ended = 0;
        while closes_left != 0 {
            let at = closes_left.trailing_zeros();
            ended += 1;
            let opened = (opens & ((1 << at) - 1)).count_ones() as usize;
            if self.depth + opened <= floor + ended {
                return Some((at as usize + 1, (self.depth + opened).saturating_sub(ended)));
            }
            closes_left &= closes_left - 1;
        }
        None
    }
}

struct Escapes {
    /// Bytes that a backslash before them escapes.
    escaped: u64,
    /// One if the byte after the block is escaped.
    carried: u64,
}

/// Runs of backslashes escape every second byte after their first; adding the starts of runs on odd
/// positions carries through each run and so tells odd lengths from even ones (as in simdjson).
#[inline]
fn escapes(backslashes: u64, carried: u64) -> Escapes {
    const EVEN: u64 = 0x5555_5555_5555_5555;
    if backslashes == 0 {
        return Escapes { escaped: carried, carried: 0 };
    }
    let starts = backslashes & !carried;
    let follows = starts << 1 | carried;
    let odd_starts = starts & !EVEN & !follows;
    let (runs, overflow) = odd_starts.overflowing_add(starts);
    Escapes { escaped: (EVEN ^ (runs << 1)) & follows, carried: u64::from(overflow) }
}

/// Each bit becomes the parity of the bits up to it: between an opening and a closing quote, ones.
#[inline]
const fn ones_between(mut bits: u64) -> u64 {
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^ (bits << 32)
}

#[inline]
fn masks(block: &[u8; BLOCK]) -> Masks {
    let mut masks = Masks { quotes: 0, backslashes: 0, opens: 0, closes: 0 };
    let (lanes, _) = block.as_chunks::<16>();
    for (index, lane) in lanes.iter().enumerate() {
        let bytes = u8x16::new(*lane);
        // `[` and `]` differ from `{` and `}` by this bit alone, and nothing else becomes them.
        let folded = bytes | u8x16::splat(0x20);
        let shift = index * 16;
        masks.quotes |= equal(bytes, b'"') << shift;
        masks.backslashes |= equal(bytes, b'\\') << shift;
        masks.opens |= equal(folded, b'{') << shift;
        masks.closes |= equal(folded, b'}') << shift;
    }
    masks
}

#[inline]
fn equal(bytes: u8x16, byte: u8) -> u64 {
    u64::from(bytes.simd_eq(u8x16::splat(byte)).to_bitmask())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same, byte by byte.
    fn plain(bytes: &[u8], floor: usize) -> (Option<usize>, usize) {
        let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
        for (at, byte) in bytes.iter().enumerate() {
            let was_escaped = escaped;
            escaped = *byte == b'\\' && !was_escaped;
            match byte {
                b'"' if !was_escaped => in_string = !in_string,
                b'{' | b'[' if !in_string => depth += 1,
                b'}' | b']' if !in_string => {
                    depth = depth.saturating_sub(1);
                    if depth <= floor {
                        return (Some(at + 1), depth);
                    }
                }
                _ => {}
            }
        }
        (None, depth)
    }

    fn check(text: &str, end: Option<usize>) {
        assert_eq!(Structure::default().feed(text.as_bytes(), 0), end, "{text}");
    }

    #[test]
    fn an_end_is_found_behind_strings_and_escapes() {
        check("{}", Some(2));
        check("[{}] {}", Some(4));
        check(r#"{"}":"\"}"}}"#, Some(11));
        check(r#"{"a\\":"}"}"#, Some(11));
        check("{\"a\":[", None);
        check("", None);
        for padding in 0..200 {
            let string = format!("{}\\\"}}", "x".repeat(padding));
            check(&format!("{{\"{string}\"}}]"), Some(padding + 7));
        }
    }

    #[test]
    fn depth_has_no_bound() {
        let text = "[".repeat(100_000) + &"]".repeat(100_000);
        let mut structure = Structure::default();
        assert_eq!(structure.feed(text.as_bytes(), 0), Some(200_000));
        assert!((99_900..=100_000).contains(&structure.deepest()));
    }

    proptest! {
        #[test]
        fn blocks_and_bytes_agree(text in r#"[\[\]{}"\\a]{0,300}"#, floor in 0..3_usize) {
            let mut structure = Structure::default();
            let end = structure.feed(text.as_bytes(), floor);
            prop_assert_eq!((end, structure.depth()), plain(text.as_bytes(), floor));
        }

        #[test]
        fn pieces_do_not_matter(
            text in r#"[\[\]{}"\\a]{0,300}"#,
            cuts in prop::collection::vec(1..90_usize, 1..20),
        ) {
            let mut structure = Structure::default();
            let (mut rest, mut taken) = (text.as_bytes(), 0);
            let mut found = None;
            for cut in cuts.into_iter().chain([300]) {
                let (piece, behind) = rest.split_at(cut.min(rest.len()));
                found = structure.feed(piece, 0).map(|end| taken + end);
                if found.is_some() {
                    break;
                }
                taken += piece.len();
                rest = behind;
            }
            prop_assert_eq!((found, structure.depth()), plain(text.as_bytes(), 0));
        }
    }
}
