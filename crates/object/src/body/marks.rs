//! A set of names that answers "surely not" with one look at a bit.

/// For each name, one bit chosen by its length and first letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks(u64);

impl Marks {
    pub(super) const NONE: Self = Self(0);
    /// Whatever the key, it may be held.
    pub(super) const ALL: Self = Self(u64::MAX);

    pub(super) const fn with(self, name: &str) -> Self {
        let first = if name.is_empty() { 0 } else { name.as_bytes()[0] };
        Self(self.0 | 1 << bit(name.len(), first))
    }

    pub(super) const fn with_all(self, names: &[&str]) -> Self {
        let (mut marks, mut at) = (self, 0);
        while at < names.len() {
            marks = marks.with(names[at]);
            at += 1;
        }
        marks
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a name of this length and first letter may be held. `false` is sure.
    #[inline]
    pub(super) fn may_hold(self, length: usize, first: u8) -> bool {
        self.0 >> bit(length, first) & 1 == 1
    }
}

const fn bit(length: usize, first: u8) -> u32 {
    (length as u32).wrapping_mul(7).wrapping_add(first as u32) & 63
}
