//! Quotes and brackets of JSON text, 64 bytes at a time.
//!
//! Promise: [`Cursor::next_quote`] gives every quote that opens or closes a string, in order, and
//! never one that is escaped. Finding the end of a short string costs a bit scan, not a search.
//! **Invariant:** the text of the cursor starts outside of a string.

use wide::u8x16;

const BLOCK: usize = 64;

/// Walks the quotes of a text. Outside of strings it can jump over a whole container.
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    /// Start of the current block.
    base: usize,
    /// Unescaped quotes of the current block that were not taken yet.
    quotes: u64,
    /// The first byte of the next block is escaped by the last one of this.
    escape_next: u64,
    /// The bytes of the current block that are inside a string, its opening quote included.
    strings: u64,
    /// Position of the newest backslash met; 0 if none (no text starts with one).
    backslash: usize,
    /// First raw control character inside a string, if any: no strict parser takes it.
    control: Option<usize>,
}

impl<'a> Cursor<'a> {
    /// A cursor that starts at `at`.
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Self {
        let mut cursor = Self {
            bytes,
            base: at,
            quotes: 0,
            escape_next: 0,
            strings: 0,
            backslash: 0,
            control: None,
        };
        cursor.load();
        cursor
    }

    /// Position of the next unescaped quote.
    #[inline]
    pub(crate) fn next_quote(&mut self) -> Option<usize> {
        while self.quotes == 0 {
            self.advance()?;
        }
        let at = self.base + self.quotes.trailing_zeros() as usize;
        self.quotes &= self.quotes - 1;
        Some(at)
    }

    /// Whether the string that begins at `start` and was taken last may hold a backslash.
    #[inline]
    pub(crate) fn may_have_escapes(&self, start: usize) -> bool {
        self.backslash > start
    }

    /// First raw control character inside a string of the blocks seen so far.
    pub(crate) fn control_character(&self) -> Option<usize> {
        self.control
    }

    /// Jumps behind the bracket that closes the container opened just before `from`, by counting
    /// brackets outside of strings. `from` is outside of strings and all quotes before it are taken.
    pub(crate) fn skip_container(&mut self, from: usize) -> Option<usize> {
        while from >= self.base + BLOCK {
            self.advance()?;
        }
        let mut depth: u32 = 1;
        let mut outside = !self.strings & (u64::MAX << (from - self.base));
        loop {
            let (open, close) = self.brackets();
            let (open, close) = (open & outside, close & outside);
            if close == 0 || close.count_ones() < depth {
                depth = depth + open.count_ones() - close.count_ones();
            } else if let Some(end) = closing(open, close, &mut depth) {
                self.quotes &= u64::MAX << end;
                return Some(self.base + end as usize + 1);
            }
            self.advance()?;
            outside = !self.strings;
        }
    }

    /// Loads the next block; nothing is left of the current one.
    #[inline(never)] // keeps `next_quote` small enough to be inlined
    fn advance(&mut self) -> Option<()> {
        if self.base + BLOCK >= self.bytes.len() {
            self.quotes = 0;
            return None;
        }
        self.base += BLOCK;
        self.load();
        Some(())
    }

    /// The current block, filled up with spaces behind the end of the text.
    #[inline]
    fn block(&self) -> [u8; BLOCK] {
        let rest = self.bytes.get(self.base..).unwrap_or_default();
        if let Some(block) = rest.first_chunk::<BLOCK>() {
            return *block;
        }
        let mut block = [b' '; BLOCK];
        for (to, from) in block.iter_mut().zip(rest) {
            *to = *from;
        }
        block
    }

    #[inline]
    fn load(&mut self) {
        let block = self.block();
        let backslashes = mask(&block, |lane| lane.simd_eq(u8x16::splat(b'\\')));
        let control = mask(&block, |lane| lane.simd_lt(u8x16::splat(0x20)));
        self.quotes = mask(&block, |lane| lane.simd_eq(u8x16::splat(b'"')));
        if backslashes | self.escape_next != 0 {
            self.quotes &= !self.escaped(backslashes);
        }
        let carried = 0_u64.wrapping_sub(self.strings >> 63);
        self.strings = prefix_xor(self.quotes) ^ carried;
        if control & self.strings != 0 && self.control.is_none() {
            let first = (control & self.strings).trailing_zeros();
            self.control = Some(self.base + first as usize);
        }
    }

    /// Marks of the bytes that a backslash escapes; carries over to the next block.
    #[cold]
    fn escaped(&mut self, backslashes: u64) -> u64 {
        if backslashes != 0 {
            self.backslash = self.base + backslashes.ilog2() as usize;
        }
        let mut escaped = self.escape_next;
        let mut left = backslashes & !self.escape_next;
        self.escape_next = 0;
        while left != 0 {
            let at = left.trailing_zeros();
            if at == 63 {
                self.escape_next = 1;
                break;
            }
            escaped |= 2 << at;
            left &= u64::MAX << at;
            left &= !(3 << at);
        }
        escaped
    }

    #[inline]
    fn brackets(&self) -> (u64, u64) {
        let block = self.block();
        // `[` and `{`, `]` and `}` differ by one bit.
        let fold = u8x16::splat(0x20);
        let open = mask(&block, |lane| (lane | fold).simd_eq(u8x16::splat(b'{')));
        let close = mask(&block, |lane| (lane | fold).simd_eq(u8x16::splat(b'}')));
        (open, close)
    }
}

/// The bit of the closing bracket that ends the container `depth` brackets deep, if it is here;
/// else `depth` is what it is behind the block.
fn closing(open: u64, close: u64, depth: &mut u32) -> Option<u32> {
    let mut brackets = open | close;
    while brackets != 0 {
        let at = brackets.trailing_zeros();
        brackets &= brackets - 1;
        if close >> at & 1 == 0 {
            *depth += 1;
        } else if *depth == 1 {
            return Some(at);
        } else {
            *depth -= 1;
        }
    }
    None
}

/// One bit for each byte of the block that the test marks.
#[inline]
fn mask(block: &[u8; BLOCK], test: impl Fn(u8x16) -> u8x16) -> u64 {
    let (lanes, _) = block.as_chunks::<16>();
    let mut bits = 0;
    for (index, lane) in lanes.iter().enumerate() {
        bits |= u64::from(test(u8x16::from(*lane)).to_bitmask()) << (16 * index);
    }
    bits
}

/// Bit n of the result is the parity of the bits 0..=n: set from an opening quote up to the byte
/// before the closing one.
#[inline]
fn prefix_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}
