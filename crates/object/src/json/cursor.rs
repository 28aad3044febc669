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
    /// All ones if the current block ends inside a string.
    in_string: u64,
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
            in_string: 0,
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
        let mut depth: u32 = 1;
        let mut from = from;
        loop {
            while from >= self.base + BLOCK {
                self.advance()?;
            }
            let unread = u64::MAX << (from - self.base);
            let outside = !prefix_xor(self.quotes) & unread;
            let (open, close) = self.brackets();
            let (mut open, mut close) = (open & outside, close & outside);
            if close.count_ones() < depth {
                depth = depth + open.count_ones() - close.count_ones();
                self.advance_inside(&mut from)?;
                continue;
            }
            while close != 0 {
                let end = close.trailing_zeros();
                let before = open & !(u64::MAX << end);
                depth = depth + before.count_ones() - 1;
                if depth == 0 {
                    self.quotes &= (u64::MAX << end) & !(1 << end);
                    return Some(self.base + end as usize + 1);
                }
                open &= u64::MAX << end;
                close &= close - 1;
            }
            depth += open.count_ones();
            self.advance_inside(&mut from)?;
        }
    }

    /// Goes on to the next block while skipping; a string that runs over the border is left behind
    /// first, so that the next block is looked at from outside of strings.
    fn advance_inside(&mut self, from: &mut usize) -> Option<()> {
        let open_string = self.quotes.count_ones() & 1 == 1;
        self.advance()?;
        *from = self.base;
        if open_string {
            *from = self.next_quote()? + 1;
        }
        Some(())
    }

    #[inline]
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
        let quotes = mask(&block, |lane| lane.simd_eq(u8x16::splat(b'"')));
        let backslashes = mask(&block, |lane| lane.simd_eq(u8x16::splat(b'\\')));
        let control = mask(&block, |lane| lane.simd_lt(u8x16::splat(0x20)));
        self.quotes = quotes;
        if backslashes | self.escape_next != 0 {
            self.quotes &= !self.escaped(backslashes);
        }
        if control != 0 {
            self.note_control(control);
        }
        if self.quotes.count_ones() & 1 == 1 {
            self.in_string = !self.in_string;
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

    #[cold]
    fn note_control(&mut self, control: u64) {
        let bad = control & (prefix_xor(self.quotes) ^ self.in_string);
        if bad != 0 && self.control.is_none() {
            self.control = Some(self.base + bad.trailing_zeros() as usize);
        }
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
